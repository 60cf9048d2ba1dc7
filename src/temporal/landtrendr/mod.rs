//! LandTrendr: a yearly series as a few straight segments between vertices (Kennedy, Yang & Cohen 2010, Remote Sensing of Environment
//! 114, 2897–2910).
//!
//! Steps: spikes are damped; candidate vertices are put where lines fit worst, those that turn least are culled; models from the full set
//! of vertices down to one segment are fitted and tested by F; the model with the most segments that is nearly as sure as the surest
//! is kept. A segment that recovers faster than `recovery` of the range a year is taken for noise and dissolved. Where no model
//! passes `pval` the models are fitted again with all vertices at once; where that does not help either the answer is the mean.
//!
//! Values: one a year, finite, in any unit that is **not far below one**: as in the original an explained mean square below 1e-5 counts
//! as nothing, so an index between −1 and 1 is best multiplied by 1000. Years without a value are left out of the slices.

mod despike;
mod fits;
mod models;
mod series;
mod to_vertices;
mod vertices;

use crate::error::{Error, Result};
use crate::temporal::segments::Loss;
use models::Model;
use series::Series;

pub use fits::FitMethod;
pub use to_vertices::fit_to_vertices;

/// Parameters, with the names and defaults of the original.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LandTrendrSettings {
    /// Most segments of a path (6), 2 to 20.
    pub max_segments: usize,
    /// Spikes are damped until their share is at most this (0.9); 1 leaves them.
    pub spike: f64,
    /// Candidate vertices beyond `max_segments + 1` (3).
    pub overshoot: usize,
    /// Largest p of a path that is not flat (0.05).
    pub pval: f64,
    /// Fastest recovery, as a share of the range of the fit per year (0.25); 1 allows recovery within a year.
    pub recovery: f64,
    /// A model with more segments is kept while its p is at most `2 − best_model` times the lowest (0.75), 0 to 1.
    pub best_model: f64,
    /// Fewest values for a fit (6); with fewer the answer is their mean.
    pub min_obs: usize,
    /// Weight of the rise after a vertex in culling (2).
    pub distweight: f64,
    /// Least p told apart. `Some(1e-7)` imitates programs of single precision, which find more segments in clear signals.
    pub p_floor: Option<f64>,
    /// Takes every recovery within one year for noise, however slow against the range.
    pub prevent_one_year_recovery: bool,
    /// Whether disturbance lowers the values (NBR, NDVI) or raises them.
    pub loss: Loss,
}

impl Default for LandTrendrSettings {
    fn default() -> Self {
        Self {
            max_segments: 6,
            spike: 0.9,
            overshoot: 3,
            pval: 0.05,
            recovery: 0.25,
            best_model: 0.75,
            min_obs: 6,
            distweight: 2.0,
            p_floor: None,
            prevent_one_year_recovery: false,
            loss: Loss::Falls,
        }
    }
}

/// The method with checked parameters.
#[derive(Clone, Debug)]
pub struct LandTrendr {
    settings: LandTrendrSettings,
}

/// Statistics of a fitted path. The path itself is in [`Work`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Probability of so large an F without any change; 1 for a flat path.
    pub p: f64,
    /// F statistic of the path; 0 for a flat one.
    pub f: f64,
    /// Root of the mean squared difference between the path and the values as given.
    pub rmse: f64,
    /// Whether the path is the mean, because no model was sure enough.
    pub flat: bool,
}

/// Memory of a worker, and the path of its last fit.
#[derive(Clone, Debug, Default)]
pub struct Work {
    series: Series,
    shares: Vec<f64>,
    models: Vec<Model>,
    years: Vec<i32>,
    values: Vec<f64>,
    fitted: Vec<f64>,
}

impl Work {
    /// Years of the vertices, the first and the last year of the stack among them.
    #[must_use]
    pub fn vertex_years(&self) -> &[i32] {
        &self.years
    }

    /// Values at the vertices, in the unit and sign of the input.
    #[must_use]
    pub fn vertex_values(&self) -> &[f64] {
        &self.values
    }

    /// The path at every year of the stack.
    #[must_use]
    pub fn fitted(&self) -> &[f64] {
        &self.fitted
    }
}

/// Longest stack: running sums of squares of years stay exact.
const MOST_YEARS: i32 = 10_000;

impl LandTrendr {
    /// Checks the parameters.
    pub fn new(settings: LandTrendrSettings) -> Result<Self> {
        let LandTrendrSettings {
            max_segments, spike, overshoot, pval, recovery, best_model, distweight, p_floor, ..
        } = settings;
        let wrong = |option: &str, found: String, range: &str| {
            Err(Error::usage(format!("{option}: {found}, expected {range}")))
        };
        if !(2..=20).contains(&max_segments) {
            return wrong("--max-segments", max_segments.to_string(), "2 to 20; one segment is a trend");
        }
        if overshoot > 20 {
            return wrong("--vertex-overshoot", overshoot.to_string(), "0 to 20");
        }
        for (option, value) in [("--spike", spike), ("--pval", pval), ("--best-model", best_model)] {
            if !(0.0..=1.0).contains(&value) {
                return wrong(option, value.to_string(), "0 to 1");
            }
        }
        if recovery.is_nan() || recovery <= 0.0 {
            return wrong("--recovery", recovery.to_string(), "a share of the range per year above 0");
        }
        if !(distweight.is_finite() && distweight >= 0.0) {
            return wrong("--distweight", distweight.to_string(), "0 or more");
        }
        if let Some(floor) = p_floor.filter(|floor| !(0.0..1.0).contains(floor)) {
            return wrong("--p-floor", floor.to_string(), "0 to below 1");
        }
        Ok(Self { settings })
    }

    /// Fits the series `values` of `years` (rising, within `first_year..=last_year` of the stack). `None` without any value.
    #[must_use]
    pub fn fit(&self, years: &[i32], values: &[f64], first_year: i32, last_year: i32, work: &mut Work) -> Option<Fit> {
        let in_stack = first_year <= *years.first()?
            && *years.last()? <= last_year
            && last_year.checked_sub(first_year)? <= MOST_YEARS;
        let rising = years.is_sorted_by(|a, b| a < b);
        if years.len() != values.len() || !rising || !in_stack {
            return None;
        }
        let sign = self.settings.loss.sign();
        let series = &mut work.series;
        series.y.clear();
        series.y.extend_from_slice(values);
        let enough = values.len() >= self.settings.min_obs;
        if enough {
            despike::despike(&mut series.y, self.settings.spike, &mut work.shares);
        }
        let level = series.centre(years, sign);
        let model = if enough { self.model(series, &mut work.models).copied() } else { None };
        work.years.clear();
        work.values.clear();
        if let Some(model) = &model {
            for (&at, &value) in model.vertices.as_slice().iter().zip(&model.values) {
                work.years.push(years[usize::from(at)]);
                work.values.push(level + sign * value);
            }
            self.add_ends(first_year, last_year, work);
        } else {
            // The mean of what the attempts have left: points smoothed on the way stay smoothed, as in the original.
            let mean = level + sign * work.series.y.iter().sum::<f64>() / values.len() as f64;
            work.years.extend([first_year, last_year]);
            work.values.extend([mean, mean]);
        }
        draw(&work.years, &work.values, &mut work.fitted);
        let rmse = rms_difference(years, values, first_year, &work.fitted);
        Some(model.map_or(Fit { p: 1.0, f: 0.0, rmse, flat: true }, |model| Fit {
            p: model.p,
            f: model.f,
            rmse,
            flat: false,
        }))
    }

    /// Steps 2 to 8.
    fn model<'a>(&self, series: &mut Series, models: &'a mut Vec<Model>) -> Option<&'a Model> {
        let n = series.len();
        let most = self.settings.max_segments + 1;
        if n < 3 {
            return None;
        }
        let mut vertices = vertices::candidates(series, (most + self.settings.overshoot).min(n - 2));
        vertices::cull(series, &mut vertices, most, self.settings.distweight);
        if vertices.as_slice().len() <= 2 {
            return None;
        }
        models::best(&self.settings, series, vertices, models).map(|chosen| &models[chosen])
    }

    /// Step 9: the path goes on level to the ends of the stack; if that is a segment too many the vertex that turns least goes.
    fn add_ends(&self, first_year: i32, last_year: i32, work: &mut Work) {
        let (years, values) = (&mut work.years, &mut work.values);
        if years[0] > first_year {
            years.insert(0, first_year);
            values.insert(0, values[0]);
            self.drop_excess(years, values);
        }
        if years[years.len() - 1] < last_year {
            years.push(last_year);
            values.push(values[values.len() - 1]);
            self.drop_excess(years, values);
        }
    }

    fn drop_excess(&self, years: &mut Vec<i32>, values: &mut Vec<f64>) {
        if years.len() <= self.settings.max_segments + 1 {
            return;
        }
        let sign = self.settings.loss.sign();
        let (low, high) = series::range(values);
        let step = |i: usize| (sign * (values[i + 1] - values[i]), f64::from(years[i + 1] - years[i]));
        let mut least = (1, f64::INFINITY);
        for i in 1..years.len() - 1 {
            let ((rise_before, time_before), (rise, time)) = (step(i - 1), step(i));
            let angle = |rise: f64, time: f64| libm::atan(rise / time);
            let turn = vertices::turn(angle(rise_before, time_before), angle(rise, time), rise / (high - low), 2.0);
            if turn < least.1 {
                least = (i, turn);
            }
        }
        years.remove(least.0);
        values.remove(least.0);
    }
}

/// The path through the vertices at every year from the first to the last.
fn draw(years: &[i32], values: &[f64], path: &mut Vec<f64>) {
    path.clear();
    path.push(values[0]);
    for (year, value) in years.windows(2).zip(values.windows(2)) {
        let length = year[1] - year[0];
        let slope = (value[1] - value[0]) / f64::from(length);
        path.extend((1..length).map(|t| value[0] + slope * f64::from(t)));
        if length > 0 {
            path.push(value[1]);
        }
    }
}

/// Root of the mean squared difference between values and the path that begins in `first_year`.
fn rms_difference(years: &[i32], values: &[f64], first_year: i32, path: &[f64]) -> f64 {
    let square = |(&year, &value): (&i32, &f64)| {
        let difference = value - path[(year - first_year) as usize];
        difference * difference
    };
    (years.iter().zip(values).map(square).sum::<f64>() / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(settings: LandTrendrSettings, years: &[i32], values: &[f64], stack: (i32, i32)) -> (Fit, Work) {
        let mut work = Work::default();
        let fit = LandTrendr::new(settings).unwrap().fit(years, values, stack.0, stack.1, &mut work).unwrap();
        (fit, work)
    }

    /// Twenty years with a fall of 400 after the eighth.
    fn fall() -> (Vec<i32>, Vec<f64>) {
        let noise = [
            3.0, -4.0, 1.0, 5.0, -2.0, 0.0, 4.0, -3.0, 2.0, -5.0, 1.0, 3.0, -1.0, -4.0, 2.0, 0.0, 5.0, -2.0, 1.0, -3.0,
        ];
        let level = |i: usize| if i < 8 { 700.0 } else { 300.0 };
        ((2000..2020).collect(), noise.iter().enumerate().map(|(i, e)| level(i) + e).collect())
    }

    #[test]
    fn a_fall_is_found() {
        let (years, values) = fall();
        let (fit, work) = fitted(LandTrendrSettings::default(), &years, &values, (2000, 2019));
        assert!(fit.p < 1e-20 && !fit.flat && fit.rmse < 5.0);
        assert!(work.vertex_years().windows(2).any(|pair| pair == [2007, 2008]));
        // The same values are no disturbance but a recovery within a year where loss raises the index, and that is not believed.
        let rises = LandTrendrSettings { loss: Loss::Rises, ..LandTrendrSettings::default() };
        let (_, work) = fitted(rises, &years, &values, (2000, 2019));
        assert!(!work.vertex_years().windows(2).any(|pair| pair == [2007, 2008]));
        // With the limit of the rate lifted it is, unless recoveries of one year are excluded by themselves.
        let free = LandTrendrSettings { recovery: 1.0, ..rises };
        let (_, work) = fitted(free, &years, &values, (2000, 2019));
        assert!(work.vertex_years().windows(2).any(|pair| pair == [2007, 2008]));
        let (_, work) =
            fitted(LandTrendrSettings { prevent_one_year_recovery: true, ..free }, &years, &values, (2000, 2019));
        assert!(!work.vertex_years().windows(2).any(|pair| pair == [2007, 2008]));
    }

    #[test]
    fn rounding_is_no_signal() {
        let years: Vec<i32> = (2000..2030).collect();
        let step: Vec<f64> = (0..30).map(|i| if i < 12 { 700.0 } else { 300.1 }).collect();
        let (_, work) = fitted(LandTrendrSettings::default(), &years, &step, (2000, 2029));
        assert_eq!(work.vertex_years(), [2000, 2011, 2012, 2029]);
        let line: Vec<f64> = (0..30).map(|i| 700.0 - 3.3 * f64::from(i)).collect();
        let (fit, work) = fitted(LandTrendrSettings::default(), &years, &line, (2000, 2029));
        assert!(fit.flat && work.vertex_years() == [2000, 2029]);
    }

    #[test]
    fn statistics_by_hand() {
        // A path of one segment: the least-squares line, F with two degrees of freedom in the numerator.
        let years: Vec<i32> = (2000..2010).collect();
        let values: Vec<f64> = (0..10).map(|i| 10.0 * f64::from(i) + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let settings = LandTrendrSettings { best_model: 1.0, spike: 1.0, ..LandTrendrSettings::default() };
        let (fit, work) = fitted(settings, &years, &values, (2000, 2009));
        assert_eq!(work.vertex_years(), [2000, 2009]);
        // Residual squares Syy − Sxy²/Sxx.
        let mean = values.iter().sum::<f64>() / 10.0;
        let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
        for (i, value) in values.iter().enumerate() {
            let x = i as f64 - 4.5;
            sxx += x * x;
            sxy += x * (value - mean);
            syy += (value - mean).powi(2);
        }
        let rest = syy - sxy * sxy / sxx;
        let f = (syy - rest) / 2.0 / (rest / 7.0);
        assert!((fit.f / f - 1.0).abs() < 1e-9);
        assert!((fit.p / crate::numeric::beta::f_upper_tail(f, 2.0, 7.0) - 1.0).abs() < 1e-9);
        assert!((fit.rmse - (rest / 10.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn floor_of_p_brings_segments() {
        let (years, values) = fall();
        let floor = LandTrendrSettings { p_floor: Some(1e-7), ..LandTrendrSettings::default() };
        let (fit, with_floor) = fitted(floor, &years, &values, (2000, 2019));
        let (_, without) = fitted(LandTrendrSettings::default(), &years, &values, (2000, 2019));
        assert_eq!(fit.p, 1e-7);
        assert!(with_floor.vertex_years().len() > without.vertex_years().len());
    }

    #[test]
    fn missing_ends_are_level() {
        let (years, values) = fall();
        let (_, work) = fitted(LandTrendrSettings::default(), &years, &values, (1998, 2021));
        let (years, values) = (work.vertex_years(), work.vertex_values());
        assert_eq!((years[0], years[1]), (1998, 2000));
        assert_eq!((years[years.len() - 2], years[years.len() - 1]), (2019, 2021));
        assert_eq!((values[0], values[values.len() - 1]), (values[1], values[values.len() - 2]));
        assert_eq!(work.fitted().len(), 24);
    }

    #[test]
    fn a_segment_too_many_costs_the_flattest_vertex() {
        // Path of two segments; the vertex that the missing first year adds makes three. Turns: 1.5708 at 2000, where the path starts to
        // fall (its own rise share is 1, so thrice the angle), less at 2010, where it goes on level.
        let settings = LandTrendrSettings { max_segments: 2, ..LandTrendrSettings::default() };
        let method = LandTrendr::new(settings).unwrap();
        let (mut years, mut values) = (vec![1998, 2000, 2010, 2019], vec![700.0, 700.0, 300.0, 300.0]);
        method.drop_excess(&mut years, &mut values);
        assert_eq!(years, [1998, 2000, 2019]);
        method.drop_excess(&mut years, &mut values);
        assert_eq!(values, [700.0, 700.0, 300.0]);
    }

    #[test]
    fn too_little_or_nothing() {
        let (fit, work) = fitted(LandTrendrSettings::default(), &[2001, 2002, 2005], &[1.0, 2.0, 6.0], (2000, 2006));
        assert_eq!((fit.p, fit.flat), (1.0, true));
        assert_eq!((work.vertex_years(), work.vertex_values()), (&[2000, 2006][..], &[3.0, 3.0][..]));
        assert_eq!(work.fitted(), [3.0; 7]);
        let (fit, work) =
            fitted(LandTrendrSettings::default(), &(2000..2030).collect::<Vec<_>>(), &[5.0; 30], (2000, 2029));
        assert!(fit.flat && fit.rmse == 0.0 && work.fitted() == [5.0; 30]);
        let method = LandTrendr::new(LandTrendrSettings::default()).unwrap();
        let mut work = Work::default();
        assert_eq!(method.fit(&[], &[], 2000, 2010, &mut work), None);
        assert_eq!(method.fit(&[1999], &[1.0], 2000, 2010, &mut work), None);
        assert_eq!(method.fit(&[2000], &[1.0, 2.0], 2000, 2010, &mut work), None);
        assert_eq!(method.fit(&[2000, 2000], &[1.0, 2.0], 2000, 2010, &mut work), None);
    }

    #[test]
    fn parameters_out_of_range() {
        let good = LandTrendrSettings::default();
        for wrong in [
            LandTrendrSettings { max_segments: 1, ..good },
            LandTrendrSettings { max_segments: 21, ..good },
            LandTrendrSettings { overshoot: 21, ..good },
            LandTrendrSettings { spike: f64::NAN, ..good },
            LandTrendrSettings { pval: 1.1, ..good },
            LandTrendrSettings { best_model: -0.1, ..good },
            LandTrendrSettings { recovery: 0.0, ..good },
            LandTrendrSettings { distweight: f64::INFINITY, ..good },
            LandTrendrSettings { p_floor: Some(1.0), ..good },
        ] {
            assert_eq!(LandTrendr::new(wrong).unwrap_err().kind(), crate::error::Kind::Usage);
        }
    }
}
