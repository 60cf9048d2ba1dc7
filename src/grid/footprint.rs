//! Where a raster lies in another reference system.

use super::{Crs, Grid, Transform};
use crate::error::{Error, Result};

/// Points along each edge of the raster that are looked at, as many as gdalwarp takes.
const POINTS: usize = 21;

/// Bounds `[xmin, ymin, xmax, ymax]` of a grid in `crs`, by its edges and by points inside, where a pole may lie.
///
/// # Errors
/// Where the grid has no place, no transform is known, or no point of it has a position in `crs`.
pub fn footprint(grid: &Grid, crs: &Crs) -> Result<[f64; 4]> {
    if Crs::same(grid.crs(), Some(crs)) {
        return grid.bounds();
    }
    let affine = grid.affine()?;
    let transform = Transform::new(grid.known_crs()?, crs)?;
    let last = (POINTS - 1) as f64;
    let mut b = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for i in 0..POINTS * POINTS {
        let (u, v) = ((i % POINTS) as f64 / last, (i / POINTS) as f64 / last);
        let (x, y) = affine.forward(u * grid.cols as f64, v * grid.rows as f64);
        if let Ok((x, y)) = transform.point(x, y) {
            b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
        }
    }
    if b[0] > b[2] {
        return Err(Error::input(format!("no point of the raster has a position in {crs}; choose another system")));
    }
    Ok(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Affine;

    #[test]
    fn a_zone_seen_from_its_neighbour_leans() {
        let crs = |n| Crs::from_epsg(n).unwrap();
        let grid = Grid::new(1000, 1000, Affine::north_up(6e5, 5e6, 10.0, 10.0), Some(crs(32634)));
        assert_eq!(footprint(&grid, &crs(32634)).unwrap(), grid.bounds().unwrap());
        let b = footprint(&grid, &crs(32635)).unwrap();
        // 4.7 degrees from the central meridian at 45 north: turned by about 3.3 degrees, so that the box is wider.
        assert!(b[2] - b[0] > 10_500.0 && b[2] - b[0] < 10_900.0, "{b:?}");
    }
}
