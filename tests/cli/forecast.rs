//! Years to target of zones whose yearly NDVI is known.

use serde_json::Value;

use crate::fixture::{Folder, scene};
use crate::{Run, regrow_in};

/// NDVI of 2012 to 2020: in the west a fall and a rise, in the middle a decline; the east is a reference that stays.
const WEST: [f64; 9] = [0.60, 0.15, 0.19, 0.26, 0.29, 0.36, 0.39, 0.46, 0.49];
const REFERENCE: f64 = 0.62;

fn ndvi(year: usize, col: usize) -> f64 {
    match col {
        0..20 => WEST[year],
        20..40 => 0.60 - 0.04 * year as f64,
        _ => REFERENCE,
    }
}

fn square(name: &str, from: usize, to: usize) -> String {
    let (a, b) = (500_000 + 10 * from, 500_000 + 10 * to);
    format!(
        "{{\"type\":\"Feature\",\"properties\":{{\"name\":\"{name}\"}},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":\
         [[[{a},7499520],[{b},7499520],[{b},7500000],[{a},7500000],[{a},7499520]]]}}}}"
    )
}

fn layer(features: &[String]) -> String {
    format!(
        "{{\"type\":\"FeatureCollection\",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"EPSG:32755\"}}}},\
         \"features\":[{}]}}",
        features.join(",")
    )
}

/// A folder with nine scenes, `zones.geojson` and `reference.geojson`; the names of the scenes.
fn stack() -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let names: Vec<String> = (2012..2021).map(|y| format!("site_{y}0715.tif")).collect();
    for (year, name) in names.iter().enumerate() {
        scene(&folder.path(name), |col, _| {
            let v = ndvi(year, col);
            [0.05, 0.06, 0.1, (0.1 * (1.0 + v) / (1.0 - v)) as f32]
        });
    }
    std::fs::write(folder.path("zones.geojson"), layer(&[square("west", 0, 20), square("middle", 20, 40)])).unwrap();
    std::fs::write(folder.path("reference.geojson"), layer(&[square("east", 40, 64)])).unwrap();
    (folder, names)
}

fn forecast(folder: &Folder, scenes: &[String], more: &[&str]) -> Run {
    let mut arguments = vec!["forecast"];
    arguments.extend(scenes.iter().map(String::as_str));
    arguments.extend(more);
    regrow_in(&folder.path(""), &arguments)
}

fn rows(folder: &Folder, scenes: &[String], more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["-o", "t.json", "--overwrite", "--zones", "zones.geojson", "--id", "name"];
    arguments.extend(more);
    let run = forecast(folder, scenes, &arguments);
    assert_eq!(run.code, 0, "{}", run.err);
    serde_json::from_slice(&std::fs::read(folder.path("t.json")).unwrap()).unwrap()
}

/// Level in 2020 and change a year of the line through the values of the west from 2013 on.
fn line() -> (f64, f64) {
    let values = &WEST[1..];
    let n = values.len() as f64;
    let (t, y) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let tt: f64 = (0..values.len()).map(|i| (i as f64 - t) * (i as f64 - t)).sum();
    let ty: f64 = values.iter().enumerate().map(|(i, v)| (i as f64 - t) * (v - y)).sum();
    (y + ty / tt * t, ty / tt)
}

#[test]
fn zones_have_the_years_that_their_line_says() {
    let (folder, scenes) = stack();
    let rows = rows(&folder, &scenes, &["--target", "0.62", "--scenario", "2", "--rate", "0.1"]);
    let told: Vec<(&str, &str)> =
        rows.iter().map(|r| (r["zone"].as_str().unwrap(), r["scenario"].as_str().unwrap())).collect();
    let scenarios = ["as is", "rate x 2", "0.1 a year"];
    let expected: Vec<(&str, &str)> = ["west", "middle"].iter().flat_map(|z| scenarios.map(|s| (*z, s))).collect();
    assert_eq!(told, expected);
    let (level, slope) = line();
    for (row, change) in rows.iter().zip([slope, 2.0 * slope, 0.1]) {
        assert_eq!(row["model"], "linear");
        assert_eq!(
            (&row["first_year"], &row["last_year"], &row["years_count"]),
            (&2013.into(), &2020.into(), &8.into())
        );
        let number = |name: &str| row[name].as_f64().unwrap();
        let left = (0.62 - level) / change;
        assert!((number("years_to_target") - left).abs() < 0.01, "{row}");
        assert!((number("target_year") - 2020.0 - left).abs() < 0.01, "{row}");
        assert!(
            number("earliest_year") < number("target_year") && number("target_year") < number("latest_year"),
            "{row}"
        );
        assert!((number("last_value") - 0.49).abs() < 1e-4 && (number("last_value_fitted") - level).abs() < 1e-4);
        assert_eq!(row["reason"], "");
    }
    for row in &rows[3..] {
        assert!(row["target_year"].is_null() && row["years_to_target"].is_null(), "{row}");
        // The lowest value is the last one.
        assert!(row["reason"].as_str().unwrap().contains("too few years: 1 valid from 2020 on"), "{row}");
    }
    // From the first year on there are years enough, but they go the other way.
    let since = ["--target", "0.62", "--since", "2012"];
    let decline = &self::rows(&folder, &scenes, &since)[1];
    assert!(decline["reason"].as_str().unwrap().contains("does not move towards"), "{decline}");
}

#[test]
fn a_falling_index_of_bare_ground_has_the_same_years() {
    let (folder, scenes) = stack();
    let up = rows(&folder, &scenes, &["--target", "0.62"]);
    let bare = ["--expr", "(R-N)/(N+R)", "--more-is-bare", "--target", "-0.62"];
    let down = rows(&folder, &scenes, &bare);
    let year = |rows: &[Value], name: &str| rows[0][name].as_f64().unwrap();
    for name in ["target_year", "earliest_year", "latest_year"] {
        assert!((year(&up, name) - year(&down, name)).abs() < 0.01, "{name}");
    }
    assert!((down[0]["last_value"].as_f64().unwrap() + 0.49).abs() < 1e-4);
}

#[test]
fn a_reference_area_gives_the_target() {
    let (folder, scenes) = stack();
    let reference = rows(&folder, &scenes, &["--target", "reference", "--reference", "reference.geojson"]);
    assert!((reference[0]["target"].as_f64().unwrap() - REFERENCE).abs() < 1e-4, "{reference:?}");
    assert!(reference[0]["target_year"].as_f64().unwrap() > 2021.0);
    for (wrong, remedy) in [
        (&["--target", "reference"][..], "needs --reference"),
        (&["--target", "0.6", "--reference", "reference.geojson"], "--target reference"),
        (&["--target", "0.6", "--scenario", "0"], "--scenario"),
        (&["--target", "0.6", "--every", "month"], "--every year"),
        (&["--target", "0.6", "--plot", "x.png"], ".svg"),
        (&["--target", "0.6", "--curves", "new.csv"], "two outputs"),
    ] {
        let run = forecast(&folder, &scenes, &[&["-o", "new.csv"], wrong].concat());
        assert_eq!((run.code, run.err.trim().lines().count()), (2, 1), "{}", run.err);
        assert!(run.err.contains(remedy), "{}", run.err);
        assert!(!folder.path("new.csv").exists());
    }
}

#[test]
fn threads_change_no_byte_and_a_plan_touches_nothing() {
    let (folder, scenes) = stack();
    let options = [
        "--target",
        "0.62",
        "--zones",
        "zones.geojson",
        "--id",
        "name",
        "--curves",
        "c.csv",
        "--plot",
        "p.svg",
        "--reproducible",
        "-o",
        "t.csv",
    ];
    let before = folder.made();
    let plan = forecast(&folder, &scenes, &[&options[..], &["--explain"]].concat());
    assert!(plan.code == 0 && plan.out.contains("64 x 48 pixels"), "{}{}", plan.out, plan.err);
    assert_eq!(folder.made(), before);
    let made = |threads: &str| {
        let run = forecast(&folder, &scenes, &[&options[..], &["--overwrite", "--threads", threads]].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        ["t.csv", "c.csv", "p.svg"].map(|name| std::fs::read_to_string(folder.path(name)).unwrap())
    };
    let one = made("1");
    assert_eq!(one, made("2"));
    let [table, curves, plot] = one;
    assert!(table.starts_with("zone,scenario,model,first_year,last_year,years_count,last_value,"), "{table}");
    assert_eq!(curves.lines().count(), 1 + 2 * 9);
    assert!(plot.starts_with("<svg xmlns") && plot.contains("west") && plot.contains("too few years"));
    assert!(folder.path("t.csv.json").exists());
}

#[test]
fn without_zones_the_whole_grid_is_one() {
    let (folder, scenes) = stack();
    let run = forecast(&folder, &scenes, &["--target", "0.7", "--statistic", "mean", "-o", "t.csv", "--json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(told["outputs"][0]["figures"]["zones"], 1);
    assert!(std::fs::read_to_string(folder.path("t.csv")).unwrap().lines().nth(1).unwrap().starts_with("all,as is,"));
}
