//! Weighted least-squares fit of a variogram model to an empirical variogram.

use super::empirical::{Bin, Empirical};
use super::model::{Model, Shape, Structure};
use crate::error::{Error, Result};

/// Weights of the bins in the fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Weights {
    /// Pairs over squared distance (gstat's method 7).
    #[default]
    PairsOverDistance,
    /// Pairs (method 1).
    Pairs,
    /// All bins alike (method 6).
    Equal,
}

impl Weights {
    fn of(self, b: &Bin) -> f64 {
        match self {
            Self::PairsOverDistance => b.pairs as f64 / (b.distance * b.distance),
            Self::Pairs => b.pairs as f64,
            Self::Equal => 1.0,
        }
    }
}

/// A fitted model and how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Nugget plus one structure.
    pub model: Model,
    /// Weighted sum of squared differences.
    pub sse: f64,
    /// Share of the weighted variation of gamma around its mean that the model explains.
    pub r2: f64,
    /// True where the range sits at the end of what was searched: the data do not bound it.
    pub at_bound: bool,
    /// Fitted parameters.
    pub parameters: usize,
}

/// Number of ranges tried before refining.
const GRID: usize = 40;

/// Fits nugget + one structure of `shape` by minimising `S = Σ w (γ − model(h))²` to its global minimum.
///
/// For a fixed range (and smoothness) the two sills are a non-negative least-squares problem with a closed solution, so only
/// the range is searched: 40 logarithmic steps over half the first bin ... 3 × cutoff, then golden section in every dip.
/// `kappa` fixes the smoothness of Matérn shapes; without it Stein's shape also searches 0.3..5 in steps of 0.1.
///
/// # Errors
/// Input error with fewer than three bins.
pub fn fit(empirical: &Empirical, shape: Shape, kappa: Option<f64>, weights: Weights) -> Result<Fit> {
    let problem = Problem::new(empirical, weights)?;
    let kappas: Vec<f64> = match kappa {
        Some(k) => vec![k],
        None if shape.has_kappa() => (3..=50).map(|k| f64::from(k) / 10.0).collect(),
        None => vec![0.5],
    };
    let free_kappa = kappas.len() > 1;
    let mut best: Option<(f64, f64, f64)> = None;
    for &k in &kappas {
        // Roughly for many smoothnesses, exactly for the best: the remainder is flat at its bottom.
        let (range, sse) = problem.search(shape, k, if free_kappa { 1e-4 } else { 1e-10 });
        if best.is_none_or(|b| sse < b.2) {
            best = Some((range, k, sse));
        }
    }
    let (mut range, kappa, _) = best.ok_or_else(|| Error::bug("no range was tried"))?;
    if free_kappa {
        range = problem.search(shape, kappa, 1e-10).0;
    }
    let (nugget, psill, sse) = problem.sills(shape, kappa, range);
    let (low, high) = problem.bounds;
    let structure = Structure { shape, psill, range, kappa, anisotropy: None };
    Ok(Fit {
        model: Model { nugget, error: 0.0, structures: vec![structure] },
        sse,
        r2: if problem.constant_sse > 0.0 { 1.0 - sse / problem.constant_sse } else { 0.0 },
        at_bound: range <= low * 1.0001 || range >= high / 1.0001,
        parameters: 3 + usize::from(free_kappa),
    })
}

/// Weighted sum of squared differences of the best constant: what a pure nugget leaves.
///
/// # Errors
/// As [`fit`].
pub fn constant_sse(empirical: &Empirical, weights: Weights) -> Result<f64> {
    Ok(Problem::new(empirical, weights)?.constant_sse)
}

struct Problem {
    h: Vec<f64>,
    gamma: Vec<f64>,
    w: Vec<f64>,
    bounds: (f64, f64),
    constant_sse: f64,
}

impl Problem {
    fn new(empirical: &Empirical, weights: Weights) -> Result<Self> {
        // A bin of coincident pairs only has no place on the distance axis.
        let bins: Vec<&Bin> = empirical.bins.iter().filter(|b| b.distance > 0.0).collect();
        if bins.len() < 3 {
            return Err(Error::input(format!(
                "no variogram can be fitted: {} distance classes hold pairs, at least 3 are needed; give the variogram by \
                 --variogram",
                bins.len()
            )));
        }
        let w: Vec<f64> = bins.iter().map(|b| weights.of(b)).collect();
        let gamma: Vec<f64> = bins.iter().map(|b| b.gamma).collect();
        let total: f64 = w.iter().sum();
        let mean = w.iter().zip(&gamma).map(|(w, g)| w * g).sum::<f64>() / total;
        let constant_sse = w.iter().zip(&gamma).map(|(w, g)| w * (g - mean).powi(2)).sum();
        let bounds = (bins[0].distance / 2.0, 3.0 * empirical.cutoff);
        Ok(Self { h: bins.iter().map(|b| b.distance).collect(), gamma, w, bounds, constant_sse })
    }

    /// Best (nugget, partial sill) ≥ 0 for a range, and what remains.
    fn sills(&self, shape: Shape, kappa: f64, range: f64) -> (f64, f64, f64) {
        let unit: Vec<f64> = self.h.iter().map(|h| shape.unit(h / range, kappa)).collect();
        let (mut a11, mut a12, mut a22, mut b1, mut b2) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((&u, &g), &w) in unit.iter().zip(&self.gamma).zip(&self.w) {
            a11 += w;
            a12 += w * u;
            a22 += w * u * u;
            b1 += w * g;
            b2 += w * u * g;
        }
        let sse = |c0: f64, c1: f64| {
            let terms = unit.iter().zip(&self.gamma).zip(&self.w);
            terms.map(|((u, g), w)| w * (g - c0 - c1 * u).powi(2)).sum::<f64>()
        };
        // The four faces of the non-negative quadrant; the smallest remainder of the feasible ones is the solution.
        let det = a11 * a22 - a12 * a12;
        let mut best = (b1 / a11, 0.0, sse(b1 / a11, 0.0));
        if a22 > 0.0 {
            let c1 = (b2 / a22).max(0.0);
            let s = sse(0.0, c1);
            if s < best.2 {
                best = (0.0, c1, s);
            }
        }
        if det > 1e-14 * a11 * a22 {
            let (c0, c1) = ((b1 * a22 - b2 * a12) / det, (a11 * b2 - a12 * b1) / det);
            if c0 >= 0.0 && c1 >= 0.0 {
                let s = sse(c0, c1);
                if s < best.2 {
                    best = (c0, c1, s);
                }
            }
        }
        best
    }

    /// Range with the smallest remainder, its logarithm to `tolerance`, and the remainder.
    fn search(&self, shape: Shape, kappa: f64, tolerance: f64) -> (f64, f64) {
        let (low, high) = (self.bounds.0.ln(), self.bounds.1.ln());
        let at = |ln_range: f64| self.sills(shape, kappa, ln_range.exp()).2;
        let step = (high - low) / (GRID - 1) as f64;
        let nodes: Vec<(f64, f64)> = (0..GRID)
            .map(|k| {
                let p = low + step * k as f64;
                (p, at(p))
            })
            .collect();
        let mut best = nodes[0];
        for (k, &node) in nodes.iter().enumerate() {
            if node.1 < best.1 {
                best = node;
            }
            let left = if k == 0 { f64::INFINITY } else { nodes[k - 1].1 };
            let right = nodes.get(k + 1).map_or(f64::INFINITY, |n| n.1);
            if node.1 <= left && node.1 <= right {
                let found = golden(&at, (node.0 - step).max(low), (node.0 + step).min(high), tolerance);
                if found.1 < best.1 {
                    best = found;
                }
            }
        }
        (best.0.exp(), best.1)
    }
}

/// Golden-section search for a minimum in `[a, b]`, to `tolerance` of the argument.
fn golden(f: &dyn Fn(f64) -> f64, mut a: f64, mut b: f64, tolerance: f64) -> (f64, f64) {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut c, mut d) = (b - ratio * (b - a), a + ratio * (b - a));
    let (mut fc, mut fd) = (f(c), f(d));
    while b - a > tolerance {
        if fc <= fd {
            (b, d, fd) = (d, c, fc);
            c = b - ratio * (b - a);
            fc = f(c);
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + ratio * (b - a);
            fd = f(d);
        }
    }
    if fc <= fd { (c, fc) } else { (d, fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_model(model: &Model) -> Empirical {
        let bin =
            |k: i32| Bin { pairs: 100, distance: f64::from(k) * 60.0, gamma: model.gamma(f64::from(k) * 60.0, 0.0) };
        Empirical { bins: (1..=15).map(bin).collect(), cutoff: 900.0, samples: 50 }
    }

    #[test]
    fn exact_data_give_their_model_back() {
        let truth: Model = "nug(0.1)+sph(0.9,500)".parse().unwrap();
        let got = fit(&from_model(&truth), Shape::Sph, None, Weights::default()).unwrap();
        assert!((got.model.nugget - 0.1).abs() < 1e-7 && (got.model.structures[0].range - 500.0).abs() < 1e-3);
        assert!(got.sse < 1e-12 && got.r2 > 1.0 - 1e-9 && !got.at_bound);
    }

    #[test]
    fn falling_gamma_is_a_pure_nugget_not_a_negative_sill() {
        let bin = |k: i32| Bin { pairs: 10, distance: f64::from(k), gamma: 2.0 - 0.1 * f64::from(k) };
        let e = Empirical { bins: (1..=8).map(bin).collect(), cutoff: 8.0, samples: 9 };
        let got = fit(&e, Shape::Exp, None, Weights::Equal).unwrap();
        assert!(got.model.nugget > 0.0 && got.model.structures[0].psill < 1e-9, "{}", got.model);
    }

    #[test]
    fn stein_smoothness_is_found() {
        let truth: Model = "nug(0.05)+ste(0.6,400,1.3)".parse().unwrap();
        let got = fit(&from_model(&truth), Shape::Ste, None, Weights::default()).unwrap();
        assert!((got.model.structures[0].kappa - 1.3).abs() < 1e-12, "{}", got.model);
    }
}
