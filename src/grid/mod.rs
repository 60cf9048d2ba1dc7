//! Where a pixel is: shape, geotransform, coordinate reference system, windows and geodesic areas.

pub mod affine;
pub mod area;
pub mod crs;
pub mod footprint;
mod smooth;
pub mod tiling;
pub mod transform;
pub mod window;
mod wkt;

pub use affine::Affine;
pub use crs::Crs;
pub use footprint::footprint;
pub use transform::Transform;
pub use window::Window;

use crate::error::{Error, Result};

/// Shape and place of a raster: one immutable value with its own algebra.
///
/// Rasters without a usable geotransform keep their pixels; whatever needs the map position asks through
/// [`Grid::affine`] and gets the reason as an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Columns.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
    place: std::result::Result<Affine, String>,
    crs: Option<Crs>,
}

impl Grid {
    /// A grid with a geotransform and, where known, a CRS.
    #[must_use]
    pub fn new(cols: usize, rows: usize, affine: Affine, crs: Option<Crs>) -> Self {
        let place = affine.check().map(|()| affine);
        Self { cols, rows, place, crs }
    }

    /// A grid whose place on the map is unknown, and why.
    #[must_use]
    pub fn unplaced(cols: usize, rows: usize, reason: impl Into<String>, crs: Option<Crs>) -> Self {
        Self { cols, rows, place: Err(reason.into()), crs }
    }

    /// The geotransform.
    ///
    /// # Errors
    /// Input error with the reason where the raster has none that can be used.
    pub fn affine(&self) -> Result<&Affine> {
        self.place
            .as_ref()
            .map_err(|why| Error::input(format!("no usable map position: {why}; georeference the raster first")))
    }

    /// The geotransform where there is a usable one.
    #[must_use]
    pub fn place(&self) -> Option<&Affine> {
        self.place.as_ref().ok()
    }

    /// Why there is no usable geotransform.
    #[must_use]
    pub fn unplaced_reason(&self) -> Option<&str> {
        self.place.as_ref().err().map(String::as_str)
    }

    /// The CRS where known.
    #[must_use]
    pub fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }

    /// The CRS.
    ///
    /// # Errors
    /// Input error that names `--assume-crs` where it is unknown.
    pub fn known_crs(&self) -> Result<&Crs> {
        self.crs.as_ref().ok_or_else(|| {
            Error::input("the coordinate reference system is unknown; state it with --assume-crs EPSG:n")
        })
    }

    /// The same grid in another CRS, for `--assume-crs`; pixels do not move.
    #[must_use]
    pub fn with_crs(mut self, crs: Option<Crs>) -> Self {
        self.crs = crs;
        self
    }

    /// The window of all pixels.
    #[must_use]
    pub fn window(&self) -> Window {
        Window::new(0, 0, self.cols, self.rows)
    }

    /// The grid of `window`; the origin moves with it.
    #[must_use]
    pub fn crop(&self, window: Window) -> Self {
        let place = self.place.clone().map(|a| a.shift(window.col as f64, window.row as f64));
        Self { cols: window.cols, rows: window.rows, place, crs: self.crs.clone() }
    }

    /// Bounds `[xmin, ymin, xmax, ymax]` in the grid's CRS, rotation respected.
    ///
    /// # Errors
    /// As [`Grid::affine`].
    pub fn bounds(&self) -> Result<[f64; 4]> {
        let a = self.affine()?;
        let corners =
            [(0.0, 0.0), (self.cols as f64, 0.0), (0.0, self.rows as f64), (self.cols as f64, self.rows as f64)];
        let mut b = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for (c, r) in corners {
            let (x, y) = a.forward(c, r);
            b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
        }
        Ok(b)
    }

    /// How `other` lies on this grid: whole-pixel offset and integer ratio of resolutions.
    ///
    /// # Errors
    /// Input error that names the difference where the grids do not nest.
    pub fn nest(&self, other: &Self) -> Result<Nest> {
        if !Crs::same(self.crs.as_ref(), other.crs.as_ref()) {
            let name = |c: Option<&Crs>| c.map_or_else(|| "unknown".to_owned(), ToString::to_string);
            return Err(Error::input(format!(
                "coordinate reference systems differ ({} and {})",
                name(self.crs()),
                name(other.crs())
            )));
        }
        match (&self.place, &other.place) {
            (Err(_), Err(_)) if self.cols == other.cols && self.rows == other.rows => {
                return Ok(Nest { col: 0, row: 0, factor: 1 });
            }
            _ => {}
        }
        Nest::between(self.affine()?, other.affine()?)
    }
}

/// Where the pixels of another grid lie on this one: its upper-left corner is at (`col`, `row`) of this grid, and one
/// of its pixels covers `factor` × `factor` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nest {
    /// Column of the other grid's left edge on this grid.
    pub col: i64,
    /// Row of the other grid's top edge on this grid.
    pub row: i64,
    /// How many of our pixels one of its pixels spans along an axis.
    pub factor: usize,
}

impl Nest {
    fn between(ours: &Affine, theirs: &Affine) -> Result<Self> {
        // A thousandth of a pixel: below any registration error, above the rounding of written geotransforms.
        const TOLERANCE: f64 = 1e-3;
        let (u, t) = (ours.coefficients(), theirs.coefficients());
        let size = |g: &[f64; 6]| (g[1].hypot(g[4]), g[2].hypot(g[5]));
        let ratio = size(&t).0 / size(&u).0;
        let factor = ratio.round();
        if factor < 1.0 || (ratio / factor - 1.0).abs() > 1e-6 {
            return Err(Error::input(format!("pixel sizes do not nest ({} and {})", size(&u).0, size(&t).0)));
        }
        let linear =
            [1, 2, 4, 5].iter().all(|&i| (t[i] - u[i] * factor).abs() <= 1e-6 * factor * (size(&u).0 + size(&u).1));
        if !linear {
            return Err(Error::input("pixel shapes or rotations differ".to_owned()));
        }
        let (col, row) = ours.inverse(t[0], t[3]);
        if (col - col.round()).abs() > TOLERANCE || (row - row.round()).abs() > TOLERANCE {
            return Err(Error::input(format!(
                "origins differ by a fraction of a pixel (x {}, y {} against x {}, y {})",
                u[0], u[3], t[0], t[3]
            )));
        }
        Ok(Self { col: col.round() as i64, row: row.round() as i64, factor: factor as usize })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(x: f64, y: f64, size: f64) -> Grid {
        Grid::new(10, 10, Affine::north_up(x, y, size, size), None)
    }

    #[test]
    fn coarser_grid_nests_at_its_corner() {
        let nest = grid(100.0, 200.0, 10.0).nest(&grid(120.0, 180.0, 20.0)).unwrap();
        assert_eq!(nest, Nest { col: 2, row: 2, factor: 2 });
    }

    #[test]
    fn half_pixel_shift_is_refused() {
        let e = grid(100.0, 200.0, 10.0).nest(&grid(105.0, 200.0, 10.0)).unwrap_err();
        assert!(e.to_string().contains("origins differ"), "{e}");
    }

    #[test]
    fn crop_moves_the_origin() {
        let g = grid(100.0, 200.0, 10.0).crop(Window::new(3, 2, 4, 5));
        assert_eq!(g.bounds().unwrap(), [130.0, 130.0, 170.0, 180.0]);
    }
}
