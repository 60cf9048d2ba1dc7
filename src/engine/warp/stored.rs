//! Classes and other values that must not be mixed: the nearest one, or the one that covers most of a pixel.

use super::kernel::{Bench, LEAST, Taps};
use super::lattice::Lattice;
use super::places::{Frame, Places};
use crate::engine::decode::Sample;
use crate::grid::Window;
use crate::raster::{Raw, Samples};
use crate::with_samples;

/// What is read of a source: stored samples of a window, and which of them are invalid.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) raw: &'a Raw,
    pub(super) window: Window,
    pub(super) nodata: Option<f64>,
    /// Pixels of the whole source, columns and rows.
    pub(super) size: (usize, usize),
}

/// Fills `out`, which holds nodata and a mask of invalid cells, where there is a value for a cell of `window`.
pub(super) fn resample(
    mode: bool,
    lattice: &Lattice,
    stored: Stored<'_>,
    window: Window,
    bench: &mut Bench,
    out: &mut Samples,
    mask: &mut [u8],
) {
    macro_rules! same {
        ($($variant:ident)*) => {
            match (&stored.raw.samples, out) {
                $((Samples::$variant(from), Samples::$variant(to)) => {
                    fill(mode, lattice, stored, from, window, bench, to, mask);
                })*
                // The caller made `out` of the band's type.
                _ => {}
            }
        };
    }
    same!(U8 I8 U16 I16 U32 I32 U64 I64 F32 F64);
}

fn fill<T: Sample>(
    mode: bool,
    lattice: &Lattice,
    stored: Stored<'_>,
    from: &[T],
    window: Window,
    bench: &mut Bench,
    to: &mut [T],
    mask: &mut [u8],
) {
    let held = stored.window;
    let nodata = stored.nodata.and_then(T::named);
    let mask_of = stored.raw.mask.as_deref();
    let value = |at: usize| {
        let v = *from.get(at)?;
        let valid = Some(v) != nodata && !v.wide().is_nan() && mask_of.is_none_or(|m| m[at] != 0);
        valid.then_some(v)
    };
    let size = (stored.size.0 as f64, stored.size.1 as f64);
    let frame = Frame { size, origin: (held.col, held.row), shift: 0.0 };
    let mut votes = Vec::new();
    lattice.each(window, &mut |leaf, part| {
        for row in part.row..part.row_end() {
            let at = (row - window.row) as usize * window.cols + (part.col - window.col) as usize;
            let cells = to[at..at + part.cols].iter_mut().zip(&mut mask[at..at + part.cols]);
            if mode {
                Places::corners(leaf, part, row, &mut bench.corners);
                for ((d, m), b) in cells.zip(&bench.corners.0) {
                    bench.x.overlap(b[0], b[2], (held.col, held.cols));
                    bench.y.overlap(b[1], b[3], (held.row, held.rows));
                    if let Some(v) = most(value, held.cols, &bench.x, &bench.y, &mut votes) {
                        (*d, *m) = (v, 1);
                    }
                }
            } else {
                bench.places.centres(leaf, part, row, frame);
                for (k, (d, m)) in cells.enumerate() {
                    // Outside is negative, so it is beyond the last as well.
                    let (c, r) = (bench.places.col[k] as usize, bench.places.row[k] as usize);
                    if c >= held.cols || r >= held.rows {
                        continue;
                    }
                    if let Some(v) = value(r * held.cols + c) {
                        (*d, *m) = (v, 1);
                    }
                }
            }
        }
    });
}

/// The value with most weight in a box, of equal ones the one that had it first in row order, as in gdalwarp; none where
/// valid pixels have less than half of the weight.
pub(super) fn most<T: Copy + PartialEq>(
    value: impl Fn(usize) -> Option<T>,
    cols: usize,
    x: &Taps,
    y: &Taps,
    votes: &mut Vec<(T, f64)>,
) -> Option<T> {
    votes.clear();
    let (mut valid, mut best, mut won) = (0.0, None, 0.0);
    for (j, wy) in y.weights.iter().enumerate() {
        for (i, wx) in x.weights.iter().enumerate() {
            let Some(v) = value((y.first + j) * cols + x.first + i) else { continue };
            let w = wx * wy;
            valid += w;
            let sum = match votes.iter_mut().find(|(known, _)| *known == v) {
                Some((_, sum)) => {
                    *sum += w;
                    *sum
                }
                None => {
                    votes.push((v, w));
                    w
                }
            };
            if sum > won {
                (won, best) = (sum, Some(v));
            }
        }
    }
    best.filter(|_| valid >= LEAST * x.all * y.all)
}

/// Makes `out` hold `cells` cells of nodata, all masked.
pub(super) fn blank(out: &mut Raw, dtype: crate::raster::Dtype, nodata: Option<f64>, cells: usize) {
    out.samples.reset(dtype, cells);
    if let Some(nodata) = nodata {
        with_samples!(&mut out.samples, v => { if let Some(n) = Sample::named(nodata) { v.fill(n); } });
    }
    let mask = out.mask.get_or_insert_default();
    mask.clear();
    mask.resize(cells, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_covers_most_wins_and_the_first_of_two() {
        let v = [5u8, 5, 3, 7, 7, 3];
        let (mut x, mut y, mut votes) = (Taps::default(), Taps::default(), Vec::new());
        let mut of = |c0: f64, c1: f64, r0: f64, r1: f64, nodata: u8| {
            x.overlap(c0, c1, (0, 3));
            y.overlap(r0, r1, (0, 2));
            most(|at| v.get(at).copied().filter(|v| *v != nodata), 3, &x, &y, &mut votes)
        };
        // Two of each: 5 has two before 7 and 3 have.
        assert_eq!(of(0.0, 3.0, 0.0, 2.0, 0), Some(5));
        assert_eq!(of(0.0, 2.0, 0.0, 1.5, 0), Some(5));
        assert_eq!(of(0.0, 2.0, 0.0, 1.5, 5), None);
        assert_eq!(of(0.0, 2.0, 0.0, 2.0, 5), Some(7));
        assert_eq!(of(1.0, 3.0, 0.0, 2.0, 5), Some(3));
    }
}
