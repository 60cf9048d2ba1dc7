//! Vector formats: GeoJSON, GeoPackage, Shapefile and FlatGeobuf in; GeoJSON, GeoPackage and FlatGeobuf out.

mod flatgeobuf;
mod geojson;
mod gpkg;
mod shapefile;
mod wkb;

use std::path::Path;

use crate::error::{Error, Result};
use crate::vector::{Feature, Geometry, Layer};

pub(crate) use geojson::json_value;

/// Files larger than this are not read into memory by the text formats.
const MAX_TEXT_BYTES: u64 = 2 << 30;

/// Reads the features of a vector file. `layer` names one where the file holds several.
///
/// # Errors
/// Input error that names file, feature and cause; several layers without a choice are listed.
pub fn read(path: &Path, layer: Option<&str>) -> Result<Layer> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|e| Error::from_io(&format!("opening {shown}"), &e))?;
    if !meta.is_file() {
        return Err(Error::input(format!("{shown}: not a regular file; name a .gpkg, .geojson, .fgb or .shp file")));
    }
    if meta.len() == 0 {
        return Err(Error::input(format!("{shown}: the file is empty (0 bytes); fetch it again")));
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    let mut out = match extension.as_str() {
        "gpkg" => gpkg::read(path, layer),
        "geojson" | "json" | "geojsonl" | "geojsons" => geojson::read(path, meta.len()),
        "fgb" => flatgeobuf::read(path),
        "shp" => shapefile::read(path),
        "parquet" | "geoparquet" => {
            Err(Error::input("GeoParquet is not built in yet; convert the layer to .gpkg, .geojson or .fgb".to_owned()))
        }
        _ => Err(Error::input(format!(
            "extension {extension:?} is not a known vector format; use .gpkg, .geojson, .fgb or .shp"
        ))),
    }
    .map_err(|e| if e.message().contains(&*path.to_string_lossy()) { e } else { e.context(shown.to_string()) })?;
    check(&mut out).map_err(|e| e.context(shown.to_string()))?;
    Ok(out)
}

/// Writes a layer; the extension chooses the format. The file appears whole or not at all.
///
/// # Errors
/// Usage error for an unknown extension, I/O errors with the path.
pub fn write(path: &Path, layer: &Layer, overwrite: bool) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match extension.as_str() {
        "gpkg" => gpkg::write(path, layer, overwrite),
        "geojson" | "json" => geojson::write(path, layer, overwrite),
        "fgb" => flatgeobuf::write(path, layer, overwrite),
        _ => Err(unknown_output(path)),
    }
}

/// Checks, before any work, that [`write()`] knows the extension.
///
/// # Errors
/// Usage error that lists the formats.
pub fn check_extension(path: &Path) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    if matches!(extension.as_str(), "gpkg" | "geojson" | "json" | "fgb") { Ok(()) } else { Err(unknown_output(path)) }
}

fn unknown_output(path: &Path) -> Error {
    Error::usage(format!("{}: polygons are written as .gpkg, .geojson or .fgb, by extension", path.display()))
}

/// What no format may deliver: coordinates that are not finite, degrees out of range, rings that are no rings.
fn check(layer: &mut Layer) -> Result<()> {
    let geographic = layer.crs.as_ref().is_some_and(crate::grid::Crs::is_geographic);
    let mut warnings = Vec::new();
    for (i, feature) in layer.features.iter_mut().enumerate() {
        let number = i + 1;
        match &mut feature.geometry {
            Geometry::Empty => warnings.push(format!("feature {number} has no geometry; it counts as an empty zone")),
            Geometry::Points(points) => check_points(points, geographic, number)?,
            Geometry::Polygons(parts) => {
                for ring in parts.iter_mut().flat_map(|p| &mut p.rings) {
                    check_points(ring, geographic, number)?;
                    if ring.first() != ring.last() {
                        warnings.push(format!("feature {number} has an unclosed ring; it was closed"));
                        if let Some(&first) = ring.first() {
                            ring.push(first);
                        }
                    }
                    if ring.len() < 4 {
                        return Err(Error::input(format!(
                            "feature {number}: a ring of {} points encloses nothing (at least 4, the last equal to the first); repair the layer",
                            ring.len()
                        )));
                    }
                }
            }
        }
    }
    layer.warnings.append(&mut warnings);
    Ok(())
}

fn check_points(points: &[(f64, f64)], geographic: bool, feature: usize) -> Result<()> {
    for &(x, y) in points {
        if !x.is_finite() || !y.is_finite() {
            return Err(Error::input(format!("feature {feature}: coordinate ({x}, {y}) is not a finite number")));
        }
        // Longitudes to 360 are legal in layers that go past the antimeridian.
        if geographic && (x.abs() > 360.0 || y.abs() > 90.0) {
            return Err(Error::input(format!(
                "feature {feature}: ({x}, {y}) is out of the range of longitude and latitude in degrees; \
                 the coordinates are swapped, or are metres and the layer lacks its CRS"
            )));
        }
    }
    Ok(())
}

/// True where all features are polygons or empty; used by writers to choose the layer's geometry type.
fn all_points(features: &[Feature]) -> bool {
    !features.is_empty() && features.iter().all(|f| matches!(f.geometry, Geometry::Points(_)))
}
