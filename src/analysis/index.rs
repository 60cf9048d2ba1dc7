//! Spectral indices: any number of formulas over one reading of the bands.

use std::sync::Arc;

use super::formula::Formula;
use super::means::ZoneMeans;
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

/// Means of each band as written, by zone; empty without zones.
#[derive(Debug, Default)]
pub struct BandMeans(pub Vec<ZoneMeans>);

impl Partial for BandMeans {
    fn merge(&mut self, next: Self) {
        if self.0.len() < next.0.len() {
            self.0.resize(next.0.len(), ZoneMeans::default());
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
            scratch_fixed: self.formula.scratch() + self.bands.len() as u64 * ZoneMeans::bytes(self.zones.as_ref()),
            empty_adds_nothing: self.formula.is_void_of_nodata(),
            citations: self.citations.clone(),
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        self.zones.as_ref().map_or(0, |z| z.bytes())
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, partial: &mut BandMeans) -> Result<()> {
        self.formula.write(input, out)?;
        let Some(zones) = &self.zones else { return Ok(()) };
        partial.0.resize(self.bands.len(), ZoneMeans::default());
        for ((plane, band), means) in out.planes.iter().zip(&self.bands).zip(&mut partial.0) {
            let OutPlane::F32(values) = plane else { continue };
            means.add(zones, input.window, values, |v| v.is_finite() && band.valid.contains(&f64::from(v)));
        }
        Ok(())
    }
}
