//! The contracts between the engine and the formats: a [`Source`] is opened many times, a [`Sink`] takes finished tiles.

use std::any::Any;

use super::{Band, OutPlane, Raw};
use crate::error::Result;
use crate::grid::{Grid, Window};
use crate::numeric::Moments;

/// How a source stores its pixels; the plan uses it to choose what is read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    /// Columns of a stored block.
    pub cols: usize,
    /// Rows of a stored block.
    pub rows: usize,
    /// True where one block holds all bands (pixel interleaved), so that bands are best read together.
    pub interleaved: bool,
}

/// A raster that can be opened many times. Shared by all workers.
pub trait Source: Send + Sync {
    /// Name for messages: the path as the user gave it.
    fn name(&self) -> &str;
    /// Shape and place.
    fn grid(&self) -> &Grid;
    /// Bands as the file describes them.
    fn bands(&self) -> &[Band];
    /// Metadata of the whole file as key and value (GDAL metadata of the default domain, such as `LANDSAT_PRODUCT_ID`);
    /// tells sensor and date.
    fn metadata(&self) -> &[(String, String)] {
        &[]
    }
    /// How the file stores its pixels, as key and value for people (`format`, `compression`, `overviews`, `cog`).
    fn storage(&self) -> &[(String, String)] {
        &[]
    }
    /// Storage layout.
    fn layout(&self) -> BlockLayout;
    /// Things the file gets wrong and how they were taken: said once, kept in provenance.
    fn warnings(&self) -> &[String] {
        &[]
    }
    /// Upper bound of the bytes a [`Reader::read`] of `window` allocates besides its result (decoded and compressed
    /// blocks held at once); counted by the byte ledger.
    fn scratch_bytes(&self, window: Window) -> u64;
    /// The part of [`Source::scratch_bytes`] that a reader gives back when it has read: readers of one worker take it in
    /// turn.
    fn lent_bytes(&self, _window: Window) -> u64 {
        0
    }
    /// Decoded bytes of the blocks of `bands` bands that windows of `rows` rows, from left to right, meet again.
    fn kept_bytes(&self, _bands: usize, _rows: usize) -> u64 {
        0
    }
    /// True where windows meet blocks again wherever they lie, because pixels of the source are not pixels of its storage.
    fn meets_blocks_again(&self) -> bool {
        false
    }
    /// Allows readers opened from now on to keep decoded blocks for other windows, up to `bytes` together; 0 forgets them.
    fn keep_blocks(&self, _bytes: u64) {}
    /// True where it is known without reading that `window` (inside the raster) holds only nodata, such as absent blocks.
    fn is_empty(&self, _window: Window) -> bool {
        false
    }
    /// A private handle for one worker.
    ///
    /// # Errors
    /// I/O or input errors of opening.
    fn open(&self) -> Result<Box<dyn Reader>>;
}

/// One worker's handle: `Send`, never shared.
pub trait Reader: Send {
    /// Reads `window`, which lies inside the raster, of `bands` (0-based) into `out` (same length as `bands`) in the
    /// stored type. A block that several bands share is decoded once.
    ///
    /// # Errors
    /// Names file, band, block or window, and what was expected and found.
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()>;
}

/// What [`Sink::encode`] hands to [`Sink::commit`].
pub struct Encoded {
    /// Bytes held until commit, for the ledger.
    pub bytes: u64,
    /// The sink's own data.
    pub data: Box<dyn Any + Send>,
}

/// A finished plane of a tile and the moments of its valid cells. Nodata is NaN of one bit pattern in float planes.
#[derive(Clone, Copy)]
pub struct Finished<'a> {
    /// The cells.
    pub plane: &'a OutPlane,
    /// Count, mean, spread and extremes of the valid ones.
    pub moments: Moments,
}

/// Receives finished tiles. `encode` runs on the workers in any order and does the costly part; `commit` is called once a
/// tile in tile order by one worker at a time, while others go on encoding: it takes `&self` (state behind a mutex nobody else
/// holds), since a lock around the whole sink would stop every encoder at each commit.
pub trait Sink: Send + Sync {
    /// Prepares the planes of a tile for writing (compression, overview pixels). The planes are lent: several sinks may
    /// take the same one, and the worker fills it again for its next tile.
    ///
    /// # Errors
    /// Encoding failures.
    fn encode(&self, window: Window, planes: &[Finished<'_>]) -> Result<Encoded>;
    /// Takes an encoded tile, in tile order.
    ///
    /// # Errors
    /// Write failures.
    fn commit(&self, window: Window, encoded: Encoded) -> Result<()>;
    /// Completes the output: after this, and only then, it appears under its name.
    ///
    /// # Errors
    /// Write failures; nothing stays behind.
    fn finish(self: Box<Self>) -> Result<()>;
    /// What the output is called, for analyses of the same pass that read it again while it is made; a path, for files.
    fn name(&self) -> Option<&str> {
        None
    }
    /// Tile edges must be a multiple of this (the block edge of a file).
    fn tile_multiple(&self) -> usize {
        1
    }
    /// Bytes the sink holds besides encoded tiles (overview rows, offset tables); counted by the plan.
    fn resident_bytes(&self) -> u64 {
        0
    }
    /// Upper bound of [`Encoded::bytes`] for one tile of `cells` cells, where that is more than 1.4 times its raw bytes.
    fn encoded_bytes(&self, _cells: usize) -> u64 {
        0
    }
    /// Bytes `encode` needs besides the planes and its result, for one tile of `cells` cells.
    fn scratch_bytes(&self, cells: usize) -> u64;
}
