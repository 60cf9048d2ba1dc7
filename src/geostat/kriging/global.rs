//! One system of all samples, factored once; targets are solved in groups.

use super::Estimate;
use super::system::{self, Dual};
use crate::error::Result;
use crate::geostat::covariance::Covariance;
use crate::geostat::model::Model;
use crate::geostat::samples::Samples;
use crate::numeric::cholesky::{self, row_start};

/// Targets solved together: their right-hand sides share every load of the factor and stay in vector registers.
const LANES: usize = 16;

#[derive(Default)]
pub(super) struct Lanes {
    v: Vec<[f64; LANES]>,
}

pub(super) struct Global {
    covariance: Covariance,
    l: Vec<f64>,
    dual: Dual,
    jitter: f64,
}

impl Global {
    pub(super) fn new(samples: &Samples, model: &Model, mut covariance: Covariance) -> Result<Self> {
        let n = samples.len();
        let (mut l, mut d) = (vec![0.0; row_start(n)], vec![0.0; 2 * n]);
        let extra = |i: usize| model.error + samples.error.get(i).copied().unwrap_or(0.0);
        // The stand-in for a missing sill may be too small where samples are many: double it, at most ten times.
        let mut doublings = if model.is_unbounded() { 10 } else { 0 };
        let jitter = loop {
            let c0 = covariance.at_zero();
            let tried =
                system::factor(n, c0, &mut l, |k| system::build(&covariance, &samples.x, &samples.y, extra, k, &mut d));
            match tried {
                Err(_) if doublings > 0 => {
                    doublings -= 1;
                    covariance.double_stand_in();
                }
                other => break other?,
            }
        };
        let mut dual = Dual::default();
        dual.solve(&l, samples.z.iter().copied());
        Ok(Self { covariance, l, dual, jitter })
    }

    pub(super) fn covariance(&self) -> &Covariance {
        &self.covariance
    }

    pub(super) fn bytes(&self) -> u64 {
        8 * (self.l.len() + 2 * self.dual.u.len()) as u64
    }

    pub(super) fn work_bytes(&self) -> u64 {
        (8 * LANES * self.dual.u.len()) as u64
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.jitter > 0.0 {
            notes.push(format!(
                "the kriging matrix is nearly singular: {:e} of the sill was added to its diagonal",
                self.jitter
            ));
        }
        // Ratio of the extreme pivots: a lower bound of the condition number that costs nothing.
        let diagonal = (0..self.dual.u.len()).map(|i| self.l[row_start(i) + i]);
        let (low, high) = diagonal.fold((f64::INFINITY, 0.0_f64), |(a, b), d| (a.min(d), b.max(d)));
        let condition = (high / low).powi(2);
        if condition > 1e10 {
            notes.push(format!(
                "the kriging matrix is ill-conditioned (at least {condition:.1e}); a nugget or a less smooth model would steady it"
            ));
        }
        notes
    }

    pub(super) fn predict(&self, samples: &Samples, x: &[f64], y: &[f64], work: &mut Lanes, out: &mut [Estimate]) {
        let n = samples.len();
        work.v.resize(n, [0.0; LANES]);
        let (ox, oy) = samples.origin;
        for (group, out) in out.chunks_mut(LANES).enumerate() {
            let at = group * LANES;
            // A short last group repeats its last target, so that every target goes through the same arithmetic.
            let pick = |v: &[f64], o: f64| std::array::from_fn::<f64, LANES, _>(|k| v[at + k.min(out.len() - 1)] - o);
            let (tx, ty) = (pick(x, ox), pick(y, oy));
            let mut value = [self.dual.beta; LANES];
            let (mut dx, mut dy) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..n {
                for k in 0..LANES {
                    dx[k] = tx[k] - samples.x[i];
                    dy[k] = ty[k] - samples.y[i];
                }
                let c = &mut work.v[i];
                self.covariance.fill(&dx, &dy, c);
                for k in 0..LANES {
                    value[k] += self.dual.d[i] * c[k];
                }
            }
            let (vv, uv) = self.forward(&mut work.v);
            for (k, e) in out.iter_mut().enumerate() {
                let r = 1.0 - uv[k];
                *e = Estimate {
                    value: value[k],
                    variance: self.covariance.at_zero() - vv[k] + r * r * self.dual.inverse,
                    multiplier: -r * self.dual.inverse,
                };
            }
        }
    }

    /// Solves `L v = c` for a group of targets; returns `vᵀv` and `uᵀv`.
    fn forward(&self, v: &mut [[f64; LANES]]) -> ([f64; LANES], [f64; LANES]) {
        let (mut vv, mut uv) = ([0.0; LANES], [0.0; LANES]);
        for i in 0..v.len() {
            let row = &self.l[row_start(i)..row_start(i) + i + 1];
            let mut acc = v[i];
            for (l, before) in row[..i].iter().zip(&v[..i]) {
                for k in 0..LANES {
                    acc[k] -= l * before[k];
                }
            }
            for k in 0..LANES {
                acc[k] *= row[i];
                vv[k] += acc[k] * acc[k];
                uv[k] += self.dual.u[i] * acc[k];
            }
            v[i] = acc;
        }
        (vv, uv)
    }

    pub(super) fn leave_one_out(&self, samples: &Samples) -> Vec<Estimate> {
        let n = samples.len();
        if n < 2 {
            return vec![Estimate::NODATA; n];
        }
        let diagonal = cholesky::inverse_diagonal(&self.l, n);
        let mut a = self.dual.u.clone();
        cholesky::backward(&self.l, &mut a);
        (0..n)
            .map(|i| {
                let b = diagonal[i] - a[i] * a[i] * self.dual.inverse;
                // ψ of the reduced system: the multiplier changes with the share of the omitted sample.
                let inverse = diagonal[i] * self.dual.inverse / b;
                let r = a[i] / diagonal[i];
                Estimate { value: samples.z[i] - self.dual.d[i] / b, variance: 1.0 / b, multiplier: -r * inverse }
            })
            .collect()
    }
}
