//! Coordinate transforms between reference systems.
