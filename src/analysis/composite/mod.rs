//! One image from several dates, pixel by pixel over the dates where all bands are valid.

mod central;
mod geomedian;
mod lanes;
mod select;

use std::str::FromStr;

use jiff::civil::Date;

use self::central::Ranks;
use self::lanes::{Encodings, LANES, Lane, Row, Stack};
use crate::engine::{Analysis, OutBand, Overview, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::Plane;

/// How the dates of a pixel become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CompositeMethod {
    /// Quantile of each band on its own; 0.5 is the median.
    Quantile(f64),
    /// Mean of each band on its own.
    Mean,
    /// The date with the highest NDVI; the earliest on ties.
    MaxNdvi,
    /// The date with the least sum of distances to all others (Flood 2013); the earliest on ties.
    Medoid,
    /// The point with the least sum of distances to all dates (Roberts, Mueller & McIntyre 2017).
    GeometricMedian,
    /// The valid date nearest to a day of the year; the earliest on ties. Of the scores of White et al. 2014 the one for the
    /// day of year: masks and their buffer stand for the distance to clouds, and one composite has one sensor.
    BestAvailable,
}

impl CompositeMethod {
    /// True where all bands of a pixel come from one date.
    #[must_use]
    pub fn selects(self) -> bool {
        matches!(self, Self::MaxNdvi | Self::Medoid | Self::BestAvailable)
    }
}

impl FromStr for CompositeMethod {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "median" => return Ok(Self::Quantile(0.5)),
            "mean" => return Ok(Self::Mean),
            "max-ndvi" => return Ok(Self::MaxNdvi),
            "medoid" => return Ok(Self::Medoid),
            "geomedian" => return Ok(Self::GeometricMedian),
            "best-available" => return Ok(Self::BestAvailable),
            _ => {}
        }
        let percent = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()).filter(|p| (0.0..=100.0).contains(p));
        percent.map(|p| Self::Quantile(p / 100.0)).ok_or_else(|| {
            Error::usage(format!(
                "--method {text:?}: expected median, mean, medoid, max-ndvi, geomedian, best-available or p0 to p100"
            ))
        })
    }
}

/// What a composite is to be.
#[derive(Clone, Copy, Debug)]
pub struct CompositeSettings {
    /// From many dates to one.
    pub method: CompositeMethod,
    /// Positions of red and near infrared among the bands, for [`CompositeMethod::MaxNdvi`].
    pub red_nir: (usize, usize),
    /// Day of the year (from 1) of [`CompositeMethod::BestAvailable`].
    pub target_day: u16,
    /// Fewest valid dates of a pixel that is not nodata.
    pub least: usize,
    /// Bands of the median distances to the geometric median too.
    pub deviations: bool,
}

/// Composites bands over dates. Reads all bands of the first date, then of the second, and so on.
pub struct CompositeAnalysis {
    reads: Vec<String>,
    bands: Vec<OutBand>,
    dates: Vec<Date>,
    settings: CompositeSettings,
    ranks: Ranks,
    /// Dates from the best to the worst, of [`CompositeMethod::BestAvailable`].
    preference: Vec<u32>,
}

/// Names of the bands of [`CompositeSettings::deviations`] (Roberts, Dunn & Mueller 2018): spectral (cosine), Euclidean and
/// Bray-Curtis median absolute deviation.
const DEVIATIONS: [&str; 3] = ["smad", "emad", "bcmad"];
/// Days from 1970-01-01 to the date a pixel was taken from.
const DATE_USED: &str = "date_used_days_since_1970";
/// Day of the year a pixel was taken from, from 1.
const DAY_USED: &str = "day_of_year_used";

impl CompositeAnalysis {
    /// `reads` names the channels of `bands`, date by date in order of time.
    #[must_use]
    pub fn new(reads: Vec<String>, bands: Vec<OutBand>, dates: Vec<Date>, settings: CompositeSettings) -> Self {
        let q = if let CompositeMethod::Quantile(q) = settings.method { q } else { 0.5 };
        let preference = match settings.method {
            CompositeMethod::BestAvailable => select::by_day_of_year(&dates, settings.target_day),
            _ => Vec::new(),
        };
        let ranks = Ranks::new(dates.len(), q);
        Self { reads, bands, dates, settings, ranks, preference }
    }

    /// Quantities that are made of a pixel, besides count and date.
    fn made(&self) -> usize {
        self.bands.len() + if self.settings.deviations { DEVIATIONS.len() } else { 0 }
    }

    /// Computes all rows; `load` fills a stack with cells of the planes, and `reduce` makes quantities, and a date where one
    /// is chosen, of it.
    fn rows<T: Lane>(
        &self,
        input: &TileIn<'_>,
        out: &mut TileOut,
        mut load: impl FnMut(&mut Stack<T>, usize, usize),
        mut reduce: impl FnMut(&Stack<T>, &mut [Row<f64>]) -> Option<Row<u32>>,
    ) where
        Stack<T>: Default,
    {
        let mut stack = Stack::<T>::default();
        stack.reset(self.dates.len(), self.bands.len());
        let (made, cols) = (self.made(), input.cols());
        let mut values = vec![[f64::NAN; LANES]; made];
        let wide = cols + 2 * input.halo;
        for row in 0..input.rows() {
            for col in (0..cols).step_by(LANES) {
                let n = LANES.min(cols - col);
                load(&mut stack, (row + input.halo) * wide + input.halo + col, n);
                out.f32_row(made, row)[col..col + n].iter_mut().zip(&stack.count).for_each(|(o, c)| *o = *c as f32);
                let enough = stack.count.map(|c| c > 0 && c as usize >= self.settings.least);
                if !enough[..n].contains(&true) {
                    continue;
                }
                let chosen = reduce(&stack, &mut values);
                let mut put = |plane: usize, of: &dyn Fn(usize) -> f32| {
                    let cells = out.f32_row(plane, row)[col..col + n].iter_mut().enumerate();
                    cells.filter(|(l, _)| enough[*l]).for_each(|(l, o)| *o = of(l));
                };
                values.iter().enumerate().for_each(|(k, v)| put(k, &|l| v[l] as f32));
                if let Some(chosen) = chosen {
                    let date = |l: usize| self.dates.get(chosen[l] as usize);
                    put(made + 1, &|l| date(l).map_or(f32::NAN, |d| days_since_1970(*d) as f32));
                    put(made + 2, &|l| date(l).map_or(f32::NAN, |d| f32::from(d.day_of_year())));
                }
            }
        }
    }

    /// Each band by itself, or the geometric median.
    fn central<T: Lane>(&self, stack: &Stack<T>, encodings: &[(f64, f64)], work: &mut Work<T>, out: &mut [Row<f64>]) {
        let (bands, further) = out.split_at_mut(self.bands.len());
        match self.settings.method {
            CompositeMethod::Quantile(_) => {
                central::quantiles(stack, &self.ranks, encodings, &mut work.keys, bands);
            }
            CompositeMethod::GeometricMedian => {
                geomedian::geometric_medians(stack, encodings, &mut work.geomedian, bands);
                if !further.is_empty() {
                    geomedian::deviations(stack, encodings, bands, &self.ranks, &mut work.geomedian, further);
                }
            }
            _ => central::means(stack, encodings, bands),
        }
    }

    /// All bands from one date.
    fn select(&self, stack: &Stack<f64>, sums: &mut Vec<Row<f64>>, out: &mut [Row<f64>]) -> Row<u32> {
        let chosen = match self.settings.method {
            CompositeMethod::MaxNdvi => select::greenest(stack, self.settings.red_nir),
            CompositeMethod::Medoid => select::medoid(stack, sums),
            _ => select::preferred(&stack.valid, &self.preference),
        };
        for (k, out) in out.iter_mut().enumerate() {
            for (l, (o, date)) in out.iter_mut().zip(&chosen).enumerate() {
                *o = if *date == select::NONE { f64::NAN } else { stack.value(*date as usize, k, l) };
            }
        }
        chosen
    }
}

/// Working memory, reused from run to run of pixels.
#[derive(Default)]
struct Work<T> {
    keys: Vec<Row<T>>,
    geomedian: geomedian::Work<T>,
}

/// Days from 1970-01-01.
fn days_since_1970(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

impl Analysis for CompositeAnalysis {
    type Partial = ();

    fn spec(&self) -> Spec {
        let mut writes = self.bands.clone();
        if self.settings.deviations {
            writes.extend(DEVIATIONS.map(|name| OutBand::quantity(name, "")));
        }
        writes.push(OutBand::quantity("valid dates", "count"));
        if self.settings.method.selects() {
            // A mean of dates is none of them.
            let date = |name, unit| OutBand { overview: Overview::Mode, ..OutBand::quantity(name, unit) };
            writes.extend([date(DATE_USED, "days"), date(DAY_USED, "day")]);
        }
        Spec {
            name: "composite".into(),
            reads: self.reads.clone(),
            writes,
            by_rows: true,
            scratch_fixed: 8 * (LANES * 8) as u64 * self.reads.len() as u64,
            citations: match self.settings.method {
                CompositeMethod::Medoid => vec!["Flood 2013, medoid"],
                CompositeMethod::GeometricMedian if self.settings.deviations => vec![
                    "Roberts, Mueller & McIntyre 2017, geometric median",
                    "Roberts, Dunn & Mueller 2018, median absolute deviations",
                ],
                CompositeMethod::GeometricMedian => vec!["Roberts, Mueller & McIntyre 2017, geometric median"],
                CompositeMethod::MaxNdvi => vec!["Holben 1986, maximum value composite"],
                CompositeMethod::BestAvailable => vec!["White et al. 2014, best-available-pixel composite"],
                CompositeMethod::Quantile(_) | CompositeMethod::Mean => Vec::new(),
            },
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        self.ranks.bytes()
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (planes, bands): (&[&Plane], _) = (&input.planes, self.bands.len());
        // Choices between dates are made in double precision; values stay those of the chosen date.
        let selects = self.settings.method.selects();
        match Encodings::common(planes, bands).filter(|_| !selects) {
            Some(encodings) => {
                let mut work = Work::default();
                let load = |stack: &mut Stack<f32>, at, n| stack.load(planes, &encodings, at, n);
                self.rows(input, out, load, |stack, out| {
                    self.central(stack, &encodings.bands, &mut work, out);
                    None
                });
            }
            None => {
                let (mut work, mut sums, physical) = (Work::default(), Vec::new(), vec![(1.0, 0.0); bands]);
                let load = |stack: &mut Stack<f64>, at, n| stack.load(planes, at, n);
                self.rows(input, out, load, |stack, out| {
                    if selects {
                        return Some(self.select(stack, &mut sums, out));
                    }
                    self.central(stack, &physical, &mut work, out);
                    None
                });
            }
        }
        Ok(())
    }
}

/// One value a band, from finite values of at least one date: `bands` values of the first date, then of the second. NDVI is
/// that of the bands `red_nir`.
#[must_use]
pub fn composite(dates: &[f64], bands: usize, method: CompositeMethod, red_nir: (usize, usize)) -> Vec<f64> {
    let settings = CompositeSettings { method, red_nir, target_day: 1, least: 1, deviations: false };
    let names = vec![OutBand::quantity("", ""); bands];
    let days = vec![Date::constant(1970, 1, 1); dates.len() / bands];
    let analysis = CompositeAnalysis::new(Vec::new(), names, days, settings);
    let mut stack = Stack::<f64>::default();
    stack.reset(dates.len() / bands, bands);
    stack.values.iter_mut().zip(dates).for_each(|(row, v)| row[0] = *v);
    stack.validate();
    let mut out = vec![[f64::NAN; LANES]; bands];
    if method.selects() {
        analysis.select(&stack, &mut Vec::new(), &mut out);
    } else {
        analysis.central(&stack, &vec![(1.0, 0.0); bands], &mut Work::default(), &mut out);
    }
    out.iter().map(|row| row[0]).collect()
}

#[cfg(test)]
mod tests;
