//! The chi-square distribution: upper tail probability and its inverse.
//!
//! With `a = k/2` and `s = x/2` the upper tail is the regularised incomplete gamma function `Q(a, s)`: by its power series
//! for `s < a + 1`, by the continued fraction of Legendre beyond (modified Lentz), so that both tails keep their relative
//! accuracy (Press et al. 2007, section 6.2).

/// Probability that a chi-square variable of `degrees` degrees of freedom exceeds `x`. NaN for NaN or `degrees <= 0`.
#[must_use]
pub fn upper_tail(x: f64, degrees: f64) -> f64 {
    if x.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    let (a, s) = (0.5 * degrees, 0.5 * x);
    let scale = libm::exp(a * libm::log(s) - s - libm::lgamma(a));
    if s < a + 1.0 { 1.0 - scale * lower_series(a, s) } else { scale * upper_fraction(a, s) }
}

/// Value that a chi-square variable of `degrees` degrees of freedom exceeds with probability `tail`. NaN outside 0..=1.
#[must_use]
pub fn upper_quantile(tail: f64, degrees: f64) -> f64 {
    if !(0.0..=1.0).contains(&tail) || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if tail == 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0_f64, degrees.max(1.0));
    while upper_tail(high, degrees) > tail {
        low = high;
        high *= 2.0;
    }
    // Halving down to neighbouring numbers: wanted once a run, so certainty is worth more than a quick start.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if upper_tail(middle, degrees) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Series of `P(a, s) Γ(a) s^-a e^s`; its terms are positive and fall from the first for `s < a + 1`.
fn lower_series(a: f64, s: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    let mut next = a;
    while term > sum * f64::EPSILON * 0.25 {
        next += 1.0;
        term *= s / next;
        sum += term;
    }
    sum
}

/// Continued fraction of `Q(a, s) Γ(a) s^-a e^s`, for `s >= a + 1`.
fn upper_fraction(a: f64, s: f64) -> f64 {
    // Stands for a denominator of zero.
    const TINY: f64 = 1e-300;
    let mut b = s + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut value = d;
    for step in 1..=10_000_u32 {
        let i = f64::from(step);
        let factor = -i * (i - a);
        b += 2.0;
        d = factor * d + b;
        d = 1.0 / if d.abs() < TINY { TINY } else { d };
        c = b + factor / c;
        c = if c.abs() < TINY { TINY } else { c };
        value *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() {
        // Two degrees: e^(-x/2); one degree: erfc(sqrt(x/2)); four degrees: (1 + x/2) e^(-x/2).
        for x in [1e-3, 0.1, 0.9, 2.0, 3.9, 4.1, 15.0, 60.0, 400.0_f64] {
            let two = libm::exp(-0.5 * x);
            assert!((upper_tail(x, 2.0) / two - 1.0).abs() < 1e-12, "{x}");
            let one = libm::erfc(libm::sqrt(0.5 * x));
            assert!((upper_tail(x, 1.0) / one - 1.0).abs() < 1e-12, "{x}");
            let four = (1.0 + 0.5 * x) * two;
            assert!((upper_tail(x, 4.0) / four - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn tabulated_quantiles() {
        assert!((upper_quantile(0.01, 5.0) - 15.086_272_469_388_99).abs() < 1e-11);
        assert!((upper_quantile(1e-6, 5.0) - 35.888_186_879_6).abs() < 1e-7);
        assert!((upper_quantile(0.05, 1.0) - 3.841_458_820_694_124).abs() < 1e-12);
        assert!((upper_quantile(0.5, 2.0) - 2.0 * std::f64::consts::LN_2).abs() < 1e-13);
    }

    #[test]
    fn inverse_and_ends() {
        for degrees in [1.0, 2.5, 6.0, 30.0, 200.0] {
            for tail in [1.0 - 1e-9, 0.9, 0.5, 0.1, 1e-3, 1e-9] {
                let x = upper_quantile(tail, degrees);
                assert!((upper_tail(x, degrees) / tail - 1.0).abs() < 1e-10, "{degrees} {tail}");
            }
        }
        assert_eq!(upper_quantile(0.0, 3.0), f64::INFINITY);
        assert!(upper_quantile(1.0, 3.0) < 1e-6);
        assert!(upper_quantile(1.5, 3.0).is_nan() && upper_tail(1.0, 0.0).is_nan());
        assert_eq!(upper_tail(-1.0, 3.0), 1.0);
    }
}
