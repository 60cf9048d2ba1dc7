//! Mann-Kendall test for a monotonic trend, with ties and with corrections for autocorrelation.
//!
//! S = Σ_{i<j} sgn(x_j − x_i); Var(S) = [n(n−1)(2n+5) − Σ_g t_g(t_g−1)(2t_g+5)] / 18 over groups of t_g ties; Z = (S ∓ 1)/√Var,
//! 0 for S = 0 or Var = 0; p = 2(1 − Φ(|Z|)), two-sided; τ = S / (n(n−1)/2), which is τ-a. No units. None for fewer than
//! [`LEAST`] observations.
//!
//! A positive autocorrelation makes plain Mann-Kendall find trends too often. What the corrections share: b is the Theil-Sen
//! slope with the true times, y_i = x_i − b t_i the series without its trend, and the lag of an autocorrelation counts
//! observations (i = 1..n over the valid ones, whatever time lies between them), so that for a regular series without gaps
//! everything is as in the papers.
//!
//! - `pw`: x'_i = x_i − r₁ x_{i−1} with r₁ of x; the test is of the n − 1 values x' (von Storch 1995).
//! - `tfpw`: y'_i = y_i − r₁ y_{i−1} with r₁ of y; the test is of y'_i + b t_{i−1} (Yue & Pilon 2002); if asked for, only
//!   where |r₁| > 1.96/√n, and plain elsewhere.
//! - `hamed-rao`: Var* = Var·[1 + 2/(n(n−1)(n−2)) Σ_k (n−k)(n−k−1)(n−k−2) ρ_k] with ρ_k of the average ranks of y, lags
//!   with |ρ_k| > z_{1−α/2}/√n only (Hamed & Rao 1998).
//! - `yue-wang`: Var* = Var·[1 + 2 Σ_k (1 − k/n) ρ_k] with ρ_k of y (Yue & Wang 2004).
//!
//! The sums run over all lags 1..n−1 or the first few. None where a corrected variance is not positive or where the
//! series, or what is left of it without its trend, does not vary, so that it has no autocorrelation.
//!
//! Sources: Mann 1945, Econometrica 13:245-259; Kendall 1975, Rank Correlation Methods; von Storch 1995, Analysis of Climate
//! Variability; Yue et al. 2002, Hydrological Processes 16:1807-1829; Hamed & Rao 1998, Journal of Hydrology 204:182-196; Yue
//! & Wang 2004, Water Resources Management 18:201-218.

use std::str::FromStr;

use super::autocorrelation::{Autocorrelation, twice_ranks};
use super::pairs::{self, Level};
use super::{LEAST, theil_sen};
use crate::error::{Error, Result};
use crate::numeric::normal;

/// What is done about autocorrelation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prewhitening {
    /// Nothing.
    #[default]
    None,
    /// The series is freed of its autocorrelation at lag 1 first.
    Prewhiten,
    /// As that, with the trend taken out before and put back after.
    Tfpw,
    /// The variance of S is corrected by the autocorrelation of ranks.
    HamedRao,
    /// The variance of S is corrected by the autocorrelation of values.
    YueWang,
}

impl Prewhitening {
    /// All of them by name.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("pw", Self::Prewhiten),
        ("tfpw", Self::Tfpw),
        ("hamed-rao", Self::HamedRao),
        ("yue-wang", Self::YueWang),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, p)| *p == self).map_or("none", |(name, _)| name)
    }
}

impl FromStr for Prewhitening {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::NAMED.iter().find(|(name, _)| *name == text).map(|(_, p)| *p).ok_or_else(|| {
            Error::usage(format!("--prewhiten: {text}: unknown; give none, pw, tfpw, hamed-rao or yue-wang"))
        })
    }
}

/// What the corrections take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// Lags the corrected variances take; all where none is given.
    pub lags: Option<usize>,
    /// Level at which an autocorrelation of Hamed & Rao is significant.
    pub alpha: f64,
    /// Trend-free pre-whitening only where the autocorrelation at lag 1 is significant.
    pub only_if_significant: bool,
}

impl Default for Correction {
    fn default() -> Self {
        Self { lags: None, alpha: 0.05, only_if_significant: false }
    }
}

/// Result of a Mann-Kendall test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Pairs that rise less pairs that fall.
    pub s: i64,
    /// Variance of S, corrected where a correction was asked for.
    pub variance: f64,
    /// Standard normal statistic.
    pub z: f64,
    /// Two-sided probability of so great a |Z| without a trend.
    pub p: f64,
    /// Kendall's τ-a.
    pub tau: f64,
    /// Values tested: one less than the observations after pre-whitening.
    pub n: usize,
}

impl Test {
    /// The test of a statistic and its variance; `by` is what S is moved towards zero by.
    pub(super) fn new(s: i64, variance: f64, by: f64, pairs: u64, n: usize) -> Self {
        let moved = (s.unsigned_abs() as f64 - by).max(0.0).copysign(s as f64);
        let z = if s == 0 || variance <= 0.0 { 0.0 } else { moved / variance.sqrt() };
        let tau = if pairs == 0 { 0.0 } else { s as f64 / pairs as f64 };
        Self { s, variance, z, p: two_sided(z), tau, n }
    }
}

/// Two-sided probability of a standard normal statistic.
pub(super) fn two_sided(z: f64) -> f64 {
    2.0 * normal::cdf(-z.abs())
}

/// 18 Var(S) of n values without ties.
pub(super) fn no_ties(n: usize) -> f64 {
    group(n as u64) as f64
}

/// What a group of equal values takes from 18 Var(S).
fn group(ties: u64) -> u64 {
    ties * ties.saturating_sub(1) * (2 * ties + 5)
}

/// What the groups of equal values of a sorted series take from 18 Var(S).
pub(super) fn ties_of_sorted(sorted: &[f64]) -> f64 {
    sorted.chunk_by(|a, b| a == b).filter(|g| g.len() > 1).map(|g| group(g.len() as u64)).sum::<u64>() as f64
}

/// Memory for S and its variance.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistic {
    narrow: Vec<f32>,
    wide: Vec<f64>,
}

impl Statistic {
    /// S and its variance for values in order of time.
    pub(super) fn of(&mut self, values: &[f64]) -> (i64, f64) {
        let n = values.len();
        let signs = if pairs::narrowed(values, &mut self.narrow) {
            pairs::signs(&self.narrow)
        } else {
            self.wide.clear();
            self.wide.extend_from_slice(values);
            pairs::pad(&mut self.wide, f64::NONE);
            pairs::signs(&self.wide)
        };
        let mut variance = no_ties(n);
        if signs.rises + signs.falls < (n * n.saturating_sub(1) / 2) as u64 {
            self.wide.clear();
            self.wide.extend(values.iter().map(|v| v + 0.0));
            self.wide.sort_unstable_by(f64::total_cmp);
            variance -= ties_of_sorted(&self.wide);
        }
        (signs.rises.cast_signed() - signs.falls.cast_signed(), variance / 18.0)
    }
}

/// Memory lent to [`MannKendall::test`].
#[derive(Clone, Debug, Default)]
pub struct Work {
    statistic: Statistic,
    sen: theil_sen::Work,
    acf: Autocorrelation,
    without_trend: Vec<f64>,
    series: Vec<f64>,
    order: Vec<u32>,
}

/// The Mann-Kendall test with its treatment of autocorrelation.
#[derive(Clone, Copy, Debug)]
pub struct MannKendall {
    prewhitening: Prewhitening,
    correction: Correction,
    /// z_{1−α/2} of the level of significance.
    z: f64,
}

impl MannKendall {
    /// A test, if the correction is possible.
    pub fn new(prewhitening: Prewhitening, correction: Correction) -> Result<Self> {
        let Correction { lags, alpha, .. } = correction;
        if lags == Some(0) {
            return Err(Error::usage("--lags: 0: no lag to correct by; give 1 or more, or leave it out for all"));
        }
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::usage(format!("--alpha: {alpha}: not between 0 and 1; give for example 0.05")));
        }
        Ok(Self { prewhitening, correction, z: normal::upper_quantile(0.5 * alpha) })
    }

    /// Tests a series.
    #[must_use]
    pub fn test(&self, times: &[f64], values: &[f64], work: &mut Work) -> Option<Test> {
        let slope = match self.prewhitening {
            Prewhitening::None | Prewhitening::Prewhiten => 0.0,
            _ => theil_sen::slope(times, values, &mut work.sen)?,
        };
        self.test_with_slope(times, values, slope, work)
    }

    /// Tests a series whose Theil-Sen slope is known, which the corrections that take out the trend need.
    #[must_use]
    pub fn test_with_slope(&self, times: &[f64], values: &[f64], slope: f64, work: &mut Work) -> Option<Test> {
        let n = values.len();
        if n < LEAST || times.len() != n {
            return None;
        }
        match self.prewhitening {
            Prewhitening::None => Some(plain(values, &mut work.statistic)),
            Prewhitening::Prewhiten => {
                let lag1 = lag_one(&mut work.acf, values, size(values))?;
                work.series.clear();
                work.series.extend(values.windows(2).map(|x| x[1] - lag1 * x[0]));
                Some(plain(&work.series, &mut work.statistic))
            }
            Prewhitening::Tfpw => {
                let size = take_trend(times, values, slope, &mut work.without_trend);
                let lag1 = lag_one(&mut work.acf, &work.without_trend, size)?;
                if self.correction.only_if_significant && lag1.abs() <= 1.96 / (n as f64).sqrt() {
                    return Some(plain(values, &mut work.statistic));
                }
                work.series.clear();
                let whitened = work.without_trend.windows(2).zip(times);
                work.series.extend(whitened.map(|(y, t)| (y[1] - lag1 * y[0]) + slope * t));
                Some(plain(&work.series, &mut work.statistic))
            }
            Prewhitening::HamedRao | Prewhitening::YueWang => {
                let size = take_trend(times, values, slope, &mut work.without_trend);
                if !work.acf.load(&work.without_trend, size) {
                    return None;
                }
                let factor = if self.prewhitening == Prewhitening::HamedRao {
                    twice_ranks(&work.without_trend, &mut work.order, &mut work.series);
                    if !work.acf.load(&work.series, n as f64) {
                        return None;
                    }
                    self.hamed_rao(n, &work.acf)
                } else {
                    self.yue_wang(n, &work.acf)
                };
                let (s, variance) = work.statistic.of(values);
                let corrected = variance * factor;
                // No variance at all is the plain test's case of a constant.
                (corrected > 0.0).then(|| Test::new(s, corrected, 1.0, (n * (n - 1) / 2) as u64, n))
            }
        }
    }

    fn lags(&self, n: usize) -> std::ops::RangeInclusive<usize> {
        1..=self.correction.lags.unwrap_or(n).min(n - 1)
    }

    fn hamed_rao(&self, n: usize, acf: &Autocorrelation) -> f64 {
        let (m, least) = (n as f64, self.z / (n as f64).sqrt());
        let term = |k: usize| {
            let (rho, left) = (acf.at(k), (n - k) as f64);
            if rho.abs() > least { left * (left - 1.0) * (left - 2.0) * rho } else { 0.0 }
        };
        1.0 + 2.0 / (m * (m - 1.0) * (m - 2.0)) * self.lags(n).map(term).sum::<f64>()
    }

    fn yue_wang(&self, n: usize, acf: &Autocorrelation) -> f64 {
        1.0 + 2.0 * self.lags(n).map(|k| (1.0 - k as f64 / n as f64) * acf.at(k)).sum::<f64>()
    }
}

fn plain(values: &[f64], statistic: &mut Statistic) -> Test {
    let n = values.len();
    let (s, variance) = statistic.of(values);
    Test::new(s, variance, 1.0, (n * n.saturating_sub(1) / 2) as u64, n)
}

fn size(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// Takes the trend out of a series; gives the size of the numbers it was computed from.
fn take_trend(times: &[f64], values: &[f64], slope: f64, without: &mut Vec<f64>) -> f64 {
    without.clear();
    without.extend(times.iter().zip(values).map(|(t, x)| x - slope * t));
    size(values) + slope.abs() * size(times)
}

fn lag_one(acf: &mut Autocorrelation, series: &[f64], size: f64) -> Option<f64> {
    acf.load(series, size).then(|| acf.at(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Prewhitening; 5] = [
        Prewhitening::None,
        Prewhitening::Prewhiten,
        Prewhitening::Tfpw,
        Prewhitening::HamedRao,
        Prewhitening::YueWang,
    ];

    fn years(n: usize) -> Vec<f64> {
        (0..n).map(|i| 1990.0 + i as f64).collect()
    }

    fn test_of(kind: Prewhitening, values: &[f64]) -> Option<Test> {
        let method = MannKendall::new(kind, Correction::default()).unwrap();
        method.test(&years(values.len()), values, &mut Work::default())
    }

    #[test]
    fn statistic_by_hand() {
        // 1 2 2 9: five rises and a tie; 18 Var = 4·3·13 − 2·1·9 = 138.
        let got = test_of(Prewhitening::None, &[1.0, 2.0, 2.0, 9.0]).unwrap();
        assert_eq!((got.s, got.n), (5, 4));
        assert!((got.variance - 138.0 / 18.0).abs() < 1e-15);
        assert!((got.z - 4.0 / (138.0_f64 / 18.0).sqrt()).abs() < 1e-15);
        assert!((got.tau - 5.0 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn constants_have_no_trend_and_no_autocorrelation() {
        for n in 0..4 {
            assert!(ALL.iter().all(|&kind| test_of(kind, &vec![1.0; n]).is_none()));
        }
        let flat = test_of(Prewhitening::None, &[0.42; 28]).unwrap();
        assert_eq!((flat.s, flat.variance, flat.z, flat.p, flat.tau), (0, 0.0, 0.0, 1.0, 0.0));
        for kind in &ALL[1..] {
            assert_eq!(test_of(*kind, &[0.42; 28]), None, "{kind:?}");
        }
        // Nothing is left of a straight line without its trend.
        let line: Vec<f64> = (0..30).map(|i| 0.1 + 0.013 * f64::from(i)).collect();
        for kind in &ALL[2..] {
            assert_eq!(test_of(*kind, &line), None, "{kind:?}");
        }
    }

    #[test]
    fn trend_free_prewhitening_only_where_it_matters() {
        let noise: Vec<f64> = (0..40).map(|i| f64::from((i * i * 37 + i * 11) % 101)).collect();
        let choosy = Correction { only_if_significant: true, ..Correction::default() };
        let method = MannKendall::new(Prewhitening::Tfpw, choosy).unwrap();
        let work = &mut Work::default();
        assert_eq!(method.test(&years(40), &noise, work), test_of(Prewhitening::None, &noise));
        let waves: Vec<f64> = (0..40).map(|i| (f64::from(i) / 5.0).sin()).collect();
        assert_eq!(method.test(&years(40), &waves, work), test_of(Prewhitening::Tfpw, &waves));
        assert_eq!(test_of(Prewhitening::Tfpw, &waves).unwrap().n, 39);
    }

    #[test]
    fn names_and_limits_are_checked() {
        for (name, kind) in Prewhitening::NAMED {
            assert_eq!(name.parse::<Prewhitening>().unwrap(), kind);
            assert_eq!(kind.name(), name);
        }
        assert!("TFPW".parse::<Prewhitening>().is_err());
        let new =
            |lags, alpha| MannKendall::new(Prewhitening::HamedRao, Correction { lags, alpha, ..Correction::default() });
        assert!(new(Some(0), 0.05).is_err() && new(None, 0.0).is_err() && new(None, f64::NAN).is_err());
        assert!(new(Some(1), 0.1).is_ok());
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop_oneof![
            prop::collection::vec(-1.0..1.0, 4..90),
            prop::collection::vec((0_u8..6).prop_map(f64::from), 4..90),
            prop::collection::vec((-1.0..1.0).prop_map(|v: f64| f64::from(v as f32)), 4..90),
            prop::collection::vec(prop_oneof![Just(1e300), Just(-1e300), Just(0.0), Just(-0.0), Just(1e-300)], 4..90),
        ]
    }

    proptest! {
        #[test]
        fn statistic_is_that_of_two_loops(x in values()) {
            let n = x.len();
            let mut s = 0;
            let mut lost = 0.0;
            for j in 0..n {
                s += x[..j].iter().map(|&v| i64::from(x[j] > v) - i64::from(x[j] < v)).sum::<i64>();
                // Every member of a group of t equal values adds (t − 1)(2t + 5).
                let t = x.iter().filter(|&&v| v == x[j]).count() as f64;
                lost += (t - 1.0) * (2.0 * t + 5.0);
            }
            let got = test_of(Prewhitening::None, &x).unwrap();
            prop_assert_eq!(got.s, s);
            prop_assert!((got.variance - (no_ties(n) - lost) / 18.0).abs() < 1e-9);
        }

        #[test]
        fn negation_turns_every_sign(x in prop::collection::vec(-1.0..1.0, 5..60)) {
            let turned: Vec<f64> = x.iter().map(|v: &f64| -*v).collect();
            for kind in ALL {
                let (a, b) = (test_of(kind, &x), test_of(kind, &turned));
                prop_assert_eq!(a.is_some(), b.is_some());
                if let (Some(a), Some(b)) = (a, b) {
                    prop_assert_eq!((a.s, a.z, a.p), (-b.s, -b.z, b.p));
                }
            }
        }
    }
}
