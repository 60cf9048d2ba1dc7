//! The only code that knows file formats.

pub mod atomic;
#[cfg(feature = "gdal")]
pub mod gdal;
pub mod geotiff;
pub mod lock;
pub mod memory;
pub mod table;
pub mod vector;
