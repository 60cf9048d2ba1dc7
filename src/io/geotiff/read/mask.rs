//! Masks: an internal mask page, and a `.msk` file beside the raster. A pixel is valid only if every mask says so.

use std::path::PathBuf;
use std::sync::Arc;

use super::decode::BlockDecoder;
use super::ifd::{Ifd, Tiff, tag};
use super::image::Image;
use super::reader::{Part, parts};
use crate::error::Result;
use crate::grid::Window;
use crate::io::file::InputFile;
use crate::raster::{Dtype, Raw};

/// Bit of NewSubfileType of a reduced image.
const REDUCED: u64 = 1;
/// Bit of NewSubfileType of a transparency mask.
const TRANSPARENCY: u64 = 4;

/// A mask image of the size of the raster: one band for all, or one for each.
#[derive(Clone)]
pub(super) struct Mask {
    tiff: Tiff,
    image: Arc<Image>,
}

/// True for a page that is an overview (of the raster or of a mask).
pub(super) fn is_overview(tiff: &Tiff, ifd: &Ifd) -> bool {
    matches!(tiff.scalar(ifd, tag::SUBFILE), Ok(Some(kind)) if kind & (REDUCED | TRANSPARENCY) == REDUCED)
}

/// The masks of a raster: among its other pages, and beside it.
///
/// # Errors
/// A mask that is damaged or of another size: ignoring it would make invalid pixels valid.
pub(super) fn find(tiff: &Tiff, image: &Image, others: &[Ifd]) -> Result<Vec<Mask>> {
    let mut found = Vec::new();
    for ifd in others {
        if matches!(tiff.scalar(ifd, tag::SUBFILE), Ok(Some(kind)) if kind & (REDUCED | TRANSPARENCY) == TRANSPARENCY) {
            let mask = Image::new(tiff, ifd).map_err(|e| e.context("internal mask"))?;
            found.push(checked(tiff.clone(), mask, image, "the internal mask")?);
        }
    }
    // A member of an archive has no file beside it.
    if tiff.file.is_part() {
        return Ok(found);
    }
    let mut path = tiff.file.path().as_os_str().to_owned();
    path.push(".msk");
    let path = PathBuf::from(path);
    if path.is_file() {
        let beside = Tiff::open(Arc::new(InputFile::open(&path)?))?;
        let mask = Image::new(&beside, &beside.main()?)?;
        found.push(checked(beside, mask, image, "the mask file")?);
    }
    Ok(found)
}

fn checked(tiff: Tiff, mask: Image, image: &Image, what: &str) -> Result<Mask> {
    if (mask.cols, mask.rows) != (image.cols, image.rows) || (mask.samples != 1 && mask.samples != image.samples) {
        return Err(tiff.file.bad(format!(
            "{what} has {} x {} pixels and {} bands, the raster {} x {} and {}; mend or remove it",
            mask.cols, mask.rows, mask.samples, image.cols, image.rows, image.samples
        )));
    }
    if mask.encoding.dtype != Dtype::U8 {
        return Err(tiff.file.bad(format!("{what} has {} samples, expected 1 or 8 bits", mask.encoding.dtype)));
    }
    Ok(Mask { tiff, image: Arc::new(mask) })
}

impl Mask {
    /// Bytes a reader of this mask holds besides the result.
    pub(super) fn scratch_bytes(&self) -> u64 {
        BlockDecoder::buffer_bytes(&self.image)
    }
}

/// One worker's handle on a mask.
pub(super) struct MaskReader {
    image: Arc<Image>,
    blocks: BlockDecoder,
}

impl MaskReader {
    pub(super) fn new(mask: &Mask) -> Self {
        Self { image: Arc::clone(&mask.image), blocks: BlockDecoder::new(mask.tiff.clone(), Arc::clone(&mask.image)) }
    }

    /// Clears the mask bytes of `out` where this mask says invalid. A block that is absent says invalid.
    ///
    /// # Errors
    /// As reading the raster itself.
    pub(super) fn apply(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        let Self { image, blocks } = self;
        parts(window, (image.block_cols, image.block_rows), |row, col, part| {
            for (band, raw) in bands.iter().zip(&mut *out) {
                let sample = if image.samples == 1 { 0 } else { *band };
                let (plane, sample) = if image.planar { (sample, 0) } else { (0, sample) };
                let stride = if image.planar { 1 } else { image.samples };
                let block = blocks.block(plane, row, col)?;
                clear(block, image.block_cols, stride, sample, part, window, raw);
            }
            Ok(())
        })
    }
}

fn clear(block: Option<&[u8]>, cols: usize, stride: usize, sample: usize, part: Part, window: Window, raw: &mut Raw) {
    let mask = raw.mask.get_or_insert_with(|| vec![1; window.cells()]);
    for r in 0..part.size.0 {
        let to = &mut mask[(part.to.0 + r) * window.cols + part.to.1..][..part.size.1];
        match block {
            None => to.fill(0),
            Some(b) => {
                let start = ((part.from.0 + r) * cols + part.from.1) * stride + sample;
                to.iter_mut().zip(b[start..].iter().step_by(stride)).for_each(|(m, v)| *m &= u8::from(*v != 0));
            }
        }
    }
}
