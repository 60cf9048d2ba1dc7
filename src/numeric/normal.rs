//! The standard normal distribution.

/// Probability that a standard normal variable is at most `x`: `Φ(x) = ½ erfc(−x/√2)`, accurate in both tails.
#[must_use]
pub fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The value a standard normal variable passes with probability `tail` (between 0 and 1): Newton's method on the tail.
///
/// The tail is convex above zero, so that from zero the steps rise to the root and never pass it.
#[must_use]
pub fn upper_quantile(tail: f64) -> f64 {
    if tail > 0.5 {
        return -upper_quantile(1.0 - tail);
    }
    let mut x = 0.0;
    for _ in 0..200 {
        let density =
            libm::exp(-0.5 * x * x) * (std::f64::consts::FRAC_2_SQRT_PI * 0.5 * std::f64::consts::FRAC_1_SQRT_2);
        let next = x + (cdf(-x) - tail) / density;
        if next.is_nan() || next <= x {
            break;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_distribution() {
        assert!((upper_quantile(0.025) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((upper_quantile(0.995) + 2.575_829_303_548_901).abs() < 1e-13);
        assert_eq!(upper_quantile(0.5), 0.0);
        for tail in [1e-12, 1e-6, 0.01, 0.3, 0.49, 0.6] {
            assert!((cdf(-upper_quantile(tail)) / tail - 1.0).abs() < 1e-12, "{tail}");
        }
    }

    #[test]
    fn tabulated_values() {
        assert_eq!(cdf(0.0), 0.5);
        assert!((cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-15);
        // Mills ratio: deep tails keep their relative accuracy.
        assert!((cdf(-10.0) / 7.619_853_024_160_527e-24 - 1.0).abs() < 1e-12);
    }
}
