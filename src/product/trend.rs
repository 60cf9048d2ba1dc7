//! Trends of series: slope, significance, classes and hectares.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;

use super::model::{ByClass, ModelMap, attach, attach_analysis};
use super::output::Files;
use super::series::{Series, SeriesOptions, enter};
use super::{Artifact, Context, Product};
use crate::analysis::contextual::ContextualTrend;
use crate::analysis::trend::{Significance, TrendMethod, TrendModel, classes};
use crate::engine::{Handle, Outcome, Pass};
use crate::error::{Error, Result};
use crate::scene::{Entered, Scene};
use crate::temporal::trend::classes::{PValues, TrendClasses};
use crate::temporal::trend::harmonic::Harmonic;
use crate::temporal::trend::mann_kendall::MannKendall;
use crate::temporal::trend::seasonal::Place;
use crate::temporal::trend::theil_sen::Limits;
use crate::vector::ZoneIndex;

/// How a trend is found.
#[derive(Clone, Copy, Debug)]
pub enum Method {
    /// Theil-Sen slope and Mann-Kendall test.
    TheilSen,
    /// The same within months, or within quarters of the year; the second field is true where seasons depend on each other.
    Seasonal(Seasons, bool),
    /// Least squares line.
    Ols,
    /// Least squares line and waves of so many orders, robust or not.
    Harmonic(usize, bool),
}

/// Seasons of the seasonal test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seasons {
    /// Twelve months.
    Month,
    /// Winter (from December), spring, summer, autumn.
    Quarter,
}

impl Seasons {
    /// Season and year of a day; a December belongs to the winter of the next year.
    fn place(self, day: Date) -> Place {
        let month = day.month().unsigned_abs();
        match self {
            Self::Month => Place { season: u16::from(month), cycle: i32::from(day.year()) },
            Self::Quarter => {
                Place { season: u16::from(month % 12 / 3), cycle: i32::from(day.year()) + i32::from(month == 12) }
            }
        }
    }
}

/// What `trend` computes and where it goes.
#[derive(Clone, Debug)]
pub struct TrendOptions {
    /// The series.
    pub series: SeriesOptions,
    /// How the slope is found.
    pub method: Method,
    /// The test, with what it does about autocorrelation.
    pub kendall: MannKendall,
    /// Significance from the series of the 3 × 3 neighbourhood.
    pub contextual: bool,
    /// Tell up to which p-value trends are significant at this false discovery rate.
    pub discovery_rate: Option<f64>,
    /// Limits of the Theil-Sen slope.
    pub limits: Option<Limits>,
    /// Classes of slope and significance.
    pub trend_classes: TrendClasses,
    /// Raster: a band a figure of the trend.
    pub output: PathBuf,
    /// Raster of classes.
    pub classes: Option<PathBuf>,
    /// Table of hectares by class and zone.
    pub table: Option<PathBuf>,
}

/// Adds trends to a pass. Scenes are entered under different prefixes, in order of time.
///
/// # Errors
/// As [`enter`]; usage errors of outputs that cannot be written, input error where dates do not allow the method.
pub fn add(
    pass: &mut Pass,
    scenes: &[&Entered],
    options: &TrendOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let opened: Vec<&Scene> = scenes.iter().map(|s| &s.scene).collect();
    let rasters = std::iter::once(&options.output).chain(&options.classes).cloned().collect();
    Files { rasters, table: options.table.clone(), polygons: None }.check(&opened, context)?;
    let series = enter(pass, scenes, &options.series)?;
    let axis = series.axis();
    let method = method(options, &series, &axis)?;
    doubt_seasons(options, &axis, context);
    let model = TrendModel::new(method, options.limits, options.trend_classes, &axis);
    let map = |path, planes, title| ModelMap { path, planes, title };
    let mut maps = vec![map(&options.output, model.planes().collect(), "Trend")];
    maps.extend(options.classes.iter().map(|p| map(p, vec![model.class_plane()], "Trend classes")));
    let by_class = ByClass {
        plane: model.class_plane(),
        classes: classes(),
        quantity: (0, "slope_per_year"),
        table: options.table.as_ref(),
    };
    let (trend, handle) = if options.contextual {
        let analysis = ContextualTrend::new(series.dates, series.periods, model);
        attach_analysis(pass, analysis, &maps, Some(by_class), zones, context)?
    } else {
        attach(pass, series, model, &maps, Some(by_class), zones, context)?
    };
    let Some(rate) = options.discovery_rate else { return Ok(trend) };
    pass.read_plane(P_VALUE, &handle, P_PLANE)?;
    let field = pass.add(Significance { channel: P_VALUE.into() }, Vec::new())?;
    Ok(Box::new(Judged { trend, field, rate }))
}

/// Name and plane of the p-value.
const P_VALUE: &str = "p_value";
const P_PLANE: usize = 2;

/// A trend that tells up to which p-value its field is significant.
struct Judged {
    trend: Box<dyn Product>,
    field: Handle<PValues>,
    rate: f64,
}

impl Product for Judged {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let limit = outcome.take(&self.field)?.significant_up_to(self.rate);
        let told =
            limit.map_or_else(|| "no trend is significant".to_owned(), |p| format!("trends with p_value up to {p:.6}"));
        context.notes.decide(&format!("false discovery rate {}: {told}", self.rate));
        let mut made = self.trend.finish(outcome, context)?;
        if let Some(first) = made.first_mut() {
            first.figures.insert("fdr_p_value_limit".into(), limit.into());
        }
        Ok(made)
    }
}

fn method(options: &TrendOptions, series: &Series, axis: &[f64]) -> Result<TrendMethod> {
    let needs = |n: usize, what: &str| {
        if axis.len() >= n {
            return Ok(());
        }
        Err(Error::input(format!("trend: {} dates, and {what} needs at least {n}; give more scenes", axis.len())))
    };
    Ok(match options.method {
        Method::TheilSen => {
            needs(crate::temporal::trend::LEAST, "a trend")?;
            TrendMethod::TheilSen(options.kendall)
        }
        Method::Seasonal(seasons, correlated) => {
            needs(crate::temporal::trend::LEAST, "a trend")?;
            TrendMethod::Seasonal(series.days.iter().map(|d| seasons.place(*d)).collect(), correlated)
        }
        Method::Ols => {
            needs(crate::temporal::trend::LEAST, "a trend")?;
            TrendMethod::Ols(options.kendall)
        }
        Method::Harmonic(order, robust) => {
            let origin = axis.first().map_or(0.0, |t| t.floor());
            let model = Harmonic::new(order, origin, robust)?;
            needs(2 * model.coefficients(), &format!("a harmonic model of order {order}"))?;
            TrendMethod::Harmonic(model, order, options.kendall)
        }
    })
}

/// The course of the year in a series looks like scatter to a slope of dates, and like a trend where the dates lie unevenly.
fn doubt_seasons(options: &TrendOptions, axis: &[f64], context: &Context) {
    let within_years = axis.windows(2).any(|t| t[0].floor() == t[1].floor());
    if within_years && matches!(options.method, Method::TheilSen | Method::Ols) {
        context.notes.warn(
            "several dates a year: the course of the year is part of the series; --every year, --seasonal month, or --method \
             harmonic takes it out",
        );
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn winter_belongs_to_one_year() {
        let place = |s: Seasons, y, m| {
            let p = s.place(date(y, m, 5));
            (p.season, p.cycle)
        };
        assert_eq!([place(Seasons::Quarter, 2019, 12), place(Seasons::Quarter, 2020, 2)], [(0, 2020), (0, 2020)]);
        assert_eq!(place(Seasons::Quarter, 2020, 11), (3, 2020));
        assert_eq!(place(Seasons::Month, 2019, 12), (12, 2019));
    }
}
