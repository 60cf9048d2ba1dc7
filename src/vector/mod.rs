//! Polygons: geometry, exact coverage of cells, tracing of class outlines.
