//! The Matérn correlation function for any smoothness.

/// Matérn correlation `ρ(t) = 2^(1−κ)/Γ(κ) · t^κ · K_κ(t)` at `t = h/a ≥ 0`, with `ρ(0) = 1`.
///
/// The modified Bessel function is the integral of `exp(−t cosh u) cosh(κu)` over `u ≥ 0` (Abramowitz & Stegun 9.6.24).
/// The integrand falls doubly exponentially, so the trapezoid rule converges geometrically: the step below leaves an error
/// of 1e-13 at most, by rounding. The factor in front is added inside the exponent, so nothing overflows at small `t`.
#[must_use]
pub fn correlation(kappa: f64, t: f64) -> f64 {
    // Below this the correlation of every allowed smoothness (κ ≥ 0.05) differs from 1 by less than 1e-15.
    if t < 1e-150 {
        return 1.0;
    }
    if kappa == 0.5 {
        return (-t).exp();
    }
    if kappa == 1.5 {
        return (1.0 + t) * (-t).exp();
    }
    if kappa == 2.5 {
        return (1.0 + t + t * t / 3.0) * (-t).exp();
    }
    if t > 600.0 {
        return 0.0;
    }
    let front = (1.0 - kappa) * std::f64::consts::LN_2 - libm::lgamma(kappa) + kappa * t.ln() - t;
    // Width of the integrand's peak: its curvature in u is √(t² + κ²).
    let step = (0.6 * (t * t + kappa * kappa).powf(-0.25)).min(0.15);
    let (mut sum, mut highest, mut k) = (0.0, 0.0_f64, 0_u32);
    loop {
        let u = f64::from(k) * step;
        // cosh u − 1 without cancellation at small u.
        let half = (0.5 * u).sinh();
        let term = (kappa * u - 2.0 * t * half * half + front).exp() * 0.5 * (1.0 + (-2.0 * kappa * u).exp());
        sum += if k == 0 { 0.5 * term } else { term };
        highest = highest.max(term);
        if term < highest * 1e-18 || (term == 0.0 && k > 8) {
            break;
        }
        k += 1;
    }
    (sum * step).min(1.0)
}

/// Coefficients of one interval: enough for 1e-14 where the interval is a quarter of an octave.
const TERMS: usize = 12;
/// Shortest tabulated distance, 2⁻²⁰; nearer ones are rare and go through the integral.
const FIRST_EXPONENT: i32 = -20;
/// End of the table, 2¹⁰ > 600.
const LAST_EXPONENT: i32 = 10;

/// The Matérn correlation of one smoothness, tabulated for the millions of evaluations that kriging takes: Chebyshev
/// interpolation on quarter octaves, whose number is read off the bits of `t`.
#[derive(Clone, Debug)]
pub struct Table {
    kappa: f64,
    intervals: Vec<[f64; TERMS]>,
}

impl Table {
    /// Tabulates smoothness `kappa`.
    #[must_use]
    pub fn new(kappa: f64) -> Self {
        let first = (2.0_f64).powi(FIRST_EXPONENT).to_bits() >> 50;
        let count = 4 * (LAST_EXPONENT - FIRST_EXPONENT) as u64;
        let intervals = (0..count)
            .map(|i| {
                let low = f64::from_bits((first + i) << 50);
                let high = f64::from_bits((first + i + 1) << 50);
                chebyshev(|s| correlation(kappa, 0.5 * (low + high) + 0.5 * (high - low) * s))
            })
            .collect();
        Self { kappa, intervals }
    }

    /// The correlation at `t ≥ 0`.
    #[inline]
    #[must_use]
    pub fn at(&self, t: f64) -> f64 {
        if t > 600.0 {
            return 0.0;
        }
        let first = (2.0_f64).powi(FIRST_EXPONENT).to_bits() >> 50;
        let bits = t.to_bits();
        let Some(c) = (bits >> 50).checked_sub(first).and_then(|i| self.intervals.get(i as usize)) else {
            return correlation(self.kappa, t);
        };
        // Position in the interval, -1..1, from the mantissa bits below its number.
        let s = (bits & ((1 << 50) - 1)) as f64 * (2.0 / (1_u64 << 50) as f64) - 1.0;
        let (mut b1, mut b2) = (0.0, 0.0);
        for &a in c[1..].iter().rev() {
            (b1, b2) = (2.0 * s * b1 - b2 + a, b1);
        }
        s * b1 - b2 + c[0]
    }
}

/// Chebyshev coefficients of a function on [-1, 1] from its values at the Chebyshev nodes.
fn chebyshev(f: impl Fn(f64) -> f64) -> [f64; TERMS] {
    let n = TERMS as f64;
    let angle = |k: usize| std::f64::consts::PI * (k as f64 + 0.5) / n;
    let values: [f64; TERMS] = std::array::from_fn(|k| f(angle(k).cos()));
    std::array::from_fn(|j| {
        let sum: f64 = values.iter().enumerate().map(|(k, v)| v * (j as f64 * angle(k)).cos()).sum();
        sum * if j == 0 { 1.0 } else { 2.0 } / n
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integral_equals_the_closed_forms_next_to_them() {
        for t in [1e-6, 0.01, 0.3, 1.0, 4.0, 30.0, 300.0] {
            // A hair off the closed smoothness goes through the integral.
            for kappa in [0.5_f64, 1.5, 2.5] {
                let a = correlation(kappa, t);
                let b = correlation(kappa + 1e-13, t);
                assert!((a - b).abs() < 2e-12, "kappa {kappa} t {t}: {a} {b}");
            }
        }
    }

    #[test]
    fn bessel_values_of_the_tables() {
        // K₁(1) = 0.6019072301972346, K₁(0.1) = 9.853844780870606.
        assert!((correlation(1.0, 1.0) - 0.601_907_230_197_234_6).abs() < 1e-14);
        assert!((correlation(1.0, 0.1) - 0.985_384_478_087_060_6).abs() < 1e-13);
        assert_eq!(correlation(0.3, 0.0), 1.0);
    }

    #[test]
    fn table_equals_the_function() {
        for kappa in [0.3, 0.8, 1.3, 4.9] {
            let table = Table::new(kappa);
            for i in 0..4000 {
                let t = 1e-8 * (1.0065_f64).powi(i);
                let (got, want) = (table.at(t), correlation(kappa, t));
                // Exponents near 70 cost the integral itself two or three digits at small t.
                assert!((got - want).abs() < 3e-13, "kappa {kappa} t {t}: {got} {want}");
            }
            assert_eq!((table.at(0.0), table.at(601.0)), (1.0, 0.0));
        }
    }
}
