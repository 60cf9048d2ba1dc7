//! `regrow monitor`.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::civil::Date;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::segment::{HistoryName, Start};
use super::series_args::SeriesArgs;
use crate::engine::Pass;
use crate::error::{Error, Result};
use crate::product::composite::date;
use crate::product::monitor::{self, FitOptions, Shared, UpdateOptions};
use crate::scene::Alignment;
use crate::temporal::bfast::{BfastSettings, Process};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand, Debug)]
enum Step {
    /// Fit the stable history of a stack and write the state that updates go on from
    Fit(Box<FitArgs>),
    /// Add new scenes to a state, without the archive, and tell alerts
    Update(Box<UpdateArgs>),
}

/// Arguments of `monitor fit`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A season (and trend) is fitted to what is before --monitor-start; the sum of the residuals since is compared \
                        with its boundary (OLS-CUSUM, as `segment --method bfast-monitor --process cusum`). The state holds the \
                        model and what the sum needs, a band each, and tells index and formula to the updates. Of stable series \
                        the share of --level gets an alert without --trend; with --trend it is several times as much."
)]
struct FitArgs {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster of the state
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Start of monitoring (YYYY-MM-DD, or a decimal year); what is before it is history
    #[arg(long, value_name = "DATE")]
    monitor_start: Start,
    /// Part of the history that is fitted: all, roc (stable by reverse-ordered CUSUM) or bp (after its last breakpoint)
    #[arg(long, value_enum, default_value = "roc")]
    history: HistoryName,
    /// Harmonics of the year
    #[arg(long, value_name = "N", default_value_t = 1)]
    order: u32,
    /// The model has a linear trend
    #[arg(long)]
    trend: bool,
    /// Significance level of alerts, and of the test of the history
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    level: f64,
    /// Steps a year of the axis that dates are put on; scenes of one step are averaged, and belong into one update
    #[arg(long, value_name = "N", default_value_t = 365)]
    frequency: u32,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Arguments of `monitor update`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Bands of --alerts: alert_decimal_year (first observation outside the boundary), confidence (largest 1 - p so \
                        far), outside_in_a_row (observations up to the last one), state: 0 no alert, 1 alert since these scenes, 2 \
                        alert before. A scene that is not newer than the last observation of a pixel is an error."
)]
struct UpdateArgs {
    /// State that `monitor fit` or an update wrote
    #[arg(value_name = "STATE")]
    state: PathBuf,
    /// New scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster of the state with the new scenes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Raster of alerts
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// First date that is used (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last date that is used
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Fits a state, or brings one up to date.
///
/// # Errors
/// Usage errors of parameters; those of opening the scenes and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    match &args.step {
        Step::Fit(args) => fit(args),
        Step::Update(args) => update(args),
    }
}

fn fit(args: &FitArgs) -> Result<Finish> {
    if args.series.options(None)?.every.is_some() {
        return Err(Error::usage("--every: monitoring takes all dates"));
    }
    let context = args.common.context()?;
    let both = (&args.common, &args.scene);
    let mut stack = args.series.open(&args.inputs, "monitor fit", None, both, &context)?;
    let bfast = BfastSettings {
        monitor_start: args.monitor_start.0,
        trend: args.trend,
        order: args.order,
        history: args.history.into(),
        process: Process::Cusum,
        level: args.level,
    };
    let options =
        FitOptions { series: stack.options.clone(), bfast, frequency: args.frequency, output: args.output.clone() };
    let entered = stack.scenes.iter().collect::<Vec<_>>();
    let product = monitor::add_fit(&mut stack.pass, &entered, &options, &context)?;
    execute(stack.pass, vec![product], &args.common, &context)
}

fn update(args: &UpdateArgs) -> Result<Finish> {
    if args.common.aoi.is_some() {
        return Err(Error::usage("--aoi: an update covers the whole state; give --aoi to `monitor fit`"));
    }
    let context = args.common.context()?;
    let state = args.common.raster(&args.state, &context)?;
    let shared = Shared::of(state.as_ref())?;
    context.notes.decide(&format!("{}: index {} = {}", state.name(), shared.index.name, shared.index.formula.trim()));
    let mut scenes = args.scene.open_stack(&args.inputs, &args.common, &context)?;
    let all = scenes.len();
    let mut wanted = Vec::with_capacity(all);
    for scene in scenes.drain(..) {
        let day = date(&scene)?;
        if args.from.is_none_or(|from| day >= from) && args.to.is_none_or(|to| day <= to) {
            wanted.push(scene);
        }
    }
    if wanted.is_empty() {
        return Err(Error::input(format!("none of {all} dates lies within --from and --to")));
    }
    if args.scene.align.is_some() {
        wanted = args.scene.together(wanted, Alignment::Union, &context)?.1;
    }
    wanted.iter().try_for_each(|scene| monitor::check_grid(state.as_ref(), scene))?;
    let mut pass = Pass::new("monitor update", state.grid().clone());
    let mut entered = Vec::with_capacity(wanted.len());
    for (i, scene) in wanted.iter().enumerate() {
        entered.push(scene.enter(&mut pass, &format!("{i}:"))?);
    }
    let options = UpdateOptions { state, shared, output: args.output.clone(), alerts: args.alerts.clone() };
    let product = monitor::add_update(&mut pass, &entered.iter().collect::<Vec<_>>(), &options, &context)?;
    execute(pass, vec![product], &args.common, &context)
}
