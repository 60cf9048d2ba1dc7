//! One worker's handle on a GDAL dataset.

use gdal::Dataset;
use gdal::raster::{GdalType, RasterBand};

use super::reason;
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::raster::{Band, Dtype, Raw, Reader, Samples};

/// Reads windows through its own dataset.
pub(super) struct GdalReader {
    dataset: Dataset,
    name: String,
    bands: Vec<Band>,
}

impl GdalReader {
    pub(super) fn new(dataset: Dataset, name: String, bands: Vec<Band>) -> Self {
        Self { dataset, name, bands }
    }

    fn check(&self, bands: &[usize], window: Window, out: usize) -> Result<()> {
        let (cols, rows) = self.dataset.raster_size();
        let inside = Window::new(0, 0, cols, rows).intersect(&window) == Some(window);
        if !inside || out != bands.len() || bands.iter().any(|b| *b >= self.bands.len()) {
            return Err(Error::bug(format!(
                "{}: bands {bands:?}, {window} asked of a raster of {} bands, {cols} x {rows} pixels",
                self.name,
                self.bands.len()
            )));
        }
        Ok(())
    }
}

impl Reader for GdalReader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        self.check(bands, window, out.len())?;
        for (band, raw) in bands.iter().zip(out) {
            read_band(&self.dataset, *band, self.bands[*band].dtype, window, raw)
                .map_err(|e| Error::input(format!("{}: band {}, {window}: {}", self.name, band + 1, reason(&e))))?;
        }
        Ok(())
    }
}

fn read_band(
    dataset: &Dataset,
    band: usize,
    dtype: Dtype,
    window: Window,
    raw: &mut Raw,
) -> std::result::Result<(), gdal::errors::GdalError> {
    let raster = dataset.rasterband(band + 1)?;
    raw.samples.reset(dtype, window.cells());
    match &mut raw.samples {
        Samples::U8(v) => fill(&raster, window, v)?,
        Samples::U16(v) => fill(&raster, window, v)?,
        Samples::I16(v) => fill(&raster, window, v)?,
        Samples::U32(v) => fill(&raster, window, v)?,
        Samples::I32(v) => fill(&raster, window, v)?,
        Samples::F32(v) => fill(&raster, window, v)?,
        Samples::F64(v) => fill(&raster, window, v)?,
        Samples::I8(v) if raster.band_type().name() == "Byte" => {
            // Before GDAL 3.7 signed bytes are bytes with a remark.
            let mut bytes = vec![0_u8; v.len()];
            fill(&raster, window, &mut bytes)?;
            v.iter_mut().zip(bytes).for_each(|(d, s)| *d = s as i8);
        }
        Samples::I8(v) => {
            let mut wide = vec![0_i16; v.len()];
            fill(&raster, window, &mut wide)?;
            v.iter_mut().zip(wide).for_each(|(d, s)| *d = s as i8);
        }
        // Refused when the file was opened.
        Samples::U64(_) | Samples::I64(_) => {}
    }
    let flags = raster.mask_flags()?;
    raw.mask = None;
    if !flags.is_all_valid() && !flags.is_nodata() {
        let mut mask = vec![0_u8; window.cells()];
        fill(&raster.open_mask_band()?, window, &mut mask)?;
        mask.iter_mut().for_each(|m| *m = u8::from(*m != 0));
        raw.mask = Some(mask);
    }
    Ok(())
}

fn fill<T: GdalType + Copy>(
    band: &RasterBand<'_>,
    window: Window,
    out: &mut [T],
) -> std::result::Result<(), gdal::errors::GdalError> {
    let size = (window.cols, window.rows);
    band.read_into_slice((window.col as isize, window.row as isize), size, size, out, None)
}
