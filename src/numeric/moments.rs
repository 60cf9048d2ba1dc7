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
        let mut m = Self::default();
        let mut sum = 0.0;
        for &x in values {
            let valid = !x.is_nan();
            m.count += u64::from(valid);
            sum += if valid { x } else { 0.0 };
            // min and max of f64 pass over NaN.
            m.min = m.min.min(x);
            m.max = m.max.max(x);
        }
        if m.count > 0 {
            m.mean = sum / m.count as f64;
            let squared = |x: f64| if x.is_nan() { 0.0 } else { (x - m.mean) * (x - m.mean) };
            m.squares = values.iter().map(|&x| squared(x)).sum();
        }
        m
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
