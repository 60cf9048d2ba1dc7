//! `regrow forecast`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::Zones;
use super::series_args::{SeriesArgs, Stack};
use crate::engine::Outcome;
use crate::error::{Error, Result};
use crate::product::forecast::{
    self, ForecastOptions, ForecastQuestion, ZoneForecast, ZoneForecaster, ZoneForecasts, ZoneStatistic,
};
use crate::product::model::artifact;
use crate::product::period::Every;
use crate::product::{Artifact, Context, Product};
use crate::report::drawing::{check_svg, write_svg};
use crate::report::number::plain;
use crate::report::series_chart::{Panel, SeriesFacts, panels};
use crate::temporal::forecast::{ForecastSettings, Scenario};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A line, a logistic curve and an exponential approach (with --plateau also a logistic curve to it) are fitted to \
                  the yearly values of a zone since its recovery began, at least 5 of them; the least AICc decides. The table has \
                  a row a zone and scenario: years_to_target counts from last_year; earliest_year and latest_year are where the \
                  limits for a new yearly value (prediction interval) reach the target; reason says why a year is missing. \
                  Other rates go on from the fitted value of the last year."
)]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Table to write (.csv, .json), a row a zone and scenario
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    table: PathBuf,
    /// What is to be reached: a value of the index, or reference: the median of --reference in its last year
    #[arg(long, value_name = "VALUE|reference", allow_hyphen_values = true)]
    target: TargetName,
    /// Polygons of an analogue site, for --target reference
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// What of the pixels of a zone is its value of a year
    #[arg(long, value_enum, default_value_t)]
    statistic: StatisticName,
    /// Year the recovery starts in; years before are not used [default: that of the lowest value of the zone]
    #[arg(long, value_name = "YEAR")]
    since: Option<i32>,
    /// Probability of the prediction interval
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    confidence: f64,
    /// Years after the last one beyond which nothing is forecast
    #[arg(long, value_name = "YEARS", default_value_t = 100.0)]
    horizon: f64,
    /// Value the index cannot pass: a logistic curve that rises to it is fitted too
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    plateau: Option<f64>,
    /// What if: all rates multiplied by this from the last year on; repeatable
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true)]
    scenario: Vec<f64>,
    /// What if: this change of the index a year towards the target from the last year on; repeatable
    #[arg(long, value_name = "CHANGE", allow_hyphen_values = true)]
    rate: Vec<f64>,
    /// The index falls while vegetation recovers (BSI)
    #[arg(long)]
    more_is_bare: bool,
    /// Series of every zone (or of all pixels), year by year: count, mean, standard deviation, quartiles
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Draw the first six zones: yearly values, fitted curve, prediction band, target
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// What `--target` names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TargetName {
    Value(f64),
    Reference,
}

impl FromStr for TargetName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reference" => Ok(Self::Reference),
            _ => text.parse().map(Self::Value).map_err(|_| "write a value of the index, or reference".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum StatisticName {
    Mean,
    #[default]
    Median,
}

/// Tells when zones reach a target.
///
/// # Errors
/// Usage errors of parameters; those of opening the scenes and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let mut forecaster = args.forecaster(None)?;
    let context = args.common.context()?;
    let every = Some(Every::Year);
    if args.series.options(every)?.every != every {
        return Err(Error::usage("forecast takes a value a year; leave out --every, or give --every year"));
    }
    let both = (&args.common, &args.scene);
    let mut stack = args.series.open(&args.inputs, "forecast", every, both, &context)?;
    if let Some(plot) = &args.plot {
        let files: Vec<PathBuf> = stack.scenes.iter().flat_map(|s| s.scene.files()).collect();
        let others: Vec<&PathBuf> = std::iter::once(&args.table).chain(&args.curves).collect();
        check_svg(plot, &others, args.common.overwrite, &files)?;
    }
    let zones = args.zones.build(stack.pass.grid(), &context)?;
    // A plan needs no target.
    if let Some(target) = args.reference_target(&stack, &context)? {
        forecaster = args.forecaster(Some(target))?;
    }
    let options =
        ForecastOptions { series: stack.options.clone(), output: args.table.clone(), curves: args.curves.clone() };
    let y_title = stack.options.indices.first().map_or("value", |i| i.name.as_str()).to_owned();
    let entered = stack.scenes.iter().collect::<Vec<_>>();
    let forecasts = forecast::add(&mut stack.pass, &entered, &options, forecaster, zones.as_ref(), &context)?;
    let product = Box::new(Drawn { forecasts, plot: args.plot.clone(), y_title });
    execute(stack.pass, vec![product as Box<dyn Product>], &args.common, &context)
}

impl Args {
    /// The question; that of a reference whose value is not known yet is checked as far as that goes.
    fn forecaster(&self, reference: Option<f64>) -> Result<ZoneForecaster> {
        let known = match self.target {
            TargetName::Value(value) => Some(value),
            TargetName::Reference if self.reference.is_none() => {
                return Err(Error::usage("--target reference needs --reference, the polygons of an analogue site"));
            }
            TargetName::Reference => reference,
        };
        if self.reference.is_some() && self.target != TargetName::Reference {
            return Err(Error::usage("--reference needs --target reference"));
        }
        let scenarios = self.scenario.iter().map(|f| Scenario::Factor(*f));
        ZoneForecaster::new(ForecastQuestion {
            settings: ForecastSettings {
                target: known.unwrap_or_default(),
                plateau: self.plateau.filter(|_| known.is_some()),
                confidence: self.confidence,
                horizon: self.horizon,
            },
            more_is_bare: self.more_is_bare,
            statistic: match self.statistic {
                StatisticName::Mean => ZoneStatistic::Mean,
                StatisticName::Median => ZoneStatistic::Median,
            },
            since: self.since,
            scenarios: scenarios.chain(self.rate.iter().map(|r| Scenario::Rate(*r))).collect(),
        })
    }

    fn reference_target(&self, stack: &Stack, context: &Context) -> Result<Option<f64>> {
        let Some(path) = self.reference.as_ref().filter(|_| !self.common.explain) else { return Ok(None) };
        let (years, medians) = stack.reference(path, &self.common, context)?;
        let last = years.last().copied().zip(medians.last().copied());
        Ok(last.map(|(year, median)| {
            context.notes.decide(&format!("target {median}: median of the reference area in {year}"));
            median
        }))
    }
}

/// Forecasts with their drawing.
struct Drawn {
    forecasts: ZoneForecasts,
    plot: Option<PathBuf>,
    y_title: String,
}

/// Zones in a drawing.
const MOST: usize = 6;

impl Product for Drawn {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let Self { forecasts, plot, y_title } = *self;
        let (mut made, zones, forecaster) = forecasts.finish(outcome, context)?;
        if let Some(path) = plot {
            let shown = &zones[..zones.len().min(MOST)];
            if zones.len() > MOST {
                let left = zones.len() - MOST;
                context.notes.warn(&format!("{}: shows {MOST} zones, {left} are left out", path.display()));
            }
            let drawn: Vec<Panel> = shown.iter().map(|z| panel(z, &forecaster, &y_title)).collect();
            write_svg(&path, &panels("Years to target by zone", &drawn), context.overwrite)?;
            made.push(artifact(&path, "plot", "Forecast by zone"));
        }
        Ok(made)
    }
}

fn panel(zone: &ZoneForecast, forecaster: &ZoneForecaster, y_title: &str) -> Panel {
    let settings = &forecaster.question().settings;
    let mut facts = SeriesFacts {
        points: zone.points.iter().map(|(year, value, aside)| (f64::from(*year), *value, *aside)).collect(),
        levels: vec![(settings.target, format!("target {}", plain(settings.target)))],
        ..SeriesFacts::default()
    };
    let outlook = zone.outlooks.first().map(|o| o.1);
    if let (Some((first, last)), Some(model), Some(outlook)) = (zone.span(), zone.model(), outlook) {
        let (first, last) = (f64::from(first), f64::from(last));
        let to = last_year_drawn(first, last, outlook.year.ok(), outlook.latest.ok(), settings.horizon);
        let quarters = ((to - first) * 4.0) as usize;
        let mut line = Vec::with_capacity(quarters + 1);
        for year in (0..=quarters).map(|i| first + i as f64 / 4.0) {
            if let Some([low, value, high]) = zone.band(year) {
                line.push((year, value));
                facts.band.push((year, low, high));
            }
        }
        facts.lines.push((format!("{model}, {} % prediction interval", settings.confidence * 100.0), line));
        let mark = |facts: &mut SeriesFacts, year: Option<f64>, name: &str| {
            facts.marks.extend(year.filter(|y| *y <= to).map(|y| (y, format!("{name}{y:.1}"))));
        };
        mark(&mut facts, outlook.earliest.ok(), "earliest ");
        mark(&mut facts, outlook.year.ok(), "reached ");
        mark(&mut facts, outlook.latest.ok(), "latest ");
    }
    let reason = outlook.map(|o| forecaster.reason(zone, &o)).filter(|r| !r.is_empty());
    let title = reason.map_or_else(|| zone.zone.clone(), |reason| format!("{}: {reason}", zone.zone));
    Panel { title, y_title: y_title.to_owned(), facts }
}

/// Where the drawing ends: a little behind the target year and, unless that is far, its latest one; without them as far ahead
/// as the series goes back.
fn last_year_drawn(first: f64, last: f64, year: Option<f64>, latest: Option<f64>, horizon: f64) -> f64 {
    let year = year.unwrap_or(2.0 * last - first);
    let end = latest.filter(|l| l - first <= 2.0 * (year - first)).unwrap_or(year).max(year);
    (end + 0.1 * (end - first)).clamp(last + 1.0, last + horizon.max(1.0)).ceil()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_end_behind_what_they_show() {
        assert_eq!(last_year_drawn(2010.0, 2020.0, Some(2030.0), Some(2035.0), 100.0), 2038.0);
        // A latest year far ahead would leave no room for the series.
        assert_eq!(last_year_drawn(2010.0, 2020.0, Some(2030.0), Some(2090.0), 100.0), 2032.0);
        assert_eq!(last_year_drawn(2010.0, 2020.0, None, None, 100.0), 2032.0);
        assert_eq!(last_year_drawn(2010.0, 2020.0, None, None, 5.0), 2025.0);
    }
}
