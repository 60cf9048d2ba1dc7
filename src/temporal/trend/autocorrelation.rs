//! Autocorrelation of a series in order of time.
//!
//! The lag counts observations: i runs over the valid ones, whatever time lies between them. ρ_k = Σ (y_i − ȳ)(y_{i+k} − ȳ)
//! / Σ (y_i − ȳ)², with the sum of all n squares below for every lag (divisor n).

use crate::numeric::lanes;

/// Deviations from the mean and the sum of their squares, for the correlations of any number of lags.
#[derive(Clone, Debug, Default)]
pub(super) struct Autocorrelation {
    deviations: Vec<f64>,
    squares: f64,
}

impl Autocorrelation {
    /// Takes a series; false where it varies by no more than rounding, so that it has no autocorrelation. `size` is the size
    /// of the numbers the series was computed from.
    pub(super) fn load(&mut self, series: &[f64], size: f64) -> bool {
        let n = series.len() as f64;
        let mean = series.iter().sum::<f64>() / n;
        self.deviations.clear();
        self.deviations.extend(series.iter().map(|v| v - mean));
        self.squares = lanes::dot(&self.deviations, &self.deviations);
        let rounding = 4.0 * f64::EPSILON * size;
        self.squares > n * rounding * rounding && self.squares.is_finite()
    }

    /// Correlation at a lag.
    pub(super) fn at(&self, lag: usize) -> f64 {
        let n = self.deviations.len();
        let lag = lag.min(n);
        lanes::dot(&self.deviations[..n - lag], &self.deviations[lag..]) / self.squares
    }
}

/// Twice the average ranks, which are whole numbers, of a series. `order` is memory.
pub(super) fn twice_ranks(series: &[f64], order: &mut Vec<u32>, ranks: &mut Vec<f64>) {
    order.clear();
    order.extend(0..series.len() as u32);
    // Equal values share one rank, so that their order does not matter.
    order.sort_unstable_by(|&a, &b| (series[a as usize] + 0.0).total_cmp(&(series[b as usize] + 0.0)));
    ranks.clear();
    ranks.resize(series.len(), 0.0);
    let mut start = 0;
    for group in order.chunk_by(|&a, &b| series[a as usize] == series[b as usize]) {
        let end = start + group.len();
        for &i in group {
            ranks[i as usize] = (start + 1 + end) as f64;
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_by_hand() {
        let mut acf = Autocorrelation::default();
        assert!(acf.load(&[1.0, 2.0, 3.0, 6.0], 6.0));
        // Deviations −2 −1 0 3: squares 14; lag 1: 2 + 0 + 0; lag 2: 0 − 3; lag 3: −6.
        assert_eq!(
            [acf.at(0), acf.at(1), acf.at(2), acf.at(3), acf.at(9)],
            [1.0, 2.0 / 14.0, -3.0 / 14.0, -6.0 / 14.0, 0.0]
        );
        assert!(!acf.load(&[0.42; 28], 0.42));
    }

    #[test]
    fn ties_share_a_rank() {
        let (mut order, mut ranks) = (Vec::new(), Vec::new());
        twice_ranks(&[3.0, 1.0, 3.0, -0.0, 0.0, 9.0], &mut order, &mut ranks);
        assert_eq!(ranks, [9.0, 6.0, 9.0, 3.0, 3.0, 12.0]);
    }
}
