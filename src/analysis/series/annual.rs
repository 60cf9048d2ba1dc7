//! The series itself as bands, a band a date or period.

use super::{Observed, SeriesModel};
use crate::engine::OutBand;

/// Hands the values of a series on, each in the band of its date or period; gaps are nodata.
pub struct Annual {
    names: Vec<String>,
}

impl Annual {
    /// One band a position of the axis, under these names.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }
}

impl SeriesModel for Annual {
    type Work = ();

    fn name(&self) -> &'static str {
        "series"
    }

    fn bands(&self) -> Vec<OutBand> {
        self.names.iter().map(|name| OutBand::quantity(name, "")).collect()
    }

    fn bytes(&self, _: usize) -> u64 {
        0
    }

    fn citations(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn fit(&self, series: &Observed<'_>, (): &mut (), out: &mut [f32]) {
        for (at, value) in series.at.iter().zip(series.band(0)) {
            out[*at as usize] = *value as f32;
        }
    }
}
