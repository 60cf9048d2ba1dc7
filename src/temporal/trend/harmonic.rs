//! Harmonic regression: a line and annual waves by least squares.
//!
//! y = c₀ + c₁ (t − t₀) + Σ_{k=1..K} [a_k cos 2πk(t − t₀) + b_k sin 2πk(t − t₀)], t in decimal years, p = 2 + 2K coefficients.
//! Amplitude √(a_k² + b_k²) in the units of the values; phase atan2(b_k, a_k) in radians: wave k is greatest at the fraction
//! phase/2πk of a year after t₀. RMSE = √(SSE/n) or √(SSE/(n − p)); R² = 1 − SSE/SST. Any finite values are valid; None for
//! fewer than 2p observations and where the dates do not determine all coefficients (as yearly dates do not determine waves).
//!
//! Solved by normal equations with a Cholesky factor, in time measured from the middle of the series in halves of its length,
//! so that no column is large, and refined once from the residuals. The robust choice weighs residuals r by Huber's
//! min(1, 1.345 s/|r|), s = median|r|/0.6745, in up to 20 rounds (Huber 1964, Annals of Mathematical Statistics 35:73-101;
//! Holland & Welsch 1977); RMSE and R² are of the unweighted residuals.

use std::f64::consts::TAU;

use super::median;
use crate::error::{Error, Result};
use crate::numeric::cholesky::{self, row_start};
use crate::numeric::lanes;

/// Greatest order: a wave of about a month.
pub const GREATEST_ORDER: usize = 12;
/// Huber's constant: 95 % efficiency for normal residuals.
const HUBER: f64 = 1.345;
/// Median of |r| of a standard normal variable.
const MEDIAN_DEVIATION: f64 = 0.6745;
const ROUNDS: usize = 20;
/// A robust fit has settled once no coefficient moves by more than this share of the values' size.
const SETTLED: f64 = 1e-12;
/// Share of a column that must be its own, not that of the columns before it.
const OWN: f64 = 1e-10;

/// A harmonic model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Harmonic {
    order: usize,
    origin: f64,
    robust: bool,
}

/// Coefficients and quality of a fit. Coefficients stand in the order c₀, c₁, a₁, b₁, a₂, b₂, …
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit<'a> {
    /// All coefficients, of time in years since the model's origin.
    pub coefficients: &'a [f64],
    /// √(SSE/n).
    pub rmse: f64,
    /// √(SSE/(n − p)).
    pub rmse_unbiased: f64,
    /// Share of the variance explained; none for a constant.
    pub r2: Option<f64>,
}

impl Fit<'_> {
    /// Value at t₀ without the waves.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.coefficients[0]
    }

    /// Change a year.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.coefficients[1]
    }

    /// Amplitude and phase (radians) of wave `k`, counted from 1.
    #[must_use]
    pub fn wave(&self, k: usize) -> Option<(f64, f64)> {
        let &[a, b] = self.coefficients.get(2 * k..2 * k + 2).filter(|_| k > 0)?.first_chunk::<2>()?;
        Some((a.hypot(b), libm::atan2(b, a)))
    }

    /// When in the year, as a fraction after t₀, the annual wave is greatest.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        let fraction = (self.wave(1)?.1 / TAU).rem_euclid(1.0);
        Some(if fraction < 1.0 { fraction } else { 0.0 })
    }
}

/// The waves at every date of a stack, computed once for all of its pixels.
#[derive(Clone, Debug, Default)]
pub struct Basis {
    times: Vec<f64>,
    /// One column of all dates for each wave.
    waves: Vec<f64>,
}

/// Memory lent to the fits.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// One column of the observations for each coefficient.
    columns: Vec<f64>,
    weighted: Vec<f64>,
    gram: Vec<f64>,
    factor: Vec<f64>,
    right: Vec<f64>,
    coefficients: Vec<f64>,
    residuals: Vec<f64>,
    sizes: Vec<f64>,
    weights: Vec<f64>,
    basis: Basis,
    all: Vec<u32>,
}

impl Harmonic {
    /// A model with waves up to `order` (0 is a line), times counted from `origin`, by plain or robust least squares.
    pub fn new(order: usize, origin: f64, robust: bool) -> Result<Self> {
        if order > GREATEST_ORDER {
            return Err(Error::usage(format!("--order: {order}: give 0 to {GREATEST_ORDER} waves a year")));
        }
        if !origin.is_finite() {
            return Err(Error::usage(format!("--origin: {origin}: not a decimal year; give for example 2017")));
        }
        Ok(Self { order, origin, robust })
    }

    /// Number of coefficients.
    #[must_use]
    pub fn coefficients(&self) -> usize {
        2 + 2 * self.order
    }

    /// Time that coefficients count from, in decimal years.
    #[must_use]
    pub fn origin(&self) -> f64 {
        self.origin
    }

    /// What the waves of a fit add at a time.
    #[must_use]
    pub fn waves(&self, coefficients: &[f64], time: f64) -> f64 {
        let turn = TAU * (time - self.origin - (time - self.origin).floor());
        let wave = |(k, pair): (usize, &[f64])| {
            let (sine, cosine) = libm::sincos(turn * (k + 1) as f64);
            pair[0] * cosine + pair[1] * sine
        };
        coefficients.get(2..).unwrap_or_default().chunks_exact(2).enumerate().map(wave).sum()
    }

    /// The waves at the dates of a stack.
    #[must_use]
    pub fn basis(&self, times: &[f64]) -> Basis {
        let mut basis = Basis::default();
        self.fill(times, &mut basis);
        basis
    }

    fn fill(&self, times: &[f64], basis: &mut Basis) {
        basis.times.clear();
        basis.times.extend(times.iter().map(|t| t - self.origin));
        let n = times.len();
        basis.waves.clear();
        basis.waves.resize(2 * self.order * n, 0.0);
        for (i, t) in basis.times.iter().enumerate() {
            // Whole years are taken off first, so that late dates have waves as exact as early ones.
            let turn = TAU * (t - t.floor());
            for k in 0..self.order {
                let (sine, cosine) = libm::sincos(turn * (k + 1) as f64);
                basis.waves[2 * k * n + i] = cosine;
                basis.waves[(2 * k + 1) * n + i] = sine;
            }
        }
    }

    /// Fits a series.
    #[must_use]
    pub fn fit<'w>(&self, times: &[f64], values: &[f64], work: &'w mut Work) -> Option<Fit<'w>> {
        let mut basis = std::mem::take(&mut work.basis);
        self.fill(times, &mut basis);
        let mut all = std::mem::take(&mut work.all);
        all.clear();
        all.extend(0..times.len() as u32);
        let done = self.solve(&basis, &all, values, work);
        (work.basis, work.all) = (basis, all);
        done.map(|quality| quality.of(&work.coefficients))
    }

    /// Fits the values at some of the dates of a basis that this model made.
    #[must_use]
    pub fn fit_at<'w>(&self, basis: &Basis, dates: &[u32], values: &[f64], work: &'w mut Work) -> Option<Fit<'w>> {
        self.solve(basis, dates, values, work).map(|quality| quality.of(&work.coefficients))
    }

    fn solve(&self, basis: &Basis, dates: &[u32], values: &[f64], work: &mut Work) -> Option<Quality> {
        let (n, p) = (values.len(), self.coefficients());
        if n < 2 * p || dates.len() != n {
            return None;
        }
        let time = |i: usize| basis.times.get(dates[i] as usize).copied();
        let (first, last) = (time(0)?, time(n - 1)?);
        let (middle, half) = (0.5 * (first + last), 0.5 * (last - first));
        if half <= 0.0 {
            return None;
        }
        work.columns.clear();
        work.columns.resize(n, 1.0);
        for &date in dates {
            work.columns.push((basis.times.get(date as usize)? - middle) / half);
        }
        for wave in basis.waves.chunks_exact(basis.times.len()) {
            work.columns.extend(dates.iter().map(|&date| wave[date as usize]));
        }
        if work.columns.len() != n * p {
            return None;
        }
        work.coefficients.clear();
        work.coefficients.resize(p, 0.0);
        work.residuals.clear();
        work.residuals.extend_from_slice(values);
        work.weights.clear();
        // Once from nothing and once from the residuals, which takes back what rounding did to the first solution.
        if !work.factor_gram(p) {
            return None;
        }
        work.improve(values);
        work.improve(values);
        if self.robust {
            let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for _ in 0..ROUNDS {
                if !work.weigh() || !work.factor_gram(p) {
                    break;
                }
                if work.improve(values) <= SETTLED * size {
                    break;
                }
            }
        }
        let sse = lanes::dot(&work.residuals, &work.residuals);
        let first = values[0];
        let mean = values.iter().map(|v| v - first).sum::<f64>() / n as f64;
        let sst = values.iter().map(|v| (v - first - mean) * (v - first - mean)).sum::<f64>();
        // Back to years since the origin.
        work.coefficients[1] /= half;
        work.coefficients[0] -= work.coefficients[1] * middle;
        let quality = Quality {
            rmse: (sse / n as f64).sqrt(),
            rmse_unbiased: (sse / (n - p) as f64).sqrt(),
            r2: (sst > 0.0).then(|| 1.0 - sse / sst),
        };
        (sse.is_finite() && work.coefficients.iter().all(|c| c.is_finite())).then_some(quality)
    }
}

#[derive(Clone, Copy)]
struct Quality {
    rmse: f64,
    rmse_unbiased: f64,
    r2: Option<f64>,
}

impl Quality {
    fn of(self, coefficients: &[f64]) -> Fit<'_> {
        Fit { coefficients, rmse: self.rmse, rmse_unbiased: self.rmse_unbiased, r2: self.r2 }
    }
}

impl Work {
    /// Factor of the weighted normal matrix; false where the columns depend on each other.
    fn factor_gram(&mut self, p: usize) -> bool {
        let n = self.residuals.len();
        self.gram.clear();
        for (r, column) in self.columns.chunks_exact(n).enumerate() {
            self.weighted.clear();
            if self.weights.is_empty() {
                self.weighted.extend_from_slice(column);
            } else {
                self.weighted.extend(column.iter().zip(&self.weights).map(|(x, w)| x * w));
            }
            let before = self.columns.chunks_exact(n).take(r + 1);
            self.gram.extend(before.map(|other| lanes::dot(&self.weighted, other)));
        }
        self.factor.clone_from(&self.gram);
        cholesky::factor(&mut self.factor, p)
            && (0..p).all(|r| {
                let at = row_start(r) + r;
                // The factor holds reciprocals: 1/l² is what the columns before leave of the column.
                1.0 > OWN * self.gram[at] * self.factor[at] * self.factor[at]
            })
    }

    /// Adds the solution for the residuals to the coefficients and computes the residuals anew; gives the greatest change.
    fn improve(&mut self, values: &[f64]) -> f64 {
        let n = values.len();
        if !self.weights.is_empty() {
            self.residuals.iter_mut().zip(&self.weights).for_each(|(r, w)| *r *= w);
        }
        self.right.clear();
        self.right.extend(self.columns.chunks_exact(n).map(|column| lanes::dot(column, &self.residuals)));
        cholesky::forward(&self.factor, &mut self.right);
        cholesky::backward(&self.factor, &mut self.right);
        self.coefficients.iter_mut().zip(&self.right).for_each(|(c, d)| *c += d);
        self.residuals.clear();
        self.residuals.extend_from_slice(values);
        for (column, c) in self.columns.chunks_exact(n).zip(&self.coefficients) {
            self.residuals.iter_mut().zip(column).for_each(|(r, x)| *r -= c * x);
        }
        self.right.iter().fold(0.0, |m, d| d.abs().max(m))
    }

    /// Huber's weights of the residuals; false where half of them are zero, so that there is no scale.
    fn weigh(&mut self) -> bool {
        self.sizes.clear();
        self.sizes.extend(self.residuals.iter().map(|r| r.abs()));
        let Some(scale) = median(&mut self.sizes).map(|m| m / MEDIAN_DEVIATION).filter(|s| *s > 0.0) else {
            return false;
        };
        let limit = HUBER * scale;
        self.weights.clear();
        self.weights.extend(self.residuals.iter().map(|r| if r.abs() > limit { limit / r.abs() } else { 1.0 }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(n: usize) -> Vec<f64> {
        (0..n).map(|i| 2016.3 + 0.043 * i as f64 + 0.011 * f64::from((i * i % 7) as u32)).collect()
    }

    fn model(t: f64) -> f64 {
        let x = t - 2010.0;
        0.3 + 0.02 * x + 0.2 * (TAU * x).cos() - 0.1 * (TAU * x).sin() + 0.05 * (2.0 * TAU * x).sin()
    }

    #[test]
    fn recovers_a_model_whatever_the_origin() {
        let t = times(90);
        let y: Vec<f64> = t.iter().map(|&t| model(t)).collect();
        let work = &mut Work::default();
        let want = [0.3, 0.02, 0.2, -0.1, 0.0, 0.05];
        let fit = Harmonic::new(2, 2010.0, false).unwrap().fit(&t, &y, work).unwrap();
        for (got, want) in fit.coefficients.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{fit:?}");
        }
        assert!(fit.rmse < 1e-13 && fit.r2.unwrap() > 1.0 - 1e-12);
        let (amplitude, phase) = fit.wave(1).unwrap();
        assert!((amplitude - 0.05_f64.sqrt()).abs() < 1e-12);
        assert!((phase - (-0.1_f64).atan2(0.2)).abs() < 1e-11);
        assert!((fit.peak().unwrap() - (1.0 + phase / TAU)).abs() < 1e-12);
        assert_eq!((fit.wave(0), fit.wave(3)), (None, None));
        let fit = Harmonic::new(2, 0.0, false).unwrap().fit(&t, &y, work).unwrap();
        assert!((fit.slope() - 0.02).abs() < 1e-12 && (fit.level() - (0.3 - 40.2)).abs() < 1e-9);
    }

    #[test]
    fn a_basis_of_all_dates_gives_the_same() {
        let t = times(120);
        let y: Vec<f64> =
            t.iter().enumerate().map(|(i, &t)| model(t) + 0.01 * f64::from((i * 37 % 11) as u32)).collect();
        for robust in [false, true] {
            let model = Harmonic::new(3, 2017.0, robust).unwrap();
            let basis = model.basis(&t);
            let dates: Vec<u32> = (0..120).filter(|i| i % 3 != 1).collect();
            let pick = |v: &[f64]| dates.iter().map(|&i| v[i as usize]).collect::<Vec<f64>>();
            let (few_t, few_y) = (pick(&t), pick(&y));
            let (mut a, mut b) = (Work::default(), Work::default());
            assert_eq!(model.fit_at(&basis, &dates, &few_y, &mut a), model.fit(&few_t, &few_y, &mut b));
            assert!(model.fit(&few_t, &few_y, &mut b).is_some());
        }
    }

    #[test]
    fn outliers_move_the_robust_fit_little() {
        let t = times(120);
        let noise = |i: usize| 0.004 * (f64::from((i * 37 % 11) as u32) - 5.0);
        let y: Vec<f64> =
            t.iter().enumerate().map(|(i, &t)| model(t) + noise(i) - if i % 13 == 4 { 0.5 } else { 0.0 }).collect();
        let (mut a, mut b) = (Work::default(), Work::default());
        let plain = Harmonic::new(2, 2010.0, false).unwrap().fit(&t, &y, &mut a).unwrap();
        let robust = Harmonic::new(2, 2010.0, true).unwrap().fit(&t, &y, &mut b).unwrap();
        let off = |fit: &Fit<'_>| fit.wave(1).map(|w| (w.0 - 0.05_f64.sqrt()).abs()).unwrap();
        assert!(off(&robust) < 0.01 && off(&robust) < 0.5 * off(&plain), "{} {}", off(&robust), off(&plain));
        assert!(robust.rmse >= plain.rmse);
    }

    #[test]
    fn undetermined_models_are_none() {
        let work = &mut Work::default();
        let order = |k| Harmonic::new(k, 2000.0, false).unwrap();
        let t = times(40);
        assert!(order(1).fit(&t[..7], &t[..7], work).is_none());
        assert!(order(1).fit(&t[..8], &t[..8], work).is_some());
        assert!(order(0).fit(&[2001.5; 20], &[1.0; 20], work).is_none());
        // On one date a year a wave is a constant.
        let yearly: Vec<f64> = (0..30).map(|i| 1990.25 + f64::from(i)).collect();
        assert!(order(1).fit(&yearly, &yearly, work).is_none());
        assert!(order(0).fit(&yearly, &yearly, work).is_some());
        let flat = order(1).fit(&t, &[0.42; 40], work).unwrap();
        assert_eq!(flat.r2, None);
        assert!(flat.rmse < 1e-15);
        assert!(Harmonic::new(13, 0.0, false).is_err() && Harmonic::new(1, f64::NAN, false).is_err());
    }
}
