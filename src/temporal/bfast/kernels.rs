//! The loops over all rows of a pixel, compiled for each width of vector registers. Sums run in fixed lanes, so all widths
//! give the same bits.

const LANES: usize = 8;

/// Copies values with gaps (NaN, infinities) as 0, and notes which are valid, a bit each.
#[pulp::with_simd(fill = pulp::Arch::new())]
#[inline(always)]
pub(super) fn fill_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    values: &'a [f64],
    filled: &'a mut [f64],
    bits: &'a mut [u64],
) {
    for ((values, filled), bits) in values.chunks(64).zip(filled.chunks_mut(64)).zip(bits) {
        let mut word = 0;
        for (i, (&value, filled)) in values.iter().zip(filled).enumerate() {
            let finite = value.abs() < f64::INFINITY;
            *filled = if finite { value } else { 0.0 };
            word |= u64::from(finite) << i;
        }
        *bits = word;
    }
}

/// Products of each column (of `stride` values, from row `first` on) with `y`.
#[pulp::with_simd(project = pulp::Arch::new())]
#[inline(always)]
pub(super) fn project_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    columns: &'a [f64],
    stride: usize,
    first: usize,
    y: &'a [f64],
    out: &'a mut [f64],
) {
    for (column, out) in columns.chunks_exact(stride).zip(out) {
        *out = dot(&column[first..], y);
    }
}

/// Sum of squares.
#[pulp::with_simd(squares = pulp::Arch::new())]
#[inline(always)]
pub(super) fn squares_with_simd<S: pulp::Simd>(_simd: S, y: &[f64]) -> f64 {
    dot(y, y)
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Twice the lanes of the other sums: a chain of additions waits for each of them.
    const WIDE: usize = 2 * LANES;
    let n = a.len().min(b.len());
    let (head_a, tail_a) = a[..n].as_chunks::<WIDE>();
    let (head_b, tail_b) = b[..n].as_chunks::<WIDE>();
    let mut sums = [0.0; WIDE];
    for (x, y) in head_a.iter().zip(head_b) {
        for l in 0..WIDE {
            sums[l] += x[l] * y[l];
        }
    }
    let mut apart = WIDE / 2;
    while apart > 0 {
        for l in 0..apart {
            sums[l] += sums[l + apart];
        }
        apart /= 2;
    }
    let tail: f64 = tail_a.iter().zip(tail_b).map(|(x, y)| x * y).sum();
    sums[0] + tail
}

/// `out = y − Σ c_k column_k`, subtracted in order of `k`, for columns of `stride` values from row `first` on.
#[pulp::with_simd(subtract = pulp::Arch::new())]
#[inline(always)]
pub(super) fn subtract_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    columns: &'a [f64],
    stride: usize,
    first: usize,
    coefficients: &'a [f64],
    y: &'a [f64],
    out: &'a mut [f64],
) {
    let (blocks, rest) = y.as_chunks::<LANES>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<LANES>();
    for (at, (block, out)) in blocks.iter().zip(out_blocks).enumerate() {
        let mut left = *block;
        let begin = first + at * LANES;
        for (column, c) in columns.chunks_exact(stride).zip(coefficients) {
            for (left, x) in left.iter_mut().zip(&column[begin..begin + LANES]) {
                *left -= c * x;
            }
        }
        *out = left;
    }
    let begin = first + blocks.len() * LANES;
    for (i, (&y, out)) in rest.iter().zip(out_rest).enumerate() {
        let terms = columns.chunks_exact(stride).zip(coefficients);
        *out = terms.fold(y, |left, (column, c)| left - c * column[begin + i]);
    }
}

/// Sum of the rows of `table` (of `width` blocks each) that are listed.
#[pulp::with_simd(sum_rows = pulp::Arch::new())]
#[inline(always)]
pub(super) fn sum_rows_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    table: &'a [[f64; LANES]],
    width: usize,
    rows: &'a [u32],
    out: &'a mut [[f64; LANES]],
) {
    for (block, out) in out[..width].iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for &row in rows {
            let values = &table[row as usize * width + block];
            for l in 0..LANES {
                sums[l] += values[l];
            }
        }
        *out = sums;
    }
}

/// Appends the numbers of the set bits, counted from `offset`.
pub(super) fn set_bits(bits: &[u64], offset: usize, out: &mut Vec<u32>) {
    for (word, &bits) in bits.iter().enumerate() {
        let base = (offset + word * 64) as u32;
        let mut rows = [0; 64];
        let mut left = bits;
        for row in &mut rows[..bits.count_ones() as usize] {
            *row = base + left.trailing_zeros();
            left &= left.wrapping_sub(1);
        }
        out.extend_from_slice(&rows[..bits.count_ones() as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_become_zeros_and_bits() {
        let values: Vec<f64> = (0..150)
            .map(|i| {
                if i % 7 == 3 {
                    f64::NAN
                } else if i == 149 {
                    f64::NEG_INFINITY
                } else {
                    f64::from(i)
                }
            })
            .collect();
        let (mut filled, mut bits, mut rows) = (vec![9.0; 150], vec![u64::MAX; 3], Vec::new());
        fill(&values, &mut filled, &mut bits);
        set_bits(&bits, 0, &mut rows);
        let want: Vec<u32> = (0..149).filter(|i| i % 7 != 3).collect();
        assert_eq!(rows, want);
        assert!((0..150).all(|i| filled[i] == if want.contains(&(i as u32)) { values[i] } else { 0.0 }));
    }

    #[test]
    fn sums_against_plain_loops() {
        // Whole numbers: every order of summing gives the same.
        let columns: Vec<f64> = (0..3 * 37).map(|i| f64::from(i * i % 11)).collect();
        let y: Vec<f64> = (0..32).map(|i| f64::from(i % 5)).collect();
        let (mut products, mut left) = ([0.0; 3], vec![0.0; 32]);
        project(&columns, 37, 5, &y, &mut products);
        subtract(&columns, 37, 5, &[1.0, -2.0, 3.0], &y, &mut left);
        for k in 0..3 {
            let want: f64 = (0..32).map(|i| columns[k * 37 + 5 + i] * y[i]).sum();
            assert_eq!(products[k], want);
        }
        for i in 0..32 {
            let at = |k: usize| columns[k * 37 + 5 + i];
            assert_eq!(left[i], y[i] - at(0) + 2.0 * at(1) - 3.0 * at(2));
        }
        let table: Vec<[f64; LANES]> = (0..10).map(|i| [f64::from(i); LANES]).collect();
        let mut sums = [[0.0; LANES]; 2];
        sum_rows(&table, 2, &[0, 3, 4], &mut sums);
        assert_eq!((sums[0][7], sums[1][0]), (0.0 + 6.0 + 8.0, 1.0 + 7.0 + 9.0));
        assert_eq!(squares(&[3.0, 4.0]), 25.0);
    }
}
