//! GeoPackage: SQLite with a registry of layers and a small header before each WKB geometry.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params};

use super::{all_points, wkb};
use crate::error::{Error, Result};
use crate::grid::{Crs, crs::CrsKind};
use crate::io::atomic::write_bytes;
use crate::vector::{Feature, Geometry, Layer, Value};

fn sql(e: rusqlite::Error) -> Error {
    Error::input(format!("the GeoPackage cannot be read ({e}); fetch or repair the file"))
}

/// `"name"` with quotes doubled: table names come from the file and are never trusted as SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Opened read-only and immutable, so that no journal or shared-memory file appears beside the input.
fn open(path: &Path) -> Result<Connection> {
    let absolute = std::path::absolute(path).map_err(|e| Error::from_io("resolving the path", &e))?;
    let mut uri = String::from("file:");
    for b in absolute.as_os_str().as_encoded_bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*b)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags).map_err(sql)?;
    db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;").map_err(sql)?;
    Ok(db)
}

/// Reads a layer of a GeoPackage.
pub(super) fn read(path: &Path, layer: Option<&str>) -> Result<Layer> {
    let db = open(path)?;
    let mut warnings = Vec::new();
    let id: i64 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(sql)?;
    if ![0x4750_4B47, 0x4750_3130, 0x4750_3131].contains(&id) {
        warnings.push(format!("application id {id:#x} is not that of a GeoPackage; read as one all the same"));
    }
    let table = choose(&db, layer)?;
    let (column, srs): (String, i64) = db
        .query_row("SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = ?1", [&table], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .map_err(|_| Error::input(format!("layer {table:?} has no row in gpkg_geometry_columns")))?;
    let crs = reference_system(&db, srs)?;
    let mut statement = db.prepare(&format!("SELECT * FROM {} ORDER BY rowid", quoted(&table))).map_err(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let Some(geometry_at) = names.iter().position(|n| *n == column) else {
        return Err(Error::input(format!(
            "layer {table:?} has no geometry column {column:?}, which the registry names"
        )));
    };
    let key = primary_key(&db, &table)?;
    let kept: Vec<usize> = (0..names.len()).filter(|i| *i != geometry_at && Some(&names[*i]) != key.as_ref()).collect();
    let mut features = Vec::new();
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let number = features.len() + 1;
        let geometry = match row.get_ref(geometry_at).map_err(sql)? {
            ValueRef::Null => Geometry::Empty,
            ValueRef::Blob(bytes) => blob(bytes).map_err(|e| e.context(format!("feature {number}")))?,
            _ => return Err(Error::input(format!("feature {number}: the geometry is not a blob"))),
        };
        let values = kept.iter().map(|&i| row.get_ref(i).map(attribute).map_err(sql)).collect::<Result<_>>()?;
        features.push(Feature { geometry, values });
    }
    let columns = kept.iter().map(|&i| names[i].clone()).collect();
    Ok(Layer { name: table, crs, columns, features, warnings })
}

/// The layer to read: the named one, or the only one.
fn choose(db: &Connection, layer: Option<&str>) -> Result<String> {
    let mut statement = db
        .prepare("SELECT table_name FROM gpkg_contents WHERE data_type = 'features' ORDER BY rowid")
        .map_err(|e| Error::input(format!("not a GeoPackage: no layer registry ({e})")))?;
    let names: Vec<String> =
        statement.query_map([], |r| r.get(0)).map_err(sql)?.collect::<rusqlite::Result<_>>().map_err(sql)?;
    match (layer, names.as_slice()) {
        (_, []) => Err(Error::input("the GeoPackage holds no feature layer")),
        (Some(wanted), all) if all.iter().any(|n| n == wanted) => Ok(wanted.to_owned()),
        (Some(wanted), all) => Err(Error::input(format!("no layer {wanted:?}; there are: {}", all.join(", ")))),
        (None, [only]) => Ok(only.clone()),
        (None, all) => Err(Error::input(format!("holds several layers ({}); choose one with --layer", all.join(", ")))),
    }
}

fn reference_system(db: &Connection, srs: i64) -> Result<Option<Crs>> {
    // -1 and 0 are the standard's codes for undefined Cartesian and geographic systems.
    if srs <= 0 {
        return Ok(None);
    }
    let (organization, code): (String, i64) = db
        .query_row(
            "SELECT organization, organization_coordsys_id FROM gpkg_spatial_ref_sys WHERE srs_id = ?1",
            [srs],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .map_err(|_| Error::input(format!("spatial reference {srs} is not defined in the file")))?;
    let code = u16::try_from(code).ok().filter(|_| organization.eq_ignore_ascii_case("EPSG"));
    let code = code.ok_or_else(|| {
        Error::input(format!("spatial reference {srs} ({organization}) is not an EPSG code; reproject the layer"))
    })?;
    Crs::from_epsg(code).map(Some)
}

fn primary_key(db: &Connection, table: &str) -> Result<Option<String>> {
    let mut statement = db.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk = 1").map_err(sql)?;
    let mut rows = statement.query([table]).map_err(sql)?;
    rows.next().map_err(sql)?.map(|r| r.get(0).map_err(sql)).transpose()
}

fn attribute(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(r) => Value::Real(r),
        ValueRef::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
    }
}

/// A geometry blob: magic `GP`, version, flags, spatial reference, envelope, then WKB.
fn blob(bytes: &[u8]) -> Result<Geometry> {
    let header =
        bytes.get(..8).ok_or_else(|| Error::input(format!("the geometry is {} bytes short", 8 - bytes.len())))?;
    if &header[..2] != b"GP" {
        return Err(Error::input("the geometry does not start with GP"));
    }
    let flags = header[3];
    if flags & 0b0010_0000 != 0 || flags & 0b1100_0000 != 0 {
        return Err(Error::input(format!("geometry flags {flags:#04x} name an extension that is not supported")));
    }
    let envelope = match flags >> 1 & 0b111 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        other => return Err(Error::input(format!("envelope code {other} of the geometry does not exist"))),
    };
    if flags & 0b0001_0000 != 0 {
        return Ok(Geometry::Empty);
    }
    let body = bytes.get(8 + envelope..).ok_or_else(|| Error::input("the geometry is cut inside its envelope"))?;
    wkb::parse(body)
}

/// Writes one layer. The database is built in memory and lands by the atomic path of all outputs.
pub(super) fn write(path: &Path, layer: &Layer, overwrite: bool) -> Result<()> {
    let bug = |e: rusqlite::Error| Error::bug(format!("building {}: {e}", path.display()));
    let mut db = Connection::open_in_memory().map_err(bug)?;
    db.execute_batch(REGISTRY).map_err(bug)?;
    let srs = register_crs(&db, layer.crs.as_ref()).map_err(bug)?;
    let kind = if all_points(&layer.features) { "POINT" } else { "MULTIPOLYGON" };
    let bounds = bounds(&layer.features);
    db.execute(
        "INSERT INTO gpkg_contents VALUES (?1, 'features', ?1, '', '1970-01-01T00:00:00.000Z', ?2, ?3, ?4, ?5, ?6)",
        params![
            layer.name,
            bounds.map(|b| b[0]),
            bounds.map(|b| b[1]),
            bounds.map(|b| b[2]),
            bounds.map(|b| b[3]),
            srs
        ],
    )
    .map_err(bug)?;
    db.execute("INSERT INTO gpkg_geometry_columns VALUES (?1, 'geom', ?2, ?3, 0, 0)", params![layer.name, kind, srs])
        .map_err(bug)?;
    fill(&db, layer, kind, srs as i32).map_err(bug)?;
    let data = db.serialize("main").map_err(bug)?;
    write_bytes(path, &data, overwrite)
}

// The time of `last_change` is fixed: outputs are the same bytes whatever the clock; provenance is in the sidecar.
const REGISTRY: &str = "
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system');
";

fn register_crs(db: &Connection, crs: Option<&Crs>) -> rusqlite::Result<i64> {
    let add = |code: u16, name: &str| -> rusqlite::Result<i64> {
        let wkt = crs_definitions::from_code(code).map_or("undefined", |d| d.wkt);
        db.execute(
            "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?1, ?2, 'EPSG', ?2, ?3, NULL)",
            params![name, code, wkt],
        )?;
        Ok(i64::from(code))
    };
    add(4326, "WGS 84")?;
    match crs {
        Some(Crs { epsg: Some(code), name, .. }) => add(*code, name),
        Some(c) if c.kind == CrsKind::Geographic => Ok(0),
        _ => Ok(-1),
    }
}

fn bounds(features: &[Feature]) -> Option<[f64; 4]> {
    let points = features.iter().flat_map(|f| -> Box<dyn Iterator<Item = &(f64, f64)>> {
        match &f.geometry {
            Geometry::Empty => Box::new(std::iter::empty()),
            Geometry::Points(p) => Box::new(p.iter()),
            Geometry::Polygons(p) => Box::new(p.iter().flat_map(|p| p.rings.iter().flatten())),
        }
    });
    points.fold(None, |b: Option<[f64; 4]>, &(x, y)| {
        let b = b.unwrap_or([x, y, x, y]);
        Some([b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)])
    })
}

/// SQL type of a column: the widest of its values.
fn column_type(layer: &Layer, column: usize) -> &'static str {
    let mut kind = "";
    for feature in &layer.features {
        kind = match (&feature.values[column], kind) {
            (Value::Null, k) => k,
            (Value::Text(_), _) | (_, "TEXT") => "TEXT",
            (Value::Real(_), _) | (_, "REAL") => "REAL",
            (Value::Int(_), _) | (_, "INTEGER") => "INTEGER",
            (Value::Bool(_), _) => "BOOLEAN",
        };
    }
    if kind.is_empty() { "TEXT" } else { kind }
}

fn fill(db: &Connection, layer: &Layer, kind: &str, srs: i32) -> rusqlite::Result<()> {
    // `fid` and `geom` are ours; an attribute of the same name would be a second column of that name.
    let column_name = |c: &str| {
        if ["fid", "geom"].contains(&c.to_ascii_lowercase().as_str()) { format!("{c}_") } else { c.to_owned() }
    };
    let columns: Vec<String> = layer.columns.iter().map(|c| quoted(&column_name(c))).collect();
    let typed: String = columns.iter().enumerate().map(|(i, c)| format!(", {c} {}", column_type(layer, i))).collect();
    let table = quoted(&layer.name);
    db.execute_batch(&format!(
        "CREATE TABLE {table} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {kind}{typed})"
    ))?;
    let names: String = columns.iter().map(|c| format!(", {c}")).collect();
    let marks: String = (0..columns.len()).map(|i| format!(", ?{}", i + 2)).collect();
    db.execute_batch("BEGIN")?;
    let mut insert = db.prepare(&format!("INSERT INTO {table} (geom{names}) VALUES (?1{marks})"))?;
    for feature in &layer.features {
        insert.raw_bind_parameter(1, header_and_wkb(&feature.geometry, srs))?;
        for (i, value) in feature.values.iter().enumerate() {
            match value {
                Value::Null => insert.raw_bind_parameter(i + 2, rusqlite::types::Null)?,
                Value::Bool(b) => insert.raw_bind_parameter(i + 2, b)?,
                Value::Int(v) => insert.raw_bind_parameter(i + 2, v)?,
                Value::Real(v) => insert.raw_bind_parameter(i + 2, v)?,
                Value::Text(v) => insert.raw_bind_parameter(i + 2, v)?,
            }
        }
        insert.raw_execute()?;
    }
    drop(insert);
    db.execute_batch("COMMIT")
}

fn header_and_wkb(geometry: &Geometry, srs: i32) -> Option<Vec<u8>> {
    if *geometry == Geometry::Empty {
        return None;
    }
    let mut out = b"GP\0\x01".to_vec();
    out.extend(srs.to_le_bytes());
    wkb::append(geometry, &mut out);
    Some(out)
}
