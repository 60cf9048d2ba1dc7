//! Vector formats: GeoJSON, GeoPackage, Shapefile, FlatGeobuf.
//!
//! Planned surface: `read(path, layer: Option<&str>) -> Result<Layer>`, `write(path, &Layer, overwrite) -> Result<()>`.
