//! Where a grid is on the ground, for scale bar, north arrow and header.

use geographiclib_rs::{Geodesic, InverseGeodesic};

use crate::error::Result;
use crate::grid::transform::Transform;
use crate::grid::{Crs, Grid};
use crate::project::summary::{GridFacts, Outline};

/// The facts of a grid; what needs a place on Earth is left open where there is none.
pub(super) fn facts(grid: &Grid, outlines: Vec<Outline>) -> Result<GridFacts> {
    let crs = grid.crs().map_or_else(|| "unknown CRS".to_owned(), ToString::to_string);
    let affine = grid.affine()?;
    let g = affine.coefficients();
    let (width, height) = (g[1].hypot(g[4]), g[2].hypot(g[5]));
    let unit = match grid.crs() {
        Some(c) if c.is_geographic() => "°",
        Some(c) if c.metres_per_unit != 1.0 => " units",
        _ => " m",
    };
    let square = (width / height - 1.0).abs() < 1e-9;
    let pixel = if square { format!("{width}{unit}") } else { format!("{width} × {height}{unit}") };
    let plain = GridFacts {
        pixel,
        cols: grid.cols,
        rows: grid.rows,
        crs,
        pixel_m: width,
        pixel_aspect: height / width,
        north_deg: 0.0,
        centre_lon_lat: None,
        outlines,
    };
    let to_degrees = grid.crs().and_then(|c| Transform::new(c, &Crs::from_epsg(4326).ok()?).ok());
    let (Some(transform), Some(crs)) = (to_degrees, grid.crs()) else { return Ok(plain) };
    let back = Transform::new(&Crs::from_epsg(4326)?, crs)?;
    let (c, r) = (grid.cols as f64 / 2.0, grid.rows as f64 / 2.0);
    let at = |c: f64, r: f64| {
        let (x, y) = affine.forward(c, r);
        transform.point(x, y)
    };
    let (centre, east, south) = (at(c, r)?, at(c + 1.0, r)?, at(c, r + 1.0)?);
    let earth = Geodesic::wgs84();
    let metres = |a: (f64, f64), b: (f64, f64)| -> f64 { earth.inverse(a.1, a.0, b.1, b.0) };
    let (width, height) = (metres(centre, east), metres(centre, south));
    // A ten-thousandth of a degree north, in pixels: which way is up?
    let (x, y) = back.point(centre.0, centre.1 + 1e-4)?;
    let (nc, nr) = affine.inverse(x, y);
    let north = (nc - c).atan2(-(nr - r)).to_degrees();
    let round = |v: f64, n: f64| (v * n).round() / n;
    Ok(GridFacts {
        pixel_m: round(width, 1e4),
        pixel_aspect: round(height / width, 1e6),
        north_deg: round(north, 1e3),
        centre_lon_lat: Some((round(centre.0, 1e6), round(centre.1, 1e6))),
        ..plain
    })
}
