//! Recovery after a disturbance, from a series of one value a year with gaps.
//!
//! With V(t) the index in year t, d the first disturbed year, r ≥ d the start of the recovery (by default the year of the
//! least value in d..=d+2), Vpre the mean of the valid values of d−2 and d−1, V0 = V(r), D = Vpre − V0, a window of m years
//! and a share p of a target:
//!
//! | metric | formula | unit | source |
//! |---|---|---|---|
//! | change | V(t) − V(t₁) | index | |
//! | ΔIR | V(r+m) − V0 | index | White et al. 2017 |
//! | YrYr | (V(r+m) − V0) / m | index a year | Frazier et al. 2018 |
//! | RI | ΔIR / D | 1 | Kennedy et al. 2012 |
//! | RRI | (max(V(r+m), V(r+m−1)) − V0) / D | 1 | Frazier et al. 2018 |
//! | R80P | V(r+m) / (p·Vtarget) | 1 | Pickell et al. 2016 |
//! | R80P, greatest | max over r+m and r+m−1 of V / (p·Vtarget) | 1 | Frazier et al. 2018 |
//! | Y2R | least k ≥ 0 with V(r+k) ≥ p·Vtarget(r+k) | years | Pickell et al. 2016, White et al. 2017 |
//! | percent recovery | 100 (V(t) − V0) / D | % | |
//! | percent of target | 100 V(t) / Vtarget(t) | % | |
//! | percent of reference | 100 V(t) / Vref(t) | % | |
//! | relative recovery | 100 (V(t) − V0) / (Vref(t) − V0) | % | |
//!
//! Vtarget is Vpre, the reference series Vref(t) (the median of a reference area in the same year, which cancels the weather
//! of that year), or a fixed value. An index that rises with bare ground is negated before anything is computed, and so is
//! its target: changes are then positive where the ground recovers, and levels are given back as they were.
//!
//! **Undefined metrics.** Every metric is a number or the [`Reason`] it has none; nothing is NaN. Gaps: Y2R reads a gap of at
//! most [`RecoverySettings::longest_gap`] years on the line between its ends, in the series and in the reference alike, and
//! stops at a longer one; where a maximum of two years is asked for, the valid one of them will do; all else takes the years
//! as observed. The series of a pixel ends with its last valid year. What D divides is undefined where D is not more than
//! [`RecoverySettings::least_drop`], and so are R80P, Y2R and percent of target where the target is Vpre: where nothing was
//! lost, nothing recovers. A reference or fixed target does not ask for D, so land that was bare before the series
//! began has a Y2R if the start of its recovery is given.
//!
//! Sources: Kennedy, Yang, Cohen et al. 2012, Remote Sensing of Environment 122:117-133; Pickell et al. 2016, Remote
//! Sensing of Environment 183:1-11; White et al. 2017, Remote Sensing of Environment 194:303-321; Frazier et al. 2018,
//! Forest Ecology and Management 409:36-47.

mod class;
mod disturbance;
mod metrics;
mod reason;
mod series;

pub use class::Class;
pub use metrics::Metrics;
pub use reason::{Reason, code};
pub use series::Annual;

use crate::error::{Error, Result};

/// What recovery is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The mean of the few years before the disturbance.
    Before,
    /// The reference series, year by year.
    Reference,
    /// One value, in the units of the index.
    Fixed(f64),
}

/// Parameters of [`Recovery`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecoverySettings {
    /// Years m of the window after the start of the recovery.
    pub window: u32,
    /// Share p of the target that counts as recovered, above 0.
    pub share: f64,
    /// What recovery is measured against.
    pub target: Target,
    /// Drop D that has to be passed for the metrics it divides, in units of the index.
    pub least_drop: f64,
    /// Drop that has to be passed for a year to be taken as the disturbance where none is given; `None` never looks for one.
    pub find_drop: Option<f64>,
    /// Years before the disturbance that Vpre is the mean of.
    pub years_before: u32,
    /// Longest gap, in missing years, that Y2R bridges.
    pub longest_gap: u32,
    /// Year t₁ the change is counted from; the first valid one where absent.
    pub from: Option<i32>,
    /// Year t of the change and of the percentages; the last valid one where absent.
    pub year: Option<i32>,
    /// The index rises with bare ground (a bare soil index): it is negated first.
    pub more_is_bare: bool,
}

impl Default for RecoverySettings {
    fn default() -> Self {
        Self {
            window: 5,
            share: 0.8,
            target: Target::Before,
            least_drop: 0.02,
            find_drop: Some(0.1),
            years_before: 2,
            longest_gap: 2,
            from: None,
            year: None,
            more_is_bare: false,
        }
    }
}

/// Recovery metrics with checked parameters.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    settings: RecoverySettings,
}

impl Recovery {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Usage error that names the option whose value is outside its range.
    pub fn new(settings: RecoverySettings) -> Result<Self> {
        let years = [
            ("--window", settings.window, 1),
            ("--years-before", settings.years_before, 1),
            ("--longest-gap", settings.longest_gap, 0),
        ];
        for (option, value, least) in years {
            if !(least..=100).contains(&value) {
                return Err(Error::usage(format!("{option}: {value} years; give {least} to 100")));
            }
        }
        if !(settings.share > 0.0 && settings.share.is_finite()) {
            return Err(Error::usage(format!("--share: {}; give a share of the target above 0", settings.share)));
        }
        for (option, drop) in [("--least-drop", Some(settings.least_drop)), ("--find-drop", settings.find_drop)] {
            if drop.is_some_and(|d| !(d >= 0.0 && d.is_finite())) {
                let drop = drop.unwrap_or_default();
                return Err(Error::usage(format!("{option}: {drop}; give a drop of the index, 0 or more")));
            }
        }
        if let Target::Fixed(value) = settings.target
            && !value.is_finite()
        {
            return Err(Error::usage(format!("--target: {value}; give a finite value of the index")));
        }
        if let (Some(from), Some(year)) = (settings.from, settings.year)
            && from >= year
        {
            return Err(Error::usage(format!("--from: {from} is not before --year {year}; give an earlier year")));
        }
        Ok(Self { settings })
    }

    /// The parameters.
    #[must_use]
    pub fn settings(&self) -> &RecoverySettings {
        &self.settings
    }

    /// Metrics of one series. `disturbance` is the first disturbed year where it is known (found by another method, say);
    /// otherwise the greatest drop that lasts for two valid years is looked for, up to the start of the recovery where that is
    /// known. `start` is the first year of the recovery where it is known.
    ///
    /// The drop into a valid year is the mean of the valid values of the [`RecoverySettings::years_before`] years before
    /// it, or the last valid value where those are missing, less the greater of that year's value and the next valid one.
    /// It has to pass [`RecoverySettings::find_drop`]; of equal drops the earliest counts. The last valid year has no next
    /// one and is never found.
    #[must_use]
    pub fn metrics(
        &self,
        series: Annual<'_>,
        reference: Option<Annual<'_>>,
        disturbance: Option<i32>,
        start: Option<i32>,
    ) -> Metrics {
        metrics::measure(&self.settings, series, reference, disturbance, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_outside_their_range_are_named() {
        let d = RecoverySettings::default;
        let wrong = [
            ("--window", RecoverySettings { window: 0, ..d() }),
            ("--window", RecoverySettings { window: u32::MAX, ..d() }),
            ("--years-before", RecoverySettings { years_before: 0, ..d() }),
            ("--longest-gap", RecoverySettings { longest_gap: 101, ..d() }),
            ("--share", RecoverySettings { share: 0.0, ..d() }),
            ("--share", RecoverySettings { share: f64::NAN, ..d() }),
            ("--least-drop", RecoverySettings { least_drop: -0.1, ..d() }),
            ("--find-drop", RecoverySettings { find_drop: Some(f64::NAN), ..d() }),
            ("--target", RecoverySettings { target: Target::Fixed(f64::INFINITY), ..d() }),
            ("--from", RecoverySettings { from: Some(2005), year: Some(2005), ..d() }),
        ];
        for (option, settings) in wrong {
            let message = Recovery::new(settings).unwrap_err().to_string();
            assert!(message.starts_with(option), "{message}");
        }
        assert!(Recovery::new(d()).is_ok());
    }
}
