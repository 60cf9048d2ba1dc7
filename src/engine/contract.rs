//! The contract of an analysis: one computation over tiles. The file that implements it holds the science and nothing else.

use std::ops::RangeInclusive;

use crate::error::Result;
use crate::grid::{Grid, Window};
use crate::raster::{Class, Dtype, OutPlane, Plane, Ramp};

/// How an output band is reduced for overviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overview {
    /// Mean of the valid cells: quantities.
    Average,
    /// Most frequent value, ties to the smaller: classes.
    Mode,
}

/// One plane an analysis writes.
#[derive(Clone, Debug)]
pub struct OutBand {
    /// Band description in the file, with the unit in the name where it is not obvious.
    pub name: String,
    /// Stored type.
    pub dtype: Dtype,
    /// Nodata of integer bands, NaN where every value is valid; floats use NaN.
    pub nodata: f64,
    /// Valid range of a quantity; the engine turns what lies outside into nodata and counts it.
    pub valid: RangeInclusive<f64>,
    /// Physical quantity of a stored 1; what an analysis writes is physical, a sink may store it scaled.
    pub scale: f64,
    /// Physical quantity of a stored 0, for values that are written as another file stores them.
    pub offset: f64,
    /// Unit; empty for ratios.
    pub unit: String,
    /// Class values, names and colours; empty for quantities.
    pub classes: Vec<Class>,
    /// Reduction for overviews.
    pub overview: Overview,
    /// Colours of a quantity where the file gets a style.
    pub ramp: Ramp,
    /// Further metadata of the band, by key.
    pub items: Vec<(String, String)>,
}

impl OutBand {
    /// A quantity in f32 with any finite value valid.
    #[must_use]
    pub fn quantity(name: &str, unit: &str) -> Self {
        Self {
            name: name.into(),
            dtype: Dtype::F32,
            nodata: f64::NAN,
            valid: f64::NEG_INFINITY..=f64::INFINITY,
            scale: 1.0,
            offset: 0.0,
            unit: unit.into(),
            classes: Vec::new(),
            overview: Overview::Average,
            ramp: Ramp::default(),
            items: Vec::new(),
        }
    }

    /// The same with a valid range.
    #[must_use]
    pub fn within(mut self, valid: RangeInclusive<f64>) -> Self {
        self.valid = valid;
        self
    }

    /// The same drawn with another ramp.
    #[must_use]
    pub fn drawn(mut self, ramp: Ramp) -> Self {
        self.ramp = ramp;
        self
    }

    /// A u8 class band with nodata 255.
    #[must_use]
    pub fn classes(name: &str, classes: Vec<Class>) -> Self {
        Self {
            name: name.into(),
            dtype: Dtype::U8,
            nodata: 255.0,
            valid: 0.0..=254.0,
            scale: 1.0,
            offset: 0.0,
            unit: String::new(),
            classes,
            overview: Overview::Mode,
            ramp: Ramp::default(),
            items: Vec::new(),
        }
    }
}

/// What an analysis needs and makes; known before any pixel is read.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Short name (`bare`).
    pub name: String,
    /// Channels it reads, by name, in the order of the planes it will see. May be empty (interpolation).
    pub reads: Vec<String>,
    /// Planes it writes. May be empty (zonal statistics).
    pub writes: Vec<OutBand>,
    /// Pixels it needs around a tile.
    pub halo: usize,
    /// Bytes of working memory a tile of `n` cells needs besides planes, per cell.
    pub scratch_per_cell: usize,
    /// Bytes of working memory a tile needs whatever its size, its partial result included.
    pub scratch_fixed: u64,
    /// True where a tile whose inputs hold only nodata leaves the partial result as it is and is nodata in every plane: such
    /// tiles are then skipped.
    pub empty_adds_nothing: bool,
    /// True where every output cell depends on the input cells at its place only, and nothing changes where a tile comes in
    /// bands of rows: a pass of such analyses decodes few rows at a time, so that hundreds of channels stay small.
    pub by_rows: bool,
    /// Sources of the method, for provenance and report.
    pub citations: Vec<&'static str>,
}

/// Folded by the engine in tile order, so that the number of threads cannot change a bit.
pub trait Partial: Default + Send + 'static {
    /// Adds the result of the next tile.
    fn merge(&mut self, next: Self);
}

impl Partial for () {
    fn merge(&mut self, (): Self) {}
}

/// One computation over tiles.
pub trait Analysis: Send + Sync + 'static {
    /// Private result of one tile; `()` when only pixels matter.
    type Partial: Partial;
    /// What it reads and writes.
    fn spec(&self) -> Spec;
    /// Bytes it holds for the whole pass (prepared zones, samples, tables); counted by the plan.
    fn resident_bytes(&self) -> u64 {
        0
    }
    /// Computes one tile. Pure: physical units in, NaN is nodata; no I/O, threads, clock, randomness or logs.
    ///
    /// # Errors
    /// Only what makes the whole run meaningless (a value no class covers); nodata is not an error.
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, partial: &mut Self::Partial) -> Result<()>;
}

/// What an analysis sees of a tile. Rows and columns count from the tile's own corner, without the halo.
pub struct TileIn<'a> {
    /// The tile on the pass grid, without halo.
    pub window: Window,
    /// The whole pass grid.
    pub grid: &'a Grid,
    /// Pixels of halo around the planes.
    pub halo: usize,
    /// Planes in the order of [`Spec::reads`].
    pub planes: Vec<&'a Plane>,
}

impl TileIn<'_> {
    /// Columns of the tile.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.window.cols
    }
    /// Rows of the tile.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.window.rows
    }
    /// Loads one row of a plane (without halo) as physical values into `out[..cols]`; NaN is nodata.
    pub fn load(&self, plane: usize, row: usize, out: &mut [f64]) {
        self.planes[plane].load(row + self.halo, self.halo, &mut out[..self.window.cols]);
    }
    /// Physical value at a cell given relative to the tile; may reach `halo` cells outside.
    #[must_use]
    pub fn get(&self, plane: usize, row: isize, col: isize) -> f64 {
        let h = self.halo as isize;
        self.planes[plane].get((row + h) as usize, (col + h) as usize)
    }
}

/// The planes an analysis fills, in the order of [`Spec::writes`], prefilled with nodata.
pub struct TileOut {
    /// Columns of the tile.
    pub cols: usize,
    /// The planes.
    pub planes: Vec<OutPlane>,
}

impl TileOut {
    /// Row of an f32 plane.
    ///
    /// # Panics
    /// If the plane was declared with another type.
    #[expect(clippy::panic, reason = "a mismatch with the analysis's own spec is a bug the tile guard reports")]
    pub fn f32_row(&mut self, plane: usize, row: usize) -> &mut [f32] {
        let cols = self.cols;
        match &mut self.planes[plane] {
            OutPlane::F32(v) => &mut v[row * cols..(row + 1) * cols],
            other => panic!("plane {plane} is {}, not float32", other.dtype()),
        }
    }
    /// Row of a u8 plane.
    ///
    /// # Panics
    /// If the plane was declared with another type.
    #[expect(clippy::panic, reason = "a mismatch with the analysis's own spec is a bug the tile guard reports")]
    pub fn u8_row(&mut self, plane: usize, row: usize) -> &mut [u8] {
        let cols = self.cols;
        match &mut self.planes[plane] {
            OutPlane::U8(v) => &mut v[row * cols..(row + 1) * cols],
            other => panic!("plane {plane} is {}, not uint8", other.dtype()),
        }
    }
}
