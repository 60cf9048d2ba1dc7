//! Difference of an index between two dates: map, classes, hectares and polygons.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Map, Value as Json};

use super::bands::{bind, lookup, of_scene, settings_for};
use super::output::{self, Files, class_table, hectare_column};
use super::{Artifact, Context, Notes, Product};
use crate::analysis::change::{ChangeAnalysis, change_classes};
use crate::analysis::classes::{Breaks, ClassSum, Measures};
use crate::analysis::formula::Formula;
use crate::analysis::outlines::Tracing;
use crate::engine::{Analysis, Handle, Outcome, Pass};
use crate::error::Result;
use crate::grid::Grid;
use crate::io::table;
use crate::scene::extent::{common, describe};
use crate::scene::{Alignment, Entered, Scene};
use crate::spectral::syntax::Binary;
use crate::spectral::{Builder, Index, Settings};
use crate::vector::ZoneIndex;
use crate::vector::patches::Connect;

/// Breaks between the five classes of change.
pub const CHANGE_BREAKS: [f64; 4] = [-0.3, -0.1, 0.1, 0.3];

/// What `change` computes and where it goes.
#[derive(Clone, Debug)]
pub struct ChangeOptions {
    /// Index that is differenced.
    pub index: Index,
    /// Constants, kernel and wavelengths.
    pub settings: Settings,
    /// Four breaks between the classes.
    pub breaks: Breaks,
    /// Raster of differences (after minus before).
    pub output: PathBuf,
    /// Raster of classes.
    pub classes: Option<PathBuf>,
    /// Hectares by class and zone.
    pub table: Option<PathBuf>,
    /// Polygons of loss and gain.
    pub polygons: Option<PathBuf>,
    /// Smallest polygon in m²; 0 keeps all.
    pub min_area_m2: f64,
    /// Which pixels form a patch.
    pub connect: Connect,
}

/// The grid on which two dates are compared: the intersection. A note says so where their extents differ.
///
/// # Errors
/// Input error with the command that aligns them where pixels do not coincide; where nothing is common.
pub fn common_grid(before: &Scene, after: &Scene, notes: &dyn Notes) -> Result<Grid> {
    let both = [(before.name.as_str(), &before.grid), (after.name.as_str(), &after.grid)];
    let grid = common(&both, Some(Alignment::Intersection))?;
    if before.grid.bounds().ok() != after.grid.bounds().ok() {
        notes.warn(&format!(
            "{} and {} cover different extents; the change is computed where both are: {} x {} pixels, {}",
            before.name,
            after.name,
            grid.cols,
            grid.rows,
            describe(&grid)
        ));
    }
    Ok(grid)
}

/// Warns where the dates are in the wrong order or of different seasons.
pub fn check_dates(before: &Scene, after: &Scene, notes: &dyn Notes) {
    const SEASON_DAYS: i32 = 30;
    let date = |s: &Scene| s.date.as_deref().and_then(|d| d.parse::<Date>().ok());
    let (Some(b), Some(a)) = (date(before), date(after)) else { return };
    if b > a {
        notes.warn(&format!(
            "BEFORE ({}, {b}) is later than AFTER ({}, {a}); losses and gains are exchanged",
            before.name, after.name
        ));
    }
    let apart = (i32::from(b.day_of_year()) - i32::from(a.day_of_year())).abs();
    let apart = apart.min(365 - apart.min(365));
    if apart > SEASON_DAYS {
        notes.warn(&format!(
            "the dates {b} and {a} are {apart} days of the year apart; seasonal growth will look like change (at most \
             {SEASON_DAYS} is advised)"
        ));
    }
}

/// Adds the difference of an index to a pass over the [`common_grid`] of both scenes, entered under different prefixes.
///
/// # Errors
/// Where the index lacks bands in a scene, hectares are asked for on a grid without a place, or an output cannot be written.
pub fn add(
    pass: &mut Pass,
    before: &Entered,
    after: &Entered,
    options: &ChangeOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let files = Files {
        rasters: std::iter::once(&options.output).chain(&options.classes).cloned().collect(),
        table: options.table.clone(),
        polygons: options.polygons.clone(),
    };
    files.check(&[&before.scene, &after.scene], context)?;
    let mut builder = Builder::new(settings_for(&before.scene, &options.settings));
    let (from, to) = (lookup(&before.scene, 0), lookup(&after.scene, 1));
    let first = builder.add_within_range(&options.index, &from).map_err(of_scene(&before.scene))?;
    let second = builder.add_within_range(&options.index, &to).map_err(of_scene(&after.scene))?;
    let difference = builder.graph.binary(Binary::Sub, second, first);
    let reads = bind(pass, &[before, after], &builder.graph, options.index.is_scale_free()?)?;
    let needed = options.table.is_some() || options.polygons.is_some();
    let tally = output::tally(pass.grid(), zones, &[1, 2, 3, 4, 5], needed, context)?;
    let tracing = match &options.polygons {
        None => None,
        Some(_) => Some(Arc::new(Tracing {
            // Stable land is background; its outline would only repeat the others'.
            classes: vec![1, 2, 4, 5],
            connect: options.connect,
            least: output::pixels_of(options.min_area_m2, pass.grid())?,
            memory: context.limits.memory,
        })),
    };
    let analysis = ChangeAnalysis {
        formula: Formula::new(&builder.graph, &[difference], reads),
        breaks: options.breaks.clone(),
        name: format!("{} difference", options.index.name),
        measures: Measures { tally, tracing },
    };
    let bands = Analysis::spec(&analysis).writes;
    let mut outputs = vec![output::raster(&options.output, pass.grid(), &bands, vec![0], context)?];
    if let Some(path) = &options.classes {
        outputs.push(output::raster(path, pass.grid(), &bands, vec![1], context)?);
    }
    let grid = pass.grid().clone();
    let measured = analysis.measures.tally.is_some();
    context.notes.decide(&format!(
        "difference of {} after minus before, classes split at {}",
        options.index.formula,
        options.breaks.values().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    ));
    let handle = pass.add(analysis, outputs)?;
    Ok(Box::new(ChangeProduct { handle, options: options.clone(), zones: zones.cloned(), grid, measured }))
}

struct ChangeProduct {
    handle: Handle<ClassSum>,
    options: ChangeOptions,
    zones: Option<Arc<ZoneIndex>>,
    grid: Grid,
    measured: bool,
}

impl Product for ChangeProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        // The quantity is the first plane.
        let whole = outcome.moments_of(&self.handle).first().copied().unwrap_or_default();
        let sum = outcome.take(&self.handle)?;
        let options = &self.options;
        let name = &options.index.name;
        let classes = change_classes();
        let mut figures = Map::new();
        figures.insert("valid_pixels".into(), whole.count.into());
        figures.insert(format!("{name}_difference_mean"), whole.mean().map_or(Json::Null, Into::into));
        if self.measured {
            for (k, class) in classes.iter().enumerate() {
                figures.insert(hectare_column(class), sum.areas.hectares(None, k).into());
            }
            figures.insert("valid_ha".into(), sum.areas.valid_ha(None).into());
        }
        let artifact = |path: &PathBuf, role: &str, title: String, figures| Artifact {
            path: path.clone(),
            role: role.into(),
            title,
            figures,
        };
        let mut artifacts = Vec::new();
        artifacts.push(artifact(&options.output, "change", format!("Change of {name}, after minus before"), figures));
        if let Some(path) = &options.classes {
            artifacts.push(artifact(path, "change-classes", format!("Classes of change of {name}"), Map::new()));
        }
        if let Some(path) = &options.table {
            let mean = |zone: Option<usize>| zone.map_or(whole.mean(), |z| sum.means.of(z));
            let column = format!("{name}_difference_mean");
            let table = class_table(self.zones.as_deref(), &classes, &sum.areas, &column, mean);
            table::write(path, &table, context.overwrite)?;
            artifacts.push(artifact(
                path,
                "change-table",
                format!("Hectares by class of change of {name}"),
                Map::new(),
            ));
        }
        if let Some(path) = &options.polygons {
            let outlines = sum.outlines.finish()?;
            let count = output::polygons(path, &self.grid, &outlines, &classes, context)?;
            let figures = Map::from_iter([("polygons_count".to_owned(), Json::from(count))]);
            artifacts.push(artifact(path, "change-polygons", format!("Loss and gain of {name}"), figures));
        }
        Ok(artifacts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeptNotes;
    use super::*;
    use crate::grid::Affine;

    fn scene(date: &str, x: f64) -> Scene {
        Scene {
            name: date.into(),
            date: Some(date.into()),
            grid: Grid::new(10, 10, Affine::north_up(x, 0.0, 30.0, 30.0), None),
            bands: Vec::new(),
            masks: Vec::new(),
            decisions: Vec::new(),
            warnings: Vec::new(),
            origin: Vec::new(),
            product: None,
            also_read: Vec::new(),
            unusable: Vec::new(),
            listing: Vec::new(),
        }
    }

    #[test]
    fn extents_that_differ_are_intersected_and_said() {
        let notes = KeptNotes::default();
        let grid = common_grid(&scene("2019-01-14", 0.0), &scene("2019-01-30", 90.0), &notes).unwrap();
        assert_eq!((grid.cols, grid.rows), (7, 10));
        assert!(notes.all()[0].contains("7 x 10"), "{:?}", notes.all());
        let e = common_grid(&scene("a", 0.0), &scene("b", 10.0), &notes).unwrap_err().to_string();
        assert!(e.contains("origins differ"), "{e}");
    }

    #[test]
    fn order_and_season_are_doubted() {
        let notes = KeptNotes::default();
        check_dates(&scene("2019-01-14", 0.0), &scene("2019-01-30", 0.0), &notes);
        check_dates(&scene("2018-12-25", 0.0), &scene("2019-01-14", 0.0), &notes);
        assert!(notes.all().is_empty(), "{:?}", notes.all());
        check_dates(&scene("2019-07-14", 0.0), &scene("2019-01-30", 0.0), &notes);
        assert_eq!(notes.all().len(), 2, "{:?}", notes.all());
    }
}
