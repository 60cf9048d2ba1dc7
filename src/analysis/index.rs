//! Spectral indices: any number of formulas over one reading of the bands.

use super::formula::Formula;
use crate::engine::{Analysis, OutBand, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::numeric::Moments;

/// Evaluates formulas into one f32 band each.
pub struct IndexAnalysis {
    formula: Formula,
    bands: Vec<OutBand>,
    citations: Vec<&'static str>,
}

impl IndexAnalysis {
    /// One band for each result of `formula`, in order. Values outside a band's valid range become nodata.
    #[must_use]
    pub fn new(formula: Formula, bands: Vec<OutBand>, citations: Vec<&'static str>) -> Self {
        Self { formula, bands, citations }
    }
}

/// Moments of each band as written.
#[derive(Debug, Default)]
pub struct BandMoments(pub Vec<Moments>);

impl Partial for BandMoments {
    fn merge(&mut self, next: Self) {
        if self.0.len() < next.0.len() {
            self.0.resize(next.0.len(), Moments::default());
        }
        self.0.iter_mut().zip(&next.0).for_each(|(a, b)| a.merge(b));
    }
}

impl Analysis for IndexAnalysis {
    type Partial = BandMoments;

    fn spec(&self) -> Spec {
        Spec {
            name: "index".into(),
            reads: self.formula.reads().to_vec(),
            writes: self.bands.clone(),
            scratch_fixed: self.formula.scratch(),
            citations: self.citations.clone(),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, partial: &mut BandMoments) -> Result<()> {
        partial.0.resize(self.bands.len(), Moments::default());
        self.formula.rows(input, |row, results| {
            for (k, (values, band)) in results.iter().zip(&self.bands).enumerate() {
                let moments = &mut partial.0[k];
                for (o, &v) in out.f32_row(k, row).iter_mut().zip(values) {
                    *o = v as f32;
                    if v.is_finite() && band.valid.contains(&v) {
                        moments.add(f64::from(*o));
                    }
                }
            }
            Ok(())
        })
    }
}
