//! Theil-Sen line: the median of the slopes of all pairs of observations, with limits from the ranks of the slopes.
//!
//! Slope b = median over i < j of (x_j − x_i) / (t_j − t_i), with the true times; pairs of one time have no slope and are left
//! out. Intercept = median(x) − b·median(t) (Conover 1980), at t = 0. Units: those of the values per unit of time, and those
//! of the values. Any finite values are valid; None for fewer than [`LEAST`] observations or where all have one time. The
//! result is exact: equal to sorting all slopes, bit by bit.
//!
//! Limits at confidence 1 − α (Sen 1968): with N slopes and C = z_{1−α/2} √Var(S), the slopes at 1-based ranks (N − C)/2 and
//! (N + C)/2 + 1, ranks rounded to the nearest whole (even on ties) and kept within 1..=N. Var(S) is that of Mann-Kendall with
//! ties of values and, likewise, ties of times.
//!
//! Sources: Theil 1950, Proceedings KNAW 53:386-392; Sen 1968, JASA 63:1379-1389; Conover 1980, Practical Nonparametric
//! Statistics.

use super::slopes::Slopes;
use super::{LEAST, mann_kendall, median};
use crate::error::{Error, Result};
use crate::numeric::normal;

/// A Theil-Sen line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Change per unit of time.
    pub slope: f64,
    /// Value at time 0.
    pub intercept: f64,
}

/// Memory lent to [`line()`] and [`Limits::of`].
#[derive(Clone, Debug, Default)]
pub struct Work {
    slopes: Slopes,
    scratch: Vec<f64>,
}

/// The median slope of a series; None as for [`line()`].
#[must_use]
pub fn slope(times: &[f64], values: &[f64], work: &mut Work) -> Option<f64> {
    if times.len() < LEAST || times.len() != values.len() {
        return None;
    }
    work.slopes.load(times, values);
    work.slopes.median(times, values)
}

/// The Theil-Sen line of a series.
#[must_use]
pub fn line(times: &[f64], values: &[f64], work: &mut Work) -> Option<Line> {
    let slope = slope(times, values, work)?;
    let middle = times.len() / 2;
    let time = if times.len() % 2 == 1 { times[middle] } else { 0.5 * (times[middle - 1] + times[middle]) };
    work.scratch.clear();
    work.scratch.extend_from_slice(values);
    Some(Line { slope, intercept: median(&mut work.scratch)? - slope * time })
}

/// Confidence limits of the slope.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    z: f64,
}

impl Limits {
    /// Limits at a confidence between 0 and 1, such as 0.95.
    pub fn new(confidence: f64) -> Result<Self> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::usage(format!(
                "--confidence: {confidence}: not between 0 and 1; give for example 0.95"
            )));
        }
        Ok(Self { z: normal::upper_quantile(0.5 * (1.0 - confidence)) })
    }

    /// Lower and upper limit of the slope of a series; None as for [`line()`].
    #[must_use]
    pub fn of(&self, times: &[f64], values: &[f64], work: &mut Work) -> Option<(f64, f64)> {
        if times.len() < LEAST || times.len() != values.len() {
            return None;
        }
        let slopes = work.slopes.load(times, values);
        let last = slopes.checked_sub(1)?;
        let n = times.len();
        let mut ties = mann_kendall::ties_of_sorted(times);
        work.scratch.clear();
        work.scratch.extend(values.iter().map(|v| v + 0.0));
        work.scratch.sort_unstable_by(f64::total_cmp);
        ties += mann_kendall::ties_of_sorted(&work.scratch);
        let variance = (mann_kendall::no_ties(n) - ties).max(0.0) / 18.0;
        let reach = self.z * variance.sqrt();
        let rank = |at: f64| at.round_ties_even().clamp(0.0, last as f64) as u64;
        let lower = rank(((slopes as f64 - reach) / 2.0).round_ties_even() - 1.0);
        let upper = rank((slopes as f64 + reach) / 2.0);
        let low = work.slopes.ranks(times, values, lower, lower)?.0;
        let high = work.slopes.ranks(times, values, upper, upper)?.0;
        Some((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_slopes(times: &[f64], values: &[f64]) -> Vec<f64> {
        let mut all = Vec::new();
        for j in 0..times.len() {
            for i in 0..j {
                if times[j] > times[i] {
                    all.push((values[j] - values[i]) / (times[j] - times[i]) + 0.0);
                }
            }
        }
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    fn by_sorting(times: &[f64], values: &[f64]) -> Option<f64> {
        let all = all_slopes(times, values);
        let n = all.len();
        (n > 0).then(|| if n % 2 == 1 { all[n / 2] } else { 0.5 * (all[n / 2 - 1] + all[n / 2]) + 0.0 })
    }

    #[test]
    fn line_by_hand() {
        // Slopes of (0,1) (1,2) (2,2) (4,9): 1, 1/2, 2, 0, 7/3, 7/2, so the median is 3/2; medians 2 and 1.5.
        let got = line(&[0.0, 1.0, 2.0, 4.0], &[1.0, 2.0, 2.0, 9.0], &mut Work::default()).unwrap();
        assert_eq!(got, Line { slope: 1.5, intercept: 2.0 - 1.5 * 1.5 });
    }

    #[test]
    fn too_little_is_none() {
        let work = &mut Work::default();
        for n in 0..4 {
            assert_eq!(line(&vec![1.0; n], &vec![1.0; n], work), None);
        }
        assert_eq!(line(&[5.0; 30], &[1.0; 30], work), None);
        assert_eq!(Limits::new(0.95).unwrap().of(&[5.0; 30], &[1.0; 30], work), None);
        assert!(Limits::new(1.0).is_err() && Limits::new(f64::NAN).is_err());
    }

    /// Times with duplicates, values of several kinds: smooth, tied, with outliers, huge, tiny, on a high level.
    fn series() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let point = (0_u32..400, -1.0..1.0, 0_u32..20);
        (prop::collection::vec(point, 4..160), 0_u8..9, -3.0..3.0).prop_map(|(mut points, kind, slope)| {
            points.sort_by_key(|p| p.0);
            let times: Vec<f64> = points.iter().map(|p| 2015.0 + f64::from(p.0) / 36.5).collect();
            let value = |(t, noise, step): &(u32, f64, u32)| {
                let (t, step) = (f64::from(*t) / 36.5, f64::from(*step));
                match kind {
                    0 => slope * t + noise,
                    1 => step,
                    2 => f64::from((slope * t + noise) as f32),
                    3 => slope * t,
                    4 => noise * 1e200,
                    5 => noise * 1e-300,
                    6 => 1e6 + noise * 1e-3,
                    7 => {
                        if step > 17.0 {
                            1e9 * noise
                        } else {
                            *noise
                        }
                    }
                    _ => {
                        if step > 2.0 {
                            0.25
                        } else {
                            *noise
                        }
                    }
                }
            };
            let values = points.iter().map(value).collect();
            (times, values)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn median_slope_is_that_of_all_slopes((times, values) in series()) {
            let got = slope(&times, &values, &mut Work::default());
            prop_assert_eq!(got.map(f64::to_bits), by_sorting(&times, &values).map(f64::to_bits));
        }

        #[test]
        fn every_rank_is_that_of_all_slopes((times, values) in series(), at in 0.0..1.0) {
            let all = all_slopes(&times, &values);
            prop_assume!(!all.is_empty());
            let rank = ((all.len() as f64 * at) as usize).min(all.len() - 1);
            let mut slopes = Slopes::default();
            prop_assert_eq!(slopes.load(&times, &values), all.len() as u64);
            let got = slopes.ranks(&times, &values, rank as u64, rank as u64);
            prop_assert_eq!(got.map(|g| g.0.to_bits()), Some(all[rank].to_bits()));
        }

        #[test]
        fn shifts_and_scales((times, values) in series()) {
            let work = &mut Work::default();
            let Some(one) = slope(&times, &values, work) else { return Ok(()) };
            let doubled: Vec<f64> = values.iter().map(|v| -2.0 * v).collect();
            prop_assert_eq!(slope(&times, &doubled, work), Some(-2.0 * one + 0.0));
            let Some((low, high)) = Limits::new(0.9).unwrap().of(&times, &values, work) else { return Ok(()) };
            prop_assert!(low <= one && one <= high);
        }
    }
}
