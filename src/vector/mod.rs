//! Polygons: geometry, exact coverage of cells, tracing of class outlines.

mod coverage;
pub mod geometry;
mod placing;
pub mod zones;

pub use geometry::{Feature, Geometry, Layer, Polygon, Ring, Value};
pub use zones::ZoneIndex;
