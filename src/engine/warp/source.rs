//! A source that shows bands of another one on a target grid.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use super::kernel::Kernel;
use super::lattice::Lattice;
use super::native::NativeMask;
use super::reader::WarpReader;
use super::resampling::Resampling;
use crate::engine::pass::MaskSource;
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::raster::{Band, BlockLayout, Dtype, Reader, Source};

/// A band to be shown on the target grid.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// 0-based band of the source.
    pub band: usize,
    /// How its pixels are made.
    pub resampling: Resampling,
    /// Nodata in stored values.
    pub nodata: Option<f64>,
    /// From stored values to a quantity; none for classes and bit flags, which keep their type and take no masks.
    pub quantity: Option<Encoded>,
}

/// How stored values are a quantity.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Scale to the physical quantity.
    pub scale: f64,
    /// Offset to the physical quantity.
    pub offset: f64,
    /// Physical values outside are nodata.
    pub valid: Option<RangeInclusive<f64>>,
}

/// Shows sources on one target grid. Sources on the same grid share the places of the pixels.
pub struct Warper {
    target: Grid,
    lattices: Mutex<Vec<(Grid, Arc<Lattice>)>>,
}

/// What the readers of a warped source share.
pub(super) struct Shared {
    pub(super) inner: Arc<dyn Source>,
    pub(super) wanted: Vec<(Wanted, Kernel)>,
    pub(super) masks: Vec<NativeMask>,
    pub(super) lattice: Arc<Lattice>,
}

struct Warped {
    shared: Arc<Shared>,
    target: Grid,
    bands: Vec<Band>,
    warnings: Vec<String>,
}

impl Warper {
    /// For a target grid.
    #[must_use]
    pub fn new(target: Grid) -> Self {
        Self { target, lattices: Mutex::default() }
    }

    /// The target grid.
    #[must_use]
    pub fn target(&self) -> &Grid {
        &self.target
    }

    /// Pixels of `source` along the edge of a target pixel (the geometric mean of both directions).
    ///
    /// # Errors
    /// Where a grid has no place, or no transform between the reference systems is known.
    pub fn ratio(&self, source: &Grid) -> Result<f64> {
        let (x, y) = self.lattice(source)?.ratio;
        Ok((x * y).sqrt())
    }

    fn lattice(&self, source: &Grid) -> Result<Arc<Lattice>> {
        let known = |all: &[(Grid, Arc<Lattice>)]| all.iter().find(|(g, _)| g == source).map(|(_, l)| Arc::clone(l));
        let mut lattices = self.lattices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lattice) = known(&lattices) {
            return Ok(lattice);
        }
        let lattice = Arc::new(Lattice::new(source, &self.target)?);
        lattices.push((source.clone(), Arc::clone(&lattice)));
        Ok(lattice)
    }

    /// `source` on the target grid: the bands of `wanted`, in that order. `masks` make pixels of quantities invalid before
    /// they are resampled.
    ///
    /// Quantities become physical values in f32 (f64 where the stored type needs it) with NaN for nodata.
    ///
    /// # Errors
    /// As [`Warper::ratio`]; where pixels of a mask and of the source do not coincide, or classes would be mixed.
    pub fn show(
        &self,
        source: Arc<dyn Source>,
        wanted: Vec<Wanted>,
        masks: Vec<MaskSource>,
    ) -> Result<Arc<dyn Source>> {
        let named = |e: Error| e.context(source.name());
        let lattice = self.lattice(source.grid()).map_err(named)?;
        let mut bands = Vec::with_capacity(wanted.len());
        for w in &wanted {
            let band = source.bands().get(w.band).ok_or_else(|| {
                Error::input(format!("{}: there is no band {} to resample", source.name(), w.band + 1))
            })?;
            bands.push(shown(band, w, source.name())?);
        }
        let kernels = wanted.into_iter().map(|w| (Kernel::new(w.resampling, lattice.ratio), w)).map(|(k, w)| (w, k));
        let shared = Shared {
            wanted: kernels.collect(),
            masks: masks
                .into_iter()
                .map(|m| NativeMask::new(m, source.grid(), source.name()))
                .collect::<Result<_>>()?,
            lattice,
            inner: source,
        };
        let mut warnings = shared.inner.warnings().to_vec();
        warnings.extend(shared.lattice.note.clone());
        Ok(Arc::new(Warped { shared: Arc::new(shared), target: self.target.clone(), bands, warnings }))
    }
}

/// The band as it is shown.
fn shown(band: &Band, wanted: &Wanted, source: &str) -> Result<Band> {
    if wanted.quantity.is_none() {
        if !wanted.resampling.keeps_values() {
            return Err(Error::usage(format!(
                "{source}: band {} holds classes or bit flags, which {} would mix; use nearest or mode",
                wanted.band + 1,
                wanted.resampling
            )));
        }
        return Ok(Band { nodata: wanted.nodata, ..band.clone() });
    }
    let dtype = if band.dtype.fits_f32() { Dtype::F32 } else { Dtype::F64 };
    let classes = Vec::new();
    Ok(Band { dtype, nodata: None, scale: 1.0, offset: 0.0, scaled_by_file: false, classes, ..band.clone() })
}

impl Shared {
    /// Pixels of the source around the places that are needed, and those of them inside it; none where the source has
    /// nothing for a window of the target.
    pub(super) fn needed(&self, window: Window) -> Option<(Window, Window)> {
        let e = self.lattice.extent(window)?.0;
        let reach = self.wanted.iter().map(|(_, k)| k.reach()).max().unwrap_or(1);
        let whole = self.inner.grid().window();
        // Far beyond the source nothing is needed; cut before the conversion, places can be anywhere.
        let edge = |v: f64, size: usize| v.clamp(-1e6, size as f64 + 1e6) as i64;
        let (c0, r0) = (edge(e[0].floor(), whole.cols), edge(e[1].floor(), whole.rows));
        let (c1, r1) = (edge(e[2].ceil(), whole.cols), edge(e[3].ceil(), whole.rows));
        let around = Window::new(c0, r0, (c1 - c0).max(1) as usize, (r1 - r0).max(1) as usize).grow(reach);
        let padded = around.intersect(&whole.grow(reach))?;
        Some((padded, padded.intersect(&whole)?))
    }

    /// True where bands are best read together.
    pub(super) fn together(&self) -> bool {
        self.inner.layout().interleaved
    }
}

impl Source for Warped {
    fn name(&self) -> &str {
        self.shared.inner.name()
    }
    fn grid(&self) -> &Grid {
        &self.target
    }
    fn bands(&self) -> &[Band] {
        &self.bands
    }
    fn metadata(&self) -> &[(String, String)] {
        self.shared.inner.metadata()
    }
    fn storage(&self) -> &[(String, String)] {
        self.shared.inner.storage()
    }
    fn layout(&self) -> BlockLayout {
        let (inner, grid) = (self.shared.inner.layout(), self.shared.inner.grid());
        // Strips are best read for a whole row of tiles at once.
        let cols = if inner.cols >= grid.cols { self.target.cols } else { inner.cols.min(self.target.cols) };
        BlockLayout { cols, rows: inner.rows, interleaved: inner.interleaved }
    }
    fn meets_blocks_again(&self) -> bool {
        true
    }
    fn warnings(&self) -> &[String] {
        &self.warnings
    }
    fn scratch_bytes(&self, window: Window) -> u64 {
        let shared = &self.shared;
        let Some((padded, inside)) = shared.needed(window) else { return 0 };
        let bands = shared.inner.bands();
        let sample = |w: &Wanted| bands[w.band].dtype.bytes() as u64 + 1;
        let samples = shared.wanted.iter().map(|(w, _)| sample(w));
        let raw = if shared.together() { samples.sum::<u64>() } else { samples.max().unwrap_or(0) };
        let plane = |w: &Wanted| if bands[w.band].dtype.fits_f32() { 4 } else { 8 };
        let planes = shared.wanted.iter().filter(|(w, _)| w.quantity.is_some()).map(|(w, _)| plane(w)).max();
        let flags = u64::from(!shared.masks.is_empty());
        inside.cells() as u64 * raw
            + padded.cells() as u64 * (planes.unwrap_or(0) + flags)
            + shared.inner.scratch_bytes(inside)
            + shared.masks.iter().map(|m| m.scratch_bytes(padded)).sum::<u64>()
            + shared.lattice.bytes()
    }
    fn kept_bytes(&self, bands: usize, rows: usize) -> u64 {
        // Rows of the source under so many rows of the target, as they lie aslant.
        let shared = &self.shared;
        let down = self.target.rows.div_ceil(rows.max(1));
        let strip = |i: usize| Window::new(0, (i * rows) as i64, self.target.cols, rows);
        let most = (0..down).filter_map(|i| shared.needed(strip(i))).map(|(_, inside)| inside.rows).max();
        most.map_or(0, |rows| shared.inner.kept_bytes(bands, rows))
    }
    fn keep_blocks(&self, bytes: u64) {
        self.shared.inner.keep_blocks(bytes);
    }
    fn is_empty(&self, window: Window) -> bool {
        self.shared.needed(window).is_none_or(|(_, inside)| self.shared.inner.is_empty(inside))
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(WarpReader::new(Arc::clone(&self.shared))?))
    }
}
