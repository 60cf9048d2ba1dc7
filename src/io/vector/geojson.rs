//! GeoJSON (RFC 7946) with the older `crs` member, and newline-delimited features.

use std::fmt;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::MAX_TEXT_BYTES;
use crate::error::{Error, Result};
use crate::grid::{Crs, transform::Transform};
use crate::io::atomic::write_bytes;
use crate::vector::{Feature, Geometry, Layer, Polygon, Ring, Value};

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    features: Option<Vec<JsonFeature>>,
    crs: Option<Json>,
    #[serde(default)]
    properties: Option<Properties>,
    geometry: Option<JsonGeometry>,
    name: Option<Json>,
}

#[derive(Deserialize)]
struct JsonFeature {
    #[serde(default)]
    properties: Option<Properties>,
    geometry: Option<JsonGeometry>,
}

#[derive(Deserialize)]
struct JsonGeometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: Json,
}

/// Attributes in file order; a key given twice is kept as a fact to report.
struct Properties {
    pairs: Vec<(String, Json)>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Properties;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of attributes")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Properties, A::Error> {
                let mut out = Properties { pairs: Vec::new(), duplicate: None };
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    match out.pairs.iter_mut().find(|(k, _)| *k == key) {
                        Some(pair) => {
                            pair.1 = value;
                            out.duplicate = Some(key);
                        }
                        None => out.pairs.push((key, value)),
                    }
                }
                Ok(out)
            }
        }
        d.deserialize_map(Pairs)
    }
}

/// Reads a GeoJSON file.
pub(super) fn read(path: &Path, bytes: u64) -> Result<Layer> {
    if bytes > MAX_TEXT_BYTES {
        return Err(Error::limit(format!("{bytes} bytes of GeoJSON; convert it to .gpkg or .fgb")));
    }
    let data = std::fs::read(path).map_err(|e| Error::from_io("reading", &e))?;
    let text = decode(&data)?;
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
        documents
            .push(document.map_err(|e| Error::input(format!("not valid GeoJSON: {e}; fetch or repair the file")))?);
    }
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    build(name, documents)
}

fn decode(data: &[u8]) -> Result<&str> {
    if data.starts_with(&[0xff, 0xfe]) || data.starts_with(&[0xfe, 0xff]) {
        return Err(Error::input("the text is UTF-16, GeoJSON is UTF-8; save it as UTF-8"));
    }
    let data = data.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(data);
    std::str::from_utf8(data).map_err(|e| {
        let line = data[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Error::input(format!("line {line}: not valid UTF-8; save the file as UTF-8"))
    })
}

fn build(name: String, documents: Vec<Document>) -> Result<Layer> {
    let mut crs = None;
    let mut features = Vec::new();
    let mut layer_name = name;
    for document in documents {
        if let Some(member) = &document.crs {
            crs = named_crs(member)?.or(crs);
        }
        if let Some(Json::String(n)) = document.name {
            layer_name = n;
        }
        match (document.kind.as_str(), document.features) {
            ("FeatureCollection", Some(list)) => features.extend(list),
            ("Feature", _) => {
                features.push(JsonFeature { properties: document.properties, geometry: document.geometry });
            }
            (other, _) => {
                return Err(Error::input(format!("type {other:?} is not a GeoJSON Feature or FeatureCollection")));
            }
        }
    }
    let crs = match crs {
        Some(c) => c,
        None => Crs::from_epsg(4326)?,
    };
    let mut layer =
        Layer { name: layer_name, crs: Some(crs), columns: Vec::new(), features: Vec::new(), warnings: Vec::new() };
    let mut rows = Vec::new();
    for (i, f) in features.into_iter().enumerate() {
        let geometry = match f.geometry {
            None => Geometry::Empty,
            Some(g) => geometry(&g).map_err(|e| e.context(format!("feature {}", i + 1)))?,
        };
        let mut row = Vec::new();
        if let Some(properties) = f.properties {
            if let Some(key) = properties.duplicate {
                layer.warnings.push(format!("feature {} gives {key:?} twice; the last value was taken", i + 1));
            }
            for (key, value) in properties.pairs {
                let column = layer.columns.iter().position(|c| *c == key).unwrap_or_else(|| {
                    layer.columns.push(key);
                    layer.columns.len() - 1
                });
                row.push((column, attribute(value)));
            }
        }
        rows.push((geometry, row));
    }
    for (geometry, row) in rows {
        let mut values = vec![Value::Null; layer.columns.len()];
        for (column, value) in row {
            values[column] = value;
        }
        layer.features.push(Feature { geometry, values });
    }
    Ok(layer)
}

/// The CRS of the `crs` member that GeoJSON had before RFC 7946 and that GDAL still writes; null means unknown there.
fn named_crs(member: &Json) -> Result<Option<Crs>> {
    if member.is_null() {
        return Ok(None);
    }
    let name = member["properties"]["name"].as_str().unwrap_or("");
    if name.contains("CRS84") || name.contains("OGC:1.3:CRS") {
        return Crs::from_epsg(4326).map(Some);
    }
    let code = name.rsplit(':').next().and_then(|c| c.parse::<u16>().ok()).filter(|_| name.contains("EPSG"));
    match code {
        Some(code) => Crs::from_epsg(code).map(Some),
        None => Err(Error::input(format!("crs member {name:?} is not an EPSG code; reproject the layer to EPSG:4326"))),
    }
}

fn attribute(value: Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map_or_else(|| n.as_f64().map_or(Value::Null, Value::Real), Value::Int),
        Json::String(s) => Value::Text(s),
        nested => Value::Text(nested.to_string()),
    }
}

fn geometry(g: &JsonGeometry) -> Result<Geometry> {
    Ok(match g.kind.as_str() {
        "Point" => Geometry::Points(vec![position(&g.coordinates)?]),
        "MultiPoint" => Geometry::Points(list(&g.coordinates)?.iter().map(position).collect::<Result<_>>()?),
        "Polygon" => Geometry::Polygons(vec![polygon(&g.coordinates)?]),
        "MultiPolygon" => Geometry::Polygons(list(&g.coordinates)?.iter().map(polygon).collect::<Result<_>>()?),
        other => return Err(Error::input(format!("geometry type {other:?} is neither polygon nor point"))),
    })
}

fn list(value: &Json) -> Result<&Vec<Json>> {
    value.as_array().ok_or_else(|| Error::input("coordinates are not an array"))
}

fn polygon(value: &Json) -> Result<Polygon> {
    let ring = |r: &Json| list(r)?.iter().map(position).collect::<Result<Ring>>();
    Ok(Polygon { rings: list(value)?.iter().map(ring).collect::<Result<_>>()? })
}

fn position(value: &Json) -> Result<(f64, f64)> {
    let bad = || {
        let text: String = value.to_string().chars().take(40).collect();
        Error::input(format!("{text} is not a coordinate pair of numbers"))
    };
    let p = value.as_array().filter(|p| p.len() >= 2).ok_or_else(bad)?;
    Ok((p[0].as_f64().ok_or_else(bad)?, p[1].as_f64().ok_or_else(bad)?))
}

/// Writes RFC 7946 GeoJSON: longitude and latitude on WGS 84, counter-clockwise outer rings. Layers with a local CRS keep
/// their plane coordinates and say so in the `crs` member.
pub(super) fn write(path: &Path, layer: &Layer, overwrite: bool) -> Result<()> {
    let to_lonlat = match &layer.crs {
        Some(crs) if crs.kind != crate::grid::crs::CrsKind::Local => Some(Transform::new(crs, &Crs::from_epsg(4326)?)?),
        _ => None,
    };
    let crs = if to_lonlat.is_some() { "" } else { "\"crs\": null,\n" };
    let mut text = format!(
        "{{\n\"type\": \"FeatureCollection\",\n\"name\": {},\n{crs}\"features\": [\n",
        Json::from(layer.name.as_str())
    );
    for (i, feature) in layer.features.iter().enumerate() {
        let mut properties = serde_json::Map::new();
        for (column, value) in layer.columns.iter().zip(&feature.values) {
            properties.insert(column.clone(), json_value(value));
        }
        let feature = serde_json::json!({
            "type": "Feature",
            "properties": properties,
            "geometry": json_geometry(&feature.geometry, to_lonlat.as_ref())?,
        });
        let end = if i + 1 < layer.features.len() { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{feature}{end}");
    }
    text.push_str("]\n}\n");
    write_bytes(path, text.as_bytes(), overwrite)
}

/// The JSON form of an attribute; NaN, which JSON cannot hold, is null.
pub(crate) fn json_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::from(*b),
        Value::Int(i) => Json::from(*i),
        Value::Real(r) => Json::from(*r),
        Value::Text(t) => Json::from(t.as_str()),
    }
}

fn json_geometry(geometry: &Geometry, transform: Option<&Transform>) -> Result<Json> {
    // Nine decimals of a degree are a tenth of a millimetre; more would only be noise.
    let place = |(x, y): (f64, f64)| -> Result<Json> {
        Ok(match transform {
            None => serde_json::json!([x, y]),
            Some(t) => {
                let (lon, lat) = t.point(x, y)?;
                serde_json::json!([(lon * 1e9).round() / 1e9, (lat * 1e9).round() / 1e9])
            }
        })
    };
    let rings = |p: &Polygon| -> Result<Json> {
        let oriented = |i: usize, ring: &Ring| {
            let ccw = crate::vector::geometry::ring_area(ring) > 0.0;
            let mut ring = ring.clone();
            if ccw != (i == 0) {
                ring.reverse();
            }
            ring.into_iter().map(place).collect::<Result<Json>>()
        };
        p.rings.iter().enumerate().map(|(i, r)| oriented(i, r)).collect()
    };
    Ok(match geometry {
        Geometry::Empty => Json::Null,
        Geometry::Points(p) if p.len() == 1 => serde_json::json!({"type": "Point", "coordinates": place(p[0])?}),
        Geometry::Points(p) => {
            let list = p.iter().map(|p| place(*p)).collect::<Result<Json>>()?;
            serde_json::json!({"type": "MultiPoint", "coordinates": list})
        }
        Geometry::Polygons(parts) if parts.len() == 1 => {
            serde_json::json!({"type": "Polygon", "coordinates": rings(&parts[0])?})
        }
        Geometry::Polygons(parts) => {
            let list = parts.iter().map(rings).collect::<Result<Json>>()?;
            serde_json::json!({"type": "MultiPolygon", "coordinates": list})
        }
    })
}
