//! `regrow segment`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use jiff::civil::Date;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::series_args::SeriesArgs;
use crate::analysis::segment::Reported;
use crate::error::{Error, Result};
use crate::product::period::Every;
use crate::product::segment::{self, CcdcChoice, SegmentMethod, SegmentOptions};
use crate::product::series::decimal_year;
use crate::temporal::bfast::{BfastSettings, History, Process};
use crate::temporal::ccdc::{Settings as CcdcSettings, Variant};
use crate::temporal::landtrendr::LandTrendrSettings;
use crate::temporal::segments::{ChangeRule, Loss, Selection};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "landtrendr: bands disturbance_ and recovery_ with year, magnitude, duration_years, rate_per_year, pre_value \
                        and signal_to_noise of the greatest change (newest_ and longest_ with --select), segments, p_value, \
                        rmse, and the vertices. The year of a change is the first with it: its vertex and one.\n\
                        bfast-monitor: break_decimal_year, break_year, magnitude (median residual since the start of \
                        monitoring), history, sigma, and state: 0 no break, 1 break, 2 too few observations in the history, \
                        3 history does not determine the model, 4 no variation, 5 nothing observed since the start.\n\
                        ccdc, cold: number of segments and breaks, the greatest loss and gain of vegetation, the newest break, \
                        and the first breaks one by one; magnitudes are root mean squares over the bands, negative for losses."
)]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// landtrendr (years), bfast-monitor, ccdc or cold (all dates; blue, green, red, nir, swir16, swir22 as far as they are there,
    /// or one --index)
    #[arg(long, value_enum, default_value_t)]
    method: MethodName,
    #[command(flatten)]
    parameters: MethodArgs,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// The methods by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// LandTrendr.
    #[default]
    Landtrendr,
    /// BFAST Monitor.
    BfastMonitor,
    /// CCDC.
    Ccdc,
    /// COLD.
    Cold,
}

/// Parameters of all methods.
#[derive(clap::Args, Clone, Debug)]
pub struct MethodArgs {
    /// The index rises when vegetation is lost (BSI)
    #[arg(long)]
    more_is_bare: bool,
    #[command(flatten)]
    landtrendr: LandTrendrArgs,
    #[command(flatten)]
    bfast: BfastArgs,
    #[command(flatten)]
    ccdc: CcdcArgs,
}

/// Options of LandTrendr; absent ones have the defaults of the original.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "LandTrendr")]
struct LandTrendrArgs {
    /// Raster of the fitted path, a band a year
    #[arg(long, value_name = "FILE")]
    fitted: Option<PathBuf>,
    /// Changes that are told, of each kind: greatest, newest, longest; several separated by commas [default: greatest]
    #[arg(long, value_name = "WHICH,...", value_delimiter = ',')]
    select: Vec<Select>,
    /// Least change of the index that counts [default: 0.1]
    #[arg(long, value_name = "CHANGE")]
    min_magnitude: Option<f64>,
    /// Value that a disturbance has to start from at least
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    min_pre: Option<f64>,
    /// Segments of one direction are one change where their angles are this near, in degrees (15)
    #[arg(long, value_name = "DEGREES")]
    merge: Option<f64>,
    /// Most segments [default: 6]
    #[arg(long, value_name = "N")]
    max_segments: Option<usize>,
    /// Spikes are damped until their share is at most this; 1 leaves them [default: 0.9]
    #[arg(long, value_name = "SHARE")]
    spike: Option<f64>,
    /// Candidate vertices beyond those of the most segments [default: 3]
    #[arg(long, value_name = "N")]
    vertex_overshoot: Option<usize>,
    /// Largest p of a path that is not flat [default: 0.05]
    #[arg(long, value_name = "P")]
    pval: Option<f64>,
    /// Fastest recovery, as a share of the range a year; 1 allows any [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    recovery: Option<f64>,
    /// Models with more segments are kept while p is at most 2 minus this times the lowest [default: 0.75]
    #[arg(long, value_name = "SHARE")]
    best_model: Option<f64>,
    /// Fewest years with a value for a fit [default: 6]
    #[arg(long, value_name = "N")]
    min_obs: Option<usize>,
    /// Least p told apart; 1e-7 imitates programs of single precision
    #[arg(long, value_name = "P")]
    p_floor: Option<f64>,
    /// No recovery within one year
    #[arg(long)]
    prevent_one_year_recovery: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Select {
    Greatest,
    Newest,
    Longest,
}

/// Options of BFAST Monitor; absent ones have the published defaults.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "BFAST Monitor")]
struct BfastArgs {
    /// Start of monitoring (YYYY-MM-DD, or a decimal year); what is before it is history
    #[arg(long, value_name = "DATE")]
    monitor_start: Option<Start>,
    /// Part of the history that is fitted: all, roc (stable by reverse-ordered CUSUM) or bp (after its last breakpoint)
    /// [default: roc]
    #[arg(long, value_enum)]
    history: Option<HistoryName>,
    /// Monitoring process: mosum (moving sum) or cusum (with a confidence) [default: mosum]
    #[arg(long, value_enum)]
    process: Option<ProcessName>,
    /// Window of the moving sum as a share of the history: 0.25, 0.5 or 1 [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    h: Option<f64>,
    /// Horizon that the level of the moving sum holds for, in lengths of the history: 2, 4, 6, 8 or 10 [default: 10]
    #[arg(long, value_name = "N")]
    period: Option<u32>,
    /// Significance level [default: 0.05]
    #[arg(long, value_name = "P")]
    level: Option<f64>,
    /// Harmonics of the year [default: 3]
    #[arg(long, value_name = "N")]
    order: Option<u32>,
    /// The model has no linear trend
    #[arg(long)]
    no_trend: bool,
    /// Steps a year of the axis that dates are put on [default: 365]
    #[arg(long, value_name = "N")]
    frequency: Option<u32>,
}

/// Part of a history, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HistoryName {
    All,
    Roc,
    Bp,
}

impl From<HistoryName> for History {
    fn from(name: HistoryName) -> Self {
        match name {
            HistoryName::All => Self::All,
            HistoryName::Roc => Self::Roc,
            HistoryName::Bp => Self::Bp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProcessName {
    Mosum,
    Cusum,
}

/// Options of CCDC and COLD; absent ones have the published defaults.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "CCDC and COLD")]
struct CcdcArgs {
    /// Observations in a row that confirm a break [default: 6]
    #[arg(long, value_name = "N")]
    conse: Option<usize>,
    /// Probability of the chi-square threshold of a break [default: 0.99]
    #[arg(long, value_name = "P")]
    probability: Option<f64>,
    /// Weight of the LASSO penalty [default: 20]
    #[arg(long, value_name = "W")]
    lambda: Option<f64>,
    /// Breaks with bands of their own [default: 3]
    #[arg(long, value_name = "N")]
    max_breaks: Option<u8>,
}

/// A date or decimal year, as a decimal year.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start(pub(super) f64);

impl FromStr for Start {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let date = text.parse::<Date>().ok().map(decimal_year);
        let year = || text.parse::<f64>().ok().filter(|y| (1900.0..2200.0).contains(y));
        date.or_else(year).map(Self).ok_or_else(|| "write a date (2018-01-01) or a decimal year (2018.5)".to_owned())
    }
}

/// Segments series.
///
/// # Errors
/// Usage errors of parameters; those of opening the scenes and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let method = args.parameters.method(args.method, args.series.names_index())?;
    let every = (args.method == MethodName::Landtrendr).then_some(Every::Year);
    if args.series.options(every)?.every != every {
        let needs = if every.is_some() { "takes a value a year: --every year, or none" } else { "takes all dates" };
        return Err(Error::usage(format!("--every: this method {needs}")));
    }
    let context = args.common.context()?;
    let both = (&args.common, &args.scene);
    let mut stack = args.series.open(&args.inputs, "segment", every, both, &context)?;
    let options = SegmentOptions {
        series: stack.options.clone(),
        method,
        output: args.output.clone(),
        fitted: args.parameters.landtrendr.fitted.clone(),
    };
    let entered = stack.scenes.iter().collect::<Vec<_>>();
    let product = segment::add(&mut stack.pass, &entered, &options, &context)?;
    execute(stack.pass, vec![product], &args.common, &context)
}

impl MethodArgs {
    /// Options of a method that was not asked for would be passed over in silence: they are errors.
    fn check(&self, method: Option<MethodName>) -> Result<()> {
        let (l, b, c) = (&self.landtrendr, &self.bfast, &self.ccdc);
        let landtrendr = [
            ("--fitted", l.fitted.is_some()),
            ("--select", !l.select.is_empty()),
            ("--min-magnitude", l.min_magnitude.is_some()),
            ("--min-pre", l.min_pre.is_some()),
            ("--merge", l.merge.is_some()),
            ("--max-segments", l.max_segments.is_some()),
            ("--spike", l.spike.is_some()),
            ("--vertex-overshoot", l.vertex_overshoot.is_some()),
            ("--pval", l.pval.is_some()),
            ("--recovery", l.recovery.is_some()),
            ("--best-model", l.best_model.is_some()),
            ("--min-obs", l.min_obs.is_some()),
            ("--p-floor", l.p_floor.is_some()),
            ("--prevent-one-year-recovery", l.prevent_one_year_recovery),
        ];
        let bfast = [
            ("--monitor-start", b.monitor_start.is_some()),
            ("--history", b.history.is_some()),
            ("--process", b.process.is_some()),
            ("--h", b.h.is_some()),
            ("--period", b.period.is_some()),
            ("--level", b.level.is_some()),
            ("--order", b.order.is_some()),
            ("--no-trend", b.no_trend),
            ("--frequency", b.frequency.is_some()),
        ];
        let ccdc = [
            ("--conse", c.conse.is_some()),
            ("--probability", c.probability.is_some()),
            ("--lambda", c.lambda.is_some()),
            ("--max-breaks", c.max_breaks.is_some()),
        ];
        let of = |of: MethodName| Some(of) != method;
        let foreign = landtrendr
            .iter()
            .filter(|_| of(MethodName::Landtrendr))
            .map(|o| (o, "landtrendr"))
            .chain(bfast.iter().filter(|_| of(MethodName::BfastMonitor)).map(|o| (o, "bfast-monitor")))
            .chain(ccdc.iter().filter(|_| of(MethodName::Ccdc) && of(MethodName::Cold)).map(|o| (o, "ccdc or cold")))
            .find(|((_, given), _)| *given);
        match foreign {
            Some(((option, _), method)) => Err(Error::usage(format!("{option} is an option of --method {method}"))),
            None => Ok(()),
        }
    }

    fn loss(&self) -> Loss {
        if self.more_is_bare { Loss::Rises } else { Loss::Falls }
    }

    /// No method at all.
    ///
    /// # Errors
    /// Usage error where an option of one is given.
    pub fn none(&self) -> Result<()> {
        self.check(None)
    }

    /// The order of a harmonic model, which has no other parameter here.
    ///
    /// # Errors
    /// As [`MethodArgs::none`].
    pub fn only_order(&self) -> Result<Option<u32>> {
        let mut rest = self.clone();
        rest.bfast.order = None;
        rest.none().map(|()| self.bfast.order)
    }

    /// A method with its parameters; CCDC and COLD read all bands unless the series is of one `index`.
    ///
    /// # Errors
    /// Usage errors of parameters that are out of range or of another method.
    pub fn method(&self, method: MethodName, index: bool) -> Result<SegmentMethod> {
        self.check(Some(method))?;
        match method {
            MethodName::Landtrendr => self.landtrendr(),
            MethodName::BfastMonitor => self.bfast(),
            MethodName::Ccdc => Ok(self.ccdc(Variant::Ccdc, !index)),
            MethodName::Cold => Ok(self.ccdc(Variant::Cold, !index)),
        }
    }

    fn landtrendr(&self) -> Result<SegmentMethod> {
        let (given, d) = (&self.landtrendr, LandTrendrSettings::default());
        let settings = LandTrendrSettings {
            max_segments: given.max_segments.unwrap_or(d.max_segments),
            spike: given.spike.unwrap_or(d.spike),
            overshoot: given.vertex_overshoot.unwrap_or(d.overshoot),
            pval: given.pval.unwrap_or(d.pval),
            recovery: given.recovery.unwrap_or(d.recovery),
            best_model: given.best_model.unwrap_or(d.best_model),
            min_obs: given.min_obs.unwrap_or(d.min_obs),
            p_floor: given.p_floor,
            prevent_one_year_recovery: given.prevent_one_year_recovery,
            loss: self.loss(),
            ..d
        };
        if let Some(merge) = given.merge.filter(|m| !(0.0..=180.0).contains(m)) {
            return Err(Error::usage(format!("--merge: {merge}, expected 0 to 180 degrees")));
        }
        let rule = ChangeRule::new(self.loss(), given.min_magnitude.unwrap_or(0.1), given.min_pre)?;
        let mut selections: Vec<Selection> = Vec::new();
        for select in if given.select.is_empty() { &[Select::Greatest][..] } else { &given.select } {
            let selection = match select {
                Select::Greatest => Selection::Greatest,
                Select::Newest => Selection::Newest,
                Select::Longest => Selection::Longest,
            };
            if !selections.contains(&selection) {
                selections.push(selection);
            }
        }
        Ok(SegmentMethod::LandTrendr(settings, Reported { rule, selections, merge: given.merge }))
    }

    fn bfast(&self) -> Result<SegmentMethod> {
        let given = &self.bfast;
        let start = given.monitor_start.ok_or_else(|| {
            Error::usage("--method bfast-monitor needs --monitor-start, the date up to which the history is stable")
        })?;
        let d = BfastSettings::new(start.0);
        let process = match given.process.unwrap_or(ProcessName::Mosum) {
            ProcessName::Mosum => {
                Process::Mosum { window: given.h.unwrap_or(0.25), period: given.period.unwrap_or(10) }
            }
            ProcessName::Cusum if given.h.is_some() || given.period.is_some() => {
                return Err(Error::usage("--h and --period are of --process mosum"));
            }
            ProcessName::Cusum => Process::Cusum,
        };
        let history = given.history.map_or(d.history, History::from);
        let settings = BfastSettings {
            trend: !given.no_trend,
            order: given.order.unwrap_or(d.order),
            history,
            process,
            level: given.level.unwrap_or(d.level),
            ..d
        };
        Ok(SegmentMethod::BfastMonitor(settings, given.frequency.unwrap_or(365)))
    }

    fn ccdc(&self, variant: Variant, bands: bool) -> SegmentMethod {
        let d = if bands { CcdcSettings::reflectance(variant) } else { CcdcSettings::index(variant) };
        let settings = CcdcSettings {
            conse: self.ccdc.conse.unwrap_or(d.conse),
            probability: self.ccdc.probability.unwrap_or(d.probability),
            lambda: self.ccdc.lambda.unwrap_or(d.lambda),
            ..d
        };
        let breaks = usize::from(self.ccdc.max_breaks.unwrap_or(3));
        SegmentMethod::Ccdc(CcdcChoice { settings, bands, loss: self.loss(), breaks })
    }
}
