//! Monitoring processes and their boundaries.

use super::Process;
use super::critical;
use crate::error::Result;

/// Boundary of one process, with the logarithms of all counts.
#[derive(Clone, Debug)]
pub(super) struct Boundary {
    process: Process,
    /// Critical value λ of OLS-MOSUM, or a² of OLS-CUSUM.
    critical: f64,
    /// Natural logarithm of each whole number up to the number of rows.
    logs: Vec<f64>,
}

/// What the process of one series did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Passage {
    /// First observation outside the boundary, counted from the start of monitoring.
    pub(super) first: Option<usize>,
    /// Largest score of the OLS-CUSUM process, at least 0; None where nothing was monitored.
    pub(super) peak: Option<f64>,
}

/// Score of an OLS-CUSUM process: the square of the boundary constant whose boundary it just touches, the boundary solved
/// for `a²`, with `sum` of the `m` residuals after a history of `n`. `logs` gives `ln(n + m)` and `ln m`.
///
/// None where it is at most `of_interest`, which often shows before logarithms are taken: they only lower the score.
#[inline]
pub(crate) fn cusum_score(
    sum: f64,
    sigma: f64,
    n: f64,
    m: f64,
    of_interest: f64,
    logs: impl FnOnce() -> (f64, f64),
) -> Option<f64> {
    let scaled = sum / sigma;
    let most = scaled * scaled * n / ((n + m) * m);
    if most <= of_interest {
        return None;
    }
    let (ln_j, ln_m) = logs();
    Some(most - (ln_j - ln_m))
}

/// Confidence, 1 − p, that belongs to a score, at least 0, of the OLS-CUSUM process.
pub(crate) fn confidence(score: f64) -> f64 {
    1.0 - critical::cusum_probability(score.sqrt())
}

impl Boundary {
    pub(super) fn new(process: Process, level: f64, rows: usize) -> Result<Self> {
        let critical = match process {
            Process::Mosum { window, period } => critical::mosum(level, window, period)?,
            Process::Cusum => critical::cusum(level),
        };
        Ok(Self { process, critical, logs: (0..=rows).map(|j| libm::log(j as f64)).collect() })
    }

    /// Whether a history of `n` observations is long enough for the process.
    pub(super) fn takes(&self, n: usize) -> bool {
        match self.process {
            Process::Mosum { window, .. } => (window * n as f64).floor() > 1.0,
            Process::Cusum => n > 1,
        }
    }

    /// Number of residuals at the end of a history of `n` that the process needs.
    pub(super) fn lead(&self, n: usize) -> usize {
        match self.process {
            Process::Mosum { window, .. } => (window * n as f64).floor() as usize - 1,
            Process::Cusum => 0,
        }
    }

    /// Runs over the residuals: [`Boundary::lead`] of the end of the history of `n`, then those monitored.
    pub(super) fn first_passage(&self, residuals: &[f64], n: usize, sigma: f64) -> Passage {
        let count = n as f64;
        match self.process {
            Process::Mosum { .. } => {
                // Squares are compared, so no root is taken on the way.
                let unit = 2.0 * (self.critical * sigma) * (self.critical * sigma) * count;
                let mut first = None;
                self.moving_sums(residuals, n, |at, sum, log| {
                    let outside = sum * sum > unit * log;
                    if outside {
                        first = Some(at);
                    }
                    !outside
                });
                Passage { first, peak: None }
            }
            Process::Cusum => {
                let (mut sum, mut peak, mut first) = (0.0, 0.0, None);
                for (at, &e) in residuals.iter().enumerate() {
                    sum += e;
                    let m = at + 1;
                    let of_interest = f64::min(peak, self.critical);
                    let logs = || (self.logs[n + m], self.logs[m]);
                    if let Some(score) = cusum_score(sum, sigma, count, m as f64, of_interest, logs) {
                        peak = f64::max(peak, score);
                        if score > self.critical && first.is_none() {
                            first = Some(at);
                        }
                    }
                }
                Passage { first, peak: (!residuals.is_empty()).then_some(peak) }
            }
        }
    }

    /// Process and boundary at each monitored observation.
    pub(super) fn path(&self, residuals: &[f64], n: usize, sigma: f64) -> Vec<(f64, f64)> {
        let count = n as f64;
        let scale = sigma * count.sqrt();
        let mut path = Vec::with_capacity(residuals.len());
        match self.process {
            Process::Mosum { .. } => {
                self.moving_sums(residuals, n, |_, sum, log| {
                    path.push((sum / scale, self.critical * (2.0 * log).sqrt()));
                    true
                });
            }
            Process::Cusum => {
                let mut sum = 0.0;
                for (at, &e) in residuals.iter().enumerate() {
                    sum += e;
                    let (j, m) = (n + at + 1, at + 1);
                    let bend = self.critical + self.logs[j] - self.logs[m];
                    path.push((sum / scale, (j as f64 * m as f64 * bend).sqrt() / count));
                }
            }
        }
        path
    }

    /// Calls `see(monitored observation, sum of the window that ends there, log⁺(j/n))` until it says false.
    fn moving_sums(&self, residuals: &[f64], n: usize, mut see: impl FnMut(usize, f64, f64) -> bool) {
        let lead = self.lead(n);
        let mut sum: f64 = residuals[..lead].iter().sum();
        let flat = std::f64::consts::E * n as f64;
        for (at, (&new, &old)) in residuals[lead..].iter().zip(residuals).enumerate() {
            sum += new;
            let j = n + at + 1;
            let log = if j as f64 <= flat { 1.0 } else { self.logs[j] - self.logs[n] };
            if !see(at, sum, log) {
                return;
            }
            sum -= old;
        }
    }
}
