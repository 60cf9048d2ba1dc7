//! Exact statistics of bands: every valid pixel counts, in double precision.

use crate::engine::{Analysis, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::numeric::Moments;

/// Count, extremes, mean and population standard deviation of channels.
///
/// Mean and squared deviations are taken in f64 around each row's own mean and merged after Chan, Golub & LeVeque (1983,
/// The American Statistician 37:242-247, eq. 2.1), rows and tiles in order, so that neither a large offset nor the number
/// of threads costs digits. Nodata, masked and non-finite cells do not count.
pub struct Statistics {
    channels: Vec<String>,
}

impl Statistics {
    /// Statistics of the channels of these names.
    #[must_use]
    pub fn new(channels: Vec<String>) -> Self {
        Self { channels }
    }
}

/// Moments of each channel, in the order they were named; empty before the first tile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BandMoments(pub Vec<Moments>);

impl Partial for BandMoments {
    fn merge(&mut self, next: Self) {
        self.0.resize(self.0.len().max(next.0.len()), Moments::default());
        self.0.iter_mut().zip(&next.0).for_each(|(all, one)| all.merge(one));
    }
}

impl Analysis for Statistics {
    type Partial = BandMoments;

    fn spec(&self) -> Spec {
        Spec {
            name: "statistics".into(),
            reads: self.channels.clone(),
            scratch_fixed: (self.channels.len() * size_of::<Moments>() + (8 << 10)) as u64,
            empty_adds_nothing: true,
            citations: vec!["Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115"],
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, partial: &mut BandMoments) -> Result<()> {
        let mut row = vec![0.0; input.cols()];
        for channel in 0..self.channels.len() {
            let mut moments = Moments::default();
            for r in 0..input.rows() {
                input.load(channel, r, &mut row);
                moments.merge(&Moments::of(&row));
            }
            partial.0.push(moments);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Grid, Window};
    use crate::raster::Plane;

    fn tile(rows: usize, values: Vec<f64>) -> BandMoments {
        let cols = values.len() / rows;
        let grid = Grid::new(cols, rows, Affine::north_up(0.0, 0.0, 1.0, 1.0), None);
        let plane = Plane::from_f64(cols, rows, values);
        let input = TileIn { window: Window::new(0, 0, cols, rows), grid: &grid, halo: 0, planes: vec![&plane] };
        let mut partial = BandMoments::default();
        let mut out = TileOut { cols, planes: Vec::new() };
        Statistics::new(vec!["v".into()]).tile(&input, &mut out, &mut partial).unwrap();
        partial
    }

    #[test]
    fn a_large_offset_keeps_the_spread() {
        // Checkerboard of 1e7 and 1e7 + 1: mean 1e7 + 0.5, population deviation 0.5. One-pass f32 sums give 0 or NaN.
        let mut all = tile(16, (0..256).map(|i| 1e7 + f64::from((i + i / 16) % 2)).collect());
        all.merge(tile(1, vec![f64::NAN; 5]));
        assert_eq!(all.0[0].count, 256);
        assert_eq!(all.0[0].mean(), Some(10_000_000.5));
        assert!((all.0[0].std_population().unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn small_numbers_by_hand() {
        let m = tile(2, vec![1.0, 2.0, f64::NAN, 9.0]).0[0];
        assert_eq!((m.count, m.min, m.max, m.mean()), (3, 1.0, 9.0, Some(4.0)));
        // Deviations -3, -2, 5: squares 38, divided by 3.
        assert!((m.std_population().unwrap() - (38.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    }
}
