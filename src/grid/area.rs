//! Geodesic area of a cell.
