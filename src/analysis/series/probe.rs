//! The series of one pixel as a result, for a look at it.

use super::Dates;
use crate::engine::{Analysis, Partial, Spec, TileIn, TileOut};
use crate::error::Result;

/// Reads the values of all dates at the first pixel of the first tile: made for grids of one pixel.
pub struct Probe {
    dates: Dates,
}

impl Probe {
    /// Of these dates.
    #[must_use]
    pub fn new(dates: Dates) -> Self {
        Self { dates }
    }
}

/// Values of a pixel: all values of the first date, then of the second; NaN is nodata.
#[derive(Debug, Default, PartialEq)]
pub struct Probed(pub Vec<f64>);

impl Partial for Probed {
    fn merge(&mut self, next: Self) {
        if self.0.is_empty() {
            *self = next;
        }
    }
}

impl Analysis for Probe {
    type Partial = Probed;

    fn spec(&self) -> Spec {
        Spec {
            name: "pixel".into(),
            reads: self.dates.reads().to_vec(),
            by_rows: true,
            scratch_fixed: self.dates.scratch(),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, partial: &mut Probed) -> Result<()> {
        let mut values = self.dates.values();
        values.load(input, 0, 0, 1);
        let bands = values.bands();
        partial.0 = (0..self.dates.len() * bands).map(|i| values.value(i / bands, i % bands, 0)).collect();
        Ok(())
    }
}
