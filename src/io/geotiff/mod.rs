//! GeoTIFF and COG without GDAL.

mod moved;
mod read;
mod write;

pub use moved::Movable;
#[cfg(feature = "gdal")]
pub(crate) use read::NOT_SUPPORTED;
pub use read::{GeoTiff, block_table};
pub use write::{BigTiff, Codec, CogSink, CreationOptions, Predictor};
