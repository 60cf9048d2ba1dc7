//! Polygons: geometry, exact coverage of cells, tracing of class outlines.

mod coverage;
pub mod geometry;
pub mod patches;
mod placing;
mod rings;
pub mod runs;
mod slab;
mod squares;
pub mod trace;
pub mod zones;

pub use geometry::{Feature, Geometry, Layer, Polygon, Ring, Value};
pub use runs::{Covered, Runs};
pub use trace::{Outline, Tracer};
pub use zones::ZoneIndex;
