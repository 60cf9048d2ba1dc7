//! Means of a quantity over zones, weighted by exact coverage.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Partial;
use crate::grid::Window;
use crate::vector::ZoneIndex;

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
        zones.cover(window, |zone, row, col, fractions| {
            let own = self.0.entry(zone).or_default();
            for (v, c) in values[row * window.cols + col..].iter().zip(fractions) {
                if keep(*v) {
                    own.sum += c * f64::from(*v);
                    own.weight += c;
                }
            }
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
