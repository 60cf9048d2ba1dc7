//! Regularised incomplete beta function, and the tails of F and of Student's t.
//!
//! `I_x(a, b) = ∫₀ˣ t^(a−1) (1−t)^(b−1) dt / B(a, b)`, for finite `a, b > 0` and `0 ≤ x ≤ 1`. The tails keep about ten digits however
//! small they are, until they fall below the smallest number of double precision: a test statistic of a clear signal has
//! a tail of 1e-40, and whoever orders models by such tails needs their ratio. A tail computed as one minus a distribution
//! function would be zero there.
//!
//! Method: the continued fraction of the incomplete beta (Abramowitz & Stegun 1964, 26.5.8) evaluated by Lentz' method, with the
//! power terms taken as deviances of Stirling's formula (Loader 2000), so that large parameters lose no digits.

const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// `I_x(a, b)`, with `y = 1 − x` given beside `x` because the smaller of the two carries the digits. NaN outside the range.
#[must_use]
pub fn regularised(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let parameters = a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite();
    if !(parameters && (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)) {
        return f64::NAN;
    }
    if x == 0.0 {
        return 0.0;
    }
    if y == 0.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean; on the other side the complement is small enough to subtract.
    if x * (a + b + 2.0) < a + 1.0 { lower(a, b, x, y) } else { 1.0 - lower(b, a, y, x) }
}

/// `I_x(a, b)` with `a` in halves (`twice_a / 2`) and a whole `b`: the finite sum `x^a Σ (a)_j/j! (1−x)^j`, `j < b`, of positive
/// terms (Abramowitz & Stegun 26.5.6 and 26.5.7). Exact to rounding and without special functions; meant for `b` of a few tens.
#[must_use]
pub fn regularised_whole(twice_a: u32, b: u32, x: f64) -> f64 {
    let a = 0.5 * f64::from(twice_a);
    let y = 1.0 - x;
    let (mut term, mut sum) = (1.0, 1.0);
    for j in 1..b {
        let j = f64::from(j);
        term *= (a + j - 1.0) * y / j;
        sum += term;
    }
    let mut power = if twice_a % 2 == 1 { x.sqrt() } else { 1.0 };
    let (mut square, mut exponent) = (x, twice_a / 2);
    while exponent > 0 {
        if exponent % 2 == 1 {
            power *= square;
        }
        square *= square;
        exponent /= 2;
    }
    (power * sum).min(1.0)
}

/// Probability that an F variable with `d1` and `d2` degrees of freedom is above `f`: `I_{d2/(d2+d1 f)}(d2/2, d1/2)`.
/// 1 for `f ≤ 0`, NaN for degrees of freedom that are not positive.
#[must_use]
pub fn f_upper_tail(f: f64, d1: f64, d2: f64) -> f64 {
    if f.is_nan() || !(d1 > 0.0 && d2 > 0.0) {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    // Both shares are at most 1, and the smaller one is free of cancellation; an infinite statistic leaves no tail.
    let odds = d1 / d2 * f;
    let (x, y) = if odds > 1.0 {
        (1.0 / odds / (1.0 + 1.0 / odds), 1.0 / (1.0 + 1.0 / odds))
    } else {
        (1.0 / (1.0 + odds), odds / (1.0 + odds))
    };
    regularised(0.5 * d2, 0.5 * d1, x, y)
}

/// Probability that a Student variable with `df` degrees of freedom is above `t`. Twice the value at `|t|` is the two-sided p.
#[must_use]
pub fn student_upper_tail(t: f64, df: f64) -> f64 {
    let tail = 0.5 * f_upper_tail(t * t, 1.0, df);
    if t < 0.0 { 1.0 - tail } else { tail }
}

/// `I_x(a, b)` for `x` below about the mean, by the continued fraction.
fn lower(a: f64, b: f64, x: f64, y: f64) -> f64 {
    power_terms(a, b, x, y) / a * fraction(a, b, x)
}

/// `x^a y^b / B(a, b)`.
fn power_terms(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    // With a/n and b/n taken out of the powers what is left of Stirling's formula is of order one, so nothing large is subtracted.
    let deviance = share_term(a, n * x) + share_term(b, n * y);
    let stirling = stirling_rest(n) - stirling_rest(a) - stirling_rest(b);
    // The root is split, or it overflows for the largest parameters.
    (a / n).sqrt() * b.sqrt() * libm::exp(deviance + stirling - HALF_LN_TWO_PI)
}

/// `−(a ln(a/m) + m − a)`, without cancellation where `a ≈ m`. The two calls' linear parts cancel because the shares add up.
fn share_term(a: f64, m: f64) -> f64 {
    let distance = (a - m) / (a + m);
    if distance.abs() < 0.1 {
        // a ln(a/m) = 2a atanh(d); its first term is taken together with the linear part.
        let square = distance * distance;
        let mut power = 2.0 * a * distance;
        let mut sum = (a - m) * distance;
        for j in 1..100_u32 {
            power *= square;
            let next = sum + power / f64::from(2 * j + 1);
            if next == sum {
                break;
            }
            sum = next;
        }
        -sum
    } else {
        // The logarithms apart, so that a mean close to zero cannot overflow the ratio.
        a * (libm::log(m) - libm::log(a)) + (a - m)
    }
}

/// `ln Γ(z)` less `(z−½) ln z − z + ½ ln 2π`.
fn stirling_rest(z: f64) -> f64 {
    if z < 10.0 {
        return libm::lgamma(z) - ((z - 0.5) * libm::log(z) - z + HALF_LN_TWO_PI);
    }
    // Asymptotic series; at ten its first term left out is below 1e-17.
    let inverse = 1.0 / z;
    let square = inverse * inverse;
    const SERIES: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    SERIES.iter().rev().fold(0.0, |sum, coefficient| sum * square + coefficient) * inverse
}

/// The continued fraction of 26.5.8, by the modified Lentz method. Its length grows with the root of the larger parameter.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..1_000_000_u32 {
        let m = f64::from(step);
        let twice = a + 2.0 * m;
        let even = m * (b - m) * x / ((twice - 1.0) * twice);
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / (twice * (twice + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let factor = d * c;
        value *= factor;
        if (factor - 1.0).abs() < 4.0 * f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-11, "{found:e} instead of {expected:e}");
    }

    /// Values of an arbitrary-precision library, at arguments that are exact in binary.
    #[test]
    fn values_to_eleven_digits() {
        for (a, b, x, expected) in [
            (0.5, 0.5, 0.25, 1.0 / 3.0),
            (2.0, 3.0, 0.125, 0.078_857_421_875),
            (11.0, 5.0, 9.536_743_164_062_5e-7, 8.100_877_905_842_615e-64),
            (0.5, 11.0, 9.094_947_017_729_282e-13, 3.528_726_665_525_244e-6),
            (16.5, 6.0, 0.000_976_562_5, 4.935_212_613_851_68e-46),
            (250.0, 1.0, 0.125, 1.688_508_503_057_271e-226),
            (300.0, 40.0, 0.75, 4.244_365_515_334_278e-10),
            (0.007_812_5, 2.0, 0.000_976_562_5, 0.954_681_450_987_740_4),
            (1000.0, 1000.0, 0.375, 3.314_988_013_357_397e-30),
            (1e5, 1e5, 0.492_187_5, 1.392_868_599_521_077e-12),
            (5.0, 0.007_812_5, 0.968_75, 0.011_721_003_132_112_146),
            (10_000.0, 0.5, 0.937_5, 1.163_907_706_755_606_5e-282),
        ] {
            close(regularised(a, b, x, 1.0 - x), expected);
        }
    }

    #[test]
    fn finite_sum_is_the_function() {
        for twice_a in [0, 1, 2, 3, 10, 23, 44, 201] {
            for b in [1, 2, 3, 7, 12, 20] {
                for x in [1.0, 0.999, 0.5, 0.25, 0.01, 1e-6, 1e-9] {
                    let expected = match twice_a {
                        0 => 1.0,
                        _ => regularised(f64::from(twice_a) * 0.5, f64::from(b), x, 1.0 - x),
                    };
                    if expected > f64::MIN_POSITIVE {
                        // The complement of 0.999 has lost some digits before it gets here.
                        let found = regularised_whole(twice_a, b, x);
                        assert!((found / expected - 1.0).abs() < 1e-10, "{twice_a} {b} {x}: {found:e} {expected:e}");
                    }
                }
            }
        }
        assert_eq!(regularised_whole(7, 3, 0.0), 0.0);
    }

    #[test]
    fn tails_of_f() {
        close(f_upper_tail(4.0, 1.0, 10.0), 0.073_388_034_770_740_37);
        close(f_upper_tail(1000.0, 4.0, 20.0), 1.017_333_652_767_436e-22);
        close(f_upper_tail(1e8, 12.0, 22.0), 3.435_091_328_813_496e-82);
        close(f_upper_tail(0.5, 3.0, 7.0), 0.694_036_387_568_813_7);
        close(f_upper_tail(1e-3, 2.0, 5.0), 0.999_000_699_580_230_9);
        close(f_upper_tail(1e30, 10.0, 8.0), 2.867_2e-119);
        assert_eq!(f_upper_tail(0.0, 2.0, 5.0), 1.0);
        assert_eq!(f_upper_tail(-1.0, 2.0, 5.0), 1.0);
        assert_eq!(f_upper_tail(f64::INFINITY, 2.0, 5.0), 0.0);
        assert!(f_upper_tail(1.0, 0.0, 5.0).is_nan() && f_upper_tail(f64::NAN, 1.0, 5.0).is_nan());
    }

    #[test]
    fn tails_of_student() {
        close(student_upper_tail(2.0, 10.0), 0.036_694_017_385_370_18);
        close(student_upper_tail(-2.0, 10.0), 0.963_305_982_614_629_8);
        close(student_upper_tail(50.0, 30.0), 9.357_708_829_611_356e-31);
        close(student_upper_tail(1e-4, 3.0), 0.499_963_244_740_386_9);
        // One degree of freedom is the Cauchy distribution.
        close(student_upper_tail(12.5, 1.0), 0.5 - 12.5_f64.atan() / std::f64::consts::PI);
        assert_eq!(student_upper_tail(0.0, 4.0), 0.5);
    }

    #[test]
    fn ends_and_senseless_arguments() {
        assert_eq!(regularised(2.0, 3.0, 0.0, 1.0), 0.0);
        assert_eq!(regularised(2.0, 3.0, 1.0, 0.0), 1.0);
        for (a, b, x) in
            [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, 1.0, 1.5), (f64::NAN, 1.0, 0.5), (f64::INFINITY, 1.0, 0.5)]
        {
            assert!(regularised(a, b, x, 1.0 - x).is_nan());
        }
    }
}
