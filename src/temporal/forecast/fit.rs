//! Fits of the models: a search over the nonlinear parameters with the linear ones solved exactly, then descent.

use super::descent::{Buffers, End, Square};
use super::model::{Curve, MOST, Model, Scaled};
use crate::temporal::recovery::Annual;

/// Why a model has no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NoFit {
    /// AICc needs three valid years more than the curve has parameters.
    TooFewYears = 1,
    /// The best parameters lie outside what the series can tell (see [`super`]).
    NotIdentified = 2,
    /// No plateau was given to hold the logistic curve to.
    NoPlateau = 3,
}

/// A fitted model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The model.
    pub model: Model,
    /// Valid years it was fitted to.
    pub count: usize,
    /// Sum of the squared residuals.
    pub squares: f64,
    /// Corrected information criterion n ln(squares/n) + 2q + 2q(q+1)/(n−q−1), q the parameters and the variance.
    pub aicc: f64,
    /// Residual variance: the squares over n less the parameters.
    pub variance: f64,
    scaled: Scaled,
    inverse: Square,
    origin: f64,
    span: f64,
    /// Half-width of the interval in standard errors.
    quantile: f64,
}

/// Value of a curve in a year, and limits for a new yearly value of that year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Lower limit.
    pub low: f64,
    /// Value of the curve.
    pub value: f64,
    /// Upper limit.
    pub high: f64,
}

impl Fit {
    /// The curve in years and units of the series.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.scaled.curve(self.origin, self.span)
    }

    /// Value and prediction interval of a year.
    #[must_use]
    pub fn band(&self, year: f64) -> Band {
        let (value, g) = self.scaled.at((year - self.origin) / self.span);
        let mut form = 0.0;
        for i in 0..MOST {
            for j in 0..MOST {
                form += g[i] * self.inverse[i][j] * g[j];
            }
        }
        let half = self.quantile * (self.variance * (1.0 + form)).sqrt();
        Band { low: value - half, value, high: value + half }
    }

    /// Year in which the curve has the value `target`, before or after the series; `None` for a curve that does not rise or
    /// does not rise that high.
    #[must_use]
    pub fn crossing(&self, target: f64) -> Option<f64> {
        self.scaled.crossing(target).map(|u| self.origin + self.span * u)
    }

    /// Whether the curve rises.
    pub(super) fn rises(&self) -> bool {
        self.scaled.rises()
    }
}

/// Buffers of [`super::Forecaster::forecast`], kept from series to series.
#[derive(Debug, Default)]
pub struct Work {
    buffers: Buffers,
    u: Vec<f64>,
    /// exp(−rate·u) of one rate of the search.
    decay: Vec<f64>,
    /// Sums of squares of the search, and the place of each.
    searched: Vec<f64>,
    starts: Vec<(f64, Scaled)>,
    /// Half-widths by degrees of freedom, for one confidence.
    pub(super) quantiles: Vec<f64>,
    pub(super) confidence: f64,
}

/// Rates searched, evenly by their logarithm.
const RATES: usize = 24;
/// Midpoints of the logistic curve searched.
const MIDPOINTS: usize = 25;
/// Least rate, per span of the series: a slower curve is a line.
const LEAST_RATE: f64 = 0.05;
/// Greatest rate, per shortest step of the series: a faster one is a jump between two years.
const GREATEST_RATE: f64 = 5.0;
/// Where the midpoint may lie, in spans after the first year.
const MIDPOINT: (f64, f64) = (-1.0, 3.0);
/// Greatest rate per span, so that no exponential overflows.
const STEEPEST: f64 = 200.0;
/// Share by which sums of squares of one minimum may differ.
const SAME: f64 = 1e-9;
/// Minima of the search that are followed down.
const STARTS: usize = 4;

/// A series over scaled time.
pub(super) struct Task<'a> {
    y: &'a [f64],
    origin: f64,
    span: f64,
    rates: (f64, f64),
}

impl Work {
    /// Scales the years; `None` where there are fewer than two.
    pub(super) fn scale<'a>(&mut self, series: Annual<'a>) -> Option<Task<'a>> {
        let (first, last) = (*series.years.first()?, *series.years.last()?);
        let span = f64::from(last) - f64::from(first);
        let step = series.years.windows(2).map(|w| f64::from(w[1]) - f64::from(w[0])).fold(span, f64::min);
        if step <= 0.0 {
            return None;
        }
        self.u.clear();
        self.u.extend(series.years.iter().map(|y| (f64::from(*y) - f64::from(first)) / span));
        let rates = (LEAST_RATE, (GREATEST_RATE * span / step).min(STEEPEST));
        Some(Task { y: series.values, origin: f64::from(first), span, rates })
    }

    /// Fits one model.
    pub(super) fn fit(&mut self, task: &Task<'_>, model: Model, plateau: Option<f64>) -> Result<Fit, NoFit> {
        let (n, parameters) = (task.y.len(), model.parameters());
        if model == Model::LogisticFixed && plateau.is_none() {
            return Err(NoFit::NoPlateau);
        }
        if n < parameters + 3 {
            return Err(NoFit::TooFewYears);
        }
        self.starts.clear();
        match model {
            // From the first value, so that the slope of a constant is exactly zero.
            Model::Linear => self.starts.push((0.0, Scaled { model, p: [task.y[0], 0.0, 0.0] })),
            Model::Approach => self.search_approach(task),
            Model::Logistic => self.search_logistic(task, None),
            Model::LogisticFixed => self.search_logistic(task, plateau),
        }
        let logistic = [MIDPOINT, task.rates];
        let bounds: &[(f64, f64)] = match model {
            Model::Linear => &[],
            Model::Approach => &logistic[1..],
            Model::Logistic | Model::LogisticFixed => &logistic,
        };
        let (mut lowest, mut best) = (f64::INFINITY, None::<(End, Square)>);
        for (_, start) in &self.starts {
            let end = self.buffers.descend(*start, bounds, &self.u, task.y);
            lowest = lowest.min(end.squares);
            if let Some(inverse) = end.inverse
                && best.is_none_or(|(b, _)| end.squares < b.squares)
            {
                best = Some((end, inverse));
            }
        }
        // Where a lower end is no minimum, a minimum above it is not the fit.
        let (m, inverse) = best.filter(|(b, _)| b.squares <= lowest * (1.0 + SAME)).ok_or(NoFit::NotIdentified)?;
        // The curve is one of growth.
        if matches!(model, Model::Logistic) && m.scaled.p[2] <= 0.0 {
            return Err(NoFit::NotIdentified);
        }
        let (count, q) = (n as f64, (parameters + 1) as f64);
        // Squares of zero (a curve through every point) are no better than the smallest number.
        let fit = count * libm::log(m.squares.max(f64::MIN_POSITIVE) / count);
        let form = inverse.iter().flatten().sum::<f64>();
        if !(m.squares.is_finite() && form.is_finite() && m.scaled.p.iter().all(|p| p.is_finite())) {
            return Err(NoFit::NotIdentified);
        }
        Ok(Fit {
            model,
            count: n,
            squares: m.squares,
            aicc: fit + 2.0 * q + 2.0 * q * (q + 1.0) / (count - q - 1.0),
            variance: m.squares / (count - parameters as f64),
            scaled: m.scaled,
            inverse,
            origin: task.origin,
            span: task.span,
            quantile: self.quantiles.get(n - parameters).copied().unwrap_or(f64::NAN),
        })
    }

    fn rate(task: &Task<'_>, i: usize) -> f64 {
        let (low, high) = task.rates;
        low * libm::exp(libm::log(high / low) * i as f64 / (RATES - 1) as f64)
    }

    fn search_approach(&mut self, task: &Task<'_>) {
        let n = task.y.len() as f64;
        let mean = task.y.iter().sum::<f64>() / n;
        self.searched.clear();
        let mut curves = [Scaled { model: Model::Approach, p: [0.0; MOST] }; RATES];
        for (i, curve) in curves.iter_mut().enumerate() {
            let rate = Self::rate(task, i);
            self.decay.clear();
            self.decay.extend(self.u.iter().map(|u| -libm::expm1(-rate * u)));
            let middle = self.decay.iter().sum::<f64>() / n;
            let (mut gg, mut gy) = (0.0, 0.0);
            for (g, y) in self.decay.iter().zip(task.y) {
                gg += (g - middle) * (g - middle);
                gy += (g - middle) * (y - mean);
            }
            let rise = gy / gg;
            curve.p = [rate, mean - rise * middle, rise];
            // The sum of squares less that of the mean alone.
            self.searched.push(-gy * rise);
        }
        self.keep_minima(RATES, 1, |i, _| curves[i]);
    }

    fn search_logistic(&mut self, task: &Task<'_>, plateau: Option<f64>) {
        let model = if plateau.is_some() { Model::LogisticFixed } else { Model::Logistic };
        let midpoint = |j: usize| MIDPOINT.0 + (MIDPOINT.1 - MIDPOINT.0) * j as f64 / (MIDPOINTS - 1) as f64;
        let mut plateaus = [[0.0; MIDPOINTS]; RATES];
        self.searched.clear();
        let yy = task.y.iter().map(|y| y * y).sum::<f64>();
        for (i, row) in plateaus.iter_mut().enumerate() {
            let rate = Self::rate(task, i);
            let shifts: [f64; MIDPOINTS] = std::array::from_fn(|j| libm::exp(rate * midpoint(j)));
            let (mut ss, mut sy) = ([0.0; MIDPOINTS], [0.0; MIDPOINTS]);
            for (u, y) in self.u.iter().zip(task.y) {
                let decay = libm::exp(-rate * u);
                // Midpoint by midpoint, so that the sums do not wait for each other.
                for (shift, (ss, sy)) in shifts.iter().zip(ss.iter_mut().zip(&mut sy)) {
                    let s = 1.0 / (1.0 + shift * decay);
                    *ss += s * s;
                    *sy += s * y;
                }
            }
            for (k, (ss, sy)) in row.iter_mut().zip(ss.into_iter().zip(sy)) {
                // Where the curve is zero in all years its plateau says nothing.
                *k = plateau.unwrap_or(if ss > 0.0 { sy / ss } else { 0.0 });
                self.searched.push(yy - *k * (2.0 * sy - *k * ss));
            }
        }
        self.keep_minima(RATES, MIDPOINTS, |i, j| Scaled {
            model,
            p: [midpoint(j), Self::rate(task, i), plateaus[i][j]],
        });
    }

    /// Starts at the lowest places of the search that no neighbour undercuts.
    fn keep_minima(&mut self, rows: usize, columns: usize, curve: impl Fn(usize, usize) -> Scaled) {
        let at = |i: usize, j: usize| self.searched[i * columns + j];
        for i in 0..rows {
            for j in 0..columns {
                let here = at(i, j);
                let around = (i.saturating_sub(1)..=(i + 1).min(rows - 1))
                    .flat_map(|k| (j.saturating_sub(1)..=(j + 1).min(columns - 1)).map(move |l| (k, l)));
                // Of equal neighbours the first stands for all.
                let lowest = around.into_iter().all(|(k, l)| {
                    let there = at(k, l);
                    here < there || (here == there && (i, j) <= (k, l))
                });
                if lowest {
                    self.starts.push((here, curve(i, j)));
                }
            }
        }
        self.starts.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.starts.truncate(STARTS);
    }
}
