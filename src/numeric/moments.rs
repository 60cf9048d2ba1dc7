//! Count, mean, spread and extremes, mergeable without losing digits.

/// Running moments of finite values (Welford; merged after Chan, Golub & LeVeque 1983). NaN is not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Values counted.
    pub count: u64,
    mean: f64,
    squares: f64,
    /// Smallest value; +∞ where there is none.
    pub min: f64,
    /// Largest value; −∞ where there is none.
    pub max: f64,
}

/// Independent sums of [`Moments::of_each`].
const LANES: usize = 16;

struct Sums {
    /// Whole numbers; as f64 they share the width of the sums.
    count: [f64; LANES],
    sum: [f64; LANES],
    min: [f64; LANES],
    max: [f64; LANES],
}

impl Default for Sums {
    fn default() -> Self {
        let (zero, inf) = ([0.0; LANES], [f64::INFINITY; LANES]);
        Self { count: zero, sum: zero, min: inf, max: inf.map(|x: f64| -x) }
    }
}

impl Sums {
    #[inline(always)]
    fn add<T: Copy>(&mut self, chunk: &[T; LANES], wide: impl Fn(T) -> f64) {
        for (i, v) in chunk.iter().enumerate() {
            self.one(i, wide(*v));
        }
    }

    #[inline(always)]
    fn one(&mut self, i: usize, x: f64) {
        let valid = !x.is_nan();
        self.count[i] += if valid { 1.0 } else { 0.0 };
        self.sum[i] += if valid { x } else { 0.0 };
        // Comparisons with NaN are false, so it is passed over.
        self.min[i] = if x < self.min[i] { x } else { self.min[i] };
        self.max[i] = if x > self.max[i] { x } else { self.max[i] };
    }
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// Counts a value.
    pub fn add(&mut self, x: f64) {
        if x.is_nan() {
            return;
        }
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (x - self.mean);
        self.min = self.min.min(x);
        self.max = self.max.max(x);
    }

    /// Moments of finite values; NaN is not counted. Two passes over the slice: sum, then deviations from the mean.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        Self::of_each(values, |x| x)
    }

    /// As [`Moments::of`] for the numbers `wide` makes of the values; NaN is not counted. Sums run in a fixed number of
    /// lanes, so that they vectorise and have the same bits on every processor.
    #[inline(always)]
    #[must_use]
    pub fn of_each<T: Copy>(values: &[T], wide: impl Fn(T) -> f64 + Copy) -> Self {
        let mut first = Sums::default();
        let (whole, rest) = values.as_chunks::<LANES>();
        whole.iter().for_each(|chunk| first.add(chunk, wide));
        rest.iter().enumerate().for_each(|(i, v)| first.one(i, wide(*v)));
        let count = first.count.iter().sum::<f64>();
        if count == 0.0 {
            return Self::default();
        }
        let mean = first.sum.iter().sum::<f64>() / count;
        let mut squares = [0.0; LANES];
        let squared = |v: T| {
            let x = wide(v);
            if x.is_nan() { 0.0 } else { (x - mean) * (x - mean) }
        };
        for chunk in whole {
            for (s, v) in squares.iter_mut().zip(chunk) {
                *s += squared(*v);
            }
        }
        squares.iter_mut().zip(rest).for_each(|(s, v)| *s += squared(*v));
        let min = first.min.into_iter().fold(f64::INFINITY, f64::min);
        let max = first.max.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self { count: count as u64, mean, squares: squares.iter().sum(), min, max }
    }

    /// Counts what another one counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * b / (a + b);
        self.squares += other.squares + delta * delta * a * b / (a + b);
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Arithmetic mean, where there are values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Population standard deviation (divisor n), where there are values.
    #[must_use]
    pub fn std_population(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_equals_counting_at_once() {
        let values: Vec<f64> = (0..1000).map(|i| 1e6 + f64::from(i * i % 97)).collect();
        let of = |v: &[f64]| {
            let mut m = Moments::default();
            v.iter().for_each(|&x| m.add(x));
            m
        };
        let whole = of(&values);
        let mut parts = of(&values[..313]);
        parts.merge(&of(&[f64::NAN]));
        parts.merge(&of(&values[313..]));
        assert_eq!((parts.count, parts.min, parts.max), (whole.count, whole.min, whole.max));
        assert!((parts.std_population().unwrap() - whole.std_population().unwrap()).abs() < 1e-10);
        let mean = values.iter().map(|v| v - 1e6).sum::<f64>() / 1000.0;
        assert!((parts.mean().unwrap() - 1e6 - mean).abs() < 1e-9);
    }

    #[test]
    fn a_slice_equals_its_values_one_by_one() {
        let values = [3.0, f64::NAN, -1.5, 1e6, 0.0];
        let mut m = Moments::default();
        values.iter().for_each(|&x| m.add(x));
        let s = Moments::of(&values);
        assert_eq!((s.count, s.min, s.max), (m.count, m.min, m.max));
        assert!((s.mean().unwrap() - m.mean().unwrap()).abs() < 1e-9);
        assert!((s.std_population().unwrap() / m.std_population().unwrap() - 1.0).abs() < 1e-14);
        assert_eq!(Moments::of(&[f64::NAN]), Moments::default());
    }

    #[test]
    fn nothing_counted_has_no_mean() {
        assert_eq!(Moments::default().mean(), None);
    }
}
