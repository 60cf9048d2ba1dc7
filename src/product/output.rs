//! What every raster product does with its files: checks before work, sinks, tables and polygons of classes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::classes::NODATA;
use crate::analysis::tally::{ClassAreas, ClassTally};
use crate::engine::{OutBand, Output};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::grid::area::{CellAreas, M2_PER_HA, PolygonMeasure};
use crate::io::atomic::check_output;
use crate::io::geotiff::{CogSink, CreationOptions};
use crate::io::table::Table;
use crate::io::{sidecar, table, vector};
use crate::product::Context;
use crate::raster::Class;
use crate::scene::Scene;
use crate::vector::{Feature, Geometry, Layer, Outline, Value, ZoneIndex};

/// Outputs of a product that has a map, and perhaps a table and polygons.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Rasters.
    pub rasters: Vec<PathBuf>,
    /// Table of hectares.
    pub table: Option<PathBuf>,
    /// Polygons.
    pub polygons: Option<PathBuf>,
}

impl Files {
    /// Checks all outputs before any work: extensions, folders, nothing overwritten unasked, no input overwritten, no two
    /// outputs under one name.
    ///
    /// # Errors
    /// Usage errors with the remedy.
    pub fn check(&self, scenes: &[&Scene], context: &Context) -> Result<()> {
        let inputs: Vec<PathBuf> = scenes.iter().flat_map(|s| s.files()).collect();
        let mut seen = HashSet::new();
        let sidecar = self.rasters.first().filter(|_| context.sidecars).map(|r| sidecar::path_for(r));
        for path in self.rasters.iter().chain(&self.table).chain(&self.polygons).chain(&sidecar) {
            if !seen.insert(path) {
                return Err(Error::usage(format!("{}: two outputs have this name", path.display())));
            }
            check_output(path, context.overwrite, &inputs)?;
        }
        for path in &self.rasters {
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
            if !matches!(extension.as_str(), "tif" | "tiff" | "cog") {
                return Err(Error::usage(format!("{}: rasters are written as .tif", path.display())));
            }
        }
        self.table.iter().try_for_each(|p| table::check_extension(p))?;
        self.polygons.iter().try_for_each(|p| vector::check_extension(p))
    }
}

/// A raster file that takes some planes of an analysis.
///
/// # Errors
/// As [`CogSink::create`].
pub fn raster(path: &Path, grid: &Grid, bands: &[OutBand], planes: Vec<usize>, context: &Context) -> Result<Output> {
    let options = CreationOptions { styles: context.styles, ..CreationOptions::parse(&context.creation)? };
    let chosen: Vec<OutBand> = planes.iter().map(|p| bands[*p].clone()).collect();
    Ok(Output { sink: CogSink::create(path, grid, &chosen, &options, context.overwrite)?, planes })
}

/// Measures classes in hectares. On a grid without a place there are none: an error where a table or polygons are `needed`,
/// else a warning.
///
/// # Errors
/// As [`ClassTally::new`].
pub fn tally(
    grid: &Grid,
    zones: Option<&Arc<ZoneIndex>>,
    classes: &[u8],
    needed: bool,
    context: &Context,
) -> Result<Option<ClassTally>> {
    match ClassTally::new(grid, zones.cloned(), classes, NODATA) {
        Ok(tally) => Ok(Some(tally)),
        Err(e) if needed || zones.is_some() => Err(e),
        Err(e) => {
            context.notes.warn(&format!("{e}; the map is made without hectares"));
            Ok(None)
        }
    }
}

/// Pixels that make up an area of `m2`, rounded up, by the area of the pixel in the middle of the grid; 0 for no area.
///
/// # Errors
/// Where the grid has no place on Earth.
pub fn pixels_of(m2: f64, grid: &Grid) -> Result<u64> {
    if m2 <= 0.0 {
        return Ok(0);
    }
    let areas = CellAreas::new(grid).map_err(|e| e.context("--min-area"))?;
    let pixel = areas.cell(grid.rows as i64 / 2, grid.cols as i64 / 2);
    // Ten pixels of 0.09 ha are 0.9 ha even where the projection stretches them by less than a part in a thousand.
    Ok((m2 / pixel * (1.0 - 1e-3)).ceil() as u64)
}

/// Rows of a table of zones: the zones, or one row `all` without them.
pub fn rows(zones: Option<&ZoneIndex>) -> Vec<(Option<usize>, Value)> {
    match zones {
        None => vec![(None, Value::Text("all".into()))],
        Some(z) => (0..z.len()).map(|i| (Some(i), Value::Text(z.label(i).to_owned()))).collect(),
    }
}

/// A number, or null where there is none.
#[must_use]
pub fn number(value: Option<f64>) -> Value {
    value.filter(|v| v.is_finite()).map_or(Value::Null, Value::Real)
}

/// Column of the hectares of a class: `strong loss` becomes `strong_loss_ha`.
#[must_use]
pub fn hectare_column(class: &Class) -> String {
    format!("{}_ha", class.name.replace([' ', '-'], "_"))
}

/// Hectares by class: a column a class, `valid_ha`, and a mean under the name `mean_column`.
pub fn class_table(
    zones: Option<&ZoneIndex>,
    classes: &[Class],
    areas: &ClassAreas,
    mean_column: &str,
    mean: impl Fn(Option<usize>) -> Option<f64>,
) -> Table {
    let mut columns = vec!["zone".to_owned()];
    columns.extend(classes.iter().map(hectare_column));
    columns.extend(["valid_ha".to_owned(), mean_column.to_owned()]);
    let rows = rows(zones).into_iter().map(|(zone, label)| {
        let mut row = vec![label];
        row.extend((0..classes.len()).map(|k| Value::Real(areas.hectares(zone, k))));
        row.extend([Value::Real(areas.valid_ha(zone)), number(mean(zone))]);
        row
    });
    Table { rows: rows.collect(), columns }
}

/// Writes outlines as polygons with `class`, `name` and geodesic `area_ha`.
///
/// # Errors
/// Where the grid has no place or CRS; those of writing.
pub fn polygons(path: &Path, grid: &Grid, outlines: &[Outline], classes: &[Class], context: &Context) -> Result<u64> {
    let affine = grid.affine()?;
    let crs = grid.crs().ok_or_else(|| {
        Error::input(format!(
            "{}: the raster has no CRS and areas need one; state it with --assume-crs",
            path.display()
        ))
    })?;
    let measure = PolygonMeasure::new(crs)?;
    // Pixel edges stay straight on the map when every piece is a pixel long.
    let step = affine.determinant().abs().sqrt();
    let mut features = Vec::with_capacity(outlines.len());
    for outline in outlines {
        let polygons = outline.placed(affine);
        let mut m2 = 0.0;
        for polygon in &polygons {
            m2 += measure.polygon(&polygon.rings, step)?.0;
        }
        let name = classes.iter().find(|c| c.value == outline.class).map_or("", |c| c.name.as_str());
        features.push(Feature {
            geometry: Geometry::Polygons(polygons),
            values: vec![
                Value::Int(i64::from(outline.class)),
                Value::Text(name.to_owned()),
                Value::Real(m2 / M2_PER_HA),
            ],
        });
    }
    let count = features.len() as u64;
    let layer = Layer {
        name: path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned()),
        crs: Some(crs.clone()),
        columns: ["class", "name", "area_ha"].map(String::from).to_vec(),
        features,
        warnings: Vec::new(),
    };
    vector::write(path, &layer, context.overwrite)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::tests_context;

    #[test]
    fn outputs_are_checked_before_work() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let check = |rasters: Vec<PathBuf>, table: Option<PathBuf>| {
            Files { rasters, table, polygons: None }.check(&[], &tests_context()).map_err(|e| e.to_string())
        };
        assert_eq!(check(vec![at("a.tif")], Some(at("t.csv"))), Ok(()));
        assert!(check(vec![at("a.tif"), at("a.tif")], None).is_err_and(|e| e.contains("two outputs")));
        assert!(check(vec![at("a.png")], None).is_err_and(|e| e.contains(".tif")));
        assert!(check(vec![at("a.tif")], Some(at("t.xls"))).is_err_and(|e| e.contains(".csv")));
    }

    #[test]
    fn class_names_become_columns() {
        assert_eq!(hectare_column(&Class::new(1, "medium-low cover", [0; 3])), "medium_low_cover_ha");
    }
}
