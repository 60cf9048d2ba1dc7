//! BFAST Monitor: is the end of a series still what its history lets expect (Verbesselt, Zeileis & Herold 2012)?
//!
//! A season and trend model is fitted by least squares to the stable history, `y = β₀ + β₁ i + Σ_k a_k cos 2πkτ + b_k sin 2πkτ`
//! with `i` the number of the step from the first date of the stack and `τ` its time in years. Residuals `e` of the
//! observations after it are monitored by one of two processes; `n` is the number of history observations, `q` that of
//! coefficients, `σ̂² = Σe²/(n − q)`, and `j > n` counts on through the monitoring period:
//!
//! * OLS-MOSUM (Chu, Hornik & Kuan 1995; Zeileis et al. 2005): the sum of the last `⌊h n⌋` residuals over `σ̂ √n` against
//!   `λ √(2 log⁺(j/n))`, `log⁺ x` = 1 up to x = e. It forgets, so it finds late changes soon.
//! * OLS-CUSUM (Chu, Stinchcombe & White 1996): the sum of all residuals since the history over `σ̂ √n` against
//!   `√(t (t − 1) [a² + ln(t/(t − 1))])`, `t = j/n`. Its state is one number, so new scenes can be added without the old ones
//!   ([`crate::temporal::monitor`]).
//!
//! The first observation outside the boundary is the break. The magnitude is the median residual of the whole monitoring
//! period, in the units of the values.
//!
//! Unlike the other methods a series here is given **by row of the [`Axis`]**, with NaN in gaps (infinite values count as
//! gaps): rows, regressors and logarithms are the same for all pixels and are made once.
//!
//! The boundaries hold for regressors without a trend. With one, the error of the extrapolated slope adds to every residual
//! and false alarms are more frequent than the level says, the more so the shorter the history is beside the monitoring.
//! Of 4000 simulated stable series (season and white noise, 23 observations a year, five years of history, level 0.05)
//! OLS-CUSUM raised an alarm within five years in 3 % without and in 30 % with a trend, OLS-MOSUM in 2 % and 28 %.

mod axis;
mod breaks;
pub(crate) mod critical;
pub(crate) mod design;
mod history;
mod kernels;
pub(crate) mod process;
mod rotation;

pub use axis::{Axis, step_of_date};

use crate::error::{Error, Result};
use breaks::Search;
use design::{Design, Regressors};
use history::{Fitter, ROUNDING, Series};
use process::Boundary;

/// Which part of the series before monitoring the model is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// All of it.
    All,
    /// What a recursive CUSUM test run back in time finds stable (Pesaran & Timmermann 2002).
    Roc,
    /// What follows the last of its optimal breakpoints (Bai & Perron 2003).
    Bp,
}

/// What is compared with a boundary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Process {
    /// Moving sum of residuals.
    Mosum {
        /// Length of the window as a share of the history: 0.25, 0.5 or 1.
        window: f64,
        /// Horizon the level holds for, in lengths of the history: 2, 4, 6, 8 or 10.
        period: u32,
    },
    /// Sum of all residuals since the history; the level holds for any horizon.
    Cusum,
}

/// Parameters of [`BfastMonitor`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BfastSettings {
    /// Start of monitoring in decimal years: what is before it is history.
    pub monitor_start: f64,
    /// Whether the model has a linear trend.
    pub trend: bool,
    /// Number of harmonics of the year, up to half the frequency of the axis; 0 for no season.
    pub order: u32,
    /// Part of the history that is fitted.
    pub history: History,
    /// Monitoring process.
    pub process: Process,
    /// Significance level of the process and of the test of the history.
    pub level: f64,
}

impl BfastSettings {
    /// The published defaults: trend and three harmonics, history by reverse-ordered CUSUM, OLS-MOSUM with a window of a
    /// quarter of the history and a horizon of ten, level 0.05.
    #[must_use]
    pub fn new(monitor_start: f64) -> Self {
        Self {
            monitor_start,
            trend: true,
            order: 3,
            history: History::Roc,
            process: Process::Mosum { window: 0.25, period: 10 },
            level: 0.05,
        }
    }
}

/// Why a series has no fitted history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfitted {
    /// Too few valid observations in the history for the coefficients, the window or the shortest segment.
    TooFew,
    /// The valid observations of the history do not determine all coefficients.
    Undetermined,
    /// The model fits the history exactly: there is no scale to judge a change by.
    NoVariation,
}

/// What was found in one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BfastFit {
    /// Row of the first observation outside the boundary.
    pub break_row: Option<usize>,
    /// Its time in decimal years.
    pub break_time: Option<f64>,
    /// Median residual of the monitoring period, units of the values; None where it has no observation.
    pub magnitude: Option<f64>,
    /// Time of the first observation that was fitted, decimal years.
    pub history_start: f64,
    /// Time of the last observation that was fitted, decimal years.
    pub history_end: f64,
    /// Number of observations that were fitted.
    pub n_history: usize,
    /// Number of valid observations since the start of monitoring.
    pub n_monitoring: usize,
    /// Standard deviation of the residuals of the history (divisor n − q), units of the values.
    pub sigma: f64,
    /// Largest confidence, 1 − p, that the series has left its model; None for OLS-MOSUM, whose p has no closed form.
    pub confidence: Option<f64>,
}

/// BFAST Monitor for all series on one axis.
#[derive(Clone, Debug)]
pub struct BfastMonitor {
    settings: BfastSettings,
    axis: Axis,
    regressors: Regressors,
    design: Design,
    id: u64,
    boundary: Boundary,
    /// Critical value of the test for a stable history.
    stable: f64,
}

/// What [`BfastMonitor`] works in, and the details of the last series.
#[derive(Clone, Debug, Default)]
pub struct BfastWork {
    series: Series,
    fitter: Fitter,
    search: Search,
    coefficients: Vec<f64>,
    fitted: Vec<f64>,
    residuals: Vec<f64>,
    keys: Vec<i64>,
}

impl BfastWork {
    /// Coefficients of the last fitted series, in the order of [`BfastMonitor::coefficient_names`].
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }
}

impl BfastMonitor {
    /// Checks the parameters and prepares the regressors of all rows.
    pub fn new(settings: BfastSettings, axis: Axis) -> Result<Self> {
        critical::check_level(settings.level)?;
        let boundary = Boundary::new(settings.process, settings.level, axis.rows())?;
        // A thousandth of a step: 2007.956521739 written with fewer digits still names its step.
        let first = (settings.monitor_start * f64::from(axis.frequency()) - 1e-3).ceil();
        if !first.is_finite() {
            return Err(Error::usage(format!(
                "bfast-monitor: start of monitoring {}: expected a decimal year such as 2018.5",
                settings.monitor_start
            )));
        }
        let history = axis.steps().partition_point(|&s| (s as f64) < first);
        let regressors = Regressors::new(axis.frequency(), axis.steps()[0], settings.trend, settings.order)?;
        let design = Design::new(&regressors, &axis, history)?;
        let stable = critical::recursive_cusum(settings.level);
        let id = design.fingerprint();
        Ok(Self { settings, axis, regressors, design, id, boundary, stable })
    }

    /// The axis the series are given on.
    #[must_use]
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// The parameters.
    #[must_use]
    pub fn settings(&self) -> &BfastSettings {
        &self.settings
    }

    /// Number of rows before the start of monitoring.
    #[must_use]
    pub fn history_rows(&self) -> usize {
        self.design.history
    }

    /// Names of the coefficients: `intercept`, `trend` (per step), `cos1`.., `sin1`...
    #[must_use]
    pub fn coefficient_names(&self) -> Vec<String> {
        self.regressors.names()
    }

    /// Monitors one series, given by row of the axis with NaN in gaps.
    ///
    /// # Panics
    /// Where the series has not one value for each row.
    pub fn run(&self, values: &[f64], work: &mut BfastWork) -> Result<BfastFit, Unfitted> {
        let (start, sigma) = self.fit(values, work)?;
        let n = work.series.in_history - start;
        self.predict_monitoring(work);
        let passed = self.boundary.first_passage(&work.residuals, n, sigma);
        let time = |at: usize| self.axis.time(self.axis.steps()[work.series.valid[at] as usize]);
        let recent = &work.residuals[self.boundary.lead(n)..];
        Ok(BfastFit {
            break_row: passed.first.map(|at| work.series.valid[work.series.in_history + at] as usize),
            break_time: passed.first.map(|at| time(work.series.in_history + at)),
            magnitude: median(recent, &mut work.keys),
            history_start: time(start),
            history_end: time(start + n - 1),
            n_history: n,
            n_monitoring: recent.len(),
            sigma,
            confidence: passed.peak.map(process::confidence),
        })
    }

    /// The monitoring process of a series and its boundary, `(time, process, boundary)` of each monitored observation.
    pub fn process(&self, values: &[f64], work: &mut BfastWork) -> Result<Vec<(f64, f64, f64)>, Unfitted> {
        let (start, sigma) = self.fit(values, work)?;
        let n = work.series.in_history - start;
        self.predict_monitoring(work);
        let rows = work.series.valid[work.series.in_history..].iter();
        let path = self.boundary.path(&work.residuals, n, sigma);
        Ok(rows.zip(path).map(|(&row, (p, b))| (self.axis.time(self.axis.steps()[row as usize]), p, b)).collect())
    }

    /// Values of the model at all rows, for coefficients of [`BfastWork::coefficients`].
    pub fn predict(&self, coefficients: &[f64], fitted: &mut Vec<f64>) {
        fitted.clear();
        fitted.resize(self.axis.rows(), 0.0);
        for (column, c) in self.design.columns().chunks_exact(self.design.rows).zip(coefficients) {
            for (f, x) in fitted.iter_mut().zip(column) {
                *f += c * x;
            }
        }
    }

    /// Fits the history: its first observation and σ̂; coefficients, and as many residuals of the history as the
    /// process needs, are left in `work`.
    fn fit(&self, values: &[f64], work: &mut BfastWork) -> Result<(usize, f64), Unfitted> {
        let (design, q) = (&self.design, self.design.q);
        let BfastWork { series, fitter, search, coefficients, fitted, residuals, .. } = work;
        assert_eq!(values.len(), design.rows, "a series has one value for each row of the axis");
        series.load(values, design.history);
        if series.in_history <= q {
            return Err(Unfitted::TooFew);
        }
        let start = match self.settings.history {
            History::All => 0,
            History::Roc => fitter.stable_start(design, self.id, series, self.stable),
            History::Bp => search.last_regime(design, series).ok_or(Unfitted::TooFew)?,
        };
        let n = series.in_history - start;
        if n <= q || !self.boundary.takes(n) {
            return Err(Unfitted::TooFew);
        }
        if !fitter.fit(design, self.id, series, start, coefficients) {
            return Err(Unfitted::Undetermined);
        }
        let rows = &series.valid[start..series.in_history];
        let first = rows[0] as usize;
        let y = &series.filled[first..design.history];
        fitted.resize(y.len(), 0.0);
        kernels::subtract(design.basis(), design.history, first, coefficients, y, fitted);
        let gaps = &series.gaps[series.gaps.partition_point(|&row| (row as usize) < first)..];
        gaps.iter().for_each(|&row| fitted[row as usize - first] = 0.0);
        let sigma = (kernels::squares(fitted) / (n - q) as f64).sqrt();
        if !(sigma > ROUNDING * series.level && sigma.is_finite()) {
            return Err(Unfitted::NoVariation);
        }
        // Of the history the processes need no more than one window.
        residuals.clear();
        residuals.extend(rows[n - self.boundary.lead(n)..].iter().map(|&row| fitted[row as usize - first]));
        design.to_regressors(coefficients);
        Ok((start, sigma))
    }

    /// Adds the residuals of the monitoring period to those of the history.
    fn predict_monitoring(&self, work: &mut BfastWork) {
        let history = self.design.history;
        let y = &work.series.filled[history..];
        work.fitted.resize(y.len(), 0.0);
        kernels::subtract(self.design.columns(), self.design.rows, history, &work.coefficients, y, &mut work.fitted);
        let rows = &work.series.valid[work.series.in_history..];
        work.residuals.extend(rows.iter().map(|&row| work.fitted[row as usize - history]));
    }

    /// Fits the history of a series and leaves the monitoring to the caller ([`crate::temporal::monitor`]).
    pub(crate) fn follow<'w>(&self, values: &[f64], work: &'w mut BfastWork) -> Result<Followed<'w>, Unfitted> {
        let (start, sigma) = self.fit(values, work)?;
        let n = work.series.in_history - start;
        self.predict_monitoring(work);
        let (past, rows) = work.series.valid.split_at(work.series.in_history);
        Ok(Followed {
            coefficients: &work.coefficients,
            sigma,
            n,
            last_row: past[past.len() - 1] as usize,
            rows,
            residuals: &work.residuals[self.boundary.lead(n)..],
        })
    }
}

/// A fitted history and the observations after it.
pub(crate) struct Followed<'w> {
    pub(crate) coefficients: &'w [f64],
    pub(crate) sigma: f64,
    /// Number of fitted observations.
    pub(crate) n: usize,
    /// Row of the last of them.
    pub(crate) last_row: usize,
    /// Rows of the observations after the history.
    pub(crate) rows: &'w [u32],
    /// Their residuals.
    pub(crate) residuals: &'w [f64],
}

/// Median, the mean of the middle two of an even number. Numbers are ranked as whole numbers of the same order, which
/// compare in one step.
fn median(values: &[f64], keys: &mut Vec<i64>) -> Option<f64> {
    let key = |bits: i64| bits ^ (((bits >> 63) as u64) >> 1) as i64;
    let value = |of: i64| f64::from_bits(key(of) as u64);
    keys.clear();
    keys.extend(values.iter().map(|v| key(v.to_bits() as i64)));
    if keys.is_empty() {
        return None;
    }
    let (below, &mut high, _) = keys.select_nth_unstable(values.len() / 2);
    if !values.len().is_multiple_of(2) {
        return Some(value(high));
    }
    let low = below.iter().copied().max().unwrap_or(high);
    Some(0.5 * (value(low) + value(high)))
}

#[cfg(test)]
mod tests;
