//! Ordinary kriging: estimate and variance at points, from all samples or from the nearest.
//!
//! With `K` the covariances among samples, `c` those to the target and `1` the vector of ones (Cressie 1993; Chilès & Delfiner
//! 2012): `β = 1ᵀK⁻¹z / 1ᵀK⁻¹1`, `ẑ = β + cᵀK⁻¹(z − β1)`, `s² = C(0) − cᵀK⁻¹c + r²/1ᵀK⁻¹1` with `r = 1 − 1ᵀK⁻¹c`, and the
//! Lagrange multiplier `ψ = −r / 1ᵀK⁻¹1` of the system `Kλ + ψ1 = c`.

mod global;
mod local;
mod system;

use std::sync::Arc;

use super::covariance::Covariance;
use super::model::{Model, Shape};
use super::neighbours::Neighbourhood;
use super::predictor::{Predictor, Worker};
use super::samples::Samples;
use crate::error::{Error, Result};

use global::Global;
use local::Local;

/// Kriging estimate at one place, in the working scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Estimate; NaN where too few samples are in reach.
    pub value: f64,
    /// Kriging variance, conditional on the variogram; NaN with the value.
    pub variance: f64,
    /// Lagrange multiplier ψ; needed for the mean of a lognormal variable.
    pub multiplier: f64,
}

impl Estimate {
    /// No estimate.
    pub const NODATA: Self = Self { value: f64::NAN, variance: f64::NAN, multiplier: f64::NAN };
}

enum Solver {
    Global(Global),
    Local(Local),
}

/// A prepared ordinary kriging of one variable.
pub struct Kriging {
    samples: Arc<Samples>,
    model: Model,
    neighbourhood: Neighbourhood,
    solver: Solver,
    /// 0 where all samples are equal, so that the variance is 0 whatever stand-in model solved the system.
    variance_factor: f64,
    notes: Vec<String>,
}

impl Kriging {
    /// Prepares the kriging of `samples` with `model`. A neighbourhood that is everything is factored here once.
    ///
    /// A model of sill 0 (all samples equal) gives their value with variance 0.
    ///
    /// # Errors
    /// Input error where the system cannot be solved.
    pub fn new(samples: Arc<Samples>, model: &Model, neighbourhood: Neighbourhood) -> Result<Self> {
        let mut notes = Vec::new();
        let (mut model, mut variance_factor) = (model.clone(), 1.0);
        if model.sill() == 0.0 {
            model = Model { nugget: 1.0, ..Model::default() };
            variance_factor = 0.0;
        }
        let floor = 1e-6 * model.sill();
        let smooth = |s: &super::Structure| {
            s.shape == Shape::Gau
                || (s.shape == Shape::Exc && s.kappa > 1.9)
                || (matches!(s.shape, Shape::Mat | Shape::Ste) && s.kappa >= 2.5)
        };
        if model.nugget + model.error < floor && model.structures.iter().any(smooth) {
            model.nugget = floor;
            notes.push(format!(
                "a model this smooth without a nugget makes the kriging system singular: nugget raised to {floor:e} (1e-6 of the sill)"
            ));
        }
        let covariance = Covariance::new(&model, samples.tolerance, samples.diagonal());
        let solver = if neighbourhood.is_global(samples.len()) {
            let global = Global::new(&samples, &model, covariance)?;
            notes.extend(global.notes());
            Solver::Global(global)
        } else {
            Solver::Local(Local::new(&samples, &model, covariance))
        };
        Ok(Self { samples, model, neighbourhood, solver, variance_factor, notes })
    }

    /// The model the systems are built with.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &Arc<Samples> {
        &self.samples
    }

    /// The neighbourhood.
    #[must_use]
    pub fn neighbourhood(&self) -> &Neighbourhood {
        &self.neighbourhood
    }

    /// What the user should know about the numerics.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn covariance_at_zero(&self) -> f64 {
        match &self.solver {
            Solver::Global(g) => g.covariance().at_zero(),
            Solver::Local(l) => l.covariance().at_zero(),
        }
    }
}

struct KrigingWorker<'a> {
    kriging: &'a Kriging,
    lanes: global::Lanes,
    scratch: local::Scratch,
}

impl Worker for KrigingWorker<'_> {
    fn predict(&mut self, x: &[f64], y: &[f64], out: &mut [Estimate]) -> Result<()> {
        let me = self.kriging;
        match &me.solver {
            Solver::Global(g) => g.predict(&me.samples, x, y, &mut self.lanes, out),
            Solver::Local(l) => {
                let (ox, oy) = me.samples.origin;
                for ((&x, &y), e) in x.iter().zip(y).zip(out.iter_mut()) {
                    *e = l.predict(&me.samples, x - ox, y - oy, &me.neighbourhood, None, &mut self.scratch)?;
                }
            }
        }
        let c0 = me.covariance_at_zero();
        for e in out.iter_mut().filter(|e| !e.value.is_nan()) {
            e.variance = me.variance_factor * settle(e.variance, c0)?;
        }
        Ok(())
    }
    fn jittered(&self) -> u64 {
        self.scratch.jittered
    }
}

impl Predictor for Kriging {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(KrigingWorker { kriging: self, lanes: global::Lanes::default(), scratch: local::Scratch::default() })
    }

    /// For the global system all at once from one inverse (Dubrule 1983): `e_i = d_i / B_ii`, `s²_i = 1 / B_ii`, with `B` the
    /// block of the inverse kriging matrix; else by solving again.
    fn leave_one_out(&self) -> Result<Vec<Estimate>> {
        let mut out = match &self.solver {
            Solver::Global(g) => g.leave_one_out(&self.samples),
            Solver::Local(l) => {
                let (s, mut scratch) = (&self.samples, local::Scratch::default());
                (0..s.len())
                    .map(|i| l.predict(s, s.x[i], s.y[i], &self.neighbourhood, Some(i as u32), &mut scratch))
                    .collect::<Result<Vec<_>>>()?
            }
        };
        for e in &mut out {
            e.variance *= self.variance_factor;
        }
        Ok(out)
    }

    fn has_variance(&self) -> bool {
        true
    }

    fn bytes(&self) -> u64 {
        let solver = match &self.solver {
            Solver::Global(g) => g.bytes(),
            Solver::Local(l) => l.bytes(),
        };
        solver + 48 * self.samples.len() as u64
    }

    fn work_bytes(&self) -> u64 {
        match &self.solver {
            Solver::Global(g) => g.work_bytes(),
            Solver::Local(_) => Local::work_bytes(self.neighbourhood.nmax),
        }
    }

    fn citations(&self) -> Vec<&'static str> {
        vec![
            "Cressie 1993, Statistics for Spatial Data, doi:10.1002/9781119115151",
            "Pebesma 2004, doi:10.1016/j.cageo.2004.03.012",
        ]
    }
}

/// A variance just below 0 is rounding; further below, the model is not valid for these samples.
fn settle(variance: f64, c0: f64) -> Result<f64> {
    if variance >= 0.0 {
        Ok(variance)
    } else if variance >= -1e-8 * c0 {
        Ok(0.0)
    } else {
        Err(Error::input(format!(
            "kriging variance {variance:e} is negative: the variogram model is not valid in the plane; choose another model"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::samples::{Duplicates, Point, Transform};

    pub(super) fn samples(list: &[(f64, f64, f64)]) -> Arc<Samples> {
        let points: Vec<_> = list.iter().map(|&(x, y, value)| Point { x, y, value, line: 0 }).collect();
        Arc::new(Samples::new(&points, Duplicates::Mean, Transform::None, 1e-3).unwrap())
    }

    fn at(k: &Kriging, x: f64, y: f64) -> Estimate {
        let mut out = [Estimate::NODATA];
        k.worker().predict(&[x], &[y], &mut out).unwrap();
        out[0]
    }

    fn kriging(list: &[(f64, f64, f64)], model: &str, nmax: Option<usize>) -> Kriging {
        let s = samples(list);
        let hood = Neighbourhood::resolve(s.len(), nmax, Some(1), None).unwrap();
        Kriging::new(s, &model.parse().unwrap(), hood).unwrap()
    }

    const FOUR: [(f64, f64, f64); 4] = [(0.0, 0.0, 1.0), (100.0, 0.0, 3.0), (0.0, 100.0, 5.0), (130.0, 90.0, 2.0)];

    #[test]
    fn midway_between_two_samples_is_their_mean() {
        // Two samples at distance 2h, target midway, pure spherical: weights 1/2, s² = 2γ(h) − γ(2h)/2.
        let k = kriging(&[(0.0, 0.0, 1.0), (100.0, 0.0, 3.0)], "sph(2,400)", None);
        let e = at(&k, 50.0, 0.0);
        let gamma = |h: f64| 2.0 * (1.5 * h / 400.0 - 0.5 * (h / 400.0).powi(3));
        assert!((e.value - 2.0).abs() < 1e-14);
        assert!((e.variance - (2.0 * gamma(50.0) - gamma(100.0) / 2.0)).abs() < 1e-14);
    }

    #[test]
    fn far_away_it_is_the_generalised_mean() {
        let k = kriging(&FOUR, "nug(2)", None);
        let e = at(&k, 5000.0, 5000.0);
        assert!((e.value - 2.75).abs() < 1e-14 && (e.variance - 2.0 * 1.25).abs() < 1e-14);
        assert!((e.multiplier + 0.5).abs() < 1e-14, "-c0/n");
    }

    #[test]
    fn all_neighbours_equal_the_global_system() {
        let global = kriging(&FOUR, "nug(0.1)+exp(1,80)", None);
        // One sample out of reach of every target makes the search local without changing what is found.
        let mut five = FOUR.to_vec();
        five.push((1e6, 1e6, 9.0));
        let local = kriging(&five, "nug(0.1)+exp(1,80)", Some(4));
        for (x, y) in [(10.0, 20.0), (11.0, 20.0), (70.0, 60.0), (0.0, 0.0), (-50.0, 200.0)] {
            let (a, b) = (at(&global, x, y), at(&local, x, y));
            assert!((a.value - b.value).abs() < 1e-12 && (a.variance - b.variance).abs() < 1e-12, "{a:?} {b:?}");
            assert!((a.multiplier - b.multiplier).abs() < 1e-12);
        }
    }

    #[test]
    fn leaving_one_out_equals_kriging_without_it() {
        let k = kriging(&FOUR, "nug(0.1)+sph(1,300)", None);
        for (i, e) in k.leave_one_out().unwrap().iter().enumerate() {
            let mut rest = FOUR.to_vec();
            let (x, y, _) = rest.remove(i);
            let want = at(&kriging(&rest, "nug(0.1)+sph(1,300)", None), x, y);
            assert!((e.value - want.value).abs() < 1e-12 && (e.variance - want.variance).abs() < 1e-12);
            assert!((e.multiplier - want.multiplier).abs() < 1e-12);
        }
    }

    #[test]
    fn unbounded_model_does_not_depend_on_the_stand_in_sill() {
        let linear = kriging(&FOUR, "lin(0.01,0)", None);
        // A linear model with a sill far beyond the samples is the same inside them.
        let bounded = kriging(&FOUR, "lin(100,10000)", None);
        let (a, b) = (at(&linear, 40.0, 30.0), at(&bounded, 40.0, 30.0));
        assert!((a.value - b.value).abs() < 1e-10 && (a.variance - b.variance).abs() < 1e-10, "{a:?} {b:?}");
    }

    #[test]
    fn equal_samples_have_no_variance() {
        let s = samples(&[(0.0, 0.0, 7.0), (9.0, 0.0, 7.0), (0.0, 9.0, 7.0)]);
        let hood = Neighbourhood::resolve(3, None, None, None).unwrap();
        let k = Kriging::new(s, &Model::default(), hood).unwrap();
        let e = at(&k, 3.0, 3.0);
        assert!((e.value - 7.0).abs() < 1e-14 && e.variance == 0.0);
    }

    #[test]
    fn measurement_error_is_filtered_and_gaussian_gets_a_nugget() {
        let k = kriging(&FOUR, "err(0.5)+sph(1,300)", None);
        let e = at(&k, 0.0, 0.0);
        assert!((e.value - 1.0).abs() > 0.05 && e.variance > 0.05);
        assert!(kriging(&FOUR, "gau(1,300)", None).notes()[0].contains("nugget raised"));
    }
}
