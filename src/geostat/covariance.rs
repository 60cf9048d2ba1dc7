//! A variogram model prepared for kriging: covariances of many separations at once.

use super::model::{Model, Shape, Structure};
use crate::numeric::matern;

struct Term {
    structure: Structure,
    matrix: Option<[f64; 4]>,
    inverse_range: f64,
    /// Correlation of a Matérn shape without a closed form, and the factor its table takes `h/a` by.
    table: Option<(matern::Table, f64)>,
}

fn table(s: &Structure) -> Option<(matern::Table, f64)> {
    let (kappa, factor) = match s.shape {
        Shape::Mat => (s.kappa, 1.0),
        Shape::Ste => (s.kappa, 2.0 * s.kappa.sqrt()),
        Shape::Bes => (1.0, 1.0),
        _ => return None,
    };
    (![0.5, 1.5, 2.5].contains(&kappa)).then(|| (matern::Table::new(kappa), factor))
}

/// `C(h) = C(0) − γ(h)`. For models without a sill `C(0)` is a stand-in large enough for the samples' domain: ordinary
/// kriging does not depend on it because its weights sum to 1.
pub struct Covariance {
    terms: Vec<Term>,
    /// Covariance at zero separation, without measurement error.
    c0: f64,
    nugget: f64,
    tolerance2: f64,
}

impl Covariance {
    /// Prepares `model`; separations up to `tolerance` count as zero, and `diameter` is the extent of the domain that an
    /// unbounded model must cover.
    #[must_use]
    pub fn new(model: &Model, tolerance: f64, diameter: f64) -> Self {
        let terms = model.structures.iter().map(|&structure| Term {
            structure,
            matrix: structure.anisotropy.map(|a| a.matrix()),
            inverse_range: if structure.range > 0.0 { 1.0 / structure.range } else { 0.0 },
            table: table(&structure),
        });
        let terms: Vec<Term> = terms.collect();
        let c0 = if model.is_unbounded() {
            // Across the shorter range of an anisotropic structure distances count longer.
            let reach = |s: &Structure| diameter / s.anisotropy.map_or(1.0, |a| a.ratio);
            1.01 * (model.nugget + model.structures.iter().map(|s| s.gamma(reach(s))).sum::<f64>())
        } else {
            model.nugget + model.structures.iter().map(|s| s.psill).sum::<f64>()
        };
        Self { terms, c0, nugget: model.nugget, tolerance2: tolerance * tolerance }
    }

    /// Covariance at zero separation, without measurement error.
    #[must_use]
    pub fn at_zero(&self) -> f64 {
        self.c0
    }

    /// Raises the stand-in for a missing sill.
    pub fn double_stand_in(&mut self) {
        self.c0 *= 2.0;
    }

    /// Covariances of the separations (`dx[i]`, `dy[i]`) into `out`.
    pub fn fill(&self, dx: &[f64], dy: &[f64], out: &mut [f64]) {
        let n = out.len();
        let (dx, dy) = (&dx[..n], &dy[..n]);
        out.fill(self.c0 - self.nugget);
        for term in &self.terms {
            let (a, k, p) = (term.inverse_range, term.structure.kappa, term.structure.psill);
            match (term.structure.shape, term.matrix) {
                // The shapes most used get loops of their own that the compiler turns into vector instructions.
                (Shape::Sph, None) => {
                    let half = 0.5 * p;
                    for i in 0..n {
                        let t = ((dx[i] * dx[i] + dy[i] * dy[i]).sqrt() * a).min(1.0);
                        out[i] -= half * t * (3.0 - t * t);
                    }
                }
                (Shape::Sph, Some(m)) => {
                    let half = 0.5 * p;
                    for i in 0..n {
                        let (u, v) = (m[0] * dx[i] + m[1] * dy[i], m[2] * dx[i] + m[3] * dy[i]);
                        let t = ((u * u + v * v).sqrt() * a).min(1.0);
                        out[i] -= half * t * (3.0 - t * t);
                    }
                }
                (Shape::Exp, None) => {
                    for i in 0..n {
                        let t = (dx[i] * dx[i] + dy[i] * dy[i]).sqrt() * a;
                        out[i] += p * (-t).exp() - p;
                    }
                }
                (shape, matrix) => {
                    let unbounded = term.structure.is_unbounded();
                    for i in 0..n {
                        let (u, v) = match matrix {
                            Some(m) => (m[0] * dx[i] + m[1] * dy[i], m[2] * dx[i] + m[3] * dy[i]),
                            None => (dx[i], dy[i]),
                        };
                        let h = (u * u + v * v).sqrt();
                        let t = h * a;
                        out[i] -= match &term.table {
                            _ if unbounded => term.structure.gamma(h),
                            Some((table, factor)) if shape != Shape::Bes || t >= 1e-3 => {
                                p * (1.0 - table.at(t * factor))
                            }
                            _ => p * shape.unit(t, k),
                        };
                    }
                }
            }
        }
        for i in 0..n {
            if dx[i] * dx[i] + dy[i] * dy[i] <= self.tolerance2 {
                out[i] = self.c0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covariance_is_sill_minus_semivariance() {
        for text in [
            "nug(0.05)+sph(0.59,897)",
            "nug(0.1)+sph(0.6,1000,aniso=30:0.5)+exp(0.2,90)",
            "mat(0.6,200,0.8)",
            "ste(0.6,200,1.3)+bes(0.2,90)",
        ] {
            let model: Model = text.parse().unwrap();
            let c = Covariance::new(&model, 1e-3, 5000.0);
            let (dx, dy) = ([0.0, 3.0, -120.0, 800.0, 0.0, 4000.0], [0.0, 1.0, 40.0, -20.0, 900.0, 10.0]);
            let mut out = [0.0; 6];
            c.fill(&dx, &dy, &mut out);
            for i in 0..6 {
                let want = model.sill() - model.gamma(dx[i], dy[i]);
                assert!((out[i] - want).abs() < 3e-14, "{text} {i}: {} {want}", out[i]);
            }
        }
    }

    #[test]
    fn measurement_error_is_left_out() {
        let c = Covariance::new(&"err(0.2)+sph(0.6,100)".parse().unwrap(), 1e-3, 1000.0);
        let mut out = [0.0; 2];
        c.fill(&[0.0, 50.0], &[0.0, 0.0], &mut out);
        assert_eq!(out[0], 0.6);
        assert!((out[1] - 0.6 * (1.0 - 0.6875)).abs() < 1e-15);
    }
}
