//! Empirical variograms.

use super::samples::Samples;
use crate::error::{Error, Result};

/// gstat's default share of the bounding-box diagonal: the literal five digits, not 1/3.
const CUTOFF_SHARE: f64 = 0.33333;
/// gstat's default number of bins.
const BINS: usize = 15;
/// Pairs above which samples are thinned first.
const MOST_PAIRS: u64 = 200_000_000;

/// How pairs are binned: right-closed intervals `(b[k], b[k + 1]]`, pairs at distance 0 in the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Lags {
    /// Right edges of the bins, ascending.
    pub edges: Vec<f64>,
    /// Width, where all bins have the same.
    width: Option<f64>,
}

impl Lags {
    /// Bins of `width` up to `cutoff`.
    ///
    /// # Errors
    /// Usage error where they are not positive or make more than 10,000 bins.
    pub fn uniform(cutoff: f64, width: f64) -> Result<Self> {
        if !(width > 0.0 && cutoff >= width && cutoff.is_finite()) || cutoff / width > 1e4 {
            return Err(Error::usage(format!(
                "lag width {width} and cutoff {cutoff} make no usable bins; choose 0 < width <= cutoff"
            )));
        }
        let count = (cutoff / width - 1e-9).ceil() as usize;
        Ok(Self { edges: (1..=count).map(|k| (k as f64 * width).min(cutoff)).collect(), width: Some(width) })
    }

    /// Bins with these right edges.
    ///
    /// # Errors
    /// Usage error where they are not ascending and positive.
    pub fn boundaries(edges: &[f64]) -> Result<Self> {
        let ascending = edges.windows(2).all(|w| w[0] < w[1]);
        if edges.is_empty() || !ascending || edges[0] <= 0.0 || edges.iter().any(|e| !e.is_finite()) {
            return Err(Error::usage("lag boundaries must be positive and ascending"));
        }
        Ok(Self { edges: edges.to_vec(), width: None })
    }

    /// The default: 15 bins up to 0.33333 of the bounding-box diagonal of the samples.
    ///
    /// # Errors
    /// Input error where all samples are at one place.
    pub fn default_for(samples: &Samples) -> Result<Self> {
        let cutoff = CUTOFF_SHARE * samples.diagonal();
        if cutoff <= 0.0 {
            return Err(Error::input("no variogram can be fitted: the samples are at one distinct place"));
        }
        Self::uniform(cutoff, cutoff / BINS as f64)
    }

    /// Longest distance that counts.
    #[must_use]
    pub fn cutoff(&self) -> f64 {
        self.edges.last().copied().unwrap_or(0.0)
    }

    /// Bin of a distance, or none beyond the cutoff.
    #[inline]
    fn bin(&self, h: f64) -> Option<usize> {
        if h > self.cutoff() {
            return None;
        }
        let k = match self.width {
            Some(width) => ((h / width).ceil() as usize).saturating_sub(1),
            None => self.edges.partition_point(|&e| e < h),
        };
        Some(k.min(self.edges.len() - 1))
    }
}

/// One bin of an empirical variogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Number of pairs.
    pub pairs: u64,
    /// Mean distance of the pairs.
    pub distance: f64,
    /// Semivariance in squared units of the working scale.
    pub gamma: f64,
}

/// An empirical variogram; empty bins are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    /// Bins in order of distance.
    pub bins: Vec<Bin>,
    /// Longest distance that counted.
    pub cutoff: f64,
    /// Samples used, fewer than all where they had to be thinned.
    pub samples: usize,
}

impl Empirical {
    /// Matheron's estimator (1962): `γ = Σ (z_i − z_j)² / 2N` over the pairs of each bin.
    ///
    /// Where there would be more than 2·10⁸ pairs, an even and reproducible subset of the samples is used.
    ///
    /// # Errors
    /// Input error where no pair is within the cutoff.
    pub fn matheron(samples: &Samples, lags: &Lags) -> Result<Self> {
        let used = thin(samples);
        let (x, y, z): (Vec<f64>, Vec<f64>, Vec<f64>) = (
            used.iter().map(|&i| samples.x[i]).collect(),
            used.iter().map(|&i| samples.y[i]).collect(),
            used.iter().map(|&i| samples.z[i]).collect(),
        );
        let mut sums = vec![(0_u64, 0.0, 0.0); lags.edges.len()];
        let cutoff2 = lags.cutoff().powi(2) * (1.0 + 1e-12);
        for i in 0..used.len() {
            for j in 0..i {
                let (dx, dy) = (x[i] - x[j], y[i] - y[j]);
                let d2 = dx * dx + dy * dy;
                if d2 > cutoff2 {
                    continue;
                }
                let h = d2.sqrt();
                if let Some(bin) = lags.bin(h) {
                    let dz = z[i] - z[j];
                    let s = &mut sums[bin];
                    s.0 += 1;
                    s.1 += h;
                    s.2 += dz * dz;
                }
            }
        }
        let bins: Vec<_> = sums
            .iter()
            .filter(|s| s.0 > 0)
            .map(|&(pairs, h, dz2)| {
                let n = pairs as f64;
                Bin { pairs, distance: h / n, gamma: dz2 / (2.0 * n) }
            })
            .collect();
        if bins.is_empty() {
            return Err(Error::input(format!(
                "no variogram can be fitted: no two samples are within {} of each other",
                lags.cutoff()
            )));
        }
        Ok(Self { bins, cutoff: lags.cutoff(), samples: used.len() })
    }
}

/// Indices of the samples to pair: all, or about as many as give [`MOST_PAIRS`], spread evenly. In each cell of a coarse grid
/// the same share is kept, chosen by a hash of the sample's index, so that the choice never changes between runs.
fn thin(samples: &Samples) -> Vec<usize> {
    let n = samples.len();
    if (n as u64) * (n as u64 - 1) / 2 <= MOST_PAIRS {
        return (0..n).collect();
    }
    let keep = (2.0 * MOST_PAIRS as f64).sqrt();
    let share = keep / n as f64;
    let b = samples.bounds();
    let side = 64.0;
    let cell =
        |v: f64, low: f64, high: f64| ((v - low) / (high - low).max(f64::MIN_POSITIVE) * side).min(side - 1.0) as u64;
    let mut order: Vec<(u64, u64, usize)> = (0..n)
        .map(|i| {
            let c = cell(samples.y[i], b[1], b[3]) * 64 + cell(samples.x[i], b[0], b[2]);
            (c, splitmix(i as u64), i)
        })
        .collect();
    order.sort_unstable();
    // The k-th sample of the ordered list is kept whenever the running share passes a whole number.
    let mut kept: Vec<usize> = order
        .iter()
        .enumerate()
        .filter(|(k, _)| ((*k + 1) as f64 * share).floor() > (*k as f64 * share).floor())
        .map(|(_, o)| o.2)
        .collect();
    kept.sort_unstable();
    kept
}

/// Steele, Lea & Flood (2014), SplitMix64 finaliser.
fn splitmix(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::samples::{Duplicates, Point, Transform};

    fn line(n: usize) -> Samples {
        let points: Vec<_> =
            (0..n).map(|i| Point { x: i as f64, y: 0.0, value: (i % 2) as f64, line: i as u64 }).collect();
        Samples::new(&points, Duplicates::Mean, Transform::None, 1e-3).unwrap()
    }

    #[test]
    fn bins_are_closed_on_the_right() {
        let v = Empirical::matheron(&line(5), &Lags::uniform(3.0, 1.0).unwrap()).unwrap();
        // Pairs at distance 1, 2, 3: 4, 3, 2; values alternate, so odd distances differ by 1.
        let got: Vec<_> = v.bins.iter().map(|b| (b.pairs, b.distance, b.gamma)).collect();
        assert_eq!(got, [(4, 1.0, 0.5), (3, 2.0, 0.0), (2, 3.0, 0.5)]);
        let by_edges = Empirical::matheron(&line(5), &Lags::boundaries(&[2.0, 3.0]).unwrap()).unwrap();
        assert_eq!(by_edges.bins[0].pairs, 7);
    }

    #[test]
    fn one_place_has_no_variogram() {
        assert!(Lags::default_for(&line(1)).unwrap_err().to_string().contains("one distinct place"));
        assert!(Lags::uniform(1.0, 2.0).is_err());
    }

    #[test]
    fn thinning_keeps_an_even_share() {
        let s = line(50_000);
        let kept = thin(&s);
        assert!((kept.len() as f64 - 20_000.0).abs() < 2.0, "{}", kept.len());
        let left = kept.iter().filter(|&&i| i < 25_000).count();
        assert!((left as f64 / kept.len() as f64 - 0.5).abs() < 0.01);
    }
}
