//! One image of a TIFF: its shape, how samples are stored, and what is not supported, said by name.

use std::sync::Arc;

use super::blocks::{Blocks, Place};
use super::codec::Codec;
use super::ifd::{Ifd, Order, Tiff, tag};
use super::reader::parts;
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::raster::Dtype;

/// A block that decodes to more than this is refused: it would have to be held whole, many times in parallel.
const MOST_BLOCK_BYTES: u64 = 512 << 20;
/// Raster sizes up to this are read, as in GDAL.
const MOST_PIXELS: u64 = i32::MAX as u64;
/// Bands up to this are read, as in GDAL.
const MOST_BANDS: u64 = 65_534;
/// Rows of an uncompressed strip are read in parts of about this size, so that one huge strip costs no memory.
const PART_BYTES: usize = 256 << 10;

/// How stored bytes differ from plain samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predictor {
    /// Plain samples.
    None,
    /// Differences along a row, per sample.
    Horizontal,
    /// Byte planes of floats, differences along a row.
    Float,
}

/// How one sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    /// Type after decoding; fewer bits widen to u8 or u16, 16-bit floats to f32.
    pub(super) dtype: Dtype,
    /// Bits in the file.
    pub(super) bits: u16,
    /// True for 16-bit floats.
    pub(super) half: bool,
    /// Byte order of samples in blocks.
    pub(super) order: Order,
}

impl Encoding {
    /// True where samples do not fill whole bytes.
    pub(super) fn is_packed(&self) -> bool {
        !matches!(self.bits, 8 | 16 | 32 | 64)
    }

    /// Bytes of a sample in a decoded block (before widening of 16-bit floats).
    pub(super) fn width(&self) -> usize {
        (self.bits as usize).div_ceil(8)
    }
}

/// Shape and storage of one image, checked.
pub(super) struct Image {
    pub(super) cols: usize,
    pub(super) rows: usize,
    pub(super) samples: usize,
    /// Each block holds one band.
    pub(super) planar: bool,
    pub(super) tiled: bool,
    pub(super) block_cols: usize,
    pub(super) block_rows: usize,
    pub(super) encoding: Encoding,
    pub(super) codec: Codec,
    pub(super) predictor: Predictor,
    pub(super) photometric: u64,
    /// Meaning of the samples beyond those of the photometric interpretation (1 and 2 are alpha).
    pub(super) extra: Vec<u64>,
    pub(super) jpeg_tables: Option<Arc<[u8]>>,
    pub(super) blocks: Blocks,
    /// Uncompressed strips are split into parts; stored strip rows where that was done.
    strip_rows: usize,
}

impl Image {
    /// Reads the tags that say how pixels are stored.
    ///
    /// # Errors
    /// What is damaged, contradictory or not supported, by name.
    pub(super) fn new(tiff: &Tiff, ifd: &Ifd) -> Result<Self> {
        let need = |t: u16, name: &str| {
            tiff.scalar(ifd, t)?.ok_or_else(|| tiff.file.bad(format!("tag {name} is missing; the file is damaged")))
        };
        let cols = size(tiff, "width", need(tag::WIDTH, "ImageWidth")?, MOST_PIXELS)?;
        let rows = size(tiff, "height", need(tag::LENGTH, "ImageLength")?, MOST_PIXELS)?;
        let samples = size(tiff, "number of bands", tiff.scalar(ifd, tag::SAMPLES)?.unwrap_or(1), MOST_BANDS)?;
        let planar = match tiff.scalar(ifd, tag::PLANAR)?.unwrap_or(1) {
            1 => false,
            2 => true,
            other => return Err(tiff.file.bad(format!("planar configuration is {other}, expected 1 or 2"))),
        };
        let encoding = encoding(tiff, ifd, samples)?;
        let codec = Codec::from_tag(tiff.scalar(ifd, tag::COMPRESSION)?.unwrap_or(1)).map_err(|e| tiff.file.bad(e))?;
        let predictor = predictor(tiff, ifd, encoding, codec)?;
        if tiff.scalar(ifd, tag::FILL_ORDER)?.unwrap_or(1) != 1 {
            return Err(unsupported(tiff, "bits stored from the low end (FillOrder 2)"));
        }
        let photometric = tiff.scalar(ifd, tag::PHOTOMETRIC)?.unwrap_or(1);
        if photometric == 6 && codec != Codec::Jpeg {
            return Err(unsupported(tiff, "YCbCr colours without JPEG compression"));
        }
        let extra = ifd.get(tag::EXTRA_SAMPLES).map(|e| tiff.integers(e, MOST_BANDS)).transpose()?.unwrap_or_default();
        let jpeg_tables = match ifd.get(tag::JPEG_TABLES) {
            Some(e) if codec == Codec::Jpeg => Some(tiff.bytes(e, 1 << 16)?.into()),
            _ => None,
        };
        if codec == Codec::Jpeg && encoding.dtype != Dtype::U8 {
            return Err(unsupported(tiff, "JPEG compression of samples other than 8-bit"));
        }
        let tiled = ifd.get(tag::TILE_WIDTH).is_some() || ifd.get(tag::TILE_OFFSETS).is_some();
        let (block_cols, strip_rows) = if tiled {
            (tile_edge(tiff, "width", need(tag::TILE_WIDTH, "TileWidth")?)?, {
                tile_edge(tiff, "height", need(tag::TILE_LENGTH, "TileLength")?)?
            })
        } else {
            match tiff.scalar(ifd, tag::ROWS_PER_STRIP)? {
                Some(0) => return Err(tiff.file.bad("RowsPerStrip is 0; the file is damaged")),
                given => (cols, given.unwrap_or(u64::MAX).min(rows as u64) as usize),
            }
        };
        let down = rows.div_ceil(strip_rows) as u64;
        let planes = if planar { samples as u64 } else { 1 };
        let count = (cols.div_ceil(block_cols) as u64).checked_mul(down).and_then(|n| n.checked_mul(planes));
        let count = count.ok_or_else(|| tiff.file.bad("the number of blocks overflows; the file is damaged"))?;
        let (offsets, counts) =
            if tiled { (tag::TILE_OFFSETS, tag::TILE_COUNTS) } else { (tag::STRIP_OFFSETS, tag::STRIP_COUNTS) };
        let offsets =
            ifd.get(offsets).ok_or_else(|| tiff.file.bad("block offsets are missing; the file is damaged"))?;
        let counts = ifd.get(counts);
        if counts.is_none() && codec != Codec::None {
            return Err(tiff.file.bad("block byte counts are missing for compressed blocks; the file is damaged"));
        }
        let blocks = Blocks::new(tiff, offsets, counts, count)?;
        let mut image = Self {
            cols,
            rows,
            samples,
            planar,
            tiled,
            block_cols,
            block_rows: strip_rows,
            encoding,
            codec,
            predictor,
            photometric,
            extra,
            jpeg_tables,
            blocks,
            strip_rows,
        };
        image.split_plain_strips();
        let bytes = image.checked_block_bytes().filter(|b| *b <= MOST_BLOCK_BYTES).ok_or_else(|| {
            Error::limit(format!(
                "{}: one block of {} x {} pixels decodes to over {} MiB; rewrite the file in tiles (gdal_translate -co \
                 TILED=YES)",
                tiff.file.name(),
                image.block_cols,
                image.block_rows,
                MOST_BLOCK_BYTES >> 20
            ))
        })?;
        debug_assert_eq!(bytes as usize, image.block_bytes());
        Ok(image)
    }

    /// An uncompressed strip can be read in parts at any row, so the reader sees short ones.
    fn split_plain_strips(&mut self) {
        if self.tiled || self.codec != Codec::None || self.row_bytes() == 0 {
            return;
        }
        let part = (PART_BYTES / self.row_bytes()).max(1);
        if self.strip_rows > part {
            // The parts of one strip must not reach into the next.
            let only = self.strip_rows >= self.rows;
            let fits = |n: &usize| only || self.strip_rows.is_multiple_of(*n);
            self.block_rows = (1..=part).rev().find(fits).unwrap_or(1);
        }
    }

    fn checked_block_bytes(&self) -> Option<u64> {
        let bits = (self.block_cols as u64).checked_mul(self.block_samples() as u64)?;
        let row = bits.checked_mul(u64::from(self.encoding.bits))?.div_ceil(8);
        row.checked_mul(self.block_rows as u64)
    }

    /// Samples a pixel of a block holds.
    pub(super) fn block_samples(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Stored bytes of a row of a block.
    pub(super) fn row_bytes(&self) -> usize {
        (self.block_cols * self.block_samples() * self.encoding.bits as usize).div_ceil(8)
    }

    /// Stored bytes of a whole block.
    pub(super) fn block_bytes(&self) -> usize {
        self.row_bytes() * self.block_rows
    }

    /// Decoded bytes of a whole block.
    pub(super) fn decoded_bytes(&self) -> usize {
        self.block_cols * self.block_samples() * self.encoding.width() * self.block_rows
    }

    /// Blocks along a row.
    pub(super) fn across(&self) -> usize {
        self.cols.div_ceil(self.block_cols)
    }

    /// Rows of pixels a block at block row `row` must hold: strips end with the image, tiles do not.
    pub(super) fn rows_in(&self, row: usize) -> usize {
        if self.tiled { self.block_rows } else { self.block_rows.min(self.rows - row * self.block_rows) }
    }

    /// Index into the tables, and bytes into the stored block, of the block at (`row`, `col`) of band `plane` (0 where
    /// not planar).
    pub(super) fn index(&self, plane: usize, row: usize, col: usize) -> (u64, u64) {
        let parts = self.strip_rows.div_ceil(self.block_rows);
        let down = self.rows.div_ceil(self.strip_rows);
        let stored = row / parts;
        let part = row - stored * parts;
        let index = (plane as u64 * down as u64 + stored as u64) * self.across() as u64 + col as u64;
        (index, (part * self.block_rows) as u64 * self.row_bytes() as u64)
    }

    /// Band that says how opaque a pixel is.
    pub(super) fn alpha(&self) -> Option<usize> {
        let first = self.samples.checked_sub(self.extra.len())?;
        // 1 is alpha with colours multiplied by it, 2 without.
        self.extra.iter().position(|e| matches!(e, 1 | 2)).map(|i| first + i)
    }

    /// True where every block that meets `window` is known to be absent.
    pub(super) fn is_absent(&self, tiff: &Tiff, window: Window) -> bool {
        let planes = if self.planar { self.samples } else { 1 };
        parts(window, (self.block_cols, self.block_rows), |row, col, _| {
            for plane in 0..planes {
                let (index, _) = self.index(plane, row, col);
                if self.blocks.place(tiff, index, self.stored_bytes(row))? != Place::Absent {
                    return Err(tiff.file.bad("present"));
                }
            }
            Ok(())
        })
        .is_ok()
    }

    /// Stored bytes of the strip or tile at block row `row`, for files without byte counts.
    pub(super) fn stored_bytes(&self, row: usize) -> u64 {
        let parts = self.strip_rows.div_ceil(self.block_rows);
        let first = row / parts * self.strip_rows;
        let rows = if self.tiled { self.strip_rows } else { self.strip_rows.min(self.rows - first) };
        rows as u64 * self.row_bytes() as u64
    }
}

/// An error that names what is not supported and the remedy.
pub(super) fn unsupported(tiff: &Tiff, what: &str) -> Error {
    tiff.file.bad(format!("{NOT_SUPPORTED}{what}; {REMEDY}"))
}

/// How messages about features only GDAL reads begin.
pub(crate) const NOT_SUPPORTED: &str = "not supported: ";

/// What to do about a TIFF only GDAL reads.
pub(super) const REMEDY: &str = if cfg!(feature = "gdal") {
    "convert the file: gdal_translate -co COMPRESS=DEFLATE IN OUT.tif"
} else {
    "build regrow with --features gdal, or convert the file: gdal_translate -co COMPRESS=DEFLATE IN OUT.tif"
};

fn size(tiff: &Tiff, what: &str, value: u64, most: u64) -> Result<usize> {
    if (1..=most).contains(&value) {
        return Ok(value as usize);
    }
    Err(tiff.file.bad(format!("{what} is {value}, expected 1 to {most}; the file is damaged")))
}

fn tile_edge(tiff: &Tiff, what: &str, value: u64) -> Result<usize> {
    if value > 0 && value.is_multiple_of(16) && value <= MOST_PIXELS {
        return Ok(value as usize);
    }
    Err(tiff.file.bad(format!("tile {what} is {value}, expected a multiple of 16; the file is damaged")))
}

fn encoding(tiff: &Tiff, ifd: &Ifd, samples: usize) -> Result<Encoding> {
    let same = |t: u16, name: &str, default: u64| -> Result<u64> {
        let Some(entry) = ifd.get(t) else { return Ok(default) };
        let values = tiff.integers(entry, MOST_BANDS)?;
        let first = *values.first().ok_or_else(|| tiff.file.bad(format!("tag {name} has no value")))?;
        if values.iter().any(|v| *v != first) {
            return Err(unsupported(tiff, &format!("bands of different types ({name} {values:?})")));
        }
        // One value for many bands is common and means all; any other number contradicts the band count.
        if values.len() != 1 && values.len() < samples {
            return Err(tiff.file.bad(format!("{} values of {name} for {samples} bands", values.len())));
        }
        Ok(first)
    };
    let bits = same(tag::BITS, "BitsPerSample", 1)?;
    let format = same(tag::SAMPLE_FORMAT, "SampleFormat", 1)?;
    // 4 is "undefined", which readers take as unsigned.
    let dtype = match (format, bits) {
        (1 | 4, 1..=8) => Dtype::U8,
        (1 | 4, 9..=16) => Dtype::U16,
        (1 | 4, 32) => Dtype::U32,
        (1 | 4, 64) => Dtype::U64,
        (2, 8) => Dtype::I8,
        (2, 16) => Dtype::I16,
        (2, 32) => Dtype::I32,
        (2, 64) => Dtype::I64,
        (3, 16 | 32) => Dtype::F32,
        (3, 64) => Dtype::F64,
        (5 | 6, _) => return Err(unsupported(tiff, "complex data")),
        (1..=4, _) => {
            let name = ["unsigned integers", "signed integers", "floats", "samples"][(format - 1) as usize];
            return Err(unsupported(tiff, &format!("{bits}-bit {name}")));
        }
        _ => return Err(tiff.file.bad(format!("sample format is {format}, expected 1 to 6; the file is damaged"))),
    };
    Ok(Encoding { dtype, bits: bits as u16, half: format == 3 && bits == 16, order: tiff.order })
}

fn predictor(tiff: &Tiff, ifd: &Ifd, encoding: Encoding, codec: Codec) -> Result<Predictor> {
    // The tag only has a meaning for these codecs; elsewhere writers leave it by accident.
    if !matches!(codec, Codec::Deflate | Codec::Lzw | Codec::Zstd) {
        return Ok(Predictor::None);
    }
    match tiff.scalar(ifd, tag::PREDICTOR)?.unwrap_or(1) {
        1 => Ok(Predictor::None),
        2 if !encoding.is_packed() => Ok(Predictor::Horizontal),
        2 => Err(unsupported(tiff, &format!("predictor 2 on {}-bit samples", encoding.bits))),
        3 if encoding.dtype.is_float() => Ok(Predictor::Float),
        3 => Err(tiff.file.bad(format!("predictor 3 is for floats, the samples are {}", encoding.dtype))),
        other => Err(tiff.file.bad(format!("predictor is {other}, expected 1, 2 or 3; the file is damaged"))),
    }
}
