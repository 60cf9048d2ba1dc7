//! Least squares line.
//!
//! x = a + b t + e: b = Σ (t − t̄)(x − x̄) / Σ (t − t̄)², a = x̄ − b t̄ at t = 0; standard error of b = √(SSE/(n−2) / Σ (t − t̄)²);
//! p = probability of so great a |b| under no trend, Student's t with n − 2 degrees of freedom, two-sided; R² = 1 − SSE/SST;
//! RMSE = √(SSE/n). Units: those of the values, per unit of time for b and its error. Any finite values are valid; None for
//! fewer than [`LEAST`] observations or where all have one time. A constant has p = 1 and no R².

use super::LEAST;
use crate::numeric::beta::student_upper_tail;
use crate::numeric::lanes::dot;

/// A least squares line and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Change per unit of time.
    pub slope: f64,
    /// Value at time 0.
    pub intercept: f64,
    /// Standard error of the slope.
    pub slope_error: f64,
    /// Two-sided probability of so great a slope without a trend.
    pub p: f64,
    /// Share of the variance that the line explains; none for a constant.
    pub r2: Option<f64>,
    /// Root mean square residual, with divisor n.
    pub rmse: f64,
}

/// Memory lent to [`fit`].
#[derive(Clone, Debug, Default)]
pub struct Work {
    times: Vec<f64>,
    values: Vec<f64>,
}

/// Deviations from the mean, which is given back.
fn centre(values: &[f64], deviations: &mut Vec<f64>) -> f64 {
    // A value near the mean is taken off first, so that a constant has deviations of exactly zero.
    let (n, first) = (values.len() as f64, values[0]);
    deviations.clear();
    deviations.extend(values.iter().map(|v| v - first));
    let shift = deviations.iter().sum::<f64>() / n;
    deviations.iter_mut().for_each(|d| *d -= shift);
    first + shift
}

/// The least squares line of a series.
#[must_use]
pub fn fit(times: &[f64], values: &[f64], work: &mut Work) -> Option<Fit> {
    let n = values.len();
    if n < LEAST || times.len() != n {
        return None;
    }
    let (mean_t, mean_x) = (centre(times, &mut work.times), centre(values, &mut work.values));
    let (spread_t, spread_x) = (dot(&work.times, &work.times), dot(&work.values, &work.values));
    if spread_t <= 0.0 || !spread_t.is_finite() || !spread_x.is_finite() {
        return None;
    }
    let slope = dot(&work.times, &work.values) / spread_t;
    let residuals = work.values.iter_mut().zip(&work.times);
    residuals.for_each(|(x, t)| *x -= slope * t);
    let sse = dot(&work.values, &work.values);
    let df = (n - 2) as f64;
    let slope_error = (sse / df / spread_t).sqrt();
    // Without residuals the slope is certain, unless it is zero.
    let p = if slope == 0.0 { 1.0 } else { 2.0 * student_upper_tail((slope / slope_error).abs(), df) };
    Some(Fit {
        slope,
        intercept: mean_x - slope * mean_t,
        slope_error,
        p,
        r2: (spread_x > 0.0).then(|| (1.0 - sse / spread_x).max(0.0)),
        rmse: (sse / n as f64).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn line_by_hand() {
        // t = 0 1 2 3 4, x = 1 2 2 4 6: Stt = 10, Stx = 12, Sxx = 16, SSE = 16 − 14.4 = 1.6.
        let got = fit(&[0.0, 1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 2.0, 4.0, 6.0], &mut Work::default()).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(got.slope, 1.2);
        near(got.intercept, 3.0 - 2.4);
        near(got.slope_error, (1.6_f64 / 3.0 / 10.0).sqrt());
        near(got.r2.unwrap(), 0.9);
        near(got.rmse, 0.32_f64.sqrt());
        // Student's t with 3 degrees of freedom: 1 − 2/π (atan(u) + u/(1 + u²)) with u = t/√3, two-sided.
        let u = 1.2 / got.slope_error / 3.0_f64.sqrt();
        near(got.p, 1.0 - std::f64::consts::FRAC_2_PI * (u.atan() + u / (1.0 + u * u)));
    }

    #[test]
    fn constants_and_too_little() {
        let work = &mut Work::default();
        for n in 0..4 {
            assert_eq!(fit(&vec![1.0; n], &vec![1.0; n], work), None);
        }
        assert_eq!(fit(&[3.0; 9], &[1.0; 9], work), None);
        let times: Vec<f64> = (0..28).map(|i| 1990.0 + f64::from(i)).collect();
        let flat = fit(&times, &[0.42; 28], work).unwrap();
        assert_eq!((flat.slope, flat.p, flat.r2, flat.rmse, flat.slope_error), (0.0, 1.0, None, 0.0, 0.0));
        let straight = fit(&[0.0, 1.0, 2.0, 3.0], &[0.0, 2.0, 4.0, 6.0], work).unwrap();
        assert_eq!((straight.slope, straight.p, straight.r2), (2.0, 0.0, Some(1.0)));
    }

    proptest! {
        #[test]
        fn shifts_and_scales(x in prop::collection::vec(-1.0..1.0_f64, 5..60), by in 0.5..4.0_f64) {
            let times: Vec<f64> = (0..x.len()).map(|i| 2000.0 + i as f64 * 0.3).collect();
            let later: Vec<f64> = times.iter().map(|t| t + 17.0).collect();
            let scaled: Vec<f64> = x.iter().map(|v| by * v - 3.0).collect();
            let work = &mut Work::default();
            let (a, b) = (fit(&times, &x, work).unwrap(), fit(&later, &scaled, work).unwrap());
            prop_assert!((a.slope * by - b.slope).abs() < 1e-12);
            prop_assert!((a.p - b.p).abs() < 1e-9);
            prop_assert!((a.rmse * by - b.rmse).abs() < 1e-12);
            prop_assert!((by * (a.intercept + a.slope * 2000.0) - 3.0 - (b.intercept + b.slope * 2017.0)).abs() < 1e-9);
        }
    }
}
