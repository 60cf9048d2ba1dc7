//! Rasters in memory: a source over arrays and a sink that collects planes, for library users and tests.

use std::sync::{Arc, Mutex};

use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::raster::{Band, BlockLayout, Encoded, Finished, OutPlane, Raw, Reader, Samples, Sink, Source};
use crate::with_samples;

/// Bands held in memory. Cloning shares the pixels.
#[derive(Clone)]
pub struct MemorySource {
    name: String,
    grid: Grid,
    layout: BlockLayout,
    bands: Vec<Band>,
    pixels: Arc<Vec<(Samples, Option<Vec<u8>>)>>,
}

impl MemorySource {
    /// A source without bands yet; `name` is what messages call it.
    #[must_use]
    pub fn new(name: &str, grid: Grid) -> Self {
        let layout = BlockLayout { cols: grid.cols, rows: 1, interleaved: false };
        Self { name: name.into(), grid, layout, bands: Vec::new(), pixels: Arc::default() }
    }

    /// Adds a band of samples in row order, with an optional mask (0 = invalid). The band's type becomes that of the samples.
    ///
    /// # Errors
    /// Where the number of samples is not that of the grid's pixels.
    pub fn band(mut self, mut band: Band, samples: impl Into<Samples>, mask: Option<Vec<u8>>) -> Result<Self> {
        let (samples, cells) = (samples.into(), self.grid.cols * self.grid.rows);
        if samples.len() != cells || mask.as_ref().is_some_and(|m| m.len() != cells) {
            return Err(Error::input(format!(
                "{}: band {}: found {} samples, expected {cells}; give one sample a pixel",
                self.name,
                self.bands.len() + 1,
                samples.len()
            )));
        }
        band.dtype = samples.dtype();
        self.bands.push(band);
        Arc::make_mut(&mut self.pixels).push((samples, mask));
        Ok(self)
    }

    /// Adds a band from an array of (row, col).
    ///
    /// # Errors
    /// Where the shape is not that of the grid.
    #[expect(clippy::needless_pass_by_value, reason = "a view is passed like a reference")]
    pub fn array<T: Copy>(self, band: Band, pixels: ArrayView2<'_, T>) -> Result<Self>
    where
        Vec<T>: Into<Samples>,
    {
        let (rows, cols) = pixels.dim();
        if (rows, cols) != (self.grid.rows, self.grid.cols) {
            return Err(Error::input(format!(
                "{}: found an array of {rows} rows x {cols} columns, expected {} x {}",
                self.name, self.grid.rows, self.grid.cols
            )));
        }
        self.band(band, pixels.iter().copied().collect::<Vec<T>>(), None)
    }

    /// States a block layout, as a file of that layout would.
    #[must_use]
    pub fn with_layout(mut self, layout: BlockLayout) -> Self {
        self.layout = layout;
        self
    }
}

impl Source for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }
    fn grid(&self) -> &Grid {
        &self.grid
    }
    fn bands(&self) -> &[Band] {
        &self.bands
    }
    fn layout(&self) -> BlockLayout {
        self.layout
    }
    fn scratch_bytes(&self, _window: Window) -> u64 {
        0
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(MemoryReader { cols: self.grid.cols, pixels: Arc::clone(&self.pixels) }))
    }
}

struct MemoryReader {
    cols: usize,
    pixels: Arc<Vec<(Samples, Option<Vec<u8>>)>>,
}

impl Reader for MemoryReader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        for (band, raw) in bands.iter().zip(out) {
            let (samples, mask) = &self.pixels[*band];
            raw.samples.reset(samples.dtype(), 0);
            copy(samples, self.cols, window, &mut raw.samples);
            raw.mask = mask.as_ref().map(|m| rows(m, self.cols, window).flatten().copied().collect());
        }
        Ok(())
    }
}

fn rows<T>(v: &[T], cols: usize, w: Window) -> impl Iterator<Item = &[T]> {
    (w.row as usize..w.row_end() as usize).map(move |r| &v[r * cols + w.col as usize..r * cols + w.col_end() as usize])
}

fn copy(from: &Samples, cols: usize, window: Window, into: &mut Samples) {
    macro_rules! pairs {
        ($($variant:ident)*) => {
            match (from, into) {
                $((Samples::$variant(a), Samples::$variant(b)) => {
                    rows(a, cols, window).for_each(|r| b.extend_from_slice(r));
                })*
                (from, into) => *into = with_samples!(from, v => {
                    rows(v, cols, window).flatten().copied().collect::<Vec<_>>().into()
                }),
            }
        };
    }
    pairs!(U8 I8 U16 I16 U32 I32 U64 I64 F32 F64);
}

/// A sink that keeps whole planes in memory.
pub struct CollectSink {
    cols: usize,
    rows: usize,
    planes: Mutex<Vec<OutPlane>>,
    done: Collected,
}

/// Where the planes of a [`CollectSink`] are once its pass is over.
#[derive(Clone, Default)]
pub struct Collected(Arc<Mutex<Option<Vec<OutPlane>>>>);

impl Collected {
    /// The planes in row order; none where the pass failed or is not over.
    #[must_use]
    pub fn planes(&self) -> Option<Vec<OutPlane>> {
        self.0.lock().ok().and_then(|p| p.clone())
    }

    /// An f32 plane as an array of (row, col); none where the pass is not over or the plane is of another type.
    #[must_use]
    pub fn array(&self, plane: usize, grid: &Grid) -> Option<Array2<f32>> {
        match self.planes()?.into_iter().nth(plane)? {
            OutPlane::F32(v) => Array2::from_shape_vec((grid.rows, grid.cols), v).ok(),
            _ => None,
        }
    }
}

impl CollectSink {
    /// A sink for the planes of a pass over `grid`, and where to find them.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a pass wants it boxed, the caller keeps the other end")]
    pub fn new(grid: &Grid) -> (Box<dyn Sink>, Collected) {
        let done = Collected::default();
        let sink = Self { cols: grid.cols, rows: grid.rows, planes: Mutex::default(), done: done.clone() };
        (Box::new(sink), done)
    }
}

impl Sink for CollectSink {
    fn encode(&self, _window: Window, planes: &[Finished<'_>]) -> Result<Encoded> {
        let planes: Vec<OutPlane> = planes.iter().map(|f| f.plane.clone()).collect();
        let bytes = planes.iter().map(|p| (p.len() * p.dtype().bytes()) as u64).sum();
        Ok(Encoded { bytes, data: Box::new(planes) })
    }

    fn commit(&self, window: Window, encoded: Encoded) -> Result<()> {
        let tile = encoded.data.downcast::<Vec<OutPlane>>().map_err(|_| Error::bug("planes of another sink"))?;
        let mut planes = self.planes.lock().map_err(|_| Error::bug("a collecting sink is poisoned"))?;
        if planes.is_empty() {
            planes.extend(tile.iter().map(|p| OutPlane::filled(p.dtype(), 0.0, self.cols * self.rows)));
        }
        for (plane, tile) in planes.iter_mut().zip(&*tile) {
            paste(tile, plane, self.cols, window);
        }
        Ok(())
    }

    fn name(&self) -> Option<&str> {
        Some("memory")
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let planes = self.planes.into_inner().map_err(|_| Error::bug("a collecting sink is poisoned"))?;
        if let Ok(mut done) = self.done.0.lock() {
            *done = Some(planes);
        }
        Ok(())
    }

    fn scratch_bytes(&self, _cells: usize) -> u64 {
        0
    }
}

fn paste(tile: &OutPlane, plane: &mut OutPlane, cols: usize, window: Window) {
    macro_rules! pairs {
        ($($variant:ident)*) => {
            match (tile, plane) {
                $((OutPlane::$variant(a), OutPlane::$variant(b)) => {
                    for (r, row) in a.chunks(window.cols).enumerate() {
                        let at = (window.row as usize + r) * cols + window.col as usize;
                        b[at..at + window.cols].copy_from_slice(row);
                    }
                })*
                _ => {}
            }
        };
    }
    pairs!(U8 U16 I16 I32 F32 F64);
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::numeric::Moments;
    use crate::raster::Dtype;

    fn grid() -> Grid {
        Grid::unplaced(3, 2, "test", None)
    }

    #[test]
    fn window_of_an_array_is_read_in_row_order() {
        let pixels = array![[1u16, 2, 3], [4, 5, 6]];
        let s = MemorySource::new("m", grid()).array(Band::new(Dtype::U8), pixels.view()).unwrap();
        assert_eq!(s.bands()[0].dtype, Dtype::U16);
        let mut raw = [Raw::default()];
        s.open().unwrap().read(&[0], Window::new(1, 0, 2, 2), &mut raw).unwrap();
        assert_eq!(raw[0].samples, Samples::U16(vec![2, 3, 5, 6]));
        let wrong = array![[1u16, 2], [4, 5]];
        assert!(MemorySource::new("m", grid()).array(Band::new(Dtype::U8), wrong.view()).is_err());
    }

    #[test]
    fn tiles_are_pasted_where_they_belong() {
        let (sink, done) = CollectSink::new(&grid());
        for (window, values) in
            [(Window::new(0, 0, 2, 2), vec![1.0, 2.0, 4.0, 5.0]), (Window::new(2, 0, 1, 2), vec![3.0, 6.0])]
        {
            let plane = Finished { plane: &OutPlane::F32(values), moments: Moments::default() };
            let encoded = sink.encode(window, &[plane]).unwrap();
            sink.commit(window, encoded).unwrap();
        }
        assert!(done.planes().is_none(), "nothing appears before the end");
        sink.finish().unwrap();
        assert_eq!(done.array(0, &grid()).unwrap(), array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    }
}
