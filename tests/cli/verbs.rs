//! Plain good command lines, judged by what they made.

use crate::fixture::{Folder, mean_ndvi};
use crate::{Run, regrow_in};

fn good(folder: &Folder, arguments: &[&str]) -> Run {
    let run = regrow_in(&folder.path(""), arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.err);
    run
}

/// Mean and number of valid pixels of the first band.
fn statistics(folder: &Folder, raster: &str) -> (f64, u64) {
    let told = good(folder, &["info", raster, "--stats", "--json"]).out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    (told["band1"]["mean"].as_f64().unwrap(), told["band1"]["valid"].as_u64().unwrap())
}

#[test]
fn index_and_expression_agree_with_the_formula() {
    let folder = Folder::new();
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "ndvi.tif"]);
    good(&folder, &["index", "--expr", "(N-R)/(N+R)", "scene.tif", "-o", "expr.tif"]);
    let (mean, valid) = statistics(&folder, "ndvi.tif");
    assert!((mean - mean_ndvi()).abs() < 1e-6, "{mean} expected {}", mean_ndvi());
    assert_eq!(valid, 64 * 48);
    assert!((statistics(&folder, "expr.tif").0 - mean).abs() < 1e-9);
}

#[test]
fn outputs_are_kept_unless_overwrite_is_given() {
    let folder = Folder::new();
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif"]);
    let run = regrow_in(&folder.path(""), &["index", "NDVI", "scene.tif", "-o", "out.tif"]);
    assert!(run.code == 2 && run.err.contains("--overwrite"), "{}", run.err);
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--overwrite"]);
}

#[test]
fn verbs_style_classes_alone() {
    let folder = Folder::new();
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "ndvi.tif"]);
    good(&folder, &["cover", "scene.tif", "-o", "cover.tif", "--classes", "classes.tif"]);
    let styles: Vec<_> = folder.made().into_iter().filter(|n| n.ends_with(".qml")).collect();
    assert_eq!(styles, ["classes.qml"]);
}

#[test]
fn explain_touches_nothing() {
    let folder = Folder::new();
    let run = good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--explain"]);
    assert!(run.out.contains("64 x 48 pixels, EPSG:32755") && run.out.contains("peak"), "{}", run.out);
    assert_eq!(folder.made(), Vec::<String>::new());
    let json = good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--explain", "--json"]).out;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["grid"]["cols"], 64);
}

#[test]
fn box_crops_by_whole_pixels() {
    let folder = Folder::new();
    let bbox = "500100,7499700,500300,7499900";
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--bbox", bbox]);
    let told: serde_json::Value = serde_json::from_str(&good(&folder, &["info", "out.tif", "--json"]).out).unwrap();
    assert_eq!(told["bounds"], serde_json::json!([500_100.0, 7_499_700.0, 500_300.0, 7_499_900.0]));
}

#[test]
fn area_of_interest_leaves_what_lies_inside() {
    let folder = Folder::new();
    // Half of each pixel row of a square of 20 x 20 pixels: a right triangle, 190 centres strictly below its diagonal.
    let triangle = "[[500100,7499700],[500300,7499700],[500100,7499900],[500100,7499700]]";
    let layer = format!(
        "{{\"type\":\"FeatureCollection\",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"EPSG:32755\"}}}},\
         \"features\":[{{\"type\":\"Feature\",\"properties\":{{}},\"geometry\":{{\"type\":\"Polygon\",\
         \"coordinates\":[{triangle}]}}}}]}}"
    );
    std::fs::write(folder.path("aoi.geojson"), layer).unwrap();
    good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--aoi", "aoi.geojson"]);
    let (_, valid) = statistics(&folder, "out.tif");
    // 20 centres lie on the diagonal itself, where rounding decides.
    assert!((190..=210).contains(&valid), "{valid}");
}

#[test]
fn threads_and_memory_do_not_change_a_byte() {
    let folder = Folder::new();
    let mut first = None;
    for options in [["--threads", "1"], ["--threads", "7"], ["--threads", "0"], ["--memory", "64MiB"]] {
        let mut arguments = vec!["index", "NDVI", "scene.tif", "-o", "out.tif", "--reproducible", "--overwrite"];
        arguments.extend(options);
        good(&folder, &arguments);
        let bytes = std::fs::read(folder.path("out.tif")).unwrap();
        assert_eq!(*first.get_or_insert_with(|| bytes.clone()), bytes, "{options:?}");
    }
    let run = good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--overwrite", "--threads", "1000000"]);
    assert!(run.err.contains("warning") && run.err.contains("1000000"), "{}", run.err);
}

#[test]
fn json_is_one_document_with_the_outputs() {
    let folder = Folder::new();
    let run = good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(told["outputs"][0]["path"], "out.tif");
    assert_eq!(told["channels"]["red"]["cells"], 64 * 48);
}

#[test]
fn decisions_are_told_when_asked_for() {
    let folder = Folder::new();
    let quiet = good(&folder, &["index", "NDVI", "scene.tif", "-o", "a.tif", "-q"]);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let verbose = good(&folder, &["index", "NDVI", "scene.tif", "-o", "b.tif", "-v"]);
    assert!(verbose.err.contains("band 4 (nir)"), "{}", verbose.err);
}

#[test]
fn numbers_that_are_no_reflectance_are_doubted() {
    let folder = Folder::new();
    let run = good(&folder, &["index", "NDVI", "scene.tif", "-o", "out.tif", "--scale", "100"]);
    assert!(run.err.contains("no reflectance") && run.err.contains("--scale"), "{}", run.err);
}
