//! Settings of CCDC and COLD with the defaults of the papers, and their checks.

use super::LANES;
use crate::error::{Error, Result};

/// Which of the two published algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Continuous Change Detection and Classification (Zhu & Woodcock 2014).
    #[default]
    Ccdc,
    /// Continuous monitoring of land disturbance (Zhu et al. 2020): thresholds follow the density of the dates, a change keeps
    /// its direction, and the model follows the observations more closely.
    Cold,
}

/// What the mask says about a pixel on a date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Quality {
    /// Clear land.
    Clear,
    /// Clear water.
    Water,
    /// Snow or ice.
    Snow,
    /// Cloud, shadow or another reason not to look at the surface.
    Obscured,
    /// No data: counts in no share.
    #[default]
    Missing,
}

/// Settings of [`super::Ccdc`]. Inside, all bands are in units of 1/10000 (reflectance × 10000).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// CCDC or COLD.
    pub variant: Variant,
    /// Bands of a series, 1 to 8.
    pub bands: usize,
    /// Bands in which a change is looked for; the degrees of freedom of the thresholds are their number.
    pub detection: Vec<usize>,
    /// One or two bands in which missed clouds and shadows stand out: green and SWIR1. The first also tells them apart where
    /// nearly nothing is clear.
    pub cloud_bands: Vec<usize>,
    /// Values are multiplied by this on reading: 10000 for reflectance (or an index) in units of 1.
    pub scale: f64,
    /// Scaled values outside this open interval are not used.
    pub valid_range: (f64, f64),
    /// Probability of the chi-square threshold of a change.
    pub probability: f64,
    /// Consecutive observations that confirm a change.
    pub conse: usize,
    /// Weight of the LASSO penalty, in units of 1/10000.
    pub lambda: f64,
    /// Least observations of a first model.
    pub minimum: usize,
    /// Days in a cycle.
    pub period: f64,
    /// Most harmonics of a model, 1 to 3.
    pub harmonics: usize,
}

impl Settings {
    /// Blue, green, red, NIR, SWIR1, SWIR2 as reflectance in units of 1; changes are looked for in all but blue.
    #[must_use]
    pub fn reflectance(variant: Variant) -> Self {
        Self {
            variant,
            bands: 6,
            detection: vec![1, 2, 3, 4, 5],
            cloud_bands: vec![1, 4],
            scale: 10_000.0,
            valid_range: (0.0, 10_000.0),
            probability: 0.99,
            conse: 6,
            lambda: 20.0,
            minimum: 12,
            period: 365.25,
            harmonics: 3,
        }
    }

    /// One index with values in -1..=1.
    #[must_use]
    pub fn index(variant: Variant) -> Self {
        Self {
            bands: 1,
            detection: vec![0],
            cloud_bands: vec![0],
            // Closed ends: an index may be exactly 1.
            valid_range: (-10_001.0, 10_001.0),
            ..Self::reflectance(variant)
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let fail = |option: &str, found: String, expected: &str| {
            Err(Error::usage(format!("ccdc: {option}: found {found}, expected {expected}; change {option}")))
        };
        if !(1..=LANES).contains(&self.bands) {
            return fail("bands", self.bands.to_string(), "1 to 8");
        }
        let distinct = |list: &[usize]| list.iter().enumerate().all(|(i, b)| *b < self.bands && !list[..i].contains(b));
        if self.detection.is_empty() || !distinct(&self.detection) {
            return fail("detection bands", format!("{:?}", self.detection), "different bands of the series");
        }
        if !(1..=2).contains(&self.cloud_bands.len()) || !distinct(&self.cloud_bands) {
            return fail("cloud bands", format!("{:?}", self.cloud_bands), "one or two different bands of the series");
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return fail("scale", self.scale.to_string(), "a number above 0");
        }
        let (low, high) = self.valid_range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return fail("valid range", format!("{low} to {high}"), "two finite numbers, the lower first");
        }
        if !(self.probability > 0.0 && self.probability < 1.0) {
            return fail("probability", self.probability.to_string(), "a number between 0 and 1");
        }
        if !(2..=100).contains(&self.conse) {
            return fail("conse", self.conse.to_string(), "2 to 100 observations");
        }
        if !(self.lambda.is_finite() && self.lambda >= 0.0) {
            return fail("lambda", self.lambda.to_string(), "0 or more");
        }
        if !(6..=1000).contains(&self.minimum) {
            return fail("minimum observations", self.minimum.to_string(), "6 to 1000");
        }
        if !(self.period.is_finite() && self.period > 0.0) {
            return fail("period", self.period.to_string(), "days above 0");
        }
        if !(1..=3).contains(&self.harmonics) {
            return fail("harmonics", self.harmonics.to_string(), "1 to 3");
        }
        Ok(())
    }
}
