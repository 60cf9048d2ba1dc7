//! The metrics of one series.

use super::disturbance;
use super::series::{Annual, Filled};
use super::{Reason, RecoverySettings, Target};

type Metric = Result<f64, Reason>;

/// Recovery of one pixel or area; formulas in [`super`]. Each metric is a finite number or the reason it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// First disturbed year d, given or found.
    pub disturbance: Option<i32>,
    /// Year r the recovery starts in, where it was observed.
    pub start: Option<i32>,
    /// Level Vpre before the disturbance, as the index has it.
    pub before: Result<f64, Reason>,
    /// Level V0 at the start of the recovery, as the index has it.
    pub at_start: Result<f64, Reason>,
    /// Drop D, positive where vegetation was lost; given even where it is small.
    pub drop: Result<f64, Reason>,
    /// Change from year t₁ to year t, positive where vegetation grew.
    pub change: Result<f64, Reason>,
    /// ΔIR: regrowth within the window.
    pub regrowth: Result<f64, Reason>,
    /// YrYr: regrowth within the window, a year.
    pub regrowth_rate: Result<f64, Reason>,
    /// RI: regrowth within the window as a share of the drop.
    pub indicator: Result<f64, Reason>,
    /// RRI: as RI, of the greater of the last two years of the window.
    pub relative_indicator: Result<f64, Reason>,
    /// R80P: level at the end of the window over the share p of the target.
    pub ratio: Result<f64, Reason>,
    /// R80P of the greater of the last two years of the window.
    pub ratio_greatest: Result<f64, Reason>,
    /// Y2R: whole years until the share p of the target is reached.
    pub years_to_recovery: Result<f64, Reason>,
    /// Percent recovery: how much of the drop is made good in year t.
    pub percent_recovery: Result<f64, Reason>,
    /// Percent of the target in year t.
    pub percent_of_target: Result<f64, Reason>,
    /// Percent of the reference in year t.
    pub percent_of_reference: Result<f64, Reason>,
    /// Relative recovery: how much of the distance between V0 and the reference is made good in year t.
    pub relative_to_reference: Result<f64, Reason>,
}

/// Fewest valid years: every metric compares two.
const LEAST_YEARS: usize = 2;

/// The years around the disturbance of the default start: d, d+1 and d+2.
const START_YEARS: i32 = 2;

pub(super) fn measure(
    settings: &RecoverySettings,
    series: Annual<'_>,
    reference: Option<Annual<'_>>,
    given: Option<i32>,
    start: Option<i32>,
) -> Metrics {
    let series = Annual::new(series.years, series.values);
    let reference = reference.map(|r| Annual::new(r.years, r.values)).unwrap_or_default();
    if series.years.len() < LEAST_YEARS {
        return Metrics::none(Reason::TooFewYears);
    }
    let sign = if settings.more_is_bare { -1.0 } else { 1.0 };
    let disturbance = match (given, settings.find_drop) {
        (Some(year), _) => Some(year),
        (None, Some(least)) => disturbance::find(series, sign, settings.years_before, least, start.unwrap_or(i32::MAX)),
        (None, None) => None,
    };
    Pixel { settings, sign, series, reference, disturbance }.metrics(start)
}

struct Pixel<'a> {
    settings: &'a RecoverySettings,
    /// −1 where the index rises with bare ground.
    sign: f64,
    series: Annual<'a>,
    /// Without years where there is none.
    reference: Annual<'a>,
    disturbance: Option<i32>,
}

impl Pixel<'_> {
    fn metrics(&self, given_start: Option<i32>) -> Metrics {
        let last = self.series.years.last().copied().ok_or(Reason::TooFewYears);
        let first = self.series.years.first().copied().ok_or(Reason::TooFewYears);
        let start = self.start(given_start);
        let v0 = start.and_then(|r| self.observed(r, Reason::NoneAtStart));
        let before = self.before(start);
        let drop = before.and_then(|b| Ok(b - v0?));
        // The drop as a divisor.
        let lost = drop.and_then(|d| self.enough(d));

        let m = self.settings.window as i32;
        let end = start.map(|r| r.saturating_add(m));
        let regrowth = end.and_then(|year| Ok(self.greatest(year, year)? - v0?));
        let greatest = end.and_then(|year| self.greatest(year - 1, year));
        // A target of the years before is no target where nothing was lost.
        let level = match self.settings.target {
            Target::Before => lost.and(before),
            Target::Reference => Err(Reason::NoReference),
            Target::Fixed(value) => Ok(self.sign * value),
        };
        let ratio_in = |year: i32| {
            let v = self.greatest(year, year)?;
            Ok(v / (self.settings.share * positive(self.target_in(year, level)?)?))
        };
        let ratio = end.and_then(ratio_in);
        let ratio_before = end.and_then(|year| ratio_in(year - 1));

        let year = self.settings.year.map_or(last, Ok);
        let now = year.and_then(|t| self.observed(t, Reason::NoneAtYear));
        // What is compared with the start of the recovery has to follow it.
        let later = start.and_then(|r| if year? < r { Err(Reason::NoDisturbance) } else { now });
        let then = self.settings.from.map_or(first, Ok).and_then(|t| self.observed(t, Reason::NoneAtYear));
        let reference_now = year.and_then(|t| self.reference.at(t).map(|v| self.sign * v).ok_or(Reason::NoReference));
        let target_now = year.and_then(|t| self.target_in(t, level));
        Metrics {
            disturbance: self.disturbance,
            start: v0.and(start).ok(),
            before: finite(before.map(|v| self.sign * v)),
            at_start: finite(v0.map(|v| self.sign * v)),
            drop: finite(drop),
            change: finite(now.and_then(|v| Ok(v - then?))),
            regrowth: finite(regrowth),
            regrowth_rate: finite(regrowth.map(|g| g / f64::from(m))),
            indicator: finite(regrowth.and_then(|g| Ok(g / lost?))),
            relative_indicator: finite(greatest.and_then(|v| Ok((v - v0?) / lost?))),
            ratio: finite(ratio),
            ratio_greatest: finite(match (ratio, ratio_before) {
                (Ok(a), Ok(b)) => Ok(a.max(b)),
                // The other year of the two will do, except where the window is not over yet.
                (Err(Reason::NoneAtYear | Reason::NoReference), b @ Ok(_)) => b,
                (a, _) => a,
            }),
            years_to_recovery: v0.and(start).and_then(|r| self.years_to_recovery(r, level)),
            percent_recovery: finite(later.and_then(|v| Ok(100.0 * ((v - v0?) / lost?)))),
            percent_of_target: finite(now.and_then(|v| Ok(100.0 * (v / positive(target_now?)?)))),
            percent_of_reference: finite(now.and_then(|v| Ok(100.0 * (v / positive(reference_now?)?)))),
            relative_to_reference: finite(later.and_then(|v| {
                let v0 = v0?;
                Ok(100.0 * ((v - v0) / self.enough(reference_now? - v0)?))
            })),
        }
    }

    fn observed(&self, year: i32, without: Reason) -> Metric {
        self.series.at(year).map(|v| self.sign * v).ok_or(without)
    }

    /// Year the recovery starts in: given, or that of the least value soon after the disturbance, the earliest of equals.
    fn start(&self, given: Option<i32>) -> Result<i32, Reason> {
        if let Some(year) = given {
            return Ok(year);
        }
        let d = self.disturbance.ok_or(Reason::NoDisturbance)?;
        let soon = self.series.between(d, d.saturating_add(START_YEARS));
        let least = |least: Option<(i32, f64)>, (year, v): (i32, f64)| match least {
            Some((_, low)) if low <= v => least,
            _ => Some((year, v)),
        };
        let valid = soon.years.iter().copied().zip(soon.values.iter().map(|v| self.sign * v));
        valid.fold(None, least).map(|(year, _)| year).ok_or(Reason::NoneAtStart)
    }

    fn before(&self, start: Result<i32, Reason>) -> Metric {
        let d = self.disturbance.ok_or(Reason::NoDisturbance)?;
        // A recovery that starts before the disturbance does not follow it.
        if start.is_ok_and(|r| r < d) {
            return Err(Reason::NoDisturbance);
        }
        let earlier = self.series.between(d.saturating_sub(self.settings.years_before as i32), d.saturating_sub(1));
        earlier.mean().map(|v| self.sign * v).ok_or(Reason::NoneBefore)
    }

    /// A drop that may divide.
    fn enough(&self, drop: f64) -> Metric {
        if drop > self.settings.least_drop { Ok(drop) } else { Err(Reason::DropTooSmall) }
    }

    /// Greatest valid value of the years `from..=end` after the start.
    fn greatest(&self, from: i32, end: i32) -> Metric {
        if self.series.years.last().is_none_or(|last| end > *last) {
            return Err(Reason::BeyondEnd);
        }
        let values = self.series.between(from, end).values.iter().map(|v| self.sign * v);
        values.reduce(f64::max).ok_or(Reason::NoneAtYear)
    }

    /// Target of a year; `level` is the target where it does not change from year to year.
    fn target_in(&self, year: i32, level: Metric) -> Metric {
        match self.settings.target {
            Target::Reference => self.reference.at(year).map(|v| self.sign * v).ok_or(Reason::NoReference),
            Target::Before | Target::Fixed(_) => level,
        }
    }

    fn years_to_recovery(&self, start: i32, level: Metric) -> Metric {
        let gap = self.settings.longest_gap;
        // A level that is missing is missing in every year.
        if self.settings.target != Target::Reference {
            level.and_then(positive)?;
        }
        for k in 0.. {
            let year = start.checked_add(k).ok_or(Reason::NotRecovered)?;
            let value = match self.series.filled(year, gap) {
                Filled::Value(v) => self.sign * v,
                Filled::Gap => return Err(Reason::GapTooLong),
                Filled::Outside => break,
            };
            let target = match self.settings.target {
                Target::Before | Target::Fixed(_) => level?,
                Target::Reference => match self.reference.filled(year, gap) {
                    Filled::Value(v) => positive(self.sign * v)?,
                    Filled::Gap | Filled::Outside => return Err(Reason::NoReference),
                },
            };
            if value >= self.settings.share * target {
                return Ok(f64::from(k));
            }
        }
        Err(Reason::NotRecovered)
    }
}

/// A target whose share means something.
fn positive(target: f64) -> Metric {
    if target > 0.0 { Ok(target) } else { Err(Reason::TargetNotPositive) }
}

fn finite(metric: Metric) -> Metric {
    metric.and_then(|v| if v.is_finite() { Ok(v) } else { Err(Reason::NotFinite) })
}

impl Metrics {
    fn none(reason: Reason) -> Self {
        let none = Err(reason);
        Self {
            disturbance: None,
            start: None,
            before: none,
            at_start: none,
            drop: none,
            change: none,
            regrowth: none,
            regrowth_rate: none,
            indicator: none,
            relative_indicator: none,
            ratio: none,
            ratio_greatest: none,
            years_to_recovery: none,
            percent_recovery: none,
            percent_of_target: none,
            percent_of_reference: none,
            relative_to_reference: none,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recovery;
    use super::*;
    use proptest::prelude::*;

    /// 2000 to 2009: disturbed in 2002, least in 2003.
    const VALUES: [f64; 10] = [0.5, 0.7, 0.3, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.65];

    fn years() -> Vec<i32> {
        (2000..2010).collect()
    }

    fn of(settings: RecoverySettings, years: &[i32], values: &[f64], reference: Option<&[f64]>) -> Metrics {
        let reference = reference.map(|r| Annual::new(years, r));
        Recovery::new(settings).unwrap().metrics(Annual::new(years, values), reference, None, None)
    }

    fn without(drop: &[i32]) -> (Vec<i32>, Vec<f64>) {
        years().into_iter().zip(VALUES).filter(|(y, _)| !drop.contains(y)).unzip()
    }

    fn near(a: Metric, b: f64) {
        assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
    }

    #[test]
    fn metrics_by_hand() {
        let reference = [0.8; 10];
        let m = of(RecoverySettings::default(), &years(), &VALUES, Some(&reference));
        assert_eq!((m.disturbance, m.start), (Some(2002), Some(2003)));
        near(m.before, 0.6);
        near(m.at_start, 0.2);
        near(m.drop, 0.4);
        near(m.change, 0.15);
        near(m.regrowth, 0.3);
        near(m.regrowth_rate, 0.06);
        near(m.indicator, 0.75);
        near(m.relative_indicator, 0.75);
        near(m.ratio, 0.5 / 0.48);
        near(m.ratio_greatest, 0.5 / 0.48);
        // 0.8 · 0.6 = 0.48 is passed in 2008.
        near(m.years_to_recovery, 5.0);
        near(m.percent_recovery, 112.5);
        near(m.percent_of_target, 65.0 / 0.6);
        near(m.percent_of_reference, 81.25);
        near(m.relative_to_reference, 75.0);
    }

    #[test]
    fn targets_of_other_kinds_do_not_ask_what_was_lost() {
        // Bare since the series began.
        let flat: Vec<f64> = (0..10).map(|i| 0.1 + 0.03 * f64::from(i)).collect();
        let fixed = RecoverySettings { target: Target::Fixed(0.4), ..RecoverySettings::default() };
        let run = |s| Recovery::new(s).unwrap().metrics(Annual::new(&years(), &flat), None, None, Some(2001));
        let m = run(fixed);
        // 0.8 · 0.4 = 0.32 is passed in 2008 (0.34).
        assert_eq!(m.years_to_recovery, Ok(7.0));
        near(m.ratio, 0.28 / 0.32);
        near(m.percent_of_target, 100.0 * 0.37 / 0.4);
        assert_eq!((m.before, m.indicator), (Err(Reason::NoDisturbance), Err(Reason::NoDisturbance)));
        // A reference that rises too is reached later, here never.
        let rising: Vec<f64> = flat.iter().map(|v| v * 2.0).collect();
        let s = RecoverySettings { target: Target::Reference, ..fixed };
        let m = Recovery::new(s).unwrap().metrics(
            Annual::new(&years(), &flat),
            Some(Annual::new(&years(), &rising)),
            None,
            Some(2001),
        );
        assert_eq!(m.years_to_recovery, Err(Reason::NotRecovered));
        near(m.ratio, 0.5 / 0.8);
        assert_eq!(run(s).years_to_recovery, Err(Reason::NoReference));
        assert_eq!(run(s).ratio, Err(Reason::NoReference));
    }

    #[test]
    fn every_undefined_metric_has_its_reason() {
        let settings = RecoverySettings::default();
        let at = |years: &[i32], values: &[f64], d, r| {
            Recovery::new(settings).unwrap().metrics(Annual::new(years, values), None, d, r)
        };
        let m = at(&[2000], &[0.5], None, None);
        assert_eq!(m, Metrics::none(Reason::TooFewYears));
        let m = at(&years(), &[0.5; 10], None, None);
        assert_eq!((m.years_to_recovery, m.drop), (Err(Reason::NoDisturbance), Err(Reason::NoDisturbance)));
        assert_eq!(m.change, Ok(0.0));
        assert_eq!(m.percent_of_reference, Err(Reason::NoReference));
        let m = at(&years(), &[0.5; 10], Some(2003), None);
        assert_eq!((m.drop, m.regrowth, m.regrowth_rate), (Ok(0.0), Ok(0.0), Ok(0.0)));
        let small = [m.indicator, m.relative_indicator, m.ratio, m.ratio_greatest, m.years_to_recovery];
        assert!(small.iter().all(|x| *x == Err(Reason::DropTooSmall)), "{m:?}");
        assert_eq!((m.percent_recovery, m.percent_of_target), (Err(Reason::DropTooSmall), Err(Reason::DropTooSmall)));
        let (y, v) = without(&[2000, 2001]);
        let m = at(&y, &v, Some(2002), None);
        assert_eq!((m.before, m.years_to_recovery), (Err(Reason::NoneBefore), Err(Reason::NoneBefore)));
        assert!(m.regrowth.is_ok());
        let (y, v) = without(&[2002, 2003, 2004]);
        let m = at(&y, &v, Some(2002), None);
        assert_eq!(
            (m.start, m.at_start, m.years_to_recovery),
            (None, Err(Reason::NoneAtStart), Err(Reason::NoneAtStart))
        );
        let (y, v) = without(&[2008, 2009]);
        let m = at(&y, &v, Some(2002), None);
        assert_eq!((m.regrowth, m.relative_indicator), (Err(Reason::BeyondEnd), Err(Reason::BeyondEnd)));
        assert_eq!((m.ratio, m.ratio_greatest), (Err(Reason::BeyondEnd), Err(Reason::BeyondEnd)));
        assert_eq!(m.years_to_recovery, Err(Reason::NotRecovered));
        let (y, v) = without(&[2008]);
        let m = at(&y, &v, Some(2002), None);
        assert_eq!((m.regrowth, m.ratio), (Err(Reason::NoneAtYear), Err(Reason::NoneAtYear)));
        near(m.relative_indicator, 0.25 / 0.4);
        near(m.ratio_greatest, 0.45 / 0.48);
        // 2008 lies at 0.55 between its neighbours.
        assert_eq!(m.years_to_recovery, Ok(5.0));
        let (y, v) = without(&[2006, 2007, 2008]);
        assert_eq!(at(&y, &v, Some(2002), None).years_to_recovery, Err(Reason::GapTooLong));
        let m = at(&years(), &VALUES, Some(2008), Some(2003));
        assert_eq!((m.before, m.at_start), (Err(Reason::NoDisturbance), Ok(0.2)));
        let m = at(&years(), &VALUES.map(|v| v - 1.0), Some(2002), None);
        assert_eq!((m.years_to_recovery, m.ratio), (Err(Reason::TargetNotPositive), Err(Reason::TargetNotPositive)));
        near(m.percent_recovery, 112.5);
        let m = at(&years(), &VALUES.map(|v| v * 1e308), Some(2002), None);
        near(m.percent_recovery, 112.5);
        let m = at(&[2000, 2002, 2003], &[1.7e308, -1.7e308, 0.0], Some(2002), None);
        assert_eq!(m.drop, Err(Reason::NotFinite));
        // A year compared before the recovery starts.
        let s = RecoverySettings { year: Some(2002), ..settings };
        let m = of(s, &years(), &VALUES, None);
        assert_eq!((m.percent_recovery, m.percent_of_target.is_ok()), (Err(Reason::NoDisturbance), true));
    }

    proptest! {
        #[test]
        fn any_series_gives_finite_numbers_or_reasons(
            steps in proptest::collection::vec((1i32..5, -1.0f64..1.0), 0..14),
            huge in any::<bool>(),
            given in proptest::option::of(1985i32..2030),
            start in proptest::option::of(1985i32..2030),
            target in 0usize..3,
            bare in any::<bool>(),
            scale in 0.1f64..5.0,
        ) {
            let mut year = 1990;
            let (years, values): (Vec<i32>, Vec<f64>) = steps
                .iter()
                .map(|(step, v)| {
                    year += step;
                    (year, if huge { v * f64::MAX } else { *v })
                })
                .unzip();
            let target = [Target::Before, Target::Reference, Target::Fixed(0.5)][target];
            let settings = RecoverySettings { target, more_is_bare: bare, find_drop: Some(0.1), ..Default::default() };
            let reference: Vec<f64> = values.iter().map(|v| v * 0.5).collect();
            let m = Recovery::new(settings).unwrap().metrics(
                Annual::new(&years, &values), Some(Annual::new(&years, &reference)), given, start);
            let all = |m: &Metrics| [m.before, m.at_start, m.drop, m.change, m.regrowth, m.regrowth_rate, m.indicator,
                m.relative_indicator, m.ratio, m.ratio_greatest, m.years_to_recovery, m.percent_recovery,
                m.percent_of_target, m.percent_of_reference, m.relative_to_reference];
            prop_assert!(all(&m).iter().all(|x| x.is_err() || x.is_ok_and(f64::is_finite)), "{:?}", m);
            // In other units of the index, the ratios and the years stay.
            if !huge {
                let other = RecoverySettings {
                    target: match target { Target::Fixed(v) => Target::Fixed(v * scale), t => t },
                    least_drop: settings.least_drop * scale,
                    find_drop: settings.find_drop.map(|d| d * scale),
                    ..settings
                };
                let by = |v: &[f64]| v.iter().map(|x| x * scale).collect::<Vec<f64>>();
                let (values, reference) = (by(&values), by(&reference));
                let n = Recovery::new(other).unwrap().metrics(
                    Annual::new(&years, &values), Some(Annual::new(&years, &reference)), given, start);
                prop_assert_eq!(n.disturbance, m.disturbance);
                prop_assert_eq!(n.years_to_recovery.is_ok(), m.years_to_recovery.is_ok());
                if let (Ok(a), Ok(b)) = (n.percent_recovery, m.percent_recovery) {
                    prop_assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()));
                }
            }
        }
    }
}
