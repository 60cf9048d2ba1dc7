//! Means of a quantity over zones, weighted by exact coverage.

use std::collections::BTreeMap;
use std::sync::Arc;

use pulp::{Arch, NullaryFnOnce};

use crate::engine::Partial;
use crate::grid::Window;
use crate::vector::{Covered, Runs, ZoneIndex};

/// Sum of `c·v` and of `c` over the cells of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weighted {
    sum: f64,
    weight: f64,
}

/// Coverage-weighted means of the zones met so far. The mean of the whole raster is among the moments the engine takes.
#[derive(Clone, Debug, Default)]
pub struct ZoneMeans(BTreeMap<usize, Weighted>);

impl Partial for ZoneMeans {
    fn merge(&mut self, next: Self) {
        for (zone, w) in next.0 {
            let own = self.0.entry(zone).or_default();
            own.sum += w.sum;
            own.weight += w.weight;
        }
    }
}

impl ZoneMeans {
    /// Adds the values of a tile in row order; what `keep` says no to is left out.
    pub fn add(&mut self, zones: &ZoneIndex, window: Window, values: &[f32], keep: impl Fn(f32) -> bool) {
        zones.cover(window, |zone, runs| {
            let sum = Arch::new().dispatch(Sum { runs, cols: window.cols, values, keep: &keep });
            let own = self.0.entry(zone).or_default();
            own.sum += sum.sum;
            own.weight += sum.weight;
        });
    }

    /// Mean of a zone, Σcv/Σc; nothing where no cell is valid.
    #[must_use]
    pub fn of(&self, zone: usize) -> Option<f64> {
        self.0.get(&zone).filter(|w| w.weight > 0.0).map(|w| w.sum / w.weight)
    }

    /// Bytes one value takes for some zones, for [`crate::engine::Spec::scratch_fixed`].
    #[must_use]
    pub fn bytes(zones: Option<&Arc<ZoneIndex>>) -> u64 {
        zones.map_or(0, |z| 64 * z.len() as u64)
    }
}

/// Sums of one zone in a tile.
struct Sum<'a, K> {
    runs: Runs<'a>,
    cols: usize,
    values: &'a [f32],
    keep: &'a K,
}

/// Independent sums that make up one: they vectorise and have the same bits on every processor.
const LANES: usize = 8;

impl<K: Fn(f32) -> bool> NullaryFnOnce for Sum<'_, K> {
    type Output = Weighted;

    #[inline(always)]
    fn call(self) -> Weighted {
        let mut lanes = Lanes::default();
        for (row, col, covered) in self.runs {
            let values = &self.values[row * self.cols + col..];
            let (n, fractions) = match covered {
                Covered::Whole(n) => (n, None),
                Covered::Partly(fractions) => (fractions.len(), Some(fractions)),
            };
            let (whole, rest) = values[..n].as_chunks::<LANES>();
            // What is left over, with weight 0 for places beyond it.
            let (mut last, mut ends) = ([0.0; LANES], [0.0; LANES]);
            last[..rest.len()].copy_from_slice(rest);
            if let Some(fractions) = fractions {
                let (weights, left) = fractions.as_chunks::<LANES>();
                for (v, w) in whole.iter().zip(weights) {
                    lanes.add(v, w, self.keep);
                }
                ends[..left.len()].copy_from_slice(left);
            } else {
                for v in whole {
                    lanes.add(v, &[1.0; LANES], self.keep);
                }
                ends[..rest.len()].fill(1.0);
            }
            lanes.add(&last, &ends, self.keep);
        }
        Weighted { sum: lanes.sum.iter().sum(), weight: lanes.weight.iter().sum() }
    }
}

#[derive(Default)]
struct Lanes {
    sum: [f64; LANES],
    weight: [f64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn add(&mut self, values: &[f32; LANES], weights: &[f64; LANES], keep: &impl Fn(f32) -> bool) {
        for i in 0..LANES {
            let (v, c) = (values[i], weights[i]);
            let (v, c) = if keep(v) & (c > 0.0) { (f64::from(v), c) } else { (0.0, 0.0) };
            self.sum[i] += c * v;
            self.weight[i] += c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Crs, Grid};
    use crate::vector::{Feature, Geometry, Layer, Polygon};

    #[test]
    fn what_is_not_kept_has_no_weight() {
        let grid = Grid::new(40, 3, Affine::north_up(0.0, 3.0, 1.0, 1.0), Some(Crs::local()));
        let ring = vec![(1.5, 0.0), (38.25, 0.0), (38.25, 2.5), (1.5, 2.5), (1.5, 0.0)];
        let feature = Feature { geometry: Geometry::Polygons(vec![Polygon { rings: vec![ring] }]), values: Vec::new() };
        let layer = Layer {
            name: "z".into(),
            crs: Some(Crs::local()),
            columns: vec![],
            features: vec![feature],
            warnings: vec![],
        };
        let zones = ZoneIndex::build(&layer, &grid, None).unwrap();
        let values: Vec<f32> = (0..120).map(|i| if i % 9 == 4 { f32::NAN } else { (i * 37 % 50) as f32 }).collect();
        let mut means = ZoneMeans::default();
        means.add(&zones, grid.window(), &values, |v| !v.is_nan());
        let (mut sum, mut weight) = (0.0, 0.0);
        for (i, v) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let (row, col) = (i / 40, i % 40);
            let across = (38.25f64.min(col as f64 + 1.0) - 1.5f64.max(col as f64)).max(0.0);
            let c = across * if row == 0 { 0.5 } else { 1.0 };
            sum += c * f64::from(*v);
            weight += c;
        }
        assert!((means.of(0).unwrap() - sum / weight).abs() < 1e-12);
        assert_eq!(means.of(1), None);
    }
}
