//! LandTrendr paths of every pixel (method in [`crate::temporal::landtrendr`]) and the changes read off them.

use super::moment;
use crate::analysis::series::{Observed, SeriesModel};
use crate::engine::OutBand;
use crate::raster::Ramp;
use crate::temporal::landtrendr::{LandTrendr, Work};
use crate::temporal::segments::{Change, ChangeRule, Segment, Selection, merge_similar, segments_of};

/// The method is made for indices multiplied by this.
pub const UNITS: f64 = 1000.0;

/// Which changes are read off a path.
#[derive(Clone, Debug)]
pub struct Reported {
    /// What counts as a change, in units of the index.
    pub rule: ChangeRule,
    /// Which change of each kind.
    pub selections: Vec<Selection>,
    /// Neighbours of one direction are one change where their angles are this near (degrees).
    pub merge: Option<f64>,
}

/// Numbers of one change.
const MEASURES: [(&str, &str); 6] = [
    ("year", "year"),
    ("magnitude", ""),
    ("duration_years", "years"),
    ("rate_per_year", "1/year"),
    ("pre_value", ""),
    ("signal_to_noise", ""),
];

/// LandTrendr over the years of a stack.
pub struct LandTrendrModel {
    method: LandTrendr,
    reported: Reported,
    /// First and last year of the stack.
    years: (i32, i32),
    vertices: usize,
}

impl LandTrendrModel {
    /// `segments` is the most segments `method` makes; `years` the first and last of the stack.
    #[must_use]
    pub fn new(method: LandTrendr, segments: usize, reported: Reported, years: (i32, i32)) -> Self {
        Self { method, reported, years, vertices: segments + 1 }
    }

    /// Planes of changes, statistics and vertices.
    #[must_use]
    pub fn path_planes(&self) -> std::ops::Range<usize> {
        0..2 * MEASURES.len() * self.reported.selections.len() + 3 + 2 * self.vertices
    }

    /// Planes of the fitted path, one a year.
    #[must_use]
    pub fn fitted_planes(&self) -> std::ops::Range<usize> {
        let first = self.path_planes().end;
        first..first + (self.years.1 - self.years.0 + 1) as usize
    }
}

fn prefix(selection: Selection) -> &'static str {
    match selection {
        Selection::Greatest => "",
        Selection::Newest => "newest_",
        Selection::Longest => "longest_",
    }
}

/// Working memory of a pixel.
#[derive(Default)]
pub struct PathWork {
    work: Work,
    years: Vec<i32>,
    values: Vec<f64>,
    segments: Vec<Segment>,
}

impl SeriesModel for LandTrendrModel {
    type Work = PathWork;

    fn name(&self) -> &'static str {
        "landtrendr"
    }

    fn bands(&self) -> Vec<OutBand> {
        let mut bands = Vec::new();
        for selection in &self.reported.selections {
            for (change, ramp) in [("disturbance", Ramp::Neutral), ("recovery", Ramp::Vegetation)] {
                for (measure, unit) in MEASURES {
                    let name = format!("{}{change}_{measure}", prefix(*selection));
                    let years = matches!(unit, "year" | "years");
                    bands.push(if years { moment(&name, unit) } else { OutBand::quantity(&name, unit).drawn(ramp) });
                }
            }
        }
        bands.push(moment("segments", "count"));
        bands.push(OutBand::quantity("p_value", "").within(0.0..=1.0));
        bands.push(OutBand::quantity("rmse", ""));
        bands.extend((1..=self.vertices).map(|k| moment(&format!("vertex_{k}_year"), "year")));
        bands.extend((1..=self.vertices).map(|k| OutBand::quantity(&format!("vertex_{k}_value"), "")));
        let fitted = |year| OutBand::quantity(&format!("fitted_{year}"), "").drawn(Ramp::Vegetation);
        bands.extend((self.years.0..=self.years.1).map(fitted));
        bands
    }

    fn bytes(&self, dates: usize) -> u64 {
        // Models from the full set of vertices down, running sums of the series, and the path.
        (dates * 256 + self.vertices * self.vertices * 64) as u64
    }

    fn citations(&self) -> Vec<&'static str> {
        vec!["Kennedy, Yang & Cohen 2010, LandTrendr temporal segmentation"]
    }

    fn fit(&self, series: &Observed<'_>, work: &mut PathWork, out: &mut [f32]) {
        work.years.clear();
        work.years.extend(series.times.iter().map(|t| *t as i32));
        work.values.clear();
        work.values.extend(series.band(0).iter().map(|v| v * UNITS));
        let (first, last) = self.years;
        let Some(fit) = self.method.fit(&work.years, &work.values, first, last, &mut work.work) else { return };
        let rmse = fit.rmse / UNITS;
        work.values.clear();
        work.values.extend(work.work.vertex_values().iter().map(|v| v / UNITS));
        segments_of(work.work.vertex_years(), &work.values, &mut work.segments);
        let segments = if fit.flat { 0 } else { work.segments.len() };
        let mut all = out.iter_mut();
        let mut put = |value: f64| all.next().map(|o| *o = value as f32);
        if let Some(degrees) = self.reported.merge {
            merge_similar(&mut work.segments, degrees);
        }
        for selection in &self.reported.selections {
            for change in [Change::Disturbance, Change::Recovery] {
                let found = self.reported.rule.select(&work.segments, change, *selection);
                let measures = found.map_or([f64::NAN; MEASURES.len()], |s| {
                    [
                        f64::from(s.year()),
                        s.magnitude(),
                        f64::from(s.duration()),
                        s.rate(),
                        s.pre,
                        s.signal_to_noise(rmse).unwrap_or(f64::NAN),
                    ]
                });
                measures.into_iter().for_each(|v| {
                    put(v);
                });
            }
        }
        [segments as f64, fit.p, rmse].into_iter().for_each(|v| {
            put(v);
        });
        let gaps = std::iter::repeat(f64::NAN);
        let years = work.work.vertex_years().iter().map(|y| f64::from(*y)).chain(gaps.clone()).take(self.vertices);
        let values = work.values.iter().copied().chain(gaps).take(self.vertices);
        years.chain(values).chain(work.work.fitted().iter().map(|v| v / UNITS)).for_each(|v| {
            put(v);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporal::landtrendr::LandTrendrSettings;
    use crate::temporal::segments::Loss;

    #[test]
    fn bands_hold_what_their_names_say() {
        let rule = ChangeRule::new(Loss::Falls, 0.1, None).unwrap();
        let selections = vec![Selection::Greatest, Selection::Newest];
        let settings = LandTrendrSettings::default();
        let reported = Reported { rule, selections, merge: None };
        let model =
            LandTrendrModel::new(LandTrendr::new(settings).unwrap(), settings.max_segments, reported, (2000, 2020));
        // A fall of 0.4 after 2008, with a little noise; 2000 and 2012 are missing.
        let years: Vec<i32> = (2001..=2020).filter(|y| *y != 2012).collect();
        let noise = [3.0, -4.0, 1.0, 5.0, -2.0, 0.0, 4.0, -3.0, 2.0, -5.0];
        let values: Vec<f64> =
            years.iter().map(|y| if *y <= 2008 { 0.7 } else { 0.3 } + 0.001 * noise[*y as usize % 10]).collect();
        let times: Vec<f64> = years.iter().map(|y| f64::from(*y)).collect();
        let at: Vec<u32> = years.iter().map(|y| (*y - 2000) as u32).collect();
        let bands = model.bands();
        let mut out = vec![f32::NAN; bands.len()];
        let series = Observed { at: &at, times: &times, values: &values };
        model.fit(&series, &mut PathWork::default(), &mut out);
        let of = |name: &str| out[bands.iter().position(|b| b.name == name).unwrap()];
        assert_eq!((of("disturbance_year"), of("disturbance_duration_years")), (2009.0, 1.0));
        assert!((of("disturbance_magnitude") + 0.4).abs() < 0.02 && (of("disturbance_pre_value") - 0.7).abs() < 0.02);
        assert_eq!(of("newest_disturbance_year"), 2009.0);
        assert!(of("recovery_year").is_nan() && of("p_value") < 1e-6 && of("rmse") < 0.01);
        assert_eq!(of("vertex_1_year"), 2000.0);
        assert!((of("fitted_2012") - 0.3).abs() < 0.02 && (of("fitted_2000") - 0.7).abs() < 0.02);
        assert_eq!(model.fitted_planes().end, bands.len());
        assert_eq!(bands[model.fitted_planes().start].name, "fitted_2000");
    }
}
