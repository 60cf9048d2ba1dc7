//! GeoTIFF and COG without GDAL.

mod read;

pub use read::GeoTiff;
