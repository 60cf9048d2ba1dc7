//! The grid of a map of samples: bounds snapped to multiples of the resolution.

use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid};

/// Cells above which a map is refused: a terabyte of one float band.
const MOST_CELLS: f64 = 2.5e11;
/// Cells above which the extent of the samples alone does not decide: one wrong coordinate makes any map this large.
const MOST_UNASKED: f64 = 1e8;

/// A north-up grid of square cells of `resolution` that covers `bounds`, its edges at multiples of the resolution. With
/// `points` the bounds are those of places, and one on the upper or right edge gets a cell too.
///
/// # Errors
/// Usage error for an impossible resolution, limit error that prints the size of a grid too large.
pub fn covering(bounds: [f64; 4], points: bool, resolution: f64, crs: &Crs) -> Result<Grid> {
    if !(resolution > 0.0 && resolution.is_finite()) {
        return Err(Error::usage(format!(
            "--res {resolution}: a cell size more than 0, in coordinate units, is needed"
        )));
    }
    let low = |v: f64| (v / resolution).floor();
    let high = |v: f64| if points { low(v) + 1.0 } else { (v / resolution).ceil() };
    let cols = (high(bounds[2]) - low(bounds[0])).max(1.0);
    let rows = (high(bounds[3]) - low(bounds[1])).max(1.0);
    if points && cols * rows > MOST_UNASKED && cols * rows <= MOST_CELLS {
        return Err(Error::limit(format!(
            "--res {resolution} over the samples (x {} to {}, y {} to {}) makes {cols} x {rows} cells; if every coordinate is \
             right, state the area with --bbox",
            bounds[0], bounds[2], bounds[1], bounds[3]
        )));
    }
    if !(cols * rows <= MOST_CELLS && cols.max(rows) <= f64::from(i32::MAX)) {
        return Err(Error::limit(format!(
            "--res {resolution} over {} x {} makes {cols} x {rows} cells ({:.1e} bytes a band); choose a larger cell",
            bounds[2] - bounds[0],
            bounds[3] - bounds[1],
            4.0 * cols * rows
        )));
    }
    let (left, top) = (low(bounds[0]) * resolution, (low(bounds[1]) + rows) * resolution);
    let affine = Affine::north_up(left, top, resolution, resolution);
    affine.check().map_err(|why| Error::usage(format!("--res {resolution}: {why}")))?;
    Ok(Grid::new(cols as usize, rows as usize, affine, Some(crs.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_multiples_of_the_cell() {
        let g = covering([178_605.0, 329_714.0, 181_390.0, 333_611.0], true, 40.0, &Crs::local()).unwrap();
        assert_eq!(g.bounds().unwrap(), [178_600.0, 329_680.0, 181_400.0, 333_640.0]);
        let one = covering([10.0, 20.0, 10.0, 20.0], true, 10.0, &Crs::local()).unwrap();
        assert_eq!((one.cols, one.rows, one.bounds().unwrap()), (1, 1, [10.0, 20.0, 20.0, 30.0]));
    }

    #[test]
    fn box_with_edges_on_multiples_is_taken_as_it_is() {
        let g = covering([100.0, 200.0, 300.0, 250.0], false, 50.0, &Crs::local()).unwrap();
        assert_eq!((g.cols, g.rows), (4, 1));
    }

    #[test]
    fn impossible_grids_are_refused_with_their_size() {
        let of = |res| covering([0.0, 0.0, 600.0, 500.0], true, res, &Crs::local()).unwrap_err();
        assert_eq!(of(0.0).kind(), crate::error::Kind::Usage);
        assert_eq!(of(1e-6).kind(), crate::error::Kind::Limit);
        assert!(of(1e-6).to_string().contains("600000001 x 500000001"));
        assert_eq!(of(f64::NAN).kind(), crate::error::Kind::Usage);
        assert!(of(0.01).to_string().contains("--bbox"));
        assert!(covering([0.0, 0.0, 600.0, 500.0], false, 0.01, &Crs::local()).is_ok());
    }
}
