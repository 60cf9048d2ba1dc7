//! Where the pixels are: tie points, pixel scale, transformation matrix and the raster type, as a [`Grid`].

use std::sync::Arc;

use super::geokeys::{self, GeoKeys};
use super::ifd::{Ifd, Tiff, tag};
use crate::error::Result;
use crate::grid::{Affine, Crs, Grid};
use crate::io::file::InputFile;

/// The grid that a GeoTIFF states, for pixels that are stored elsewhere.
///
/// # Errors
/// A file that is no TIFF, and damage to its directory.
pub(in crate::io) fn of_file(file: InputFile, cols: usize, rows: usize, warnings: &mut Vec<String>) -> Result<Grid> {
    let tiff = Tiff::open(Arc::new(file))?;
    let ifd = tiff.main()?;
    Ok(grid(&tiff, &ifd, cols, rows, warnings))
}

/// Values of a georeference tag that are read; more tie points are control points.
const MOST_VALUES: u64 = 6 * 100_000;

/// The grid of an image. Without a usable geotransform it keeps the reason; an unknown CRS is told in `warnings`.
pub(super) fn grid(tiff: &Tiff, ifd: &Ifd, cols: usize, rows: usize, warnings: &mut Vec<String>) -> Grid {
    let keys = geokeys::read(tiff, ifd).unwrap_or_else(|why| {
        warnings.push(format!("coordinate reference system unknown: {why}"));
        GeoKeys::default()
    });
    let crs = keys.crs().unwrap_or_else(|why| {
        warnings.push(format!("coordinate reference system unknown: {why}"));
        None
    });
    match transform(tiff, ifd, warnings) {
        Ok(g) => {
            let affine = if keys.pixel_is_point() { centre_to_corner(g) } else { g };
            let grid = Grid::new(cols, rows, Affine::from_gdal(affine), crs);
            check_degrees(&grid, warnings);
            if let Some(why) = grid.unplaced_reason() {
                warnings.push(format!("no usable map position: {why}"));
            }
            grid
        }
        Err(why) => Grid::unplaced(cols, rows, why, crs),
    }
}

/// Point rasters tie the centre of a pixel; GDAL's order counts from its outer corner.
fn centre_to_corner(g: [f64; 6]) -> [f64; 6] {
    [g[0] - 0.5 * (g[1] + g[2]), g[1], g[2], g[3] - 0.5 * (g[4] + g[5]), g[4], g[5]]
}

fn check_degrees(grid: &Grid, warnings: &mut Vec<String>) {
    if !grid.crs().is_some_and(Crs::is_geographic) {
        return;
    }
    if let Ok([west, south, east, north]) = grid.bounds() {
        // Half a degree of grace: global grids often reach half a pixel over the pole.
        if south < -90.5 || north > 90.5 {
            warnings.push(format!("latitudes reach from {south} to {north}, beyond the poles; check the CRS"));
        }
        if west < -540.0 || east > 540.0 {
            warnings.push(format!("longitudes reach from {west} to {east}; check the CRS"));
        }
    }
}

/// The geotransform as the tags give it, before the pixel-is-point shift.
fn transform(tiff: &Tiff, ifd: &Ifd, warnings: &mut Vec<String>) -> Result<[f64; 6], String> {
    let values = |t: u16| match ifd.get(t) {
        None => Ok(None),
        Some(e) => tiff.floats(e, MOST_VALUES).map(Some).map_err(|e| e.message().to_owned()),
    };
    let (scale, ties, matrix) = (values(tag::PIXEL_SCALE)?, values(tag::TIE_POINTS)?, values(tag::TRANSFORMATION)?);
    let matrix = match matrix {
        Some(m) if m.len() == 16 => Some([m[3], m[0], m[1], m[7], m[4], m[5]]),
        Some(m) => return Err(format!("the transformation matrix has {} values, expected 16", m.len())),
        None => None,
    };
    let scaled = scaled(scale.as_deref(), ties.as_deref());
    match (scaled, matrix) {
        (Some(Ok(s)), Some(m)) => {
            let size = s[1].hypot(s[4]).max(s[2].hypot(s[5]));
            if s.iter().zip(&m).any(|(a, b)| (a - b).abs() > 1e-6 * size || b.is_nan()) {
                warnings.push("pixel scale and transformation matrix disagree; the pixel scale is used".into());
            }
            Ok(s)
        }
        (_, Some(m)) => Ok(m),
        (Some(s), None) => s,
        (None, None) => Err("the file holds no georeference".into()),
    }
}

fn scaled(scale: Option<&[f64]>, ties: Option<&[f64]>) -> Option<Result<[f64; 6], String>> {
    let many = |n: usize| {
        format!("it is given by {n} control points, which are not supported; warp the raster first (gdalwarp)")
    };
    Some(match (scale, ties) {
        (None, None) => return None,
        (None, Some(t)) if t.len() > 6 => Err(many(t.len() / 6)),
        (None, Some(_)) => Err("there is a tie point but no pixel scale".into()),
        (Some(_), None) => Err("there is a pixel scale but no tie point".into()),
        (Some(_), Some(t)) if t.len() < 6 => Err(format!("the tie point has {} values, expected 6", t.len())),
        (Some(s), Some(_)) if s.len() < 2 => Err(format!("the pixel scale has {} values, expected 3", s.len())),
        // A negative vertical scale is south-up by the standard and north-up to most readers.
        (Some(s), Some(_)) if s[0] < 0.0 || s[1] < 0.0 => Err(format!(
            "the pixel scale is negative ({}, {}), which readers take in different ways; write it again with a plain \
             geotransform",
            s[0], s[1]
        )),
        (Some(s), Some(t)) => Ok([t[3] - t[0] * s[0], s[0], 0.0, t[4] + t[1] * s[1], 0.0, -s[1]]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tie_point_need_not_be_the_corner() {
        let g = scaled(Some(&[10.0, 20.0, 0.0]), Some(&[2.0, 3.0, 0.0, 500.0, 800.0, 0.0])).unwrap().unwrap();
        assert_eq!(g, [480.0, 10.0, 0.0, 860.0, 0.0, -20.0]);
        assert_eq!(centre_to_corner(g)[..4], [475.0, 10.0, 0.0, 870.0]);
    }

    #[test]
    fn control_points_and_signs_are_named() {
        let ties = [0.0; 18];
        assert!(scaled(None, Some(&ties)).unwrap().unwrap_err().contains("3 control points"));
        assert!(scaled(Some(&[10.0, -10.0, 0.0]), Some(&[0.0; 6])).unwrap().unwrap_err().contains("negative"));
        assert!(scaled(Some(&[10.0, 10.0]), Some(&[0.0; 3])).unwrap().unwrap_err().contains("3 values"));
    }
}
