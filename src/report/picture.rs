//! A raster reduced to a picture that fits a page.

use crate::error::{Error, Result};
use crate::grid::Window;
use crate::project::summary::MapKind;
use crate::raster::{Class, Raw, Source};
use crate::with_samples;

use super::ramp;

/// Longest edge of a picture; a raster with fewer pixels keeps them all.
const EDGE: usize = 900;
/// Edge of the windows a raster is read by: bounds the memory whatever its size.
const WINDOW: usize = 1024;

/// Bins of a histogram over −2..2, which holds every index and every difference of two.
pub const BINS: usize = 800;

/// Values of a band on at most `EDGE` cells along an axis, and the histogram of all its pixels.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Columns.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
    /// Mean of the valid pixels of a cell, or the class at its centre; NaN where there is none.
    pub values: Vec<f32>,
    /// Classes of a class band.
    pub classes: Vec<Class>,
    /// Pixels by value from −2 to 2; empty for classes and concentrations.
    pub histogram: Vec<u64>,
    /// Pixels of the raster that a cell spans along an axis.
    pub factor: usize,
}

impl Picture {
    /// Reads a band whole, window by window.
    ///
    /// # Errors
    /// Those of opening and reading; a band that is not there.
    pub fn read(source: &dyn Source, band: usize, kind: MapKind) -> Result<Self> {
        let grid = source.grid();
        let facts = source.bands().get(band).ok_or_else(|| {
            Error::input(format!("{}: found {} bands, expected {}", source.name(), source.bands().len(), band + 1))
        })?;
        let factor = grid.cols.max(grid.rows).div_ceil(EDGE).max(1);
        let (cols, rows) = (grid.cols.div_ceil(factor), grid.rows.div_ceil(factor));
        // A colour table has an entry for every value; classes are those with a name.
        let named = |c: &&Class| kind == MapKind::Classes && !c.name.is_empty();
        let classes = facts.classes.iter().filter(named).cloned().collect();
        let with_histogram = matches!(kind, MapKind::Vegetation | MapKind::Soil | MapKind::Difference);
        let mut histogram = vec![0u64; if with_histogram { BINS } else { 0 }];
        let mut sums = vec![(0.0f64, 0u32); cols * rows];
        let mut reader = source.open()?;
        let mut raw = [Raw::default()];
        for row0 in (0..grid.rows).step_by(WINDOW) {
            for col0 in (0..grid.cols).step_by(WINDOW) {
                let (w, h) = (WINDOW.min(grid.cols - col0), WINDOW.min(grid.rows - row0));
                reader.read(&[band], Window::new(col0 as i64, row0 as i64, w, h), &mut raw)?;
                let mask = raw[0].mask.as_deref();
                #[expect(clippy::unnecessary_cast, reason = "the macro runs it for every sample type, f64 too")]
                let values: Vec<f64> = with_samples!(&raw[0].samples, v => v.iter().map(|x| *x as f64).collect());
                for (i, stored) in values.into_iter().enumerate() {
                    let invalid = stored.is_nan() || facts.nodata == Some(stored) || mask.is_some_and(|m| m[i] == 0);
                    if invalid {
                        continue;
                    }
                    let (row, col) = (row0 + i / w, col0 + i % w);
                    let value = stored * facts.scale + facts.offset;
                    if with_histogram {
                        let bin = ((value + 2.0) / 4.0 * BINS as f64).floor().clamp(0.0, (BINS - 1) as f64);
                        histogram[bin as usize] += 1;
                    }
                    let cell = &mut sums[row / factor * cols + col / factor];
                    if kind == MapKind::Classes {
                        // Classes cannot be averaged: the pixel at or before the centre of the cell stands for it.
                        if cell.1 == 0 || (row % factor <= factor / 2 && col % factor <= factor / 2) {
                            *cell = (value, 1);
                        }
                    } else {
                        *cell = (cell.0 + value, cell.1 + 1);
                    }
                }
            }
        }
        let mean = |(sum, n): (f64, u32)| if n == 0 { f32::NAN } else { (sum / f64::from(n)) as f32 };
        Ok(Self { cols, rows, values: sums.into_iter().map(mean).collect(), classes, histogram, factor })
    }

    /// Finite values in ascending order.
    #[must_use]
    pub fn sorted(&self) -> Vec<f32> {
        let mut v: Vec<f32> = self.values.iter().copied().filter(|v| v.is_finite()).collect();
        v.sort_unstable_by(f32::total_cmp);
        v
    }

    /// The picture as a PNG with one palette entry a colour; what has no value is transparent.
    ///
    /// # Errors
    /// None in practice; a defect of the encoder.
    pub fn png(&self, kind: MapKind, range: (f64, f64)) -> Result<Vec<u8>> {
        let mut palette = vec![0u8; 3];
        let index: Box<dyn Fn(f64) -> u8> = if kind == MapKind::Classes {
            self.classes.iter().take(255).for_each(|c| palette.extend(c.rgb));
            let values: Vec<f64> = self.classes.iter().map(|c| f64::from(c.value)).collect();
            Box::new(move |v| values.iter().position(|c| *c == v).map_or(0, |i| i as u8 + 1))
        } else {
            (0..255).for_each(|i| palette.extend(ramp::colour(kind, f64::from(i) / 254.0)));
            let (low, span) = (range.0, (range.1 - range.0).max(f64::MIN_POSITIVE));
            Box::new(move |v| 1 + ((v - low) / span * 254.0).round().clamp(0.0, 254.0) as u8)
        };
        let pixels: Vec<u8> = self.values.iter().map(|v| if v.is_nan() { 0 } else { index(f64::from(*v)) }).collect();
        let failed = |e: png::EncodingError| Error::bug(format!("encoding a map picture: {e}"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.cols as u32, self.rows as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette);
        encoder.set_trns(vec![0u8]);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// Base 64 (RFC 4648) for `data:` addresses.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(n >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Affine, Grid};
    use crate::io::memory::MemorySource;
    use crate::raster::{Band, Dtype, Samples};

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }

    #[test]
    fn large_rasters_shrink_to_means_of_valid_pixels() {
        let (cols, rows) = (1801, 3);
        let grid = Grid::new(cols, rows, Affine::north_up(0.0, 0.0, 10.0, 10.0), None);
        let mut values: Vec<f32> = (0..cols * rows).map(|i| (i % cols) as f32 / 1000.0).collect();
        values[0] = f32::NAN;
        values[1] = f32::NAN;
        let source = MemorySource::new("m", grid).band(Band::new(Dtype::F32), Samples::F32(values), None).unwrap();
        let p = Picture::read(&source, 0, MapKind::Vegetation).unwrap();
        assert_eq!((p.cols, p.rows, p.factor), (601, 1, 3));
        // Cell 0 holds columns 0 to 2 of three rows; two of its nine pixels are nodata.
        let expected = (0.0f64 * 2.0 + 0.001 * 2.0 + 0.002 * 3.0) / 7.0;
        assert!((f64::from(p.values[0]) - expected).abs() < 1e-7);
        assert_eq!(p.histogram.iter().sum::<u64>(), (cols * rows - 2) as u64);
        let png = p.png(MapKind::Vegetation, (0.0, 1.0)).unwrap();
        assert_eq!(&png[1..4], b"PNG");
    }
}
