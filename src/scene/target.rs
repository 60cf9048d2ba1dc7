//! The one grid on which rasters of several grids are put.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::input::local_file;
use super::options::Alignment;
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid, footprint};

/// A target grid as the command line names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The grid of the first input.
    First,
    /// The pixels of the first input, over the extent of all.
    Union,
    /// The pixels of the first input, where all have pixels.
    Intersection,
    /// The grid of a raster file.
    Raster(PathBuf),
    /// A reference system and a pixel size in its units: edges are multiples of the size (as with `gdalwarp -tap`), and the
    /// extent is that of all inputs.
    System(Crs, f64),
}

/// What `--to` and `--align` take.
pub const FORMS: &str = "a raster file, first, union, intersection, or EPSG:n:SIZE such as EPSG:32634:10";

impl FromStr for Target {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let text = s.trim();
        match text {
            "first" => return Ok(Self::First),
            "union" => return Ok(Self::Union),
            "intersection" => return Ok(Self::Intersection),
            "" => return Err(Error::usage(format!("write {FORMS}"))),
            _ => {}
        }
        let system = text.len() > 5 && text.is_char_boundary(5) && text[..5].eq_ignore_ascii_case("epsg:");
        let file = std::path::Path::new(text).exists();
        // A mistyped word is no file that is missing.
        if !system && !file && !text.contains(['.', '/', '\\']) {
            return Err(Error::usage(format!("{text:?} is no grid; write {FORMS}")));
        }
        if !system || file {
            return Ok(Self::Raster(PathBuf::from(text)));
        }
        let (crs, size) = text[5..].split_once(':').ok_or_else(|| {
            Error::usage(format!("{text} names no pixel size; write EPSG:n:SIZE, such as {text}:10 for 10 m"))
        })?;
        let size: f64 = size.trim().parse().ok().filter(|v: &f64| *v > 0.0 && v.is_finite()).ok_or_else(|| {
            Error::usage(format!("{size:?} is no pixel size; write EPSG:n:SIZE with a number above 0"))
        })?;
        Ok(Self::System(Crs::parse(&format!("EPSG:{}", crs.trim()))?, size))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Union => f.write_str("union"),
            Self::Intersection => f.write_str("intersection"),
            Self::Raster(path) => write!(f, "{}", path.display()),
            Self::System(crs, size) => write!(f, "{crs}:{size}"),
        }
    }
}

impl Target {
    /// The extent, where pixels that coincide are to stay as they are.
    pub(super) fn extent(&self) -> Option<Alignment> {
        match self {
            Self::First => Some(Alignment::First),
            Self::Union => Some(Alignment::Union),
            Self::Intersection => Some(Alignment::Intersection),
            Self::Raster(_) | Self::System(..) => None,
        }
    }

    /// The grid for rasters that are to be put on it.
    ///
    /// # Errors
    /// Where a raster has no place or no position in the system, the file cannot be opened, or nothing is common.
    pub fn grid(&self, rasters: &[(&str, &Grid)]) -> Result<Grid> {
        let first = rasters.first().ok_or_else(|| Error::bug("a target grid for no rasters was asked for"))?.1;
        match self {
            Self::First => first.affine().map(|_| first.clone()),
            Self::Raster(path) => {
                let source = crate::io::open_raster(&local_file(path)?)?;
                source.grid().affine().map_err(|e| e.context(source.name()))?;
                Ok(source.grid().clone())
            }
            Self::Union | Self::Intersection => self.around(first, rasters),
            Self::System(crs, size) => {
                let all = rasters.iter().map(|(name, g)| footprint(g, crs).map_err(|e| e.context(name)));
                let mut b = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
                for own in all {
                    b = hull(b, own?);
                }
                let low = |v: f64| (v / size + SNAP).floor();
                let high = |v: f64| (v / size - SNAP).ceil();
                let (left, top) = (low(b[0]), high(b[3]));
                let (cols, rows) = (span(left, high(b[2]))?, span(low(b[1]), top)?);
                Ok(Grid::new(cols, rows, Affine::north_up(left * size, top * size, *size, *size), Some(crs.clone())))
            }
        }
    }

    /// Pixels of `first`, over the extent of all rasters or what is common to them.
    fn around(&self, first: &Grid, rasters: &[(&str, &Grid)]) -> Result<Grid> {
        let affine = *first.affine()?;
        let mut all: Option<[f64; 4]> = None;
        for (name, grid) in rasters {
            let named = |e: Error| e.context(name);
            let bounds = match first.crs() {
                Some(crs) if !Crs::same(grid.crs(), Some(crs)) => footprint(grid, crs).map_err(named)?,
                _ => grid.bounds().map_err(named)?,
            };
            // The box in pixels of the first.
            let corners = [(0, 1), (0, 3), (2, 1), (2, 3)].map(|(i, j)| affine.inverse(bounds[i], bounds[j]));
            let mut b = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
            for (c, r) in corners {
                b = hull(b, [c, r, c, r]);
            }
            all = Some(match (all, self) {
                (None, _) => b,
                (Some(a), Self::Union) => hull(a, b),
                (Some(a), _) => [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])],
            });
        }
        let b = all.unwrap_or_default();
        // All pixels that a union touches, only whole ones of what is common.
        let inward = *self == Self::Intersection;
        let low = |v: f64| if inward { (v - SNAP).ceil() } else { (v + SNAP).floor() };
        let high = |v: f64| if inward { (v + SNAP).floor() } else { (v - SNAP).ceil() };
        let (left, top) = (low(b[0]), low(b[1]));
        let (cols, rows) = (span(left, high(b[2]))?, span(top, high(b[3]))?);
        Ok(Grid::new(cols, rows, affine.shift(left, top), first.crs().cloned()))
    }
}

/// A box drawn along pixel edges must not gain or lose a row by rounding.
const SNAP: f64 = 1e-6;

fn hull(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// Pixels from one edge to another.
fn span(from: f64, to: f64) -> Result<usize> {
    let n = to - from;
    if n < 1.0 {
        return Err(Error::input(
            "the target grid has no pixels: the inputs have nothing in common, or lie apart from it",
        ));
    }
    // More than a TIFF can hold is a mistaken pixel size.
    if n > f64::from(i32::MAX) {
        return Err(Error::limit(format!("the target grid would have {n} pixels along an axis; choose a larger size")));
    }
    Ok(n as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(epsg: u16, x: f64, y: f64, size: f64, edge: usize) -> Grid {
        Grid::new(edge, edge, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(epsg).unwrap()))
    }

    #[test]
    fn systems_are_snapped_to_multiples_of_the_size() {
        let target: Target = "EPSG:32634:30".parse().unwrap();
        let g = target.grid(&[("a", &grid(32634, 600_010.0, 5_000_000.0, 10.0, 100))]).unwrap();
        assert_eq!(g.bounds().unwrap(), [600_000.0, 4_998_990.0, 601_020.0, 5_000_010.0]);
        // As gdalwarp -t_srs EPSG:3035 -tr 10 10 -tap has it.
        let target: Target = "epsg:3035:10".parse().unwrap();
        let g = target.grid(&[("a", &grid(32634, 600_000.0, 5_000_000.0, 10.0, 100))]).unwrap();
        assert!(g.bounds().unwrap().iter().all(|v| v % 10.0 == 0.0), "{:?}", g.bounds());
    }

    #[test]
    fn all_or_what_is_common_in_pixels_of_the_first() {
        let (a, b) = (grid(32634, 0.0, 1000.0, 10.0, 100), grid(32634, 505.0, 1000.0, 10.0, 100));
        let of =
            |text: &str| text.parse::<Target>().unwrap().grid(&[("a", &a), ("b", &b)]).map(|g| g.bounds().unwrap());
        assert_eq!(of("first").unwrap(), [0.0, 0.0, 1000.0, 1000.0]);
        assert_eq!(of("union").unwrap(), [0.0, 0.0, 1510.0, 1000.0]);
        assert_eq!(of("intersection").unwrap(), [510.0, 0.0, 1000.0, 1000.0]);
        let apart = grid(32634, 5000.0, 1000.0, 10.0, 100);
        let none = Target::Intersection.grid(&[("a", &a), ("b", &apart)]).unwrap_err();
        assert!(none.to_string().contains("nothing in common"), "{none}");
    }

    #[test]
    fn mistakes_name_the_form() {
        let said = |t: &str| t.parse::<Target>().unwrap_err().to_string();
        assert!(said("EPSG:32634").contains("EPSG:32634:10"));
        assert!(said("sideways").contains("intersection"));
        assert!(said("EPSG:32634:0").contains("above 0"));
        assert!(said("EPSG:99999:10").contains("99999"));
        assert_eq!("x.tif".parse::<Target>().unwrap(), Target::Raster("x.tif".into()));
    }
}
