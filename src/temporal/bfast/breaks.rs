//! Where the last regime of a history begins: optimal breakpoints (Bai & Perron 2003).
//!
//! The sums of squares of all segments come from recursive residuals, one pass for each first observation (the sum of the
//! first `j` squares is the residual sum of squares of the first `j` observations). Dynamic programming then finds the best
//! partition for each number of breaks, and the information criterion
//! `n (ln(SSR/n) + 1 + ln 2π) + ln n · (q + 1)(m + 1)` the number `m` of breaks.

use super::design::Design;
use super::history::{ROUNDING, Series};
use super::rotation::{LANES, Turn, WideTriangle, unrolled};

/// Shortest segment, as a share of the history.
const SHORTEST: f64 = 0.15;

/// Memory of the search.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    triangle: WideTriangle,
    turns: Vec<Turn<[f64; LANES]>>,
    rotated: Vec<[f64; LANES]>,
    row: Vec<[f64; LANES]>,
    /// Sum of squares of the segment from observation `i` up to, not including, `j`, at `i * (n + 1) + j`.
    segments: Vec<f64>,
    /// Least sum of squares up to each end, for the present number of breaks and for one less.
    cost: Vec<f64>,
    fewer: Vec<f64>,
}

impl Search {
    /// First observation after the last break of the history, 0 where the criterion finds no break. None where the shortest
    /// segment is not longer than the number of coefficients.
    pub(super) fn last_regime(&mut self, design: &Design, series: &Series) -> Option<usize> {
        let (q, n) = (design.q, series.in_history);
        let shortest = (SHORTEST * n as f64).floor() as usize;
        if shortest <= q {
            return None;
        }
        self.sum_segments(design, series, shortest);
        let stride = n + 1;
        let segment = |from: usize, to: usize| self.segments[from * stride + to];
        self.fewer.clear();
        self.fewer.extend((0..=n).map(|end| if end < shortest { f64::INFINITY } else { segment(0, end) }));
        let count = n as f64;
        let criterion = |breaks: usize, squares: f64| {
            count * (libm::log(squares / count) + 1.0 + libm::log(std::f64::consts::TAU))
                + libm::log(count) * ((q + 1) * (breaks + 1)) as f64
        };
        // A history that the model fits to rounding has no break to be found.
        let floor = ROUNDING * ROUNDING * series.level * series.level * count;
        let inexact = self.fewer[n] > floor;
        if !inexact {
            return Some(0);
        }
        let (mut best, mut start) = (criterion(0, self.fewer[n]), 0);
        for breaks in 1..n.div_ceil(shortest).saturating_sub(1) {
            self.cost.clear();
            self.cost.resize(n + 1, f64::INFINITY);
            for end in (breaks + 1) * shortest..=n {
                // The last segment of the whole is all that is asked for, so no path is kept.
                let (mut least, mut from) = (f64::INFINITY, 0);
                for cut in breaks * shortest..=end - shortest {
                    let total = self.fewer[cut] + segment(cut, end);
                    if total < least {
                        (least, from) = (total, cut);
                    }
                }
                self.cost[end] = least;
                if end == n {
                    let value = criterion(breaks, least.max(floor));
                    if value < best {
                        (best, start) = (value, from);
                    }
                }
            }
            std::mem::swap(&mut self.cost, &mut self.fewer);
        }
        Some(start)
    }

    /// Fills the sums of squares of all segments that may be needed, several first observations side by side.
    fn sum_segments(&mut self, design: &Design, series: &Series, shortest: usize) {
        let (q, n) = (design.q, series.in_history);
        self.segments.clear();
        self.segments.resize((n + 1) * (n + 1), 0.0);
        self.turns.resize(q, Turn::default());
        self.row.resize(q, [0.0; LANES]);
        for first in (0..=n - shortest).step_by(LANES) {
            self.triangle.reset(q);
            self.rotated.clear();
            self.rotated.resize(q, [0.0; LANES]);
            segments_from(self, design, series, first);
        }
    }
}

/// Sums of squares of the segments from observation `first` and from each of the next, one a lane.
#[pulp::with_simd(segments_from = pulp::Arch::new())]
#[inline(always)]
fn segments_from_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    search: &'a mut Search,
    design: &'a Design,
    series: &'a Series,
    first: usize,
) {
    unrolled!(design.q, add_rows(search, design, series, first));
}

#[inline(always)]
fn add_rows(q: usize, search: &mut Search, design: &Design, series: &Series, first: usize) {
    let Search { triangle, turns, rotated, row: wide, segments, .. } = search;
    let (n, rotated, turns) = (series.in_history, &mut rotated[..q], &mut turns[..q]);
    let stride = n + 1;
    let mut sums = [0.0; LANES];
    for at in first..n {
        let row = series.valid[at] as usize;
        let basis = &design.basis_row(row)[..q];
        for k in 0..q {
            wide[k] = [basis[k]; LANES];
        }
        // A lane whose segment begins later gives this row no weight.
        let begun = std::array::from_fn(|lane| if first + lane <= at { 1.0 } else { 0.0 });
        let weight = triangle.add(q, wide, turns, begun);
        let mut y = [series.filled[row]; LANES];
        for k in 0..q {
            turns[k].apply(&mut rotated[k], &mut y);
        }
        for lane in 0..LANES {
            // The rows that fill the triangle are fitted exactly.
            let counts = at >= first + lane + q;
            sums[lane] += if counts { weight[lane] * y[lane] * y[lane] } else { 0.0 };
        }
        for (lane, &sum) in sums.iter().enumerate().take(n - first) {
            segments[(first + lane) * stride + at + 1] = sum;
        }
    }
}
