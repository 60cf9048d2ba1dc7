//! Overviews, built while the tiles pass: every block hands a quarter-size patch to the block above it, and a block whose
//! patches are all there is compressed and hands on its own. Which thread does it changes nothing: a block depends only on
//! its pixels, and the file is put together by block number.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::block::BlockEncoder;
use super::sample::{Rect, Sample, is_nodata, with_dtype};
use super::spool::{Chunk, Slots, Spool, Ticket};
use crate::engine::Overview;
use crate::error::{Error, Result};
use crate::raster::{Dtype, OutPlane};

/// Patches held in memory; what goes beyond waits in a file.
const PATCH_MEMORY: u64 = 8 << 20;
/// Overviews end at the first that fits into this many columns and rows.
const SMALLEST: usize = 512;
/// Blocks that may wait for a worker before the one that commits helps itself.
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
    /// Memory of patches that were used, and of blocks put together.
    spare: Vec<Vec<u8>>,
    planes: Vec<OutPlane>,
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
            spare: Vec::new(),
            planes: Vec::new(),
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

    /// The patch of a block of `band`, in memory that is used again.
    pub(super) fn patch<T: Sample>(&self, rect: Rect<'_, T>, band: usize) -> Vec<u8> {
        let mut out = self.state().spare.pop().unwrap_or_default();
        halve(rect, self.nodata.map(T::from_f64), self.reduce[band], &mut out);
        out
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
        let mut plane = state.planes.pop().unwrap_or_else(|| OutPlane::filled(self.dtype, 0.0, 0));
        drop(state);

        let level = &self.levels[at.level];
        let empty = patches.iter().all(Option::is_none);
        let (cols, rows) = level.inside(at.row, at.col);
        let fill = self.nodata.unwrap_or(f64::NAN);
        plane.reset(fill, self.edge * self.edge);
        let block = T::of(&mut plane).ok_or_else(|| Error::bug("an overview plane of another type"))?;
        let half = self.edge / 2;
        for (q, patch) in patches.iter().enumerate() {
            let Some(bytes) = patch else { continue };
            let (top, left) = (q / 2 * half, q % 2 * half);
            let width = half.min(cols - left);
            for (r, row) in bytes.chunks_exact(width * T::BYTES).enumerate() {
                T::get(row, &mut block[(top + r) * self.edge + left..][..width]);
            }
        }
        let rect = Rect { samples: block, stride: self.edge, cols, rows };
        let framed = match empty {
            true if self.sparse => None,
            true => Some(self.encoder.encode_void(T::from_f64(fill))?),
            false => Some(self.encoder.encode(rect, T::from_f64(fill))?),
        };
        let patch = self.wants(at.level).then(|| (!empty).then(|| self.patch(rect, at.band)));

        let mut state = self.state();
        state.planes.push(plane);
        state.spare.extend(patches.into_iter().flatten());
        if let Some(framed) = &framed {
            let chunk = state.spool.append(framed.bytes())?;
            let index = at.band * level.blocks() + at.row * level.across() + at.col;
            state.chunks[at.level - 1][index] = chunk;
        }
        drop(state);
        framed.into_iter().for_each(|f| self.encoder.recycle(f));
        patch.map_or(Ok(()), |patch| self.add(at, patch))?;
        Ok(true)
    }
}

/// A rectangle at half size, as bytes: each 2 × 2 cells become their mean or most frequent value; nodata does not count,
/// and only nodata gives nodata.
pub(super) fn halve<T: Sample>(rect: Rect<'_, T>, nodata: Option<T>, how: Overview, out: &mut Vec<u8>) {
    let width = rect.cols.div_ceil(2);
    out.resize(width * rect.rows.div_ceil(2) * T::BYTES, 0);
    let mut row = vec![T::default(); width];
    for (r, out) in out.chunks_exact_mut(width * T::BYTES).enumerate() {
        // Where a row or column is missing, its neighbour stands in twice: mean and mode stay.
        let (top, bottom) = (rect.row(2 * r), rect.row((2 * r + 1).min(rect.rows - 1)));
        match how {
            Overview::Average => average(top, bottom, nodata, &mut row),
            Overview::Mode => modes(top, bottom, nodata, &mut row),
        }
        T::put(&row, out);
    }
}

/// Means of 2 × 2 cells; the last column may stand alone.
#[pulp::with_simd(average = pulp::Arch::new())]
#[inline(always)]
fn average_with_simd<'a, S: pulp::Simd, T: Sample>(
    _simd: S,
    top: &'a [T],
    bottom: &'a [T],
    nodata: Option<T>,
    out: &'a mut [T],
) {
    // Without a nodata value no cell equals it.
    let (known, named) = (nodata.is_some(), nodata.unwrap_or_default());
    let weigh = |v: T| {
        // Not equal to itself: NaN.
        #[expect(clippy::eq_op, reason = "the test for NaN that integers pass")]
        let valid = v == v && !(known && v == named);
        (if valid { v.to_f64() } else { 0.0 }, if valid { 1.0 } else { 0.0 })
    };
    let mean = |cells: [T; 4]| {
        let [(a, m), (b, n), (c, o), (d, p)] = cells.map(weigh);
        let count = m + n + o + p;
        let mean = T::from_f64((a + b + c + d) / count);
        // All four are nodata: the first stands for them.
        if count == 0.0 { cells[0] } else { mean }
    };
    let ((tops, last_top), (bottoms, last_bottom)) = (top.as_chunks::<2>(), bottom.as_chunks::<2>());
    for ((o, t), b) in out.iter_mut().zip(tops).zip(bottoms) {
        *o = mean([t[0], t[1], b[0], b[1]]);
    }
    if let (Some(o), [t], [b]) = (out.last_mut(), last_top, last_bottom) {
        *o = mean([*t, *t, *b, *b]);
    }
}

fn modes<T: Sample>(top: &[T], bottom: &[T], nodata: Option<T>, out: &mut [T]) {
    for (c, o) in out.iter_mut().enumerate() {
        let (left, right) = (2 * c, (2 * c + 1).min(top.len() - 1));
        let cells = [top[left], top[right], bottom[left], bottom[right]];
        // Classes come in patches.
        *o = if cells[1..].iter().all(|v| *v == cells[0]) { cells[0] } else { mode(cells, nodata) };
    }
}

/// The most frequent valid value, the smaller of equally frequent ones.
fn mode<T: Sample>(cells: [T; 4], nodata: Option<T>) -> T {
    let count = |v: T| cells.iter().filter(|c| **c == v).count();
    let valid = cells.into_iter().filter(|v| !is_nodata(*v, nodata));
    let best = valid.reduce(|best, v| {
        let (b, n) = (count(best), count(v));
        if n > b || (n == b && v < best) { v } else { best }
    });
    best.unwrap_or(cells[0])
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

    fn halved<T: Sample>(block: &[T], (cols, rows): (usize, usize), nodata: Option<T>, how: Overview) -> Vec<T> {
        let mut bytes = Vec::new();
        halve(Rect { samples: block, stride: cols, cols, rows }, nodata, how, &mut bytes);
        let mut out = vec![T::default(); bytes.len() / T::BYTES];
        T::get(&bytes, &mut out);
        out
    }

    #[test]
    fn mean_ignores_nodata_and_edges_use_what_is_there() {
        let nan = f32::NAN;
        let block = [1.0, 2.0, 9.0, 3.0, nan, nan, nan, nan, 5.0];
        let half = halved(&block, (3, 3), None, Overview::Average);
        assert_eq!(half[..2], [2.0, 9.0]);
        assert!(half[2].is_nan());
        assert_eq!(half[3], 5.0);
    }

    #[test]
    fn mean_of_integers_is_rounded() {
        assert_eq!(halved(&[1_i16, 2, -9999, -9999], (2, 2), Some(-9999), Overview::Average), [2]);
        assert_eq!(halved(&[-1_i16, -2, 0, 0], (2, 2), None, Overview::Average), [-1]);
        assert_eq!(halved(&[-9999_i16; 4], (2, 2), Some(-9999), Overview::Average), [-9999]);
    }

    #[test]
    fn mode_prefers_the_smaller_on_ties_and_never_nodata() {
        assert_eq!(halved(&[2_u8, 1, 1, 2], (2, 2), Some(255), Overview::Mode), [1]);
        assert_eq!(halved(&[255_u8, 255, 255, 7], (2, 2), Some(255), Overview::Mode), [7]);
        assert_eq!(halved(&[3_u8, 4, 5, 4], (2, 2), Some(255), Overview::Mode), [4]);
        assert_eq!(halved(&[255_u8; 4], (2, 2), Some(255), Overview::Mode), [255]);
        assert_eq!(halved(&[8_u8, 8, 5, 5, 5, 6], (3, 2), Some(255), Overview::Mode), [5, 5]);
    }
}
