//! Fractional vegetation cover by the dimidiate pixel model, and its classes.

use super::classes::{Breaks, ClassSum, Measures};
use super::formula::Formula;
use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::{Class, OutPlane, Ramp};

/// Breaks of the five classes of mining ecology practice.
pub const COVER_BREAKS: [f64; 4] = [0.1, 0.3, 0.45, 0.6];

/// Five classes of cover, 1 to 5.
#[must_use]
pub fn cover_classes() -> Vec<Class> {
    vec![
        Class::new(1, "very low cover", [166, 97, 26]),
        Class::new(2, "low cover", [223, 194, 125]),
        Class::new(3, "medium-low cover", [245, 240, 170]),
        Class::new(4, "medium cover", [128, 190, 110]),
        Class::new(5, "high cover", [0, 104, 55]),
    ]
}

/// How the clamped ratio becomes cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoverModel {
    /// The ratio itself (Gutman & Ignatov 1998).
    #[default]
    Linear,
    /// Its square (Carlson & Ripley 1997).
    Squared,
}

/// Index values of bare soil and of full vegetation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Endmembers {
    soil: f64,
    vegetation: f64,
}

impl Endmembers {
    /// Least difference of endmembers that still tells soil from vegetation.
    const CONTRAST: f64 = 0.05;

    /// Endmembers with enough contrast between them.
    ///
    /// # Errors
    /// Input error where vegetation is not at least 0.05 above soil.
    pub fn new(soil: f64, vegetation: f64) -> Result<Self> {
        // Written so that NaN fails too.
        if vegetation - soil >= Self::CONTRAST && soil.is_finite() && vegetation.is_finite() {
            return Ok(Self { soil, vegetation });
        }
        Err(Error::input(format!(
            "cover: no contrast between soil {soil:.4} and vegetation {vegetation:.4}: expected a difference of at least \
             {}; give endmembers with --soil and --veg",
            Self::CONTRAST
        )))
    }

    /// Index value of bare soil.
    #[must_use]
    pub fn soil(&self) -> f64 {
        self.soil
    }

    /// Index value of full vegetation.
    #[must_use]
    pub fn vegetation(&self) -> f64 {
        self.vegetation
    }

    /// Cover 0..=1 of an index value; NaN stays NaN.
    #[inline]
    #[must_use]
    pub fn cover(&self, index: f64, model: CoverModel) -> f64 {
        let ratio = ((index - self.soil) / (self.vegetation - self.soil)).clamp(0.0, 1.0);
        match model {
            CoverModel::Linear => ratio,
            CoverModel::Squared => ratio * ratio,
        }
    }
}

/// Cover 0..=1 and its class.
pub struct CoverAnalysis {
    /// One result: the index.
    pub formula: Formula,
    /// Endmembers of the index.
    pub endmembers: Endmembers,
    /// From ratio to cover.
    pub model: CoverModel,
    /// Four breaks between the five classes.
    pub breaks: Breaks,
    /// What is measured of the classes.
    pub measures: Measures,
}

impl Analysis for CoverAnalysis {
    type Partial = ClassSum;

    fn spec(&self) -> Spec {
        let citation = match self.model {
            CoverModel::Linear => "Gutman & Ignatov 1998, dimidiate pixel model",
            CoverModel::Squared => "Carlson & Ripley 1997",
        };
        let mut spec = Spec {
            name: "cover".into(),
            reads: self.formula.reads().to_vec(),
            writes: vec![
                OutBand::quantity("vegetation cover", "fraction").within(0.0..=1.0).drawn(Ramp::Vegetation),
                OutBand::classes("vegetation cover class", cover_classes()),
            ],
            scratch_fixed: self.formula.scratch(),
            citations: vec![citation],
            ..Spec::default()
        };
        self.measures.state(&mut spec, &self.formula);
        spec
    }

    fn resident_bytes(&self) -> u64 {
        self.measures.resident_bytes()
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut ClassSum) -> Result<()> {
        let (cols, [OutPlane::F32(covers), OutPlane::U8(classes)]) = (out.cols, out.planes.as_mut_slice()) else {
            return Err(Error::bug("planes of a cover are not float32 and uint8"));
        };
        self.formula.rows(input, |row, results| {
            let cells = row * cols..(row + 1) * cols;
            // An infinite index says nothing about cover; clamping would call it full or none.
            let cover = |v: f64| if v.is_finite() { self.endmembers.cover(v, self.model) } else { f64::NAN };
            self.breaks.write(&results[0], cover, &mut covers[cells.clone()], &mut classes[cells]);
            Ok(())
        })?;
        self.measures.add(input, out, Some(0), 1, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cover_is_the_clamped_share_between_the_endmembers() {
        let e = Endmembers::new(0.1, 0.9).unwrap();
        assert!((e.cover(0.5, CoverModel::Linear) - 0.5).abs() < 1e-15);
        assert!((e.cover(0.5, CoverModel::Squared) - 0.25).abs() < 1e-15);
        assert_eq!(e.cover(-3.0, CoverModel::Linear), 0.0);
        assert_eq!(e.cover(3.0, CoverModel::Linear), 1.0);
        assert!(e.cover(f64::NAN, CoverModel::Linear).is_nan());
    }

    #[test]
    fn endmembers_without_contrast_are_refused() {
        assert!(Endmembers::new(0.5, 0.54).unwrap_err().to_string().contains("no contrast"));
        assert!(Endmembers::new(0.9, 0.1).is_err());
        assert!(Endmembers::new(f64::NAN, 0.1).is_err());
    }
}
