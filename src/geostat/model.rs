//! Variogram models: shapes, nested structures, geometric anisotropy, semivariance.
//!
//! Ranges are parameters of the formulas (what gstat calls range), not distances at which 95 % of the sill is reached.

use crate::error::{Error, Result};
use crate::numeric::matern;

/// Shape of a structure; unit function `g(t)`, `t = h/a`, 0 at `h = 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Spherical: `1.5 t − 0.5 t³`, 1 from `t = 1`.
    Sph,
    /// Exponential: `1 − exp(−t)`.
    Exp,
    /// Gaussian: `1 − exp(−t²)`.
    Gau,
    /// Stable (exponential class): `1 − exp(−t^k)`, `0 < k ≤ 2`.
    Exc,
    /// Matérn with smoothness k.
    Mat,
    /// Matérn in Stein's parametrisation: range `a` stands for `a / (2 √k)`.
    Ste,
    /// Circular.
    Cir,
    /// Pentaspherical.
    Pen,
    /// Linear up to the range; with range 0 the partial sill is an unbounded slope per unit of distance.
    Lin,
    /// Power: `psill · h^a`, `0 < a < 2`; unbounded.
    Pow,
    /// Bessel: `1 − t K₁(t)`; 0 below `t = 10⁻³`.
    Bes,
    /// Hole effect: `1 − sin(t)/t`.
    Hol,
    /// Wave: `1 − sin(π t)/(π t)`.
    Wav,
}

impl Shape {
    /// Every shape with its name in expressions and files.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Sph, "sph"),
        (Self::Exp, "exp"),
        (Self::Gau, "gau"),
        (Self::Exc, "exc"),
        (Self::Mat, "mat"),
        (Self::Ste, "ste"),
        (Self::Cir, "cir"),
        (Self::Pen, "pen"),
        (Self::Lin, "lin"),
        (Self::Pow, "pow"),
        (Self::Bes, "bes"),
        (Self::Hol, "hol"),
        (Self::Wav, "wav"),
    ];

    /// Name in expressions and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }

    /// The shape with a name, upper or lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(s, _)| *s)
    }

    /// True for shapes with a smoothness or exponent k.
    #[must_use]
    pub fn has_kappa(self) -> bool {
        matches!(self, Self::Exc | Self::Mat | Self::Ste)
    }

    /// `g(t)` of a bounded shape with smoothness `k`, `t = h/a`.
    #[inline]
    #[must_use]
    pub fn unit(self, t: f64, k: f64) -> f64 {
        match self {
            Self::Sph => sph(t),
            Self::Exp => 1.0 - (-t).exp(),
            Self::Gau => 1.0 - (-t * t).exp(),
            Self::Exc => 1.0 - (-t.powf(k)).exp(),
            Self::Mat => 1.0 - matern::correlation(k, t),
            Self::Ste => 1.0 - matern::correlation(k, 2.0 * k.sqrt() * t),
            Self::Cir if t < 1.0 => std::f64::consts::FRAC_2_PI * (t * (1.0 - t * t).sqrt() + t.asin()),
            Self::Pen if t < 1.0 => t * (1.875 + t * t * (-1.25 + 0.375 * t * t)),
            Self::Cir | Self::Pen => 1.0,
            Self::Lin | Self::Pow => t.min(1.0),
            Self::Bes if t < 1e-3 => 0.0,
            Self::Bes => 1.0 - matern::correlation(1.0, t),
            Self::Hol if t == 0.0 => 0.0,
            Self::Hol => 1.0 - t.sin() / t,
            Self::Wav if t == 0.0 => 0.0,
            Self::Wav => 1.0 - (std::f64::consts::PI * t).sin() / (std::f64::consts::PI * t),
        }
    }
}

#[inline]
fn sph(t: f64) -> f64 {
    let t = t.min(1.0);
    t * (1.5 - 0.5 * t * t)
}

/// Geometric anisotropy of a structure: its range is that along the major axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anisotropy {
    /// Azimuth of the longest range in degrees, clockwise from north.
    pub azimuth: f64,
    /// Range across divided by range along, in (0, 1].
    pub ratio: f64,
}

impl Anisotropy {
    /// Rows `u`, `v/ratio` of the map from (dx, dy) to isotropic distances.
    #[must_use]
    pub fn matrix(&self) -> [f64; 4] {
        let (s, c) = self.azimuth.to_radians().sin_cos();
        [s, c, c / self.ratio, -s / self.ratio]
    }
}

/// One structure of a nested model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Structure {
    /// Shape.
    pub shape: Shape,
    /// Partial sill in squared units of the variable; slope or factor for unbounded shapes.
    pub psill: f64,
    /// Range in units of the coordinates; the exponent for [`Shape::Pow`]; 0 for an unbounded [`Shape::Lin`].
    pub range: f64,
    /// Smoothness or exponent of [`Shape::Exc`], [`Shape::Mat`], [`Shape::Ste`]; unused otherwise.
    pub kappa: f64,
    /// Anisotropy, if any.
    pub anisotropy: Option<Anisotropy>,
}

impl Structure {
    /// An isotropic structure.
    #[must_use]
    pub fn new(shape: Shape, psill: f64, range: f64) -> Self {
        Self { shape, psill, range, kappa: 0.5, anisotropy: None }
    }

    /// True where the semivariance grows without a sill.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        self.shape == Shape::Pow || (self.shape == Shape::Lin && self.range == 0.0)
    }

    /// Semivariance at an isotropic distance `h > 0`.
    #[inline]
    #[must_use]
    pub fn gamma(&self, h: f64) -> f64 {
        match self.shape {
            Shape::Pow => self.psill * h.powf(self.range),
            Shape::Lin if self.range == 0.0 => self.psill * h,
            shape => self.psill * shape.unit(h / self.range, self.kappa),
        }
    }

    fn distance(&self, dx: f64, dy: f64) -> f64 {
        match self.anisotropy {
            None => dx.hypot(dy),
            Some(a) => {
                let m = a.matrix();
                (m[0] * dx + m[1] * dy).hypot(m[2] * dx + m[3] * dy)
            }
        }
    }
}

/// A variogram model: nugget plus nested structures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Nugget taken as variation below the sampling distance: kriging stays exact at samples.
    pub nugget: f64,
    /// Nugget taken as measurement error: kriging filters it.
    pub error: f64,
    /// Structures; their semivariances add.
    pub structures: Vec<Structure>,
}

impl Model {
    /// Semivariance at the separation (`dx`, `dy`); 0 at zero separation.
    #[must_use]
    pub fn gamma(&self, dx: f64, dy: f64) -> f64 {
        if dx == 0.0 && dy == 0.0 {
            return 0.0;
        }
        self.nugget + self.error + self.structures.iter().map(|s| s.gamma(s.distance(dx, dy))).sum::<f64>()
    }

    /// Nugget and partial sills together; without meaning where [`Model::is_unbounded`].
    #[must_use]
    pub fn sill(&self) -> f64 {
        self.nugget + self.error + self.structures.iter().map(|s| s.psill).sum::<f64>()
    }

    /// True where a structure has no sill.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        self.structures.iter().any(Structure::is_unbounded)
    }

    /// The longest range of the bounded structures; 0 for a pure nugget.
    #[must_use]
    pub fn longest_range(&self) -> f64 {
        self.structures.iter().filter(|s| !s.is_unbounded()).map(|s| s.range).fold(0.0, f64::max)
    }

    /// Semivariance at 101 distances up to `longest`, due north for anisotropic models; for plots. The first point is just
    /// above distance 0, so that a nugget shows.
    #[must_use]
    pub fn curve(&self, longest: f64) -> Vec<(f64, f64)> {
        let at = |k: i32| longest * if k == 0 { 1e-6 } else { f64::from(k) / 100.0 };
        (0..=100).map(|k| (at(k), self.gamma(0.0, at(k)))).collect()
    }

    /// Checks parameters against the domain of their formulas.
    ///
    /// # Errors
    /// Usage error that names the structure, the value and what is allowed.
    pub fn check(&self) -> Result<()> {
        let fail = |what: &str, v: f64, rule: &str| Err(Error::usage(format!("variogram: {what} is {v}; {rule}")));
        for (what, v) in [("nugget", self.nugget), ("measurement error", self.error)] {
            if !v.is_finite() || v < 0.0 {
                return fail(what, v, "it must be 0 or more");
            }
        }
        for s in &self.structures {
            let n = s.shape.name();
            if !s.psill.is_finite() || s.psill < 0.0 {
                return fail(&format!("partial sill of {n}"), s.psill, "it must be 0 or more");
            }
            let zero_allowed = s.shape == Shape::Lin;
            if !s.range.is_finite() || s.range < 0.0 || (s.range == 0.0 && !zero_allowed) {
                return fail(&format!("range of {n}"), s.range, "it must be more than 0");
            }
            if s.shape == Shape::Pow && s.range >= 2.0 {
                return fail("exponent of pow", s.range, "it must lie between 0 and 2");
            }
            let kappas = if s.shape == Shape::Exc { 0.0..=2.0 } else { 0.05..=50.0 };
            if s.shape.has_kappa() && (!kappas.contains(&s.kappa) || s.kappa == 0.0) {
                let (low, high) = kappas.into_inner();
                return fail(&format!("kappa of {n}"), s.kappa, &format!("it must lie in {low}..{high}"));
            }
            if let Some(a) = s.anisotropy {
                if !a.azimuth.is_finite() {
                    return fail(&format!("azimuth of {n}"), a.azimuth, "it must be an angle in degrees");
                }
                if !(a.ratio > 0.0 && a.ratio <= 1.0) {
                    return fail(
                        &format!("anisotropy ratio of {n}"),
                        a.ratio,
                        "it must lie in (0, 1]: short over long",
                    );
                }
            }
        }
        if self.sill() == 0.0 {
            return Err(Error::usage("variogram: the sill is 0; give a nugget or a structure with a partial sill"));
        }
        Ok(())
    }

    /// What the user should know about the model's validity in the plane.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.structures.iter().any(|s| s.shape == Shape::Lin && s.range > 0.0) {
            out.push("a linear model with a sill is valid on a line only; kriging in the plane may fail".to_owned());
        }
        if self.structures.iter().any(|s| matches!(s.shape, Shape::Hol | Shape::Wav)) {
            out.push("hole-effect and wave models oscillate; check the fit against the empirical variogram".to_owned());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn practical_ranges_reach_95_percent() {
        assert!((Shape::Exp.unit(3.0, 0.0) - 0.95).abs() < 5e-4);
        assert!((Shape::Gau.unit(1.7308, 0.0) - 0.95).abs() < 5e-5);
        assert_eq!(Shape::Sph.unit(1.0, 0.0), 1.0);
        assert_eq!(Shape::Pen.unit(0.5, 0.0), 0.9375 - 0.15625 + 0.01171875);
    }

    #[test]
    fn anisotropy_stretches_across_the_azimuth() {
        let mut s = Structure::new(Shape::Sph, 1.0, 100.0);
        s.anisotropy = Some(Anisotropy { azimuth: 90.0, ratio: 0.5 });
        let m = Model { nugget: 0.0, error: 0.0, structures: vec![s] };
        assert!((m.gamma(50.0, 0.0) - 0.6875).abs() < 1e-12, "east is the long axis");
        assert!((m.gamma(0.0, 25.0) - 0.6875).abs() < 1e-12, "north is half as long");
    }

    #[test]
    fn parameters_outside_their_domain_are_named() {
        let bad = |s: Structure| Model { structures: vec![s], ..Model::default() }.check().unwrap_err().to_string();
        assert!(bad(Structure::new(Shape::Sph, 1.0, 0.0)).contains("range of sph is 0"));
        assert!(bad(Structure::new(Shape::Pow, 1.0, 2.0)).contains("exponent of pow"));
        assert!(bad(Structure::new(Shape::Exp, -1.0, 2.0)).contains("partial sill"));
        assert!(Model::default().check().unwrap_err().to_string().contains("sill is 0"));
    }
}
