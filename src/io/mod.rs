//! The only code that knows file formats.

pub mod atomic;
mod cache;
mod file;
#[cfg(feature = "gdal")]
pub mod gdal;
pub mod geotiff;
mod handles;
pub mod jp2;
pub mod lock;
pub mod memory;
mod open;
pub mod samples;
pub mod sidecar;
mod sniff;
pub mod style;
pub mod table;
pub mod tree;
pub mod vector;

pub use open::{open_part, open_raster};
