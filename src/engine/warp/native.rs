//! Mask bands on the pixels of the band they mask.

use std::sync::Arc;

use crate::engine::mask;
use crate::engine::pass::MaskSource;
use crate::engine::plan::Input;
use crate::error::{Error, Result};
use crate::grid::{Grid, Nest, Window};
use crate::raster::{Raw, Reader};

/// A mask and how it lies on the grid of the bands it masks.
pub(super) struct NativeMask {
    mask: MaskSource,
    fit: Fit,
}

enum Fit {
    /// One pixel of the mask covers whole pixels of the band.
    Coarser(Input),
    /// One pixel of the band covers whole pixels of the mask: any invalid one makes it invalid.
    Finer(Nest),
}

/// A reader's part in a mask.
#[derive(Default)]
pub(super) struct MaskDesk {
    reader: Option<Box<dyn Reader>>,
    raw: Raw,
    marks: Vec<u8>,
    flags: Vec<u8>,
}

impl NativeMask {
    /// # Errors
    /// Where the pixels of mask and band do not coincide.
    pub(super) fn new(mask: MaskSource, band: &Grid, name: &str) -> Result<Self> {
        let fit = match band.nest(mask.source.grid()) {
            Ok(nest) => Fit::Coarser(Input {
                source: Arc::clone(&mask.source),
                nest,
                bands: vec![mask.band],
                grow: mask.reach(),
                keep: 0,
            }),
            Err(e) => Fit::Finer(mask.source.grid().nest(band).map_err(|_| {
                Error::new(e.kind(), format!("mask {} does not fit {name}: {}", mask.source.name(), e.message()))
            })?),
        };
        Ok(Self { mask, fit })
    }

    /// Pixels of the mask under a window of the band.
    fn under(&self, window: Window) -> Window {
        match &self.fit {
            Fit::Coarser(input) => input.under(window),
            Fit::Finer(nest) => {
                let k = nest.factor as i64;
                let (col, row) = (nest.col + window.col * k, nest.row + window.row * k);
                Window::new(col, row, window.cols * nest.factor, window.rows * nest.factor)
            }
        }
    }

    fn read_window(&self, window: Window) -> Option<Window> {
        self.under(window).grow(self.mask.reach()).intersect(&self.mask.source.grid().window())
    }

    /// Bytes evaluating a window of the band takes.
    pub(super) fn scratch_bytes(&self, window: Window) -> u64 {
        let Some(inside) = self.read_window(window) else { return 0 };
        let sample = self.mask.source.bands()[self.mask.band].dtype.bytes() as u64;
        let steps = if self.mask.buffer_px > 0 { 8 } else { 0 };
        inside.cells() as u64 * (sample + 2 + steps)
            + self.under(window).cells() as u64
            + self.mask.source.scratch_bytes(inside)
    }

    /// Adds the invalid pixels of `window` (on the band) to `flags`.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn apply(&self, window: Window, desk: &mut MaskDesk, flags: &mut [u8]) -> Result<()> {
        let area = self.under(window);
        let inside = self.read_window(window).filter(|w| !self.mask.source.is_empty(*w));
        if let Some(inside) = inside {
            let reader = match &mut desk.reader {
                Some(reader) => reader,
                empty => empty.insert(self.mask.source.open()?),
            };
            reader.read(&[self.mask.band], inside, std::slice::from_mut(&mut desk.raw))?;
        }
        let nodata = self.mask.source.bands()[self.mask.band].nodata;
        let raw = inside.map(|w| (&desk.raw, w));
        mask::evaluate(&self.mask, nodata, raw, area, &mut desk.marks, &mut desk.flags);
        for (r, line) in flags.chunks_exact_mut(window.cols).enumerate() {
            match &self.fit {
                Fit::Coarser(input) => {
                    let k = input.nest.factor as i64;
                    let row = (window.row + r as i64 - input.nest.row).div_euclid(k) - area.row;
                    let from = &desk.flags[row as usize * area.cols..][..area.cols];
                    if k == 1 {
                        line.iter_mut().zip(from).for_each(|(f, m)| *f |= m);
                    } else {
                        let at = |c: usize| (window.col + c as i64 - input.nest.col).div_euclid(k) - area.col;
                        line.iter_mut().enumerate().for_each(|(c, f)| *f |= from[at(c) as usize]);
                    }
                }
                Fit::Finer(nest) => {
                    for from in desk.flags[r * nest.factor * area.cols..].chunks_exact(area.cols).take(nest.factor) {
                        let any = |m: &[u8]| m.iter().fold(0, |a, b| a | b);
                        line.iter_mut().zip(from.chunks_exact(nest.factor)).for_each(|(f, m)| *f |= any(m));
                    }
                }
            }
        }
        Ok(())
    }
}
