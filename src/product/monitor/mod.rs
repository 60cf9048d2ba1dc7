//! Near-real-time monitoring: a raster of states from a stack, and from a state and new scenes the next state and its alerts.

mod shared;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::model::artifact;
use super::output::{self, Files};
use super::segment::axis;
use super::series::{SeriesOptions, enter};
use super::{Artifact, Context, Product};
use crate::analysis::monitor::{MonitorFit, MonitorUpdate, Watched, alerts, state_bands};
use crate::analysis::series::Statistic;
use crate::analysis::tallied::TalliedClasses;
use crate::analysis::tally::ClassAreas;
use crate::engine::{Channel, Handle, OutBand, Outcome, Output, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::io::atomic::check_output;
use crate::io::geotiff::{CogSink, CreationOptions};
use crate::raster::Source;
use crate::scene::{Entered, Scene, on_disk};
use crate::temporal::bfast::{BfastMonitor, BfastSettings};
use crate::temporal::monitor::Monitor;
pub use shared::Shared;

/// What `monitor fit` computes and where it goes.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// The series, of one index.
    pub series: SeriesOptions,
    /// History and model; the process must be OLS-CUSUM.
    pub bfast: BfastSettings,
    /// Steps a year of the axis of dates.
    pub frequency: u32,
    /// Raster of the state.
    pub output: PathBuf,
}

/// What `monitor update` reads and where it goes.
#[derive(Clone)]
pub struct UpdateOptions {
    /// Raster of the state so far.
    pub state: Arc<dyn Source>,
    /// What its pixels share.
    pub shared: Shared,
    /// Raster of the state with the new scenes.
    pub output: PathBuf,
    /// Raster of alerts.
    pub alerts: Option<PathBuf>,
}

/// Adds the fit of a state to a pass. Scenes are entered under different prefixes, in order of time.
///
/// # Errors
/// As [`enter`]; usage errors of parameters and of outputs that cannot be written.
pub fn add_fit(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &FitOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    Files { rasters: vec![options.output.clone()], ..Files::default() }.check(&opened, context)?;
    let series = enter(pass, scenes, &options.series)?;
    let index = options.series.indices.first().ok_or_else(|| Error::bug("monitoring of no index"))?.clone();
    let bfast = BfastMonitor::new(options.bfast, axis(&series.days, options.frequency)?)?;
    let monitor = Monitor::of(&bfast)?;
    let shared = Shared { monitor: monitor.clone(), index, settings: options.series.settings.clone() };
    let bands = state_bands(&monitor);
    let plane = |name: &str| bands.iter().position(|b| b.name == name);
    let figures = [("fitted_pixels", plane("sigma")), ("alert_pixels", plane("break_step"))];
    let figures = figures.into_iter().filter_map(|(name, plane)| Some((name, plane?))).collect();
    let sink = state_sink(&options.output, pass.grid(), &bands, &shared, context)?;
    let handle = pass.add(MonitorFit::new(series.dates, bfast, monitor), vec![sink])?;
    let artifact = artifact(&options.output, "state", "State of monitoring");
    Ok(Box::new(FitProduct { handle, figures, artifact }))
}

/// Adds the update of a state to a pass over the grid of the state. Scenes are entered under different prefixes, in order of
/// time; those of one step of the axis are averaged.
///
/// # Errors
/// As [`enter`]; usage errors of outputs that cannot be written.
pub fn add_update(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &UpdateOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    let rasters: Vec<PathBuf> = std::iter::once(&options.output).chain(&options.alerts).cloned().collect();
    let old = [on_disk(options.state.name())];
    rasters.iter().try_for_each(|path| check_output(path, context.overwrite, &old))?;
    Files { rasters, ..Files::default() }.check(&opened, context)?;
    let Shared { monitor, index, settings } = options.shared.clone();
    let indices = vec![index];
    // A scene counts as it is: no periods.
    let values = SeriesOptions { indices, settings, every: None, reduce: Statistic::Mean };
    let series = enter(pass, scenes, &values)?;
    let axis = axis(&series.days, monitor.settings().frequency)?;
    let state = channels(pass, &options.state)?;
    let update = MonitorUpdate::new(series.dates, axis, monitor, state, options.alerts.is_some());
    let (bands, grid) = (update.bands(), pass.grid().clone());
    let planes = update.state_planes();
    let mut sinks = vec![state_sink(&options.output, &grid, &bands[..planes.len()], &options.shared, context)?];
    if let Some(path) = &options.alerts {
        sinks.push(output::raster(path, &grid, &bands, update.alert_planes(), context)?);
    }
    let class_plane = update.class_plane();
    let handle = pass.add(update, sinks)?;
    let values: Vec<u8> = alerts().iter().map(|c| c.value).collect();
    let areas = match output::tally(&grid, None, &values, false, context)? {
        None => None,
        Some(tally) => {
            const CLASSES: &str = "alerts";
            pass.read_plane(CLASSES, &handle, class_plane)?;
            Some(pass.add(TalliedClasses { channel: CLASSES.into(), tally }, Vec::new())?)
        }
    };
    let mut artifacts = vec![artifact(&options.output, "state", "State of monitoring")];
    artifacts.extend(options.alerts.iter().map(|path| artifact(path, "alerts", "Alerts of monitoring")));
    Ok(Box::new(UpdateProduct { handle, areas, artifacts, days: series.days }))
}

/// Fails where the pixels of a scene are not those of the state.
///
/// # Errors
/// Input error that prints the command that aligns the scene.
pub fn check_grid(state: &dyn Source, scene: &Scene) -> Result<()> {
    let (ours, theirs) = (state.grid(), &scene.grid);
    let why = match ours.nest(theirs) {
        Err(e) => e.message().to_owned(),
        Ok(nest) if nest.factor != 1 => format!("its pixels are {} times as large", nest.factor),
        Ok(nest) => {
            let there = crate::grid::Window::new(nest.col, nest.row, theirs.cols, theirs.rows);
            if ours.window().intersect(&there).is_some() {
                return Ok(());
            }
            let [theirs, ours] = [theirs, ours].map(crate::scene::extent::describe);
            return Err(Error::input(format!(
                "{} has no pixel in common with the state {}: extents {theirs} and {ours}",
                scene.name,
                state.name()
            )));
        }
    };
    let (state, files) = (state.name(), scene.files());
    let file = scene.origin.first().or(files.first()).map_or_else(|| "SCENE".into(), |f| f.display().to_string());
    Err(Error::input(format!(
        "{} is not on the grid of the state {state}: {why}; resample on the fly with --align {state}, or once with: \
         regrow align {file} --to {state} -o aligned.tif",
        scene.name
    )))
}

/// Adds the bands of a state to a pass; gives the names of their channels.
fn channels(pass: &mut Pass, state: &Arc<dyn Source>) -> Result<Vec<String>> {
    let mut names = Vec::with_capacity(state.bands().len());
    for (at, band) in state.bands().iter().enumerate() {
        let name = format!("state {}", band.name);
        pass.channel(Channel {
            name: name.clone(),
            source: Arc::clone(state),
            band: at,
            scale: 1.0,
            offset: 0.0,
            nodata: band.nodata,
            valid: None,
            masks: Vec::new(),
        })?;
        names.push(name);
    }
    Ok(names)
}

/// The raster of a state. It is read by the next update, not looked at: no overviews unless they are asked for. Nor a predictor,
/// which would take a tenth off the file and cost an update two thirds more time.
fn state_sink(path: &Path, grid: &Grid, bands: &[OutBand], shared: &Shared, context: &Context) -> Result<Output> {
    let mut creation = [("OVERVIEWS", "NONE"), ("PREDICTOR", "NO")].map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    creation.extend(context.creation.iter().cloned());
    let options = CreationOptions::parse(&creation)?;
    if options.scale.is_some() {
        return Err(Error::usage("monitor: a state keeps numbers as they are computed; leave out --co SCALE"));
    }
    let sink = CogSink::create_with(path, grid, bands, &options, &shared.metadata(), context.overwrite)?;
    Ok(Output { sink, planes: (0..bands.len()).collect() })
}

struct FitProduct {
    handle: Handle<()>,
    /// Figures, and the planes whose valid pixels they count.
    figures: Vec<(&'static str, usize)>,
    artifact: Artifact,
}

impl Product for FitProduct {
    fn finish(mut self: Box<Self>, outcome: &mut Outcome, _: &Context) -> Result<Vec<Artifact>> {
        let moments = outcome.moments_of(&self.handle);
        let count = |plane: usize| Value::from(moments.get(plane).map_or(0, |m| m.count));
        self.artifact.figures = self.figures.iter().map(|(name, plane)| ((*name).to_owned(), count(*plane))).collect();
        Ok(vec![self.artifact])
    }
}

struct UpdateProduct {
    handle: Handle<Watched>,
    /// Hectares by class; none where the grid has no place.
    areas: Option<Handle<ClassAreas>>,
    artifacts: Vec<Artifact>,
    days: Vec<Date>,
}

impl Product for UpdateProduct {
    fn finish(mut self: Box<Self>, outcome: &mut Outcome, _: &Context) -> Result<Vec<Artifact>> {
        let watched = outcome.take(&self.handle)?;
        let days: Vec<String> = self.days.iter().map(ToString::to_string).collect();
        let mut figures = Map::new();
        figures.insert("scenes".to_owned(), days.join(" ").into());
        figures.insert("monitored_pixels".to_owned(), watched.monitored.into());
        figures.insert("observed_pixels".to_owned(), watched.observed.into());
        figures.insert("new_alert_pixels".to_owned(), watched.new_alerts.into());
        figures.insert("earlier_alert_pixels".to_owned(), watched.earlier_alerts.into());
        if let Some(areas) = &self.areas {
            let areas = outcome.take(areas)?;
            for (k, class) in alerts().iter().enumerate() {
                figures.insert(output::hectare_column(class), areas.hectares(None, k).into());
            }
        }
        if let Some(first) = self.artifacts.first_mut() {
            first.figures = figures;
        }
        Ok(self.artifacts)
    }
}
