//! Blocks of one image, decoded into buffers that are kept for the next block.

use std::cell::Cell;
use std::sync::Arc;

use super::blocks::Place;
use super::codec::{Codec, Decoders};
use super::ifd::Tiff;
use super::image::Image;
use super::{jpeg, predictor};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::io::cache::BlockCache;

/// Compressed blocks may be this much larger than their pixels before the byte count is taken for damage.
const SLACK: u64 = 64 << 10;

/// Working memory of a decoder.
#[derive(Default)]
struct Work {
    decoders: Decoders,
    /// Stored bytes of a compressed block, or bits before widening.
    packed: Vec<u8>,
    /// Native samples of the last block.
    data: Vec<u8>,
    scratch: Vec<u8>,
}

thread_local! {
    /// Working memory that the decoders of a thread take in turn: a time series has hundreds of files, and a worker reads
    /// one of them at a time.
    static LENT: Cell<Work> = Cell::default();
}

/// Decodes blocks of one image; remembers the last one.
pub(super) struct BlockDecoder {
    tiff: Tiff,
    image: Arc<Image>,
    work: Work,
    last: Option<(usize, usize, usize, bool)>,
    cache: Option<Arc<BlockCache>>,
    /// The last block, where it came from the cache.
    kept: Option<Arc<Vec<u8>>>,
}

impl BlockDecoder {
    pub(super) fn new(tiff: Tiff, image: Arc<Image>) -> Self {
        Self { tiff, image, work: Work::default(), last: None, cache: None, kept: None }
    }

    /// The same with blocks kept for other windows and other readers.
    pub(super) fn cached(self, cache: Arc<BlockCache>) -> Self {
        Self { cache: Some(cache).filter(|c| c.is_open()), ..self }
    }

    /// Takes the thread's working memory for a window.
    pub(super) fn take_up(&mut self) {
        self.work = LENT.take();
    }

    /// Gives working memory back after a window, and forgets the last block: the cache is there for what other windows meet.
    pub(super) fn lay_down(&mut self) {
        self.last = None;
        self.kept = None;
        LENT.set(std::mem::take(&mut self.work));
    }

    /// Bytes of [`BlockDecoder::buffer_bytes`] that go back after a window.
    pub(super) fn lent_bytes(image: &Image) -> u64 {
        Self::buffer_bytes(image) - image.blocks.kept_bytes()
    }

    /// Upper bound of the buffers of a decoder of `image`.
    pub(super) fn buffer_bytes(image: &Image) -> u64 {
        let block = image.block_bytes() as u64;
        // Compressed bytes are usually fewer; up to twice plus slack is accepted. JPEG joins tables and stream and holds
        // coefficients of its own.
        let packed = match image.codec {
            Codec::None if !image.encoding.is_packed() => 0,
            Codec::None => block,
            Codec::Jpeg => 6 * block + 3 * SLACK,
            _ => 2 * block + SLACK,
        };
        image.decoded_bytes() as u64 + packed + image.row_bytes() as u64 + image.blocks.kept_bytes()
    }

    /// Samples of the block at (`row`, `col`) of `plane` (0 where not planar), in native order, interleaved where not
    /// planar; nothing where the block is absent.
    ///
    /// # Errors
    /// Names file, band, block and window, and what is wrong.
    pub(super) fn block(&mut self, plane: usize, row: usize, col: usize) -> Result<Option<&[u8]>> {
        if let Some(cache) = self.cache.clone() {
            self.kept = cache.block((row, col, plane), |memory| {
                self.work.data = memory;
                Ok(self.load(plane, row, col)?.then(|| std::mem::take(&mut self.work.data)))
            })?;
            return Ok(self.kept.as_ref().map(|b| b.as_slice()));
        }
        let present = match self.last {
            Some((p, r, c, present)) if (p, r, c) == (plane, row, col) => present,
            _ => {
                self.last = None;
                let present = self.load(plane, row, col)?;
                self.last = Some((plane, row, col, present));
                present
            }
        };
        Ok(present.then_some(self.work.data.as_slice()))
    }

    fn load(&mut self, plane: usize, row: usize, col: usize) -> Result<bool> {
        let image = Arc::clone(&self.image);
        let (index, start) = image.index(plane, row, col);
        let Place::At { offset, bytes } = image.blocks.place(&self.tiff, index, image.stored_bytes(row))? else {
            return Ok(false);
        };
        let needed = image.row_bytes() * image.rows_in(row);
        let found = self.unpacked(&image, row, offset, bytes, start).map_err(|e| self.located(plane, row, col, &e))?;
        if found < needed {
            let text = format!("the block is too short (expected {needed} bytes, found {found}); fetch the file again");
            return Err(self.located(plane, row, col, &self.tiff.file.bad(text)));
        }
        self.work.data.truncate(needed);
        if image.encoding.is_packed() {
            std::mem::swap(&mut self.work.data, &mut self.work.packed);
            let cells = image.block_cols * image.block_samples();
            predictor::unpack(
                &self.work.packed[..needed],
                usize::from(image.encoding.bits),
                image.row_bytes(),
                cells,
                &mut self.work.data,
            );
        } else {
            let samples = image.block_samples();
            let e = &image.encoding;
            predictor::restore(
                &mut self.work.data,
                image.row_bytes(),
                samples,
                e,
                image.predictor,
                &mut self.work.scratch,
            );
        }
        Ok(true)
    }

    /// Fills `data` with the decompressed bytes and returns how many there are.
    fn unpacked(&mut self, image: &Image, row: usize, offset: u64, bytes: u64, start: u64) -> Result<usize> {
        let whole = image.block_bytes();
        if image.codec == Codec::None {
            let needed = (image.row_bytes() * image.rows_in(row)) as u64;
            let there = bytes.saturating_sub(start).min(needed);
            self.work.data.resize(there as usize, 0);
            self.tiff.file.read_at(&mut self.work.data, offset + start, "block")?;
            return Ok(there as usize);
        }
        if image.codec.most_output(bytes) < (image.row_bytes() * image.rows_in(row)) as u64 {
            return Err(self.tiff.file.bad(format!(
                "{bytes} bytes of {} cannot hold the expected {whole} bytes; the file is damaged",
                image.codec.name()
            )));
        }
        if bytes > 2 * whole as u64 + SLACK {
            return Err(self.tiff.file.bad(format!(
                "the block is said to take {bytes} bytes for {whole} bytes of pixels; the file is damaged"
            )));
        }
        self.work.packed.resize(bytes as usize, 0);
        self.tiff.file.read_at(&mut self.work.packed, offset, "block")?;
        if image.codec == Codec::Jpeg {
            let rows = image.rows_in(row);
            let shape = jpeg::Shape {
                cols: image.block_cols,
                rows,
                samples: image.block_samples(),
                ycbcr: image.photometric == 6,
            };
            self.work.data.resize(image.row_bytes() * rows, 0);
            jpeg::decode(
                &self.work.packed,
                image.jpeg_tables.as_deref(),
                &shape,
                &mut self.work.scratch,
                &mut self.work.data,
            )
            .map_err(|e| self.tiff.file.bad(e))?;
            return Ok(self.work.data.len());
        }
        // Some writers fill the last strip up to full height, so a whole block is accepted there too.
        self.work.data.resize(whole, 0);
        self.work
            .decoders
            .decode(image.codec, &self.work.packed, &mut self.work.data)
            .map_err(|e| self.tiff.file.bad(e))
    }

    /// Puts band, block and window into an error, whose text starts with the file name.
    fn located(&self, plane: usize, row: usize, col: usize, error: &Error) -> Error {
        let (c, r) = (col * self.image.block_cols, row * self.image.block_rows);
        let window = Window::new(
            c as i64,
            r as i64,
            self.image.block_cols.min(self.image.cols - c),
            self.image.block_rows.min(self.image.rows - r),
        );
        let name = self.tiff.file.name();
        let rest = error.message().strip_prefix(name).unwrap_or(error.message()).trim_start_matches(": ");
        let band = if self.image.planar { format!("band {}, ", plane + 1) } else { String::new() };
        let kind = if self.image.tiled { "tile" } else { "strip" };
        let across = if self.image.tiled { format!("{kind} ({col}, {row})") } else { format!("{kind} {row}") };
        Error::new(error.kind(), format!("{name}: {band}{across}, {window}: {rest}"))
    }
}
