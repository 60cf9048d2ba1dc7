//! GeoTIFF and COG without GDAL.

mod read;
mod write;

pub use read::GeoTiff;
pub use write::{BigTiff, Codec, CogSink, CreationOptions, Predictor};
