//! A model fitted to the series of one pixel, as lines, marks and figures to look at.

use jiff::civil::Date;

use super::segment::{CcdcChoice, SegmentMethod, axis, ordinal};
use super::series::decimal_year;
use crate::analysis::segment::UNITS;
use crate::error::{Error, Result};
use crate::temporal::bfast::{BfastMonitor, BfastSettings, BfastWork, Unfitted};
use crate::temporal::ccdc::{self, Ccdc, Quality};
use crate::temporal::landtrendr::{self, LandTrendr, LandTrendrSettings};
use crate::temporal::trend::harmonic::{self, Harmonic};
use crate::temporal::trend::mann_kendall::{self, Correction, MannKendall, Prewhitening};
use crate::temporal::trend::theil_sen;

/// Which model.
#[derive(Clone, Debug)]
pub enum FitMethod {
    /// Theil-Sen line with the Mann-Kendall test.
    TheilSen,
    /// Line and waves of so many orders.
    Harmonic(usize),
    /// A method of `segment`.
    Segment(SegmentMethod),
}

/// What is shown of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// Lines over time, each with its name.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
    /// Moments, such as breaks, with what they are.
    pub marks: Vec<(f64, String)>,
    /// Figures by name, with units in the names.
    pub figures: Vec<(String, f64)>,
    /// Why there is no model, where there is none.
    pub remark: Option<String>,
}

/// Points a year of a curve.
const STEPS: i32 = 48;

/// Fits a model to a series: `times` and `values` of its valid observations (of years for LandTrendr), `by_date` the value of every
/// date of the stack, NaN where it has none.
///
/// # Errors
/// Usage errors of parameters.
pub fn fit(method: &FitMethod, times: &[f64], values: &[f64], days: &[Date], by_date: &[f64]) -> Result<Fitted> {
    match method {
        FitMethod::TheilSen => theil_sen(times, values),
        FitMethod::Harmonic(order) => harmonic(*order, times, values),
        FitMethod::Segment(SegmentMethod::LandTrendr(settings, _)) => landtrendr(*settings, times, values, days),
        FitMethod::Segment(SegmentMethod::BfastMonitor(settings, frequency)) => {
            bfast(*settings, *frequency, days, by_date)
        }
        FitMethod::Segment(SegmentMethod::Ccdc(choice)) => ccdc(choice, days, by_date),
    }
}

fn none(remark: &str) -> Fitted {
    Fitted { remark: Some(remark.to_owned()), ..Fitted::default() }
}

fn figures<const N: usize>(of: [(&str, f64); N]) -> Vec<(String, f64)> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Times from the first to the last, close enough for a smooth curve.
fn dense(first: f64, last: f64) -> impl Iterator<Item = f64> {
    let steps = ((last - first) * f64::from(STEPS)).ceil().max(1.0);
    (0..=steps as i32).map(move |i| first + (last - first) * f64::from(i) / steps)
}

fn ends(times: &[f64]) -> Option<(f64, f64)> {
    Some((*times.first()?, *times.last()?))
}

fn theil_sen(times: &[f64], values: &[f64]) -> Result<Fitted> {
    let line = theil_sen::line(times, values, &mut theil_sen::Work::default());
    let kendall = MannKendall::new(Prewhitening::None, Correction::default())?;
    let test = kendall.test(times, values, &mut mann_kendall::Work::default());
    let (Some(line), Some(test), Some((first, last))) = (line, test, ends(times)) else {
        return Ok(none("too few observations for a trend"));
    };
    let at = |t: f64| (t, line.intercept + line.slope * t);
    Ok(Fitted {
        lines: vec![("Theil-Sen".into(), vec![at(first), at(last)])],
        figures: figures([
            ("slope_per_year", line.slope),
            ("intercept", line.intercept),
            ("p_value", test.p),
            ("tau", test.tau),
            ("n", test.n as f64),
        ]),
        ..Fitted::default()
    })
}

fn harmonic(order: usize, times: &[f64], values: &[f64]) -> Result<Fitted> {
    let Some((first, last)) = ends(times) else { return Ok(none("no observation")) };
    let model = Harmonic::new(order, first.floor(), false)?;
    let mut work = harmonic::Work::default();
    let Some(fit) = model.fit(times, values, &mut work) else {
        return Ok(none("too few observations, or dates that do not determine the waves"));
    };
    let at = |t: f64| fit.level() + fit.slope() * (t - model.origin()) + model.waves(fit.coefficients, t);
    let mut shown = figures([("slope_per_year", fit.slope()), ("rmse", fit.rmse_unbiased)]);
    for k in 1..=order {
        if let Some((amplitude, phase)) = fit.wave(k) {
            shown.extend([(format!("amplitude_{k}"), amplitude), (format!("phase_{k}_rad"), phase)]);
        }
    }
    let curve = dense(first, last).map(|t| (t, at(t))).collect();
    Ok(Fitted { lines: vec![("harmonic".into(), curve)], figures: shown, ..Fitted::default() })
}

fn landtrendr(settings: LandTrendrSettings, times: &[f64], values: &[f64], days: &[Date]) -> Result<Fitted> {
    let years: Vec<i32> = times.iter().map(|t| *t as i32).collect();
    let scaled: Vec<f64> = values.iter().map(|v| v * UNITS).collect();
    let stack = days.first().zip(days.last()).map(|(a, b)| (i32::from(a.year()), i32::from(b.year())));
    let mut work = landtrendr::Work::default();
    let fit = stack.and_then(|(first, last)| {
        LandTrendr::new(settings).map(|m| m.fit(&years, &scaled, first, last, &mut work)).transpose()
    });
    let Some(fit) = fit.transpose()? else { return Ok(none("no observation")) };
    let vertices = work.vertex_years().iter().zip(work.vertex_values());
    let path: Vec<(f64, f64)> = vertices.map(|(year, value)| (f64::from(*year), value / UNITS)).collect();
    let mut shown = figures([("p_value", fit.p), ("rmse", fit.rmse / UNITS)]);
    for (k, (year, value)) in (1..).zip(&path) {
        shown.extend([(format!("vertex_{k}_year"), *year), (format!("vertex_{k}_value"), *value)]);
    }
    let remark = fit.flat.then(|| "no path is surer than its mean".to_owned());
    Ok(Fitted { lines: vec![("LandTrendr".into(), path)], figures: shown, remark, ..Fitted::default() })
}

fn bfast(settings: BfastSettings, frequency: u32, days: &[Date], by_date: &[f64]) -> Result<Fitted> {
    let method = BfastMonitor::new(settings, axis(days, frequency)?)?;
    let (mut work, mut rows) = (BfastWork::default(), Vec::new());
    method.axis().gather(by_date, &mut rows);
    let found = match method.run(&rows, &mut work) {
        Ok(found) => found,
        Err(Unfitted::TooFew) => return Ok(none("too few observations in the history")),
        Err(Unfitted::Undetermined) => return Ok(none("the history does not determine the model")),
        Err(Unfitted::NoVariation) => return Ok(none("no variation in the history")),
    };
    let mut model = Vec::new();
    method.predict(work.coefficients(), &mut model);
    let times = method.axis().steps().iter().map(|s| method.axis().time(*s));
    let curve = times.zip(model).filter(|(t, _)| *t >= found.history_start).collect();
    let mut marks = vec![(settings.monitor_start, "monitoring".to_owned())];
    marks.extend(found.break_time.map(|t| (t, "break".to_owned())));
    let mut shown = figures([
        ("history_start_decimal_year", found.history_start),
        ("history_observations", found.n_history as f64),
        ("sigma", found.sigma),
    ]);
    let further =
        [("break_decimal_year", found.break_time), ("magnitude", found.magnitude), ("confidence", found.confidence)];
    shown.extend(further.into_iter().filter_map(|(name, v)| Some((name.to_owned(), v?))));
    Ok(Fitted { lines: vec![("history model".into(), curve)], marks, figures: shown, remark: None })
}

fn ccdc(choice: &CcdcChoice, days: &[Date], by_date: &[f64]) -> Result<Fitted> {
    if choice.bands {
        return Err(Error::usage("ccdc and cold are shown of one index here; give --index or --expr"));
    }
    let ordinals: Vec<f64> = days.iter().map(|d| ordinal(*d)).collect();
    let method = Ccdc::new(choice.settings.clone(), &ordinals)?;
    let values: Vec<f32> = by_date.iter().map(|v| *v as f32).collect();
    let quality: Vec<Quality> =
        by_date.iter().map(|v| if v.is_finite() { Quality::Clear } else { Quality::Missing }).collect();
    let mut work = ccdc::Work::default();
    let segments = method.segments(&values, &quality, &mut work);
    if segments.is_empty() {
        return Ok(none("too few observations for a model"));
    }
    let year = |day: f64| {
        let at = ordinals.partition_point(|d| *d < day);
        days.get(at).map(|d| decimal_year(*d))
    };
    let mut fitted = Fitted::default();
    for (k, segment) in (1..).zip(segments) {
        let (Some(first), Some(last)) = (year(segment.start), year(segment.end)) else { continue };
        let scale = choice.settings.scale;
        let day = |t: f64| segment.start + (t - first) / (last - first).max(1e-9) * (segment.end - segment.start);
        let curve = dense(first, last).map(|t| (t, method.predict(segment, 0, day(t)) / scale)).collect();
        fitted.lines.push((format!("segment {k}"), curve));
        fitted.figures.extend([
            (format!("segment_{k}_start_decimal_year"), first),
            (format!("segment_{k}_end_decimal_year"), last),
            (format!("segment_{k}_observations"), segment.observations as f64),
            (format!("segment_{k}_rmse"), segment.rmse[0] / scale),
        ]);
        if let Some(time) = segment.change.filter(|_| segment.probability >= 1.0).and_then(year) {
            fitted.marks.push((time, "break".into()));
            fitted.figures.push((format!("break_{k}_decimal_year"), time));
            fitted.figures.push((format!("break_{k}_magnitude"), segment.magnitude[0] / scale));
        }
    }
    Ok(fitted)
}
