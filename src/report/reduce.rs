//! A raster reduced strip by strip to the cells of its picture.
//!
//! A picture is the same whatever the number of threads and whatever the blocks of the file: sums run down the columns of a
//! cell, then across them, and are cut only every [`STRIP`] rows.

use super::picture::{BINS, Picture};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::project::summary::MapKind;
use crate::raster::{Band, Class, Raw, Source};
use crate::with_samples;

/// Longest edge of a picture; a raster with fewer pixels keeps them all.
const EDGE: usize = 900;
/// Rows that are reduced at a time. It decides how sums are grouped, so it depends on nothing.
const STRIP: usize = 1024;
/// Pixels read at a time, so that they are still in the cache when they are summed.
const PIXELS: usize = 1 << 18;
/// Neighbouring pixels often fall into one bin; counting them side by side does not wait for the last count to be stored.
const TALLIES: usize = 4;

/// From here on doubles are whole numbers.
const WHOLE: f64 = (1u64 << 52) as f64;

/// How a band becomes a picture.
pub(super) struct Reduction {
    band: usize,
    facts: Band,
    kind: MapKind,
    /// Columns and rows of the raster.
    size: (usize, usize),
    /// Pixels along the edge of a cell.
    factor: usize,
    /// Columns of a window, and rows of a stored block.
    across: usize,
    block_rows: usize,
}

/// What a strip adds to a picture.
pub(super) struct Part {
    /// First row of cells.
    row: usize,
    /// Sum and number of the valid pixels of a cell, in stored values.
    sums: Vec<f64>,
    counts: Vec<u32>,
    histogram: Vec<u64>,
}

impl Reduction {
    /// # Errors
    /// A band that is not there.
    pub(super) fn new(source: &dyn Source, band: usize, kind: MapKind) -> Result<Self> {
        let (grid, layout) = (source.grid(), source.layout());
        let facts = source.bands().get(band).ok_or_else(|| {
            Error::input(format!(
                "{}: found {} bands, expected {}; run the project again",
                source.name(),
                source.bands().len(),
                band + 1
            ))
        })?;
        let block = layout.cols.max(1);
        Ok(Self {
            band,
            facts: facts.clone(),
            kind,
            size: (grid.cols, grid.rows),
            factor: grid.cols.max(grid.rows).div_ceil(EDGE).max(1),
            across: (block * (512 / block).max(1)).min(grid.cols),
            block_rows: layout.rows,
        })
    }

    /// Strips of the raster.
    pub(super) fn strips(&self) -> usize {
        self.size.1.div_ceil(STRIP)
    }

    /// Columns of the picture.
    fn cols(&self) -> usize {
        self.size.0.div_ceil(self.factor)
    }

    fn with_histogram(&self) -> bool {
        matches!(self.kind, MapKind::Vegetation | MapKind::Soil | MapKind::Difference)
    }

    /// Reads and reduces one strip.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn strip(&self, source: &dyn Source, strip: usize) -> Result<Part> {
        let rows = (strip * STRIP, ((strip + 1) * STRIP).min(self.size.1));
        let first = rows.0 / self.factor;
        let cells = (rows.1.div_ceil(self.factor) - first) * self.cols();
        let bins = if self.with_histogram() { BINS } else { 0 };
        let mut part = Part { row: first, sums: vec![0.0; cells], counts: vec![0; cells], histogram: vec![0; bins] };
        let mut reader = source.open()?;
        let mut raw = [Raw::default()];
        let mut column = Columns::default();
        for col in (0..self.size.0).step_by(self.across) {
            let cols = self.across.min(self.size.0 - col);
            for window in self.windows(col, cols, rows) {
                if source.is_empty(window) {
                    // Its pixels are nodata, but a row of cells may end in it.
                    if self.kind != MapKind::Classes {
                        column.skip(self, window, rows.1, &mut part);
                    }
                    continue;
                }
                reader.read(&[self.band], window, &mut raw)?;
                let mask = raw[0].mask.as_deref();
                with_samples!(&raw[0].samples, v => match self.kind {
                    MapKind::Classes => self.centres(v, mask, window, &mut part),
                    _ => column.window(self, v, mask, window, rows.1, &mut part),
                });
            }
        }
        Ok(part)
    }

    /// What is read of some columns of a strip, from top to bottom.
    fn windows(&self, col: usize, cols: usize, rows: (usize, usize)) -> Vec<Window> {
        let window = |from: usize, to: usize| Window::new(col as i64, from as i64, cols, to - from);
        let step = (PIXELS / cols).max(1);
        let mut windows = Vec::new();
        if self.kind == MapKind::Classes && self.block_rows < self.factor {
            // Whole blocks lie between the rows of the centres: they are not decoded.
            let centres = (rows.0 / self.factor..).map(|cell| centre(cell, self.factor, self.size.1));
            let inside = centres.skip_while(|row| *row < rows.0).take_while(|row| *row < rows.1);
            windows.extend(inside.map(|row| window(row, row + 1)));
        } else {
            windows.extend((rows.0..rows.1).step_by(step).map(|row| window(row, (row + step).min(rows.1))));
        }
        windows
    }

    /// Takes the pixels at the centres of cells, which stand for them: classes cannot be averaged.
    fn centres<T: Wide>(&self, values: &[T], mask: Option<&[u8]>, window: Window, part: &mut Part) {
        let (left, top) = (window.col as usize, window.row as usize);
        let cols: Vec<(usize, usize)> = (left / self.factor..(left + window.cols).div_ceil(self.factor))
            .map(|cell| (cell, centre(cell, self.factor, self.size.0)))
            .filter(|(_, col)| (left..left + window.cols).contains(col))
            .collect();
        for cell_row in top / self.factor..(top + window.rows).div_ceil(self.factor) {
            let row = centre(cell_row, self.factor, self.size.1);
            if !(top..top + window.rows).contains(&row) {
                continue;
            }
            for (cell, col) in &cols {
                let i = (row - top) * window.cols + col - left;
                let stored = values[i].wide();
                let at = (cell_row - part.row) * self.cols() + cell;
                if !stored.is_nan() && self.facts.nodata != Some(stored) && mask.is_none_or(|m| m[i] != 0) {
                    (part.sums[at], part.counts[at]) = (stored, 1);
                }
            }
        }
    }

    /// The picture of all strips, given from top to bottom.
    pub(super) fn picture(&self, parts: Vec<Part>) -> Picture {
        let (cols, rows) = (self.cols(), self.size.1.div_ceil(self.factor));
        let mut values = Vec::with_capacity(cols * rows);
        let mut histogram = vec![0; if self.with_histogram() { BINS } else { 0 }];
        // The last row of cells may go on in the next strip.
        let (mut open_sums, mut open_counts): (Vec<f64>, Vec<u32>) = (Vec::new(), Vec::new());
        let (scale, offset) = (self.facts.scale, self.facts.offset);
        let mean = |(sum, n): (&f64, &u32)| {
            if *n == 0 { f32::NAN } else { (sum / f64::from(*n) * scale + offset) as f32 }
        };
        for mut part in parts {
            histogram.iter_mut().zip(&part.histogram).for_each(|(all, n)| *all += n);
            if part.row * cols < values.len() + open_sums.len() {
                part.sums.iter_mut().zip(&open_sums).for_each(|(later, sum)| *later += sum);
                part.counts.iter_mut().zip(&open_counts).for_each(|(later, n)| *later += n);
            } else {
                values.extend(open_sums.iter().zip(&open_counts).map(mean));
            }
            let done = part.sums.len() - cols;
            values.extend(part.sums[..done].iter().zip(&part.counts).map(mean));
            (open_sums, open_counts) = (part.sums.split_off(done), part.counts.split_off(done));
        }
        values.extend(open_sums.iter().zip(&open_counts).map(mean));
        // A colour table has an entry for every value; classes are those with a name.
        let named = |c: &&Class| self.kind == MapKind::Classes && !c.name.is_empty();
        let classes = self.facts.classes.iter().filter(named).cloned().collect();
        Picture { cols, rows, values, classes, histogram, factor: self.factor }
    }
}

/// The pixel at the middle of what a cell holds of an axis of `size` pixels.
fn centre(cell: usize, factor: usize, size: usize) -> usize {
    let from = cell * factor;
    from + factor.min(size.saturating_sub(from)) / 2
}

/// Sums of columns of pixels, until a row of cells is complete.
#[derive(Default)]
struct Columns {
    sums: Vec<f64>,
    counts: Vec<u32>,
    bins: Vec<u16>,
}

impl Columns {
    /// Holds `cols` columns; where the number changes a strip has ended, so all are 0.
    fn widen(&mut self, cols: usize) {
        self.sums.resize(cols, 0.0);
        self.counts.resize(cols, 0);
    }

    /// Adds a window of a strip that ends at row `end`.
    fn window<T: Wide>(
        &mut self,
        of: &Reduction,
        values: &[T],
        mask: Option<&[u8]>,
        window: Window,
        end: usize,
        part: &mut Part,
    ) {
        let cols = window.cols;
        self.widen(cols);
        self.bins.resize(cols, 0);
        // Nodata of floats is NaN as well; NaN differs from every value, so it also stands for no nodata.
        let nodata = of.facts.nodata.unwrap_or(f64::NAN);
        // Bins are a 200th wide from -2 on: the scale of the encoding is taken in.
        let per_bin = BINS as f64 / 4.0;
        let mut tallies = [[0u32; BINS + 1]; TALLIES];
        for (i, row) in values.chunks_exact(cols).enumerate() {
            let mask = mask.map_or(&[][..], |m| &m[i * cols..][..cols]);
            add(row, mask, nodata, &mut self.sums, &mut self.counts);
            if !part.histogram.is_empty() {
                bin(row, mask, nodata, (of.facts.scale, of.facts.offset), per_bin, &mut self.bins);
                tally(&self.bins, &mut tallies);
            }
            self.end_row(of, window, window.row as usize + i + 1, end, part);
        }
        for (i, n) in part.histogram.iter_mut().enumerate() {
            *n += tallies.iter().map(|t| u64::from(t[i])).sum::<u64>();
        }
    }

    /// Passes over a window without valid pixels.
    fn skip(&mut self, of: &Reduction, window: Window, end: usize, part: &mut Part) {
        self.widen(window.cols);
        for row in window.row..window.row_end() {
            self.end_row(of, window, row as usize + 1, end, part);
        }
    }

    /// Where a row of cells or the strip ends before row `next`, adds the columns to their cells and starts anew.
    fn end_row(&mut self, of: &Reduction, window: Window, next: usize, end: usize, part: &mut Part) {
        if !next.is_multiple_of(of.factor) && next != end {
            return;
        }
        let cols = of.cols();
        let at = ((next - 1) / of.factor - part.row) * cols;
        let (sums, counts) = (&mut part.sums[at..at + cols], &mut part.counts[at..at + cols]);
        let mut cell = window.col as usize / of.factor;
        let mut left = of.factor - window.col as usize % of.factor;
        let mut from = 0;
        while from < self.sums.len() {
            let to = (from + left).min(self.sums.len());
            sums[cell] = self.sums[from..to].iter().fold(sums[cell], |sum, v| sum + v);
            counts[cell] += self.counts[from..to].iter().sum::<u32>();
            (from, left, cell) = (to, of.factor, cell + 1);
        }
        self.sums.fill(0.0);
        self.counts.fill(0);
    }
}

/// Counts the bins of a row.
fn tally(bins: &[u16], tallies: &mut [[u32; BINS + 1]; TALLIES]) {
    let (fours, rest) = bins.as_chunks::<TALLIES>();
    for four in fours {
        for (tally, bin) in tallies.iter_mut().zip(four) {
            tally[usize::from(*bin).min(BINS)] += 1;
        }
    }
    rest.iter().for_each(|bin| tallies[0][usize::from(*bin).min(BINS)] += 1);
}

/// Adds the valid pixels of a row to the sums of its columns. An empty mask masks nothing.
#[pulp::with_simd(add = pulp::Arch::new())]
#[inline(always)]
fn add_with_simd<S: pulp::Simd, T: Wide>(
    _simd: S,
    row: &[T],
    mask: &[u8],
    nodata: f64,
    sums: &mut [f64],
    counts: &mut [u32],
) {
    if mask.is_empty() {
        for ((v, sum), n) in row.iter().zip(sums).zip(counts) {
            let x = v.wide();
            let valid = !x.is_nan() & (x != nodata);
            *sum += if valid { x } else { 0.0 };
            *n += u32::from(valid);
        }
    } else {
        for (((v, m), sum), n) in row.iter().zip(mask).zip(sums).zip(counts) {
            let x = v.wide();
            let valid = !x.is_nan() & (x != nodata) & (*m != 0);
            *sum += if valid { x } else { 0.0 };
            *n += u32::from(valid);
        }
    }
}

/// The bin of each pixel of a row, [`BINS`] for those that are not valid.
#[pulp::with_simd(bin = pulp::Arch::new())]
#[inline(always)]
fn bin_with_simd<S: pulp::Simd, T: Wide>(
    _simd: S,
    row: &[T],
    mask: &[u8],
    nodata: f64,
    encoding: (f64, f64),
    per_bin: f64,
    bins: &mut [u16],
) {
    let last = (BINS - 1) as f64;
    for (v, bin) in row.iter().zip(&mut *bins) {
        let x = v.wide();
        let at = (x * encoding.0 + encoding.1 + 2.0) * per_bin;
        let at = if at > 0.0 { at } else { 0.0 };
        let at = if at < last { at } else { last };
        // Added to 2^52 a small number becomes the nearest whole one, in the last bits. Conversions to integers would be made
        // one by one.
        let shifted = at + WHOLE;
        let above = shifted - WHOLE > at;
        let valid = !x.is_nan() & (x != nodata);
        let whole = (shifted.to_bits() as u16).wrapping_sub(u16::from(above));
        *bin = if valid { whole } else { BINS as u16 };
    }
    for (bin, _) in bins.iter_mut().zip(mask).filter(|(_, m)| **m == 0) {
        *bin = BINS as u16;
    }
}

/// A stored value as a double.
pub(super) trait Wide: Copy {
    fn wide(self) -> f64;
}

macro_rules! wide {
    ($($t:ty),*) => { $(impl Wide for $t {
        #[inline(always)]
        fn wide(self) -> f64 {
            self as f64
        }
    })* };
}
wide!(u8, i8, u16, i16, u32, i32, u64, i64, f32);

impl Wide for f64 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}
