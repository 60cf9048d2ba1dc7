//! Quantiles, type 7 of Hyndman & Fan 1996: linear between order statistics at position (n−1)q.

use std::collections::BTreeMap;

/// Quantile `q` (0..=1) of the values; NaN is left out. `None` where nothing is left.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut valid: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    valid.sort_unstable_by(f64::total_cmp);
    of_sorted(&valid, q)
}

/// As [`quantile`], of values already sorted and without NaN.
#[must_use]
pub fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (low, high, weight) = position(sorted.len() as u64, q);
    Some(between(sorted[low as usize], sorted[(high as usize).min(last)], weight))
}

/// Ranks around position (n−1)q and the weight of the upper one.
pub(crate) fn position(n: u64, q: f64) -> (u64, u64, f64) {
    let at = (n.saturating_sub(1)) as f64 * q.clamp(0.0, 1.0);
    let low = at.floor();
    (low as u64, at.ceil() as u64, at - low)
}

/// The same sum of the nearer end that numpy uses, so that a weight of 1 gives the upper value exactly.
pub(crate) fn between(low: f64, high: f64, weight: f64) -> f64 {
    if weight < 0.5 { low + (high - low) * weight } else { high - (high - low) * (1.0 - weight) }
}

/// Values are counted by the upper and then by the lower half of their bits.
const HALF: u32 = 16;

/// Bits of an f32 in the order of its value.
fn ordered(value: f32) -> u32 {
    // -0.0 and 0.0 are one value.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits }
}

fn from_ordered(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

/// First of two passes for exact quantiles of any number of f32 values in fixed memory: counts by the upper 16 bits.
#[derive(Clone, Debug, Default)]
pub struct Coarse {
    counts: Vec<u64>,
    total: u64,
}

impl Coarse {
    /// Counts a value; NaN is left out.
    pub fn add(&mut self, value: f32) {
        if value.is_nan() {
            return;
        }
        if self.counts.is_empty() {
            self.counts = vec![0; 1 << HALF];
        }
        self.counts[(ordered(value) >> HALF) as usize] += 1;
        self.total += 1;
    }

    /// Counts what another one counted.
    pub fn merge(&mut self, other: Self) {
        if self.counts.is_empty() {
            *self = other;
        } else if !other.counts.is_empty() {
            self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
            self.total += other.total;
        }
    }

    /// Values counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What the second pass has to look at for some quantiles.
    #[must_use]
    pub fn plan(&self, quantiles: &[f64]) -> FinePlan {
        let mut bins = BTreeMap::new();
        for &q in quantiles {
            let (low, high, _) = position(self.total, q);
            for rank in [low, high] {
                let mut below = 0;
                for (bin, &count) in self.counts.iter().enumerate() {
                    if rank < below + count {
                        bins.insert(bin as u32, below);
                        break;
                    }
                    below += count;
                }
            }
        }
        FinePlan { bins, total: self.total }
    }
}

/// Which upper halves the wanted values have, and how many values lie below each.
#[derive(Clone, Debug, Default)]
pub struct FinePlan {
    bins: BTreeMap<u32, u64>,
    total: u64,
}

/// Second pass: counts by the lower 16 bits within the planned bins.
#[derive(Clone, Debug, Default)]
pub struct Fine {
    counts: BTreeMap<u32, Vec<u64>>,
}

impl Fine {
    /// Counts a value where the plan wants it.
    pub fn add(&mut self, value: f32, plan: &FinePlan) {
        if value.is_nan() {
            return;
        }
        let key = ordered(value);
        let bin = key >> HALF;
        if plan.bins.contains_key(&bin) {
            self.counts.entry(bin).or_insert_with(|| vec![0; 1 << HALF])[(key & 0xffff) as usize] += 1;
        }
    }

    /// Counts what another one counted.
    pub fn merge(&mut self, other: Self) {
        for (bin, counts) in other.counts {
            match self.counts.get_mut(&bin) {
                Some(mine) => mine.iter_mut().zip(&counts).for_each(|(a, b)| *a += b),
                None => {
                    self.counts.insert(bin, counts);
                }
            }
        }
    }

    /// A quantile the plan was made for, equal to [`quantile`] of all values.
    #[must_use]
    pub fn quantile(&self, plan: &FinePlan, q: f64) -> Option<f64> {
        if plan.total == 0 {
            return None;
        }
        let (low, high, weight) = position(plan.total, q);
        Some(between(self.order_statistic(plan, low)?, self.order_statistic(plan, high)?, weight))
    }

    fn order_statistic(&self, plan: &FinePlan, rank: u64) -> Option<f64> {
        let (bin, below) = plan.bins.iter().rev().find(|(_, below)| **below <= rank)?;
        let mut below = *below;
        for (low, &count) in self.counts.get(bin)?.iter().enumerate() {
            if rank < below + count {
                return Some(f64::from(from_ordered((bin << HALF) | low as u32)));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_7_interpolates_between_order_statistics() {
        let v = [4.0, 1.0, f64::NAN, 3.0, 2.0];
        assert_eq!(quantile(&v, 0.5), Some(2.5));
        assert_eq!(quantile(&v, 0.0), Some(1.0));
        assert_eq!(quantile(&v, 1.0), Some(4.0));
        assert!((quantile(&v, 0.1).unwrap() - 1.3).abs() < 1e-15);
        assert_eq!(quantile(&[f64::NAN], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.3), Some(7.0));
    }

    #[test]
    fn two_passes_equal_sorting() {
        let values: Vec<f32> = (0..5000u32)
            .map(|i| (f64::from(i.wrapping_mul(2_654_435_761)) / 2e9 - 1.0) as f32)
            .chain([0.0, -0.0])
            .collect();
        let qs = [0.0, 0.02, 0.05, 0.5, 0.95, 0.999, 1.0];
        let (mut first, mut rest) = (Coarse::default(), Coarse::default());
        values.iter().take(1234).for_each(|&v| first.add(v));
        values.iter().skip(1234).for_each(|&v| rest.add(v));
        first.add(f32::NAN);
        first.merge(rest);
        let plan = first.plan(&qs);
        let (mut fine, mut more) = (Fine::default(), Fine::default());
        values.iter().take(77).for_each(|&v| fine.add(v, &plan));
        values.iter().skip(77).for_each(|&v| more.add(v, &plan));
        fine.merge(more);
        let all: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        for q in qs {
            assert_eq!(fine.quantile(&plan, q), quantile(&all, q), "{q}");
        }
        assert_eq!(Fine::default().quantile(&FinePlan::default(), 0.5), None);
    }
}
