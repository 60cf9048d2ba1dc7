//! Sums over slices in eight fixed lanes: as wide as the processor's registers, the same bits on every processor.

/// Σ a_i b_i over the shorter of the two.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    in_lanes(&a[..n], &b[..n])
}

#[pulp::with_simd(in_lanes = pulp::Arch::new())]
#[inline(always)]
fn in_lanes_with_simd<'a, S: pulp::Simd>(_simd: S, a: &'a [f64], b: &'a [f64]) -> f64 {
    let mut sums = [0.0; 8];
    let ((head_a, tail_a), (head_b, tail_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in head_a.iter().zip(head_b) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    for (k, (x, y)) in tail_a.iter().zip(tail_b).enumerate() {
        sums[k] += x * y;
    }
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length() {
        for n in 0..40_u32 {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let b: Vec<f64> = (0..n + 3).map(|i| f64::from(i * 2 + 1)).collect();
            let want: u32 = (0..n).map(|i| i * (i * 2 + 1)).sum();
            assert_eq!(dot(&a, &b), f64::from(want));
        }
    }
}
