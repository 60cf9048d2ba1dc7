//! Polygons: geometry, exact coverage of cells, tracing of class outlines.

mod coverage;
pub mod geometry;
pub mod patches;
mod placing;
mod rings;
mod slab;
pub mod trace;
pub mod zones;

pub use geometry::{Feature, Geometry, Layer, Polygon, Ring, Value};
pub use trace::{Outline, Tracer};
pub use zones::ZoneIndex;
