//! Polygons: geometry, exact coverage of cells, tracing of class outlines.

pub mod geometry;

pub use geometry::{Feature, Geometry, Layer, Polygon, Ring, Value};
