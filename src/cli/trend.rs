//! `regrow trend`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::Zones;
use super::series_args::SeriesArgs;
use crate::error::{Error, Result};
use crate::product::trend::{self, Method, Seasons, TrendOptions};
use crate::temporal::trend::classes::TrendClasses;
use crate::temporal::trend::mann_kendall::{Correction, MannKendall, Prewhitening};
use crate::temporal::trend::theil_sen::Limits;

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(after_help = "Bands: slope_per_year, intercept (value at the year 0), p_value, tau, n, first_decimal_year, \
                        last_decimal_year. p_value and tau are of the Mann-Kendall test, of --method ols p_value is of the \
                        t-test; of --method harmonic they are of the series less its waves, whose amplitudes, phases (radians \
                        from the turn of the year), peak, rmse and r2 follow. Pixels with fewer than 4 valid dates have no trend. \
                        Classes 1 to 9: very significant, significant, slight and non-significant degradation, stable, and the \
                        same of improvement (|Z| 2.58, 1.96, 1.645).")]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster: a band a figure of the trend
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// theil-sen, ols or harmonic
    #[arg(long, value_enum, default_value_t)]
    method: MethodName,
    /// Theil-Sen and Mann-Kendall within months or quarters of the year
    #[arg(long, value_enum)]
    seasonal: Option<SeasonName>,
    /// The seasons of a year depend on each other (Hirsch & Slack)
    #[arg(long, requires = "seasonal")]
    correlated: bool,
    /// Significance from the series of the 3 x 3 neighbourhood (contextual Mann-Kendall); slopes stay those of the pixel
    #[arg(long)]
    contextual: bool,
    /// What is done about autocorrelation: none, pw, tfpw, hamed-rao or yue-wang
    #[arg(long, value_name = "METHOD", default_value = "none")]
    prewhiten: Prewhitening,
    /// Lags that hamed-rao and yue-wang take [default: all]
    #[arg(long, value_name = "N")]
    lags: Option<usize>,
    /// tfpw only where the autocorrelation is significant
    #[arg(long)]
    only_if_significant: bool,
    /// Tell up to which p-value trends are significant at this false discovery rate (Benjamini & Hochberg; 0.05)
    #[arg(long, value_name = "RATE")]
    fdr: Option<f64>,
    /// Bands of the limits of the Theil-Sen slope at this confidence (0.95)
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Waves a year of --method harmonic [default: 2]
    #[arg(long, value_name = "N")]
    order: Option<usize>,
    /// Fit the harmonic model robustly (Huber)
    #[arg(long)]
    robust: bool,
    /// Raster of classes
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Slope a year below which a trend is stable
    #[arg(long, value_name = "SLOPE", default_value_t = 0.0005)]
    stable_slope: f64,
    /// Hectares by class, and slopes by zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum MethodName {
    #[default]
    TheilSen,
    Ols,
    Harmonic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SeasonName {
    Month,
    Quarter,
}

/// Finds trends.
///
/// # Errors
/// Usage errors of parameters; those of opening the scenes and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let method = args.method()?;
    let correction =
        Correction { lags: args.lags, only_if_significant: args.only_if_significant, ..Correction::default() };
    let kendall = MannKendall::new(args.prewhiten, correction)?;
    if args.seasonal.is_some() && args.series.options(None)?.every.is_some() {
        return Err(Error::usage(
            "--seasonal takes all dates, and the median of a season with several; leave out --every",
        ));
    }
    let limits = args.confidence.map(Limits::new).transpose()?;
    let trend_classes = TrendClasses::new(args.stable_slope)?;
    if let Some(rate) = args.fdr.filter(|r| !(*r > 0.0 && *r < 1.0)) {
        return Err(Error::usage(format!("--fdr: {rate}, expected a share between 0 and 1, such as 0.05")));
    }
    let context = args.common.context()?;
    let both = (&args.common, &args.scene);
    let mut stack = args.series.open(&args.inputs, "trend", None, both, &context)?;
    let zones = args.zones.build(stack.pass.grid(), &context)?;
    let options = TrendOptions {
        series: stack.options.clone(),
        method,
        kendall,
        contextual: args.contextual,
        discovery_rate: args.fdr,
        limits,
        trend_classes,
        output: args.output.clone(),
        classes: args.classes.clone(),
        table: args.table.clone(),
    };
    let entered = stack.scenes.iter().collect::<Vec<_>>();
    let product = trend::add(&mut stack.pass, &entered, &options, zones.as_ref(), &context)?;
    execute(stack.pass, vec![product], &args.common, &context)
}

impl Args {
    /// The method; options of another one would be passed over in silence, so they are errors.
    fn method(&self) -> Result<Method> {
        let wrong = |option: &str, needs: &str| Err(Error::usage(format!("{option} needs {needs}")));
        if self.method != MethodName::Harmonic && (self.order.is_some() || self.robust) {
            return wrong(if self.robust { "--robust" } else { "--order" }, "--method harmonic");
        }
        if self.method != MethodName::TheilSen && (self.seasonal.is_some() || self.confidence.is_some()) {
            return wrong(if self.seasonal.is_some() { "--seasonal" } else { "--confidence" }, "--method theil-sen");
        }
        let plain =
            self.method == MethodName::TheilSen && self.seasonal.is_none() && self.prewhiten == Prewhitening::None;
        if self.contextual && !plain {
            return wrong("--contextual", "--method theil-sen without --seasonal and --prewhiten");
        }
        if self.lags.is_some() && !matches!(self.prewhiten, Prewhitening::HamedRao | Prewhitening::YueWang) {
            return wrong("--lags", "--prewhiten hamed-rao or yue-wang");
        }
        if self.only_if_significant && self.prewhiten != Prewhitening::Tfpw {
            return wrong("--only-if-significant", "--prewhiten tfpw");
        }
        let seasonal = match (self.seasonal, self.prewhiten, self.confidence) {
            (None, ..) => None,
            (_, Prewhitening::None, None) => self.seasonal,
            (_, Prewhitening::None, _) => return wrong("--confidence", "a series without --seasonal"),
            _ => {
                return wrong(
                    "--prewhiten",
                    "a series without --seasonal; --correlated is for seasons that depend on each other",
                );
            }
        };
        Ok(match (self.method, seasonal) {
            (MethodName::TheilSen, None) => Method::TheilSen,
            (MethodName::TheilSen, Some(SeasonName::Month)) => Method::Seasonal(Seasons::Month, self.correlated),
            (MethodName::TheilSen, Some(SeasonName::Quarter)) => Method::Seasonal(Seasons::Quarter, self.correlated),
            (MethodName::Ols, _) => Method::Ols,
            (MethodName::Harmonic, _) => Method::Harmonic(self.order.unwrap_or(2), self.robust),
        })
    }
}
