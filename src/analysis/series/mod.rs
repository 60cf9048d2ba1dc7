//! Models of one pixel's series over stacks of dates: values of every date, gathered pixel by pixel, perhaps reduced to periods,
//! and given to a model.

mod annual;
mod dates;
mod periods;
mod probe;

pub use annual::Annual;
pub use dates::{Dates, Values};
pub use periods::{Period, Statistic};
pub use probe::{Probe, Probed};

pub(super) use self::dates::RUN;
use self::periods::reduce;
use std::sync::Arc;

use crate::engine::{Analysis, Clip, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::OutPlane;

/// The valid observations of one pixel.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Position of each on the axis of dates (or periods, where the series is reduced), in order of time.
    pub at: &'a [u32],
    /// Time of each, as the axis gives it.
    pub times: &'a [f64],
    /// All values of the first band of a date, then all of the second.
    pub values: &'a [f64],
}

impl<'a> Observed<'a> {
    /// Values of one band.
    #[must_use]
    pub fn band(&self, band: usize) -> &'a [f64] {
        let n = self.times.len();
        &self.values[band * n..(band + 1) * n]
    }
}

/// A model of one pixel's series; what it makes are bands.
pub trait SeriesModel: Send + Sync + 'static {
    /// Working memory, lent from pixel to pixel.
    type Work: Default;
    /// Short name of the method.
    fn name(&self) -> &'static str;
    /// The bands it makes.
    fn bands(&self) -> Vec<OutBand>;
    /// Bytes of [`SeriesModel::Work`] and of what is prepared for all pixels, for a series of `dates` dates.
    fn bytes(&self, dates: usize) -> u64;
    /// Sources of the method.
    fn citations(&self) -> Vec<&'static str>;
    /// Fills `out`, one number a band, prefilled with NaN, which is nodata. Called for pixels without observations too.
    fn fit(&self, series: &Observed<'_>, work: &mut Self::Work, out: &mut [f32]);
}

/// Fits a model to every pixel.
pub struct SeriesAnalysis<M> {
    dates: Dates,
    periods: Option<(Vec<Period>, Statistic)>,
    clip: Option<Arc<dyn Clip>>,
    model: M,
}

impl<M: SeriesModel> SeriesAnalysis<M> {
    /// A model of the values of `dates`, or of a statistic of each of `periods` of them. A model may tell something of pixels
    /// without observations; outside `clip` it does not.
    #[must_use]
    pub fn new(dates: Dates, periods: Option<(Vec<Period>, Statistic)>, clip: Option<Arc<dyn Clip>>, model: M) -> Self {
        Self { dates, periods, clip, model }
    }

    /// Length of the axis of time.
    fn axis(&self) -> usize {
        self.periods.as_ref().map_or(self.dates.len(), |(p, _)| p.len())
    }
}

/// One pixel's observations in buffers that are used again.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) at: Vec<u32>,
    pub(super) times: Vec<f64>,
    pub(super) values: Vec<f64>,
    sorted: Vec<f64>,
}

impl Gathered {
    pub(super) fn observed(&self) -> Observed<'_> {
        Observed { at: &self.at, times: &self.times, values: &self.values }
    }
}

impl<M: SeriesModel> Analysis for SeriesAnalysis<M> {
    type Partial = ();

    fn spec(&self) -> Spec {
        Spec {
            name: self.model.name().into(),
            reads: self.dates.reads().to_vec(),
            writes: self.model.bands(),
            by_rows: true,
            scratch_per_cell: usize::from(self.clip.is_some()),
            scratch_fixed: self.dates.scratch() + self.model.bytes(self.axis()),
            citations: self.model.citations(),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (mut values, mut pixel, mut work) = (self.dates.values(), Gathered::default(), M::Work::default());
        let mut row_out = vec![f32::NAN; out.planes.len()];
        let cols = input.cols();
        let mut keep = Vec::new();
        if let Some(clip) = &self.clip {
            keep.resize(input.window.cells(), true);
            clip.apply(input.window, &mut keep);
        }
        for row in 0..input.rows() {
            for col in (0..cols).step_by(RUN) {
                let run = RUN.min(cols - col);
                values.load(input, row as isize, col as isize, run);
                for lane in 0..run {
                    let cell = row * cols + col + lane;
                    if keep.get(cell).is_some_and(|k| !k) {
                        continue;
                    }
                    values.series(lane, self.periods.as_ref(), &mut pixel);
                    row_out.fill(f32::NAN);
                    self.model.fit(&pixel.observed(), &mut work, &mut row_out);
                    put(&row_out, &mut out.planes, cell)?;
                }
            }
        }
        Ok(())
    }
}

impl Values<'_> {
    /// The series of one pixel of the run, of dates or of periods.
    pub(super) fn series(&self, lane: usize, periods: Option<&(Vec<Period>, Statistic)>, to: &mut Gathered) {
        match periods {
            None => self.gather(lane, to),
            Some((periods, statistic)) => reduce(self, lane, periods, *statistic, to),
        }
    }
}

/// Writes the numbers of one cell, one a plane; NaN leaves nodata.
pub(super) fn put(numbers: &[f32], planes: &mut [OutPlane], cell: usize) -> Result<()> {
    for (number, plane) in numbers.iter().zip(planes).filter(|(n, _)| !n.is_nan()) {
        match plane {
            OutPlane::F32(v) => v[cell] = *number,
            OutPlane::U8(v) => v[cell] = *number as u8,
            OutPlane::U16(v) => v[cell] = *number as u16,
            OutPlane::I16(v) => v[cell] = *number as i16,
            other => return Err(Error::bug(format!("a series model has a band of type {}", other.dtype()))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
