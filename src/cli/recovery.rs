//! `regrow recovery`.

use std::path::PathBuf;
use std::str::FromStr;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::Zones;
use super::series_args::SeriesArgs;
use crate::error::{Error, Result};
use crate::product::period::Every;
use crate::product::recovery::{self, RecoveryOptions};
use crate::temporal::recovery::{Recovery, RecoverySettings, Target};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(after_help = "Bands: disturbance and start of recovery (years), the index before, at the start, its drop, \
                        delta_index (last minus first year), delta_ir, yryr, ri, rri, r80p, y2r, percent_recovery, \
                        percent_of_target, percent_of_reference, relative_to_reference_percent, and the reason code of the \
                        pixel: 0 all is defined, 1 not recovered yet, 2 no disturbance, 3 drop too small, 4 no observation \
                        before it, 5 none at the start, 6 none in the year compared, 7 window beyond the end of the series, \
                        8 gap too long, 9 too few years, 10 no reference, 11 target not positive, 12 not a finite number. It \
                        is that of y2r, else that of percent_recovery, r80p or rri; --reasons tells it for every metric.")]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster: a band a metric, and the reason code of the pixel
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Raster of reason codes, a band a metric
    #[arg(long, value_name = "FILE")]
    reasons: Option<PathBuf>,
    /// Raster of classes of percent recovery
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Hectares by class, and percent recovery by zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Series of every zone (or of all pixels), year by year: count, mean, standard deviation, quartiles
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// Year of the disturbance, where it is the same everywhere [default: the greatest lasting drop of each pixel]
    #[arg(long, value_name = "YEAR")]
    disturbance: Option<i32>,
    /// Year the recovery starts in, where it is the same everywhere [default: the lowest of the disturbance and two years on]
    #[arg(long, value_name = "YEAR")]
    start: Option<i32>,
    /// What counts as recovered: pre (the years before the disturbance), reference (--reference), or a value of the index
    #[arg(long, value_name = "TARGET", default_value = "pre", allow_hyphen_values = true)]
    target: TargetName,
    /// Polygons of an analogue site; its median of every year is what percent_of_reference and --target reference compare with
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Years of the window of delta_ir, yryr, ri, rri and r80p
    #[arg(long, value_name = "YEARS", default_value_t = 5)]
    window: u32,
    /// Share of the target that y2r and r80p ask for
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    share: f64,
    /// Drop of the index that a disturbance has to pass to be found
    #[arg(long, value_name = "DROP", default_value_t = 0.1)]
    find_drop: f64,
    /// Year the percentages and delta_index are taken in [default: the last valid one of each pixel]
    #[arg(long, value_name = "YEAR")]
    year: Option<i32>,
    /// The index rises with bare ground (BSI)
    #[arg(long)]
    more_is_bare: bool,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// What `--target` names.
#[derive(Clone, Copy, Debug)]
struct TargetName(Target);

impl FromStr for TargetName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "pre" => Target::Before,
            "reference" => Target::Reference,
            _ => Target::Fixed(text.parse().map_err(|_| "write pre, reference, or a value of the index".to_owned())?),
        }))
    }
}

/// Measures recovery.
///
/// # Errors
/// Usage errors of parameters; those of opening the scenes and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let recovery = args.recovery()?;
    let context = args.common.context()?;
    let every = Some(Every::Year);
    if args.series.options(every)?.every != every {
        return Err(Error::usage("recovery compares years; leave out --every, or give --every year"));
    }
    let both = (&args.common, &args.scene);
    let mut stack = args.series.open(&args.inputs, "recovery", every, both, &context)?;
    let zones = args.zones.build(stack.pass.grid(), &context)?;
    let reference = args.reference.as_ref().filter(|_| !args.common.explain);
    let reference = reference.map(|path| stack.reference(path, &args.common, &context)).transpose()?;
    let options = RecoveryOptions {
        series: stack.options.clone(),
        recovery,
        disturbance: args.disturbance,
        start: args.start,
        output: args.output.clone(),
        reasons: args.reasons.clone(),
        classes: args.classes.clone(),
        table: args.table.clone(),
        curves: args.curves.clone(),
    };
    let entered = stack.scenes.iter().collect::<Vec<_>>();
    let product = recovery::add(&mut stack.pass, &entered, &options, reference, zones.as_ref(), &context)?;
    execute(stack.pass, vec![product], &args.common, &context)
}

impl Args {
    fn recovery(&self) -> Result<Recovery> {
        if matches!(self.target.0, Target::Reference) && self.reference.is_none() {
            return Err(Error::usage("--target reference needs --reference, the polygons of an analogue site"));
        }
        Recovery::new(RecoverySettings {
            window: self.window,
            share: self.share,
            target: self.target.0,
            find_drop: Some(self.find_drop),
            year: self.year,
            more_is_bare: self.more_is_bare,
            ..RecoverySettings::default()
        })
    }
}
