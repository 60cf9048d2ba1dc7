//! Automatic choice of a variogram model.

use std::sync::Arc;

use super::empirical::Empirical;
use super::fit::{self, Fit, Weights};
use super::kriging::Kriging;
use super::model::{Model, Shape};
use super::neighbours::Neighbourhood;
use super::samples::Samples;
use super::validation::{self, Statistics};
use crate::error::{Error, Result};

/// Fewest samples a variogram is fitted to.
pub const LEAST_SAMPLES: usize = 30;
/// Below this a variogram is uncertain (Webster & Oliver 1992).
const GOOD_SAMPLES: usize = 100;
/// Beyond this the candidates are not cross-validated.
const MOST_VALIDATED: usize = 50_000;

/// A model tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its fit.
    pub fit: Fit,
    /// `N ln(S/N) + 2 p` over N bins with p parameters.
    pub aic: f64,
    /// Leave-one-out statistics of the two best.
    pub loo: Option<Statistics>,
}

/// The model chosen and what it was chosen from.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The model; a pure nugget where no structure was found; sill 0 where all samples are equal.
    pub model: Model,
    /// Candidates by rising S, without those ruled out.
    pub candidates: Vec<Candidate>,
    /// False where the samples show no spatial structure.
    pub structured: bool,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Chooses among spherical, exponential, Gaussian (with a nugget of at least 0.1 % of the sill), Matérn 1.5 and Stein's
/// Matérn of free smoothness. The two with the smallest weighted sum of squares S are cross-validated; the smaller S wins
/// unless the other's leave-one-out RMSE is more than 1 % smaller, or within 1 % with |ln MSDR| smaller by more than 0.05.
/// Where the best S improves on a constant by less than 10 %, a pure nugget.
///
/// # Errors
/// Input error with fewer than 30 samples or fewer than three filled distance classes.
pub fn choose(samples: &Arc<Samples>, empirical: &Empirical, hood: Neighbourhood) -> Result<Choice> {
    let n = samples.len();
    if n < LEAST_SAMPLES {
        return Err(too_few(n));
    }
    let mut warnings = Vec::new();
    if n < GOOD_SAMPLES {
        warnings.push(format!("the variogram rests on {n} samples; below {GOOD_SAMPLES} it is uncertain"));
    }
    if let Some(z) = samples.constant() {
        warnings.push(format!("all {n} samples have the value {z}: the sill is 0 and every estimate equals it"));
        return Ok(Choice { model: Model::default(), candidates: Vec::new(), structured: false, warnings });
    }
    let weights = Weights::default();
    let tried =
        [(Shape::Sph, None), (Shape::Exp, None), (Shape::Gau, None), (Shape::Mat, Some(1.5)), (Shape::Ste, None)];
    let mut candidates = Vec::new();
    for (shape, kappa) in tried {
        let fit = fit::fit(empirical, shape, kappa, weights)?;
        // Without a nugget the Gaussian model makes maps that swing beyond the data.
        if shape == Shape::Gau && fit.model.nugget < 1e-3 * fit.model.sill() {
            continue;
        }
        let bins = empirical.bins.len() as f64;
        let aic = bins * (fit.sse / bins).ln() + 2.0 * fit.parameters as f64;
        candidates.push(Candidate { fit, aic, loo: None });
    }
    candidates.sort_by(|a, b| a.fit.sse.total_cmp(&b.fit.sse).then(a.aic.total_cmp(&b.aic)));
    let constant = fit::constant_sse(empirical, weights)?;
    if candidates[0].fit.sse > 0.9 * constant {
        let nugget = mean_gamma(empirical);
        warnings.push(format!(
            "no spatial structure: the best model ({}) explains {:.0} % of the variogram's variation, less than 10 %; the map is \
             the sample mean, better to report the (declustered) mean or use a trend",
            candidates[0].fit.model.structures[0].shape.name(),
            100.0 * (1.0 - candidates[0].fit.sse / constant)
        ));
        return Ok(Choice { model: Model { nugget, ..Model::default() }, candidates, structured: false, warnings });
    }
    let mut best = 0;
    if n <= MOST_VALIDATED {
        for c in candidates.iter_mut().take(2) {
            // A model the samples cannot be kriged with is out of the contest, not an error.
            c.loo = Kriging::new(Arc::clone(samples), &c.fit.model, hood)
                .and_then(|k| validation::leave_one_out(&k, &samples.z))
                .ok()
                .map(|r| Statistics::of(&r));
        }
        best = better(&candidates);
    }
    if candidates[best].fit.at_bound {
        warnings.push(
            "the range of the chosen variogram sits at the end of what was searched; the samples do not bound it"
                .into(),
        );
    }
    Ok(Choice { model: candidates[best].fit.model.clone(), candidates, structured: true, warnings })
}

/// The error of too few samples.
#[must_use]
pub fn too_few(n: usize) -> Error {
    Error::input(format!(
        "{n} samples are too few to fit a variogram: at least {LEAST_SAMPLES} are needed; give one by --variogram, or use \
         --method idw"
    ))
}

/// 1 where the second-ranked model should win by cross-validation, else 0. The smaller S stays unless the other is clearly
/// better: differences below these margins change with every sample added.
fn better(candidates: &[Candidate]) -> usize {
    let [Some(a), Some(b)] = [0, 1].map(|i| candidates.get(i).and_then(|c| c.loo)) else {
        return usize::from(candidates[0].loo.is_none() && candidates.get(1).is_some_and(|c| c.loo.is_some()));
    };
    let clearly_closer = b.rmse < 0.99 * a.rmse;
    let as_close = b.rmse <= 1.01 * a.rmse;
    let truer_variance = b.msdr.ln().abs() < a.msdr.ln().abs() - 0.05;
    usize::from(clearly_closer || (as_close && truer_variance))
}

/// Mean semivariance weighted by pairs: the sill of a pure nugget.
fn mean_gamma(e: &Empirical) -> f64 {
    let pairs: f64 = e.bins.iter().map(|b| b.pairs as f64).sum();
    e.bins.iter().map(|b| b.pairs as f64 * b.gamma).sum::<f64>() / pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::empirical::Lags;
    use crate::geostat::samples::{Duplicates, Point, Transform};

    fn choose_for(n: usize, value: impl Fn(usize, f64, f64) -> f64) -> Result<Choice> {
        let f = |i: usize, a: f64| ((i + 1) as f64 * a).fract();
        let point = |i: usize| {
            let (x, y) = (1000.0 * f(i, 0.754_877_666_246_692_7), 1000.0 * f(i, 0.569_840_290_998_053_3));
            Point { x, y, value: value(i, x, y), line: 0 }
        };
        let points: Vec<_> = (0..n).map(point).collect();
        let s = Arc::new(Samples::new(&points, Duplicates::Mean, Transform::None, 1e-3)?);
        let e = Empirical::matheron(&s, &Lags::default_for(&s)?)?;
        choose(&s, &e, Neighbourhood::resolve(n, None, None, None)?)
    }

    /// Values without any relation to their place.
    fn scrambled(i: usize) -> f64 {
        let mut z = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn smooth_field_has_structure_and_noise_has_none() {
        let smooth = choose_for(200, |_, x, y| (x / 150.0).sin() + (y / 200.0).cos()).unwrap();
        assert!(smooth.structured && smooth.model.longest_range() > 50.0);
        let noise = choose_for(200, |i, _, _| scrambled(i)).unwrap();
        assert!(!noise.structured && noise.model.structures.is_empty(), "{}", noise.model);
        assert!(noise.warnings[0].contains("no spatial structure"));
    }

    #[test]
    fn equal_values_and_few_samples_are_said() {
        let equal = choose_for(40, |_, _, _| 0.5).unwrap();
        assert!(equal.model.sill() == 0.0 && equal.warnings.iter().any(|w| w.contains("sill is 0")));
        assert!(choose_for(29, |_, x, _| x).unwrap_err().to_string().contains("29 samples are too few"));
    }
}
