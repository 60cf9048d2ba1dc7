//! FlatGeobuf through the crates `flatgeobuf` and `geozero`; geometries pass as WKB.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flatgeobuf::{
    ColumnType, FallibleStreamingIterator, FeatureProperties, FgbCrs, FgbReader, FgbWriter, FgbWriterOptions,
    GeometryType,
};
use geozero::wkb::Wkb;
use geozero::{ColumnValue, CoordDimensions, PropertyProcessor, ToWkb};

use super::{all_points, wkb};
use crate::error::{Error, Result};
use crate::grid::Crs;
use crate::io::atomic::write_bytes;
use crate::vector::{Feature, Geometry, Layer, Value};

fn bad(e: impl std::fmt::Display) -> Error {
    Error::input(format!("the FlatGeobuf cannot be read ({e}); fetch or repair the file"))
}

/// Attributes of one feature, by column index.
struct Row(Vec<Value>);

impl PropertyProcessor for Row {
    fn property(&mut self, i: usize, _name: &str, value: &ColumnValue<'_>) -> geozero::error::Result<bool> {
        if let Some(cell) = self.0.get_mut(i) {
            *cell = match value {
                ColumnValue::Byte(v) => Value::Int(i64::from(*v)),
                ColumnValue::UByte(v) => Value::Int(i64::from(*v)),
                ColumnValue::Bool(v) => Value::Bool(*v),
                ColumnValue::Short(v) => Value::Int(i64::from(*v)),
                ColumnValue::UShort(v) => Value::Int(i64::from(*v)),
                ColumnValue::Int(v) => Value::Int(i64::from(*v)),
                ColumnValue::UInt(v) => Value::Int(i64::from(*v)),
                ColumnValue::Long(v) => Value::Int(*v),
                ColumnValue::ULong(v) => i64::try_from(*v).map_or(Value::Real(*v as f64), Value::Int),
                ColumnValue::Float(v) => Value::Real(f64::from(*v)),
                ColumnValue::Double(v) => Value::Real(*v),
                ColumnValue::String(v) | ColumnValue::Json(v) | ColumnValue::DateTime(v) => {
                    Value::Text((*v).to_owned())
                }
                ColumnValue::Binary(_) => Value::Null,
            };
        }
        Ok(false)
    }
}

/// Reads a FlatGeobuf file.
pub(super) fn read(path: &Path) -> Result<Layer> {
    let file = File::open(path).map_err(|e| Error::from_io("opening", &e))?;
    let reader = FgbReader::open(BufReader::new(file)).map_err(bad)?;
    let header = reader.header();
    let name = header.name().unwrap_or("layer").to_owned();
    let columns: Vec<String> =
        header.columns().map(|c| c.iter().map(|c| c.name().to_owned()).collect()).unwrap_or_default();
    let crs = match header.crs().map(|c| c.code()).filter(|c| *c != 0) {
        None => None,
        Some(code) => {
            Some(Crs::from_epsg(u16::try_from(code).map_err(|_| bad(format!("CRS code {code} is unknown")))?)?)
        }
    };
    let mut features = Vec::new();
    let mut stream = reader.select_all().map_err(bad)?;
    while let Some(feature) = stream.next().map_err(bad)? {
        let geometry = match feature.geometry() {
            None => Geometry::Empty,
            Some(_) => wkb::parse(&feature.to_wkb(CoordDimensions::xy()).map_err(bad)?)?,
        };
        let mut row = Row(vec![Value::Null; columns.len()]);
        feature.process_properties(&mut row).map_err(bad)?;
        features.push(Feature { geometry, values: row.0 });
    }
    Ok(Layer { name, crs, columns, features, warnings: Vec::new() })
}

fn column_type(layer: &Layer, column: usize) -> ColumnType {
    let mut kind = None;
    for feature in &layer.features {
        kind = match (&feature.values[column], kind) {
            (Value::Null, k) => k,
            (Value::Text(_), _) | (_, Some(ColumnType::String)) => Some(ColumnType::String),
            (Value::Real(_), _) | (_, Some(ColumnType::Double)) => Some(ColumnType::Double),
            (Value::Int(_), _) | (_, Some(ColumnType::Long)) => Some(ColumnType::Long),
            (Value::Bool(_), _) => Some(ColumnType::Bool),
        };
    }
    kind.unwrap_or(ColumnType::String)
}

/// Writes a layer with a spatial index.
pub(super) fn write(path: &Path, layer: &Layer, overwrite: bool) -> Result<()> {
    let fail = |e: &dyn std::fmt::Display| Error::io(format!("writing {}: {e}", path.display()));
    let kind = if all_points(&layer.features) { GeometryType::Point } else { GeometryType::MultiPolygon };
    let code = layer.crs.as_ref().and_then(|c| c.epsg);
    let wkt = code.and_then(crs_definitions::from_code).map(|d| d.wkt);
    let crs = FgbCrs { code: code.map_or(0, i32::from), org: code.map(|_| "EPSG"), wkt, ..FgbCrs::default() };
    let options = FgbWriterOptions { crs, ..FgbWriterOptions::default() };
    // The writer spools to a nameless file in the system's folder for them.
    let mut writer = FgbWriter::create_with_options(&layer.name, kind, options).map_err(|e| {
        let folder = std::env::temp_dir();
        fail(&format!("a temporary file in {}: {e}; set TMPDIR to a folder that can be written", folder.display()))
    })?;
    let kinds: Vec<ColumnType> = (0..layer.columns.len()).map(|i| column_type(layer, i)).collect();
    for (column, kind) in layer.columns.iter().zip(&kinds) {
        writer.add_column(column, *kind, |_, _| {});
    }
    for feature in &layer.features {
        let mut bytes = Vec::new();
        wkb::append(&feature.geometry, &mut bytes);
        writer
            .add_feature_geom(Wkb(bytes), |f| {
                for (i, value) in feature.values.iter().enumerate() {
                    set(f, i, &layer.columns[i], value, kinds[i]);
                }
            })
            .map_err(|e| fail(&e))?;
    }
    let mut data = Vec::new();
    writer.write(&mut data).map_err(|e| fail(&e))?;
    write_bytes(path, &data, overwrite)
}

/// Stores a value in its column's type; a missing value is left out, which FlatGeobuf reads as null.
fn set(feature: &mut impl PropertyProcessor, i: usize, name: &str, value: &Value, kind: ColumnType) {
    let text;
    let column = match (value, kind) {
        (Value::Null, _) => return,
        (Value::Bool(v), ColumnType::Bool) => ColumnValue::Bool(*v),
        (Value::Int(v), ColumnType::Long) => ColumnValue::Long(*v),
        (Value::Int(v), ColumnType::Double) => ColumnValue::Double(*v as f64),
        (Value::Real(v), ColumnType::Double) => ColumnValue::Double(*v),
        (Value::Text(v), _) => ColumnValue::String(v),
        (Value::Bool(v), _) => {
            text = v.to_string();
            ColumnValue::String(&text)
        }
        (Value::Int(v), _) => {
            text = v.to_string();
            ColumnValue::String(&text)
        }
        (Value::Real(v), _) => {
            text = v.to_string();
            ColumnValue::String(&text)
        }
    };
    // The processor of a feature under construction only appends to a buffer and reports no failure.
    let _appended = feature.property(i, name, &column);
}
