//! Values of every date along a run of pixels, from the formulas of the dates.

use std::sync::Arc;

use super::Gathered;
use crate::engine::TileIn;
use crate::spectral::{Evaluation, Program};

/// Pixels that are evaluated together: what programs compute at a time.
pub(in crate::analysis) const RUN: usize = 256;

/// One date: which program makes its values, from which channels.
#[derive(Clone, Debug)]
struct Date {
    program: usize,
    planes: Vec<usize>,
}

/// The dates of a stack, in order of time, each with as many values.
#[derive(Clone, Debug, Default)]
pub struct Dates {
    programs: Vec<Arc<Program>>,
    dates: Vec<Date>,
    reads: Vec<String>,
    times: Vec<f64>,
}

impl Dates {
    /// No date yet; add them in order of time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a date whose values `program` makes of the channels `reads`. Dates that share a program share its memory.
    pub fn push(&mut self, time: f64, program: &Arc<Program>, reads: Vec<String>) {
        let program = self.programs.iter().position(|p| Arc::ptr_eq(p, program)).unwrap_or_else(|| {
            self.programs.push(Arc::clone(program));
            self.programs.len() - 1
        });
        let planes = (self.reads.len()..self.reads.len() + reads.len()).collect();
        self.reads.extend(reads);
        self.dates.push(Date { program, planes });
        self.times.push(time);
    }

    /// Number of dates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    /// True without dates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// Times of the dates.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Channels, in order.
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// Values a date.
    fn bands(&self) -> usize {
        self.programs.first().map_or(0, |p| p.results())
    }

    /// Bytes a worker needs for a run of pixels.
    #[must_use]
    pub fn scratch(&self) -> u64 {
        let programs: u64 = self.programs.iter().map(|p| p.working_bytes(RUN as u64)).sum();
        programs + (self.len() * (self.bands() * (RUN + 2) * 8 + 12)) as u64
    }

    /// Working memory for runs of pixels.
    pub(in crate::analysis) fn values(&self) -> Values<'_> {
        Values {
            dates: self,
            evaluations: self.programs.iter().map(|p| p.evaluation()).collect(),
            values: vec![f64::NAN; self.len() * self.bands() * RUN],
            bands: self.bands(),
        }
    }
}

/// Values of all dates along a run of pixels; NaN is nodata.
pub struct Values<'a> {
    dates: &'a Dates,
    evaluations: Vec<Evaluation<'a>>,
    /// A run of pixels for each band of each date.
    values: Vec<f64>,
    bands: usize,
}

impl Values<'_> {
    /// Evaluates `run` pixels of a row of the tile, from a column; both count from its corner and may reach into the halo.
    pub(in crate::analysis) fn load(&mut self, input: &TileIn<'_>, row: isize, col: isize, run: usize) {
        let halo = input.halo as isize;
        let (row, col) = ((row + halo) as usize, (col + halo) as usize);
        for (date, to) in self.dates.dates.iter().zip(self.values.chunks_exact_mut(self.bands * RUN)) {
            let load = |i: usize, values: &mut [f64]| input.planes[date.planes[i]].load(row, col, values);
            let results = self.evaluations[date.program].row(run, load);
            for (to, from) in to.chunks_exact_mut(RUN).zip(results) {
                to[..run].copy_from_slice(from);
            }
        }
    }

    /// Value of a band of a date at a pixel of the run, where all bands of the date are finite.
    pub(in crate::analysis) fn value(&self, date: usize, band: usize, lane: usize) -> f64 {
        self.values[(date * self.bands + band) * RUN + lane]
    }

    /// True where all bands of a date are finite.
    pub(super) fn valid(&self, date: usize, lane: usize) -> bool {
        (0..self.bands).all(|band| self.value(date, band, lane).is_finite())
    }

    /// Values a date.
    pub(super) fn bands(&self) -> usize {
        self.bands
    }

    /// The valid dates of one pixel.
    pub(super) fn gather(&self, lane: usize, to: &mut Gathered) {
        to.at.clear();
        to.times.clear();
        to.values.clear();
        for (date, time) in self.dates.times.iter().enumerate() {
            if self.valid(date, lane) {
                to.at.push(date as u32);
                to.times.push(*time);
                to.values.push(self.value(date, 0, lane));
            }
        }
        for band in 1..self.bands {
            to.values.extend(to.at.iter().map(|date| self.value(*date as usize, band, lane)));
        }
    }
}
