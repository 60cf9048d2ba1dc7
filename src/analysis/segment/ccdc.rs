//! CCDC and COLD of every pixel (methods in [`crate::temporal::ccdc`]).

use super::moment;
use crate::analysis::series::{Observed, SeriesModel};
use crate::engine::OutBand;
use crate::raster::Ramp;
use crate::temporal::ccdc::{Ccdc, Procedure, Quality, Segment, Work};
use crate::temporal::segments::Loss;

/// How a break tells loss from gain of vegetation.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// By one index.
    Index(Loss),
    /// By near infrared against red: positions of these bands.
    NirRed(usize, usize),
}

/// CCDC or COLD over the dates of a stack.
pub struct CcdcModel {
    method: Ccdc,
    direction: Direction,
    /// Breaks that get bands of their own.
    breaks: usize,
    /// Ordinal days of the dates with their decimal years.
    dates: Vec<(f64, f64)>,
}

/// Numbers of one selected break.
const MEASURES: usize = 3;

impl CcdcModel {
    /// `dates` are the ordinal days the method was made for, each with its decimal year; `breaks` the number of breaks with bands
    /// of their own.
    #[must_use]
    pub fn new(method: Ccdc, direction: Direction, breaks: usize, dates: Vec<(f64, f64)>) -> Self {
        Self { method, direction, breaks, dates }
    }

    /// Decimal year of an ordinal day of the axis.
    fn year(&self, day: f64) -> f64 {
        let at = self.dates.partition_point(|(d, _)| *d < day);
        self.dates.get(at).map_or(f64::NAN, |(_, year)| *year)
    }

    /// Root mean square of the change over the detection bands, negative where vegetation is lost, in units of the values.
    fn change(&self, segment: &Segment) -> f64 {
        let settings = self.method.settings();
        let squares: f64 = settings.detection.iter().map(|b| segment.magnitude[*b].powi(2)).sum();
        let size = (squares / settings.detection.len() as f64).sqrt() / settings.scale;
        let gain = match self.direction {
            Direction::Index(Loss::Falls) => segment.magnitude[0],
            Direction::Index(Loss::Rises) => -segment.magnitude[0],
            Direction::NirRed(nir, red) => segment.magnitude[nir] - segment.magnitude[red],
        };
        if gain < 0.0 { -size } else { size }
    }
}

/// Working memory of a pixel.
#[derive(Default)]
pub struct BreakWork {
    work: Work,
    values: Vec<f32>,
    quality: Vec<Quality>,
}

impl SeriesModel for CcdcModel {
    type Work = BreakWork;

    fn name(&self) -> &'static str {
        "ccdc"
    }

    fn bands(&self) -> Vec<OutBand> {
        let mut bands = vec![moment("segments", "count"), moment("breaks", "count")];
        for change in ["disturbance", "recovery"] {
            bands.push(moment(&format!("{change}_year"), "year"));
            bands.push(moment(&format!("{change}_decimal_year"), "year"));
            bands.push(OutBand::quantity(&format!("{change}_magnitude"), "").drawn(Ramp::Vegetation));
        }
        bands.push(moment("newest_break_decimal_year", "year"));
        bands.push(OutBand::quantity("newest_probability", "").within(0.0..=1.0));
        bands.push(OutBand::quantity("rmse", ""));
        bands.push(moment("procedure", "code"));
        for k in 1..=self.breaks {
            bands.push(moment(&format!("break_{k}_decimal_year"), "year"));
            bands.push(OutBand::quantity(&format!("break_{k}_magnitude"), "").drawn(Ramp::Vegetation));
        }
        bands
    }

    fn bytes(&self, dates: usize) -> u64 {
        // Bands, regressors and residuals of all dates.
        (dates * 8 * 64) as u64
    }

    fn citations(&self) -> Vec<&'static str> {
        match self.method.settings().variant {
            crate::temporal::ccdc::Variant::Ccdc => vec!["Zhu & Woodcock 2014, CCDC"],
            crate::temporal::ccdc::Variant::Cold => vec!["Zhu et al. 2020, COLD"],
        }
    }

    fn fit(&self, series: &Observed<'_>, work: &mut BreakWork, out: &mut [f32]) {
        let (dates, bands) = (self.method.dates(), self.method.settings().bands);
        if series.at.is_empty() {
            return;
        }
        work.quality.clear();
        // What is masked is no observation, so that a mask that is wrong about bright ground makes no pixel "mostly cloudy".
        work.quality.resize(dates, Quality::Missing);
        work.values.clear();
        work.values.resize(dates * bands, f32::NAN);
        for at in series.at {
            work.quality[*at as usize] = Quality::Clear;
        }
        for band in 0..bands {
            for (at, value) in series.at.iter().zip(series.band(band)) {
                work.values[band * dates + *at as usize] = *value as f32;
            }
        }
        let segments = self.method.segments(&work.values, &work.quality, &mut work.work);
        let confirmed = || segments.iter().filter(|s| s.probability >= 1.0).filter_map(|s| Some((s, s.change?)));
        out[0] = segments.len() as f32;
        out[1] = confirmed().count() as f32;
        for (side, sign) in [-1.0, 1.0].into_iter().enumerate() {
            let of_sign = confirmed().map(|(s, day)| (self.change(s), day)).filter(|(change, _)| change * sign > 0.0);
            let greatest = of_sign.reduce(|a, b| if b.0.abs() > a.0.abs() { b } else { a });
            if let Some((change, day)) = greatest {
                let year = self.year(day);
                let at = 2 + MEASURES * side;
                (out[at], out[at + 1], out[at + 2]) = (year.floor() as f32, year as f32, change as f32);
            }
        }
        let rest = 2 + 2 * MEASURES;
        if let Some((_, day)) = confirmed().next_back() {
            out[rest] = self.year(day) as f32;
        }
        if let Some(last) = segments.last() {
            out[rest + 1] = last.probability as f32;
            let settings = self.method.settings();
            let squares: f64 = settings.detection.iter().map(|b| last.rmse[*b].powi(2)).sum();
            out[rest + 2] = ((squares / settings.detection.len() as f64).sqrt() / settings.scale) as f32;
            out[rest + 3] = f32::from(Procedure::code(last.procedure));
        }
        for (k, (segment, day)) in confirmed().take(self.breaks).enumerate() {
            out[rest + 4 + 2 * k] = self.year(day) as f32;
            out[rest + 5 + 2 * k] = self.change(segment) as f32;
        }
    }
}
