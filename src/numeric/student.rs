//! Quantiles of Student's t distribution.

use super::beta::student_upper_tail;

/// Value that Student's t with `df` degrees of freedom passes with probability `tail` (0 < tail < 0.5): the half-width of a
/// central interval of probability 1 − 2·tail in standard errors. `None` outside that range or where `df` is not positive.
///
/// Root of the upper tail by Newton's method on its logarithm, which falls without turning, held in a bracket.
#[must_use]
pub fn upper_quantile(tail: f64, df: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 0.5 && df > 0.0 && df.is_finite()) {
        return None;
    }
    // Logarithm of the density without what does not depend on t.
    let constant = libm::lgamma((df + 1.0) / 2.0) - libm::lgamma(df / 2.0) - 0.5 * libm::log(df * std::f64::consts::PI);
    let (mut low, mut high) = (0.0, 1.0);
    while student_upper_tail(high, df) > tail {
        low = high;
        high *= 2.0;
        if high > 1e300 {
            return None;
        }
    }
    let mut t = 0.5 * (low + high);
    for _ in 0..200 {
        let p = student_upper_tail(t, df);
        if p > tail {
            low = t;
        } else {
            high = t;
        }
        let density = libm::exp(constant - (df + 1.0) / 2.0 * libm::log1p(t * t / df));
        let newton = t + libm::log(p / tail) * p / density;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - t).abs() <= 1e-14 * t {
            return Some(next);
        }
        t = next;
    }
    Some(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_values() {
        let near = |tail, df, want: f64| {
            let t = upper_quantile(tail, df).unwrap();
            assert!((t / want - 1.0).abs() < 1e-12, "{tail} {df}: {t}");
        };
        // One degree: tan(π (½ − tail)); two: (1 − 2p) √(2 / (4 p (1 − p))).
        near(0.025, 1.0, (std::f64::consts::PI * 0.475).tan());
        near(0.025, 2.0, 0.95 * (2.0f64 / (4.0 * 0.025 * 0.975)).sqrt());
        near(1e-6, 2.0, (1.0 - 2e-6) * (2.0f64 / (4.0 * 1e-6 * (1.0 - 1e-6))).sqrt());
        // scipy 1.17.1, stats.t.isf.
        near(0.025, 3.0, 3.1824463052837086);
        near(0.025, 10.0, 2.2281388519862753);
        near(0.025, 38.0, 2.02439416391197);
        near(0.005, 7.0, 3.4994832973504932);
        near(0.05, 1000.0, 1.6463788172854648);
        // The tail itself loses digits with millions of degrees.
        assert!((upper_quantile(0.025, 2.5e6).unwrap() / 1.9599649334489977 - 1.0).abs() < 1e-10);
        assert_eq!(upper_quantile(0.5, 3.0), None);
        assert_eq!(upper_quantile(0.0, 3.0), None);
        assert_eq!(upper_quantile(0.1, 0.0), None);
        assert_eq!(upper_quantile(f64::NAN, 1.0), None);
    }
}
