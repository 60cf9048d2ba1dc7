//! Bare land and water: map, hectares by zone and polygons.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::bands::{bind, lookup, of_scene, settings_for};
use super::output::{self, Files, number, rows};
use super::survey::Survey;
use super::{Artifact, Context, Product};
use crate::analysis::bare::{BareRule, Parts, Surface, SurfaceAnalysis, surface_results};
use crate::analysis::classes::{ClassSum, Measures};
use crate::analysis::formula::Formula;
use crate::analysis::outlines::Tracing;
use crate::engine::{Analysis, Handle, Outcome, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::io::table::{self, Table};
use crate::scene::{Entered, Quantity};
use crate::spectral::{Builder, Settings};
use crate::vector::patches::Connect;
use crate::vector::{Value, ZoneIndex};

/// NDVI below which land is bare where nothing else is known.
pub const NDVI_THRESHOLD: f64 = 0.2;
/// Where automatic NDVI thresholds may lie.
pub const NDVI_BRACKET: (f64, f64) = (0.05, 0.4);
/// Largest patch, in pixels, that a minimum area may ask about: every tile reads that far around itself.
const LARGEST_PATCH: u64 = 1000;

/// How an automatic threshold is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automatic {
    /// Otsu 1979.
    Otsu,
    /// Kittler & Illingworth 1986.
    MinimumError,
}

/// What `bare` and `water` compute and where it goes.
#[derive(Clone, Debug)]
pub struct BareOptions {
    /// What is 1 in the map: [`Surface::Bare`] or [`Surface::Water`].
    pub target: Surface,
    /// What is bare.
    pub rule: BareRule,
    /// Constants and wavelengths.
    pub settings: Settings,
    /// Raster: 1 yes, 0 no, 255 nodata.
    pub output: PathBuf,
    /// Hectares by zone.
    pub table: Option<PathBuf>,
    /// Polygons.
    pub polygons: Option<PathBuf>,
    /// Patches smaller than this (m²) become 0; 0 keeps all.
    pub min_area_m2: f64,
    /// Which pixels form a patch.
    pub connect: Connect,
}

/// An NDVI threshold from the histogram of all scenes, water left out. Where the histogram does not show two classes, the
/// fixed threshold is taken and a warning says so.
///
/// # Errors
/// Input error where no pixel is valid or all are equal; those of the passes.
pub fn automatic(survey: &Survey<'_>, method: Automatic, context: &Context) -> Result<BareRule> {
    let histogram = survey.histogram(context)?;
    let (split, name) = match method {
        Automatic::Otsu => (histogram.otsu(Some(NDVI_BRACKET)), "otsu"),
        Automatic::MinimumError => (histogram.minimum_error(Some(NDVI_BRACKET)), "minimum error"),
    };
    Ok(BareRule::Ndvi(match split {
        Some(s) if s.is_bimodal() => {
            context.notes.decide(&format!("bare: NDVI threshold {:.4} by {name}", s.threshold));
            s.threshold
        }
        found => {
            let why = found.map_or_else(
                || "no split lies between 0.05 and 0.4".to_owned(),
                |s| format!("separation {:.2} (0.6 is needed), lower class {:.1} %", s.separation, 100.0 * s.low_share),
            );
            context.notes.warn(&format!(
                "bare: {name} finds no two classes of NDVI: {why}; the fixed threshold {NDVI_THRESHOLD} is used"
            ));
            NDVI_THRESHOLD
        }
    }))
}

/// Adds a map of bare land or water to a pass.
///
/// # Errors
/// Where bands of the rule are missing, hectares are asked for on a grid without a place, the minimum area is more pixels
/// than a tile can see, or an output cannot be written.
pub fn add(
    pass: &mut Pass,
    scene: &Entered,
    options: &BareOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let files = Files {
        rasters: vec![options.output.clone()],
        table: options.table.clone(),
        polygons: options.polygons.clone(),
    };
    files.check(&[&scene.scene], context)?;
    let physical = scene.scene.bands.iter().all(|b| b.quantity == Quantity::Physical);
    let full = matches!(options.rule, BareRule::Both { .. }) && options.target == Surface::Bare;
    let mut builder = Builder::new(settings_for(&scene.scene, &options.settings));
    let results = surface_results(&mut builder, &lookup(&scene.scene, 0), Parts { full, physical });
    let results = results.map_err(of_scene(&scene.scene)).map_err(|e| match options.rule {
        BareRule::Both { .. } if full => {
            Error::new(e.kind(), format!("{}; or use --method otsu, which needs red and near infrared", e.message()))
        }
        _ => e,
    })?;
    let reads = bind(pass, &[scene], &builder.graph, !full && !physical)?;
    let needed = options.table.is_some() || options.polygons.is_some();
    let tally = output::tally(pass.grid(), zones, &Surface::CODES, needed, context)?;
    let measured = tally.is_some();
    let least = output::pixels_of(options.min_area_m2, pass.grid())?;
    if least > LARGEST_PATCH {
        return Err(Error::limit(format!(
            "--min-area: {least} pixels of this raster, at most {LARGEST_PATCH} can be; give a smaller area"
        )));
    }
    let tracing = options.polygons.as_ref().map(|_| {
        // Small patches are gone from the map already.
        Arc::new(Tracing { classes: vec![1], connect: options.connect, least: 0, memory: context.limits.memory })
    });
    let analysis = SurfaceAnalysis {
        formula: Formula::new(&builder.graph, &results, reads),
        rule: options.rule,
        target: options.target,
        least: least as usize,
        connect: options.connect,
        measures: Measures { tally, tracing },
    };
    let bands = Analysis::spec(&analysis).writes;
    let sink = output::raster(&options.output, pass.grid(), &bands, vec![0], context)?;
    let grid = pass.grid().clone();
    let rule = match (options.target, options.rule) {
        (Surface::Bare, BareRule::Both { ndvi, bsi }) => format!("bare: NDVI below {ndvi} and BSI above {bsi}"),
        (Surface::Bare, BareRule::Ndvi(threshold)) => format!("bare: NDVI not above {threshold}"),
        _ => {
            "water: MNDWI above 0 and NDVI below 0.2, or NDWI above 0.1, or AWEInsh above 0, as far as there are bands"
                .to_owned()
        }
    };
    context.notes.decide(&format!("{rule}; patches of fewer than {} pixels left out", least.max(1)));
    let handle = pass.add(analysis, vec![sink])?;
    Ok(Box::new(BareProduct { handle, options: options.clone(), zones: zones.cloned(), grid, measured }))
}

struct BareProduct {
    handle: Handle<ClassSum>,
    options: BareOptions,
    zones: Option<Arc<ZoneIndex>>,
    grid: Grid,
    measured: bool,
}

impl Product for BareProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let sum = outcome.take(&self.handle)?;
        let options = &self.options;
        let (name, title) = match options.target {
            Surface::Water => ("water", "Water"),
            _ => ("bare", "Bare land"),
        };
        let hectares = |zone, surface: Surface| sum.areas.hectares(zone, surface as usize);
        let share = |zone| {
            let valid = sum.areas.valid_ha(zone);
            (valid > 0.0).then(|| hectares(zone, options.target) / valid)
        };
        let mut figures = Map::new();
        if self.measured {
            figures.insert(format!("{name}_ha"), hectares(None, options.target).into());
            figures.insert("valid_ha".into(), sum.areas.valid_ha(None).into());
            figures.insert(format!("{name}_share"), share(None).map_or(Json::Null, Into::into));
            for (what, surface) in
                [("water_ha", Surface::Water), ("dark_ha", Surface::Dark), ("snow_ha", Surface::Snow)]
            {
                figures.insert(what.into(), hectares(None, surface).into());
            }
        }
        match options.rule {
            _ if options.target == Surface::Water => {}
            BareRule::Both { ndvi, bsi } => {
                figures.insert("ndvi_threshold".into(), ndvi.into());
                figures.insert("bsi_threshold".into(), bsi.into());
            }
            BareRule::Ndvi(ndvi) => {
                figures.insert("ndvi_threshold".into(), ndvi.into());
            }
        }
        let artifact = |path: &PathBuf, role: String, title: String, figures| Artifact {
            path: path.clone(),
            role,
            title,
            figures,
        };
        let mut artifacts = vec![artifact(&options.output, name.into(), title.into(), figures)];
        if let Some(path) = &options.table {
            let columns = vec!["zone".into(), format!("{name}_ha"), "valid_ha".into(), format!("{name}_share")];
            let rows = rows(self.zones.as_deref()).into_iter().map(|(zone, label)| {
                let (found, valid) = (hectares(zone, options.target), sum.areas.valid_ha(zone));
                vec![label, Value::Real(found), Value::Real(valid), number(share(zone))]
            });
            table::write(path, &Table { rows: rows.collect(), columns }, context.overwrite)?;
            artifacts.push(artifact(path, format!("{name}-table"), format!("{title}: hectares"), Map::new()));
        }
        if let Some(path) = &options.polygons {
            let outlines = sum.outlines.finish()?;
            let classes = SurfaceAnalysis::classes(options.target);
            let count = output::polygons(path, &self.grid, &outlines, &classes, context)?;
            let figures = Map::from_iter([("polygons_count".to_owned(), Json::from(count))]);
            artifacts.push(artifact(path, format!("{name}-polygons"), format!("{title}: polygons"), figures));
        }
        Ok(artifacts)
    }
}
