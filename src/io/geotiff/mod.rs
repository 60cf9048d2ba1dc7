//! GeoTIFF and COG without GDAL.

mod read;
mod write;

#[cfg(feature = "gdal")]
pub(crate) use read::NOT_SUPPORTED;
pub(super) use read::place_of;
pub use read::{GeoTiff, Movable, block_table};
pub use write::{BigTiff, Codec, CogSink, CreationOptions, Predictor};
