//! Inverse distance weighting (Shepard 1968), and nearest sample as its simplest case.

use std::sync::Arc;

use super::kriging::Estimate;
use super::neighbours::{Buckets, Neighbourhood};
use super::predictor::{Predictor, Worker};
use super::samples::Samples;
use crate::error::{Error, Result};

/// `ẑ = Σ wᵢ zᵢ / Σ wᵢ`, `w = d^−p`, over the samples of a neighbourhood; at a sample its value.
pub struct Idw {
    samples: Arc<Samples>,
    neighbourhood: Neighbourhood,
    power: f64,
    buckets: Option<Buckets>,
}

impl Idw {
    /// Prepares inverse distance weighting with `power` > 0.
    ///
    /// # Errors
    /// Usage error for another power.
    pub fn new(samples: Arc<Samples>, power: f64, neighbourhood: Neighbourhood) -> Result<Self> {
        if !(power > 0.0 && power <= 100.0) {
            return Err(Error::usage(format!("--power {power}: it must be more than 0 and at most 100")));
        }
        let buckets = (!neighbourhood.is_global(samples.len())).then(|| Buckets::new(&samples));
        Ok(Self { samples, neighbourhood, power, buckets })
    }

    /// Weight of squared distance `d2` relative to the nearest, which gets 1: no power overflows.
    #[inline]
    fn weight(&self, nearest2: f64, d2: f64) -> f64 {
        let q = nearest2 / d2;
        if self.power == 2.0 { q } else { q.powf(0.5 * self.power) }
    }

    fn at(&self, x: f64, y: f64, except: Option<u32>, found: &mut Vec<(f64, u32)>) -> f64 {
        let s = &*self.samples;
        match &self.buckets {
            Some(buckets) => buckets.nearest(x, y, &self.neighbourhood, except, found),
            None => {
                found.clear();
                let all = s.x.iter().zip(&s.y).enumerate();
                found.extend(all.map(|(i, (sx, sy))| ((sx - x).powi(2) + (sy - y).powi(2), i as u32)));
                if let Some(i) = except {
                    found.remove(i as usize);
                }
            }
        }
        if found.len() < self.neighbourhood.nmin.max(1) {
            return f64::NAN;
        }
        let nearest = found.iter().copied().fold((f64::INFINITY, 0), |a, b| if b.0 < a.0 { b } else { a });
        if found.len() == 1 || nearest.0 <= s.tolerance * s.tolerance {
            return s.z[nearest.1 as usize];
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for &(d2, i) in found.iter() {
            let w = self.weight(nearest.0, d2);
            sum += w * s.z[i as usize];
            total += w;
        }
        sum / total
    }
}

struct IdwWorker<'a> {
    idw: &'a Idw,
    found: Vec<(f64, u32)>,
}

impl Worker for IdwWorker<'_> {
    fn predict(&mut self, x: &[f64], y: &[f64], out: &mut [Estimate]) -> Result<()> {
        let (ox, oy) = self.idw.samples.origin;
        for ((x, y), e) in x.iter().zip(y).zip(out) {
            *e = Estimate { value: self.idw.at(x - ox, y - oy, None, &mut self.found), ..Estimate::NODATA };
        }
        Ok(())
    }
}

impl Predictor for Idw {
    fn worker(&self) -> Box<dyn Worker + '_> {
        let room = if self.buckets.is_some() { self.neighbourhood.nmax } else { self.samples.len() };
        Box::new(IdwWorker { idw: self, found: Vec::with_capacity(room + 1) })
    }
    fn leave_one_out(&self) -> Result<Vec<Estimate>> {
        let (s, mut found) = (&self.samples, Vec::new());
        let at = |i: usize| Estimate { value: self.at(s.x[i], s.y[i], Some(i as u32), &mut found), ..Estimate::NODATA };
        Ok((0..s.len()).map(at).collect())
    }
    fn has_variance(&self) -> bool {
        false
    }
    fn bytes(&self) -> u64 {
        self.buckets.as_ref().map_or(0, Buckets::bytes) + 48 * self.samples.len() as u64
    }
    fn work_bytes(&self) -> u64 {
        16 * self.neighbourhood.nmax.max(1) as u64 + 64
    }
    fn citations(&self) -> Vec<&'static str> {
        if self.neighbourhood.nmax == 1 {
            Vec::new()
        } else {
            vec![
                "Shepard 1968, A two-dimensional interpolation function for irregularly-spaced data, doi:10.1145/800186.810616",
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::samples::{Duplicates, Point, Transform};

    fn idw(power: f64, nmax: Option<usize>, radius: Option<f64>) -> Idw {
        let list = [(0.0, 0.0, 1.0), (3.0, 0.0, 5.0), (0.0, 4.0, 9.0)];
        let points: Vec<_> = list.iter().map(|&(x, y, value)| Point { x, y, value, line: 0 }).collect();
        let samples = Arc::new(Samples::new(&points, Duplicates::Mean, Transform::None, 1e-3).unwrap());
        let hood = Neighbourhood::resolve(3, nmax, None, radius).unwrap();
        Idw::new(samples, power, hood).unwrap()
    }

    fn at(idw: &Idw, x: f64, y: f64) -> f64 {
        let mut out = [Estimate::NODATA];
        idw.worker().predict(&[x], &[y], &mut out).unwrap();
        out[0].value
    }

    #[test]
    fn weights_by_hand() {
        // From (3, 4): squared distances 25, 16, 9.
        let want = (1.0 / 25.0 + 5.0 / 16.0 + 9.0 / 9.0) / (1.0 / 25.0 + 1.0 / 16.0 + 1.0 / 9.0);
        assert!((at(&idw(2.0, None, None), 3.0, 4.0) - want).abs() < 1e-12);
        let want = (1.0 / 5.0 + 5.0 / 4.0 + 9.0 / 3.0) / (1.0 / 5.0 + 1.0 / 4.0 + 1.0 / 3.0);
        assert!((at(&idw(1.0, None, None), 3.0, 4.0) - want).abs() < 1e-12);
    }

    #[test]
    fn exact_at_samples_and_nodata_out_of_reach() {
        assert_eq!(at(&idw(2.0, None, None), 3.0, 0.0), 5.0);
        assert_eq!(at(&idw(2.0, Some(1), None), 2.9, 0.5), 5.0);
        assert!(at(&idw(2.0, None, Some(2.0)), 30.0, 40.0).is_nan());
        assert!((at(&idw(90.0, None, None), 2.0, 0.0) - 5.0).abs() < 1e-12, "a huge power is nearest");
    }

    #[test]
    fn leave_one_out_by_hand() {
        let loo = idw(2.0, None, None).leave_one_out().unwrap();
        // At (0, 0) from (3, 0) and (0, 4): weights 1/9 and 1/16.
        assert!((loo[0].value - (5.0 / 9.0 + 9.0 / 16.0) / (1.0 / 9.0 + 1.0 / 16.0)).abs() < 1e-12);
    }
}
