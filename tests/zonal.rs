//! Reference systems, areas and zonal statistics against PROJ, GeographicLib and exactextract.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::path::Path;
use std::sync::Arc;

use regrow::analysis::tally::{ClassAreas, ClassTally};
use regrow::analysis::zonal::{Statistic, Zonal, ZonalChannel};
use regrow::engine::{Cancel, Channel, Limits, Pass, Silent};
use regrow::grid::area::{CellAreas, PolygonMeasure};
use regrow::grid::{Affine, Crs, Grid, Transform, Window};
use regrow::io::memory::MemorySource;
use regrow::raster::{Band, Dtype};
use regrow::vector::{Feature, Geometry, Layer, Polygon, Value, ZoneIndex};
use serde_json::Value as Json;

fn oracle(name: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn pair(v: &Json) -> (f64, f64) {
    (v[0].as_f64().unwrap(), v[1].as_f64().unwrap())
}

#[test]
fn projections_agree_with_proj_to_a_centimetre() {
    for row in oracle("crs.json")["rows"].as_array().unwrap() {
        let crs = Crs::from_epsg(row["epsg"].as_u64().unwrap() as u16).unwrap();
        let base = Crs::from_epsg(row["base"].as_u64().unwrap() as u16).unwrap();
        let (lonlat, xy) = (pair(&row["lonlat"]), pair(&row["xy"]));
        let forward = Transform::new(&base, &crs).unwrap();
        assert!(forward.accuracy_note().is_none(), "{crs}: one datum, yet {:?}", forward.accuracy_note());
        let got = forward.point(lonlat.0, lonlat.1).unwrap();
        let error = (got.0 - xy.0).hypot(got.1 - xy.1) * crs.metres_per_unit;
        assert!(error < 0.01, "{crs} at {lonlat:?}: {got:?}, PROJ {xy:?}");
        let back = Transform::new(&crs, &base).unwrap().point(xy.0, xy.1).unwrap();
        // 1e-7 degrees are 1 cm.
        assert!((back.0 - lonlat.0).abs() < 1e-7 && (back.1 - lonlat.1).abs() < 1e-7, "{crs}: {back:?}");
    }
}

#[test]
fn datum_shifts_agree_with_proj_within_what_the_note_says() {
    for row in oracle("crs.json")["rows"].as_array().unwrap() {
        let crs = Crs::from_epsg(row["epsg"].as_u64().unwrap() as u16).unwrap();
        let (lonlat, xy) = (pair(&row["lonlat"]), pair(&row["xy_from_wgs84"]));
        let t = Transform::new(&Crs::from_epsg(4326).unwrap(), &crs).unwrap();
        let got = t.point(lonlat.0, lonlat.1).unwrap();
        let error = (got.0 - xy.0).hypot(got.1 - xy.1) * crs.metres_per_unit;
        let allowed = match t.accuracy_note() {
            None => 0.01,
            // PROJ takes the same null shift; only the ellipsoids' last digits differ.
            Some(n) if n.contains("null shift") => 0.01,
            Some(n) if n.contains(" 7 ") => 10.0,
            Some(n) if n.contains(" 3 ") => 20.0,
            Some(n) => panic!("{crs}: unexpected note {n}"),
        };
        assert!(error < allowed, "{crs} at {lonlat:?}: {error} m off, {:?}", t.accuracy_note());
    }
}

#[test]
fn pixel_and_polygon_areas_agree_with_geographiclib() {
    let d = oracle("areas.json");
    let crs = Crs::from_epsg(4326).unwrap();
    for p in d["pixels"].as_array().unwrap() {
        let (lat, size) = (p["lat_center"].as_f64().unwrap(), p["size_deg"].as_f64().unwrap());
        let grid = Grid::new(1, 1, Affine::north_up(20.0, lat + size / 2.0, size, size), Some(crs.clone()));
        let got = CellAreas::new(&grid).unwrap().cell(0, 0);
        let want = p["area_m2_closed_form"].as_f64().unwrap();
        // The oracle's closed form itself cancels at tiny sizes, as its `tol` says.
        let tolerance = if size < 0.001 { 1e-6 } else { 1e-10 };
        assert!((got / want - 1.0).abs() < tolerance, "lat {lat} size {size}: {got} {want}");
        let geodesic = p["area_m2_geodesic_corners"].as_f64().unwrap();
        // Geodesic areas are differences of areas to the equator: at 10 m they carry 1e-8 m².
        assert!(size > 0.001 || (got / geodesic - 1.0).abs() < 1e-8, "lat {lat} size {size}: {got} {geodesic}");
    }
    let measure = PolygonMeasure::new(&crs).unwrap();
    for p in d["polygons"].as_array().unwrap() {
        let list = |k: &str| p[k].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        let ring: Vec<_> = list("lon").into_iter().zip(list("lat")).collect();
        let (area, perimeter) = measure.ring(&ring, f64::INFINITY).unwrap();
        assert!((area / p["geodesic_area_m2"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{area}");
        assert!((perimeter / p["geodesic_perimeter_m"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{perimeter}");
    }
}

fn geometry(g: &Json) -> Geometry {
    let rings = |p: &Json| -> Polygon {
        let ring = |r: &Json| r.as_array().unwrap().iter().map(pair).collect();
        Polygon { rings: p.as_array().unwrap().iter().map(ring).collect() }
    };
    Geometry::Polygons(match g["type"].as_str().unwrap() {
        "Polygon" => vec![rings(&g["coordinates"])],
        _ => g["coordinates"].as_array().unwrap().iter().map(rings).collect(),
    })
}

fn layer(geometries: Vec<Geometry>, crs: Crs) -> Layer {
    let features = geometries
        .into_iter()
        .enumerate()
        .map(|(i, geometry)| Feature { geometry, values: vec![Value::Text(format!("z{i}"))] })
        .collect();
    Layer { name: "zones".into(), crs: Some(crs), columns: vec!["zone".into()], features, warnings: vec![] }
}

/// Statistics of one band in every zone.
fn statistics(
    grid: &Grid,
    values: Vec<f64>,
    nodata: f64,
    zones: &Arc<ZoneIndex>,
    names: &str,
    threads: usize,
) -> Vec<Vec<Option<f64>>> {
    let mut band = Band::new(Dtype::F64);
    band.nodata = Some(nodata);
    let source = MemorySource::new("memory", grid.clone()).band(band, values, None).unwrap();
    let mut pass = Pass::new("zonal", grid.clone());
    pass.channel(Channel {
        name: "v".into(),
        source: Arc::new(source),
        band: 0,
        scale: 1.0,
        offset: 0.0,
        nodata: Some(nodata),
        valid: None,
        masks: Vec::new(),
    })
    .unwrap();
    let channels = vec![ZonalChannel { name: "v".into(), pixels_per_own: 1.0 }];
    let analysis = Zonal::new(channels.clone(), Arc::clone(zones), None, Some(1 << 24), grid.window());
    let handle = pass.add(analysis, Vec::new()).unwrap();
    let limits = Limits { threads, memory: 1 << 30 };
    let mut outcome = pass.run(&limits, &Silent, &Cancel::default()).unwrap();
    let wanted: Vec<_> = names.split(',').map(|n| Statistic::parse(n).unwrap()).collect();
    let mut rows = Vec::new();
    Zonal::results(zones, &channels, outcome.take(&handle).unwrap(), &wanted, |_, _, v| rows.push(v)).unwrap();
    rows
}

#[test]
fn statistics_agree_with_exactextract() {
    let d = oracle("zonal.json");
    let flat = |k: &str| -> Vec<f64> {
        d[k].as_array().unwrap().iter().flat_map(|r| r.as_array().unwrap()).map(|v| v.as_f64().unwrap()).collect()
    };
    let grid = Grid::new(12, 10, Affine::north_up(0.0, 10.0, 1.0, 1.0), Some(Crs::local()));
    let cases = d["cases"].as_array().unwrap();
    let zones = layer(cases.iter().map(|c| geometry(&c["geometry"])).collect(), Crs::local());
    let zones = Arc::new(ZoneIndex::build(&zones, &grid, None).unwrap());
    let check = |group: &str, columns: &[(&str, &str)], rows: Vec<Vec<Option<f64>>>| {
        for (case, row) in cases.iter().zip(rows) {
            for ((name, key), got) in columns.iter().zip(row) {
                let want = case[group].get(*key).and_then(Json::as_f64);
                let same = match (got, want) {
                    (Some(g), Some(w)) => (g - w).abs() < 1e-6,
                    (None, None) => true,
                    _ => false,
                };
                assert!(same, "{} {group} {name}: {got:?}, exactextract {want:?}", case["id"]);
            }
        }
    };
    let values = [
        ("count", "count"),
        ("sum", "sum"),
        ("mean", "mean"),
        ("min", "min"),
        ("max", "max"),
        ("median", "median"),
        ("q10", "quantile_10"),
        ("q25", "quantile_25"),
        ("q90", "quantile_90"),
        ("variance", "variance"),
        ("stdev", "stdev"),
        ("cv", "coefficient_of_variation"),
    ];
    let names = values.map(|v| v.0).join(",");
    check("value_stats", &values, statistics(&grid, flat("value"), -9999.0, &zones, &names, 2));
    let classes = [("count", "count"), ("majority", "majority"), ("minority", "minority"), ("variety", "variety")];
    let names = classes.map(|v| v.0).join(",");
    check("class_stats", &classes, statistics(&grid, flat("cls"), 0.0, &zones, &names, 1));
}

/// A star with a hole, its centre at (`x`, `y`).
fn star(x: f64, y: f64, radius: f64, points: usize) -> Polygon {
    let ring = |r: f64, dent: f64| -> Vec<(f64, f64)> {
        let at = |i: usize| {
            let a = std::f64::consts::TAU * (i % (2 * points)) as f64 / (2 * points) as f64;
            let r = if i.is_multiple_of(2) { r } else { r * dent };
            (x + r * a.cos(), y + r * a.sin())
        };
        (0..=2 * points).map(at).collect()
    };
    Polygon { rings: vec![ring(radius, 0.6), ring(radius * 0.3, 0.8)] }
}

#[test]
fn covered_fractions_add_up_to_the_area_of_the_zone() {
    let grid = Grid::new(700, 600, Affine::north_up(0.0, 6000.0, 10.0, 10.0), Some(Crs::local()));
    let polygons: Vec<_> = (3..40)
        .map(|k| star(500.0 + 161.3 * f64::from(k), 3000.0 - 31.7 * f64::from(k), 13.7 * f64::from(k), k as usize))
        .collect();
    let inside: Vec<_> = polygons
        .into_iter()
        .filter(|p| p.rings[0].iter().all(|(x, y)| (0.0..7000.0).contains(x) && (0.0..6000.0).contains(y)))
        .collect();
    assert!(inside.len() > 30);
    let areas: Vec<f64> = inside.iter().map(Polygon::planar_area).collect();
    let zones = ZoneIndex::build(
        &layer(inside.into_iter().map(|p| Geometry::Polygons(vec![p])).collect(), Crs::local()),
        &grid,
        None,
    )
    .unwrap();
    for edge in [600, 256, 37] {
        let mut sums = vec![0.0; areas.len()];
        for row in (0..600).step_by(edge) {
            for col in (0..700).step_by(edge) {
                let window = Window::new(col as i64, row as i64, edge.min(700 - col), edge.min(600 - row));
                zones.cover(window, |zone, runs| sums[zone] += runs.map(|(_, _, c)| c.pixels()).sum::<f64>());
            }
        }
        for (zone, (sum, area)) in sums.iter().zip(&areas).enumerate() {
            assert!((sum * 100.0 / area - 1.0).abs() < 1e-9, "zone {zone}, tiles of {edge}: {sum} {area}");
            assert!((zones.area_px(zone) * 100.0 / area - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let grid = Grid::new(1300, 900, Affine::north_up(0.0, 900.0, 1.0, 1.0), Some(Crs::local()));
    let values: Vec<f64> = (0..1300 * 900).map(|i| f64::from((i % 9973 * 7919) % 10007) / 7.0).collect();
    let zones = layer(
        vec![
            Geometry::Polygons(vec![star(600.0, 450.0, 400.0, 9)]),
            Geometry::Polygons(vec![star(300.0, 300.0, 250.0, 5), star(1000.0, 600.0, 200.0, 4)]),
        ],
        Crs::local(),
    );
    let zones = Arc::new(ZoneIndex::build(&zones, &grid, None).unwrap());
    let run =
        |threads| statistics(&grid, values.clone(), -1.0, &zones, "count,mean,stdev,sum,median,q05,majority", threads);
    let one = run(1);
    assert!(one[0][0].unwrap() > 1e5);
    assert_eq!(one, run(4));
}

#[test]
fn hectares_of_classes_are_geodesic_in_degrees_and_in_web_mercator() {
    // A block of 9 x 23 cells of 0.0005 degrees, as in a class raster at 23° south.
    let geographic = Grid::new(40, 40, Affine::north_up(146.9, -23.1, 5e-4, 5e-4), Some(Crs::from_epsg(4326).unwrap()));
    let tally = ClassTally::new(&geographic, None, &[1], 0).unwrap();
    let plane: Vec<u8> = (0..1600).map(|i| u8::from(i / 40 < 9 && i % 40 < 23)).collect();
    let mut sum = ClassAreas::default();
    tally.add(geographic.window(), &plane, &mut sum).unwrap();
    let ring: Vec<_> = [(0.0, 0.0), (23.0, 0.0), (23.0, 9.0), (0.0, 9.0)]
        .iter()
        .map(|p| geographic.affine().unwrap().forward(p.0, p.1))
        .collect();
    let exact = PolygonMeasure::new(geographic.crs().unwrap()).unwrap().ring(&ring, 1e-5).unwrap().0;
    assert!((sum.hectares(None, 0) * 1e4 / exact - 1.0).abs() < 1e-9);
    assert_eq!(sum.of(None)[0].cells, 207.0);
    // The same block in Web Mercator: planar hectares are 18 % too many at this latitude.
    let corner = Transform::new(geographic.crs().unwrap(), &Crs::from_epsg(3857).unwrap()).unwrap();
    let (x, y) = corner.point(146.9, -23.1).unwrap();
    let mercator = Grid::new(40, 40, Affine::north_up(x, y, 50.0, 50.0), Some(Crs::from_epsg(3857).unwrap()));
    let mut sum = ClassAreas::default();
    ClassTally::new(&mercator, None, &[1], 0).unwrap().add(mercator.window(), &plane, &mut sum).unwrap();
    let planar = 207.0 * 0.25;
    let ratio = sum.hectares(None, 0) / planar;
    assert!((ratio / 23.1f64.to_radians().cos().powi(2) - 1.0).abs() < 0.01, "{ratio}");
}
