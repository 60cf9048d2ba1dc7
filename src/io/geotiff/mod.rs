//! GeoTIFF and COG without GDAL.

mod read;
mod write;

pub use read::GeoTiff;
#[cfg(feature = "gdal")]
pub(crate) use read::NOT_SUPPORTED;
pub use write::{BigTiff, Codec, CogSink, CreationOptions, Predictor};
