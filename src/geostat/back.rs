//! From the working scale back to the unit of the samples: means, standard deviations, exceedance.

use super::kriging::Estimate;
use super::samples::Transform;
use crate::numeric::normal;

/// Turns estimates of the working scale into what a map shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Back {
    transform: Transform,
    cap: f64,
    thresholds: Vec<f64>,
}

impl Back {
    /// For values transformed by `transform`, of which `largest` was the highest, and exceedance of `thresholds` (in the
    /// unit of the samples).
    #[must_use]
    pub fn new(transform: Transform, largest: f64, thresholds: &[f64]) -> Self {
        // The lognormal mean explodes where the variance is large: no estimate beyond ten times the data.
        Self { transform, cap: 10.0 * largest, thresholds: thresholds.iter().map(|&t| transform.forward(t)).collect() }
    }

    /// Mean in the unit of the samples, and whether it had to be capped. For logarithms the unbiased lognormal ordinary
    /// kriging mean `exp(y + s²/2 + ψ)` (Journel & Huijbregts 1978; Cressie 1993), at most ten times the largest value.
    #[must_use]
    pub fn mean(&self, e: &Estimate) -> (f64, bool) {
        match self.transform {
            Transform::None => (e.value, false),
            Transform::Log => {
                let mean = (e.value + 0.5 * e.variance + e.multiplier).exp();
                if mean > self.cap { (self.cap, true) } else { (mean, false) }
            }
        }
    }

    /// Kriging standard deviation, in the working scale.
    #[must_use]
    pub fn sd(&self, e: &Estimate) -> f64 {
        e.variance.sqrt()
    }

    /// Probability that the value exceeds threshold `k`: `1 − Φ((T − y)/s)` in the working scale, where the error is taken
    /// as normal; 0 or 1 where `s = 0`. NaN without an estimate.
    #[must_use]
    pub fn exceedance(&self, e: &Estimate, k: usize) -> f64 {
        let t = self.thresholds[k];
        if e.value.is_nan() {
            f64::NAN
        } else if e.variance == 0.0 {
            f64::from(u8::from(e.value > t))
        } else {
            normal::cdf((e.value - t) / e.variance.sqrt())
        }
    }

    /// Number of thresholds.
    #[must_use]
    pub fn thresholds(&self) -> usize {
        self.thresholds.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lognormal_mean_is_corrected_and_capped() {
        let e = |value: f64, variance: f64| Estimate { value, variance, multiplier: -0.125 };
        let back = Back::new(Transform::Log, 100.0, &[]);
        assert!((back.mean(&e(2.0, 0.5)).0 - 2.125_f64.exp()).abs() < 1e-12);
        assert_eq!(back.mean(&e(2.0, 50.0)), (1000.0, true));
    }

    #[test]
    fn exceedance_is_strict_at_samples() {
        let back = Back::new(Transform::None, 9.0, &[5.0, 6.0]);
        let sample = Estimate { value: 5.0, variance: 0.0, multiplier: 0.0 };
        assert_eq!(back.exceedance(&sample, 0), 0.0);
        let e = Estimate { value: 6.0, variance: 4.0, multiplier: 0.0 };
        assert_eq!(back.exceedance(&e, 1), 0.5);
        assert!((back.exceedance(&e, 0) - 0.691_462_461_274_013_1).abs() < 1e-15);
    }
}
