//! Where the blocks of an image are: offset and byte count arrays, read page by page, so that an image of millions of
//! blocks opens at once.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::ifd::{Entry, Tiff};
use crate::error::{Error, Result};

/// Values in a page of an array.
const PAGE: u64 = 8192;
/// Pages kept of each array: two rows of blocks of a raster 100,000 pixels wide need two or three.
const KEPT: usize = 16;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Never written: reads as nodata, or 0 without nodata.
    Absent,
    /// Bytes in the file.
    At { offset: u64, bytes: u64 },
}

/// An array of a tag, cached by pages.
struct Pages {
    entry: Entry,
    width: u64,
    kept: Mutex<VecDeque<(u64, Vec<u64>)>>,
}

impl Pages {
    fn new(tiff: &Tiff, entry: &Entry, blocks: u64, what: &str) -> Result<Self> {
        if !matches!(entry.kind, 3 | 4 | 13 | 16 | 18) {
            return Err(tiff.file.bad(format!("the {what} have type {}, expected an integer", entry.kind)));
        }
        if entry.count < blocks {
            return Err(tiff
                .file
                .bad(format!("{} {what} for {blocks} blocks; the file is damaged or incomplete", entry.count)));
        }
        let width = entry.width().unwrap_or(4);
        let bytes = blocks.saturating_mul(width);
        tiff.file.check_range(entry.at, bytes, what)?;
        Ok(Self { entry: Entry { count: blocks, ..*entry }, width, kept: Mutex::default() })
    }

    fn get(&self, tiff: &Tiff, index: u64) -> Result<u64> {
        let page = index / PAGE;
        let mut kept = self.kept.lock().map_err(|_| Error::bug("a reader failed while it held the block table"))?;
        if let Some((_, values)) = kept.iter().find(|(p, _)| *p == page) {
            return Ok(values[(index % PAGE) as usize]);
        }
        let values = self.page(tiff, page)?;
        let value = values[(index % PAGE) as usize];
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((page, values));
        Ok(value)
    }

    fn page(&self, tiff: &Tiff, page: u64) -> Result<Vec<u64>> {
        let n = PAGE.min(self.entry.count - page * PAGE);
        let mut data = vec![0; (n * self.width) as usize];
        tiff.file.read_at(&mut data, self.entry.at + page * PAGE * self.width, "block table")?;
        Ok(data.chunks_exact(self.width as usize).map(|b| tiff.integer(b)).collect())
    }
}

/// The blocks of one image.
pub(super) struct Blocks {
    offsets: Pages,
    counts: Option<Pages>,
}

impl Blocks {
    /// The table of `blocks` blocks; `counts` may be missing where blocks are not compressed.
    ///
    /// # Errors
    /// Too few entries, wrong types, arrays outside the file.
    pub(super) fn new(tiff: &Tiff, offsets: &Entry, counts: Option<&Entry>, blocks: u64) -> Result<Self> {
        let offsets = Pages::new(tiff, offsets, blocks, "block offsets")?;
        let counts = counts.map(|c| Pages::new(tiff, c, blocks, "block byte counts")).transpose()?;
        Ok(Self { offsets, counts })
    }

    /// Upper bound of the bytes kept of both arrays.
    pub(super) fn kept_bytes(&self) -> u64 {
        2 * 8 * self.offsets.entry.count.min(KEPT as u64 * PAGE)
    }

    /// Where block `index` is; `raw_bytes` is its size where counts are missing.
    ///
    /// # Errors
    /// A block that is half absent, or outside the file.
    pub(super) fn place(&self, tiff: &Tiff, index: u64, raw_bytes: u64) -> Result<Place> {
        let offset = self.offsets.get(tiff, index)?;
        let bytes = match &self.counts {
            Some(counts) => counts.get(tiff, index)?,
            None if offset == 0 => 0,
            None => raw_bytes,
        };
        match (offset, bytes) {
            (0, 0) => Ok(Place::Absent),
            (0, _) | (_, 0) => Err(tiff.file.bad(format!(
                "block {index} has offset {offset} and {bytes} bytes; only both 0 means absent, so the file is damaged"
            ))),
            _ => {
                tiff.file.check_range(offset, bytes, &format!("block {index}"))?;
                Ok(Place::At { offset, bytes })
            }
        }
    }
}
