//! Scenes as downloaded, opened with no options, against what numpy says they hold (`fixtures/scenes/make.py`).

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Run, regrow_in};

const SAFE: &str = "S2A_MSIL2A_20240715T092031_N0510_R093_T34TEQ_20240715T130000.SAFE";
const LANDSAT: &str = "LC08_L2SP_218074_20190114_20200829_02_T1";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenes")
}

fn fixture(name: &str) -> String {
    fixtures().join(name).display().to_string()
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

/// NDVI of a scene with further options.
fn ndvi(scene: &str, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<&str> = ["index", "NDVI", scene, "-o", "o.tif", "--json"].iter().chain(more).copied().collect();
    regrow_in(folder.path(), &arguments)
}

fn figures(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.err);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    document["outputs"][0]["figures"].clone()
}

/// NDVI of `scene` is what numpy computed for `key`.
fn agrees(scene: &str, key: &str, more: &[&str]) {
    let (f, e) = (figures(&ndvi(scene, more)), expected());
    let e = &e[key];
    assert_eq!(f["NDVI_valid_pixels"], e["valid"], "{scene}");
    for (ours, theirs) in [("NDVI_mean", "mean"), ("NDVI_min", "min"), ("NDVI_max", "max")] {
        let (a, b) = (f[ours].as_f64().unwrap(), e[theirs].as_f64().unwrap());
        // One unit of the last place of the f32 that is stored.
        assert!((a - b).abs() < 2e-7, "{scene}: {ours} {a}, numpy {b}");
    }
}

/// Copies a folder of fixtures.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn sentinel_2_of_every_baseline_is_the_same_surface() {
    for baseline in ["0214", "0400", "0510"] {
        let safe = fixture(&SAFE.replace("0510", baseline));
        agrees(&safe, "safe", &[]);
        agrees(&safe, "unmasked", &["--mask", "none"]);
    }
    agrees(&format!("{}/MTD_MSIL2A.xml", fixture(SAFE)), "safe", &[]);
}

#[test]
fn reflectance_is_right_to_the_stored_number() {
    let folder = tempfile::tempdir().unwrap();
    let run = regrow_in(
        folder.path(),
        &["index", "--expr", "R", &fixture(SAFE), "-o", "r.tif", "--mask", "none", "--co", "COMPRESS=DEFLATE"],
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let mut decoder = tiff::decoder::Decoder::new(std::fs::File::open(folder.path().join("r.tif")).unwrap()).unwrap();
    let tiff::decoder::DecodingResult::F32(got) = decoder.read_image().unwrap() else { unreachable!("float32") };
    let stored = expected()["red"].clone();
    let want = stored.as_array().unwrap().iter().flat_map(|r| r.as_array().unwrap()).map(|v| v.as_f64().unwrap());
    let mut seen = 0;
    for (got, stored) in got.iter().zip(want) {
        seen += 1;
        match stored {
            0.0 => assert!(got.is_nan()),
            v => assert!((f64::from(*got) - v * 1e-4).abs() < 1e-7, "{got} for {v}"),
        }
    }
    assert_eq!(seen, 1600);
}

#[test]
fn landsat_hls_planet_and_stac_need_no_options() {
    agrees(&fixture(LANDSAT), "landsat", &[]);
    agrees(&fixture("hls"), "hls", &[]);
    agrees(&fixture("planet"), "planet", &[]);
    for item in ["stac10", "stac11", "stac_applied"] {
        agrees(&fixture(&format!("{item}/item.json")), "safe", &[]);
        agrees(&fixture(item), "safe", &[]);
    }
}

#[test]
fn an_offset_that_pixels_contradict_is_refused() {
    let wrong = fixture("stac_wrong/item.json");
    let run = ndvi(&wrong, &[]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("--boa-offset none") && run.err.contains("shifted already"), "{}", run.err);
    assert_eq!(run.err.trim().lines().count(), 1, "{}", run.err);
    // The override that it names gives the numbers.
    agrees(&wrong, "safe", &["--boa-offset", "none"]);
}

#[test]
fn archives_are_read_in_place_and_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join(format!("{LANDSAT}.tar"));
    let mut builder = tar::Builder::new(std::fs::File::create(&tar).unwrap());
    builder.append_dir_all(".", fixtures().join(LANDSAT)).unwrap();
    builder.into_inner().unwrap();
    agrees(&tar.display().to_string(), "landsat", &[]);

    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let path = folder.path().join("S2.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        let mut folders = vec![fixtures().join(SAFE)];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let name = entry.path().strip_prefix(fixtures()).unwrap().display().to_string();
                zip.start_file(name, options).unwrap();
                zip.write_all(&std::fs::read(entry.path()).unwrap()).unwrap();
            }
        }
        zip.finish().unwrap();
        agrees(&path.display().to_string(), "safe", &[]);
    }
}

#[test]
fn masks_have_names() {
    // Without shadows' and clouds' disk, and by name, more stays.
    let count = |more: &[&str]| figures(&ndvi(&fixture(SAFE), more))["NDVI_valid_pixels"].as_u64().unwrap();
    let (all, default) = (count(&["--mask", "none"]), count(&[]));
    let (cloud, both) = (count(&["--mask", "cloud"]), count(&["--mask", "cloud,shadow"]));
    assert!(all > cloud && cloud > both && both >= default, "{all} {cloud} {both} {default}");
    // Six cloud pixels of 20 m and the speckle, which is none.
    assert_eq!(all - count(&["--mask", "cloud", "--mask-buffer", "0"]), 24);
    let run = ndvi(&fixture(SAFE), &["--mask", "clouds"]);
    assert!(run.code == 2 && run.err.contains("cloud_high"), "{}", run.err);

    let folder = tempfile::tempdir().unwrap();
    let tif = |name: &str| fixture(&format!("stac_applied/{name}.tif"));
    let named = [format!("red={}", tif("red")), format!("nir={}", tif("nir")), format!("mask={}", tif("scl"))];
    let mut arguments: Vec<&str> = vec!["index", "NDVI", "-o", "o.tif", "--json", "--scale", "0.0001"];
    arguments.extend(named.iter().map(String::as_str));
    let run = regrow_in(folder.path(), &arguments);
    // No class of the scene is 0, so that a mask of any value but 0 leaves nothing.
    assert_eq!(figures(&run)["NDVI_valid_pixels"], 0, "{}", run.err);
}

#[test]
fn info_tells_a_scene() {
    let folder = tempfile::tempdir().unwrap();
    let run = regrow_in(folder.path(), &["info", &fixture(SAFE)]);
    assert_eq!(run.code, 0, "{}", run.err);
    for word in
        ["baseline 05.10", "2024-07-15", "EPSG:32634", "stored x 0.0001 + -0.1", "agrees with the pixels", "shadow"]
    {
        assert!(run.out.contains(word), "{word}: {}", run.out);
    }
    let run = regrow_in(folder.path(), &["info", &fixture("stac11/item.json"), "--json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["roles"].as_array().unwrap().len(), 4);
    assert_eq!(document["date"], "2024-07-15");
}

#[test]
fn metadata_that_cannot_be_trusted_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let safe = folder.path().join(SAFE);
    copy(&fixtures().join(SAFE), &safe);
    let metadata = safe.join("MTD_MSIL2A.xml");
    let good = std::fs::read_to_string(&metadata).unwrap();
    let said = |text: &str| {
        std::fs::write(&metadata, text).unwrap();
        let run = ndvi(&safe.display().to_string(), &[]);
        assert_eq!((run.code, run.err.trim().lines().count()), (3, 1), "{}", run.err);
        run.err
    };
    let list = good.find("<BOA_ADD_OFFSET_VALUES_LIST>").unwrap()..good.find("</Product_Image").unwrap();
    let mut none = good.clone();
    none.replace_range(list, "");
    assert!(said(&none).contains("--boa-offset apply"));
    assert!(said(&good.replace("<BOA_ADD_OFFSET band_id=\"3\">-1000</BOA_ADD_OFFSET>", "")).contains("none for B04"));
    assert!(said(&good.replace(">10000<", ">10.000<")).contains("10.000"));
    assert!(said(&good.replace(">05.10<", ">newest<")).contains("newest"));
    assert!(said(&good[..good.len() / 2]).contains("damaged XML"));
    let doctype = good.replacen("?>", "?><!DOCTYPE x [<!ENTITY a \"b\">]>", 1);
    assert!(said(&doctype).contains("DTD") || said(&doctype).to_lowercase().contains("doctype"));
    // One band with another offset keeps it.
    let other = good.replace("<BOA_ADD_OFFSET band_id=\"3\">-1000<", "<BOA_ADD_OFFSET band_id=\"3\">-900<");
    std::fs::write(&metadata, other).unwrap();
    let run = regrow_in(folder.path(), &["info", &safe.display().to_string(), "--json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let offset = |role: &str| {
        let bands = document["roles"].as_array().unwrap();
        bands.iter().find(|b| b["role"] == role).unwrap()["offset"].as_f64().unwrap()
    };
    assert!((offset("red") + 0.09).abs() < 1e-12 && (offset("nir") + 0.1).abs() < 1e-12);
}

#[test]
fn a_band_nobody_asks_for_may_be_missing_and_one_that_is_asked_for_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join(LANDSAT);
    copy(&fixtures().join(LANDSAT), &scene);
    let blue = scene.join(format!("{LANDSAT}_SR_B2.TIF"));
    std::fs::write(&blue, "no image").unwrap();
    agrees(&scene.display().to_string(), "landsat", &[]);
    let run = regrow_in(folder.path(), &["index", "EVI", LANDSAT, "-o", "evi.tif"]);
    assert!(run.code == 3 && run.err.contains("SR_B2.TIF"), "{}", run.err);
}

#[test]
fn provenance_names_what_decides_about_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = |more: &[&str]| {
        let scene = fixture(SAFE);
        let mut arguments = vec!["index", "NDVI", scene.as_str(), "-o", "o.tif", "--overwrite"];
        arguments.extend(more);
        let run = regrow_in(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{}", run.err);
        let sidecar = std::fs::read_to_string(folder.path().join("o.tif.json")).unwrap();
        let sidecar: Value = serde_json::from_str(&sidecar).unwrap();
        let named = sidecar["properties"]["regrow:inputs"].as_array().unwrap().clone();
        let mut names: Vec<String> =
            named.iter().map(|i| i["href"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let image = |band: &str| format!("T34TEQ_20240715T092031_{band}.jp2");
    let all = ["MTD_MSIL2A.xml".into(), "MTD_TL.xml".into(), image("B04_10m"), image("B08_10m"), image("SCL_20m")];
    assert_eq!(inputs(&[]), all);
    // The mask has become part of the bands, and decides all the same.
    assert_eq!(inputs(&["--align", "EPSG:3035:10"]), all);
}
