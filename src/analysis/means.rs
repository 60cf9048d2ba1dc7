//! Means of a quantity over the raster and over zones, weighted by exact coverage.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Partial;
use crate::grid::Window;
use crate::numeric::Moments;
use crate::vector::ZoneIndex;

/// Sum of `c·v` and of `c` over the cells of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weighted {
    sum: f64,
    weight: f64,
}

/// Moments of the raster and coverage-weighted means of the zones met so far.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Every valid cell once.
    pub scene: Moments,
    zones: BTreeMap<usize, Weighted>,
}

impl Partial for Means {
    fn merge(&mut self, next: Self) {
        self.scene.merge(&next.scene);
        for (zone, w) in next.zones {
            let own = self.zones.entry(zone).or_default();
            own.sum += w.sum;
            own.weight += w.weight;
        }
    }
}

impl Means {
    /// Adds the values of a tile in row order; NaN is left out.
    pub fn add(&mut self, zones: Option<&Arc<ZoneIndex>>, window: Window, values: &[f32]) {
        values.iter().for_each(|v| self.scene.add(f64::from(*v)));
        let Some(zones) = zones else { return };
        zones.cover(window, |zone, row, col, fractions| {
            let own = self.zones.entry(zone).or_default();
            for (v, c) in values[row * window.cols + col..].iter().zip(fractions) {
                if !v.is_nan() {
                    own.sum += c * f64::from(*v);
                    own.weight += c;
                }
            }
        });
    }

    /// Mean of the raster (`None`) or of a zone, Σcv/Σc; nothing where no cell is valid.
    #[must_use]
    pub fn of(&self, zone: Option<usize>) -> Option<f64> {
        match zone {
            None => self.scene.mean(),
            Some(z) => self.zones.get(&z).filter(|w| w.weight > 0.0).map(|w| w.sum / w.weight),
        }
    }

    /// Bytes one value takes for some zones, for [`crate::engine::Spec::scratch_fixed`].
    #[must_use]
    pub fn bytes(zones: Option<&Arc<ZoneIndex>>) -> u64 {
        zones.map_or(0, |z| 64 * z.len() as u64) + 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_merge_and_nothing_valid_has_no_mean() {
        let mut a = Means::default();
        a.add(None, Window::new(0, 0, 3, 1), &[1.0, f32::NAN, 3.0]);
        let mut b = Means::default();
        b.add(None, Window::new(3, 0, 1, 1), &[5.0]);
        a.merge(b);
        assert_eq!((a.of(None), a.scene.count, a.of(Some(0))), (Some(3.0), 3, None));
    }
}
