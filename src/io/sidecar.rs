//! Provenance beside an output: `OUTPUT.json`, a STAC Item with the processing, projection, scientific and file extensions.
//!
//! Source: STAC 1.0.0; processing 1.2.0, projection 2.0.0, scientific 1.0.0, file 2.1.0. What they have no field for
//! (arguments, decisions, counts of nodata) has the prefix `regrow:`.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use serde_json::{Map, Value, json};

use super::atomic::write_bytes;
use crate::error::{Error, Result};
use crate::grid::transform::Transform;
use crate::grid::{Affine, Crs, Grid};

/// One file that a run made.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Where it is.
    pub path: PathBuf,
    /// Key of the asset (`ndvi`, `zones`).
    pub role: String,
    /// Title for people.
    pub title: String,
}

/// What is known about how outputs came to be.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// Outputs; the sidecar lies beside the first and is named after it.
    pub assets: Vec<Asset>,
    /// Grid of the run; none where it has none.
    pub grid: Option<Grid>,
    /// Acquisition dates (`YYYY-MM-DD`).
    pub dates: Vec<String>,
    /// The command line.
    pub arguments: Vec<String>,
    /// Files that were read; hashed here. A folder is listed without a hash.
    pub inputs: Vec<PathBuf>,
    /// Hashes of inputs that are known already; a project names the same inputs in many sidecars.
    pub known: BTreeMap<PathBuf, String>,
    /// Decisions taken and warnings given, in order.
    pub decisions: Vec<String>,
    /// Sources of the methods.
    pub citations: Vec<String>,
    /// Cells that became nodata, by cause, and other counts.
    pub counts: Map<String, Value>,
    /// Figures with units in their names.
    pub figures: Map<String, Value>,
    /// Leave out the time of processing, so that equal runs give equal bytes.
    pub reproducible: bool,
}

/// Name of the sidecar of an output: `.json` after its whole name, so that no two outputs share one.
#[must_use]
pub fn path_for(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Writes the sidecar of a finished run: the outputs are complete when it appears.
///
/// # Errors
/// Reading inputs or outputs again for their hashes, or writing.
pub fn write(provenance: &Provenance, overwrite: bool) -> Result<PathBuf> {
    let output = provenance.assets.first().ok_or_else(|| Error::bug("a sidecar without an output"))?;
    let path = path_for(&output.path);
    let created = (!provenance.reproducible).then(|| format!("{:.0}", jiff::Timestamp::now()));
    let mut text = format!("{:#}", item(provenance, created.as_deref())?);
    text.push('\n');
    write_bytes(&path, text.as_bytes(), overwrite)?;
    Ok(path)
}

/// BLAKE3 of a file in hexadecimal digits, as `b3sum` prints it.
///
/// # Errors
/// Failed reading.
pub fn blake3(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|e| Error::from_io(&format!("hashing {}", path.display()), &e))?;
    let mut hash = blake3::Hasher::new();
    hash.update_reader(file).map_err(|e| Error::from_io(&format!("hashing {}", path.display()), &e))?;
    Ok(hash.finalize().to_hex().to_string())
}

fn item(p: &Provenance, created: Option<&str>) -> Result<Value> {
    let footprint = p.grid.as_ref().and_then(footprint);
    let mut properties = Map::new();
    times(&mut properties, &p.dates, created);
    let version = env!("CARGO_PKG_VERSION");
    properties.insert("processing:software".into(), json!({ "regrow": version }));
    properties.insert("processing:version".into(), version.into());
    let command = p.arguments.join(" ");
    properties.insert("processing:lineage".into(), format!("regrow {command}").trim_end().into());
    if let Some(grid) = &p.grid {
        projection(&mut properties, grid);
    }
    if !p.citations.is_empty() {
        let all: Vec<_> = p.citations.iter().map(|c| json!({ "citation": c })).collect();
        properties.insert("sci:publications".into(), all.into());
    }
    properties.insert("regrow:arguments".into(), json!(p.arguments));
    properties.insert("regrow:inputs".into(), inputs(p)?.into());
    properties.insert("regrow:decisions".into(), json!(p.decisions));
    properties.insert("regrow:counts".into(), Value::Object(p.counts.clone()));
    properties.insert("regrow:figures".into(), Value::Object(p.figures.clone()));

    let mut assets = Map::new();
    for (i, a) in p.assets.iter().enumerate() {
        let key = if assets.contains_key(&a.role) { format!("{}_{}", a.role, i + 1) } else { a.role.clone() };
        let mut asset = json!({ "href": beside(&p.assets[0].path, &a.path), "title": a.title, "roles": ["data"] });
        if let Some(media) = media_type(&a.path) {
            asset["type"] = media.into();
        }
        let known = a.path.metadata().map_err(|e| Error::from_io(&format!("reading {}", a.path.display()), &e))?;
        // No hash: the output would be read again from the disk. A project hashes what it made in its run.json.
        asset["file:size"] = known.len().into();
        assets.insert(key, asset);
    }
    let links: Vec<_> = p
        .inputs
        .iter()
        .map(|i| json!({ "rel": "derived_from", "href": i.display().to_string(), "title": file_name(i) }))
        .collect();
    let mut item = json!({
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/scientific/v1.0.0/schema.json",
            "https://stac-extensions.github.io/file/v2.1.0/schema.json",
        ],
        "id": file_name(&p.assets[0].path),
        "geometry": footprint.as_ref().map(|f| f.0.clone()),
    });
    if let Some((_, bbox)) = footprint {
        item["bbox"] = json!(bbox);
    }
    item["properties"] = properties.into();
    item["links"] = links.into();
    item["assets"] = assets.into();
    Ok(item)
}

/// The acquisition: one date, or the first and the last. Without one a span of two centuries stands for "unknown".
fn times(properties: &mut Map<String, Value>, dates: &[String], created: Option<&str>) {
    let midnight = |d: &String| format!("{d}T00:00:00Z");
    match (dates.iter().min(), dates.iter().max()) {
        (Some(first), Some(last)) if first != last => {
            properties.insert("datetime".into(), Value::Null);
            properties.insert("start_datetime".into(), midnight(first).into());
            properties.insert("end_datetime".into(), format!("{last}T23:59:59Z").into());
        }
        (Some(date), _) => drop(properties.insert("datetime".into(), midnight(date).into())),
        _ => {
            // STAC must have a time. A span without information is honest; the time of processing would not be.
            properties.insert("datetime".into(), Value::Null);
            properties.insert("start_datetime".into(), "1900-01-01T00:00:00Z".into());
            properties.insert("end_datetime".into(), "2100-01-01T00:00:00Z".into());
            properties.insert("regrow:date".into(), "unknown".into());
        }
    }
    if let Some(created) = created {
        properties.insert("created".into(), created.into());
        properties.insert("processing:datetime".into(), created.into());
    }
}

fn projection(properties: &mut Map<String, Value>, grid: &Grid) {
    let code = grid.crs().and_then(|c| c.epsg).map(|n| format!("EPSG:{n}"));
    properties.insert("proj:code".into(), json!(code));
    if let (None, Some(crs)) = (code, grid.crs()) {
        properties.insert(
            "regrow:crs".into(),
            if crs.definition.is_empty() { &crs.name } else { &crs.definition }.as_str().into(),
        );
    }
    properties.insert("proj:shape".into(), json!([grid.rows, grid.cols]));
    if let Some(a) = grid.place() {
        let g = a.coefficients();
        properties.insert("proj:transform".into(), json!([g[1], g[2], g[0], g[4], g[5], g[3]]));
    }
    if let Ok(bounds) = grid.bounds() {
        properties.insert("proj:bbox".into(), json!(bounds));
    }
}

/// The inputs with their hashes, read side by side.
fn inputs(p: &Provenance) -> Result<Vec<Value>> {
    let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut all = Vec::with_capacity(p.inputs.len());
    for some in p.inputs.chunks(at_once) {
        all.extend(std::thread::scope(|scope| {
            let threads: Vec<_> = some.iter().map(|i| scope.spawn(|| input(i, &p.known))).collect();
            let join = |t: ScopedJoinHandle<'_, Result<Value>>| {
                t.join().unwrap_or_else(|_| Err(Error::bug("hashing an input failed")))
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?);
    }
    Ok(all)
}

fn input(path: &Path, known: &BTreeMap<PathBuf, String>) -> Result<Value> {
    let mut v = json!({ "href": path.display().to_string() });
    if path.is_file() {
        v["blake3"] = known.get(path).map_or_else(|| blake3(path), |h| Ok(h.clone()))?.into();
        v["size"] = json!(path.metadata().map(|m| m.len()).ok());
    }
    Ok(v)
}

/// The way from the folder of the sidecar to a file: its bare name where it lies beside.
fn beside(first: &Path, path: &Path) -> String {
    if first.parent() == path.parent() { format!("./{}", file_name(path)) } else { path.display().to_string() }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn media_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "tif" | "tiff" => "image/tiff; application=geotiff; profile=cloud-optimized",
        "csv" => "text/csv",
        "json" => "application/json",
        "geojson" => "application/geo+json",
        "gpkg" => "application/geopackage+sqlite3",
        "fgb" => "application/vnd.flatgeobuf",
        "shp" => "application/vnd.shp",
        "parquet" => "application/vnd.apache.parquet",
        "html" => "text/html",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// GeoJSON geometry and bounding box in longitude and latitude; nothing where the grid has no place on Earth or reaches
/// beyond its projection.
fn footprint(grid: &Grid) -> Option<(Value, [f64; 4])> {
    let to = Transform::new(grid.crs()?, &Crs::from_epsg(4326).ok()?).ok()?;
    let affine = grid.place()?;
    let mut ring = outline(grid, affine)
        .into_iter()
        .map(|(x, y)| to.point(x, y).ok().map(|p| (tidy(p.0), tidy(p.1))))
        .collect::<Option<Vec<_>>>()?;
    let span = |ring: &[(f64, f64)]| {
        ring.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| (lo.min(p.0), hi.max(p.0)))
    };
    let (south, north) = ring.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| (lo.min(p.1), hi.max(p.1)));
    let (west, east) = span(&ring);
    if east - west <= 180.0 || (grid.crs()?.is_geographic() && east - west <= 360.0) {
        return Some((json!({ "type": "Polygon", "coordinates": [ring] }), [west, south, east, north]));
    }
    // Across the antimeridian: west of it the east of the box, and the reverse.
    ring.iter_mut().filter(|p| p.0 < 0.0).for_each(|p| p.0 += 360.0);
    let (west, east) = span(&ring);
    let east = east - 360.0;
    if east >= west || east < -180.0 {
        return None;
    }
    let part = |w: f64, e: f64| json!([[[w, south], [e, south], [e, north], [w, north], [w, south]]]);
    let parts = [part(west, 180.0), part(-180.0, east)];
    Some((json!({ "type": "MultiPolygon", "coordinates": parts }), [west, south, east, north]))
}

/// Degrees to a tenth of a millimetre.
fn tidy(degrees: f64) -> f64 {
    (degrees * 1e9).round() / 1e9
}

/// The edge of a grid, counter-clockwise on a north-up map, with points between the corners since straight edges bend when
/// projected.
fn outline(grid: &Grid, affine: &Affine) -> Vec<(f64, f64)> {
    const STEPS: usize = 8;
    let (w, h) = (grid.cols as f64, grid.rows as f64);
    let corners = [(0.0, 0.0), (0.0, h), (w, h), (w, 0.0), (0.0, 0.0)];
    let mut out: Vec<(f64, f64)> = corners
        .windows(2)
        .flat_map(|c| {
            (0..STEPS).map(move |i| {
                let t = i as f64 / STEPS as f64;
                (c[0].0 + (c[1].0 - c[0].0) * t, c[0].1 + (c[1].1 - c[0].1) * t)
            })
        })
        .map(|(col, row)| affine.forward(col, row))
        .collect();
    out.push(out[0]);
    if affine.determinant() > 0.0 {
        out.reverse();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provenance(folder: &Path, grid: Option<Grid>) -> Provenance {
        let output = folder.join("ndvi.tif");
        std::fs::write(&output, "raster").unwrap();
        std::fs::write(folder.join("in.tif"), "abc").unwrap();
        Provenance {
            assets: vec![Asset { path: output, role: "ndvi".into(), title: "NDVI".into() }],
            grid,
            dates: vec!["2024-07-15".into()],
            arguments: vec!["index".into(), "NDVI".into()],
            inputs: vec![folder.join("in.tif")],
            reproducible: true,
            ..Provenance::default()
        }
    }

    fn utm() -> Grid {
        let crs = Crs::from_epsg(32634).unwrap();
        Grid::new(100, 50, Affine::north_up(590_000.0, 4_880_000.0, 10.0, 10.0), Some(crs))
    }

    #[test]
    fn item_names_inputs_hashes_and_place() {
        let dir = tempfile::tempdir().unwrap();
        let p = provenance(dir.path(), Some(utm()));
        let path = write(&p, false).unwrap();
        assert_eq!(path, dir.path().join("ndvi.tif.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        let item: Value = serde_json::from_str(&text).unwrap();
        let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        let properties = &item["properties"];
        assert_eq!(properties["regrow:inputs"][0]["blake3"], abc);
        assert_eq!(properties["datetime"], "2024-07-15T00:00:00Z");
        assert_eq!(properties["proj:code"], "EPSG:32634");
        assert_eq!(properties["proj:shape"], json!([50, 100]));
        assert_eq!(properties["proj:transform"], json!([10.0, 0.0, 590_000.0, 0.0, -10.0, 4_880_000.0]));
        assert_eq!(item["assets"]["ndvi"]["href"], "./ndvi.tif");
        // Longitudes and latitudes of the corners by PROJ 9: 22.1238 E, 44.0676 N and 22.1362 E, 44.0630 N.
        let bbox: Vec<f64> = serde_json::from_value(item["bbox"].clone()).unwrap();
        for (found, want) in bbox.iter().zip([22.1237, 44.0630, 22.1363, 44.0677]) {
            assert!((found - want).abs() < 2e-4, "{bbox:?}");
        }
        assert!(properties.get("created").is_none(), "--reproducible leaves out times");
        write(&p, true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn the_time_of_processing_is_told_unless_reproducible() {
        let dir = tempfile::tempdir().unwrap();
        let p = Provenance { reproducible: false, dates: Vec::new(), ..provenance(dir.path(), None) };
        let item: Value = serde_json::from_slice(&std::fs::read(write(&p, false).unwrap()).unwrap()).unwrap();
        let properties = &item["properties"];
        assert!(properties["created"].as_str().unwrap().ends_with('Z'));
        assert_eq!((&properties["datetime"], &properties["regrow:date"]), (&Value::Null, &json!("unknown")));
        assert_eq!((&item["geometry"], item.get("bbox")), (&Value::Null, None));
    }

    #[test]
    fn several_dates_become_a_span() {
        let mut properties = Map::new();
        times(&mut properties, &["2024-07-15".into(), "2018-07-12".into()], None);
        assert_eq!(properties["start_datetime"], "2018-07-12T00:00:00Z");
        assert_eq!(properties["end_datetime"], "2024-07-15T23:59:59Z");
        assert_eq!(properties["datetime"], Value::Null);
    }

    #[test]
    fn a_grid_across_the_antimeridian_has_two_parts() {
        let crs = Crs::from_epsg(32660).unwrap();
        let grid = Grid::new(300, 10, Affine::north_up(500_000.0, 7_000_000.0, 1000.0, 1000.0), Some(crs));
        let (geometry, bbox) = footprint(&grid).unwrap();
        assert_eq!(geometry["type"], "MultiPolygon");
        assert!(bbox[0] > 170.0 && bbox[2] < -170.0, "{bbox:?}");
    }

    #[test]
    fn rings_run_counter_clockwise_also_south_up() {
        for height in [10.0, -10.0] {
            let affine = Affine::north_up(0.0, 0.0, 10.0, height);
            let ring = outline(&Grid::new(4, 4, affine, None), &affine);
            let area: f64 = ring.windows(2).map(|w| w[0].0 * w[1].1 - w[1].0 * w[0].1).sum();
            assert!(area > 0.0);
        }
    }
}
