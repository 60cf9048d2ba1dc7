//! LASSO of all bands at once by coordinate descent on moments.
//!
//! Minimised per band: `Σ (y − b0 − Σ b_j x_j)² / 2n + λ Σ |b_j s_j|`, with `s_j` the standard deviation (divisor n) of
//! regressor j: the penalty acts on standardised regressors and leaves the intercept free (Friedman, Hastie & Tibshirani
//! 2010). Only sums of products are kept, so that a further observation costs one rank-one update and no fit reads the
//! observations again. All bands share the moments of the regressors and are swept in the same lanes.

use super::descent::descend;
use super::{LANES, Lanes};

/// Sums over the observations of a model. Regressor 0 is the constant 1, so row 0 holds plain sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    pub(super) count: usize,
    xx: [Lanes; LANES],
    xy: [Lanes; LANES],
    yy: Lanes,
}

impl Moments {
    /// Takes in an observation: its regressors and its bands.
    #[inline(always)]
    pub(super) fn add(&mut self, x: &Lanes, y: &Lanes) {
        self.count += 1;
        for ((xx, xy), &xj) in self.xx.iter_mut().zip(&mut self.xy).zip(x) {
            accumulate(xx, xj, x);
            accumulate(xy, xj, y);
        }
        for (yy, y) in self.yy.iter_mut().zip(y) {
            *yy += y * y;
        }
    }
}

/// Adds `factor` times `row` to `sum`.
#[inline(always)]
fn accumulate(sum: &mut Lanes, factor: f64, row: &Lanes) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// A fitted model of all bands.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// Coefficients of standardised regressors: the start of the next fit.
    standard: [Lanes; LANES],
    /// Coefficient of every regressor, bands in lanes.
    pub(super) coefficients: [Lanes; LANES],
    /// Root of the residual sum of squares over (observations − terms), per band.
    pub(super) rmse: Lanes,
    /// Observations fitted.
    pub(super) count: usize,
    /// Regressors in use, the constant among them: 4, 6 or 8.
    pub(super) terms: usize,
}

/// Variance of a regressor, relative to its mean square, below which it counts as constant and is left out.
const CONSTANT: f64 = 1e-12;

impl Model {
    /// Value of every band at a date's regressors.
    #[inline(always)]
    pub(super) fn predict(&self, x: &Lanes) -> Lanes {
        let mut value = self.coefficients[0];
        for (coefficients, &x) in self.coefficients.iter().zip(x).skip(1) {
            accumulate(&mut value, x, coefficients);
        }
        value
    }

    /// Fits the first `terms` regressors to the moments, from where the last fit of this value ended.
    #[inline(always)]
    pub(super) fn fit(&mut self, moments: &Moments, terms: usize, lambda: f64) {
        let terms = terms.clamp(1, LANES);
        let n = moments.count as f64;
        let part = 1.0 / n;
        let mut mean = [0.0; LANES];
        let mut unit = [0.0; LANES];
        for j in 1..terms {
            mean[j] = moments.xx[0][j] * part;
            let square = moments.xx[j][j] * part;
            let variance = square - mean[j] * mean[j];
            if variance > CONSTANT * square {
                unit[j] = 1.0 / variance.sqrt();
            } else {
                self.standard[j] = [0.0; LANES];
            }
        }
        let mut mean_y = moments.xy[0];
        for value in &mut mean_y {
            *value *= part;
        }
        // Correlations of the regressors, and what is left of their covariance with each band.
        let mut correlation = [[0.0; LANES]; LANES];
        let mut covariance = [[0.0; LANES]; LANES];
        for j in 1..terms {
            for k in 1..terms {
                correlation[j][k] = (moments.xx[j][k] * part - mean[j] * mean[k]) * (unit[j] * unit[k]);
            }
            for lane in 0..LANES {
                covariance[j][lane] = (moments.xy[j][lane] * part - mean[j] * mean_y[lane]) * unit[j];
            }
        }
        for row in &mut self.standard[terms..] {
            *row = [0.0; LANES];
        }
        let mut left = covariance;
        for (left, row) in left.iter_mut().zip(&correlation).skip(1) {
            for (&correlation, standard) in row.iter().zip(&self.standard).skip(1) {
                accumulate(left, -correlation, standard);
            }
        }
        descend(&correlation, &mut left, &mut self.standard, terms, lambda);
        // Σr²/n = var(y) − Σ b_j (c_j + left_j), because left = c − R b.
        let mut residual = moments.yy;
        for (residual, mean) in residual.iter_mut().zip(&mean_y) {
            *residual = *residual * part - mean * mean;
        }
        self.coefficients = [[0.0; LANES]; LANES];
        let mut intercept = mean_y;
        for j in 1..terms {
            for lane in 0..LANES {
                let value = self.standard[j][lane] * unit[j];
                self.coefficients[j][lane] = value;
                intercept[lane] -= value * mean[j];
                residual[lane] -= self.standard[j][lane] * (covariance[j][lane] + left[j][lane]);
            }
        }
        self.coefficients[0] = intercept;
        // A series without residuals may come out below zero by rounding.
        let freedom = (n - terms as f64).max(1.0);
        for (rmse, residual) in self.rmse.iter_mut().zip(&residual) {
            *rmse = (residual.max(0.0) * n / freedom).sqrt();
        }
        (self.count, self.terms) = (moments.count, terms);
    }

    /// Forgets the last fit: the next starts at zero, so that a segment never depends on the one before.
    pub(super) fn forget(&mut self) {
        self.standard = [[0.0; LANES]; LANES];
        self.count = 0;
    }
}
