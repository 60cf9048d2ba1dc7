//! Comparisons of all pairs of a series, counted sixteen at a time.
//!
//! n (n − 1) / 2 comparisons without a branch are faster than O(n log n) sorting for the few hundred dates a pixel has.
//! Counts are whole numbers, so that they do not depend on the width of the processor's registers.

/// Values compared at once.
pub(super) const LANES: usize = 16;

/// 1 where lane k is later than the place i within its own block.
const LATER: [[u32; LANES]; LANES] = {
    let mut table = [[0; LANES]; LANES];
    let mut i = 0;
    while i < LANES {
        let mut k = i + 1;
        while k < LANES {
            table[i][k] = 1;
            k += 1;
        }
        i += 1;
    }
    table
};

/// A float type that is compared. f32 is twice as fast and takes values that come from f32 rasters without loss.
pub(super) trait Level: Copy + PartialOrd {
    /// Neither above nor below anything.
    const NONE: Self;
}
impl Level for f32 {
    const NONE: Self = Self::NAN;
}
impl Level for f64 {
    const NONE: Self = Self::NAN;
}

/// Fills `levels` up to a whole number of lanes.
pub(super) fn pad<T: Copy>(levels: &mut Vec<T>, with: T) {
    levels.resize(levels.len().next_multiple_of(LANES), with);
}

/// The values as f32 in `narrow`, padded; false where that would lose a digit.
pub(super) fn narrowed(values: &[f64], narrow: &mut Vec<f32>) -> bool {
    narrow.clear();
    narrow.extend(values.iter().map(|&v| v as f32));
    let exact = values.iter().zip(&*narrow).fold(true, |all, (&v, &f)| all & (f64::from(f).to_bits() == v.to_bits()));
    pad(narrow, f32::NONE);
    exact
}

/// Pairs of a later and an earlier value by the sign of their difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    /// Pairs whose later value is the greater one.
    pub(super) rises: u64,
    /// Pairs whose later value is the lesser one.
    pub(super) falls: u64,
}

/// Pairs of padded levels (padding [`Level::NONE`]) by the sign of their difference.
#[pulp::with_simd(signs = pulp::Arch::new())]
#[inline(always)]
pub(super) fn signs_with_simd<S: pulp::Simd, T: Level>(_simd: S, levels: &[T]) -> Signs {
    let mut total = Signs { rises: 0, falls: 0 };
    for (block, lanes) in levels.as_chunks::<LANES>().0.iter().enumerate() {
        let (mut rises, mut falls) = ([0_u32; LANES], [0_u32; LANES]);
        for &earlier in &levels[..block * LANES] {
            for k in 0..LANES {
                rises[k] += u32::from(lanes[k] > earlier);
                falls[k] += u32::from(lanes[k] < earlier);
            }
        }
        for (earlier, later) in lanes.iter().zip(&LATER) {
            for k in 0..LANES {
                rises[k] += later[k] & u32::from(lanes[k] > *earlier);
                falls[k] += later[k] & u32::from(lanes[k] < *earlier);
            }
        }
        total.rises += rises.iter().map(|&c| u64::from(c)).sum::<u64>();
        total.falls += falls.iter().map(|&c| u64::from(c)).sum::<u64>();
    }
    total
}

/// Pairs whose later level is below the threshold of the earlier one. Levels are padded with infinity.
#[pulp::with_simd(below = pulp::Arch::new())]
#[inline(always)]
pub(super) fn below_with_simd<'a, S: pulp::Simd>(_simd: S, levels: &'a [f32], thresholds: &'a [f32]) -> u64 {
    let mut total = 0;
    for (block, lanes) in levels.as_chunks::<LANES>().0.iter().enumerate() {
        let mut count = [0_u32; LANES];
        let (earlier, own) = thresholds.split_at((block * LANES).min(thresholds.len()));
        for &threshold in earlier {
            for k in 0..LANES {
                count[k] += u32::from(lanes[k] < threshold);
            }
        }
        for (threshold, later) in own.iter().zip(&LATER) {
            for k in 0..LANES {
                count[k] += later[k] & u32::from(lanes[k] < *threshold);
            }
        }
        total += count.iter().map(|&c| u64::from(c)).sum::<u64>();
    }
    total
}

/// Levels of a series and what a later level has to stay under or over.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    /// Levels, padded with infinity.
    pub(super) levels: &'a [f32],
    /// Threshold of each level as the earlier one of a pair.
    pub(super) thresholds: &'a [f32],
}

/// Lists the pairs (i, j) that are neither below the lower bound nor above the upper one.
#[pulp::with_simd(between = pulp::Arch::new())]
#[inline(always)]
pub(super) fn between_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    lower: Bound<'a>,
    upper: Bound<'a>,
    found: &'a mut Vec<(u32, u32)>,
) {
    let n = lower.thresholds.len().min(upper.thresholds.len());
    let blocks = lower.levels.as_chunks::<LANES>().0.iter().zip(upper.levels.as_chunks::<LANES>().0);
    for (block, (low, high)) in blocks.enumerate() {
        let first = block * LANES;
        for (i, (&floor, &ceiling)) in lower.thresholds.iter().zip(upper.thresholds).enumerate().take(first + LANES) {
            let later = LATER.get(i.wrapping_sub(first)).unwrap_or(&[1; LANES]);
            let mut hits = [0; LANES];
            for k in 0..LANES {
                hits[k] = later[k] & u32::from(!((low[k] < floor) | (high[k] > ceiling)));
            }
            if hits.iter().fold(0, |any, hit| any | hit) != 0 {
                let mut bits = (0..LANES).fold(0, |bits, k| bits | hits[k] << k);
                while bits != 0 {
                    let j = first + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    if j < n {
                        found.push((i as u32, j as u32));
                    }
                }
            }
        }
    }
}

/// Residuals x − b t as levels, and the thresholds below them by `doubt`. The slices are of one length.
#[pulp::with_simd(residuals = pulp::Arch::new())]
#[inline(always)]
pub(super) fn residuals_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    (times, values): (&'a [f64], &'a [f64]),
    (slope, doubt): (f64, f32),
    levels: &'a mut [f32],
    thresholds: &'a mut [f32],
) {
    let out = levels.iter_mut().zip(thresholds);
    for ((t, x), (level, threshold)) in times.iter().zip(values).zip(out) {
        *level = (x - slope * t) as f32;
        *threshold = *level - doubt;
    }
}

/// Sums over pairs of dates of the signs that several series have there, added up over the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summed {
    /// Sum of the summed signs.
    pub(super) signs: i64,
    /// Sum of their squares.
    pub(super) squares: i64,
}

/// Sums the signs of series of `dates` values, each padded to `by_date.len()` with any value; NaN has no sign. Adds to each
/// date the signs of its value against all others.
#[pulp::with_simd(summed = pulp::Arch::new())]
#[inline(always)]
pub(super) fn summed_with_simd<'a, S: pulp::Simd, T: Level>(
    _simd: S,
    series: &'a [T],
    dates: usize,
    by_date: &'a mut [i32],
) -> Summed {
    let mut all = Summed::default();
    let stride = by_date.len();
    for j in 1..dates {
        let (mut row, mut squares) = ([0_i32; LANES], [0_i32; LANES]);
        for (block, of_dates) in by_date.as_chunks_mut::<LANES>().0.iter_mut().enumerate().take(j.div_ceil(LANES)) {
            let first = block * LANES;
            let mut signs = [0_i32; LANES];
            for one in series.chunks_exact(stride) {
                let later = one[j];
                let (earlier, _) = one[first..].split_at(LANES);
                for k in 0..LANES {
                    signs[k] += i32::from(later > earlier[k]) - i32::from(later < earlier[k]);
                }
            }
            if let Some(after) = LATER.get(j.wrapping_sub(first + 1)) {
                for k in 0..LANES {
                    signs[k] *= 1 - after[k].cast_signed();
                }
            }
            for k in 0..LANES {
                row[k] += signs[k];
                squares[k] += signs[k] * signs[k];
                of_dates[k] -= signs[k];
            }
        }
        let sum: i32 = row.iter().sum();
        by_date[j] += sum;
        all.signs += i64::from(sum);
        all.squares += squares.iter().map(|&s| i64::from(s)).sum::<i64>();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize) -> Vec<f64> {
        (0..n).map(|i| f64::from((i * i * 7 + i * 3) as u32 % 23)).collect()
    }

    #[test]
    fn counts_equal_those_of_two_loops() {
        for n in 0..70 {
            let x = series(n);
            let mut want = Signs { rises: 0, falls: 0 };
            for j in 0..n {
                for i in 0..j {
                    want.rises += u64::from(x[j] > x[i]);
                    want.falls += u64::from(x[j] < x[i]);
                }
            }
            let (mut narrow, mut wide) = (Vec::new(), x.clone());
            assert!(narrowed(&x, &mut narrow));
            pad(&mut wide, f64::NONE);
            assert_eq!(signs(&narrow), want, "{n}");
            assert_eq!(signs(&wide), want, "{n}");
            let mut levels: Vec<f32> = x.iter().map(|&v| v as f32).collect();
            let thresholds = levels.clone();
            pad(&mut levels, f32::INFINITY);
            assert_eq!(below(&levels, &thresholds), want.falls, "{n}");
            // Between "not below" and "not above": the ties.
            let mut found = Vec::new();
            let bound = Bound { levels: &levels, thresholds: &thresholds };
            between(bound, bound, &mut found);
            assert_eq!(found.len() as u64, (n * n.saturating_sub(1) / 2) as u64 - want.rises - want.falls, "{n}");
        }
    }

    #[test]
    fn values_that_f32_does_not_hold_are_told() {
        let mut narrow = Vec::new();
        assert!(narrowed(&[0.5, -3.0, 1e10], &mut narrow));
        assert!(!narrowed(&[0.5, 0.1], &mut narrow));
        assert!(!narrowed(&[1e300], &mut narrow));
    }
}
