//! Near-real-time monitoring: the state of a pixel that a new scene changes, without the archive.
//!
//! A season and trend model is fitted once to a stable history by [`BfastMonitor`]; the OLS-CUSUM process (Chu, Stinchcombe &
//! White 1996) then needs of the past only the sum and the number of the residuals since. So a pixel is a **model**, fixed
//! from then on (coefficients, σ̂, number of fitted observations: [`Monitor::model_names`]), and a **state** of
//! [`State::LEN`] numbers ([`State::NAMES`]) that each valid observation replaces. Whole numbers among them stay exact in
//! 32-bit floats. Adding the scenes of a stack one by one gives the break, the count and the confidence that [`BfastMonitor`]
//! finds in the whole series.
//!
//! The confidence of an alert is `1 − p`, `p = 2 [1 − Φ(a) + a φ(a)]`, the probability that a series that keeps to its model
//! ever comes so far out, with the score `a² = W²/(t (t − 1)) − ln(t/(t − 1))`, `W` the process after `m` observations and
//! `t = (n + m)/n`; 0 where `a²` is negative. It is exact for models without a trend: a trend makes alerts more frequent (see
//! [`crate::temporal::bfast`]). A gap changes nothing, nor does any value where the history had no fit (NaN in the model).

use super::bfast::critical;
use super::bfast::design::Regressors;
use super::bfast::process::{confidence, cusum_score};
use super::bfast::{BfastMonitor, BfastWork, Process, Unfitted};
use crate::error::{Error, Result};

/// What the states of all pixels share; to be kept with them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonitorSettings {
    /// Steps a year of the axis of the history.
    pub frequency: u32,
    /// First step of that axis, counted from the year 0: steps of a state count from it.
    pub first_step: i64,
    /// Whether the model has a linear trend.
    pub trend: bool,
    /// Number of harmonics of the year.
    pub order: u32,
    /// Significance level of an alert.
    pub level: f64,
}

/// Near-real-time monitoring of all pixels of a stack.
#[derive(Clone, Debug)]
pub struct Monitor {
    settings: MonitorSettings,
    regressors: Regressors,
    /// Score beyond which an observation is outside the boundary.
    critical: f64,
}

/// One pixel since the end of its history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Sum of the residuals since the history, units of the values.
    pub sum: f64,
    /// Number of observations since the history.
    pub count: f64,
    /// Step of the last observation, history included, from [`MonitorSettings::first_step`].
    pub last_step: f64,
    /// Number of observations in a row that were outside the boundary, up to the last.
    pub outside: f64,
    /// Step of the first observation outside the boundary, from [`MonitorSettings::first_step`]; NaN where there is none.
    pub break_step: f64,
    /// Largest score a² so far, at least 0.
    pub peak_score: f64,
}

/// An observation outside the boundary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert {
    /// Whether it is the first, the break.
    pub first: bool,
    /// Time of the first, decimal years.
    pub break_time: f64,
    /// Number of observations outside in a row, this one included.
    pub outside: u32,
    /// Largest confidence so far, 1 − p.
    pub confidence: f64,
}

/// A scene that is not newer than the last observation of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stale {
    /// Time of the scene, decimal years.
    pub scene: f64,
    /// Time of the last observation of the pixel, decimal years.
    pub last: f64,
}

impl From<Stale> for Error {
    fn from(stale: Stale) -> Self {
        Self::input(format!(
            "near-real-time update: scene of {:.4}: the state already holds {:.4}; add scenes in order of time, or fit the \
             history again",
            stale.scene, stale.last
        ))
    }
}

impl State {
    /// Number of values of a state.
    pub const LEN: usize = 6;
    /// Name and unit of each value, in the order of [`State::to_array`].
    pub const NAMES: [(&str, &str); Self::LEN] = [
        ("residual_sum", "units of the values"),
        ("observations", "count"),
        ("last_step", "steps from the first step"),
        ("outside_in_a_row", "count"),
        ("break_step", "steps from the first step"),
        ("peak_score", "1"),
    ];

    /// The values in the order of [`State::NAMES`].
    #[must_use]
    pub fn to_array(self) -> [f64; Self::LEN] {
        [self.sum, self.count, self.last_step, self.outside, self.break_step, self.peak_score]
    }

    /// A state from its values.
    #[must_use]
    pub fn from_array([sum, count, last_step, outside, break_step, peak_score]: [f64; Self::LEN]) -> Self {
        Self { sum, count, last_step, outside, break_step, peak_score }
    }

    /// Largest confidence so far, 1 − p; None before the first observation.
    #[must_use]
    pub fn confidence(&self) -> Option<f64> {
        (self.count > 0.0).then(|| confidence(self.peak_score))
    }

    /// Adds a residual; true where the process is outside the boundary with score `critical`.
    fn add(&mut self, step: f64, residual: f64, sigma: f64, n: f64, critical: f64) -> bool {
        self.sum += residual;
        self.count += 1.0;
        self.last_step = step;
        let of_interest = f64::min(self.peak_score, critical);
        let logs = || (libm::log(n + self.count), libm::log(self.count));
        let score = cusum_score(self.sum, sigma, n, self.count, of_interest, logs).unwrap_or(0.0);
        self.peak_score = f64::max(self.peak_score, score);
        let outside = score > critical;
        self.outside = if outside { self.outside + 1.0 } else { 0.0 };
        if outside && self.break_step.is_nan() {
            self.break_step = step;
        }
        outside
    }
}

impl Monitor {
    /// Checks the settings that were kept with the states.
    pub fn new(settings: MonitorSettings) -> Result<Self> {
        critical::check_level(settings.level)?;
        let regressors = Regressors::new(settings.frequency, settings.first_step, settings.trend, settings.order)?;
        Ok(Self { settings, regressors, critical: critical::cusum(settings.level) })
    }

    /// The monitoring that goes on from the histories of `bfast`, whose process must be OLS-CUSUM.
    pub fn of(bfast: &BfastMonitor) -> Result<Self> {
        let settings = bfast.settings();
        if settings.process != Process::Cusum {
            return Err(Error::usage(
                "near-real-time monitoring: process mosum: its state would be a window of the archive; use the cusum process",
            ));
        }
        Self::new(MonitorSettings {
            frequency: bfast.axis().frequency(),
            first_step: bfast.axis().steps()[0],
            trend: settings.trend,
            order: settings.order,
            level: settings.level,
        })
    }

    /// The settings, to be kept with the states.
    #[must_use]
    pub fn settings(&self) -> &MonitorSettings {
        &self.settings
    }

    /// Number of values of a model.
    #[must_use]
    pub fn model_len(&self) -> usize {
        self.regressors.count() + 2
    }

    /// Name and unit of each value of a model.
    #[must_use]
    pub fn model_names(&self) -> Vec<(String, &'static str)> {
        let named = |name: String| {
            let unit = if name == "trend" { "units of the values per step" } else { "units of the values" };
            (name, unit)
        };
        let mut names: Vec<_> = self.regressors.names().into_iter().map(named).collect();
        names.push(("sigma".to_owned(), "units of the values"));
        names.push(("history_observations".to_owned(), "count"));
        names
    }

    /// Decimal year of a step of a state.
    #[must_use]
    pub fn time(&self, step: f64) -> f64 {
        self.regressors.time(step)
    }

    /// Fits the history of a series, given by row of the axis of `bfast`, into `model` ([`Monitor::model_len`] values, NaN
    /// where there is no fit), and adds what the series holds beyond the start of monitoring.
    ///
    /// # Panics
    /// Where the series has not one value for each row, or the model another length.
    pub fn fit(
        &self,
        bfast: &BfastMonitor,
        values: &[f64],
        work: &mut BfastWork,
        model: &mut [f64],
    ) -> Result<State, Unfitted> {
        model.fill(f64::NAN);
        let history = bfast.follow(values, work)?;
        let offset = |row: usize| self.regressors.offset(bfast.axis().steps()[row]) as f64;
        let (sigma, n) = (history.sigma, history.n as f64);
        let (coefficients, scale) = model.split_at_mut(history.coefficients.len());
        coefficients.copy_from_slice(history.coefficients);
        scale.copy_from_slice(&[sigma, n]);
        let last_step = offset(history.last_row);
        let mut state = State { sum: 0.0, count: 0.0, last_step, outside: 0.0, break_step: f64::NAN, peak_score: 0.0 };
        for (&row, &residual) in history.rows.iter().zip(history.residuals) {
            state.add(offset(row as usize), residual, sigma, n, self.critical);
        }
        Ok(state)
    }

    /// Prepares the step of a scene ([`crate::temporal::bfast::step_of_date`]); its regressors serve all pixels.
    #[must_use]
    pub fn scene(&self, step: i64) -> Scene<'_> {
        let mut regressors = vec![0.0; self.regressors.count()];
        self.regressors.at(step, |k, x| regressors[k] = x);
        Scene { monitor: self, regressors, step: self.regressors.offset(step) as f64 }
    }
}

/// A new scene.
#[derive(Clone, Debug)]
pub struct Scene<'m> {
    monitor: &'m Monitor,
    regressors: Vec<f64>,
    step: f64,
}

impl Scene<'_> {
    /// Adds the value of one pixel to its state. NaN or infinite is a gap; a model of NaN has no fit: neither changes a state.
    ///
    /// # Panics
    /// Where the model has not [`Monitor::model_len`] values.
    pub fn update(&self, model: &[f64], state: &mut State, value: f64) -> Result<Option<Alert>, Stale> {
        let (coefficients, scale) = model.split_at(self.regressors.len());
        let (sigma, n) = (scale[0], scale[1]);
        if !value.is_finite() || sigma.is_nan() {
            return Ok(None);
        }
        let time = |step| self.monitor.time(step);
        if self.step <= state.last_step {
            return Err(Stale { scene: time(self.step), last: time(state.last_step) });
        }
        let residual = coefficients.iter().zip(&self.regressors).fold(value, |left, (c, x)| left - c * x);
        let first = state.break_step.is_nan();
        let outside = state.add(self.step, residual, sigma, n, self.monitor.critical);
        Ok(outside.then(|| Alert {
            first,
            break_time: time(state.break_step),
            outside: state.outside as u32,
            confidence: confidence(state.peak_score),
        }))
    }
}
