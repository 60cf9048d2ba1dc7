//! STAC items 1.0 and 1.1 in local files, alone or in an item collection: assets by common name, encodings by the raster
//! extension, Sentinel-2 offsets by what the item says was applied.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::href::{self, Unread};
use super::{Found, Product};
use crate::error::{Error, Result};
use crate::io::tree::Tree;
use crate::raster::Role;
use crate::scene::encoding::Stated;
use crate::scene::options::SceneOptions;
use crate::scene::sensor::{Sensor, number};

type Object = Map<String, Value>;

/// True for a file whose text speaks of STAC.
pub(super) fn is_item(path: &Path) -> Result<bool> {
    let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json") || e.eq_ignore_ascii_case("geojson"));
    Ok(json && text(path)?.contains("\"stac_version\""))
}

/// Every item that lies at the top of a folder.
pub(super) fn find(tree: &Tree, options: &SceneOptions) -> Result<Vec<Product>> {
    let mut products = Vec::new();
    for path in tree.entries().iter().filter(|e| !e.path().contains('/')).filter_map(|e| e.file()) {
        if is_item(path)? {
            products.extend(read(path, options)?);
        }
    }
    Ok(products)
}

/// The items of a file.
pub(super) fn read(path: &Path, options: &SceneOptions) -> Result<Vec<Product>> {
    let name = path.display().to_string();
    let document: Value = serde_json::from_str(&text(path)?)
        .map_err(|e| Error::input(format!("{name}: damaged JSON: {e}; fetch the item again")))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let kind = document.get("type").and_then(Value::as_str).unwrap_or("");
    match kind {
        "Feature" => Ok(vec![item(&document, folder, &name, options)?]),
        "FeatureCollection" => {
            let features = document.get("features").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            collection(features, folder, &name, options)
        }
        "Catalog" | "Collection" => Err(Error::input(format!(
            "{name}: is a STAC {}, which names other files and is not followed; name its items",
            kind.to_lowercase()
        ))),
        _ => Err(Error::input(format!("{name}: is no STAC item: type is {kind:?}, expected \"Feature\""))),
    }
}

fn collection(features: &[Value], folder: &Path, name: &str, options: &SceneOptions) -> Result<Vec<Product>> {
    let mut products = Vec::new();
    let mut ids: HashSet<&str> = HashSet::new();
    let mut repeated = Vec::new();
    for (i, feature) in features.iter().enumerate() {
        let id = feature.get("id").and_then(Value::as_str).unwrap_or("");
        if !ids.insert(id) {
            repeated.push(id);
            continue;
        }
        let opened = item(feature, folder, name, options);
        products.push(opened.map_err(|e| e.context(format!("item {} of {}", i + 1, features.len())))?);
    }
    let first = products.first_mut().ok_or_else(|| Error::input(format!("{name}: the collection holds no item")))?;
    if !repeated.is_empty() {
        let shown: Vec<_> = repeated.iter().take(3).collect();
        first.warnings.push(format!("{name}: {} items are there twice and used once ({shown:?})", repeated.len()));
    }
    Ok(products)
}

fn text(path: &Path) -> Result<String> {
    const LONGEST: u64 = 64 << 20;
    let failed = |e: std::io::Error| Error::from_io(&format!("reading {}", path.display()), &e);
    if std::fs::metadata(path).map_err(failed)?.len() > LONGEST {
        return Err(Error::input(format!("{}: JSON of more than {LONGEST} bytes is no STAC item", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn item(document: &Value, folder: &Path, name: &str, options: &SceneOptions) -> Result<Product> {
    let bad = |what: String| Error::input(format!("{name}: {what}"));
    let object = document.as_object().ok_or_else(|| bad("an item is not an object; fetch it again".into()))?;
    let version = object.get("stac_version").and_then(Value::as_str).unwrap_or("");
    if !version.starts_with("1.") {
        return Err(bad(format!("stac_version is {version:?}; items of STAC 1.0 and 1.1 are read")));
    }
    let id = object.get("id").and_then(Value::as_str).unwrap_or("");
    if id.contains(['/', '\\']) || id.chars().any(char::is_control) {
        return Err(bad(format!("id {id:?} is a path; an id names a scene, fetch the item again")));
    }
    let empty = Object::new();
    let properties = object.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let mut warnings = Vec::new();
    let date = date(properties, name, &mut warnings)?;
    check_box(object, name, &mut warnings);
    let sensor = sensor(id, object, properties, options);
    let assets = object.get("assets").and_then(Value::as_object).filter(|a| !a.is_empty());
    let assets = assets.ok_or_else(|| bad("has no assets (an object of them); it names no raster to read".into()))?;
    let mut bands: Vec<Found> = Vec::new();
    let mut absent = Vec::new();
    for (key, asset) in assets {
        for (role, at, described) in roles(key, asset, sensor.as_ref()) {
            if role.is_some() && bands.iter().any(|b| b.role == role && b.source.is_ok()) {
                // The same band again in another format.
                continue;
            }
            let target = asset.get("href").and_then(Value::as_str);
            let target = target.ok_or_else(|| bad(format!("asset {key:?} has no href; fetch the item again")))?;
            let source = match href::resolve(target, folder, name) {
                Ok(file) => crate::io::open_raster(&file),
                Err(Unread::Refused(e)) => return Err(e),
                Err(Unread::Absent(e)) => {
                    absent.push(key.as_str());
                    Err(e)
                }
            };
            if let Ok(source) = &source {
                check_grid(asset, properties, source.as_ref(), key, name, &mut warnings);
            }
            let stated = stated(&described, properties, sensor.as_ref())
                .map_err(|e| e.context(format!("{name}: asset {key:?}")))?
                .filter(|_| !role.is_none_or(Role::is_categorical));
            bands.retain(|b| role.is_none() || b.role != role);
            bands.push(Found { role, label: key.clone(), source, band: at, sensor: sensor.clone(), stated });
        }
    }
    if bands.iter().all(|b| b.source.is_err()) {
        return Err(bands
            .into_iter()
            .find_map(|b| b.source.err())
            .unwrap_or_else(|| bad("no asset is a raster; fetch the item again".into())));
    }
    if !absent.is_empty() {
        warnings.push(format!("{name}: assets {} are not downloaded and left out", absent.join(" ")));
    }
    Ok(Product {
        name: if id.is_empty() { name.to_owned() } else { id.to_owned() },
        title: sensor.as_ref().map_or_else(|| "a STAC item".to_owned(), |s| format!("a STAC item of {}", s.name())),
        date: Some(date),
        bands,
        metadata: vec![name.to_owned()],
        warnings,
    })
}

/// The sensor by identifiers anywhere in the item, else by platform and processing level.
fn sensor(id: &str, object: &Object, properties: &Object, options: &SceneOptions) -> Option<Sensor> {
    let texts = || properties.values().filter_map(Value::as_str).chain([id]);
    let baseline = properties.get("s2:processing_baseline").and_then(Value::as_str).and_then(number);
    let collection = object.get("collection").and_then(Value::as_str).unwrap_or("");
    let constellation = ["constellation", "platform"].iter().find_map(|k| properties.get(*k).and_then(Value::as_str));
    let level = properties.get("processing:level").and_then(Value::as_str).unwrap_or("");
    let sentinel = || {
        let s2 = constellation?.to_ascii_lowercase().starts_with("sentinel-2");
        let l1 = collection.to_ascii_lowercase().contains("l1c") || level.eq_ignore_ascii_case("L1");
        options.sensors.named(if l1 { "sentinel2-l1c" } else { "sentinel2-l2a" }).filter(|_| s2)
    };
    let found = texts().find_map(|t| options.sensors.in_text(t)).or_else(sentinel)?;
    Some(match baseline {
        Some(b) => found.of_baseline(b),
        None => found,
    })
}

/// Roles of the bands of an asset, each with its 0-based band and its description. Pictures and texts have none; a raster whose
/// role is not said has one band without role.
fn roles(key: &str, asset: &Value, sensor: Option<&Sensor>) -> Vec<(Option<Role>, usize, Described)> {
    const PICTURES: [&str; 4] = ["thumbnail", "overview", "visual", "metadata"];
    let is = |word: &str| asset.get("roles").and_then(Value::as_array).is_some_and(|r| r.iter().any(|v| v == word));
    if PICTURES.iter().any(|p| is(p) || key.eq_ignore_ascii_case(p)) {
        return Vec::new();
    }
    let described = Described::of(asset);
    let known = |text: &str| Role::from_description(text).or_else(|| sensor.and_then(|s| s.role(text)));
    match described.as_slice() {
        [] | [_] => {
            let one = described.into_iter().next().unwrap_or_default();
            let role = one.role(sensor).or_else(|| known(key));
            let text = asset.get("type").and_then(Value::as_str).is_some_and(|t| !t.starts_with("image/"));
            if role.is_none() && text { Vec::new() } else { vec![(role, 0, one)] }
        }
        _ => described.into_iter().enumerate().map(|(i, d)| (d.role(sensor), i, d)).collect(),
    }
}

/// What an item says of a band, in the words of STAC 1.0 (`eo:bands`, `raster:bands`) or 1.1 (`bands`).
#[derive(Clone, Debug, Default)]
struct Described {
    name: String,
    common: String,
    wavelength: Option<f64>,
    scale: Option<Value>,
    offset: Option<Value>,
}

impl Described {
    fn of(asset: &Value) -> Vec<Self> {
        let list = |key: &str| asset.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let (one, eo, raster) = (list("bands"), list("eo:bands"), list("raster:bands"));
        let count = one.len().max(eo.len()).max(raster.len());
        let text = |band: Option<&Value>, key: &str| {
            band.and_then(|b| b.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        (0..count)
            .map(|i| {
                let (new, eo, raster) = (one.get(i), eo.get(i), raster.get(i));
                // Fields that all bands of an asset share may stand at the asset.
                let either = |band: &str, plain: &str| {
                    let shared = || asset.get(band);
                    new.and_then(|b| b.get(band)).or_else(|| raster.and_then(|b| b.get(plain))).or_else(shared).cloned()
                };
                let common = text(new, "eo:common_name");
                Self {
                    name: if new.is_some() { text(new, "name") } else { text(eo, "name") },
                    common: if common.is_empty() { text(eo, "common_name") } else { common },
                    wavelength: new
                        .and_then(|b| b.get("eo:center_wavelength"))
                        .or_else(|| eo.and_then(|b| b.get("center_wavelength")))
                        .and_then(Value::as_f64),
                    scale: either("raster:scale", "scale"),
                    offset: either("raster:offset", "offset"),
                }
            })
            .collect()
    }

    fn role(&self, sensor: Option<&Sensor>) -> Option<Role> {
        // EO 1 has one name for three red edges; the wavelength in micrometres tells which.
        if self.common == "rededge"
            && let Some(um) = self.wavelength
        {
            return match um {
                0.695..=0.725 => Some(Role::RedEdge1),
                0.73..=0.75 => Some(Role::RedEdge2),
                0.765..=0.795 => Some(Role::RedEdge3),
                _ => None,
            };
        }
        let common = (!self.common.is_empty()).then(|| Role::from_description(&self.common)).flatten();
        common.or_else(|| sensor.and_then(|s| s.role(&self.name))).or_else(|| Role::from_description(&self.name))
    }
}

/// The encoding an item states: an offset that it says was applied already is not applied again.
fn stated(band: &Described, properties: &Object, sensor: Option<&Sensor>) -> Result<Option<Stated>> {
    let figure = |value: &Option<Value>, what: &str| match value {
        None => Ok(None),
        Some(v) => v.as_f64().filter(|x| x.is_finite()).map(Some).ok_or_else(|| {
            Error::input(format!("{what} is {v}, expected a number; fetch the item again, or give --{what}"))
        }),
    };
    let (scale, offset) = (figure(&band.scale, "scale")?, figure(&band.offset, "offset")?);
    if scale == Some(0.0) {
        return Err(Error::input("scale is 0; fetch the item again, or give --scale"));
    }
    let applied = properties.get("earthsearch:boa_offset_applied").and_then(Value::as_bool);
    let usual = || sensor.map(|s| s.scale);
    Ok(match (applied, scale, offset) {
        (Some(true), scale, _) => scale.or_else(usual).map(|scale| Stated {
            scale,
            offset: 0.0,
            why: "the item says that the offset is applied already (earthsearch:boa_offset_applied)".into(),
        }),
        (_, None, None) => None,
        (_, scale, offset) => scale.or_else(usual).map(|scale| Stated {
            scale,
            offset: offset.unwrap_or(0.0),
            why: "scale and offset of the STAC item".into(),
        }),
    })
}

fn date(properties: &Object, name: &str, warnings: &mut Vec<String>) -> Result<String> {
    let bad = |value: &Value| {
        Error::input(format!(
            "{name}: datetime {value} is no RFC 3339 time of the years 1970 to 2099; fetch the item again"
        ))
    };
    let (value, range) = match properties.get("datetime") {
        Some(Value::Null) | None => (properties.get("start_datetime"), true),
        other => (other, false),
    };
    let value = value.ok_or_else(|| Error::input(format!("{name}: has no datetime; a scene needs a date")))?;
    let text = value.as_str().ok_or_else(|| bad(value))?;
    if range {
        warnings.push(format!("{name}: datetime is null; the scene counts as of the start, {text}"));
    }
    let offset = text.get(text.len().saturating_sub(6)..).filter(|t| t.starts_with(['+', '-']));
    if offset.is_some_and(|t| t[1..3].parse::<u8>().is_ok_and(|hours| hours > 14)) {
        return Err(bad(value));
    }
    let utc = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::UTC).date(),
        Err(_) => {
            let naive = text.parse::<jiff::civil::DateTime>().map_err(|_| bad(value))?;
            warnings.push(format!("{name}: datetime {text:?} has no time zone; taken as UTC"));
            naive.date()
        }
    };
    if (1970..2100).contains(&utc.year()) { Ok(utc.to_string()) } else { Err(bad(value)) }
}

/// The file's extent counts; an impossible box is worth a word.
fn check_box(object: &Object, name: &str, warnings: &mut Vec<String>) {
    let Some(list) = object.get("bbox").and_then(Value::as_array) else { return };
    let b: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
    let flat = match b.as_slice() {
        [w, s, e, n] | [w, s, _, e, n, _] => Some((*w, *s, *e, *n)),
        _ => None,
    };
    let odd = match flat {
        None => true,
        Some((w, s, e, n)) => s > n || (e - w).abs() >= 360.0 || s < -90.0 || n > 90.0,
    };
    if odd {
        warnings.push(format!("{name}: bbox {b:?} is no box of a scene; the extent of the files counts"));
    }
}

/// Warns where the item says another size or CRS than the file, which counts.
fn check_grid(
    asset: &Value,
    properties: &Object,
    source: &dyn crate::raster::Source,
    key: &str,
    name: &str,
    warnings: &mut Vec<String>,
) {
    let grid = source.grid();
    // Sizes at the item are those of its finest band; only an asset's own are held against it.
    let shape = asset.get("proj:shape").and_then(Value::as_array);
    let is = |v: Option<&Value>, n: usize| v.and_then(Value::as_u64) == Some(n as u64);
    let other_shape = shape.is_some_and(|s| !is(s.first(), grid.rows) || !is(s.get(1), grid.cols));
    let said = |k: &str| asset.get(k).or_else(|| properties.get(k)).filter(|v| !v.is_null());
    let code = said("proj:code").map(|v| v.as_str().and_then(|c| c.strip_prefix("EPSG:")?.parse::<u64>().ok()));
    let code = code.or_else(|| said("proj:epsg").map(Value::as_u64));
    let own = grid.crs().and_then(|c| c.epsg).map(u64::from);
    if other_shape || code.is_some_and(|c| c.is_none() || (own.is_some() && c != own)) {
        warnings.push(format!(
            "{name}: asset {key:?}: the projection fields of the item differ from the file, which counts"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(value: Value) -> Result<String> {
        date(&Map::from_iter([("datetime".to_owned(), value)]), "i", &mut Vec::new())
    }

    #[test]
    fn dates_are_utc_and_never_wrong() {
        assert_eq!(when("2024-01-01t00:31:11z".into()).unwrap(), "2024-01-01");
        assert_eq!(when("2024-01-01T00:31:11.123456789+02:00".into()).unwrap(), "2023-12-31");
        assert_eq!(when("2024-01-01T00:31:11".into()).unwrap(), "2024-01-01");
        for wrong in
            ["2024-13-01T00:00:00Z", "2024-01-01T00:31:11+25:00", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"]
        {
            assert!(when(wrong.into()).is_err(), "{wrong}");
        }
        assert!(when(1_704_067_200.into()).is_err() && when(Value::Null).is_err());
    }

    #[test]
    fn bands_of_both_versions_of_stac() {
        let old = serde_json::json!({"eo:bands": [{"name": "B05", "common_name": "rededge", "center_wavelength": 0.704}],
            "raster:bands": [{"scale": 0.0001, "offset": -0.1}]});
        let new = serde_json::json!({"bands": [{"name": "B05", "eo:common_name": "rededge071",
            "raster:scale": 0.0001, "raster:offset": -0.1}]});
        for asset in [old, new] {
            let found = roles("B05", &asset, None);
            assert_eq!((found[0].0, found.len()), (Some(Role::RedEdge1), 1));
            let s = stated(&found[0].2, &Map::new(), None).unwrap().unwrap();
            assert_eq!((s.scale, s.offset), (1e-4, -0.1));
            let applied = Map::from_iter([("earthsearch:boa_offset_applied".to_owned(), true.into())]);
            assert_eq!(stated(&found[0].2, &applied, None).unwrap().unwrap().offset, 0.0);
        }
        let text = serde_json::json!({"raster:bands": [{"scale": "0,0001"}]});
        assert!(stated(&Described::of(&text)[0], &Map::new(), None).is_err());
    }
}
