//! Spectral indices: any number of formulas over one reading of the bands.

use std::sync::Arc;

use super::formula::Formula;
use super::means::Means;
use crate::engine::{Analysis, OutBand, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::raster::OutPlane;
use crate::vector::ZoneIndex;

/// Evaluates formulas into one f32 band each.
pub struct IndexAnalysis {
    formula: Formula,
    bands: Vec<OutBand>,
    citations: Vec<&'static str>,
    zones: Option<Arc<ZoneIndex>>,
}

impl IndexAnalysis {
    /// One band for each result of `formula`, in order. Values outside a band's valid range become nodata.
    #[must_use]
    pub fn new(
        formula: Formula,
        bands: Vec<OutBand>,
        citations: Vec<&'static str>,
        zones: Option<Arc<ZoneIndex>>,
    ) -> Self {
        Self { formula, bands, citations, zones }
    }
}

/// Means of each band as written, of the raster and by zone.
#[derive(Debug, Default)]
pub struct BandMeans(pub Vec<Means>);

impl Partial for BandMeans {
    fn merge(&mut self, next: Self) {
        if self.0.len() < next.0.len() {
            self.0.resize(next.0.len(), Means::default());
        }
        self.0.iter_mut().zip(next.0).for_each(|(a, b)| a.merge(b));
    }
}

impl Analysis for IndexAnalysis {
    type Partial = BandMeans;

    fn spec(&self) -> Spec {
        Spec {
            name: "index".into(),
            reads: self.formula.reads().to_vec(),
            writes: self.bands.clone(),
            scratch_per_cell: 4 + self.zones.as_ref().map_or(0, |_| ZoneIndex::SCRATCH_PER_CELL),
            scratch_fixed: self.formula.scratch() + self.bands.len() as u64 * Means::bytes(self.zones.as_ref()),
            citations: self.citations.clone(),
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        self.zones.as_ref().map_or(0, |z| z.bytes())
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, partial: &mut BandMeans) -> Result<()> {
        partial.0.resize(self.bands.len(), Means::default());
        self.formula.rows(input, |row, results| {
            for (k, values) in results.iter().enumerate() {
                for (o, &v) in out.f32_row(k, row).iter_mut().zip(values) {
                    *o = v as f32;
                }
            }
            Ok(())
        })?;
        for ((plane, band), means) in out.planes.iter().zip(&self.bands).zip(&mut partial.0) {
            let OutPlane::F32(values) = plane else { continue };
            // The engine makes nodata of what is not finite or out of range, after this; the means leave it out too.
            let keep = |v: &f32| if v.is_finite() && band.valid.contains(&f64::from(*v)) { *v } else { f32::NAN };
            let kept: Vec<f32> = values.iter().map(keep).collect();
            means.add(self.zones.as_ref(), input.window, &kept);
        }
        Ok(())
    }
}
