//! Reading a window of the target: the source's pixels under it, decoded and masked, then resampled band by band.

use std::sync::Arc;

use super::kernel::{Bench, Held, resample};
use super::native::MaskDesk;
use super::source::Shared;
use super::stored::{self, Stored};
use crate::engine::decode::{Decoding, decode};
use crate::engine::outcome::ChannelCounts;
use crate::error::Result;
use crate::grid::{Nest, Window};
use crate::raster::plane::Values;
use crate::raster::{Dtype, Plane, Raw, Reader, Samples};

/// One worker's handle, with buffers that are kept from window to window.
pub(super) struct WarpReader {
    shared: Arc<Shared>,
    inner: Box<dyn Reader>,
    masks: Vec<MaskDesk>,
    flags: Vec<u8>,
    raws: Vec<Raw>,
    plane: Plane,
    bench: Bench,
}

impl WarpReader {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        let inner = shared.inner.open()?;
        let masks = shared.masks.iter().map(|_| MaskDesk::default()).collect();
        let plane = Plane::from_f32(0, 0, Vec::new());
        Ok(Self { shared, inner, masks, flags: Vec::new(), raws: Vec::new(), plane, bench: Bench::default() })
    }

    /// The pixels of `padded` that a mask makes invalid.
    fn evaluate(&mut self, padded: Window) -> Result<()> {
        self.flags.clear();
        self.flags.resize(padded.cells(), 0);
        for (mask, desk) in self.shared.masks.iter().zip(&mut self.masks) {
            mask.apply(padded, desk, &mut self.flags)?;
        }
        Ok(())
    }

    /// One band of `window` from the samples of `inside`.
    fn band(&mut self, band: usize, raw: usize, window: Window, place: (Window, Window), out: &mut Raw) -> Result<()> {
        let shared = &self.shared;
        let (wanted, kernel) = &shared.wanted[band];
        let (padded, inside) = place;
        let raw = &self.raws[raw];
        let grid = shared.inner.grid();
        let size = (grid.cols, grid.rows);
        let Some(quantity) = &wanted.quantity else {
            let stored = Stored { raw, window: inside, nodata: wanted.nodata, size };
            let mode = wanted.resampling == super::Resampling::Mode;
            let mask = out.mask.get_or_insert_default();
            stored::resample(mode, &shared.lattice, stored, window, &mut self.bench, &mut out.samples, mask);
            return Ok(());
        };
        let plane = &mut self.plane;
        let narrow = raw.samples.dtype().fits_f32();
        if narrow != matches!(plane.values, Values::F32(_)) {
            plane.values = if narrow { Values::F32(Vec::new()) } else { Values::F64(Vec::new()) };
        }
        (plane.scale, plane.offset) = (quantity.scale, quantity.offset);
        let name = &shared.inner.bands()[wanted.band].name;
        let job = Decoding {
            what: (shared.inner.name(), name),
            raw: Some((raw, inside)),
            nest: Nest { col: 0, row: 0, factor: 1 },
            window: padded,
            halo: 0,
            nodata: wanted.nodata,
            valid: quantity.valid.as_ref().map(|v| (*v.start(), *v.end())),
            masks: if shared.masks.is_empty() { Vec::new() } else { vec![self.flags.as_slice()] },
            keep: None,
        };
        decode(&job, plane, &mut ChannelCounts::default())?;
        let encoding = (quantity.scale, quantity.offset);
        match (&plane.values, &mut out.samples) {
            (Values::F32(v), Samples::F32(out)) => {
                let held = Held { values: v, window: padded };
                resample(*kernel, &shared.lattice, size, held, encoding, window, &mut self.bench, out);
            }
            (Values::F64(v), Samples::F64(out)) => {
                let held = Held { values: v, window: padded };
                resample(*kernel, &shared.lattice, size, held, encoding, window, &mut self.bench, out);
            }
            // Made of the same type before.
            _ => {}
        }
        Ok(())
    }
}

/// Nodata in all cells of what a band is read into.
fn blank(shared: &Shared, band: usize, cells: usize, out: &mut Raw) {
    let wanted = &shared.wanted[band].0;
    let dtype = shared.inner.bands()[wanted.band].dtype;
    if wanted.quantity.is_none() {
        stored::blank(out, dtype, wanted.nodata, cells);
        return;
    }
    out.mask = None;
    out.samples.reset(if dtype.fits_f32() { Dtype::F32 } else { Dtype::F64 }, cells);
    match &mut out.samples {
        Samples::F32(v) => v.fill(f32::NAN),
        Samples::F64(v) => v.fill(f64::NAN),
        _ => {}
    }
}

impl Reader for WarpReader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        for (band, raw) in bands.iter().zip(&mut *out) {
            blank(&self.shared, *band, window.cells(), raw);
        }
        let place = self.shared.needed(window).filter(|(_, inside)| !self.shared.inner.is_empty(*inside));
        let Some(place) = place else { return Ok(()) };
        if bands.iter().any(|b| self.shared.wanted[*b].0.quantity.is_some()) && !self.masks.is_empty() {
            self.evaluate(place.0)?;
        }
        let group = if self.shared.together() { bands.len() } else { 1 };
        for (bands, out) in bands.chunks(group.max(1)).zip(out.chunks_mut(group.max(1))) {
            let inner: Vec<usize> = bands.iter().map(|b| self.shared.wanted[*b].0.band).collect();
            self.raws.resize_with(inner.len().max(self.raws.len()), Raw::default);
            self.inner.read(&inner, place.1, &mut self.raws[..inner.len()])?;
            for (k, (band, out)) in bands.iter().zip(out).enumerate() {
                self.band(*band, k, window, place, out)?;
            }
        }
        Ok(())
    }
}
