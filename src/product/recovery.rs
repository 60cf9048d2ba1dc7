//! Recovery after disturbance: metrics, their reasons, classes and hectares, and the curves of zones.

use std::path::PathBuf;
use std::sync::Arc;

use super::curves::{self, Curves};
use super::model::{ByClass, ModelMap, artifact, attach};
use super::output::Files;
use super::series::{SeriesOptions, enter};
use super::{Artifact, Context, Product};
use crate::analysis::recovery::{RecoveryModel, RecoveryPlanes, classes};
use crate::engine::{Outcome, Pass};
use crate::error::{Error, Result};
use crate::io::table;
use crate::scene::{Entered, Scene};
use crate::temporal::recovery::Recovery;
use crate::vector::{Layer, ZoneIndex};

/// What `recovery` computes and where it goes.
#[derive(Clone, Debug)]
pub struct RecoveryOptions {
    /// The annual series.
    pub series: SeriesOptions,
    /// Metrics with their parameters.
    pub recovery: Recovery,
    /// Year of the disturbance where it is the same everywhere.
    pub disturbance: Option<i32>,
    /// Year the recovery starts in where it is the same everywhere.
    pub start: Option<i32>,
    /// Raster: a band a metric, and the reason of the pixel.
    pub output: PathBuf,
    /// Raster of reasons, a band a metric.
    pub reasons: Option<PathBuf>,
    /// Raster of classes of percent recovery.
    pub classes: Option<PathBuf>,
    /// Table of hectares by class and zone.
    pub table: Option<PathBuf>,
    /// Table of the series of zones, year by year.
    pub curves: Option<PathBuf>,
}

/// Years and medians of a reference area: the median of its valid pixels, year by year. `pass` is a pass of its own.
///
/// # Errors
/// Those of the pass; input error where no pixel of the area is ever valid.
pub fn reference(
    mut pass: Pass,
    scenes: &[&Entered],
    series: &SeriesOptions,
    layer: &Layer,
    context: &Context,
) -> Result<(Vec<i32>, Vec<f64>)> {
    let zones = Arc::new(ZoneIndex::build(&curves::joined(layer, "reference")?, pass.grid(), Some("zone"))?);
    let series = enter(&mut pass, scenes, series)?;
    let made = curves::add(&mut pass, series, &zones, context)?;
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    let curve = made.finish(&mut outcome)?.into_iter().next().unwrap_or_default();
    if curve.is_empty() {
        return Err(Error::input(format!(
            "{}: no pixel of the reference area is valid in any year; check masks and dates",
            layer.name
        )));
    }
    let text: Vec<String> = curve.iter().map(|p| format!("{} {:.4}", p.time, p.quartiles[1])).collect();
    context.notes.decide(&format!("reference {}: median by year {}", layer.name, text.join(", ")));
    Ok(curve.iter().map(|p| (p.time as i32, p.quartiles[1])).unzip())
}

/// Adds recovery metrics to a pass. Scenes are entered under different prefixes, in order of time; `reference` is what
/// [`reference()`] found.
///
/// # Errors
/// As [`enter`]; usage error of outputs that cannot be written.
pub fn add(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &RecoveryOptions,
    reference: Option<(Vec<i32>, Vec<f64>)>,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    let files = || [Some(&options.output), options.reasons.as_ref(), options.classes.as_ref()].into_iter().flatten();
    let rasters = files().cloned().collect();
    let checked = Files { rasters, table: options.table.clone(), polygons: None };
    checked.check(&opened, context)?;
    if let Some(path) = &options.curves {
        Files { rasters: Vec::new(), table: Some(path.clone()), polygons: None }.check(&opened, context)?;
    }
    let series = enter(pass, scenes, &options.series)?;
    let curve_series = options.curves.as_ref().map(|_| series.clone());
    let model = RecoveryModel::new(options.recovery, options.disturbance, options.start, reference);
    let map = |path, planes, title| ModelMap { path, planes, title };
    let mut maps = vec![map(&options.output, RecoveryPlanes::METRICS.collect(), "Recovery metrics")];
    maps.extend(options.classes.iter().map(|p| map(p, vec![RecoveryPlanes::CLASSES], "Recovery classes")));
    maps.extend(
        options.reasons.iter().map(|p| map(p, RecoveryPlanes::REASONS.collect(), "Reasons of undefined metrics")),
    );
    let by_class = ByClass {
        plane: RecoveryPlanes::CLASSES,
        classes: classes(),
        quantity: (RecoveryPlanes::PERCENT, "percent_recovery"),
        table: options.table.as_ref(),
    };
    let (model, _) = attach(pass, series, model, &maps, Some(by_class), zones, context)?;
    let curves = match (curve_series, &options.curves) {
        (Some(series), Some(path)) => {
            let zones = zones.map_or_else(|| curves::whole(pass.grid()), |z| Ok(Arc::clone(z)))?;
            let index = options.series.indices.first().map_or("value", |i| i.name.as_str()).to_owned();
            Some(CurveTable { curves: curves::add(pass, series, &zones, context)?, zones, path: path.clone(), index })
        }
        _ => None,
    };
    Ok(Box::new(RecoveryProduct { model, curves }))
}

/// Curves on their way to a table.
struct CurveTable {
    curves: Curves,
    zones: Arc<ZoneIndex>,
    path: PathBuf,
    index: String,
}

struct RecoveryProduct {
    model: Box<dyn Product>,
    curves: Option<CurveTable>,
}

impl Product for RecoveryProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let mut made = self.model.finish(outcome, context)?;
        if let Some(CurveTable { curves, zones, path, index }) = self.curves {
            let points = curves.finish(outcome)?;
            table::write(&path, &curves::table(&zones, &points, &index), context.overwrite)?;
            made.push(artifact(&path, "curves", "Series of zones, year by year"));
        }
        Ok(made)
    }
}
