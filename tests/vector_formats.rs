//! Vector formats: what is written reads back the same; damaged layers are one clear error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::path::Path;

use regrow::grid::Crs;
use regrow::io::vector;
use regrow::vector::{Feature, Geometry, Layer, Polygon, Value};

fn square(x: f64, y: f64, size: f64) -> Vec<(f64, f64)> {
    vec![(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]
}

fn layer() -> Layer {
    let hole: Vec<_> = square(500_020.0, 4_880_020.0, 10.0).into_iter().rev().collect();
    let holed = Polygon { rings: vec![square(500_000.0, 4_880_000.0, 100.0), hole] };
    let island = Polygon { rings: vec![square(500_200.0, 4_880_000.0, 30.0)] };
    let row = |name: &str, n: i64, ha: Value| vec![Value::Text(name.into()), Value::Int(n), ha];
    Layer {
        name: "parcels".into(),
        crs: Some(Crs::from_epsg(32634).unwrap()),
        columns: vec!["name".into(), "n".into(), "area_ha".into()],
        features: vec![
            Feature {
                geometry: Geometry::Polygons(vec![holed, island.clone()]),
                values: row("dump, \"north\"", 7, Value::Real(1.08)),
            },
            Feature { geometry: Geometry::Polygons(vec![island]), values: row("đubrište", -2, Value::Null) },
        ],
        warnings: Vec::new(),
    }
}

#[test]
fn geopackage_and_flatgeobuf_return_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["p.gpkg", "p.fgb"] {
        let path = dir.path().join(name);
        vector::write(&path, &layer(), false).unwrap();
        let mut got = vector::read(&path, None).unwrap();
        // FlatGeobuf orders features along a space-filling curve.
        got.features.sort_by_key(|f| matches!(f.values[1], Value::Int(-2)));
        assert_eq!(got, layer(), "{name}");
    }
}

#[test]
fn geojson_is_longitude_latitude_whatever_the_layer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.geojson");
    vector::write(&path, &layer(), false).unwrap();
    let got = vector::read(&path, None).unwrap();
    assert_eq!(got.crs.as_ref().and_then(|c| c.epsg), Some(4326));
    assert_eq!(got.columns, layer().columns);
    let Geometry::Polygons(parts) = &got.features[0].geometry else { panic!("not polygons") };
    let (lon, lat) = parts[0].rings[0][0];
    // EPSG:32634 (500000, 4880000) by pyproj 3.7.2: central meridian 21 E.
    assert!((lon - 21.0).abs() < 1e-8 && (lat - 44.073_172_487_354).abs() < 1e-8, "{lon} {lat}");
}

fn error(name: &str, text: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    vector::read(&path, None).unwrap_err().to_string()
}

#[test]
fn damaged_layers_are_one_clear_error() {
    let ring = |c: &str| {
        format!(r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[{c}]}}}}"#)
    };
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("empty.geojson", Vec::new(), "empty"),
        ("cut.geojson", b"{\"type\": \"Feature".to_vec(), "line 1"),
        ("deep.geojson", vec![b'['; 100_000], "not valid GeoJSON"),
        ("utf16.geojson", vec![0xff, 0xfe, b'{', 0], "UTF-16"),
        ("text.geojson", ring(r#"[["a",1],[2,3],[3,4],["a",1]]"#).into_bytes(), "not a coordinate"),
        ("metres.geojson", ring("[[500000,1],[500001,1],[500001,2],[500000,1]]").into_bytes(), "degrees"),
        ("two.geojson", ring("[[0,1],[2,3]]").into_bytes(), "ring of 3 points"),
        ("zero.gpkg", vec![0; 4096], "GeoPackage"),
    ];
    for (name, text, want) in cases {
        let got = error(name, &text);
        assert!(got.contains(want) && got.contains(name), "{name}: {got}");
    }
}

#[test]
fn reading_leaves_nothing_beside_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd name %41?#.gpkg");
    vector::write(&path, &layer(), false).unwrap();
    vector::read(Path::new(&path), None).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Real layers beside the project; skipped where they are absent.
#[test]
fn real_layers_are_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.exists() {
        return;
    }
    let forest = vector::read(&data.join("sentinel2_aargau/forest_wa.shp"), None).unwrap();
    assert_eq!(forest.features.len(), 2);
    // The .prj is ESRI's spelling of EPSG:2056, without a code.
    assert_eq!(forest.crs, Some(Crs::from_epsg(2056).unwrap()));
    let mines = vector::read(&data.join("mining_polygons/madre_de_dios_2024.geojson"), None).unwrap();
    assert_eq!(mines.features.len(), 687);
}
