//! Hectares per class of a class band that is read, not made.

use super::tally::{ClassAreas, ClassTally};
use crate::engine::{Analysis, Spec, TileIn, TileOut};
use crate::error::Result;

/// Tallies the classes of one channel. Values outside 0..=254 and NaN are nodata.
pub struct TalliedClasses {
    /// Channel of the pass.
    pub channel: String,
    /// Measures the classes; its nodata must be 255.
    pub tally: ClassTally,
}

impl Analysis for TalliedClasses {
    type Partial = ClassAreas;

    fn spec(&self) -> Spec {
        Spec {
            name: format!("hectares of {}", self.channel),
            reads: vec![self.channel.clone()],
            scratch_per_cell: 9 + self.tally.scratch_per_cell(),
            scratch_fixed: self.tally.scratch_fixed(),
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        self.tally.resident_bytes()
    }

    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, sum: &mut ClassAreas) -> Result<()> {
        let mut row = vec![0.0; input.cols()];
        let mut classes = Vec::with_capacity(input.window.cells());
        for r in 0..input.rows() {
            input.load(0, r, &mut row);
            classes.extend(row.iter().map(|v| if (0.0..255.0).contains(v) { *v as u8 } else { 255 }));
        }
        self.tally.add(input.window, &classes, sum)
    }
}
