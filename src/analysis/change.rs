//! Difference of an index between two dates, and its classes.

use super::classes::{Breaks, ClassSum, Measures};
use super::formula::Formula;
use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::{Class, OutPlane, Ramp};

/// Five classes of change, 1 to 5, from brown to teal: told apart also by those who do not tell red from green.
#[must_use]
pub fn change_classes() -> Vec<Class> {
    vec![
        Class::new(1, "strong loss", [140, 81, 10]),
        Class::new(2, "loss", [223, 194, 125]),
        Class::new(3, "stable", [245, 245, 245]),
        Class::new(4, "gain", [128, 205, 193]),
        Class::new(5, "strong gain", [1, 102, 94]),
    ]
}

/// Difference (after minus before) and its class. Both dates must be valid.
pub struct ChangeAnalysis {
    /// One result: the difference.
    pub formula: Formula,
    /// Four breaks between the five classes.
    pub breaks: Breaks,
    /// Name of the difference band.
    pub name: String,
    /// What is measured of the classes.
    pub measures: Measures,
}

impl Analysis for ChangeAnalysis {
    type Partial = ClassSum;

    fn spec(&self) -> Spec {
        let mut spec = Spec {
            name: "change".into(),
            reads: self.formula.reads().to_vec(),
            writes: vec![
                OutBand::quantity(&self.name, "").drawn(Ramp::Difference),
                OutBand::classes("change class", change_classes()),
            ],
            scratch_fixed: self.formula.scratch(),
            citations: vec!["Singh 1989, image differencing"],
            ..Spec::default()
        };
        self.measures.state(&mut spec, &self.formula);
        spec
    }

    fn resident_bytes(&self) -> u64 {
        self.measures.resident_bytes()
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut ClassSum) -> Result<()> {
        let (cols, [OutPlane::F32(differences), OutPlane::U8(classes)]) = (out.cols, out.planes.as_mut_slice()) else {
            return Err(Error::bug("planes of a change are not float32 and uint8"));
        };
        self.formula.rows(input, |row, results| {
            let cells = row * cols..(row + 1) * cols;
            // An infinite difference has no class and must not reach the mean either.
            let finite = |d: f64| if d.is_finite() { d } else { f64::NAN };
            self.breaks.write(&results[0], finite, &mut differences[cells.clone()], &mut classes[cells]);
            Ok(())
        })?;
        self.measures.add(input, out, Some(0), 1, sum)
    }
}
