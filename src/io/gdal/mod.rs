//! GDAL sources behind the feature `gdal`: every raster format our own reader does not know, behind the same traits.
//!
//! A GDAL dataset belongs to one thread, so each worker's reader opens its own. Only drivers of self-contained local files
//! are allowed: no VRT, no network. GDAL writes nothing beside inputs and its block cache has a fixed size.

mod describe;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Once;

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};

use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::raster::{Band, BlockLayout, Reader, Source};

/// Raster drivers that read one local file and follow no references in it.
const DRIVERS: &[&str] = &[
    "GTiff",
    "JP2OpenJPEG",
    "JP2KAK",
    "JPEG2000",
    "netCDF",
    "HDF5Image",
    "HDF5",
    "HDF4Image",
    "HDF4",
    "GRIB",
    "HFA",
    "PNG",
    "JPEG",
    "GIF",
    "BMP",
    "WEBP",
    "AAIGrid",
    "GSAG",
    "GSBG",
    "GS7BG",
    "ENVI",
    "EHdr",
    "SRTMHGT",
    "USGSDEM",
    "RST",
    "SAGA",
    "PCIDSK",
    "LERC",
    "JPEGXL",
];

/// Size of GDAL's block cache, which all its datasets share.
const CACHE_BYTES: u64 = 32 << 20;

static CONFIGURED: Once = Once::new();

/// A raster opened through GDAL.
pub struct GdalSource {
    path: PathBuf,
    name: String,
    grid: Grid,
    bands: Vec<Band>,
    layout: BlockLayout,
    metadata: Vec<(String, String)>,
    storage: Vec<(String, String)>,
    warnings: Vec<String>,
}

impl GdalSource {
    /// Opens the raster at `path`, which must be a local file.
    ///
    /// # Errors
    /// Input error with GDAL's reason; a file of several subdatasets is listed.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let dataset = open(path)?;
        let mut warnings = Vec::new();
        let bands = describe::bands(&dataset, &name)?;
        let grid = describe::grid(&dataset, &mut warnings);
        let layout = describe::layout(&dataset);
        let metadata = describe::metadata(&dataset);
        let storage = vec![("format".to_owned(), format!("{} (GDAL)", dataset.driver().short_name()))];
        Ok(Self { path: path.to_owned(), name, grid, bands, layout, metadata, storage, warnings })
    }
}

/// One dataset, with the drivers of [`DRIVERS`] alone.
fn open(path: &Path) -> Result<Dataset> {
    CONFIGURED.call_once(configure);
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_READONLY,
        allowed_drivers: Some(DRIVERS),
        ..DatasetOptions::default()
    };
    Dataset::open_ex(path, options).map_err(|e| Error::input(format!("{}: {}", path.display(), reason(&e))))
}

fn configure() {
    // Options GDAL does not know are ignored by it; setting one only fails on NUL bytes.
    for (key, value) in [
        ("GDAL_CACHEMAX", (CACHE_BYTES >> 20).to_string()),
        ("GDAL_PAM_ENABLED", "NO".to_owned()),
        ("GDAL_NUM_THREADS", "1".to_owned()),
        ("CPL_VSIL_CURL_ALLOWED_EXTENSIONS", "none".to_owned()),
    ] {
        let _ = gdal::config::set_config_option(key, &value);
    }
    // Errors come back as values; the default handler would print them as well.
    gdal::config::set_error_handler(|_, _, _| {});
}

/// GDAL's own words, without the wrapper's.
fn reason(error: &gdal::errors::GdalError) -> String {
    match error {
        gdal::errors::GdalError::CplError { msg, .. } | gdal::errors::GdalError::NullPointer { msg, .. }
            if !msg.is_empty() =>
        {
            format!("GDAL: {msg}")
        }
        other => format!("GDAL: {other}"),
    }
}

impl Source for GdalSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn bands(&self) -> &[Band] {
        &self.bands
    }

    fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    fn storage(&self) -> &[(String, String)] {
        &self.storage
    }

    fn layout(&self) -> BlockLayout {
        self.layout
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn scratch_bytes(&self, window: Window) -> u64 {
        // Codecs hold a block of all bands besides the shared cache; a mask plane is read as bytes first.
        let pixel: usize = self.bands.iter().map(|b| b.dtype.bytes()).sum();
        CACHE_BYTES + (self.layout.cols * self.layout.rows * pixel) as u64 + 2 * window.cells() as u64
    }

    fn open(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(reader::GdalReader::new(open(&self.path)?, self.name.clone(), self.bands.clone())))
    }
}
