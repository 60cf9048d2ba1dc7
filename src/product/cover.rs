//! Fractional vegetation cover: map, classes and hectares.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::bands::{bind, lookup, of_scene, settings_for};
use super::output::{self, Files, class_table, hectare_column};
use super::survey::Survey;
use super::{Artifact, Context, Product};
use crate::analysis::classes::{Breaks, ClassSum, Measures};
use crate::analysis::cover::{CoverAnalysis, CoverModel, Endmembers, cover_classes};
use crate::analysis::formula::Formula;
use crate::engine::{Analysis, Handle, Outcome, Pass};
use crate::error::Result;
use crate::io::table;
use crate::scene::Entered;
use crate::spectral::{Builder, Index, Settings};
use crate::vector::ZoneIndex;

/// What `cover` computes and where it goes.
#[derive(Clone, Debug)]
pub struct CoverOptions {
    /// Index that cover is made from (NDVI).
    pub index: Index,
    /// Constants, kernel and wavelengths.
    pub settings: Settings,
    /// Index of soil and of full vegetation; from the user or from [`endmembers`].
    pub endmembers: Endmembers,
    /// From the clamped ratio to cover.
    pub model: CoverModel,
    /// Four breaks between the classes.
    pub breaks: Breaks,
    /// Raster of cover.
    pub output: PathBuf,
    /// Raster of classes.
    pub classes: Option<PathBuf>,
    /// Hectares by class and zone.
    pub table: Option<PathBuf>,
}

/// Endmembers from percentiles (0..=1) of the index over all scenes, water left out. Two passes over each scene.
///
/// # Errors
/// Input error where there is no contrast or no valid pixel; those of the passes.
pub fn endmembers(survey: &Survey<'_>, percentiles: (f64, f64), context: &Context) -> Result<Endmembers> {
    let found = survey.quantiles(&[percentiles.0, percentiles.1], context)?;
    let (soil, vegetation) = (found[0], found[1]);
    context.notes.decide(&format!(
        "endmembers of cover: soil {soil:.4} (percentile {}), vegetation {vegetation:.4} (percentile {}) of {}",
        percentiles.0 * 100.0,
        percentiles.1 * 100.0,
        survey.index.name
    ));
    Endmembers::new(soil, vegetation)
}

/// Adds cover to a pass.
///
/// # Errors
/// Where the index lacks bands, hectares are asked for on a grid without a place, or an output cannot be written.
pub fn add(
    pass: &mut Pass,
    scene: &Entered,
    options: &CoverOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let files = Files {
        rasters: std::iter::once(&options.output).chain(&options.classes).cloned().collect(),
        table: options.table.clone(),
        polygons: None,
    };
    files.check(&[&scene.scene], context)?;
    let mut builder = Builder::new(settings_for(&scene.scene, &options.settings));
    let node = builder.add_within_range(&options.index, &lookup(&scene.scene, 0)).map_err(of_scene(&scene.scene))?;
    let reads = bind(pass, &[scene], &builder.graph, options.index.is_scale_free()?)?;
    let tally = output::tally(pass.grid(), zones, &[1, 2, 3, 4, 5], options.table.is_some(), context)?;
    let measured = tally.is_some();
    let analysis = CoverAnalysis {
        formula: Formula::new(&builder.graph, &[node], reads),
        endmembers: options.endmembers,
        model: options.model,
        breaks: options.breaks.clone(),
        measures: Measures { tally, tracing: None },
    };
    let bands = Analysis::spec(&analysis).writes;
    let mut outputs = vec![output::raster(&options.output, pass.grid(), &bands, vec![0], context)?];
    if let Some(path) = &options.classes {
        outputs.push(output::raster(path, pass.grid(), &bands, vec![1], context)?);
    }
    let (soil, vegetation) = (options.endmembers.soil(), options.endmembers.vegetation());
    context.notes.decide(&format!("cover of {}: soil {soil}, full vegetation {vegetation}", options.index.formula));
    let handle = pass.add(analysis, outputs)?;
    Ok(Box::new(CoverProduct { handle, options: options.clone(), zones: zones.cloned(), measured }))
}

struct CoverProduct {
    handle: Handle<ClassSum>,
    options: CoverOptions,
    zones: Option<Arc<ZoneIndex>>,
    measured: bool,
}

impl Product for CoverProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        // The quantity is the first plane.
        let whole = outcome.moments_of(&self.handle).first().copied().unwrap_or_default();
        let sum = outcome.take(&self.handle)?;
        let options = &self.options;
        let classes = cover_classes();
        let mut figures = Map::new();
        figures.insert("valid_pixels".into(), whole.count.into());
        figures.insert("cover_mean".into(), whole.mean().map_or(Json::Null, Into::into));
        figures.insert("soil_endmember".into(), options.endmembers.soil().into());
        figures.insert("vegetation_endmember".into(), options.endmembers.vegetation().into());
        if self.measured {
            for (k, class) in classes.iter().enumerate() {
                figures.insert(hectare_column(class), sum.areas.hectares(None, k).into());
            }
            figures.insert("valid_ha".into(), sum.areas.valid_ha(None).into());
        }
        let artifact = |path: &PathBuf, role: &str, title: &str, figures| Artifact {
            path: path.clone(),
            role: role.into(),
            title: title.into(),
            figures,
        };
        let mut artifacts = vec![artifact(&options.output, "cover", "Fractional vegetation cover", figures)];
        if let Some(path) = &options.classes {
            artifacts.push(artifact(path, "cover-classes", "Classes of vegetation cover", Map::new()));
        }
        if let Some(path) = &options.table {
            let mean = |zone: Option<usize>| zone.map_or(whole.mean(), |z| sum.means.of(z));
            let table = class_table(self.zones.as_deref(), &classes, &sum.areas, "cover_mean", mean);
            table::write(path, &table, context.overwrite)?;
            artifacts.push(artifact(path, "cover-table", "Hectares by class of cover", Map::new()));
        }
        Ok(artifacts)
    }
}
