//! Trends of every pixel (methods in [`crate::temporal::trend`]).

use super::series::{Observed, SeriesModel};
use crate::engine::{Analysis, OutBand, Overview, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::raster::{Class, Ramp};
use crate::temporal::trend::classes::{NAMES, PValues, TrendClasses};
use crate::temporal::trend::harmonic::{self, Harmonic};
use crate::temporal::trend::mann_kendall::{self, MannKendall, Test};
use crate::temporal::trend::seasonal::{self, Place};
use crate::temporal::trend::theil_sen::{self, Limits, Line};
use crate::temporal::trend::{LEAST, ols};

/// How the slope is found, and what its p-value is of.
#[derive(Clone, Debug)]
pub enum TrendMethod {
    /// Median of the slopes of all pairs, with the Mann-Kendall test.
    TheilSen(MannKendall),
    /// The same within seasons: the season and cycle of every position of the axis, and whether the seasons of a year depend on
    /// each other.
    Seasonal(Vec<Place>, bool),
    /// Least squares line, with the t-test of its slope; τ is that of Mann-Kendall.
    Ols(MannKendall),
    /// Least squares line and waves; p-value and τ are those of Mann-Kendall of the series less its waves.
    Harmonic(Harmonic, usize, MannKendall),
}

/// Trends of series.
pub struct TrendModel {
    method: TrendMethod,
    limits: Option<Limits>,
    classes: TrendClasses,
    basis: harmonic::Basis,
}

/// Bands every method has, in order.
const BANDS: usize = 7;

impl TrendModel {
    /// Trends of series on an axis of `times`; `limits` asks for the limits of a Theil-Sen slope.
    #[must_use]
    pub fn new(method: TrendMethod, limits: Option<Limits>, classes: TrendClasses, times: &[f64]) -> Self {
        let basis = match &method {
            TrendMethod::Harmonic(harmonic, ..) => harmonic.basis(times),
            _ => harmonic::Basis::default(),
        };
        Self { method, limits, classes, basis }
    }

    /// Planes of the trend.
    #[must_use]
    pub fn planes(&self) -> std::ops::Range<usize> {
        let waves = if let TrendMethod::Harmonic(_, order, _) = &self.method { 2 * order + 3 } else { 0 };
        0..BANDS + if self.limits.is_some() { 2 } else { 0 } + waves
    }

    /// Plane of the classes.
    #[must_use]
    pub fn class_plane(&self) -> usize {
        self.planes().end
    }
}

impl TrendModel {
    /// Puts another test, by its Z and p, in the place of a pixel's own; without one the trend has no significance.
    pub(super) fn judge(&self, test: Option<(f64, f64)>, out: &mut [f32]) {
        let (p, class) = (2, self.class_plane());
        let slope = f64::from(out[0]);
        let judged = test.filter(|_| !slope.is_nan());
        out[p] = judged.map_or(f32::NAN, |(_, p)| p as f32);
        out[class] = judged.map_or(f32::NAN, |(z, _)| f32::from(self.classes.code(slope, z)));
    }
}

/// Trend classes, as rasters name and colour them.
#[must_use]
pub fn classes() -> Vec<Class> {
    const COLOURS: [[u8; 3]; 9] = [
        [140, 81, 10],
        [191, 129, 45],
        [223, 194, 125],
        [246, 232, 195],
        [245, 245, 245],
        [199, 234, 229],
        [128, 205, 193],
        [53, 151, 143],
        [1, 102, 94],
    ];
    (1..).zip(NAMES).zip(COLOURS).map(|((value, name), rgb)| Class::new(value, name, rgb)).collect()
}

/// Working memory of a pixel.
#[derive(Default)]
pub struct TrendWork {
    sen: theil_sen::Work,
    kendall: mann_kendall::Work,
    seasonal: seasonal::Work,
    ols: ols::Work,
    harmonic: harmonic::Work,
    places: Vec<Place>,
    rest: Vec<f64>,
}

/// A slope with its test.
struct Trend {
    line: Line,
    p: Option<f64>,
    test: Option<Test>,
}

impl TrendModel {
    fn trend(&self, series: &Observed<'_>, work: &mut TrendWork, waves: &mut [f32]) -> Option<Trend> {
        let (times, values) = (series.times, series.band(0));
        match &self.method {
            TrendMethod::TheilSen(kendall) => {
                let line = theil_sen::line(times, values, &mut work.sen)?;
                let test = kendall.test_with_slope(times, values, line.slope, &mut work.kendall);
                Some(Trend { line, p: test.map(|t| t.p), test })
            }
            TrendMethod::Seasonal(places, correlated) => {
                work.places.clear();
                work.places.extend(series.at.iter().map(|at| places[*at as usize]));
                if !work.seasonal.load(times, values, &work.places) {
                    return None;
                }
                let test = work.seasonal.test(*correlated);
                let line = work.seasonal.line()?;
                Some(Trend { line, p: test.map(|t| t.p), test })
            }
            TrendMethod::Ols(kendall) => {
                let fit = ols::fit(times, values, &mut work.ols)?;
                let test = kendall.test(times, values, &mut work.kendall);
                let line = Line { slope: fit.slope, intercept: fit.intercept };
                Some(Trend { line, p: Some(fit.p), test })
            }
            TrendMethod::Harmonic(model, order, kendall) => {
                let fit = model.fit_at(&self.basis, series.at, values, &mut work.harmonic)?;
                for k in 1..=*order {
                    if let Some((amplitude, phase)) = fit.wave(k) {
                        (waves[2 * k - 2], waves[2 * k - 1]) = (amplitude as f32, phase as f32);
                    }
                }
                let number = |v: Option<f64>| v.map_or(f32::NAN, |v| v as f32);
                let rest = &mut waves[2 * order..];
                (rest[0], rest[1], rest[2]) = (number(fit.peak()), fit.rmse_unbiased as f32, number(fit.r2));
                let line = Line { slope: fit.slope(), intercept: fit.level() - fit.slope() * model.origin() };
                work.rest.clear();
                work.rest.extend(times.iter().zip(values).map(|(t, v)| v - model.waves(fit.coefficients, *t)));
                let test = kendall.test(times, &work.rest, &mut work.kendall);
                Some(Trend { line, p: test.map(|t| t.p), test })
            }
        }
    }
}

impl SeriesModel for TrendModel {
    type Work = TrendWork;

    fn name(&self) -> &'static str {
        "trend"
    }

    fn bands(&self) -> Vec<OutBand> {
        let moment = |name, unit| OutBand { overview: Overview::Mode, ..OutBand::quantity(name, unit) };
        let mut bands = vec![
            OutBand::quantity("slope_per_year", "1/year").drawn(Ramp::Vegetation),
            OutBand::quantity("intercept", ""),
            OutBand::quantity("p_value", "").within(0.0..=1.0),
            OutBand::quantity("tau", "").within(-1.0..=1.0),
            moment("n", "count"),
            moment("first_decimal_year", "year"),
            moment("last_decimal_year", "year"),
        ];
        if self.limits.is_some() {
            bands.push(OutBand::quantity("slope_low_per_year", "1/year").drawn(Ramp::Vegetation));
            bands.push(OutBand::quantity("slope_high_per_year", "1/year").drawn(Ramp::Vegetation));
        }
        if let TrendMethod::Harmonic(_, order, _) = &self.method {
            for k in 1..=*order {
                bands.push(OutBand::quantity(&format!("amplitude_{k}"), ""));
                bands.push(OutBand::quantity(&format!("phase_{k}_rad"), "rad"));
            }
            bands.push(OutBand::quantity("peak_fraction_of_year", "year").within(0.0..=1.0));
            bands.push(OutBand::quantity("rmse", ""));
            bands.push(OutBand::quantity("r2", ""));
        }
        bands.push(OutBand::classes("trend_class", classes()));
        bands
    }

    fn bytes(&self, dates: usize) -> u64 {
        // Ranks and signs of pairs of dates beside a few copies of the series; slopes within seasons are kept.
        let seasons = if let TrendMethod::Seasonal(..) = self.method { dates * dates * 8 } else { 0 };
        (dates * (256 + 16 * self.planes().end) + seasons) as u64
    }

    fn citations(&self) -> Vec<&'static str> {
        let kendall = "Mann 1945 and Kendall 1975, rank test for trend";
        match &self.method {
            TrendMethod::TheilSen(_) => vec!["Theil 1950 and Sen 1968, median of pairwise slopes", kendall],
            TrendMethod::Seasonal(..) => vec!["Hirsch, Slack & Smith 1982, seasonal Kendall test and slope"],
            TrendMethod::Ols(_) => vec!["least squares line with the t-test of its slope", kendall],
            TrendMethod::Harmonic(..) => vec!["harmonic regression by least squares", kendall],
        }
    }

    fn fit(&self, series: &Observed<'_>, work: &mut TrendWork, out: &mut [f32]) {
        let n = series.times.len();
        let (Some(first), Some(last)) = (series.times.first(), series.times.last()) else { return };
        (out[4], out[5], out[6]) = (n as f32, *first as f32, *last as f32);
        if n < LEAST {
            return;
        }
        let class = self.class_plane();
        let limits = if self.limits.is_some() { 2 } else { 0 };
        let (bands, rest) = out.split_at_mut(BANDS + limits);
        let waves = rest.len() - 1;
        let Some(trend) = self.trend(series, work, &mut rest[..waves]) else { return };
        (bands[0], bands[1]) = (trend.line.slope as f32, trend.line.intercept as f32);
        bands[2] = trend.p.map_or(f32::NAN, |p| p as f32);
        bands[3] = trend.test.map_or(f32::NAN, |t| t.tau as f32);
        if let Some((low, high)) = self.limits.as_ref().and_then(|l| l.of(series.times, series.band(0), &mut work.sen))
        {
            (bands[BANDS], bands[BANDS + 1]) = (low as f32, high as f32);
        }
        if let Some(test) = trend.test {
            out[class] = f32::from(self.classes.code(trend.line.slope, test.z));
        }
    }
}

/// The p-values of a field, for its false discovery rate; reads them from the plane of a trend.
pub struct Significance {
    /// Channel of the pass.
    pub channel: String,
}

impl Partial for PValues {
    fn merge(&mut self, next: Self) {
        Self::merge(self, &next);
    }
}

impl Analysis for Significance {
    type Partial = PValues;

    fn spec(&self) -> Spec {
        // No field has more different values than there are keys; a tile has far fewer.
        let most = (32 << PValues::BITS) * 48;
        Spec {
            name: "significance".into(),
            reads: vec![self.channel.clone()],
            scratch_fixed: most,
            citations: vec!["Benjamini & Hochberg 1995, false discovery rate"],
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, sum: &mut PValues) -> Result<()> {
        let mut row = vec![0.0; input.cols()];
        for r in 0..input.rows() {
            input.load(0, r, &mut row);
            row.iter().for_each(|p| sum.add(*p));
        }
        Ok(())
    }
}
