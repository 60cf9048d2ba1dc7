//! The read side: headers, blocks, masks and metadata of GeoTIFF and COG.

mod blocks;
mod codec;
mod decode;
mod geokeys;
mod ifd;
mod image;
mod jpeg;
mod mask;
mod metadata;
mod moved;
mod nodata;
mod place;
mod predictor;
mod projection;
mod reader;
mod source;
mod storage;
mod table;

#[cfg(feature = "gdal")]
pub(crate) use image::NOT_SUPPORTED;
pub use moved::Movable;
pub(in crate::io) use place::of_file as place_of;
pub use source::GeoTiff;
pub use table::block_table;
