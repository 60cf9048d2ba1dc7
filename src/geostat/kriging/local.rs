//! A system of the nearest samples for every target; the factor is kept while the set of samples stays the same.

use super::Estimate;
use super::system::{self, Dual};
use crate::error::Result;
use crate::geostat::covariance::Covariance;
use crate::geostat::model::Model;
use crate::geostat::neighbours::{Buckets, Neighbourhood};
use crate::geostat::samples::Samples;
use crate::numeric::cholesky::{self, row_start};

pub(super) struct Local {
    covariance: Covariance,
    buckets: Buckets,
    error: f64,
}

#[derive(Default)]
pub(super) struct Scratch {
    found: Vec<(f64, u32)>,
    ids: Vec<u32>,
    factored: Vec<u32>,
    x: Vec<f64>,
    y: Vec<f64>,
    l: Vec<f64>,
    d: Vec<f64>,
    c: Vec<f64>,
    dual: Dual,
    pub(super) jittered: u64,
}

impl Local {
    pub(super) fn new(samples: &Samples, model: &Model, covariance: Covariance) -> Self {
        Self { covariance, buckets: Buckets::new(samples), error: model.error }
    }

    pub(super) fn covariance(&self) -> &Covariance {
        &self.covariance
    }

    pub(super) fn bytes(&self) -> u64 {
        self.buckets.bytes()
    }

    pub(super) fn work_bytes(nmax: usize) -> u64 {
        (8 * row_start(nmax) + 96 * nmax) as u64
    }

    /// Estimate at (`x`, `y`), relative to the samples' origin, without sample `except`.
    pub(super) fn predict(
        &self,
        samples: &Samples,
        x: f64,
        y: f64,
        rule: &Neighbourhood,
        except: Option<u32>,
        s: &mut Scratch,
    ) -> Result<Estimate> {
        self.buckets.nearest(x, y, rule, except, &mut s.found);
        if s.found.len() < rule.nmin.max(1) {
            return Ok(Estimate::NODATA);
        }
        // In order of index: the same set gives the same factor bit for bit, whether it is reused or made again.
        s.ids.clear();
        s.ids.extend(s.found.iter().map(|f| f.1));
        s.ids.sort_unstable();
        if s.ids != s.factored {
            self.refactor(samples, s).map_err(|e| {
                let (ox, oy) = samples.origin;
                e.context(format!("kriging at x {}, y {}", x + ox, y + oy))
            })?;
        }
        let n = s.ids.len();
        let (dx, dy) = s.d.split_at_mut(n);
        for i in 0..n {
            dx[i] = x - s.x[i];
            dy[i] = y - s.y[i];
        }
        self.covariance.fill(dx, &dy[..n], &mut s.c);
        let value = s.dual.beta + cholesky::dot(&s.c, &s.dual.d);
        cholesky::forward(&s.l, &mut s.c);
        let r = 1.0 - cholesky::dot(&s.dual.u, &s.c);
        Ok(Estimate {
            value,
            variance: self.covariance.at_zero() - cholesky::dot(&s.c, &s.c) + r * r * s.dual.inverse,
            multiplier: -r * s.dual.inverse,
        })
    }

    fn refactor(&self, samples: &Samples, s: &mut Scratch) -> Result<()> {
        // Until it succeeds there is no factor to reuse.
        s.factored.clear();
        let n = s.ids.len();
        s.x.clear();
        s.x.extend(s.ids.iter().map(|&i| samples.x[i as usize]));
        s.y.clear();
        s.y.extend(s.ids.iter().map(|&i| samples.y[i as usize]));
        s.l.resize(row_start(n), 0.0);
        s.d.resize(2 * n, 0.0);
        s.c.resize(n, 0.0);
        let error = |i: usize| self.error + samples.error.get(s.ids[i] as usize).copied().unwrap_or(0.0);
        let (x, y, d) = (&s.x, &s.y, &mut s.d);
        let jitter = system::factor(n, self.covariance.at_zero(), &mut s.l, |k| {
            system::build(&self.covariance, x, y, error, k, d);
        })?;
        s.jittered += u64::from(jitter > 0.0);
        s.dual.solve(&s.l, s.ids.iter().map(|&i| samples.z[i as usize]));
        s.factored.clone_from(&s.ids);
        Ok(())
    }
}
