//! The only code that knows file formats.

#[cfg(feature = "gdal")]
pub mod gdal;
pub mod geotiff;
pub mod table;
pub mod vector;
