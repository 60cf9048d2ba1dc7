//! Geodesic areas: of the cells of a grid, and of polygons.
//!
//! Every area is taken on the ellipsoid of the CRS itself (for Web Mercator: WGS 84), never from planar map units, which
//! are wrong by up to a factor of several away from the equator. National ellipsoids differ from WGS 84 by less than 1e-4
//! in the area of the same parcel. Local coordinates have no ellipsoid: their areas are planar.

use std::f64::consts::PI;

use geographiclib_rs::{Geodesic, PolygonArea, Winding};
use proj4rs::Proj;
use proj4rs::transform::transform;

use super::affine::Affine;
use super::crs::{Crs, CrsKind};
use super::transform::proj;
use super::{Grid, smooth};
use crate::error::{Error, Result};

/// Square metres in a hectare.
pub const M2_PER_HA: f64 = 10_000.0;

/// The ellipsoid of a CRS and the way from its coordinates to longitude and latitude on it.
struct Ellipsoid {
    /// Equatorial radius in metres.
    a: f64,
    /// Flattening.
    f: f64,
    /// Projection and the longitude and latitude it stands on; nothing for geographic systems.
    unproject: Option<(Proj, Proj)>,
}

impl Ellipsoid {
    fn of(crs: &Crs) -> Result<Self> {
        let p = proj(crs, false)?;
        let null_grid = crs.parameters().get("nadgrids").is_some_and(|g| g == "@null");
        // Web Mercator computes on a sphere but its positions are on WGS 84.
        let (a, b) = if null_grid { (6_378_137.0, 6_356_752.314_245_179) } else { p.ellipse_parameters() };
        let f = (a - b) / a;
        if crs.is_geographic() {
            return Ok(Self { a, f, unproject: None });
        }
        let twin = Proj::from_proj_string(&format!("+proj=longlat +a={a} +b={b}"))
            .map_err(|e| Error::bug(format!("ellipsoid of {crs}: {e}")))?;
        Ok(Self { a, f, unproject: Some((p, twin)) })
    }

    /// Longitude and latitude in radians.
    fn lon_lat(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let Some((from, to)) = &self.unproject else { return Some((x.to_radians(), y.to_radians())) };
        let mut p = (x, y, 0.0);
        transform(from, to, &mut p).ok()?;
        (p.0.is_finite() && p.1.is_finite()).then_some((p.0, p.1))
    }

    /// Position in space. Unlike longitude and latitude it is smooth at the poles and at 180 degrees.
    fn space(&self, x: f64, y: f64) -> Option<[f64; 3]> {
        let (lon, lat) = self.lon_lat(x, y)?;
        let e2 = self.f * (2.0 - self.f);
        let n = self.a / (1.0 - e2 * lat.sin() * lat.sin()).sqrt();
        Some([n * lat.cos() * lon.cos(), n * lat.cos() * lon.sin(), n * (1.0 - e2) * lat.sin()])
    }
}

/// Area of the cells of one grid in m².
///
/// Geographic grids: the strip integral `b² Δλ ∫ ds/(1−e²s²)²`, `s = sin φ`, by Gauss-Legendre quadrature, exact to 1e-13
/// at any cell size where the closed form loses digits. Projected and rotated grids: the areal density of the inverse
/// projection on the ellipsoid, expanded in Chebyshev polynomials over the grid (relative error below 1e-9). Cells without
/// a place on the ellipsoid have area 0.
///
/// # Cost
/// About n² evaluations of the inverse projection to build (n = 5 to 17), n operations a cell.
#[derive(Clone, Debug)]
pub struct CellAreas {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Constant(f64),
    Rows(Vec<f64>),
    Smooth(smooth::Patch),
}

impl CellAreas {
    /// Prepares the areas of `grid`.
    ///
    /// # Errors
    /// Where the grid has no usable geotransform, no known CRS, or one whose projection is not supported.
    pub fn new(grid: &Grid) -> Result<Self> {
        let affine = *grid.affine()?;
        let crs = grid.known_crs()?;
        if crs.kind == CrsKind::Local {
            return Ok(Self { kind: Kind::Constant(affine.determinant().abs()) });
        }
        let ellipsoid = Ellipsoid::of(crs)?;
        if crs.is_geographic() && affine.is_axis_aligned() {
            let rows = (0..grid.rows).map(|r| strip(&ellipsoid, &affine, r)).collect();
            return Ok(Self { kind: Kind::Rows(rows) });
        }
        let density = |col: f64, row: f64| density(&ellipsoid, crs, &affine, col, row);
        // Two Gauss points an axis make the mean over the cell exact to fourth order.
        let g = 0.5 / 3f64.sqrt();
        let cell = |col: f64, row: f64| -> Option<f64> {
            let mut sum = 0.0;
            for (dc, dr) in [(-g, -g), (g, -g), (-g, g), (g, g)] {
                sum += density(col + dc, row + dr)?;
            }
            Some(sum / 4.0)
        };
        Ok(Self { kind: Kind::Smooth(smooth::Patch::fit(grid.cols, grid.rows, &cell)) })
    }

    /// Areas in m² of the cells of row `row` from column `col` on.
    pub fn row(&self, row: i64, col: i64, out: &mut [f64]) {
        match &self.kind {
            Kind::Constant(a) => out.fill(*a),
            Kind::Rows(rows) => out.fill(usize::try_from(row).ok().and_then(|r| rows.get(r)).copied().unwrap_or(0.0)),
            Kind::Smooth(patch) => patch.row(row, col, out),
        }
    }

    /// Area in m² of one cell.
    #[must_use]
    pub fn cell(&self, row: i64, col: i64) -> f64 {
        let mut out = [0.0];
        self.row(row, col, &mut out);
        out[0]
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::Constant(_) => 8,
            Kind::Rows(rows) => rows.len() as u64 * 8,
            Kind::Smooth(patch) => patch.bytes(),
        }
    }
}

/// Nodes and weights of the 8-point Gauss-Legendre rule on −1..1, positive half.
const GAUSS8: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// Area of a cell in row `row` of a geographic grid.
fn strip(ellipsoid: &Ellipsoid, affine: &Affine, row: usize) -> f64 {
    let g = affine.coefficients();
    let lat = |r: f64| (g[3] + r * g[5]).clamp(-90.0, 90.0).to_radians();
    let (p1, p2) = (lat(row as f64), lat(row as f64 + 1.0));
    let e2 = ellipsoid.f * (2.0 - ellipsoid.f);
    let b = ellipsoid.a * (1.0 - ellipsoid.f);
    // sin φ2 − sin φ1 without cancellation.
    let half = ((p1 + p2) / 2.0).cos() * ((p2 - p1) / 2.0).sin();
    let mid = (p1.sin() + p2.sin()) / 2.0;
    let integrand = |s: f64| (1.0 - e2 * s * s).powi(-2);
    let sum: f64 = GAUSS8.iter().map(|(x, w)| w * (integrand(mid + half * x) + integrand(mid - half * x))).sum();
    // A raster wider than the globe repeats itself; its cells keep their width.
    b * b * g[1].abs().to_radians() * half.abs() * sum
}

/// Area on the ellipsoid per cell at a fractional cell position: the length of the cross product of the derivatives of
/// the position in space along columns and rows, by fourth-order central differences over about 8 km.
fn density(ellipsoid: &Ellipsoid, crs: &Crs, affine: &Affine, col: f64, row: f64) -> Option<f64> {
    let g = affine.coefficients();
    let metres = if crs.is_geographic() { ellipsoid.a * PI / 180.0 } else { crs.metres_per_unit };
    let step = |dx: f64, dy: f64| 8_000.0 / (dx.hypot(dy) * metres);
    let (hc, hr) = (step(g[1], g[4]), step(g[2], g[5]));
    let at = |c: f64, r: f64| {
        let (x, y) = affine.forward(c, r);
        ellipsoid.space(x, y)
    };
    let slope = |m2: [f64; 3], m1: [f64; 3], p1: [f64; 3], p2: [f64; 3], h: f64| -> [f64; 3] {
        std::array::from_fn(|i| ((m2[i] - p2[i]) + 8.0 * (p1[i] - m1[i])) / (12.0 * h))
    };
    let u = slope(at(col - 2.0 * hc, row)?, at(col - hc, row)?, at(col + hc, row)?, at(col + 2.0 * hc, row)?, hc);
    let v = slope(at(col, row - 2.0 * hr)?, at(col, row - hr)?, at(col, row + hr)?, at(col, row + 2.0 * hr)?, hr);
    let n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    let area = n.iter().map(|x| x * x).sum::<f64>().sqrt();
    area.is_finite().then_some(area)
}

/// Geodesic area and perimeter of polygons given in a CRS, after Karney (2013), Algorithms for geodesics.
pub struct PolygonMeasure {
    geodesic: Option<(Geodesic, Ellipsoid)>,
}

impl PolygonMeasure {
    /// For polygons in `crs`.
    ///
    /// # Errors
    /// Where its projection is not supported.
    pub fn new(crs: &Crs) -> Result<Self> {
        if crs.kind == CrsKind::Local {
            return Ok(Self { geodesic: None });
        }
        let e = Ellipsoid::of(crs)?;
        Ok(Self { geodesic: Some((Geodesic::new(e.a, e.f), e)) })
    }

    /// Area in m² and perimeter in m of a ring (closed or not), edges cut into pieces of at most `step` map units so that
    /// they stay straight on the map; infinite `step` makes every edge one geodesic.
    ///
    /// # Errors
    /// Input error where a point has no place on the ellipsoid.
    pub fn ring(&self, ring: &[(f64, f64)], step: f64) -> Result<(f64, f64)> {
        let open = match ring {
            [first, .., last] if first == last => &ring[..ring.len() - 1],
            all => all,
        };
        let edges = || (0..open.len()).map(|i| (open[i], open[(i + 1) % open.len()]));
        let Some((geodesic, ellipsoid)) = &self.geodesic else {
            let (x0, y0) = open.first().copied().unwrap_or_default();
            let twice: f64 = edges().map(|(p, q)| (p.0 - x0) * (q.1 - y0) - (q.0 - x0) * (p.1 - y0)).sum();
            return Ok((twice.abs() / 2.0, edges().map(|(p, q)| (q.0 - p.0).hypot(q.1 - p.1)).sum()));
        };
        let mut sum = PolygonArea::new(geodesic, Winding::CounterClockwise);
        for (p, q) in edges() {
            let pieces = ((q.0 - p.0).hypot(q.1 - p.1) / step).ceil().max(1.0);
            for i in 0..pieces as usize {
                let t = i as f64 / pieces;
                let (x, y) = (p.0 + t * (q.0 - p.0), p.1 + t * (q.1 - p.1));
                let (lon, lat) = ellipsoid
                    .lon_lat(x, y)
                    .ok_or_else(|| Error::input(format!("area of a polygon: point ({x}, {y}) is off the map")))?;
                sum.add_point(lat.to_degrees(), lon.to_degrees());
            }
        }
        let (perimeter, area, _) = sum.compute(true);
        Ok((area.abs(), perimeter))
    }

    /// Area in m² (holes subtracted) and perimeter in m (holes added) of a polygon: outer ring first, then holes.
    ///
    /// # Errors
    /// As [`PolygonMeasure::ring`].
    pub fn polygon(&self, rings: &[Vec<(f64, f64)>], step: f64) -> Result<(f64, f64)> {
        let mut total = (0.0, 0.0);
        for (i, ring) in rings.iter().enumerate() {
            let (area, perimeter) = self.ring(ring, step)?;
            total.0 += if i == 0 { area } else { -area };
            total.1 += perimeter;
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(epsg: u16, x: f64, y: f64, size: f64, n: usize) -> Grid {
        Grid::new(n, n, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(epsg).unwrap()))
    }

    /// Relative difference between a cell and the geodesic polygon around it, edges cut finely enough that
    /// geodesic pieces and straight map lines enclose the same.
    fn against_karney(g: &Grid, row: i64, col: i64) -> f64 {
        let a = g.affine().unwrap();
        let (r, c) = (row as f64, col as f64);
        let ring: Vec<_> =
            [(c, r), (c + 1.0, r), (c + 1.0, r + 1.0), (c, r + 1.0)].iter().map(|p| a.forward(p.0, p.1)).collect();
        let step = a.coefficients()[1].abs() / 256.0;
        let exact = PolygonMeasure::new(g.crs().unwrap()).unwrap().ring(&ring, step).unwrap().0;
        CellAreas::new(g).unwrap().cell(row, col) / exact - 1.0
    }

    #[test]
    fn cells_of_every_projection_equal_geodesic_polygons() {
        for g in [
            grid(32634, 199_980.0, 5_000_040.0, 1000.0, 110),
            grid(32623, 580_000.0, -2_200_000.0, 500.0, 200),
            grid(3857, 1_000_000.0, 6_000_000.0, 1000.0, 300),
            grid(3035, 2_500_000.0, 5_500_000.0, 10_000.0, 400),
            grid(2056, 2_480_000.0, 1_300_000.0, 1000.0, 300),
            grid(28992, 0.0, 620_000.0, 1000.0, 280),
            grid(5514, -900_000.0, -930_000.0, 1000.0, 300),
            grid(3413, -1_000_000.0, 1_000_000.0, 5000.0, 400),
            grid(2263, 900_000.0, 300_000.0, 3000.0, 100),
            grid(5070, -2_000_000.0, 3_000_000.0, 10_000.0, 300),
        ] {
            let n = g.cols as i64;
            for (row, col) in [(0, 0), (n - 1, n - 1), (n / 3, n / 2), (n / 2, 1)] {
                let d = against_karney(&g, row, col);
                assert!(d.abs() < 1e-9, "{} row {row} col {col}: {d:e}", g.crs().unwrap());
            }
        }
    }

    #[test]
    fn equal_area_cells_are_equal() {
        let a = CellAreas::new(&grid(3035, 4_000_000.0, 3_500_000.0, 10.0, 5000)).unwrap();
        let mut row = vec![0.0; 5000];
        a.row(2500, 0, &mut row);
        assert!(row.iter().all(|v| (v / 100.0 - 1.0).abs() < 1e-9), "{:?}", &row[..3]);
    }

    #[test]
    fn rows_of_the_globe_add_up_to_the_ellipsoid() {
        let g = Grid::new(360, 180, Affine::north_up(-180.0, 90.0, 1.0, 1.0), Some(Crs::from_epsg(4326).unwrap()));
        let a = CellAreas::new(&g).unwrap();
        let sum: f64 = (0..180).map(|r| a.cell(r, 0) * 360.0).sum();
        // Area of the WGS 84 ellipsoid, GeographicLib.
        assert!((sum / 510_065_621_724_088.4 - 1.0).abs() < 1e-13, "{sum}");
    }

    #[test]
    fn rotated_geographic_cells_match_axis_aligned_ones() {
        let crs = || Some(Crs::from_epsg(4326).unwrap());
        let straight = CellAreas::new(&Grid::new(4, 4, Affine::north_up(20.0, 45.0, 0.01, 0.01), crs())).unwrap();
        let turned = Affine::from_gdal([20.0, 0.0, 0.01, 45.0, -0.01, 0.0]);
        let turned = CellAreas::new(&Grid::new(4, 4, turned, crs())).unwrap();
        assert!((turned.cell(0, 2) / straight.cell(2, 0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn local_areas_are_planar() {
        let g = Grid::new(3, 3, Affine::north_up(0.0, 0.0, 2.0, 5.0), Some(Crs::local()));
        assert_eq!(CellAreas::new(&g).unwrap().cell(1, 1), 10.0);
        let ring = [(0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (0.0, 3.0), (0.0, 0.0)];
        assert_eq!(PolygonMeasure::new(&Crs::local()).unwrap().ring(&ring, 1.0).unwrap(), (6.0, 10.0));
    }

    #[test]
    fn unknown_crs_asks_for_one() {
        let e = CellAreas::new(&Grid::new(3, 3, Affine::north_up(0.0, 0.0, 2.0, 5.0), None)).unwrap_err();
        assert!(e.message().contains("--assume-crs"));
    }
}
