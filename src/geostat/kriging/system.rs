//! Building and factoring one kriging system.

use crate::error::{Error, Result};
use crate::geostat::covariance::Covariance;
use crate::numeric::cholesky;

/// Additions to the diagonal tried where a matrix is not positive definite, as shares of `C(0)`.
const JITTERS: [f64; 6] = [0.0, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8];

/// The covariances among places as a packed lower triangle; `extra` is added to the diagonal (error variances).
pub(super) fn build(
    covariance: &Covariance,
    x: &[f64],
    y: &[f64],
    extra: impl Fn(usize) -> f64,
    k: &mut [f64],
    d: &mut [f64],
) {
    let n = x.len();
    let (dx, dy) = d.split_at_mut(n);
    for i in 0..n {
        for j in 0..i {
            dx[j] = x[i] - x[j];
            dy[j] = y[i] - y[j];
        }
        let start = cholesky::row_start(i);
        covariance.fill(&dx[..i], &dy[..i], &mut k[start..start + i]);
        k[start + i] = covariance.at_zero() + extra(i);
    }
}

/// Factors the matrix `fill` builds, adding to its diagonal where it must. Returns the share of `C(0)` that was added.
///
/// # Errors
/// Input error where even 10⁻⁸ of `C(0)` does not help.
pub(super) fn factor(n: usize, c0: f64, k: &mut [f64], mut fill: impl FnMut(&mut [f64])) -> Result<f64> {
    for jitter in JITTERS {
        fill(k);
        if jitter > 0.0 {
            for i in 0..n {
                k[cholesky::row_start(i) + i] += jitter * c0;
            }
        }
        if cholesky::factor(k, n) {
            return Ok(jitter);
        }
    }
    Err(Error::input(
        "the kriging system is singular: the variogram model is not valid for these samples; merge close samples or choose \
         a model with a nugget",
    ))
}

/// What depends on the samples alone once the matrix is factored.
#[derive(Clone, Debug, Default)]
pub(super) struct Dual {
    /// `L⁻¹ 1`.
    pub u: Vec<f64>,
    /// `K⁻¹ (z − β 1)`.
    pub d: Vec<f64>,
    /// Generalised least-squares mean.
    pub beta: f64,
    /// `1 / 1ᵀK⁻¹1`.
    pub inverse: f64,
}

impl Dual {
    /// Solves for the factor `l` and values `z`.
    pub(super) fn solve(&mut self, l: &[f64], z: impl Iterator<Item = f64>) {
        self.d.clear();
        self.d.extend(z);
        self.u.clear();
        self.u.resize(self.d.len(), 1.0);
        cholesky::forward(l, &mut self.d);
        cholesky::forward(l, &mut self.u);
        self.inverse = 1.0 / cholesky::dot(&self.u, &self.u);
        self.beta = cholesky::dot(&self.u, &self.d) * self.inverse;
        for (d, u) in self.d.iter_mut().zip(&self.u) {
            *d -= self.beta * u;
        }
        cholesky::backward(l, &mut self.d);
    }
}
