//! Verbs on the Brumadinho pair, against numpy and spyndex. Skipped where the data is not there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};

const BANDS: &str = "blue=1,green=2,red=3,nir=4,swir16=5,swir22=6";

struct Bench {
    data: PathBuf,
    out: tempfile::TempDir,
}

fn bench() -> Option<Bench> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/brumadinho");
    data.exists().then(|| Bench { data, out: tempfile::tempdir().unwrap() })
}

impl Bench {
    fn scene(&self, date: &str) -> PathBuf {
        self.data.join(format!("brumadinho_{date}_l2sp_b2-b7.tif"))
    }
    fn out(&self, name: &str) -> PathBuf {
        self.out.path().join(name)
    }
    fn run(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        arguments.iter().for_each(|a| {
            command.arg(a);
        });
        command.output().unwrap()
    }
    fn json(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
    fn table(&self, name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        csv::Reader::from_path(self.out(name)).unwrap().deserialize().map(|r| r.unwrap()).collect()
    }
}

/// All samples of a band, physical values; nodata as NaN.
fn pixels(path: &Path, band: usize) -> (usize, Vec<f64>) {
    let source = open_raster(path).unwrap();
    let grid = source.grid().clone();
    let mut raw = [Raw::default()];
    source.open().unwrap().read(&[band], grid.window(), &mut raw).unwrap();
    let values = match &raw[0].samples {
        Samples::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::U8(v) => v.iter().map(|x| if *x == 255 { f64::NAN } else { f64::from(*x) }).collect(),
        other => panic!("unexpected {}", other.dtype()),
    };
    (grid.cols, values)
}

#[test]
fn differences_of_raw_ndvi_are_those_of_numpy() {
    let Some(b) = bench() else { return };
    let facts = std::fs::read_to_string(b.data.join("reference/overlap_facts.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let (before, after, out, classes, table) =
        (b.scene("20190114"), b.scene("20190130"), b.out("d.tif"), b.out("c.tif"), b.out("t.csv"));
    let document = b.json(&[
        &"change",
        &before,
        &after,
        &"-o",
        &out,
        &"--classes",
        &classes,
        &"--table",
        &table,
        &"--bands",
        &BANDS,
        &"--index",
        &"asi:NDVI",
        &"--json",
    ]);
    let figures = &document["outputs"][0]["figures"];
    assert_eq!(figures["valid_pixels"], facts["overlap"]["valid_pixels"]);
    let mean = figures["NDVI_difference_mean"].as_f64().unwrap();
    assert!((mean - facts["dndvi_mean"].as_f64().unwrap()).abs() < 1e-8, "{mean}");
    let (cols, difference) = pixels(&out, 0);
    assert_eq!((cols, difference.len()), (370, 111_000));
    for (limit, count) in facts["pixels_dndvi_le"].as_object().unwrap() {
        let limit: f64 = limit.parse().unwrap();
        assert_eq!(difference.iter().filter(|d| **d <= limit).count() as u64, count.as_u64().unwrap(), "<= {limit}");
    }
    for (limit, count) in facts["pixels_dndvi_ge"].as_object().unwrap() {
        let limit: f64 = limit.parse().unwrap();
        assert_eq!(difference.iter().filter(|d| **d >= limit).count() as u64, count.as_u64().unwrap(), ">= {limit}");
    }
    let (_, class) = pixels(&classes, 0);
    let of = |k: f64| class.iter().filter(|c| **c == k).count() as u64;
    assert_eq!(of(1.0), facts["pixels_dndvi_le"]["-0.3"].as_u64().unwrap());
    assert_eq!(of(1.0) + of(2.0), facts["pixels_dndvi_le"]["-0.1"].as_u64().unwrap());
    assert_eq!(of(5.0), facts["pixels_dndvi_ge"]["0.3"].as_u64().unwrap());
    // Hectares are geodesic: the projection stretches the 0.09 ha of a pixel by less than a part in a thousand.
    let row = &b.table("t.csv")[0];
    assert_eq!(row["zone"], "all");
    let strong: f64 = row["strong_loss_ha"].parse().unwrap();
    assert!((strong / facts["area_ha_dndvi_le"]["-0.3"].as_f64().unwrap() - 1.0).abs() < 1e-3, "{strong}");
    // The means of both dates, over the overlap.
    for (date, name) in [("20190114", "ndvi_mean_before"), ("20190130", "ndvi_mean_after")] {
        let (scene, out) = (b.scene(date), b.out(&format!("{date}.tif")));
        let document = b.json(&[
            &"index",
            &"asi:NDVI",
            &scene,
            &"-o",
            &out,
            &"--bands",
            &BANDS,
            &"--bbox",
            &"584385,-2231685,595485,-2222685",
            &"--json",
        ]);
        let mean = document["outputs"][0]["figures"]["NDVI_mean"].as_f64().unwrap();
        assert!((mean - facts[name].as_f64().unwrap()).abs() < 1e-7, "{name}: {mean}");
    }
}

#[test]
fn named_ndvi_stays_in_its_range() {
    let Some(b) = bench() else { return };
    let (scene, out) = (b.scene("20190114"), b.out("ndvi.tif"));
    let document = b.json(&[&"index", &"NDVI", &scene, &"-o", &out, &"--bands", &BANDS, &"--json"]);
    let figures = &document["outputs"][0]["figures"];
    let (_, ndvi) = pixels(&out, 0);
    let valid: Vec<f64> = ndvi.into_iter().filter(|v| !v.is_nan()).collect();
    assert!(valid.iter().all(|v| (-1.0..=1.0).contains(v)));
    assert_eq!(valid.len() as u64, figures["NDVI_valid_pixels"].as_u64().unwrap());
    assert_eq!(valid.len(), 119_548);
}

#[test]
fn samples_are_those_of_spyndex() {
    let Some(b) = bench() else { return };
    const NAMES: [&str; 13] =
        ["NDVI", "SAVI", "EVI", "EVI2", "BI", "NDBI", "NDMI", "MNDWI", "NDWI", "NBR", "MSAVI", "ARVI", "GNDVI"];
    // Raw strings of the catalogue; SAVI takes its own default L = 0.5, as the reference does.
    let list = NAMES.map(|n| format!("asi:{n}")).join(",");
    let samples: Vec<std::collections::BTreeMap<String, String>> =
        csv::Reader::from_path(b.data.join("reference/index_samples_spyndex.csv"))
            .unwrap()
            .deserialize()
            .map(|r| r.unwrap())
            .collect();
    let mut compared = 0;
    for date in ["2019-01-14", "2019-01-30"] {
        let (scene, out) = (b.scene(&date.replace('-', "")), b.out(&format!("{date}.tif")));
        let output = b.run(&[&"index", &list, &scene, &"-o", &out, &"--bands", &BANDS]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (k, name) in NAMES.iter().enumerate() {
            let (cols, values) = pixels(&out, k);
            for s in samples.iter().filter(|s| s["date"] == date) {
                let at = s["row"].parse::<usize>().unwrap() * cols + s["col"].parse::<usize>().unwrap();
                let expected: f64 = s[*name].parse().unwrap();
                let close = (values[at] - expected).abs() <= f64::from(f32::EPSILON) * expected.abs().max(1e-3);
                assert!(close, "{name} {date} row {} col {}: {} expected {expected}", s["row"], s["col"], values[at]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 300 * NAMES.len());
}

#[test]
fn bare_land_has_hectares_polygons_and_a_smallest_patch() {
    let Some(b) = bench() else { return };
    let (scene, zones) = (b.scene("20190130"), b.data.join("aoi.geojson"));
    let (all, some) = (b.out("all.tif"), b.out("some.tif"));
    let (table, polygons) = (b.out("bare.csv"), b.out("bare.geojson"));
    let whole = b.json(&[&"bare", &scene, &"-o", &all, &"--bands", &BANDS, &"--json"]);
    let kept = b.json(&[
        &"bare",
        &scene,
        &"-o",
        &some,
        &"--bands",
        &BANDS,
        &"--json",
        &"--min-area",
        &"0.5ha",
        &"--table",
        &table,
        &"--zones",
        &zones,
        &"--polygons",
        &polygons,
    ]);
    let hectares = |d: &serde_json::Value, name: &str| d["outputs"][0]["figures"][name].as_f64().unwrap();
    // Valid area is a sum over classes, which the smallest patch shifts among them.
    assert!((hectares(&whole, "valid_ha") / hectares(&kept, "valid_ha") - 1.0).abs() < 1e-12);
    let (_, before) = pixels(&all, 0);
    let (cols, after) = pixels(&some, 0);
    // Brute force: patches of fewer than 6 pixels of 0.09 ha, joined by edges or corners.
    let mut expected = before.clone();
    let mut seen = vec![false; before.len()];
    for start in 0..before.len() {
        if before[start] != 1.0 || seen[start] {
            continue;
        }
        let (mut patch, mut next) = (vec![start], 0);
        seen[start] = true;
        while next < patch.len() {
            let (r, c) = ((patch[next] / cols) as i64, (patch[next] % cols) as i64);
            next += 1;
            for (dr, dc) in (-1..=1).flat_map(|dr| (-1..=1).map(move |dc| (dr, dc))) {
                let (r, c) = (r + dr, c + dc);
                if r >= 0 && c >= 0 && c < cols as i64 && (r as usize) < before.len() / cols {
                    let at = r as usize * cols + c as usize;
                    if before[at] == 1.0 && !seen[at] {
                        seen[at] = true;
                        patch.push(at);
                    }
                }
            }
        }
        if patch.len() < 6 {
            patch.iter().for_each(|p| expected[*p] = 0.0);
        }
    }
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()));
    assert!(same(&after, &expected) && !same(&after, &before));
    let rows = b.table("bare.csv");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["zone"], "tailings_flow_corridor");
    let share: f64 = rows[0]["bare_share"].parse().unwrap();
    let ratio = rows[0]["bare_ha"].parse::<f64>().unwrap() / rows[0]["valid_ha"].parse::<f64>().unwrap();
    assert!((share - ratio).abs() < 1e-12 && share > 0.1, "{share}");
    let layer = regrow::io::vector::read(&polygons, None).unwrap();
    let column = layer.columns.iter().position(|c| c == "area_ha").unwrap();
    let total: f64 = layer
        .features
        .iter()
        .map(|f| match f.values[column] {
            regrow::vector::Value::Real(v) => v,
            ref other => panic!("{other:?}"),
        })
        .sum();
    assert!((total / hectares(&kept, "bare_ha") - 1.0).abs() < 1e-6, "{total}");
}

#[test]
fn cover_takes_exact_percentiles() {
    let Some(b) = bench() else { return };
    let (scene, out, classes, ndvi) = (b.scene("20190130"), b.out("fvc.tif"), b.out("classes.tif"), b.out("ndvi.tif"));
    // Without green there is no water to leave out, so the percentiles are those of the raster `index` writes.
    let bands = "red=3,nir=4";
    let run = b.run(&[&"index", &"NDVI", &scene, &"-o", &ndvi, &"--bands", &bands]);
    assert!(run.status.success());
    let (_, values) = pixels(&ndvi, 0);
    let expected = |q| regrow::numeric::quantile::quantile(&values, q).unwrap();
    let document = b.json(&[
        &"cover",
        &scene,
        &"-o",
        &out,
        &"--classes",
        &classes,
        &"--bands",
        &bands,
        &"--json",
        &"--percentiles",
        &"2,98",
    ]);
    let figures = &document["outputs"][0]["figures"];
    assert_eq!(figures["soil_endmember"].as_f64().unwrap(), expected(0.02));
    assert_eq!(figures["vegetation_endmember"].as_f64().unwrap(), expected(0.98));
    let (_, cover) = pixels(&out, 0);
    let (soil, vegetation) = (expected(0.02), expected(0.98));
    for (c, v) in cover.iter().zip(&values) {
        let e = ((v - soil) / (vegetation - soil)).clamp(0.0, 1.0);
        assert!((c - e).abs() < 1e-6 || (c.is_nan() && v.is_nan()), "{c} {e}");
    }
}

#[test]
fn mistakes_are_told_in_one_line() {
    let Some(b) = bench() else { return };
    let (scene, other, out) = (b.scene("20190114"), b.scene("20190130"), b.out("x.tif"));
    let refuse = |arguments: &[&dyn AsRef<std::ffi::OsStr>], code: i32, words: &[&str]| {
        let output = b.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        words.iter().for_each(|w| assert!(text.contains(w), "{w:?} is not in: {text}"));
        assert!(!out.exists());
    };
    refuse(&[&"index", &"NVDI", &scene, &"-o", &out, &"--bands", &BANDS], 2, &["NDVI"]);
    refuse(&[&"index", &"NDRE", &scene, &"-o", &out, &"--bands", &BANDS], 3, &["RE1", "--bands"]);
    refuse(&[&"index", &"--expr", &"(N-R", &scene, &"-o", &out, &"--bands", &BANDS], 2, &["column 5"]);
    refuse(&[&"index", &"NDVI", &scene, &"-o", &scene, &"--overwrite", &"--bands", &BANDS], 2, &["input"]);
    refuse(&[&"change", &scene, &other, &"-o", &out, &"--breaks", &"0.1,0", &"--bands", &BANDS], 2, &["increasing"]);
    refuse(&[&"cover", &scene, &"-o", &out, &"--soil", &"0.5", &"--veg", &"0.5", &"--bands", &BANDS], 3, &["contrast"]);
    refuse(&[&"bare", &scene, &"-o", &out, &"--bands", &"red=3,nir=4"], 3, &["--method otsu"]);
    refuse(&[&"bare", &scene, &"-o", &out, &"--bands", &BANDS, &"--min-area", &"0.5"], 2, &["0.5ha"]);
}

#[test]
fn outputs_are_the_same_bytes_for_any_threads_and_memory() {
    let Some(b) = bench() else { return };
    let scene = b.scene("20190130");
    let names = ["m.tif", "m.qml", "m.tif.json", "m.csv", "m.geojson"];
    let mut made: Vec<Vec<Vec<u8>>> = Vec::new();
    for (threads, memory) in [("1", "256MiB"), ("5", "2GiB")] {
        let (map, table, polygons) = (b.out("m.tif"), b.out("m.csv"), b.out("m.geojson"));
        let output = b.run(&[
            &"bare",
            &scene,
            &"-o",
            &map,
            &"--bands",
            &BANDS,
            &"--table",
            &table,
            &"--polygons",
            &polygons,
            &"--min-area",
            &"1ha",
            &"--overwrite",
            &"--reproducible",
            &"--threads",
            &threads,
            &"--memory",
            &memory,
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made.push(names.iter().map(|n| std::fs::read(b.out(n)).unwrap()).collect());
    }
    for (k, name) in names.iter().enumerate().filter(|(_, n)| !n.ends_with(".json")) {
        assert!(made[0][k] == made[1][k], "{name} differs");
    }
    // The sidecar tells the command line, which differs; all else in it is the same.
    let sidecar = |k: usize| {
        let mut v: serde_json::Value = serde_json::from_slice(&made[k][2]).unwrap();
        let properties = v["properties"].as_object_mut().unwrap();
        properties.remove("regrow:arguments");
        properties.remove("processing:lineage");
        v
    };
    assert_eq!(sidecar(0), sidecar(1));
    let counts = &sidecar(0)["properties"]["regrow:counts"];
    assert_eq!(counts["nir"]["cells"], 120_000);
    assert_eq!(sidecar(0)["properties"]["datetime"], "2019-01-30T00:00:00Z");
}
