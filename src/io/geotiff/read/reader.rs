//! One worker's handle on a GeoTIFF: windows of bands, each block decoded once.

use std::sync::Arc;

use super::decode::BlockDecoder;
use super::mask::MaskReader;
use super::source::Shared;
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::raster::{Raw, Reader, Samples};

/// Reads windows of a GeoTIFF.
pub(super) struct GeoTiffReader {
    shared: Arc<Shared>,
    blocks: BlockDecoder,
    masks: Vec<MaskReader>,
    /// Samples of the alpha band, kept between reads.
    alpha: Option<(usize, Raw)>,
}

/// The part of a block that lies in a window.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// First row and column inside the block.
    pub(super) from: (usize, usize),
    /// First row and column inside the window.
    pub(super) to: (usize, usize),
    /// Rows and columns.
    pub(super) size: (usize, usize),
}

/// Calls `f` for every block of `edge` (columns, rows) that meets `window`, with its (row, column) and the common part.
pub(super) fn parts(
    window: Window,
    edge: (usize, usize),
    mut f: impl FnMut(usize, usize, Part) -> Result<()>,
) -> Result<()> {
    let (c0, r0) = (window.col as usize, window.row as usize);
    for row in r0 / edge.1..(r0 + window.rows).div_ceil(edge.1) {
        for col in c0 / edge.0..(c0 + window.cols).div_ceil(edge.0) {
            let (top, left) = (r0.max(row * edge.1), c0.max(col * edge.0));
            let (bottom, right) =
                ((r0 + window.rows).min((row + 1) * edge.1), (c0 + window.cols).min((col + 1) * edge.0));
            f(
                row,
                col,
                Part {
                    from: (top - row * edge.1, left - col * edge.0),
                    to: (top - r0, left - c0),
                    size: (bottom - top, right - left),
                },
            )?;
        }
    }
    Ok(())
}

impl GeoTiffReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let blocks = BlockDecoder::new(shared.tiff.clone(), Arc::clone(&shared.image));
        let blocks = blocks.cached(Arc::clone(&shared.cache));
        let masks = shared.masks.iter().map(MaskReader::new).collect();
        let alpha = shared.alpha.map(|band| (band, Raw::default()));
        Self { shared, blocks, masks, alpha }
    }

    fn check(&self, bands: &[usize], window: Window, out: usize) -> Result<()> {
        let image = &self.shared.image;
        let inside = window.col >= 0
            && window.row >= 0
            && window.col_end() <= image.cols as i64
            && window.row_end() <= image.rows as i64;
        if !inside || out != bands.len() || bands.iter().any(|b| *b >= image.samples) {
            return Err(Error::bug(format!(
                "{}: bands {bands:?}, {window} asked of a raster of {} bands, {} x {} pixels",
                self.shared.tiff.file.name(),
                image.samples,
                image.cols,
                image.rows
            )));
        }
        Ok(())
    }
}

impl Reader for GeoTiffReader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        self.check(bands, window, out.len())?;
        let Self { shared, blocks, masks, alpha } = self;
        let image = &shared.image;
        let cells = window.cells();
        let mut all: Vec<(usize, &mut Raw)> = bands.iter().copied().zip(&mut *out).collect();
        if let Some((band, raw)) = alpha {
            all.push((*band, raw));
        }
        for (band, raw) in &mut all {
            raw.samples.reset(shared.bands[*band].dtype, cells);
            raw.mask = None;
        }
        blocks.take_up();
        parts(window, (image.block_cols, image.block_rows), |row, col, part| {
            if image.planar {
                for (band, raw) in &mut all {
                    let block = blocks.block(*band, row, col)?;
                    place(shared, *band, block, 0, 1, part, window.cols, raw);
                }
            } else {
                let block = blocks.block(0, row, col)?;
                for (band, raw) in &mut all {
                    place(shared, *band, block, *band, image.samples, part, window.cols, raw);
                }
            }
            Ok(())
        })?;
        blocks.lay_down();
        if let Some((at, alpha)) = alpha {
            // The alpha band itself is a plain band: its zeros are values.
            for (_, raw) in bands.iter().zip(&mut *out).filter(|(band, _)| **band != *at) {
                raw.mask_by_alpha(alpha);
            }
        }
        for mask in masks {
            mask.apply(bands, window, out)?;
        }
        shared.tiff.file.check_unchanged()
    }
}

/// Puts the part of a block into the window's samples; an absent block is nodata, or 0 where the band has none.
fn place(
    shared: &Shared,
    band: usize,
    block: Option<&[u8]>,
    sample: usize,
    samples: usize,
    part: Part,
    stride: usize,
    raw: &mut Raw,
) {
    let Some(block) = block else {
        if let Some(nodata) = shared.bands[band].nodata {
            absent(raw, nodata, part, stride);
        }
        return;
    };
    let image = &shared.image;
    let row_samples = image.block_cols * samples;
    macro_rules! copy {
        ($v:expr, $n:literal, $from:expr) => {
            copy_part(block.as_chunks::<$n>().0, (row_samples, sample, samples), $v, stride, part, $from)
        };
    }
    match &mut raw.samples {
        Samples::U8(v) => copy!(v, 1, u8::from_ne_bytes),
        Samples::I8(v) => copy!(v, 1, i8::from_ne_bytes),
        Samples::U16(v) => copy!(v, 2, u16::from_ne_bytes),
        Samples::I16(v) => copy!(v, 2, i16::from_ne_bytes),
        Samples::U32(v) => copy!(v, 4, u32::from_ne_bytes),
        Samples::I32(v) => copy!(v, 4, i32::from_ne_bytes),
        Samples::U64(v) => copy!(v, 8, u64::from_ne_bytes),
        Samples::I64(v) => copy!(v, 8, i64::from_ne_bytes),
        Samples::F32(v) if image.encoding.half => copy!(v, 2, |b| half::f16::from_ne_bytes(b).to_f32()),
        Samples::F32(v) => copy!(v, 4, f32::from_ne_bytes),
        Samples::F64(v) => copy!(v, 8, f64::from_ne_bytes),
    }
}

fn copy_part<T, const N: usize>(
    block: &[[u8; N]],
    (row_samples, sample, samples): (usize, usize, usize),
    out: &mut [T],
    stride: usize,
    part: Part,
    convert: impl Fn([u8; N]) -> T,
) {
    for r in 0..part.size.0 {
        let start = (part.from.0 + r) * row_samples + part.from.1 * samples + sample;
        let to = &mut out[(part.to.0 + r) * stride + part.to.1..][..part.size.1];
        if samples == 1 {
            // Without a step the compiler turns this into a plain copy.
            to.iter_mut().zip(&block[start..start + part.size.1]).for_each(|(d, s)| *d = convert(*s));
        } else {
            to.iter_mut().zip(block[start..].iter().step_by(samples)).for_each(|(d, s)| *d = convert(*s));
        }
    }
}

fn absent(raw: &mut Raw, nodata: f64, part: Part, stride: usize) {
    let rows = |r: usize| (part.to.0 + r) * stride + part.to.1..(part.to.0 + r) * stride + part.to.1 + part.size.1;
    let len = raw.samples.len();
    let mask = raw.mask.get_or_insert_with(|| vec![1; len]);
    for r in 0..part.size.0 {
        mask[rows(r)].fill(0);
        fill(&mut raw.samples, rows(r), nodata);
    }
}

fn fill(samples: &mut Samples, range: std::ops::Range<usize>, nodata: f64) {
    match samples {
        Samples::U8(v) => v[range].fill(nodata as u8),
        Samples::I8(v) => v[range].fill(nodata as i8),
        Samples::U16(v) => v[range].fill(nodata as u16),
        Samples::I16(v) => v[range].fill(nodata as i16),
        Samples::U32(v) => v[range].fill(nodata as u32),
        Samples::I32(v) => v[range].fill(nodata as i32),
        Samples::U64(v) => v[range].fill(nodata as u64),
        Samples::I64(v) => v[range].fill(nodata as i64),
        Samples::F32(v) => v[range].fill(nodata as f32),
        Samples::F64(v) => v[range].fill(nodata),
    }
}
