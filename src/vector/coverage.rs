//! Exact fractions of pixels covered by polygons.
//!
//! An outline is a set of directed edges in pixel coordinates (column right, row down). Every piece of an edge inside one
//! pixel adds its height times the part of the pixel to its right; sums along a row then give, per pixel, the area of the
//! intersection of pixel and polygon (the signed-area method of font rasterisers, here in f64).

use super::runs::Coverage;
use crate::grid::Window;

/// A directed edge. Regions to the right of an edge that runs down are inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

impl Edge {
    /// Column where the edge is at height `y`.
    pub(super) fn x_at(&self, y: f64) -> f64 {
        if y == self.y0 {
            return self.x0;
        }
        if y == self.y1 {
            return self.x1;
        }
        self.x0 + (y - self.y0) * ((self.x1 - self.x0) / (self.y1 - self.y0))
    }
}

/// Rows of pixels that share one list of edges.
const BAND: f64 = 64.0;

/// The edges of a zone, by bands of rows so that a tile visits only those it needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Outline {
    edges: Vec<Edge>,
    /// First row band.
    first: i64,
    /// Start of each band in `members`, one more at the end.
    starts: Vec<u32>,
    members: Vec<u32>,
    /// `[left, top, right, bottom]` in pixels; inverted where there are no edges.
    pub(super) bounds: [f64; 4],
}

impl Outline {
    /// Indexes edges; horizontal ones bound nothing and are left out.
    pub(super) fn new(edges: impl IntoIterator<Item = Edge>) -> Self {
        let edges: Vec<Edge> = edges.into_iter().filter(|e| e.y0 != e.y1).collect();
        let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for e in &edges {
            bounds[0] = bounds[0].min(e.x0.min(e.x1));
            bounds[1] = bounds[1].min(e.y0.min(e.y1));
            bounds[2] = bounds[2].max(e.x0.max(e.x1));
            bounds[3] = bounds[3].max(e.y0.max(e.y1));
        }
        if edges.is_empty() {
            return Self { bounds, ..Self::default() };
        }
        let band = |y: f64| (y / BAND).floor() as i64;
        let first = band(bounds[1]);
        let count = (band(bounds[3]) - first + 1) as usize;
        let span = |e: &Edge| {
            let (top, bottom) = (e.y0.min(e.y1), e.y0.max(e.y1));
            ((band(top) - first) as usize)..=((band(bottom) - first) as usize)
        };
        let mut starts = vec![0u32; count + 1];
        for e in &edges {
            span(e).for_each(|b| starts[b + 1] += 1);
        }
        for b in 0..count {
            starts[b + 1] += starts[b];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; starts[count] as usize];
        for (i, e) in edges.iter().enumerate() {
            for b in span(e) {
                members[next[b] as usize] = i as u32;
                next[b] += 1;
            }
        }
        Self { edges, first, starts, members, bounds }
    }

    /// Edges whose rows meet `top..bottom`, each with the part of that range its band answers for.
    fn near(&self, top: f64, bottom: f64) -> impl Iterator<Item = (&Edge, f64, f64)> {
        let bands = self.starts.len().saturating_sub(1) as i64;
        let from = ((top / BAND).floor() as i64 - self.first).clamp(0, bands);
        let to = ((bottom / BAND).ceil() as i64 - self.first).clamp(0, bands);
        (from..to).flat_map(move |b| {
            let y = (self.first + b) as f64 * BAND;
            let members = &self.members[self.starts[b as usize] as usize..self.starts[b as usize + 1] as usize];
            members.iter().map(move |&i| (&self.edges[i as usize], top.max(y), bottom.min(y + BAND)))
        })
    }

    /// Number of edges right of a point, for the even-odd rule.
    pub(super) fn edges_right_of(&self, x: f64, y: f64, skip: &Edge) -> usize {
        self.near(y, y.next_up())
            .filter(|(e, ..)| {
                let (top, bottom) = (e.y0.min(e.y1), e.y0.max(e.y1));
                *e != skip && top <= y && y < bottom && e.x_at(y) > x
            })
            .count()
    }

    /// The part of the outline's box inside `window`, in whole pixels.
    pub(super) fn part(&self, window: Window) -> Option<Window> {
        self.pixels().and_then(|all| window.intersect(&all))
    }

    /// The outline's box in whole pixels; nothing without edges.
    pub(super) fn pixels(&self) -> Option<Window> {
        let b = &self.bounds;
        if b[0] > b[2] {
            return None;
        }
        // Saturating casts: a zone may reach far beyond any raster.
        let low = |v: f64| (v.floor() as i64).clamp(-(1 << 52), 1 << 52);
        let (col, row) = (low(b[0]), low(b[1]));
        let (end_col, end_row) = (low(b[2]) + 1, low(b[3]) + 1);
        Some(Window::new(col, row, (end_col - col) as usize, (end_row - row) as usize))
    }

    /// Adds the covered pixels of `part` to `out`, counted from the corner of `window`, which holds it.
    pub(super) fn runs(&self, part: Window, window: Window, sums: &mut RowSums, out: &mut Coverage) {
        let (left, right) = (part.col as f64, part.col_end() as f64);
        let col = (part.col - window.col) as usize;
        let mut row = part.row;
        while row < part.row_end() {
            // One band of rows at a time: its sums stay in the cache.
            let end = ((row.div_euclid(BAND as i64) + 1) * BAND as i64).min(part.row_end());
            let rows = (end - row) as usize;
            let top = row as f64;
            sums.reset(part.cols, rows);
            for (e, from, to) in self.near(top, end as f64) {
                if e.x0 < right || e.x1 < right {
                    let moved = Edge { x0: e.x0 - left, y0: e.y0 - top, x1: e.x1 - left, y1: e.y1 - top };
                    add_edge(&moved, from - top, to - top, sums);
                }
            }
            let first = (row - window.row) as usize;
            for r in 0..rows {
                sums.take_row(r, |from, end, fraction| out.push(first + r, col + from, col + end, fraction));
            }
            row = end;
        }
    }

    /// True for every pixel of `window` whose centre is inside, row by row.
    pub(super) fn centres(&self, window: Window, scratch: &mut Vec<f64>, mut inside: impl FnMut(usize)) {
        let (w, h) = (window.cols, window.rows);
        scratch.clear();
        scratch.resize((w + 1) * h, 0.0);
        for (e, from, to) in self.near(window.row as f64, window.row_end() as f64) {
            let (top, bottom) = (e.y0.min(e.y1).max(from), e.y0.max(e.y1).min(to));
            let direction = if e.y1 > e.y0 { 1.0 } else { -1.0 };
            // Rows whose centre lies in top..bottom, the lower end excluded so that a vertex counts once.
            let first = (top - 0.5).ceil() as i64;
            let end = (bottom - 0.5).ceil() as i64;
            for row in first.max(window.row)..end.min(window.row_end()) {
                let x = e.x_at(row as f64 + 0.5) - window.col as f64 - 0.5;
                if x <= w as f64 {
                    scratch[(row - window.row) as usize * (w + 1) + x.ceil().max(0.0) as usize] += direction;
                }
            }
        }
        for (r, row) in scratch.chunks_exact(w + 1).enumerate() {
            let mut winding = 0.0;
            for (c, d) in row[..w].iter().enumerate() {
                winding += d;
                if winding > 0.5 {
                    inside(r * w + c);
                }
            }
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        (self.edges.len() * size_of::<Edge>() + (self.members.len() + self.starts.len()) * 4) as u64
    }
}

/// Running differences of a band of rows, zero but where edges touch them: rows are summed from touched pixel to touched
/// pixel, whatever lies between.
#[derive(Debug, Default)]
pub(super) struct RowSums {
    /// Pixels of a row.
    cols: usize,
    /// One more a row than it has pixels: what lies right of the last one.
    steps: Vec<f64>,
    /// A bit a step, so many words a row.
    touched: Vec<u64>,
    words: usize,
}

impl RowSums {
    fn reset(&mut self, cols: usize, rows: usize) {
        // All steps are zero again after their row was taken.
        (self.cols, self.words) = (cols, (cols + 1).div_ceil(64));
        self.steps.resize(self.steps.len().max((cols + 1) * rows), 0.0);
        self.touched.resize(self.touched.len().max(self.words * rows), 0);
    }

    fn row(&mut self, row: usize) -> RowSum<'_> {
        RowSum {
            steps: &mut self.steps[row * (self.cols + 1)..][..=self.cols],
            touched: &mut self.touched[row * self.words..][..self.words],
        }
    }

    /// Calls `f(from, end, fraction)` for pieces of a row of one fraction each, from left to right, and clears the row.
    fn take_row(&mut self, row: usize, mut f: impl FnMut(usize, usize, f64)) {
        let cols = self.cols;
        let RowSum { steps, touched } = self.row(row);
        let (mut sum, mut from) = (0.0, 0);
        // Parts of one zone may overlap: covered is covered. Rounding must not leave slivers.
        let clean = |sum: f64| match sum {
            s if s > 1.0 - 1e-12 => 1.0,
            s if s < 1e-12 => 0.0,
            s => s,
        };
        for (w, word) in touched.iter_mut().enumerate() {
            while *word != 0 {
                let col = w * 64 + word.trailing_zeros() as usize;
                *word &= *word - 1;
                f(from, col, clean(sum));
                sum += std::mem::take(&mut steps[col]);
                from = col;
            }
        }
        if from < cols {
            f(from, cols, clean(sum));
        }
    }
}

/// The steps of one row.
struct RowSum<'a> {
    steps: &'a mut [f64],
    touched: &'a mut [u64],
}

impl RowSum<'_> {
    fn add(&mut self, col: usize, step: f64) {
        self.steps[col] += step;
        self.touched[col / 64] |= 1 << (col % 64);
    }
}

/// Adds the part of an edge between rows `from` and `to`.
fn add_edge(e: &Edge, from: f64, to: f64, sums: &mut RowSums) {
    let top = e.y0.min(e.y1).max(from);
    let bottom = e.y0.max(e.y1).min(to);
    if top >= bottom {
        return;
    }
    let direction = if e.y1 > e.y0 { 1.0 } else { -1.0 };
    let mut y = top;
    let mut x = e.x_at(y);
    while y < bottom {
        let row = y.floor();
        let y_next = bottom.min(row + 1.0);
        let x_next = e.x_at(y_next);
        add_piece(x, x_next, direction * (y_next - y), &mut sums.row(row as usize));
        (x, y) = (x_next, y_next);
    }
}

/// Adds a piece of an edge that stays in one row, from column position `a` to `b`, of signed height `dy`.
fn add_piece(a: f64, b: f64, dy: f64, row: &mut RowSum<'_>) {
    let w = row.steps.len() - 1;
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    let limit = w as f64;
    if a >= limit {
        return;
    }
    if b <= 0.0 {
        row.add(0, dy);
        return;
    }
    let mut cell = |column: usize, x: f64, dy: f64| {
        // `x` is the mean position inside the column's pixel: the pixel gets what is right of it, all further ones the rest.
        let m = x - column as f64;
        row.add(column, dy * (1.0 - m));
        row.add(column + 1, dy * m);
    };
    let first = a.max(0.0).floor() as usize;
    if first < w && b <= first as f64 + 1.0 && a >= 0.0 {
        return cell(first, (a + b) / 2.0, dy);
    }
    let per_column = dy / (b - a);
    if a < 0.0 {
        cell(0, 0.0, -a * per_column);
    }
    let mut x = a.max(0.0);
    let end = b.min(limit);
    while x < end {
        let column = (x.floor() as usize).min(w - 1);
        let next = end.min(column as f64 + 1.0);
        cell(column, (x + next) / 2.0, (next - x) * per_column);
        x = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::runs::Covered;

    /// Edges of a ring given clockwise on the screen (row down).
    fn ring(points: &[(f64, f64)]) -> Vec<Edge> {
        (0..points.len())
            .map(|i| (points[(i + 1) % points.len()], points[i]))
            .map(|(p, q)| Edge { x0: p.0, y0: p.1, x1: q.0, y1: q.1 })
            .collect()
    }

    fn fractions(edges: Vec<Edge>, window: Window) -> Vec<f64> {
        let mut coverage = Coverage::new(window);
        Outline::new(edges).runs(window, window, &mut RowSums::default(), &mut coverage);
        let mut out = vec![0.0; window.cells()];
        for (row, col, covered) in coverage.close(0).into_iter().flatten() {
            let out = &mut out[row * window.cols + col..];
            match covered {
                Covered::Whole(n) => out[..n].fill(1.0),
                Covered::Partly(f) => out[..f.len()].copy_from_slice(f),
            }
        }
        out
    }

    #[test]
    fn triangle_covers_half_of_its_cells() {
        let out = fractions(ring(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)]), Window::new(0, 0, 3, 2));
        assert_eq!(out, [0.5, 1.0, 0.0, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn any_window_sees_the_same_fractions() {
        let e = ring(&[(-3.3, 1.2), (40.7, 0.4), (77.1, 130.9), (12.5, 101.25), (-8.0, 60.0)]);
        let whole = fractions(e.clone(), Window::new(-10, -5, 100, 150));
        for (c, r, w, h) in [(0, 0, 17, 64), (20, 63, 30, 2), (-10, -5, 1, 150), (60, 100, 30, 45)] {
            let part = fractions(e.clone(), Window::new(c, r, w, h));
            for (i, v) in part.iter().enumerate() {
                let at = (r + 5 + (i / w) as i64) * 100 + c + 10 + (i % w) as i64;
                assert!((v - whole[at as usize]).abs() < 1e-12, "window {c},{r} cell {i}");
            }
        }
        // Shoelace area of the polygon.
        let area: f64 = e.iter().map(|e| e.x1 * e.y0 - e.x0 * e.y1).sum::<f64>() / 2.0;
        assert!((whole.iter().sum::<f64>() / area - 1.0).abs() < 1e-12);
    }

    #[test]
    fn centres_follow_the_half_open_rule() {
        let o = Outline::new(ring(&[(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]));
        let mut hits = Vec::new();
        o.centres(Window::new(0, 0, 4, 4), &mut Vec::new(), |i| hits.push(i));
        // Centres on the left and upper edge are in, on the right and lower edge out: each belongs to one of two neighbours.
        assert_eq!(hits, [0, 1, 4, 5]);
    }
}
