//! Opening a raster of any format this build reads, by content and never by name.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::file::InputFile;
use super::geotiff::GeoTiff;
use super::jp2::Jp2;
use super::sniff::{self, What};
use crate::error::{Error, Result};
use crate::raster::Source;

/// Opens the raster at `path`: GeoTIFF, COG and JPEG 2000 by our own readers, other formats through GDAL where it is built in.
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
        What::Jpeg2000 => open_jp2(path),
        What::Raster(format) => other(path, format),
        What::Mosaic(format) => Err(Error::input(format!(
            "{name}: it is {format}, which names other files and is not followed; convert it: gdal_translate IN OUT.tif"
        ))),
        What::Other(text) => Err(Error::input(format!("{name}: {text}"))),
        What::Zip | What::Tar => Err(Error::input(format!(
            "{name}: it is an archive, not a raster; give it as a scene, without a role, or unpack it"
        ))),
        What::Unknown => {
            Err(Error::input(format!("{name}: not a raster of a known format; GeoTIFF and JPEG 2000 are read")))
        }
    }
}

/// Opens the raster in the `len` bytes of `path` from byte `at`, such as a member that an archive stores without
/// compression. Messages call it `name`. Read by our own readers only.
///
/// # Errors
/// As [`open_raster`].
pub fn open_part(name: &str, path: &Path, at: u64, len: u64) -> Result<Arc<dyn Source>> {
    let part = InputFile::open_part(name, path, at, len)?;
    let mut head = vec![0; len.min(sniff::HEAD as u64) as usize];
    part.read_at(&mut head, 0, "first bytes")?;
    match sniff::what(&head) {
        What::Tiff => Ok(Arc::new(GeoTiff::open_part(name, path, at, len)?)),
        What::Jpeg2000 => Ok(Arc::new(Jp2::open_part(name, path, at, len)?)),
        What::Raster(format) | What::Mosaic(format) => {
            Err(part.bad(format!("it is {format}, which is not read inside an archive; unpack it")))
        }
        What::Other(text) => Err(part.bad(text)),
        What::Zip | What::Tar => Err(part.bad("it is an archive in an archive; unpack it")),
        What::Unknown => Err(part.bad("not a raster of a known format")),
    }
}

#[cfg(not(feature = "gdal"))]
fn open_tiff(path: &Path) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(GeoTiff::open(path)?))
}

#[cfg(not(feature = "gdal"))]
fn open_jp2(path: &Path) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(Jp2::open(path)?))
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
fn open_jp2(path: &Path) -> Result<Arc<dyn Source>> {
    match Jp2::open(path) {
        Ok(source) => Ok(Arc::new(source)),
        Err(e) if e.message().contains(super::jp2::NOT_SUPPORTED) => Ok(Arc::new(super::gdal::GdalSource::open(path)?)),
        Err(e) => Err(e),
    }
}

#[cfg(feature = "gdal")]
fn other(path: &Path, _format: &str) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(super::gdal::GdalSource::open(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Window;
    use crate::raster::Raw;

    #[test]
    fn a_raster_inside_a_file_reads_as_alone() {
        let alone = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rasters/u16_lzw_pred2_strips.tif");
        let bytes = std::fs::read(&alone).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive.tar");
        std::fs::write(&path, [&[7; 512][..], &bytes, &[9; 100]].concat()).unwrap();
        let part = open_part("archive.tar/a.tif", &path, 512, bytes.len() as u64).unwrap();
        let whole = open_raster(&alone).unwrap();
        assert_eq!((part.name(), part.grid()), ("archive.tar/a.tif", whole.grid()));
        let window = Window::new(0, 0, whole.grid().cols, whole.grid().rows);
        let read = |s: &Arc<dyn Source>| {
            let mut out = [Raw::default()];
            s.open().unwrap().read(&[0], window, &mut out).unwrap();
            out[0].samples.clone()
        };
        assert_eq!(read(&part), read(&whole));
        assert!(open_part("archive.tar/a.tif", &path, 0, 512).is_err());
    }
}
