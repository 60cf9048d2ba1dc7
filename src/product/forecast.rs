//! Years to a target, zone by zone: curves of growth through the yearly values of a zone, and what other rates would change.

use std::path::PathBuf;
use std::sync::Arc;

use super::curves::{self, Curves, Point};
use super::model::artifact;
use super::output::{Files, number};
use super::series::{SeriesOptions, enter};
use super::{Artifact, Context};
use crate::engine::{Outcome, Pass};
use crate::error::{Error, Result};
use crate::io::atomic::check_output;
use crate::io::sidecar;
use crate::io::table::{self, Table};
use crate::scene::{Entered, Scene};
use crate::temporal::forecast::{Forecast, ForecastSettings, Forecaster, Model, NoCrossing, Outlook, Scenario, Work};
use crate::temporal::recovery::Annual;
use crate::vector::{Value, ZoneIndex};

/// What of the pixels of a zone is its value of a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZoneStatistic {
    /// Mean of the valid pixels, weighted by the part of them that lies in the zone.
    Mean,
    /// Median of the valid pixels, as that of a reference area.
    #[default]
    Median,
}

/// What is asked of the curve of a zone, in units of the index.
#[derive(Clone, Debug)]
pub struct ForecastQuestion {
    /// Target, plateau, confidence and horizon.
    pub settings: ForecastSettings,
    /// The index falls while vegetation recovers.
    pub more_is_bare: bool,
    /// Value of a year.
    pub statistic: ZoneStatistic,
    /// Year the recovery starts in; that of the lowest value of the curve (highest of a `more_is_bare` index) without it.
    pub since: Option<i32>,
    /// Other rates.
    pub scenarios: Vec<Scenario>,
}

/// Forecasts of zones with checked parameters.
pub struct ZoneForecaster {
    question: ForecastQuestion,
    /// Works on values that rise: negated ones of a `more_is_bare` index.
    forecaster: Forecaster,
}

/// What lies ahead of one zone.
#[derive(Clone, Debug)]
pub struct ZoneForecast {
    /// Label of the zone.
    pub zone: String,
    /// Year, value, and whether it is before the recovery and so not used.
    pub points: Vec<(i32, f64, bool)>,
    /// Scenarios with their outlook, that of the rate as it is first.
    pub outlooks: Vec<(String, Outlook)>,
    forecast: Forecast,
    sign: f64,
}

impl ZoneForecaster {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Usage error that names the option whose value is outside its range.
    pub fn new(question: ForecastQuestion) -> Result<Self> {
        let ForecastSettings { target, plateau, .. } = question.settings;
        if let Some(plateau) = plateau.filter(|_| question.more_is_bare)
            && !(plateau < target && plateau < 0.0 && plateau.is_finite())
        {
            return Err(Error::usage(format!(
                "--plateau: {plateau} with target {target} and --more-is-bare; give a value below 0 and the target"
            )));
        }
        let sign = if question.more_is_bare { -1.0 } else { 1.0 };
        let turned =
            ForecastSettings { target: sign * target, plateau: plateau.map(|p| sign * p), ..question.settings };
        let forecaster = Forecaster::new(turned)?;
        let nothing = forecaster.forecast(Annual::default(), &mut Work::default());
        for scenario in &question.scenarios {
            forecaster.scenario(&nothing, *scenario)?;
        }
        Ok(Self { question, forecaster })
    }

    /// The question it answers.
    #[must_use]
    pub fn question(&self) -> &ForecastQuestion {
        &self.question
    }

    /// Fits the curve of a zone and looks ahead.
    ///
    /// # Errors
    /// None for the scenarios that were checked.
    pub fn forecast(&self, zone: &str, curve: &[Point], work: &mut Work) -> Result<ZoneForecast> {
        let sign = if self.question.more_is_bare { -1.0 } else { 1.0 };
        let value = |p: &Point| match self.question.statistic {
            ZoneStatistic::Mean => p.mean,
            ZoneStatistic::Median => p.quartiles[1],
        };
        let known: Vec<(i32, f64)> =
            curve.iter().map(|p| (p.time as i32, value(p))).filter(|p| p.1.is_finite()).collect();
        let lowest = || known.iter().min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))).map(|p| p.0);
        let start = self.question.since.or_else(lowest).unwrap_or(i32::MIN);
        let (years, values): (Vec<i32>, Vec<f64>) =
            known.iter().filter(|p| p.0 >= start).map(|p| (p.0, sign * p.1)).unzip();
        let forecast = self.forecaster.forecast(Annual::new(&years, &values), work);
        let mut outlooks = vec![("as is".to_owned(), forecast.outlook)];
        for scenario in &self.question.scenarios {
            let name = match scenario {
                Scenario::Factor(factor) => format!("rate x {factor}"),
                Scenario::Rate(rate) => format!("{rate} a year"),
            };
            outlooks.push((name, self.forecaster.scenario(&forecast, *scenario)?));
        }
        let points = known.into_iter().map(|(year, value)| (year, value, year < start)).collect();
        Ok(ZoneForecast { zone: zone.to_owned(), points, outlooks, forecast, sign })
    }

    /// Why a figure of an outlook is missing; empty where all are there.
    #[must_use]
    pub fn reason(&self, zone: &ZoneForecast, outlook: &Outlook) -> String {
        match (outlook.year, outlook.earliest, outlook.latest) {
            (Err(why), ..) => self.words(why, zone),
            (_, Err(why), _) => format!("no earliest year: {}", self.words(why, zone)),
            (.., Err(why)) => format!("no latest year: {}", self.words(why, zone)),
            _ => String::new(),
        }
    }

    fn words(&self, why: NoCrossing, zone: &ZoneForecast) -> String {
        let used = zone.used().count();
        match (why, zone.used().next()) {
            (NoCrossing::TooFewYears, None) => match self.question.since {
                Some(since) if !zone.points.is_empty() => format!("no valid year from {since} on"),
                _ => "no valid pixel in any year".into(),
            },
            (NoCrossing::TooFewYears, Some((first, _))) => {
                format!("too few years: {used} valid from {first} on, at least 5 are needed")
            }
            (NoCrossing::AlreadyReached, _) => "the fitted curve is at the target in the last year already".into(),
            (NoCrossing::NotRising, _) => "the fitted curve does not move towards the target".into(),
            (NoCrossing::PlateauBelow, _) => "the fitted curve levels off short of the target".into(),
            (NoCrossing::NoModel, _) => "no model fits the curve".into(),
            (NoCrossing::BeyondHorizon, _) => {
                format!("not within the horizon of {} years", self.question.settings.horizon)
            }
        }
    }

    /// A row a zone and scenario.
    #[must_use]
    pub fn table(&self, zones: &[ZoneForecast]) -> Table {
        let mut table = Table::new(&[
            "zone",
            "scenario",
            "model",
            "first_year",
            "last_year",
            "years_count",
            "last_value",
            "last_value_fitted",
            "target",
            "years_to_target",
            "target_year",
            "confidence",
            "earliest_year",
            "latest_year",
            "reason",
            "residual_sd",
            "aicc",
        ]);
        let year = |y: Option<i32>| y.map_or(Value::Null, |y| Value::Int(y.into()));
        for zone in zones {
            let (first, last) = (zone.used().next(), zone.used().last());
            let fit = zone.forecast.fit();
            for (scenario, outlook) in &zone.outlooks {
                let left = outlook.year.ok().zip(last).map(|(y, (last, _))| y - f64::from(last));
                table.rows.push(vec![
                    Value::Text(zone.zone.clone()),
                    Value::Text(scenario.clone()),
                    zone.model().map_or(Value::Null, |m| Value::Text(m.into())),
                    year(first.map(|p| p.0)),
                    year(last.map(|p| p.0)),
                    Value::Int(zone.used().count() as i64),
                    number(last.map(|p| p.1)),
                    number(last.and_then(|p| zone.band(p.0.into())).map(|b| b[1])),
                    Value::Real(self.question.settings.target),
                    number(left),
                    number(outlook.year.ok()),
                    Value::Real(self.question.settings.confidence),
                    number(outlook.earliest.ok()),
                    number(outlook.latest.ok()),
                    Value::Text(self.reason(zone, outlook)),
                    number(fit.map(|f| f.variance.sqrt())),
                    number(fit.map(|f| f.aicc)),
                ]);
            }
        }
        table
    }
}

impl ZoneForecast {
    /// Years and values since the recovery began.
    fn used(&self) -> impl Iterator<Item = (i32, f64)> {
        self.points.iter().filter(|p| !p.2).map(|p| (p.0, p.1))
    }

    /// First and last year that were used.
    #[must_use]
    pub fn span(&self) -> Option<(i32, i32)> {
        self.used().next().map(|p| p.0).zip(self.used().last().map(|p| p.0))
    }

    /// Name of the chosen model.
    #[must_use]
    pub fn model(&self) -> Option<&'static str> {
        self.forecast.chosen.map(|m| match m {
            Model::Linear => "linear",
            Model::LogisticFixed => "logistic to the given plateau",
            Model::Logistic => "logistic",
            Model::Approach => "exponential approach",
        })
    }

    /// Lower limit, value and upper limit of the fitted curve in a year, in units of the index.
    #[must_use]
    pub fn band(&self, year: f64) -> Option<[f64; 3]> {
        let band = self.forecast.fit()?.band(year);
        Some(if self.sign < 0.0 { [-band.high, -band.value, -band.low] } else { [band.low, band.value, band.high] })
    }
}

/// What `forecast` writes.
#[derive(Clone, Debug)]
pub struct ForecastOptions {
    /// The annual series.
    pub series: SeriesOptions,
    /// Table, a row a zone and scenario.
    pub output: PathBuf,
    /// Table of the series of zones, year by year.
    pub curves: Option<PathBuf>,
}

/// Forecasts waiting for their pass.
pub struct ZoneForecasts {
    curves: Curves,
    zones: Arc<ZoneIndex>,
    forecaster: ZoneForecaster,
    options: ForecastOptions,
}

/// Adds the curves of zones to a pass. Scenes are entered under different prefixes, in order of time; without zones the whole
/// grid is one.
///
/// # Errors
/// As [`enter`]; usage error of outputs that cannot be written.
pub fn add(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &ForecastOptions,
    forecaster: ZoneForecaster,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<ZoneForecasts> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    let files: Vec<PathBuf> = opened.iter().flat_map(|s| s.files()).collect();
    let beside = sidecar::path_for(&options.output);
    for path in std::iter::once(&options.output).chain(&options.curves) {
        Files { table: Some(path.clone()), ..Files::default() }.check(&opened, context)?;
    }
    if context.sidecars {
        check_output(&beside, context.overwrite, &files)?;
    }
    if options.curves.as_ref().is_some_and(|c| *c == options.output || *c == beside) {
        return Err(Error::usage(format!("{}: two outputs have this name", options.output.display())));
    }
    let series = enter(pass, scenes, &options.series)?;
    let zones = zones.map_or_else(|| curves::whole(pass.grid()), |z| Ok(Arc::clone(z)))?;
    let curves = curves::add(pass, series, &zones, context)?;
    Ok(ZoneForecasts { curves, zones, forecaster, options: options.clone() })
}

impl ZoneForecasts {
    /// Writes the tables, and hands back what they tell with the forecaster that made it.
    ///
    /// # Errors
    /// As [`Curves::finish`]; I/O errors.
    pub fn finish(
        self,
        outcome: &mut Outcome,
        context: &Context,
    ) -> Result<(Vec<Artifact>, Vec<ZoneForecast>, ZoneForecaster)> {
        let Self { curves, zones, forecaster, options } = self;
        let points = curves.finish(outcome)?;
        let mut work = Work::default();
        let told = points.iter().enumerate().map(|(i, curve)| forecaster.forecast(zones.label(i), curve, &mut work));
        let told: Vec<ZoneForecast> = told.collect::<Result<_>>()?;
        let open: Vec<&ZoneForecast> = told.iter().filter(|z| z.forecast.outlook.year.is_err()).collect();
        if let Some(first) = open.first() {
            context.notes.warn(&format!(
                "{} of {} zones have no year in which the target is reached ({}: {}); column reason tells why",
                open.len(),
                told.len(),
                first.zone,
                forecaster.reason(first, &first.forecast.outlook)
            ));
        }
        table::write(&options.output, &forecaster.table(&told), context.overwrite)?;
        let mut made = artifact(&options.output, "forecast", "Years to target");
        let figures = [("zones", told.len()), ("zones_with_target_year", told.len() - open.len())];
        made.figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
        let mut made = vec![made];
        if let Some(path) = &options.curves {
            let index = options.series.indices.first().map_or("value", |i| i.name.as_str());
            table::write(path, &curves::table(&zones, &points, index), context.overwrite)?;
            made.push(artifact(path, "curves", "Series of zones, year by year"));
        }
        Ok((made, told, forecaster))
    }
}

#[cfg(test)]
mod tests;
