//! Classes of a trend by its slope and its significance, and the significance of a whole field of trends.
//!
//! A slope β (index units a year, meant for NDVI) with |β| below a limit, 0.0005 by default, is stable. Beyond it the trend is
//! very significant for |Z| > 2.58, significant for |Z| > 1.96, slight for |Z| > 1.645, otherwise not significant; upwards is
//! improvement, downwards degradation. Codes run from the strongest degradation (1) over stable (5) to the strongest improvement
//! (9). The breaks of |Z| are the two-sided 1, 5 and 10 % points of the normal distribution, as is the practice in vegetation
//! studies.
//!
//! Of many pixels some are significant by chance. Benjamini & Hochberg 1995 (J. R. Statist. Soc. B 57:289-300) call those
//! significant whose p is at most p_(k), the greatest of the m ordered p-values with p_(k) ≤ q k/m; then at most a share q of
//! them is expected to be false.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Observations below which a trend is reported as resting on few.
pub const FEW: usize = 8;

/// True where a trend rests on few observations.
#[must_use]
pub fn low_n(n: usize) -> bool {
    n < FEW
}

/// Names of the classes; the code of a class is its place counted from 1.
pub const NAMES: [&str; 9] = [
    "very significant degradation",
    "significant degradation",
    "slight degradation",
    "non-significant degradation",
    "stable",
    "non-significant improvement",
    "slight improvement",
    "significant improvement",
    "very significant improvement",
];

/// Code of the stable class.
const STABLE: u8 = 5;

/// The classes of a trend.
#[derive(Clone, Copy, Debug)]
pub struct TrendClasses {
    stable_below: f64,
}

impl TrendClasses {
    /// Classes whose stable one has slopes below a limit.
    pub fn new(stable_below: f64) -> Result<Self> {
        if !(stable_below >= 0.0 && stable_below.is_finite()) {
            return Err(Error::usage(format!(
                "--stable-slope: {stable_below}: give a slope of zero or more, such as 0.0005"
            )));
        }
        Ok(Self { stable_below })
    }

    /// Code of a trend with a slope a year and a statistic Z.
    #[must_use]
    pub fn code(&self, slope: f64, z: f64) -> u8 {
        if slope.abs() < self.stable_below || slope == 0.0 {
            return STABLE;
        }
        let strength = 1 + [1.645, 1.96, 2.58].iter().filter(|&&limit| z.abs() > limit).count() as u8;
        if slope > 0.0 { STABLE + strength } else { STABLE - strength }
    }
}

impl Default for TrendClasses {
    fn default() -> Self {
        Self { stable_below: 0.0005 }
    }
}

/// The p-values of a field, counted by their first [`PValues::BITS`] digits, so that fields of any size fit and parts of one
/// add up in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PValues {
    counts: BTreeMap<u32, u64>,
    total: u64,
}

impl PValues {
    /// Digits of the mantissa that tell p-values apart: 1 part in 4096. Values that look alike count as the greatest of them.
    pub const BITS: u32 = 12;

    /// Counts a p-value; NaN is none.
    pub fn add(&mut self, p: f64) {
        if !p.is_nan() {
            *self.counts.entry((p as f32).to_bits() >> (23 - Self::BITS)).or_default() += 1;
            self.total += 1;
        }
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(key, n)| *self.counts.entry(*key).or_default() += n);
        self.total += other.total;
    }

    /// Greatest p-value that is significant at false discovery rate `q`; None where none is.
    #[must_use]
    pub fn significant_up_to(&self, q: f64) -> Option<f64> {
        let (mut below, mut found) = (0, None);
        for (key, n) in &self.counts {
            below += n;
            let greatest = f64::from(f32::from_bits((key + 1) << (23 - Self::BITS)).next_down()).min(1.0);
            if greatest <= q * below as f64 / self.total as f64 {
                found = Some(greatest);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_slope_and_significance() {
        let classes = TrendClasses::default();
        assert_eq!(classes.code(0.000_499, 9.0), 5);
        let up: Vec<u8> = [1.645, 1.646, 1.961, 2.581].iter().map(|&z| classes.code(0.0005, z)).collect();
        assert_eq!(up, [6, 7, 8, 9]);
        let down: Vec<u8> = [0.0, -1.7, -2.0, -2.6].iter().map(|&z| classes.code(-0.01, z)).collect();
        assert_eq!(down, [4, 3, 2, 1]);
        assert_eq!(NAMES[usize::from(classes.code(0.01, 2.0)) - 1], "significant improvement");
        assert_eq!(TrendClasses::new(0.0).unwrap().code(0.0, 3.0), 5);
        assert!(TrendClasses::new(-1.0).is_err() && TrendClasses::new(f64::NAN).is_err());
        assert!(low_n(7) && !low_n(8));
    }

    #[test]
    fn threshold_of_the_paper() {
        // The fifteen p-values of Benjamini & Hochberg 1995: four are significant at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        let of = |p: &[f64]| {
            let mut all = PValues::default();
            p.iter().for_each(|p| all.add(*p));
            all
        };
        let found = of(&p).significant_up_to(0.05).unwrap();
        assert!((0.0095..0.0095 * (1.0 + 1.0 / 2048.0)).contains(&found), "{found}");
        let mut parts = of(&p[7..]);
        parts.merge(&of(&p[..7]));
        parts.add(f64::NAN);
        assert_eq!(parts, of(&p));
        assert_eq!(of(&[0.4, 0.9]).significant_up_to(0.05), None);
        assert_eq!(of(&[]).significant_up_to(0.05), None);
        assert_eq!(of(&[1.0; 9]).significant_up_to(1.0), Some(1.0));
    }
}
