//! The verbs of series through the real binary: against the oracles, against plain arithmetic, and alike whatever threads and memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regrow::grid::Window;
use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};
use serde_json::Value as Json;
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn oracle(name: &str) -> Json {
    let text = std::fs::read_to_string(fixtures().join("oracles/temporal").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn try_regrow(words: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_regrow")).args(words).output().unwrap()
}

/// Runs regrow and gives what it prints; fails with what it says.
fn regrow(words: &[String]) -> String {
    let done = try_regrow(words);
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A raster of one row of values on the first of July of a year.
fn annual(folder: &Path, year: i32, values: &[f32]) -> String {
    raster(folder, year, values, values.len())
}

/// A raster of rows of `cols` values on the first of July of a year.
fn raster(folder: &Path, year: i32, values: &[f32], cols: usize) -> String {
    let path = folder.join(format!("v_{year}0701.tif"));
    let mut file = TiffEncoder::new(File::create(&path).unwrap()).unwrap();
    let (cols, rows) = (cols as u32, (values.len() / cols) as u32);
    let mut image = file.new_image::<colortype::Gray32Float>(cols, rows).unwrap();
    image.encoder().write_tag(Tag::Unknown(33550), &[30.0, 30.0, 0.0][..]).unwrap();
    image.encoder().write_tag(Tag::Unknown(33922), &[0.0, 0.0, 0.0, 500_000.0, 7_500_000.0, 0.0][..]).unwrap();
    let keys: [u16; 16] = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32723];
    image.encoder().write_tag(Tag::Unknown(34735), &keys[..]).unwrap();
    image.write_data(values).unwrap();
    path.display().to_string()
}

/// Bands by name, as 64-bit numbers.
fn read(path: &Path) -> BTreeMap<String, Vec<f64>> {
    let source = open_raster(path).unwrap();
    let bands: Vec<usize> = (0..source.bands().len()).collect();
    let mut raws: Vec<Raw> = bands.iter().map(|_| Raw::default()).collect();
    let grid = source.grid();
    source.open().unwrap().read(&bands, Window::new(0, 0, grid.cols, grid.rows), &mut raws).unwrap();
    let pixels = |raw: Raw| match raw.samples {
        Samples::F32(v) => v.iter().map(|v| f64::from(*v)).collect(),
        Samples::U8(v) => v.iter().map(|v| f64::from(*v)).collect(),
        other => panic!("{other:?}"),
    };
    source.bands().iter().map(|b| b.name.clone()).zip(raws.into_iter().map(pixels)).collect()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

const VALUE: &str = "--bands value=1 --index value --overwrite -q";

#[test]
fn recovery_of_the_oracle_pixel_by_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let oracle = oracle("recovery.json");
    let cases: Vec<&Json> = oracle["cases"].as_array().unwrap().iter().collect();
    let of = |case: &Json, name: &str| case[name].as_i64().unwrap() as i32;
    // Pixels with the same years of disturbance and restoration side by side.
    let mut groups: BTreeMap<(i32, i32), Vec<&Json>> = BTreeMap::new();
    for case in cases {
        groups.entry((of(case, "disturbance_start"), of(case, "restoration_start"))).or_default().push(case);
    }
    let mut checked = 0;
    for ((disturbance, start), cases) in groups {
        let series: Vec<Vec<f64>> = cases.iter().map(|c| numbers(&c["values"])).collect();
        let first = of(cases[0], "years_from");
        let files: Vec<String> = (0..series[0].len())
            .map(|i| {
                let row: Vec<f32> = series.iter().map(|s| s[i] as f32).collect();
                annual(folder.path(), first + i as i32, &row)
            })
            .collect();
        let out = folder.path().join("recovery.tif");
        let mut run =
            words(&format!("recovery {VALUE} --disturbance {disturbance} --start {start} -o {}", out.display()));
        run.extend(files);
        regrow(&run);
        let bands = read(&out);
        let named = [
            ("deltaIR_5", "delta_ir"),
            ("YrYr_5", "yryr_per_year"),
            ("R80P_5", "r80p"),
            ("RRI_pre2", "rri"),
            ("RI_5", "ri"),
            ("percent_recovery_last", "percent_recovery"),
        ];
        for (pixel, case) in cases.iter().enumerate() {
            for (theirs, ours) in named {
                let (expected, got) = (case[theirs].as_f64().unwrap(), bands[ours][pixel]);
                // Values are stored in 32 bits on both sides.
                assert!(
                    (got - expected).abs() <= 2e-6 * expected.abs().max(1.0),
                    "{} {ours}: {got} {expected}",
                    case["id"]
                );
            }
            match case["Y2R_80"].as_f64() {
                Some(years) => assert_eq!(bands["y2r_years"][pixel], years),
                None => assert!(bands["y2r_years"][pixel].is_nan() && bands["reason"][pixel] == 1.0),
            }
            checked += 1;
        }
        std::fs::read_dir(folder.path()).unwrap().for_each(|e| std::fs::remove_file(e.unwrap().path()).unwrap());
    }
    assert_eq!(checked, 16);
}

#[test]
fn landtrendr_of_the_oracle() {
    let oracle = oracle("landtrendr.json");
    let cases: Vec<&Json> = oracle["cases"].as_array().unwrap().iter().step_by(13).collect();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let (years, values, params) = (numbers(&case["years"]), numbers(&case["values"]), &case["params"]);
        let files: Vec<String> = years
            .iter()
            .zip(&values)
            .map(|(year, value)| annual(folder.path(), *year as i32, &[*value as f32]))
            .collect();
        let (out, fitted) = (folder.path().join("lt.tif"), folder.path().join("fitted.tif"));
        let mut run = words(&format!(
            "segment {VALUE} --max-segments {} --recovery {} --spike {} --pval {} --best-model {} --vertex-overshoot {} \
             --min-obs {} --min-magnitude 0 -o {} --fitted {}",
            params["max_segments"],
            params["recovery_threshold"],
            params["spike_threshold"],
            params["pval"],
            params["best_model_proportion"],
            params["vertex_count_overshoot"],
            params["min_obs"],
            out.display(),
            fitted.display()
        ));
        run.extend(files);
        regrow(&run);
        let bands = read(&out);
        let of = |name: &str| bands[name][0];
        let vertices = |what: &str| -> Vec<f64> {
            (1..)
                .map_while(|k| bands.get(&format!("vertex_{k}_{what}")))
                .map(|b| b[0])
                .filter(|v| !v.is_nan())
                .collect()
        };
        let id = &case["id"];
        assert_eq!(vertices("year"), numbers(&case["vertex_years"]), "{id}");
        for (got, expected) in vertices("value").iter().zip(numbers(&case["vertex_values"])) {
            assert!((got - expected).abs() < 1e-3, "{id}: {got} {expected}");
        }
        let path = read(&fitted);
        for (year, expected) in years.iter().zip(numbers(&case["fitted"])) {
            let got = path[&format!("fitted_{year}")][0];
            assert!((got - expected).abs() < 1e-3, "{id} {year}: {got} {expected}");
        }
        if let Some(start) = case["greatest_loss"]["start"].as_f64() {
            assert_eq!(of("disturbance_year"), start + 1.0, "{id}");
            let magnitude = case["greatest_loss"]["mag"].as_f64().unwrap();
            assert!((of("disturbance_magnitude") - magnitude).abs() < 1e-3, "{id}");
        }
    }
}

#[test]
fn contextual_significance_of_the_oracle() {
    for case in oracle("contextual_mk.json")["cases"].as_array().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let dates: Vec<Vec<f64>> = case["window_rows_are_time"].as_array().unwrap().iter().map(numbers).collect();
        let write = |(year, values): (i32, &Vec<f64>)| {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            raster(folder.path(), year, &values, 3)
        };
        let out = folder.path().join("trend.tif");
        let mut run = words(&format!("trend {VALUE} --contextual -o {}", out.display()));
        run.extend((1990..).zip(&dates).map(write));
        regrow(&run);
        let bands = read(&out);
        // The middle pixel sees all nine; those at corners see four, so that theirs differ.
        let (p, expected) = (&bands["p_value"], case["p_cmk"].as_f64().unwrap());
        assert!((p[4] - expected).abs() < 1e-6, "{}: {} {expected}", case["id"], p[4]);
        assert!(p.iter().any(|other| (other - expected).abs() > 1e-6));
        let middle: Vec<f64> = dates.iter().map(|d| f64::from(d[4] as f32)).collect();
        let times: Vec<f64> = (0..dates.len()).map(|i| 1990.0 + i as f64).collect();
        assert!((bands["slope_per_year"][4] - plainly(&times, &middle).0).abs() < 1e-4);
    }
}

/// The demo's stacks, whose bands are dates.
fn stacks(roles: &[&str]) -> Vec<String> {
    roles.iter().map(|r| format!("{r}={}", fixtures().join("demo").join(format!("{r}.tif")).display())).collect()
}

/// Median of all slopes, S and p of the Mann-Kendall test without ties, as the definitions say.
fn plainly(times: &[f64], values: &[f64]) -> (f64, f64, f64) {
    let n = values.len();
    let (mut slopes, mut s) = (Vec::new(), 0.0);
    for i in 0..n {
        for j in i + 1..n {
            s += (values[j] - values[i]).partial_cmp(&0.0).map_or(0.0, |o| f64::from(o as i8));
            if times[j] > times[i] {
                slopes.push((values[j] - values[i]) / (times[j] - times[i]));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    let slope = if slopes.len() % 2 == 1 { slopes[middle] } else { 0.5 * (slopes[middle - 1] + slopes[middle]) };
    let variance = (n * (n - 1) * (2 * n + 5)) as f64 / 18.0;
    let z = (s.abs() - 1.0).max(0.0) / f64::sqrt(variance);
    (slope, s / (n * (n - 1) / 2) as f64, libm::erfc(z / std::f64::consts::SQRT_2))
}

#[test]
fn trends_of_real_pixels_are_those_of_their_printed_series() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trend.tif");
    let bbox = [5_272_082.576, 2_532_404.215];
    let mut run = words(&format!(
        "trend -o {} -q --bbox {},{},{},{} --mask-buffer 0m",
        out.display(),
        bbox[0] + 1.0,
        bbox[1] + 1.0,
        bbox[0] + 119.0,
        bbox[1] + 99.0
    ));
    run.extend(stacks(&["red", "nir", "scl"]));
    regrow(&run);
    let bands = read(&out);
    let (cols, rows) = (12, 10);
    assert_eq!(bands["n"].len(), cols * rows);
    for (col, row) in [(0, 0), (5, 3), (11, 9), (7, 7)] {
        let (x, y) = (bbox[0] + 10.0 * col as f64 + 5.0, bbox[1] + 100.0 - 10.0 * row as f64 - 5.0);
        let mut run = words(&format!("pixel {x} {y} --json -q --mask-buffer 0m --fit theil-sen"));
        run.extend(stacks(&["red", "nir", "scl"]));
        let printed: Json = serde_json::from_str(&regrow(&run)).unwrap();
        let (times, values) = (numbers(&printed["times_decimal_year"]), numbers(&printed["values"]));
        assert!(values.len() >= 4, "{}", values.len());
        let (slope, tau, p) = plainly(&times, &values);
        let of = |name: &str| bands[name][row * cols + col];
        assert_eq!(of("n"), values.len() as f64);
        assert!((of("slope_per_year") - slope).abs() < 1e-7, "{} {slope}", of("slope_per_year"));
        assert!((of("tau") - tau).abs() < 1e-6 && (of("p_value") - p).abs() < 1e-6, "{} {p}", of("p_value"));
        assert!((of("first_decimal_year") - times[0]).abs() < 2e-4);
        assert!((printed["fit"]["figures"]["slope_per_year"].as_f64().unwrap() - slope).abs() < 1e-12);
        // Every date says why it counts or not.
        for date in printed["dates"].as_array().unwrap() {
            let state = date["state"].as_str().unwrap();
            assert_eq!(state == "valid", date["value"].is_f64());
            assert!(state != "masked" || date["unmasked"].is_f64());
        }
    }
}

#[test]
fn a_pixel_of_a_stack_without_masks_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = words("pixel 500010 7499990 --bands value=1 --index value -q --json");
    run.extend((2000..2004).map(|year| annual(folder.path(), year, &[0.1 * (year - 1999) as f32])));
    let printed: Json = serde_json::from_str(&regrow(&run)).unwrap();
    assert_eq!(printed["values"].as_array().unwrap().len(), 4);
    assert!(printed["fit"].is_null() && printed["dates"][0]["state"] == "valid");
    run[1] = "400000".into();
    let outside = try_regrow(&run);
    assert_eq!(outside.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&outside.stderr).contains("lies outside the scenes"));
}

/// Three dates of one pixel in one file.
fn three_dates<C: colortype::ColorType>(path: &Path, values: &[C::Inner]) -> String
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = TiffEncoder::new(File::create(path).unwrap()).unwrap();
    let mut image = file.new_image::<C>(1, 1).unwrap();
    image.encoder().write_tag(Tag::Unknown(33550), &[30.0, 30.0, 0.0][..]).unwrap();
    image.encoder().write_tag(Tag::Unknown(33922), &[0.0, 0.0, 0.0, 500_000.0, 7_500_000.0, 0.0][..]).unwrap();
    let keys: [u16; 16] = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32723];
    image.encoder().write_tag(Tag::Unknown(34735), &keys[..]).unwrap();
    let item =
        |i: i32| format!("<Item name=\"DESCRIPTION\" sample=\"{i}\" role=\"description\">{}-07-01</Item>", 2000 + i);
    let metadata = format!("<GDALMetadata>{}</GDALMetadata>", (0..3).map(item).collect::<String>());
    image.encoder().write_tag(Tag::Unknown(42112), metadata.as_str()).unwrap();
    image.write_data(values).unwrap();
    path.display().to_string()
}

#[test]
fn a_mask_stack_masks_date_by_date() {
    let folder = tempfile::tempdir().unwrap();
    let value = three_dates::<colortype::RGB32Float>(&folder.path().join("value.tif"), &[0.1, 0.2, 0.3]);
    let mask = three_dates::<colortype::RGB8>(&folder.path().join("mask.tif"), &[1, 0, 1]);
    let run = |role: &str| {
        try_regrow(&words(&format!(
            "pixel 500010 7499990 --index value -q --json value={value} {role}={mask} --nodata nan"
        )))
    };
    let done = run("mask");
    let printed: Json = serde_json::from_slice(&done.stdout).unwrap();
    let states: Vec<&str> = printed["dates"].as_array().unwrap().iter().map(|d| d["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["masked", "valid", "masked"]);
    let refused = run("udm2");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("mask=FILE"), "{}", refused.status);
}

#[test]
fn same_bytes_for_any_threads_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let verbs = [
        "trend --method theil-sen --confidence 0.9",
        "trend --method harmonic --order 1",
        "segment --method cold --index NDVI",
        "segment --method bfast-monitor --monitor-start 2019-01-01 --order 1 --no-trend --history all",
        "segment --method landtrendr",
        "recovery",
    ];
    for verb in verbs {
        let mut made: Vec<Vec<u8>> = Vec::new();
        for (k, limits) in ["--threads 1 --memory 4GiB", "--threads 3 --memory 256MiB"].iter().enumerate() {
            let out = folder.path().join(format!("{k}.tif"));
            let mut run = words(&format!(
                "{verb} {limits} --reproducible -q --overwrite --bbox 5272082,2532404,5272382,2532504 -o {}",
                out.display()
            ));
            run.extend(stacks(&["red", "nir", "scl"]));
            regrow(&run);
            made.push(std::fs::read(&out).unwrap());
        }
        assert!(made[0] == made[1], "{verb}");
    }
}

#[test]
fn a_plan_touches_nothing_and_options_of_other_methods_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.tif");
    let run = |text: &str| {
        let mut run = words(&format!("{text} -o {}", out.display()));
        run.extend(stacks(&["red", "nir", "scl"]));
        try_regrow(&run)
    };
    for verb in ["trend", "segment", "recovery", "segment --method ccdc --index NDVI"] {
        let done = run(&format!("{verb} --explain"));
        assert!(done.status.success(), "{verb}: {}", String::from_utf8_lossy(&done.stderr));
        assert!(String::from_utf8_lossy(&done.stdout).contains("memory"), "{verb}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let refused = [
        ("segment --pval 0.1 --method ccdc", "--pval is an option of --method landtrendr"),
        ("segment --method bfast-monitor", "--monitor-start"),
        ("segment --every month", "--every year"),
        ("recovery --every month", "--every year"),
        ("recovery --target reference", "--reference"),
        ("trend --order 2", "--method harmonic"),
        ("trend --seasonal month --every year", "--every"),
        ("trend --from 2030-01-01", "--from"),
        ("segment --max-segments 1", "--max-segments"),
    ];
    for (verb, said) in refused {
        let done = run(verb);
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(matches!(done.status.code(), Some(2 | 3)) && text.contains(said), "{verb}: {text}");
        assert_eq!(text.trim_end().lines().filter(|l| l.contains("error")).count(), 1, "{verb}: {text}");
    }
}
