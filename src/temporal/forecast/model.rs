//! The curves: values, derivatives with respect to the parameters, and the year a level is reached.

/// Parameters of the largest model.
pub(super) const MOST: usize = 3;

/// A model of yearly values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Model {
    /// y = a + b t.
    Linear = 1,
    /// y = K / (1 + exp(−r (t − t₀))) with K given.
    LogisticFixed = 2,
    /// y = K / (1 + exp(−r (t − t₀))) with K fitted.
    Logistic = 3,
    /// y = a − b exp(−k t).
    Approach = 4,
}

impl Model {
    /// All models, in the order in which equally good ones are preferred.
    pub const ALL: [Self; 4] = [Self::Linear, Self::LogisticFixed, Self::Logistic, Self::Approach];

    /// Fitted parameters of the curve.
    #[must_use]
    pub fn parameters(self) -> usize {
        match self {
            Self::Linear | Self::LogisticFixed => 2,
            Self::Logistic | Self::Approach => 3,
        }
    }
}

/// A curve in the units of the series: years t, values y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// y = level + slope (t − origin).
    Linear {
        /// Year the level stands at.
        origin: f64,
        /// Value in that year.
        level: f64,
        /// Change a year.
        slope: f64,
    },
    /// y = plateau / (1 + exp(−rate (t − midpoint))).
    Logistic {
        /// Value the curve rises to.
        plateau: f64,
        /// Rate a year.
        rate: f64,
        /// Year in which half of the plateau is reached.
        midpoint: f64,
    },
    /// y = plateau − distance exp(−rate (t − origin)).
    Approach {
        /// Year the distance stands at.
        origin: f64,
        /// Value the curve tends to.
        plateau: f64,
        /// Distance to it in the year of origin; negative where the curve falls.
        distance: f64,
        /// Rate a year.
        rate: f64,
    },
}

/// A curve over scaled time u = (t − origin) / span, so that its parameters are of order one.
///
/// | model | value | p |
/// |---|---|---|
/// | linear | p₀ + p₁ u | level, rise |
/// | logistic | K / (1 + exp(p₁ (p₀ − u))), K = p₂ or given | midpoint, rate, plateau |
/// | approach | p₁ + p₂ (1 − exp(−p₀ u)) | rate, level at u = 0, rise in all |
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) model: Model,
    pub(super) p: [f64; MOST],
}

impl Scaled {
    /// Value at u and the derivatives with respect to the fitted parameters.
    pub(super) fn at(&self, u: f64) -> (f64, [f64; MOST]) {
        let p = &self.p;
        match self.model {
            Model::Linear => (p[0] + p[1] * u, [1.0, u, 0.0]),
            Model::Logistic | Model::LogisticFixed => {
                let share = 1.0 / (1.0 + libm::exp(p[1] * (p[0] - u)));
                // The derivative of the share with respect to the exponent.
                let slope = share * (1.0 - share);
                let by_plateau = if self.model == Model::Logistic { share } else { 0.0 };
                (p[2] * share, [-p[2] * slope * p[1], -p[2] * slope * (p[0] - u), by_plateau])
            }
            Model::Approach => {
                let gone = -libm::expm1(-p[0] * u);
                (p[1] + p[2] * gone, [p[2] * u * (1.0 - gone), 1.0, gone])
            }
        }
    }

    /// Whether the curve rises.
    pub(super) fn rises(&self) -> bool {
        match self.model {
            Model::Linear => self.p[1] > 0.0,
            Model::Logistic | Model::LogisticFixed => self.p[1] > 0.0 && self.p[2] > 0.0,
            Model::Approach => self.p[0] > 0.0 && self.p[2] > 0.0,
        }
    }

    /// Value a rising curve tends to.
    pub(super) fn plateau(&self) -> f64 {
        match self.model {
            Model::Linear => f64::INFINITY,
            Model::Logistic | Model::LogisticFixed => self.p[2],
            Model::Approach => self.p[1] + self.p[2],
        }
    }

    /// Scaled time at which a rising curve has the value `target`.
    pub(super) fn crossing(&self, target: f64) -> Option<f64> {
        if !self.rises() || self.plateau() <= target {
            return None;
        }
        let p = &self.p;
        let u = match self.model {
            Model::Linear => (target - p[0]) / p[1],
            Model::Logistic | Model::LogisticFixed => p[0] - libm::log(p[2] / target - 1.0) / p[1],
            Model::Approach => -libm::log1p(-(target - p[1]) / p[2]) / p[0],
        };
        u.is_finite().then_some(u)
    }

    /// The same curve over years.
    pub(super) fn curve(&self, origin: f64, span: f64) -> Curve {
        let p = &self.p;
        match self.model {
            Model::Linear => Curve::Linear { origin, level: p[0], slope: p[1] / span },
            Model::Logistic | Model::LogisticFixed => {
                Curve::Logistic { plateau: p[2], rate: p[1] / span, midpoint: origin + span * p[0] }
            }
            Model::Approach => Curve::Approach { origin, plateau: p[1] + p[2], distance: p[2], rate: p[0] / span },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [Scaled; 4] = [
        Scaled { model: Model::Linear, p: [0.2, 0.5, 0.0] },
        Scaled { model: Model::LogisticFixed, p: [0.4, 5.0, 0.9] },
        Scaled { model: Model::Logistic, p: [0.7, 3.0, 0.8] },
        Scaled { model: Model::Approach, p: [2.0, 0.1, 0.7] },
    ];

    #[test]
    fn derivatives_equal_differences() {
        for c in CURVES {
            for u in [0.0, 0.3, 1.0, 2.5] {
                let (_, gradient) = c.at(u);
                for (j, derivative) in gradient.iter().enumerate().take(c.model.parameters()) {
                    let (mut low, mut high) = (c, c);
                    low.p[j] -= 1e-6;
                    high.p[j] += 1e-6;
                    let difference = (high.at(u).0 - low.at(u).0) / 2e-6;
                    assert!((difference - derivative).abs() < 1e-9, "{c:?} {u} {j}");
                }
            }
        }
    }

    #[test]
    fn a_curve_has_the_target_where_it_crosses_it() {
        for c in CURVES {
            let u = c.crossing(0.6).unwrap();
            assert!((c.at(u).0 - 0.6).abs() < 1e-14, "{c:?}");
            // The same in years.
            let t = 2000.0 + 20.0 * u;
            let y = match c.curve(2000.0, 20.0) {
                Curve::Linear { origin, level, slope } => level + slope * (t - origin),
                Curve::Logistic { plateau, rate, midpoint } => plateau / (1.0 + (-rate * (t - midpoint)).exp()),
                Curve::Approach { origin, plateau, distance, rate } => {
                    plateau - distance * (-rate * (t - origin)).exp()
                }
            };
            assert!((y - 0.6).abs() < 1e-12, "{c:?}");
            assert_eq!(c.crossing(1.0).is_some(), c.model == Model::Linear);
        }
        assert_eq!(Scaled { model: Model::Linear, p: [0.2, -0.5, 0.0] }.crossing(0.1), None);
        assert_eq!(Scaled { model: Model::Linear, p: [0.2, 0.0, 0.0] }.crossing(0.1), None);
    }
}
