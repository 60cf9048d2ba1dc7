//! `regrow composite` on the bundled time series, against numpy, and on more files than a process may open.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;

use regrow::grid::Window;
use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};
use serde_json::Value as Json;

const BANDS: usize = 4;
/// A part of the demo's scenes.
const SOME: &str = "--bbox=5272082,2532404,5272382,2532704";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn oracle() -> Json {
    let text = std::fs::read_to_string(fixtures().join("oracles/composite/demo.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs regrow and gives what it prints; fails with what it says.
fn regrow(words: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_regrow")).args(words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The demo's stacks, whose bands are dates.
fn stacks(roles: &[&str]) -> Vec<String> {
    roles.iter().map(|r| format!("{r}={}", fixtures().join("demo").join(format!("{r}.tif")).display())).collect()
}

fn composite(output: &Path, options: &[&str]) -> String {
    let inputs = stacks(&["blue", "green", "red", "nir", "scl"]);
    let output = output.display().to_string();
    let mut words = vec!["composite"];
    words.extend(inputs.iter().map(String::as_str));
    words.extend(["-o", &output, "--mask-buffer", "0m", "--overwrite", "-q"]);
    words.extend(options);
    regrow(&words)
}

/// Names and pixels of all bands.
fn read(path: &Path) -> Vec<(String, Vec<f32>)> {
    let source = open_raster(path).unwrap();
    let bands: Vec<usize> = (0..source.bands().len()).collect();
    let mut raws: Vec<Raw> = bands.iter().map(|_| Raw::default()).collect();
    let grid = source.grid();
    source.open().unwrap().read(&bands, Window::new(0, 0, grid.cols, grid.rows), &mut raws).unwrap();
    let pixels = |raw: Raw| match raw.samples {
        Samples::F32(v) => v,
        other => panic!("{other:?}"),
    };
    source.bands().iter().map(|b| b.name.clone()).zip(raws.into_iter().map(pixels)).collect()
}

fn numbers(v: &Json) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Calls `check` with every year, pixel of the oracle and its expected values.
fn each_pixel(folder: &Path, mut check: impl FnMut(&[(String, Vec<f32>)], usize, &Json)) {
    let oracle = oracle();
    for (year, rows) in oracle["years"].as_object().unwrap() {
        let bands = read(&folder.join(format!("o_{year}.tif")));
        for (pixel, row) in oracle["pixels"].as_array().unwrap().iter().zip(rows.as_array().unwrap()) {
            let at = numbers(pixel)[0] as usize * 100 + numbers(pixel)[1] as usize;
            check(&bands, at, row);
        }
    }
}

#[test]
fn bands_by_themselves_equal_numpy() {
    let folder = tempfile::tempdir().unwrap();
    for (method, field) in [("median", "median"), ("mean", "mean"), ("p25", "p25")] {
        composite(&folder.path().join("o.tif"), &["--method", method, "--every", "year"]);
        let (mut compared, mut empty) = (0, 0);
        each_pixel(folder.path(), |bands, at, row| {
            assert_eq!(bands[BANDS].0, "valid dates");
            assert_eq!(f64::from(bands[BANDS].1[at]), row["count"].as_f64().unwrap());
            if row["count"] == 0 {
                empty += 1;
                return assert!(bands[0].1[at].is_nan());
            }
            for (band, expected) in bands.iter().zip(numbers(&row[field])) {
                assert!((f64::from(band.1[at]) - expected).abs() < 3e-8, "{method} {}", band.0);
                compared += 1;
            }
        });
        assert!(compared > 200, "{compared} compared, {empty} empty");
    }
}

#[test]
fn geometric_medians_and_their_deviations_equal_numpy() {
    let folder = tempfile::tempdir().unwrap();
    composite(&folder.path().join("o.tif"), &["--method", "geomedian", "--mads", "--every", "year"]);
    each_pixel(folder.path(), |bands, at, row| {
        let names: Vec<&str> = bands[BANDS..].iter().map(|b| b.0.as_str()).collect();
        assert_eq!(names, ["smad", "emad", "bcmad", "valid dates"]);
        if row["count"] == 0 {
            return;
        }
        let expected = numbers(&row["geomedian"]).into_iter().zip([1e-5; BANDS]);
        let deviations = numbers(&row["mads"]).into_iter().zip([1e-5, 1e-5, 2e-4]);
        for (band, (expected, tolerance)) in bands.iter().zip(expected.chain(deviations)) {
            let found = f64::from(band.1[at]);
            assert!((found - expected).abs() < tolerance, "{} of {} dates: {found} {expected}", band.0, row["count"]);
        }
    });
}

#[test]
fn chosen_dates_equal_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let epoch = jiff::civil::date(1970, 1, 1);
    for (method, option) in [("max-ndvi", None), ("medoid", None), ("best-available", Some("--target-doy=200"))] {
        let mut options = vec!["--method", method, "--every", "year"];
        options.extend(option);
        composite(&folder.path().join("o.tif"), &options);
        each_pixel(folder.path(), |bands, at, row| {
            let names: Vec<&str> = bands[BANDS..].iter().map(|b| b.0.as_str()).collect();
            assert_eq!(names, ["valid dates", "date_used_days_since_1970", "day_of_year_used"]);
            if row["count"] == 0 {
                return assert!(bands[BANDS + 1].1[at].is_nan());
            }
            let date: jiff::civil::Date = row[method].as_str().unwrap().parse().unwrap();
            let days = epoch.until(date).unwrap().get_days();
            assert_eq!((bands[BANDS + 1].1[at], bands[BANDS + 2].1[at]), (days as f32, f32::from(date.day_of_year())));
        });
    }
}

#[test]
fn threads_and_memory_change_no_byte_and_periods_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for (at, limits) in [(&a, ["--threads=1", "--memory=24MiB"]), (&b, ["--threads=5", "--memory=4GiB"])] {
        std::fs::create_dir(at).unwrap();
        for (name, method) in [("m.tif", "median"), ("g.tif", "geomedian")] {
            let mut options = vec!["--method", method, "--every", "season", "--reproducible", SOME];
            options.extend(limits);
            composite(&at.join(name), &options);
        }
    }
    let files = |at: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(at).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(files(&a), files(&b));
    let tifs: Vec<_> = files(&a).into_iter().filter(|n| n.to_string_lossy().ends_with(".tif")).collect();
    for name in ["m_2016-JJA.tif", "m_2016-SON.tif", "g_2020-SON.tif"] {
        assert!(tifs.iter().any(|n| n == name), "{tifs:?}");
    }
    for name in tifs {
        assert!(std::fs::read(a.join(&name)).unwrap() == std::fs::read(b.join(&name)).unwrap(), "{name:?}");
    }
    // A period tells of its own dates only.
    let sidecar: Json = serde_json::from_slice(&std::fs::read(a.join("m_2016-SON.tif.json")).unwrap()).unwrap();
    assert!(sidecar.to_string().contains("2016-09") && !sidecar.to_string().contains("2016-06-06"), "{sidecar}");
}

#[test]
fn more_files_than_may_be_open_are_composited() {
    let folder = tempfile::tempdir().unwrap();
    let inputs: Vec<PathBuf> = (0..300)
        .map(|i| {
            let date = jiff::civil::date(2019, 1, 1).checked_add(jiff::Span::new().days(i)).unwrap();
            let path = folder.path().join(format!("s_{date}.tif"));
            let mut file = std::fs::File::create(&path).unwrap();
            let mut tiff = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
            tiff.write_image::<tiff::encoder::colortype::Gray16>(8, 8, &[1000 + 10 * i as u16; 64]).unwrap();
            path
        })
        .collect();
    let output = folder.path().join("o.tif");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_regrow"), "composite"]);
    command.args(&inputs).arg("-o").arg(&output);
    command.args(["--bands", "red=1", "--scale", "0.0001", "--assume-crs", "EPSG:32634", "-q"]);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let bands = read(&output);
    assert_eq!((bands[0].1[5], bands[1].1[5]), (0.2495, 300.0));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    for words in [
        &["--method", "best-available"][..],
        &["--mads"],
        &["--target-doy", "200"],
        &["--every", "week"],
        &["--method", "best-available", "--target-doy", "0"],
    ] {
        let input = stacks(&["red", "nir"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        let done = command.arg("composite").args(input).args(["-o", "never.tif"]).args(words).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
