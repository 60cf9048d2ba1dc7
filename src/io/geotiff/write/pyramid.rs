//! Overviews, built while the tiles pass: every block hands a quarter-size patch to the block above it, and a block whose
//! patches are all there is compressed and hands on its own. Which thread does it changes nothing: a block depends only on
//! its pixels, and the file is put together by block number.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::block::BlockEncoder;
use super::sample::{Sample, is_nodata, with_dtype};
use super::spool::{Chunk, Slots, Spool, Ticket};
use crate::engine::Overview;
use crate::error::Result;
use crate::raster::Dtype;

/// Patches held in memory; what goes beyond waits in a file.
const PATCH_MEMORY: u64 = 8 << 20;
/// Overviews end at the first that fits into this many columns and rows.
const SMALLEST: usize = 512;
/// Blocks that may wait for a worker before the committing thread helps itself.
const BACKLOG: usize = 8;

/// One image of the file: full resolution or an overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) cols: usize,
    pub(super) rows: usize,
    edge: usize,
}

impl Level {
    /// Full resolution, then halves rounded up until one fits [`SMALLEST`], or is one pixel wide: validators tell the factor
    /// of an overview by its width.
    pub(super) fn all(cols: usize, rows: usize, edge: usize, overviews: bool) -> Vec<Self> {
        let mut levels = vec![Self { cols, rows, edge }];
        while let Some(&Self { cols, rows, .. }) = levels.last()
            && overviews
            && (cols > SMALLEST || rows > SMALLEST)
            && cols > 1
        {
            levels.push(Self { cols: cols.div_ceil(2), rows: rows.div_ceil(2), edge });
        }
        levels
    }
    pub(super) fn across(&self) -> usize {
        self.cols.div_ceil(self.edge)
    }
    pub(super) fn down(&self) -> usize {
        self.rows.div_ceil(self.edge)
    }
    pub(super) fn blocks(&self) -> usize {
        self.across() * self.down()
    }
    /// Columns and rows of a block that lie inside the image.
    pub(super) fn inside(&self, row: usize, col: usize) -> (usize, usize) {
        (self.edge.min(self.cols - col * self.edge), self.edge.min(self.rows - row * self.edge))
    }
}

/// A block by image, band and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockAt {
    pub(super) level: usize,
    pub(super) band: usize,
    pub(super) row: usize,
    pub(super) col: usize,
}

/// A block at half its size, or nothing where it holds only nodata.
pub(super) type Patch = Option<Vec<u8>>;

/// Patches of a block's four children, by quadrant; `None` inside is nodata.
#[derive(Default)]
struct Waiting {
    count: usize,
    quadrants: [Option<Ticket>; 4],
}

struct State {
    slots: Slots,
    waiting: BTreeMap<BlockAt, Waiting>,
    ready: VecDeque<(BlockAt, Waiting)>,
    spool: Spool,
    /// Chunks of the overviews (full resolution is elsewhere), by level − 1 and band × blocks + block.
    chunks: Vec<Vec<Chunk>>,
}

/// Builds the overviews of one file.
pub(super) struct Pyramid {
    levels: Vec<Level>,
    edge: usize,
    dtype: Dtype,
    nodata: Option<f64>,
    reduce: Vec<Overview>,
    sparse: bool,
    encoder: Arc<BlockEncoder>,
    state: Mutex<State>,
}

/// What all bands of a file share.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    pub(super) edge: usize,
    pub(super) dtype: Dtype,
    pub(super) nodata: Option<f64>,
    pub(super) sparse: bool,
}

impl Pyramid {
    /// Overviews for the output at `path`; `reduce` says how for each band.
    pub(super) fn new(
        path: &Path,
        levels: &[Level],
        encoding: Encoding,
        reduce: Vec<Overview>,
        encoder: Arc<BlockEncoder>,
    ) -> Self {
        let Encoding { edge, dtype, nodata, sparse } = encoding;
        let state = State {
            slots: Slots::new(path, (edge * edge / 4 * dtype.bytes()) as u64, PATCH_MEMORY),
            waiting: BTreeMap::new(),
            ready: VecDeque::new(),
            spool: Spool::new(path),
            chunks: levels[1..].iter().map(|l| vec![Chunk::default(); l.blocks() * reduce.len()]).collect(),
        };
        Self { levels: levels.to_vec(), edge, dtype, nodata, reduce, sparse, encoder, state: Mutex::new(state) }
    }

    /// Most bytes of patches in memory.
    pub(super) fn resident_bytes(&self) -> u64 {
        if self.levels.len() > 1 { PATCH_MEMORY } else { 0 }
    }

    /// True where blocks of `level` hand on patches.
    pub(super) fn wants(&self, level: usize) -> bool {
        level + 1 < self.levels.len()
    }

    /// Takes the patch of the block `child`.
    pub(super) fn add(&self, child: BlockAt, patch: Patch) -> Result<()> {
        let parent = BlockAt { level: child.level + 1, row: child.row / 2, col: child.col / 2, ..child };
        let below = &self.levels[child.level];
        let expected = |at: usize, all: usize| (all - 2 * at).min(2);
        let children = expected(parent.row, below.down()) * expected(parent.col, below.across());
        let mut state = self.state();
        let ticket = patch.map(|p| state.slots.put(p)).transpose()?;
        let w = state.waiting.entry(parent).or_default();
        w.quadrants[child.row % 2 * 2 + child.col % 2] = ticket;
        w.count += 1;
        if w.count == children
            && let Some(w) = state.waiting.remove(&parent)
        {
            state.ready.push_back((parent, w));
        }
        Ok(())
    }

    /// Builds one block that is ready; false where none is.
    pub(super) fn work(&self) -> Result<bool> {
        if !self.wants(0) {
            return Ok(false);
        }
        with_dtype!(self.dtype, T => self.work_as::<T>())
    }

    /// Builds blocks on the calling thread while too many wait.
    pub(super) fn relieve(&self) -> Result<()> {
        while self.state().ready.len() > BACKLOG && self.work()? {}
        Ok(())
    }

    /// The spool of all overview blocks with their places, once no block is left to build: by level − 1, and in file order
    /// (band × blocks + block).
    pub(super) fn take_overviews(&self) -> (Spool, Vec<Vec<Chunk>>) {
        let mut state = self.state();
        (std::mem::take(&mut state.spool), std::mem::take(&mut state.chunks))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_as<T: Sample>(&self) -> Result<bool> {
        let mut state = self.state();
        let Some((at, waiting)) = state.ready.pop_front() else { return Ok(false) };
        let mut patches = [const { None }; 4];
        for (p, ticket) in patches.iter_mut().zip(waiting.quadrants) {
            *p = ticket.map(|t| state.slots.take(t)).transpose()?;
        }
        drop(state);

        let level = &self.levels[at.level];
        let empty = patches.iter().all(Option::is_none);
        let (cols, rows) = level.inside(at.row, at.col);
        let nodata = self.nodata.map(T::from_f64);
        let fill = self.nodata.map_or(T::from_f64(f64::NAN), T::from_f64);
        let mut block = vec![fill; self.edge * self.edge];
        let half = self.edge / 2;
        for (q, patch) in patches.into_iter().enumerate() {
            let Some(bytes) = patch else { continue };
            let (top, left) = (q / 2 * half, q % 2 * half);
            let width = half.min(cols - left);
            for (r, row) in T::get(&bytes).chunks(width).enumerate() {
                let start = (top + r) * self.edge + left;
                block[start..start + width].copy_from_slice(row);
            }
        }
        let bytes = if empty && self.sparse { None } else { Some(self.encoder.encode(&block)?) };
        if self.wants(at.level) {
            let patch = (!empty).then(|| {
                let mut out = Vec::new();
                T::put(&halve(&block, self.edge, (cols, rows), nodata, self.reduce[at.band]), &mut out);
                out
            });
            self.add(at, patch)?;
        }
        if let Some(bytes) = bytes {
            let mut state = self.state();
            let chunk = state.spool.append(&bytes)?;
            let index = at.band * level.blocks() + at.row * level.across() + at.col;
            state.chunks[at.level - 1][index] = chunk;
        }
        Ok(true)
    }
}

/// The first `cols` × `rows` samples of a block `stride` wide, at half size: each 2 × 2 cells become their mean or most
/// frequent value; nodata does not count, and only nodata gives nodata.
pub(super) fn halve<T: Sample>(
    block: &[T],
    stride: usize,
    (cols, rows): (usize, usize),
    nodata: Option<T>,
    how: Overview,
) -> Vec<T> {
    let mut out = Vec::with_capacity(cols.div_ceil(2) * rows.div_ceil(2));
    for r in (0..rows).step_by(2) {
        let top = &block[r * stride..r * stride + cols];
        let bottom = if r + 1 < rows { &block[(r + 1) * stride..(r + 1) * stride + cols] } else { &[] };
        for c in (0..cols).step_by(2) {
            let end = (c + 2).min(cols);
            let mut cells = [top[c]; 4];
            let mut n = 0;
            for &v in top[c..end].iter().chain(bottom.get(c..end).unwrap_or(&[])) {
                if !is_nodata(v, nodata) {
                    cells[n] = v;
                    n += 1;
                }
            }
            out.push(match how {
                // All four are nodata: the first stands for them.
                _ if n == 0 => top[c],
                Overview::Average => T::from_f64(cells[..n].iter().map(|v| v.to_f64()).sum::<f64>() / n as f64),
                Overview::Mode => mode(&cells[..n]),
            });
        }
    }
    out
}

fn mode<T: Sample>(cells: &[T]) -> T {
    let count = |v: T| cells.iter().filter(|c| **c == v).count();
    cells.iter().skip(1).fold(cells[0], |best, &v| {
        let (b, n) = (count(best), count(v));
        if n > b || (n == b && v < best) { v } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_halve_rounding_up_to_512() {
        let sizes: Vec<_> = Level::all(1031, 517, 512, true).iter().map(|l| (l.cols, l.rows, l.blocks())).collect();
        assert_eq!(sizes, [(1031, 517, 6), (516, 259, 2), (258, 130, 1)]);
        assert_eq!(Level::all(512, 512, 256, true).len(), 1);
        assert_eq!(Level::all(5000, 1, 512, false).len(), 1);
        assert_eq!(Level::all(1, 5000, 512, true).len(), 1);
        assert_eq!(Level::all(3, 5000, 512, true).len(), 3);
    }

    #[test]
    fn mean_ignores_nodata_and_edges_use_what_is_there() {
        let nan = f32::NAN;
        let block = [1.0, 2.0, 9.0, 3.0, nan, nan, nan, nan, 5.0];
        let half = halve(&block, 3, (3, 3), None, Overview::Average);
        assert_eq!(half[..2], [2.0, 9.0]);
        assert!(half[2].is_nan());
        assert_eq!(half[3], 5.0);
    }

    #[test]
    fn mean_of_integers_is_rounded() {
        assert_eq!(halve(&[1_i16, 2, -9999, -9999], 2, (2, 2), Some(-9999), Overview::Average), [2]);
        assert_eq!(halve(&[-1_i16, -2, 0, 0], 2, (2, 2), None, Overview::Average), [-1]);
    }

    #[test]
    fn mode_prefers_the_smaller_on_ties_and_never_nodata() {
        assert_eq!(halve(&[2_u8, 1, 1, 2], 2, (2, 2), Some(255), Overview::Mode), [1]);
        assert_eq!(halve(&[255_u8, 255, 255, 7], 2, (2, 2), Some(255), Overview::Mode), [7]);
        assert_eq!(halve(&[3_u8, 4, 5, 4], 2, (2, 2), Some(255), Overview::Mode), [4]);
        assert_eq!(halve(&[255_u8; 4], 2, (2, 2), Some(255), Overview::Mode), [255]);
    }
}
