//! Cloud-optimised GeoTIFFs, written while the tiles pass once.
//!
//! Workers compress blocks and halve them for the overviews; committed blocks wait in a spool beside the output, since a
//! COG has its overviews before the full resolution, and they are complete only at the end. `finish` writes header,
//! overviews (smallest first) and full resolution, reads the header back and renames.
//!
//! Several bands lie one after another (planar configuration 2): maps, zonal statistics and QGIS mostly read one band of
//! many, and then decode nothing else.

mod block;
mod header;
mod keys;
mod metadata;
mod options;
mod pyramid;
mod sample;
mod sink;
mod spool;
mod stats;

pub use options::{BigTiff, Codec, CreationOptions, Predictor};
pub use sink::CogSink;
