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
    fn nothing_counted_has_no_mean() {
        assert_eq!(Moments::default().mean(), None);
    }
}
