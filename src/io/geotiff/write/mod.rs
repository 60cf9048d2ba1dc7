//! Cloud-optimised GeoTIFFs, written while the tiles pass once.
//!
//! Workers compress blocks and halve them for the overviews. Committed blocks of full resolution are written where they
//! stay. A COG has its overviews before them, and these are complete only at the end: `finish` makes room at the start of
//! the file, which costs a file system of extents nothing, writes header and overviews (smallest first) there, reads the
//! header back and renames.
//!
//! Each band has blocks of its own (planar configuration 2): maps, zonal statistics and QGIS mostly read one band of many,
//! and then decode nothing else.

mod block;
mod body;
mod header;
mod keys;
mod metadata;
mod options;
mod pyramid;
mod sample;
mod scaled;
mod sink;
mod spool;

pub use options::{BigTiff, Codec, CreationOptions, Predictor};
pub use sink::CogSink;
