//! Clouds and shadows the mask missed, found by a robust fit in the window of initialisation (Zhu & Woodcock 2014, Tmask).
//!
//! Model of one band: `a0 + a1 cos ωt + b1 sin ωt + a2 cos ωt/N + b2 sin ωt/N`, with N the number of cycles the window
//! spans, rounded up: the seasons, and a slow wave for the rest. Iteratively reweighted least squares with bisquare weights
//! (tuning constant 4.685, scale = median |residual| / 0.6745). An observation whose residual in any of the bands exceeds
//! 4.89 times the band's variogram is an outlier.

use super::axis::Axis;
use super::series::Series;

const TERMS: usize = 5;
const ITERATIONS: usize = 5;
/// Tuning constant of the bisquare at 95 % efficiency.
const BISQUARE: f64 = 4.685;
/// Median of |standard normal|.
const MEDIAN_OF_NORMAL: f64 = 0.674_489_750_196_081_7;
/// Residuals beyond this many variograms are outliers.
const OUTLIER: f64 = 4.89;

/// Buffers of the robust fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Robust {
    rows: Vec<[f64; TERMS]>,
    values: Vec<f64>,
    residuals: Vec<f64>,
    sorted: Vec<f64>,
    /// Of every observation of the window: is it an outlier?
    pub(super) outlier: Vec<bool>,
}

impl Robust {
    /// Marks the outliers among the observations `window` of a series.
    pub(super) fn mark(&mut self, axis: &Axis, series: &Series, window: &[u32], bands: &[usize]) {
        self.outlier.clear();
        self.outlier.resize(window.len(), false);
        let (Some(&first), Some(&last)) = (window.first(), window.last()) else { return };
        let span = series.days[last as usize] - series.days[first as usize];
        let cycles = (span / axis.period).ceil() as usize;
        let slow = axis.slow_wave(cycles);
        self.rows.clear();
        self.rows.extend(window.iter().map(|&row| {
            let date = series.dates[row as usize] as usize;
            let x = &axis.regressors[date];
            [1.0, x[2], x[3], slow[date][0], slow[date][1]]
        }));
        for &band in bands {
            self.values.clear();
            self.values.extend(window.iter().map(|&row| series.rows[row as usize][band]));
            // In one cycle the slow wave is the season's own: it would be in the model twice.
            if cycles < 2 {
                self.fit::<3>();
            } else {
                self.fit::<TERMS>();
            }
            let limit = OUTLIER * series.variogram[band];
            for (mark, residual) in self.outlier.iter_mut().zip(&self.residuals) {
                *mark |= residual.abs() > limit;
            }
        }
    }

    /// Residuals of the robust fit of `values`.
    fn fit<const N: usize>(&mut self) {
        self.residuals.clear();
        self.residuals.extend(&self.values);
        let mut scale = 0.0;
        for iteration in 0..=ITERATIONS {
            let mut normal = [[0.0; N]; N];
            let mut right = [0.0; N];
            for ((x, &y), &residual) in self.rows.iter().zip(&self.values).zip(&self.residuals) {
                let weight = if iteration == 0 { 1.0 } else { bisquare(residual, scale) };
                // The whole square, not its triangle: rows of a fixed length fill registers.
                for j in 0..N {
                    let wx = weight * x[j];
                    right[j] += wx * y;
                    for k in 0..N {
                        normal[j][k] += wx * x[k];
                    }
                }
            }
            let solution = solve(&mut normal, right);
            for ((x, &y), residual) in self.rows.iter().zip(&self.values).zip(&mut self.residuals) {
                *residual = y - (0..N).map(|j| x[j] * solution[j]).sum::<f64>();
            }
            self.sorted.clear();
            self.sorted.extend(self.residuals.iter().map(|r| r.abs()));
            let Some(middle) = super::series::median(&mut self.sorted) else { return };
            scale = middle / MEDIAN_OF_NORMAL;
            // Half of the observations lie on the curve: nothing is left to weigh.
            if scale <= 0.0 {
                return;
            }
        }
    }
}

fn bisquare(residual: f64, scale: f64) -> f64 {
    let u = residual / (BISQUARE * scale);
    let inner = 1.0 - u * u;
    if inner > 0.0 { inner * inner } else { 0.0 }
}

/// Solves the normal equations (lower triangle) by Cholesky; a regressor that depends on those before it gets 0.
fn solve<const N: usize>(normal: &mut [[f64; N]; N], mut right: [f64; N]) -> [f64; N] {
    let mut used = [true; N];
    for j in 0..N {
        let before = normal[j][j];
        let pivot = before - (0..j).map(|k| normal[j][k] * normal[j][k]).sum::<f64>();
        if pivot <= 1e-10 * before || before <= 0.0 {
            used[j] = false;
            for row in normal.iter_mut() {
                row[j] = 0.0;
            }
            normal[j] = [0.0; N];
            right[j] = 0.0;
            continue;
        }
        let root = pivot.sqrt();
        normal[j][j] = root;
        for i in j + 1..N {
            let sum: f64 = (0..j).map(|k| normal[i][k] * normal[j][k]).sum();
            normal[i][j] = (normal[i][j] - sum) / root;
        }
    }
    for j in 0..N {
        if used[j] {
            let sum: f64 = (0..j).map(|k| normal[j][k] * right[k]).sum();
            right[j] = (right[j] - sum) / normal[j][j];
        }
    }
    for j in (0..N).rev() {
        if used[j] {
            let sum: f64 = (j + 1..N).map(|k| normal[k][j] * right[k]).sum();
            right[j] = (right[j] - sum) / normal[j][j];
        }
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_does_not_bend_the_fit() {
        let mut robust = Robust::default();
        for i in 0..20 {
            let t = f64::from(i) * 0.31;
            robust.rows.push([1.0, libm::cos(t), libm::sin(t), libm::cos(0.5 * t), libm::sin(0.5 * t)]);
            let clean = 3.0 + 2.0 * libm::cos(t) - libm::sin(0.5 * t) + 0.01 * libm::sin(40.0 * t);
            robust.values.push(if i == 7 { clean + 50.0 } else { clean });
        }
        robust.fit::<TERMS>();
        for (i, residual) in robust.residuals.iter().enumerate() {
            assert!(if i == 7 { (residual - 50.0).abs() < 0.05 } else { residual.abs() < 0.05 }, "{i} {residual}");
        }
    }

    #[test]
    fn a_dependent_regressor_is_left_out() {
        let mut normal = [[0.0; TERMS]; TERMS];
        let mut right = [0.0; TERMS];
        for i in 0..6 {
            let t = f64::from(i);
            let x = [1.0, t, 2.0 * t, t * t, 0.0];
            for j in 0..TERMS {
                right[j] += x[j] * (1.0 + 3.0 * t);
                for k in 0..=j {
                    normal[j][k] += x[j] * x[k];
                }
            }
        }
        let solution = solve(&mut normal, right);
        for (found, expected) in solution.iter().zip([1.0, 3.0, 0.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-8, "{solution:?}");
        }
    }
}
