//! Where the pixels of a target grid lie on a source grid.
//!
//! Transforming every pixel would cost more than resampling it, so the target is cut into squares, and in each the place is
//! a polynomial of second degree through nine exact points. Four points between them are compared with the exact transform;
//! a square that is off is cut in four, down to single pixels. Squares are fixed on the target grid, so a place never
//! depends on what is read together.

use super::exact::Exact;
use crate::error::Result;
use crate::grid::{Grid, Window};

/// Edge of the largest square, in target pixels.
const EDGE: usize = 256;
/// Largest distance, in source pixels, between the polynomial and the exact place at the points that are compared.
const TOLERANCE: f64 = 0.002;

/// Places of the target pixels that the source can reach.
#[derive(Debug)]
pub(super) struct Lattice {
    /// Part of the target cut into squares.
    area: Window,
    across: usize,
    squares: Vec<Square>,
    /// Source pixels per target pixel, along columns and rows of the source.
    pub(super) ratio: (f64, f64),
    /// How the datums are tied, where they differ.
    pub(super) note: Option<String>,
}

#[derive(Debug)]
enum Square {
    /// Not in the source, or without a place in its reference system.
    Void,
    Leaf(Box<Leaf>),
    Split(Vec<Self>),
}

/// A rectangle of target pixels with one polynomial a coordinate.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its pixels.
    pub(super) window: Window,
    /// Coefficients of `u^i v^j` at `3 j + i`, with u and v running from 0 to 1 over the rectangle.
    col: [f64; 9],
    row: [f64; 9],
}

/// Bounds of places: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent(pub(super) [f64; 4]);

/// Places along one row of a leaf: `p[0] + t (p[1] + t p[2])`, with t the column counted from the leaf's left edge.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) col: [f64; 3],
    pub(super) row: [f64; 3],
}

impl Lattice {
    /// # Errors
    /// Where a grid has no place, or no transform between the reference systems is known.
    pub(super) fn new(source: &Grid, target: &Grid) -> Result<Self> {
        let exact = Exact::new(source, target)?;
        let area = exact.reach();
        let (across, down) = (area.cols.div_ceil(EDGE), area.rows.div_ceil(EDGE));
        let mut squares = Vec::with_capacity(across * down);
        for i in 0..across * down {
            let (c, r) = (i % across * EDGE, i / across * EDGE);
            let (cols, rows) = (EDGE.min(area.cols - c), EDGE.min(area.rows - r));
            squares.push(square(&exact, Window::new(area.col + c as i64, area.row + r as i64, cols, rows)));
        }
        Ok(Self { area, across, squares, ratio: exact.resolution(), note: exact.note() })
    }

    /// Calls `visit` with every leaf that meets `window`, and the common part.
    pub(super) fn each<'a>(&'a self, window: Window, visit: &mut dyn FnMut(&'a Leaf, Window)) {
        let Some(part) = window.intersect(&self.area) else { return };
        let index = |at: i64, from: i64| (at - from) as usize / EDGE;
        for r in index(part.row, self.area.row)..=index(part.row_end() - 1, self.area.row) {
            for c in index(part.col, self.area.col)..=index(part.col_end() - 1, self.area.col) {
                self.squares[r * self.across + c].each(part, visit);
            }
        }
    }

    /// Bounds of the places of the pixels of `window`, corners included; none where all are without a place in the source.
    pub(super) fn extent(&self, window: Window) -> Option<Extent> {
        let mut all: Option<Extent> = None;
        self.each(window, &mut |leaf, part| {
            let own = leaf.extent(part);
            all = Some(all.map_or(own, |e| e.hull(own)));
        });
        all
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        (self.squares.iter().map(Square::leaves).sum::<usize>() * (size_of::<Leaf>() + size_of::<Square>())) as u64
    }
}

impl Square {
    fn each<'a>(&'a self, window: Window, visit: &mut dyn FnMut(&'a Leaf, Window)) {
        match self {
            Self::Void => {}
            Self::Leaf(leaf) => {
                if let Some(part) = leaf.window.intersect(&window) {
                    visit(leaf, part);
                }
            }
            Self::Split(parts) => parts.iter().for_each(|p| p.each(window, visit)),
        }
    }

    fn leaves(&self) -> usize {
        match self {
            Self::Void => 0,
            Self::Leaf(_) => 1,
            Self::Split(parts) => parts.iter().map(Self::leaves).sum(),
        }
    }
}

/// The places of a rectangle, cut as often as needed.
fn square(exact: &Exact<'_>, window: Window) -> Square {
    if let Some(leaf) = Leaf::fit(exact, window) {
        return if exact.meets(leaf.extent(window)) { Square::Leaf(Box::new(leaf)) } else { Square::Void };
    }
    if window.cells() == 1 {
        // Its corners may have no place (the edge of a projection): the centre decides.
        let centre = exact.place(window.col as f64 + 0.5, window.row as f64 + 0.5);
        return centre.map_or(Square::Void, |(col, row)| Square::Leaf(Box::new(Leaf::constant(window, col, row))));
    }
    let (c, r) = (window.cols.div_ceil(2), window.rows.div_ceil(2));
    let mut parts = Vec::with_capacity(4);
    for (row, rows) in [(0, r), (r, window.rows - r)] {
        for (col, cols) in [(0, c), (c, window.cols - c)] {
            if rows > 0 && cols > 0 {
                parts.push(square(exact, Window::new(window.col + col as i64, window.row + row as i64, cols, rows)));
            }
        }
    }
    if parts.iter().all(|p| matches!(p, Square::Void)) { Square::Void } else { Square::Split(parts) }
}

impl Leaf {
    /// The polynomials through nine exact places; none where one is missing or those between are off.
    fn fit(exact: &Exact<'_>, window: Window) -> Option<Self> {
        let at = |u: f64, v: f64| {
            exact.place(window.col as f64 + u * window.cols as f64, window.row as f64 + v * window.rows as f64)
        };
        let (mut col, mut row) = ([0.0; 9], [0.0; 9]);
        for j in 0..3 {
            for i in 0..3 {
                (col[3 * j + i], row[3 * j + i]) = at(i as f64 / 2.0, j as f64 / 2.0)?;
            }
        }
        let leaf = Self { window, col: coefficients(col), row: coefficients(row) };
        for (u, v) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let (c, r) = at(u, v)?;
            if (value(&leaf.col, u, v) - c).hypot(value(&leaf.row, u, v) - r) > TOLERANCE {
                return None;
            }
        }
        Some(leaf)
    }

    fn constant(window: Window, col: f64, row: f64) -> Self {
        let only = |v: f64| [v, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        Self { window, col: only(col), row: only(row) }
    }

    /// Bounds of the places of `part`, its edges included.
    fn extent(&self, part: Window) -> Extent {
        let (w, h) = (self.window.cols as f64, self.window.rows as f64);
        let (u0, u1) = ((part.col - self.window.col) as f64 / w, (part.col_end() - self.window.col) as f64 / w);
        let (v0, v1) = ((part.row - self.window.row) as f64 / h, (part.row_end() - self.window.row) as f64 / h);
        let range = |p: &[f64; 9]| {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (u, v) in [(u0, v0), (u1, v0), (u0, v1), (u1, v1)] {
                let x = value(p, u, v);
                (low, high) = (low.min(x), high.max(x));
            }
            // A polynomial of second degree leaves the range of its ends by at most a quarter of its last coefficient.
            let bulge = [2, 5, 6, 7, 8].iter().map(|i| p[*i].abs()).sum::<f64>() / 4.0 + 1e-6;
            (low - bulge, high + bulge)
        };
        let (c, r) = (range(&self.col), range(&self.row));
        Extent([c.0, r.0, c.1, r.1])
    }

    /// Places along the row `row` of the target (its centre at `row + 0.5`).
    pub(super) fn line(&self, row: f64) -> Line {
        let v = (row - self.window.row as f64) / self.window.rows as f64;
        let w = self.window.cols as f64;
        let along = |p: &[f64; 9]| {
            let q = |i: usize| p[i] + v * (p[3 + i] + v * p[6 + i]);
            [q(0), q(1) / w, q(2) / (w * w)]
        };
        Line { col: along(&self.col), row: along(&self.row) }
    }
}

impl Extent {
    fn hull(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])
    }
}

/// From values at 0, 1/2 and 1 in both directions to coefficients.
fn coefficients(f: [f64; 9]) -> [f64; 9] {
    // Differences from the first value are small and exact enough; the value itself is added to the constant alone.
    let base = f[0];
    let one = |a: f64, m: f64, b: f64| [a, 4.0 * m - 3.0 * a - b, 2.0 * (a + b) - 4.0 * m];
    let mut rows = [[0.0; 3]; 3];
    for (j, line) in rows.iter_mut().enumerate() {
        *line = one(f[3 * j] - base, f[3 * j + 1] - base, f[3 * j + 2] - base);
    }
    let mut all = [0.0; 9];
    for i in 0..3 {
        let column = one(rows[0][i], rows[1][i], rows[2][i]);
        (0..3).for_each(|j| all[3 * j + i] = column[j]);
    }
    all[0] += base;
    all
}

fn value(p: &[f64; 9], u: f64, v: f64) -> f64 {
    let q = |i: usize| p[i] + v * (p[3 + i] + v * p[6 + i]);
    q(0) + u * (q(1) + u * q(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs};

    fn grid(epsg: u16, x: f64, y: f64, size: f64, edge: usize) -> Grid {
        Grid::new(edge, edge, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(epsg).unwrap()))
    }

    /// Largest distance from the exact place over pixels of every leaf.
    fn worst(source: &Grid, target: &Grid) -> (f64, usize) {
        let exact = Exact::new(source, target).unwrap();
        let lattice = Lattice::new(source, target).unwrap();
        let (mut worst, mut leaves) = (0.0f64, 0);
        lattice.each(target.window(), &mut |leaf, part| {
            leaves += 1;
            for r in (0..part.rows).step_by(7) {
                let row = (part.row + r as i64) as f64 + 0.5;
                let line = leaf.line(row);
                for c in (0..part.cols).step_by(7) {
                    let t = c as f64 + 0.5;
                    let x = line.col[0] + t * (line.col[1] + t * line.col[2]);
                    let y = line.row[0] + t * (line.row[1] + t * line.row[2]);
                    if let Some((ex, ey)) = exact.place(part.col as f64 + t, row) {
                        worst = worst.max((x - ex).hypot(y - ey));
                    }
                }
            }
        });
        (worst, leaves)
    }

    #[test]
    fn places_are_within_a_two_hundredth_of_a_pixel() {
        for (source, target) in [
            (grid(32634, 600_000.0, 5_000_000.0, 10.0, 1000), grid(3035, 5_270_000.0, 2_540_000.0, 10.0, 3000)),
            (grid(32634, 600_000.0, 5_000_000.0, 10.0, 1000), grid(32635, 120_000.0, 5_020_000.0, 10.0, 3000)),
            // Pixels of 2 km over Europe, and degrees from far to the north.
            (grid(4326, -20.0, 72.0, 0.02, 4000), grid(3035, 2_000_000.0, 5_500_000.0, 2000.0, 2000)),
        ] {
            let (worst, leaves) = worst(&source, &target);
            assert!(leaves > 0 && worst < 0.005, "{worst} in {leaves} leaves");
        }
    }

    #[test]
    fn one_system_is_exact() {
        let (source, target) = (grid(32634, 0.0, 10_000.0, 10.0, 1000), grid(32634, 5.0, 9995.0, 30.0, 300));
        let (worst, _) = worst(&source, &target);
        assert!(worst < 1e-10, "{worst}");
        assert_eq!(Lattice::new(&source, &target).unwrap().ratio, (3.0, 3.0));
    }

    #[test]
    fn parts_lie_in_their_extent() {
        let (source, target) =
            (grid(32634, 600_000.0, 5_000_000.0, 10.0, 1000), grid(3035, 5_270_000.0, 2_540_000.0, 10.0, 3000));
        let lattice = Lattice::new(&source, &target).unwrap();
        let whole = lattice.extent(target.window()).unwrap().0;
        assert!(whole[0] < 0.0 && whole[1] < 0.0 && whole[2] > 1000.0 && whole[3] > 1000.0, "{whole:?}");
        assert!(lattice.extent(Window::new(0, 0, 1, 1)).is_none());
        assert!(lattice.extent(Window::new(-10, -10, 5, 5)).is_none());
    }
}
