//! Exact places of target positions on a source grid, and how far the source reaches on the target.

use super::lattice::Extent;
use crate::error::Result;
use crate::grid::{Crs, Grid, Transform, Window};

/// Points along an edge at which the outline of a source is looked at: a curve between them stays within the margin.
const POINTS: usize = 21;
/// Pixels added to the part of the target that a source reaches, besides a fiftieth of its size.
const MARGIN: f64 = 4.0;

/// From target to source and back.
pub(super) struct Exact<'a> {
    source: &'a Grid,
    target: &'a Grid,
    there: Transform,
    back: Transform,
    /// Middle longitudes of the grids, where geographic: longitudes are counted towards them.
    middle: (Option<f64>, Option<f64>),
}

impl<'a> Exact<'a> {
    /// # Errors
    /// Where a grid has no place, or no transform between the reference systems is known.
    pub(super) fn new(source: &'a Grid, target: &'a Grid) -> Result<Self> {
        let middle = |grid: &Grid| -> Result<Option<f64>> {
            let b = grid.bounds()?;
            Ok(grid.crs().is_some_and(Crs::is_geographic).then_some((b[0] + b[2]) / 2.0))
        };
        let middle = (middle(source)?, middle(target)?);
        let (there, back) = if Crs::same(source.crs(), target.crs()) {
            let any = Crs::local();
            (Transform::new(&any, &any)?, Transform::new(&any, &any)?)
        } else {
            let (from, to) = (source.known_crs()?, target.known_crs()?);
            (Transform::new(to, from)?, Transform::new(from, to)?)
        };
        Ok(Self { source, target, there, back, middle })
    }

    /// Place on the source of a position on the target, both in pixels.
    pub(super) fn place(&self, col: f64, row: f64) -> Option<(f64, f64)> {
        moved(self.target, self.source, &self.there, self.middle.0, col, row)
    }

    /// Position on the target of a place on the source.
    fn position(&self, col: f64, row: f64) -> Option<(f64, f64)> {
        moved(self.source, self.target, &self.back, self.middle.1, col, row)
    }

    /// How the datums are tied, where they differ.
    pub(super) fn note(&self) -> Option<String> {
        self.there.accuracy_note().map(str::to_owned)
    }

    /// True where places lie on the source.
    pub(super) fn meets(&self, extent: Extent) -> bool {
        let e = extent.0;
        e[0] <= self.source.cols as f64 && e[1] <= self.source.rows as f64 && e[2] >= 0.0 && e[3] >= 0.0
    }

    /// The part of the target the source can reach; all of it where that cannot be told.
    pub(super) fn reach(&self) -> Window {
        let last = (POINTS - 1) as f64;
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for i in 0..POINTS * POINTS {
            let (u, v) = ((i % POINTS) as f64 / last, (i / POINTS) as f64 / last);
            let Some(p) = self.position(u * self.source.cols as f64, v * self.source.rows as f64) else {
                return self.target.window();
            };
            (low, high) = ([low[0].min(p.0), low[1].min(p.1)], [high[0].max(p.0), high[1].max(p.1)]);
        }
        let span = |i: usize, size: usize| {
            let margin = MARGIN + (high[i] - low[i]) / 50.0;
            let edge = |v: f64| v.clamp(0.0, size as f64) as i64;
            (edge((low[i] - margin).floor()), edge((high[i] + margin).ceil()))
        };
        let (c, r) = (span(0, self.target.cols), span(1, self.target.rows));
        Window::new(c.0, r.0, (c.1 - c.0) as usize, (r.1 - r.0) as usize)
    }

    /// Source pixels per target pixel along columns and rows of the source, in the middle of the source or as near to it as
    /// there is a place.
    pub(super) fn resolution(&self) -> (f64, f64) {
        let (w, h) = (self.source.cols as f64, self.source.rows as f64);
        let spots = [(0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
        let at = |(u, v): (f64, f64)| {
            let (c, r) = self.position(u * w, v * h)?;
            let step = |dc: f64, dr: f64| {
                let (a, b) = (self.place(c - dc, r - dr)?, self.place(c + dc, r + dr)?);
                Some((b.0 - a.0, b.1 - a.1))
            };
            let (x, y) = (step(0.5, 0.0)?, step(0.0, 0.5)?);
            // Rounding of the places must not turn a ratio of 3 into one of 2.9999999999.
            let clean = |v: f64| if (v - v.round()).abs() < 1e-6 { v.round() } else { v };
            Some((clean(x.0.hypot(y.0)), clean(x.1.hypot(y.1))))
        };
        spots.into_iter().find_map(at).unwrap_or((1.0, 1.0))
    }
}

fn moved(from: &Grid, to: &Grid, how: &Transform, middle: Option<f64>, col: f64, row: f64) -> Option<(f64, f64)> {
    let (x, y) = from.place()?.forward(col, row);
    let (mut x, y) = how.point(x, y).ok()?;
    if let Some(middle) = middle.filter(|_| !how.is_identity()) {
        x += 360.0 * ((middle - x) / 360.0).round();
    }
    let (c, r) = to.place()?.inverse(x, y);
    (c.is_finite() && r.is_finite()).then_some((c, r))
}
