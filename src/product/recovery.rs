//! Recovery after disturbance: metrics, their reasons, classes and hectares, and the curves of zones.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Map;

use super::curves::{self, Curves, Point};
use super::output::{self, Files, class_table, number};
use super::series::{SeriesOptions, enter};
use super::{Artifact, Context, Product};
use crate::analysis::recovery::{RecoveryModel, RecoveryPlanes, classes};
use crate::analysis::series::SeriesAnalysis;
use crate::analysis::tallied::TalliedClasses;
use crate::analysis::tally::{ClassAreas, ClassTally};
use crate::analysis::zonal::{Statistic, Zonal, ZonalChannel, ZonalSums};
use crate::engine::{Handle, Outcome, Output, Pass};
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
    let model = RecoveryModel::new(options.recovery, options.disturbance, options.start, reference);
    let bands = crate::analysis::series::SeriesModel::bands(&model);
    let grid = pass.grid().clone();
    let mut outputs: Vec<Output> = Vec::new();
    let mut sink = |path: &PathBuf, planes: Vec<usize>| -> Result<()> {
        outputs.push(output::raster(path, &grid, &bands, planes, context)?);
        Ok(())
    };
    sink(&options.output, RecoveryPlanes::METRICS.collect())?;
    options.classes.iter().try_for_each(|path| sink(path, vec![RecoveryPlanes::CLASSES]))?;
    options.reasons.iter().try_for_each(|path| sink(path, RecoveryPlanes::REASONS.collect()))?;
    let clip = pass.area_of_interest().cloned();
    let curve_series = options.curves.as_ref().map(|_| series.clone());
    let analysis = SeriesAnalysis::new(series.dates, series.periods, clip, model);
    let handle = pass.add(analysis, outputs)?;
    let areas = areas(pass, &handle, options, zones, context)?;
    let quartiles = match (&options.table, zones) {
        (Some(_), Some(zones)) => Some(quartiles(pass, &handle, zones, context)?),
        _ => None,
    };
    let curves = match curve_series {
        Some(series) => {
            let zones = zones.map_or_else(|| curves::whole(pass.grid()), |z| Ok(Arc::clone(z)))?;
            Some((curves::add(pass, series, &zones, context)?, zones))
        }
        None => None,
    };
    Ok(Box::new(RecoveryProduct { handle, areas, quartiles, curves, options: options.clone(), zones: zones.cloned() }))
}

/// Hectares of the classes, read back from the planes of the pass.
fn areas(
    pass: &mut Pass,
    handle: &Handle<()>,
    options: &RecoveryOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Option<Handle<ClassAreas>>> {
    let values: Vec<u8> = classes().iter().map(|c| c.value).collect();
    let needed = options.table.is_some();
    let Some(tally): Option<ClassTally> = output::tally(pass.grid(), zones, &values, needed, context)? else {
        return Ok(None);
    };
    pass.read_plane("recovery class", handle, RecoveryPlanes::CLASSES)?;
    let analysis = TalliedClasses { channel: "recovery class".into(), tally };
    pass.add(analysis, Vec::new()).map(Some)
}

/// Quartiles of percent recovery by zone, read back from the planes of the pass.
fn quartiles(
    pass: &mut Pass,
    handle: &Handle<()>,
    zones: &Arc<ZoneIndex>,
    context: &Context,
) -> Result<Handle<ZonalSums>> {
    pass.read_plane(PERCENT, handle, RecoveryPlanes::PERCENT)?;
    let bytes = Zonal::most_bytes(zones, 1, true).min(context.limits.memory / 4);
    let zonal = Zonal::new(percent(), Arc::clone(zones), None, Some(bytes), pass.grid().window()).rounded();
    pass.add(zonal, Vec::new())
}

/// Name of the plane of percent recovery where it is read back.
const PERCENT: &str = "percent recovery";

fn percent() -> Vec<ZonalChannel> {
    vec![ZonalChannel { name: PERCENT.into(), pixels_per_own: 1.0 }]
}

struct RecoveryProduct {
    handle: Handle<()>,
    areas: Option<Handle<ClassAreas>>,
    quartiles: Option<Handle<ZonalSums>>,
    curves: Option<(Curves, Arc<ZoneIndex>)>,
    options: RecoveryOptions,
    zones: Option<Arc<ZoneIndex>>,
}

impl Product for RecoveryProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let mean = outcome.moments_of(&self.handle).get(RecoveryPlanes::PERCENT).and_then(|m| m.mean());
        let valid = outcome.moments_of(&self.handle).get(RecoveryPlanes::PERCENT).map_or(0, |m| m.count);
        let mut figures = Map::new();
        figures.insert("percent_recovery_pixels".into(), valid.into());
        figures.insert("percent_recovery_mean".into(), mean.into());
        let mut made = Vec::new();
        if let Some(handle) = &self.areas {
            let areas = outcome.take(handle)?;
            for (k, class) in classes().iter().enumerate() {
                figures.insert(output::hectare_column(class), areas.hectares(None, k).into());
            }
            if let Some(path) = &self.options.table {
                self.table(path, &areas, outcome, mean, context)?;
                made.push(artifact(path, "table", "Hectares by recovery class"));
            }
        }
        if let Some((curves, zones)) = self.curves
            && let Some(path) = &self.options.curves
        {
            let points: Vec<Vec<Point>> = curves.finish(outcome)?;
            let index = self.options.series.indices.first().map_or("value", |i| i.name.as_str());
            table::write(path, &curves::table(&zones, &points, index), context.overwrite)?;
            made.push(artifact(path, "curves", "Series of zones, year by year"));
        }
        for (path, title) in [(&self.options.classes, "Recovery classes"), (&self.options.reasons, "Reasons")] {
            made.extend(path.iter().map(|path| artifact(path, "recovery", title)));
        }
        let main = Artifact { figures, ..artifact(&self.options.output, "recovery", "Recovery metrics") };
        made.insert(0, main);
        Ok(made)
    }
}

fn artifact(path: &std::path::Path, role: &str, title: &str) -> Artifact {
    Artifact { path: path.to_owned(), role: role.into(), title: title.into(), figures: Map::new() }
}

impl RecoveryProduct {
    fn table(
        &self,
        path: &std::path::Path,
        areas: &ClassAreas,
        outcome: &mut Outcome,
        mean: Option<f64>,
        context: &Context,
    ) -> Result<()> {
        let quartile = |q| Statistic::Quantile(q, String::new());
        let statistics = [Statistic::Mean, quartile(0.25), quartile(0.5), quartile(0.75)];
        let mut found: Vec<Vec<Option<f64>>> = Vec::new();
        if let (Some(handle), Some(zones)) = (&self.quartiles, &self.zones) {
            let sums = outcome.take(handle)?;
            Zonal::results(zones, &percent(), sums, &statistics, |_, _, values| found.push(values))?;
        }
        let of = |zone: Option<usize>, k: usize| zone.and_then(|z| found.get(z)?.get(k).copied().flatten());
        let zones = self.zones.as_deref();
        let mut table = class_table(zones, &classes(), areas, "percent_recovery_mean", |zone| match zone {
            None => mean,
            zone => of(zone, 0),
        });
        if zones.is_some() {
            table.columns.extend(["q25", "median", "q75"].map(|s| format!("percent_recovery_{s}")));
            for (zone, row) in table.rows.iter_mut().enumerate() {
                row.extend((1..4).map(|k| number(of(Some(zone), k))));
            }
        }
        table::write(path, &table, context.overwrite)
    }
}
