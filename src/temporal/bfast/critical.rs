//! Critical values: boundaries of the monitoring processes and of the test for a stable history.

use crate::error::{Error, Result};
use crate::numeric::normal;

/// Horizons of monitoring, in lengths of the history, that critical values of OLS-MOSUM are published for.
const HORIZONS: [u32; 5] = [2, 4, 6, 8, 10];
/// Level, window as a share of the history, and the critical value at each horizon (Zeileis et al. 2005 give the simulation).
const MOSUM: [(f64, f64, [f64; 5]); 6] = [
    (0.05, 0.25, [1.22763, 1.33623, 1.34109, 1.34166, 1.34182]),
    (0.05, 0.5, [1.68732, 1.88633, 1.89958, 1.90130, 1.90200]),
    (0.05, 1.0, [2.22409, 2.70444, 2.73715, 2.74288, 2.74593]),
    (0.01, 0.25, [1.4333, 1.5198, 1.5216, 1.5216, 1.5216]),
    (0.01, 0.5, [2.0315, 2.2012, 2.2085, 2.2088, 2.2091]),
    (0.01, 1.0, [2.7996, 3.2528, 3.2740, 3.2749, 3.2769]),
];

/// Critical value of the OLS-MOSUM process; only tabulated combinations have one.
pub(super) fn mosum(level: f64, window: f64, period: u32) -> Result<f64> {
    let column = HORIZONS.iter().position(|&p| p == period);
    let row = MOSUM.iter().find(|r| r.0 == level && r.1 == window);
    match (row, column) {
        (Some(row), Some(column)) => Ok(row.2[column]),
        _ => Err(Error::usage(format!(
            "bfast-monitor: no critical value of the mosum process for level {level}, window {window}, period {period}; \
             there are level 0.05 or 0.01, window 0.25, 0.5 or 1, period 2, 4, 6, 8 or 10 (the cusum process takes any level)"
        ))),
    }
}

/// Probability that the OLS-CUSUM process of a stable series ever passes the boundary with constant `a`:
/// `2 [1 − Φ(a) + a φ(a)]` (Chu, Stinchcombe & White 1996).
pub(crate) fn cusum_probability(a: f64) -> f64 {
    let density = libm::exp(-0.5 * a * a) / std::f64::consts::TAU.sqrt();
    2.0 * (normal::cdf(-a) + a * density)
}

/// Square of the boundary constant of the OLS-CUSUM process at a level.
pub(crate) fn cusum(level: f64) -> f64 {
    let a = root(|a| cusum_probability(a) - level, 0.0, 40.0);
    a * a
}

/// Checks a significance level of a process whose critical value has a closed form.
pub(crate) fn check_level(level: f64) -> Result<()> {
    if (1e-6..=0.5).contains(&level) {
        return Ok(());
    }
    Err(Error::usage(format!("bfast-monitor: level {level}: expected a share from 0.000001 to 0.5, such as 0.05")))
}

/// Critical value of the recursive CUSUM test of a stable history: the root of
/// `2 [1 − Φ(3x) + e^{−4x²}(Φ(x) + Φ(5x) − 1) − e^{−16x²}(1 − Φ(x))] = level` (Brown, Durbin & Evans 1975).
pub(super) fn recursive_cusum(level: f64) -> f64 {
    let p = |x: f64| {
        let near = libm::exp(-4.0 * x * x) * (normal::cdf(x) - normal::cdf(-5.0 * x));
        2.0 * (normal::cdf(-3.0 * x) + near - libm::exp(-16.0 * x * x) * normal::cdf(-x))
    };
    root(|x| p(x) - level, 0.3, 10.0)
}

/// Root of a falling function by bisection down to neighbouring numbers.
fn root(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if f(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_constants() {
        // The authors print 7.78 and 6.25; 7.78 has the level 0.0507 by their own formula.
        assert!((cusum_probability(7.78f64.sqrt()) - 0.05).abs() < 8e-4);
        assert!((cusum(0.05) - 7.8147).abs() < 1e-4, "{}", cusum(0.05));
        assert!((cusum(0.10) - 6.25).abs() < 6e-3, "{}", cusum(0.10));
        assert!((cusum_probability(cusum(0.05).sqrt()) - 0.05).abs() < 1e-14);
        assert!((recursive_cusum(0.05) - 0.94790).abs() < 1e-4, "{}", recursive_cusum(0.05));
        assert!((recursive_cusum(0.01) - 1.143).abs() < 1e-3, "{}", recursive_cusum(0.01));
        assert!((cusum_probability(0.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn untabulated_combinations_are_refused() {
        assert_eq!(mosum(0.05, 0.25, 10).unwrap(), 1.34182);
        assert_eq!(mosum(0.01, 1.0, 2).unwrap(), 2.7996);
        for (level, window, period) in [(0.04, 0.25, 10), (0.05, 0.3, 10), (0.05, 0.25, 3)] {
            assert!(mosum(level, window, period).unwrap_err().message().contains("0.25, 0.5 or 1"));
        }
        assert!(check_level(0.0).is_err() && check_level(f64::NAN).is_err() && check_level(0.05).is_ok());
    }
}
