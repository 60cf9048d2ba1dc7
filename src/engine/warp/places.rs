//! Places of a run of target pixels, computed together: which source cell each falls in, and how far into it.

use super::lattice::{Leaf, Line};
use crate::grid::Window;

/// GDAL's allowance for places that rounding puts just before the pixel edge they lie on.
pub(super) const NUDGE: f64 = 1e-10;
/// Cell of a pixel whose centre lies outside the source.
pub(super) const OUTSIDE: i32 = i32::MIN;

/// Places of the pixels of one row of a leaf. Kept by a reader and filled again.
#[derive(Default)]
pub(super) struct Places {
    /// Cell (column, row) relative to the window that is held; [`OUTSIDE`] in the column where there is none.
    pub(super) col: Vec<i32>,
    pub(super) row: Vec<i32>,
    /// Position in the cell, 0 to 1.
    pub(super) dx: Vec<f64>,
    pub(super) dy: Vec<f64>,
}

/// What places are counted against.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Pixels of the source, columns and rows.
    pub(super) size: (f64, f64),
    /// Corner of the window that is held, on the source.
    pub(super) origin: (i64, i64),
    /// Subtracted from places: half a pixel where cells lie between pixel centres.
    pub(super) shift: f64,
}

impl Places {
    /// The places of the centres of `part`'s row `row` (counted on the target) in `leaf`.
    pub(super) fn centres(&mut self, leaf: &Leaf, part: Window, row: i64, frame: Frame) {
        let n = part.cols;
        self.col.resize(n, 0);
        self.row.resize(n, 0);
        self.dx.resize(n, 0.0);
        self.dy.resize(n, 0.0);
        let first = (part.col - leaf.window.col) as f64 + 0.5;
        let line = leaf.line(row as f64 + 0.5);
        centres(line, first, frame, (&mut self.col[..n], &mut self.row[..n]), (&mut self.dx[..n], &mut self.dy[..n]));
    }

    /// The places of the upper-left and lower-right corners of the same pixels: left and right edges in `dx`'s and `dy`'s
    /// stead, see [`Corners`].
    pub(super) fn corners(leaf: &Leaf, part: Window, row: i64, out: &mut Corners) {
        let first = (part.col - leaf.window.col) as f64;
        out.0.resize(part.cols, [0.0; 4]);
        corners((leaf.line(row as f64), leaf.line(row as f64 + 1.0)), first, &mut out.0[..part.cols]);
    }
}

/// Boxes that pixels cover in the source, as gdalwarp has them: spanned by the places of two opposite corners.
#[derive(Default)]
pub(super) struct Corners(pub(super) Vec<[f64; 4]>);

#[pulp::with_simd(centres = pulp::Arch::new())]
#[inline(always)]
fn centres_with_simd<'a, S: pulp::Simd>(
    _simd: S,
    line: Line,
    first: f64,
    frame: Frame,
    (cols, rows): (&'a mut [i32], &'a mut [i32]),
    (dx, dy): (&'a mut [f64], &'a mut [f64]),
) {
    let (c, r) = (line.col, line.row);
    let (w, h) = frame.size;
    let (left, top) = (frame.origin.0 as f64, frame.origin.1 as f64);
    for (k, (((col, row), dx), dy)) in cols.iter_mut().zip(rows).zip(dx).zip(dy).enumerate() {
        let t = first + k as i32 as f64;
        let x = c[0] + t * (c[1] + t * c[2]);
        let y = r[0] + t * (r[1] + t * r[2]);
        let inside = (x >= 0.0) & (x <= w) & (y >= 0.0) & (y <= h);
        let (x, y) = (x - frame.shift, y - frame.shift);
        let (i, j) = ((x + NUDGE).floor(), (y + NUDGE).floor());
        (*dx, *dy) = (x - i, y - j);
        *col = if inside { (i - left) as i32 } else { OUTSIDE };
        *row = if inside { (j - top) as i32 } else { OUTSIDE };
    }
}

#[pulp::with_simd(corners = pulp::Arch::new())]
#[inline(always)]
fn corners_with_simd<S: pulp::Simd>(_simd: S, (upper, lower): (Line, Line), first: f64, out: &mut [[f64; 4]]) {
    for (k, b) in out.iter_mut().enumerate() {
        let t = first + k as i32 as f64;
        let at = |p: &[f64; 3], t: f64| p[0] + t * (p[1] + t * p[2]);
        let (x0, y0) = (at(&upper.col, t), at(&upper.row, t));
        let (x1, y1) = (at(&lower.col, t + 1.0), at(&lower.row, t + 1.0));
        *b = [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)];
    }
}
