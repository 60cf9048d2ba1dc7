//! Coordinate descent of the LASSO, all bands in lanes.

use super::{LANES, Lanes};

/// A sweep that moves no standardised coefficient by more ends the descent; in units of reflectance × 10000.
const TOLERANCE: f64 = 1e-2;
/// Sweeps after which the descent ends in any case.
const MOST_SWEEPS: usize = 1000;

/// Moves the coefficients of the standardised regressors `1..terms` to the least penalised sum, from where they are. `left`
/// is what remains of the covariance with each band and goes along. Lanes never mix but in the test for the end, which is
/// a maximum, and nothing is contracted: the bits are the same in registers of any width.
#[pulp::with_simd(descend = pulp::Arch::new())]
#[inline(always)]
pub(super) fn descend_with_simd<'a, S: pulp::Simd>(
    simd: S,
    correlation: &'a [Lanes; LANES],
    left: &'a mut [Lanes; LANES],
    standard: &'a mut [Lanes; LANES],
    terms: usize,
    lambda: f64,
) {
    let (zero, sign) = (simd.splat_f64s(0.0), simd.splat_f64s(-0.0));
    let lambda = simd.splat_f64s(lambda);
    for _ in 0..MOST_SWEEPS {
        let mut largest = [0.0; LANES];
        for j in 1..terms {
            let mut step = [0.0; LANES];
            let steps = S::as_mut_simd_f64s(&mut step).0;
            let most = S::as_mut_simd_f64s(&mut largest).0;
            let own = S::as_mut_simd_f64s(&mut standard[j]).0;
            let gradient = S::as_simd_f64s(&left[j]).0;
            for (((step, most), own), &gradient) in steps.iter_mut().zip(most).zip(own).zip(gradient) {
                let free = simd.add_f64s(gradient, *own);
                let shrunk = simd.max_f64s(simd.sub_f64s(simd.abs_f64s(free), lambda), zero);
                let shrunk = simd.or_f64s(shrunk, simd.and_f64s(free, sign));
                *step = simd.sub_f64s(shrunk, *own);
                *most = simd.max_f64s(*most, simd.abs_f64s(*step));
                *own = shrunk;
            }
            for (left, &factor) in left[1..terms].iter_mut().zip(&correlation[j][1..terms]) {
                let factor = simd.splat_f64s(factor);
                let left = S::as_mut_simd_f64s(left).0;
                for (left, &step) in left.iter_mut().zip(S::as_simd_f64s(&step).0) {
                    *left = simd.sub_f64s(*left, simd.mul_f64s(factor, step));
                }
            }
        }
        if largest.iter().all(|most| *most < TOLERANCE) {
            break;
        }
    }
}
