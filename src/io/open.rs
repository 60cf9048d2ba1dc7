//! Opening a raster of any format this build reads, by content and never by name.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::geotiff::GeoTiff;
use super::sniff::{self, What};
use crate::error::{Error, Result};
use crate::raster::Source;

/// Opens the raster at `path`: GeoTIFF and COG by our own reader, other formats through GDAL where it is built in.
///
/// # Errors
/// Input error that says what the file really is, or what in it is damaged or not supported, and the remedy.
pub fn open_raster(path: &Path) -> Result<Arc<dyn Source>> {
    let name = path.display();
    let failed = |e: std::io::Error| Error::from_io(&format!("opening {name}"), &e);
    let meta = std::fs::metadata(path).map_err(failed)?;
    if meta.is_dir() {
        return Err(Error::input(format!("{name}: it is a folder, not a raster file")));
    }
    // A pipe or device could block for ever, so it is not even opened.
    if !meta.is_file() {
        return Err(Error::input(format!("{name}: it is not a regular file (a pipe, socket or device)")));
    }
    let mut head = Vec::with_capacity(sniff::HEAD);
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(sniff::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    match sniff::what(&head) {
        What::Tiff => open_tiff(path),
        What::Raster(format) => other(path, format),
        What::Mosaic(format) => Err(Error::input(format!(
            "{name}: it is {format}, which names other files and is not followed; convert it: gdal_translate IN OUT.tif"
        ))),
        What::Other(text) => Err(Error::input(format!("{name}: {text}"))),
        What::Unknown => Err(Error::input(format!("{name}: not a raster of a known format; GeoTIFF is read"))),
    }
}

#[cfg(not(feature = "gdal"))]
fn open_tiff(path: &Path) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(GeoTiff::open(path)?))
}

#[cfg(not(feature = "gdal"))]
fn other(path: &Path, format: &str) -> Result<Arc<dyn Source>> {
    Err(Error::input(format!(
        "{}: the file is {format}, which this build does not read; build regrow with --features gdal, or convert it: \
         gdal_translate IN OUT.tif",
        path.display()
    )))
}

#[cfg(feature = "gdal")]
fn open_tiff(path: &Path) -> Result<Arc<dyn Source>> {
    // Only what our reader names as unsupported goes to GDAL: damage stays an error.
    match GeoTiff::open(path) {
        Ok(source) => Ok(Arc::new(source)),
        Err(e) if e.message().contains(super::geotiff::NOT_SUPPORTED) => {
            Ok(Arc::new(super::gdal::GdalSource::open(path)?))
        }
        Err(e) => Err(e),
    }
}

#[cfg(feature = "gdal")]
fn other(path: &Path, _format: &str) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(super::gdal::GdalSource::open(path)?))
}
