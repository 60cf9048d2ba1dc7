//! Exact statistics of a band, merged in tile order.

use super::sample::{Sample, is_nodata};

/// Count, extremes, mean and sum of squared deviations of valid samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BandStats {
    pub(super) cells: u64,
    pub(super) valid: u64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    m2: f64,
}

impl BandStats {
    /// In two passes, so that a large mean does not swallow a small variance.
    pub(super) fn of<T: Sample>(samples: &[T], nodata: Option<T>) -> Self {
        let valid = || samples.iter().filter(|v| !is_nodata(**v, nodata)).map(|v| v.to_f64());
        let (mut n, mut sum, mut min, mut max) = (0_u64, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for v in valid() {
            n += 1;
            sum += v;
            min = min.min(v);
            max = max.max(v);
        }
        let cells = samples.len() as u64;
        if n == 0 {
            return Self { cells, ..Self::default() };
        }
        let mean = sum / n as f64;
        let m2 = valid().map(|v| (v - mean) * (v - mean)).sum();
        Self { cells, valid: n, min, max, mean, m2 }
    }

    /// Adds the next tile (Chan, Golub and LeVeque 1983, pairwise update).
    pub(super) fn merge(&mut self, next: &Self) {
        self.cells += next.cells;
        if next.valid == 0 {
            return;
        }
        if self.valid == 0 {
            *self = Self { cells: self.cells, ..*next };
            return;
        }
        let (a, b) = (self.valid as f64, next.valid as f64);
        let step = next.mean - self.mean;
        self.mean += step * b / (a + b);
        self.m2 += next.m2 + step * step * a * b / (a + b);
        self.valid += next.valid;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
    }

    /// Population standard deviation, as GDAL writes it.
    pub(super) fn stdev(&self) -> f64 {
        (self.m2 / self.valid.max(1) as f64).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_merge_to_the_statistics_of_the_whole() {
        let mut s = BandStats::of(&[1_u8, 255, 3], Some(255));
        s.merge(&BandStats::of(&[255_u8; 4], Some(255)));
        s.merge(&BandStats::of(&[5_u8, 7], Some(255)));
        assert_eq!((s.cells, s.valid, s.min, s.max, s.mean), (9, 4, 1.0, 7.0, 4.0));
        assert!((s.stdev() - 5_f64.sqrt()).abs() < 1e-15);
    }
}
