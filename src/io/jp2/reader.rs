//! One worker's handle on a JPEG 2000 image: windows of bands, each block decoded once.

use std::sync::Arc;

use super::decode;
use super::source::Shared;
use super::tiles::{Block, Common};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::raster::{Raw, Reader, Samples};

/// Reads windows of a JPEG 2000 image.
pub(super) struct Jp2Reader {
    shared: Arc<Shared>,
    blocks: BlockDecoder,
    /// Samples of the alpha band, kept between reads.
    alpha: Raw,
}

/// Decodes blocks; remembers the last one.
#[derive(Default)]
struct BlockDecoder {
    /// Codestream of the last tile.
    stream: Vec<u8>,
    tile: Option<u32>,
    /// Samples of the last block.
    data: Vec<u8>,
    last: Option<(usize, usize)>,
    /// The last block, where it came from the cache.
    kept: Option<Arc<Vec<u8>>>,
}

impl Jp2Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, blocks: BlockDecoder::default(), alpha: Raw::default() }
    }

    fn check(&self, bands: &[usize], window: Window, out: usize) -> Result<()> {
        let (cols, rows) = self.shared.stream.tiles.image();
        let inside = window.intersect(&Window::new(0, 0, cols, rows)) == Some(window);
        if !inside || out != bands.len() || bands.iter().any(|b| *b >= self.shared.bands.len()) {
            return Err(Error::bug(format!(
                "{}: bands {bands:?}, {window} asked of an image of {} bands, {cols} x {rows} pixels",
                self.shared.file.name(),
                self.shared.bands.len()
            )));
        }
        Ok(())
    }
}

impl Reader for Jp2Reader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        self.check(bands, window, out.len())?;
        let Self { shared, blocks, alpha } = self;
        let mut all: Vec<(usize, &mut Raw)> = bands.iter().copied().zip(&mut *out).collect();
        if let Some(band) = shared.alpha {
            all.push((band, alpha));
        }
        for (band, raw) in &mut all {
            raw.samples.reset(shared.bands[*band].dtype, window.cells());
            raw.mask = None;
        }
        shared.stream.tiles.each(window, |block, common| {
            let data = blocks.block(shared, block)?;
            for (band, raw) in &mut all {
                let before: usize = shared.bands[..*band].iter().map(|b| b.dtype.bytes()).sum();
                let plane = &data[before * block.cols() * block.rows()..];
                place(plane, block.cols(), common, window.cols, &mut raw.samples);
            }
            Ok(())
        })?;
        if let Some(at) = shared.alpha {
            // The alpha band itself is a plain band: its zeros are values.
            for (_, raw) in bands.iter().zip(&mut *out).filter(|(band, _)| **band != at) {
                raw.mask_by_alpha(alpha);
            }
        }
        shared.file.check_unchanged()
    }
}

impl BlockDecoder {
    /// Samples of a block, component after component.
    fn block(&mut self, shared: &Shared, block: Block) -> Result<&[u8]> {
        if shared.cache.is_open() {
            let kept = shared.cache.block((block.at.0, block.at.1, 0), |memory| {
                (self.data, self.last) = (memory, None);
                self.load(shared, block)?;
                Ok(Some(std::mem::take(&mut self.data)))
            })?;
            self.kept = kept;
            return Ok(self.kept.as_ref().map_or(&[], |b| b.as_slice()));
        }
        if self.last != Some(block.at) {
            self.last = None;
            self.load(shared, block)?;
            self.last = Some(block.at);
        }
        Ok(&self.data)
    }

    fn load(&mut self, shared: &Shared, block: Block) -> Result<()> {
        let (stream, tiles) = (&shared.stream, &shared.stream.tiles);
        let located = |kind, text: &str| {
            let (col, row) = tiles.place(block.tile);
            let name = shared.file.name();
            let rest = text.strip_prefix(name).unwrap_or(text).trim_start_matches(": ");
            Error::new(kind, format!("{name}: tile ({col}, {row}), {}: {rest}", tiles.window(&block)))
        };
        if self.tile != Some(block.tile) {
            self.tile = None;
            stream.cut(&shared.file, block.tile, &mut self.stream).map_err(|e| located(e.kind(), e.message()))?;
            self.tile = Some(block.tile);
        }
        let components = &stream.header.size.components;
        decode::decode(&self.stream, tiles.area(block.tile), block.area, components, &mut self.data).map_err(|why| {
            located(crate::error::Kind::Input, &format!("{why}; the file is damaged or cut short, fetch it again"))
        })
    }
}

/// Copies the common part of a block and a window of `stride` columns.
fn place(plane: &[u8], cols: usize, common: Common, stride: usize, samples: &mut Samples) {
    match samples {
        Samples::U8(v) => copy(plane.as_chunks().0, cols, common, stride, v, u8::from_ne_bytes),
        Samples::I8(v) => copy(plane.as_chunks().0, cols, common, stride, v, i8::from_ne_bytes),
        Samples::U16(v) => copy(plane.as_chunks().0, cols, common, stride, v, u16::from_ne_bytes),
        Samples::I16(v) => copy(plane.as_chunks().0, cols, common, stride, v, i16::from_ne_bytes),
        // Components have at most 16 bits.
        _ => {}
    }
}

fn copy<T, const N: usize>(
    plane: &[[u8; N]],
    cols: usize,
    common: Common,
    stride: usize,
    out: &mut [T],
    convert: impl Fn([u8; N]) -> T,
) {
    for r in 0..common.size.0 {
        let from = &plane[(common.from.0 + r) * cols + common.from.1..][..common.size.1];
        let to = &mut out[(common.to.0 + r) * stride + common.to.1..][..common.size.1];
        to.iter_mut().zip(from).for_each(|(d, s)| *d = convert(*s));
    }
}
