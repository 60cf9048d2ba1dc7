//! Where the compressed blocks of a file are, for measuring what reading and decoding them costs without the reader.

use std::path::Path;
use std::sync::Arc;

use super::ifd::{Tiff, tag};
use crate::error::Result;
use crate::io::file::InputFile;

/// More blocks than this are not held in memory.
const MOST: u64 = 1 << 24;

/// Offset and bytes of every block of the full resolution of a tiled GeoTIFF, in file order of its block table; absent
/// blocks have neither.
///
/// # Errors
/// Those of opening; input error where the file has no tiles.
pub fn block_table(path: &Path) -> Result<Vec<(u64, usize)>> {
    let tiff = Tiff::open(Arc::new(InputFile::open(path)?))?;
    let ifd = tiff.main()?;
    let array = |tag: u16| match ifd.get(tag) {
        Some(entry) => tiff.integers(entry, MOST),
        None => Err(tiff.file.bad("the raster is not stored in tiles, expected tiles")),
    };
    let (offsets, counts) = (array(tag::TILE_OFFSETS)?, array(tag::TILE_COUNTS)?);
    Ok(offsets.into_iter().zip(counts).map(|(at, n)| (at, n as usize)).collect())
}
