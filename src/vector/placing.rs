//! From the polygons of a layer to edges in the pixel coordinates of a grid.

use super::coverage::{Edge, Outline};
use super::geometry::{Polygon, Ring, ring_area};
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid, Transform};

/// Largest distance in pixels between a straight edge of a zone and its image on the grid. A fiftieth of the accuracy of
/// any digitised outline, and far below what vertices alone give on outlines of ordinary detail.
const STRAIGHT: f64 = 0.01;
/// Halvings of one edge at most: 2^16 pieces.
const DEPTH: u32 = 16;

/// Puts polygons of one reference system on one grid.
pub(super) struct Placer<'a> {
    transform: Transform,
    from: &'a Crs,
    affine: Affine,
    /// Longitudes repeat: the grid is geographic.
    periodic: bool,
    /// `[left, top, right, bottom]` of the grid in pixels.
    extent: [f64; 4],
    /// Distance in pixels below which a coordinate on a pixel edge is rounding.
    rounding: f64,
}

/// What placing found out about a polygon besides its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// A ring crosses itself or another ring of its polygon.
    pub(super) crossing: bool,
    /// A ring jumps over 180 degrees of longitude.
    pub(super) unwrapped: bool,
}

impl<'a> Placer<'a> {
    /// # Errors
    /// Where the grid has no place, or no transform between the systems is known.
    pub(super) fn new(from: &'a Crs, grid: &Grid) -> Result<Self> {
        let affine = *grid.affine()?;
        let to = grid.known_crs().map_err(|e| e.context("the raster they are laid on"))?;
        let b = grid.bounds()?;
        let g = affine.coefficients();
        let pixel = g[1].hypot(g[4]).min(g[2].hypot(g[5]));
        let size = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        Ok(Self {
            transform: Transform::new(from, to)?,
            from,
            affine,
            periodic: to.is_geographic(),
            extent: [0.0, 0.0, grid.cols as f64, grid.rows as f64],
            rounding: (4.0 * f64::EPSILON * size / pixel).clamp(1e-12, 1e-6),
        })
    }

    pub(super) fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Edges of the polygon wherever it meets the grid, and its area in pixels.
    ///
    /// # Errors
    /// Where a point is out of range or has no position in the grid's system.
    pub(super) fn place(&self, polygon: &Polygon, edges: &mut Vec<Edge>) -> Result<(f64, Remarks)> {
        let mut remarks = Remarks::default();
        let mut rings: Vec<Ring> = Vec::with_capacity(polygon.rings.len());
        for ring in &polygon.rings {
            let ring = self.checked(ring, &mut remarks)?;
            let mut moved = self.moved(&ring)?;
            if self.periodic && !self.transform.is_identity() {
                unwrap(&mut moved);
            }
            rings.push(moved);
        }
        let turns: &[f64] = if self.periodic { &[0.0, -360.0, 360.0, -720.0, 720.0] } else { &[0.0] };
        let mut area = 0.0;
        for turn in turns {
            let placed: Vec<Ring> = rings.iter().map(|r| self.pixels(r, *turn)).collect();
            let outlines: Vec<&Ring> = placed.iter().filter(|r| r.len() > 3).collect();
            if *turn == 0.0 {
                let mut sizes = outlines.iter().map(|r| ring_area(r).abs());
                area = sizes.next().unwrap_or(0.0) - sizes.sum::<f64>();
            } else if !self.meets(&outlines) {
                continue;
            }
            let mut own = oriented(&outlines);
            if let Some(noded) = cut_at_crossings(&own) {
                remarks.crossing = true;
                own = even_odd(noded);
                // Of a self-crossing outline only the even-odd area means anything.
                if *turn == 0.0 {
                    area = own.iter().map(|e| (e.x0 + e.x1) * (e.y0 - e.y1)).sum::<f64>().abs() / 2.0;
                }
            }
            edges.extend(own);
        }
        Ok((area, remarks))
    }

    /// The ring without jumps in longitude, its coordinates in range.
    fn checked(&self, ring: &Ring, remarks: &mut Remarks) -> Result<Ring> {
        if !self.from.is_geographic() {
            return Ok(ring.clone());
        }
        if let Some(p) = ring.iter().find(|p| p.1.abs() > 90.0 || p.0.abs() > 360.0) {
            return Err(Error::input(format!(
                "point ({}, {}) is out of the range of longitude and latitude; are the axes swapped, or is the CRS another \
                 one than {}?",
                p.0, p.1, self.from
            )));
        }
        let mut ring = ring.clone();
        remarks.unwrapped |= unwrap(&mut ring);
        if ring.first().zip(ring.last()).is_some_and(|(a, b)| (a.0 - b.0).abs() > 180.0) {
            return Err(Error::input(
                "a ring runs around the globe; split it at 180 degrees of longitude, pole included".to_owned(),
            ));
        }
        Ok(ring)
    }

    /// The ring in the grid's system, with points added where straight edges become curves.
    fn moved(&self, ring: &Ring) -> Result<Ring> {
        if self.transform.is_identity() {
            return Ok(ring.clone());
        }
        let mut out = Vec::with_capacity(ring.len());
        for pair in ring.windows(2) {
            let (p, q) = (pair[0], pair[1]);
            let (a, b) = (self.transform.point(p.0, p.1)?, self.transform.point(q.0, q.1)?);
            out.push(a);
            self.refine((p, a), (q, b), DEPTH, &mut out)?;
        }
        if let Some(first) = out.first().copied() {
            out.push(first);
        }
        Ok(out)
    }

    fn refine(
        &self,
        (p, a): ((f64, f64), (f64, f64)),
        (q, b): ((f64, f64), (f64, f64)),
        depth: u32,
        out: &mut Ring,
    ) -> Result<()> {
        let along = |t: f64| (p.0 + t * (q.0 - p.0), p.1 + t * (q.1 - p.1));
        let off = |t: f64, m: (f64, f64)| {
            let (dx, dy) = (m.0 - (a.0 + t * (b.0 - a.0)), m.1 - (a.1 + t * (b.1 - a.1)));
            let g = self.affine.coefficients();
            let det = self.affine.determinant();
            ((dx * g[5] - dy * g[2]) / det).hypot((dy * g[1] - dx * g[4]) / det)
        };
        let middle = along(0.5);
        let m = self.transform.point(middle.0, middle.1)?;
        // A quarter point too: an S-shaped image crosses its chord in the middle.
        let quarter = along(0.25);
        let bent = off(0.5, m) > STRAIGHT || {
            let n = self.transform.point(quarter.0, quarter.1)?;
            off(0.25, n) > STRAIGHT
        };
        if bent && depth > 0 {
            self.refine((p, a), (middle, m), depth - 1, out)?;
            out.push(m);
            self.refine((middle, m), (q, b), depth - 1, out)?;
        }
        Ok(())
    }

    /// A ring in pixel coordinates; a coordinate within rounding of a pixel edge lies on it.
    fn pixels(&self, ring: &Ring, turn: f64) -> Ring {
        let on_edge = |v: f64| if (v - v.round()).abs() <= self.rounding { v.round() } else { v };
        ring.iter().map(|p| self.affine.inverse(p.0 + turn, p.1)).map(|p| (on_edge(p.0), on_edge(p.1))).collect()
    }

    fn meets(&self, rings: &[&Ring]) -> bool {
        let Some(outer) = rings.first() else { return false };
        let range = |f: fn(&(f64, f64)) -> f64| {
            outer.iter().map(f).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let (x, y) = (range(|p| p.0), range(|p| p.1));
        x.0 < self.extent[2] && x.1 > self.extent[0] && y.0 < self.extent[3] && y.1 > self.extent[1]
    }
}

/// Makes longitudes continuous where a ring jumps from one side of 180 degrees to the other. A step of exactly 360 is the
/// edge of a box around the world, not a jump.
fn unwrap(ring: &mut Ring) -> bool {
    let mut turn = 0.0;
    let mut found = false;
    let mut before = ring.first().map_or(0.0, |p| p.0);
    for p in ring.iter_mut() {
        let step = p.0 - before;
        before = p.0;
        if step.abs() > 180.0 && step.abs() < 360.0 {
            turn -= 360f64.copysign(step);
            found = true;
        }
        p.0 += turn;
    }
    found
}

/// Edges of an outer ring and its holes, turned so that the inside is on the right of edges that run down.
fn oriented(rings: &[&Ring]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (i, ring) in rings.iter().enumerate() {
        let backward = (ring_area(ring) > 0.0) == (i == 0);
        edges.extend(ring.windows(2).map(|w| {
            let (p, q) = if backward { (w[1], w[0]) } else { (w[0], w[1]) };
            Edge { x0: p.0, y0: p.1, x1: q.0, y1: q.1 }
        }));
    }
    edges
}

/// The edges cut where they cross; nothing where none do.
fn cut_at_crossings(edges: &[Edge]) -> Option<Vec<Edge>> {
    let mut order: Vec<usize> = (0..edges.len()).collect();
    let left = |i: usize| edges[i].x0.min(edges[i].x1);
    order.sort_by(|a, b| left(*a).total_cmp(&left(*b)));
    let mut cuts: Vec<(usize, f64, (f64, f64))> = Vec::new();
    // Edges are visited from left to right; only those that reach the current one can cross it.
    let mut open: Vec<usize> = Vec::new();
    for &i in &order {
        let e = &edges[i];
        open.retain(|&j| edges[j].x0.max(edges[j].x1) >= left(i));
        let (top, bottom) = (e.y0.min(e.y1), e.y0.max(e.y1));
        for &j in &open {
            let f = &edges[j];
            if f.y0.min(f.y1) <= bottom
                && f.y0.max(f.y1) >= top
                && let Some((t, u, at)) = crossing(e, f)
            {
                cuts.push((i, t, at));
                cuts.push((j, u, at));
            }
        }
        open.push(i);
    }
    if cuts.is_empty() {
        return None;
    }
    cuts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut out = Vec::with_capacity(edges.len() + cuts.len());
    let mut next = cuts.iter().peekable();
    for (i, e) in edges.iter().enumerate() {
        let mut at = (e.x0, e.y0);
        while let Some((_, _, p)) = next.next_if(|c| c.0 == i) {
            out.push(Edge { x0: at.0, y0: at.1, x1: p.0, y1: p.1 });
            at = *p;
        }
        out.push(Edge { x0: at.0, y0: at.1, x1: e.x1, y1: e.y1 });
    }
    Some(out)
}

/// Where the insides of two edges cross: positions along both, and the point. Touching is not crossing.
fn crossing(e: &Edge, f: &Edge) -> Option<(f64, f64, (f64, f64))> {
    let (ex, ey, fx, fy) = (e.x1 - e.x0, e.y1 - e.y0, f.x1 - f.x0, f.y1 - f.y0);
    let det = ex * fy - ey * fx;
    let (dx, dy) = (f.x0 - e.x0, f.y0 - e.y0);
    let (t, u) = ((dx * fy - dy * fx) / det, (dx * ey - dy * ex) / det);
    // Strictly inside by more than rounding; parallel edges give no number and fail.
    let inside = |v: f64| v > 1e-9 && v < 1.0 - 1e-9;
    (inside(t) && inside(u)).then_some((t, u, (e.x0 + t * ex, e.y0 + t * ey)))
}

/// Turns the edges of an arrangement so that what lies inside by the even-odd rule is right of edges that run down.
fn even_odd(edges: Vec<Edge>) -> Vec<Edge> {
    let outline = Outline::new(edges.iter().copied());
    edges
        .into_iter()
        .filter(|e| e.y0 != e.y1)
        .map(|e| {
            let y = (e.y0 + e.y1) / 2.0;
            let inside_right = outline.edges_right_of(e.x_at(y), y, &e) % 2 == 1;
            let down = e.y1 > e.y0;
            if down == inside_right { e } else { Edge { x0: e.x1, y0: e.y1, x1: e.x0, y1: e.y0 } }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(rings: Vec<Ring>, from: &str, grid: &Grid) -> Result<(f64, Remarks, usize)> {
        let crs = Crs::parse(from).unwrap();
        let mut edges = Vec::new();
        let (area, remarks) = Placer::new(&crs, grid)?.place(&Polygon { rings }, &mut edges)?;
        Ok((area, remarks, edges.len()))
    }

    fn grid(epsg: u16, x: f64, y: f64, size: f64) -> Grid {
        Grid::new(100, 100, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(epsg).unwrap()))
    }

    #[test]
    fn bow_tie_has_the_area_of_both_loops() {
        let g = grid(32634, 0.0, 100.0, 1.0);
        let tie = vec![(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0), (0.0, 0.0)];
        let (area, remarks, _) = place(vec![tie], "EPSG:32634", &g).unwrap();
        assert!(remarks.crossing && (area - 50.0).abs() < 1e-9, "{area}");
    }

    #[test]
    fn long_parallel_is_bent_into_the_projection() {
        // Two degrees of longitude along 60° north on a UTM grid of 10 m: the parallel sags by hundreds of metres.
        let g = grid(32634, 444_000.0, 6_655_000.0, 10.0);
        let ring = vec![(20.0, 60.0), (22.0, 60.0), (22.0, 60.1), (20.0, 60.1), (20.0, 60.0)];
        let (_, _, edges) = place(vec![ring], "EPSG:4326", &g).unwrap();
        assert!(edges > 100, "{edges}");
        let short = vec![(20.0, 60.0), (20.001, 60.0), (20.001, 60.001), (20.0, 60.0)];
        assert_eq!(place(vec![short], "EPSG:4326", &g).unwrap().2, 3);
    }

    #[test]
    fn crossing_of_180_degrees_takes_the_short_way() {
        let g = grid(4326, 179.5, 0.5, 0.01);
        let ring = vec![(179.9, 0.0), (-179.9, 0.0), (-179.9, 0.1), (179.9, 0.1), (179.9, 0.0)];
        let (area, remarks, _) = place(vec![ring], "EPSG:4326", &g).unwrap();
        assert!(remarks.unwrapped && (area - 200.0).abs() < 1e-6, "{area}");
    }

    #[test]
    fn swapped_axes_are_named() {
        let g = grid(4326, 146.0, -23.0, 0.01);
        let ring = vec![(-23.1, 146.9), (-23.0, 146.9), (-23.0, 147.0), (-23.1, 146.9)];
        assert!(place(vec![ring], "EPSG:4326", &g).unwrap_err().message().contains("swapped"));
    }
}
