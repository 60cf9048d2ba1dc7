//! The common grid of rasters whose pixels coincide, and its crop to a box.

use super::options::Alignment;
use super::{Scene, Target};
use crate::engine::warp::{Resampling, Warper};
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};

/// The grid on which rasters are read together: the finest pixels, and the extent that `align` asks for.
///
/// Without `align` all must cover the same extent, to less than one of their own pixels at the right and lower edge.
///
/// # Errors
/// Input error that names both rasters and prints the command that aligns them, where pixels do not coincide; that names
/// `--align` where only extents differ; that prints both extents where nothing is common.
pub fn common(rasters: &[(&str, &Grid)], align: Option<Alignment>) -> Result<Grid> {
    let finest = rasters
        .iter()
        .min_by(|a, b| pixel(a.1).total_cmp(&pixel(b.1)))
        .ok_or_else(|| Error::bug("a common grid of no rasters was asked for"))?;
    let base = finest.1;
    let mut windows = Vec::with_capacity(rasters.len());
    for (name, grid) in rasters {
        let nest = base.nest(grid).map_err(|e| {
            Error::new(
                e.kind(),
                format!("{name} does not fit {}: {}{}", finest.0, e.message(), command(name, grid, finest.0, base)),
            )
        })?;
        let window = Window::new(nest.col, nest.row, grid.cols * nest.factor, grid.rows * nest.factor);
        let near = |a: i64, b: usize| a.unsigned_abs().abs_diff(b as u64) < nest.factor as u64;
        let same =
            nest.col == 0 && nest.row == 0 && near(window.col_end(), base.cols) && near(window.row_end(), base.rows);
        if align.is_none() && !same {
            return Err(Error::input(format!(
                "{name} and {} cover different extents ({} and {}); choose one with --align intersection, first or union",
                finest.0,
                describe(grid),
                describe(base)
            )));
        }
        windows.push(if same { base.window() } else { window });
    }
    let whole = match align {
        None => base.window(),
        Some(Alignment::First) => windows[0],
        Some(Alignment::Union) => windows.iter().copied().reduce(hull).unwrap_or(base.window()),
        Some(Alignment::Intersection) => {
            let mut kept = windows[0];
            for (window, (name, grid)) in windows.iter().zip(rasters) {
                kept = kept.intersect(window).ok_or_else(|| {
                    Error::input(format!(
                        "{name} has no pixel in common with {}: extents {} and {}",
                        rasters[0].0,
                        describe(grid),
                        describe(rasters[0].1)
                    ))
                })?;
            }
            kept
        }
    };
    Ok(base.crop(whole))
}

/// True where the pixels of all rasters coincide with those of the finest.
fn coincide(rasters: &[(&str, &Grid)]) -> bool {
    let finest = rasters.iter().min_by(|a, b| pixel(a.1).total_cmp(&pixel(b.1)));
    finest.is_some_and(|f| rasters.iter().all(|r| f.1.nest(r.1).is_ok()))
}

/// The grid that `align` asks for, and whether rasters have to be resampled onto it.
///
/// # Errors
/// As [`common`] and [`Target::grid`].
pub(super) fn wanted(rasters: &[(&str, &Grid)], align: Option<&Target>) -> Result<(Grid, bool)> {
    let extent = match align {
        None => None,
        Some(target) => match target.extent().filter(|_| coincide(rasters)) {
            None => return target.grid(rasters).map(|g| (g, true)),
            some => some,
        },
    };
    common(rasters, extent).map(|g| (g, false))
}

/// One grid for several scenes, and the scenes on it. Without `align` their pixels must coincide, and `extent` decides where
/// their extents differ.
///
/// # Errors
/// As [`common`], [`Target::grid`] and [`Scene::onto`].
pub fn together(
    scenes: Vec<Scene>,
    align: Option<&Target>,
    extent: Alignment,
    resampling: Option<Resampling>,
) -> Result<(Grid, Vec<Scene>)> {
    let rasters: Vec<_> = scenes.iter().map(|s| (s.name.as_str(), &s.grid)).collect();
    let grid = match align {
        None => common(&rasters, Some(extent))?,
        // Each was put on a grid of this kind when it was opened.
        Some(Target::System(..)) => common(&rasters, Some(Alignment::Union))?,
        Some(target) => wanted(&rasters, Some(target))?.0,
    };
    drop(rasters);
    let warper = Warper::new(grid.clone());
    let scenes = scenes.into_iter().map(|s| match grid.nest(&s.grid) {
        Ok(_) => Ok(s),
        Err(_) => s.onto(&warper, resampling),
    });
    let scenes = scenes.collect::<Result<_>>()?;
    Ok((grid, scenes))
}

/// The pixels of `grid` that a box `[xmin, ymin, xmax, ymax]` touches.
///
/// # Errors
/// Input error that prints both extents where they have nothing in common.
pub fn crop(name: &str, grid: &Grid, bbox: [f64; 4]) -> Result<Grid> {
    // A box drawn along pixel edges must not gain a row by rounding.
    const SNAP: f64 = 1e-6;
    let affine = grid.affine().map_err(|e| e.context(format!("--bbox on {name}")))?;
    let corners = [(bbox[0], bbox[1]), (bbox[0], bbox[3]), (bbox[2], bbox[1]), (bbox[2], bbox[3])];
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for (x, y) in corners {
        let (col, row) = affine.inverse(x, y);
        (low[0], low[1]) = (low[0].min(col), low[1].min(row));
        (high[0], high[1]) = (high[0].max(col), high[1].max(row));
    }
    // Clamped before the conversion: a box far away must not overflow.
    let edge = |v: f64, size: usize| v.clamp(-1.0, size as f64 + 1.0) as i64;
    let (col, row) = (edge((low[0] + SNAP).floor(), grid.cols), edge((low[1] + SNAP).floor(), grid.rows));
    let (end, bottom) = (edge((high[0] - SNAP).ceil(), grid.cols), edge((high[1] - SNAP).ceil(), grid.rows));
    let size = |from: i64, to: i64| usize::try_from(to - from).unwrap_or(0);
    Window::new(col, row, size(col, end), size(row, bottom)).intersect(&grid.window()).map(|w| grid.crop(w)).ok_or_else(
        || {
            let b = bbox;
            Error::input(format!(
                "{name}: nothing lies in the box {} {} {} {}; the raster covers {}",
                b[0],
                b[1],
                b[2],
                b[3],
                describe(grid)
            ))
        },
    )
}

fn hull(a: Window, b: Window) -> Window {
    let (col, row) = (a.col.min(b.col), a.row.min(b.row));
    let cols = a.col_end().max(b.col_end()) - col;
    let rows = a.row_end().max(b.row_end()) - row;
    Window::new(col, row, cols as usize, rows as usize)
}

fn pixel(grid: &Grid) -> f64 {
    grid.place().map_or(f64::INFINITY, |a| a.determinant().abs())
}

/// Extent for messages.
#[must_use]
pub fn describe(grid: &Grid) -> String {
    let crs = grid.crs().map_or_else(|| "unknown CRS".to_owned(), ToString::to_string);
    match grid.bounds() {
        Ok(b) => format!("{} {} {} {} in {crs}", b[0], b[1], b[2], b[3]),
        Err(_) => format!("{} x {} pixels without a place", grid.cols, grid.rows),
    }
}

/// Pixel size and reference system, as decisions name a grid.
pub(super) fn pixels(grid: &Grid) -> String {
    let crs = grid.crs().map_or_else(|| "unknown CRS".to_owned(), ToString::to_string);
    let size = grid.place().map(|a| a.coefficients()).map(|g| (g[1].hypot(g[4]), g[2].hypot(g[5])));
    match size {
        Some((w, h)) if w == h => format!("{crs} at {w}"),
        Some((w, h)) => format!("{crs} at {w} x {h}"),
        None => crs,
    }
}

/// `; align it with: regrow align …`, where both have a place.
fn command(name: &str, grid: &Grid, target: &str, onto: &Grid) -> String {
    if grid.place().is_none() || onto.place().is_none() {
        return String::new();
    }
    format!("; resample on the fly with --align first, or once with: regrow align {name} --to {target} -o aligned.tif")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs};

    fn grid(x: f64, y: f64, size: f64, cols: usize, rows: usize) -> Grid {
        Grid::new(cols, rows, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(32634).unwrap()))
    }

    #[test]
    fn ten_and_twenty_metres_are_read_on_ten() {
        let (fine, coarse) = (grid(0.0, 100.0, 10.0, 11, 10), grid(0.0, 100.0, 20.0, 6, 5));
        let both = common(&[("coarse", &coarse), ("fine", &fine)], None).unwrap();
        assert_eq!(both, fine);
    }

    #[test]
    fn extents_that_differ_need_a_choice() {
        let (a, b) = (grid(0.0, 100.0, 10.0, 10, 10), grid(30.0, 100.0, 10.0, 10, 10));
        let rasters = [("a", &a), ("b", &b)];
        let e = common(&rasters, None).unwrap_err().to_string();
        assert!(e.contains("--align") && e.contains("30 0 130 100"), "{e}");
        let bounds = |align| common(&rasters, Some(align)).unwrap().bounds().unwrap();
        assert_eq!(bounds(Alignment::Intersection), [30.0, 0.0, 100.0, 100.0]);
        assert_eq!(bounds(Alignment::Union), [0.0, 0.0, 130.0, 100.0]);
        assert_eq!(bounds(Alignment::First), [0.0, 0.0, 100.0, 100.0]);
    }

    #[test]
    fn half_a_pixel_prints_the_command() {
        let (a, b) = (grid(0.0, 100.0, 10.0, 10, 10), grid(10.0, 100.0, 20.0, 5, 5));
        assert!(common(&[("a", &a), ("b", &b)], Some(Alignment::First)).is_ok());
        let b = grid(5.0, 100.0, 10.0, 10, 10);
        let e = common(&[("a", &a), ("b", &b)], None).unwrap_err().to_string();
        assert!(e.contains("--align first") && e.contains("regrow align b --to a -o aligned.tif"), "{e}");
    }

    #[test]
    fn rasters_apart_print_both_extents() {
        let (a, b) = (grid(0.0, 100.0, 10.0, 10, 10), grid(500.0, 100.0, 10.0, 10, 10));
        let e = common(&[("a", &a), ("b", &b)], Some(Alignment::Intersection)).unwrap_err().to_string();
        assert!(e.contains("500 0 600 100") && e.contains("0 0 100 100"), "{e}");
    }

    #[test]
    fn a_box_along_pixel_edges_gains_nothing() {
        let g = grid(0.0, 100.0, 10.0, 10, 10);
        assert_eq!(crop("g", &g, [10.0, 20.0, 30.0, 50.0]).unwrap().bounds().unwrap(), [10.0, 20.0, 30.0, 50.0]);
        assert_eq!(crop("g", &g, [11.0, 21.0, 29.0, 49.0]).unwrap().bounds().unwrap(), [10.0, 20.0, 30.0, 50.0]);
        assert_eq!(crop("g", &g, [-1e300, -1e300, 1e300, 1e300]).unwrap(), g);
        let e = crop("g", &g, [1e6, 1e6, 2e6, 2e6]).unwrap_err().to_string();
        assert!(e.contains("0 0 100 100") && e.contains("1000000"), "{e}");
    }
}
