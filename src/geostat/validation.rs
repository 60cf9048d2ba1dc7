//! Cross-validation statistics. Errors are predicted minus observed.

use crate::error::Result;

use super::kriging::Estimate;
use super::predictor::Predictor;

/// One sample left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// What was measured, in the working scale.
    pub observed: f64,
    /// What the other samples say; NaN where too few are in reach.
    pub estimate: Estimate,
}

impl Residual {
    /// Predicted minus observed.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.estimate.value - self.observed
    }
    /// Error over its kriging standard deviation; NaN without a variance.
    #[must_use]
    pub fn standardised(&self) -> f64 {
        self.error() / self.estimate.variance.sqrt()
    }
}

/// Residuals of every sample, in sample order.
///
/// # Errors
/// As [`Predictor::leave_one_out`].
pub fn leave_one_out(predictor: &dyn Predictor, observed: &[f64]) -> Result<Vec<Residual>> {
    let estimates = predictor.leave_one_out()?;
    Ok(observed.iter().zip(estimates).map(|(&observed, estimate)| Residual { observed, estimate }).collect())
}

/// Summary of residuals. What needs a variance is NaN where the method has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Samples predicted.
    pub n: usize,
    /// Samples that could not be predicted.
    pub unpredicted: usize,
    /// Mean error.
    pub me: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean squared deviation ratio, error² over variance; 1 where the variogram tells the right uncertainty.
    pub msdr: f64,
    /// Median of the same; 0.455 for normal errors.
    pub median_sdr: f64,
    /// `1 − Σe² / Σ(o − ō)²`.
    pub r2: f64,
    /// Correlation of predicted and observed.
    pub r: f64,
    /// Concordance (Lin 1989): `2 cov / (var_o + var_p + (ō − p̄)²)` with moments over n.
    pub ccc: f64,
    /// Share of observations inside their 90 % interval.
    pub cover90: f64,
}

impl Statistics {
    /// Summarises residuals; sample order does not matter beyond rounding.
    #[must_use]
    pub fn of(residuals: &[Residual]) -> Self {
        /// 95th percentile of the standard normal distribution.
        const Z90: f64 = 1.644_853_626_951_472_2;
        let used: Vec<&Residual> = residuals.iter().filter(|r| !r.estimate.value.is_nan()).collect();
        let n = used.len() as f64;
        let mean = |f: &dyn Fn(&Residual) -> f64| used.iter().map(|r| f(r)).sum::<f64>() / n;
        let (mo, mp) = (mean(&|r| r.observed), mean(&|r| r.estimate.value));
        let squared_error = mean(&|r| r.error().powi(2));
        let var_o = mean(&|r| (r.observed - mo).powi(2));
        let var_p = mean(&|r| (r.estimate.value - mp).powi(2));
        let cov = mean(&|r| (r.observed - mo) * (r.estimate.value - mp));
        let mut ratios: Vec<f64> = used.iter().map(|r| r.error().powi(2) / r.estimate.variance).collect();
        ratios.sort_by(f64::total_cmp);
        let m = ratios.len() / 2;
        let median_sdr = match ratios.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => ratios[m],
            _ => (ratios[m - 1] + ratios[m]) / 2.0,
        };
        let has_variance = used.iter().all(|r| !r.estimate.variance.is_nan());
        let inside = |r: &Residual| f64::from(u8::from(r.error().abs() <= Z90 * r.estimate.variance.sqrt()));
        Self {
            n: used.len(),
            unpredicted: residuals.len() - used.len(),
            me: mean(&Residual::error),
            mae: mean(&|r| r.error().abs()),
            rmse: squared_error.sqrt(),
            msdr: mean(&|r| r.error().powi(2) / r.estimate.variance),
            median_sdr,
            r2: 1.0 - squared_error / var_o,
            r: cov / (var_o * var_p).sqrt(),
            ccc: 2.0 * cov / (var_o + var_p + (mo - mp).powi(2)),
            cover90: if has_variance { mean(&inside) } else { f64::NAN },
        }
    }

    /// Name and value of each statistic; NaN where undefined.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, f64); 9] {
        [
            ("me", self.me),
            ("mae", self.mae),
            ("rmse", self.rmse),
            ("msdr", self.msdr),
            ("median_sdr", self.median_sdr),
            ("r2", self.r2),
            ("r", self.r),
            ("ccc", self.ccc),
            ("cover90", self.cover90),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        let r = |observed: f64, value: f64, variance: f64| Residual {
            observed,
            estimate: Estimate { value, variance, multiplier: 0.0 },
        };
        let s = Statistics::of(&[r(1.0, 2.0, 1.0), r(3.0, 2.0, 4.0), r(5.0, 5.0, 1.0), r(9.0, f64::NAN, f64::NAN)]);
        assert_eq!((s.n, s.unpredicted, s.me, s.cover90), (3, 1, 0.0, 1.0));
        assert!((s.rmse - (2.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert!((s.msdr - 1.25 / 3.0).abs() < 1e-15 && s.median_sdr == 0.25);
        // Observed 1, 3, 5 and predicted 2, 2, 5: variances 8/3 and 2, covariance 2.
        assert!((s.r2 - 0.75).abs() < 1e-15 && (s.ccc - 4.0 / (8.0 / 3.0 + 2.0)).abs() < 1e-15);
    }
}
