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

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of a wave over whole turns, where regressors are orthogonal: standard deviation √½.
    fn wave(terms: usize) -> Moments {
        let mut moments = Moments::default();
        for i in 0..64 {
            let at = std::f64::consts::TAU * f64::from(i) / 32.0;
            let mut x = [1.0, f64::from(i), libm::cos(at), libm::sin(at), 0.0, 0.0, 0.0, 0.0];
            if terms == 4 {
                // No slope: its regressor is constant and left out.
                x[1] = 5.0;
            }
            let mut y = [0.0; LANES];
            y[0] = 1000.0 + 200.0 * x[2] - 20.0 * x[3];
            y[1] = 7.0 + 3.0 * x[1];
            moments.add(&x, &y);
        }
        moments
    }

    #[test]
    fn penalty_acts_on_standardised_regressors_and_spares_the_intercept() {
        let mut model = Model::default();
        model.fit(&wave(4), 4, 20.0);
        let band: Vec<f64> = model.coefficients.iter().map(|c| c[0]).collect();
        // 200 √½ − 20 over √½; the sine of 20 √½ < 20 falls to zero.
        let expected = [1000.0, 0.0, 200.0 - 20.0 * std::f64::consts::SQRT_2, 0.0];
        for (found, expected) in band.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{band:?}");
        }
        // What the penalty leaves: (20 √2)² / 2 + 20² / 2, over 64 − 4.
        assert!((model.rmse[0] - libm::sqrt((400.0 + 200.0) * 64.0 / 60.0)).abs() < 1e-6);
    }

    #[test]
    fn without_penalty_it_is_least_squares() {
        let mut model = Model::default();
        model.fit(&wave(8), 8, 0.0);
        let expected = [[1000.0, 0.0, 200.0, -20.0], [7.0, 3.0, 0.0, 0.0]];
        for (band, expected) in expected.iter().enumerate() {
            for (row, expected) in model.coefficients.iter().zip(expected) {
                assert!((row[band] - expected).abs() < 0.1, "{band} {row:?}");
            }
            assert!(model.rmse[band] < 0.1);
        }
        assert_eq!(model.coefficients[4], [0.0; LANES]);
    }
}
