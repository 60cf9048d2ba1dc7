//! `regrow monitor` on a small bundled series: scene by scene it finds what `segment` finds in the whole stack.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regrow::grid::Window;
use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};

const START: [&str; 4] = ["--monitor-start", "2018-01-01", "--history", "all"];
const WHOLE: [&str; 7] = ["segment", "--method", "bfast-monitor", "--process", "cusum", "--no-trend", "--order=1"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn stacks(folder: &str, roles: &[&str]) -> Vec<String> {
    roles.iter().map(|r| format!("{r}={}", fixtures().join(folder).join(format!("{r}.tif")).display())).collect()
}

/// Days of the bundled series.
fn days() -> Vec<String> {
    let source = open_raster(&fixtures().join("monitor/red.tif")).unwrap();
    source.bands().iter().map(|b| b.date.clone().unwrap()).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_regrow")).args(words).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs regrow on the bundled series and gives what it prints; fails with what it says.
    fn good(&self, words: &[&str]) -> String {
        let stacks = stacks("monitor", &["red", "nir", "scl"]);
        // Blocks as small as the raster: time goes into them.
        let small = ["--co", "BLOCKSIZE=16"];
        let words: Vec<&str> = words.iter().copied().chain(small).chain(stacks.iter().map(String::as_str)).collect();
        let done = self.run(&words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Exit code and what is said of a run that fails.
    fn bad(&self, words: &[&str], inputs: &[String]) -> (i32, String) {
        let words: Vec<&str> = words.iter().copied().chain(inputs.iter().map(String::as_str)).collect();
        let done = self.run(&words);
        assert!(!done.status.success(), "{words:?}");
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    }

    /// Bands by name.
    fn read(&self, name: &str) -> BTreeMap<String, Vec<f64>> {
        let source = open_raster(&self.path(name)).unwrap();
        let bands: Vec<usize> = (0..source.bands().len()).collect();
        let mut raws: Vec<Raw> = bands.iter().map(|_| Raw::default()).collect();
        let grid = source.grid();
        source.open().unwrap().read(&bands, Window::new(0, 0, grid.cols, grid.rows), &mut raws).unwrap();
        let numbers = |raw: Raw| match raw.samples {
            Samples::F32(v) => v.into_iter().map(f64::from).collect(),
            Samples::F64(v) => v,
            other => panic!("{other:?}"),
        };
        source.bands().iter().map(|b| b.name.clone()).zip(raws.into_iter().map(numbers)).collect()
    }

    /// A state up to the end of 2018.
    fn fitted(&self, name: &str, options: &[&str]) -> String {
        self.good(&[&["monitor", "fit", "--to", "2018-12-31", "-o", name][..], &START, options].concat())
    }
}

/// NaN equals NaN.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

#[test]
fn scene_by_scene_is_the_whole_stack() {
    let folder = Folder::new();
    folder.fitted("state.tif", &[]);
    let later: Vec<String> = days().into_iter().filter(|d| d.as_str() > "2018-12-31").collect();
    assert!(later.len() > 20);
    let mut state = "state.tif".to_owned();
    let (mut first_told, mut new_pixels) = (BTreeMap::new(), 0);
    for (i, day) in later.iter().enumerate() {
        let next = format!("state{}.tif", i % 2);
        let told = folder.good(&[
            "monitor",
            "update",
            &state,
            "--from",
            day,
            "--to",
            day,
            "-o",
            &next,
            "--alerts",
            "alerts.tif",
            "--overwrite",
            "--json",
        ]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let figures = &told["outputs"][0]["figures"];
        let new = figures["new_alert_pixels"].as_u64().unwrap();
        // Pixels of 10 m, which this equal-area projection keeps to a part in a thousand.
        assert!((figures["new_alert_ha"].as_f64().unwrap() - 0.01 * new as f64).abs() < 1e-5 * (1 + new) as f64);
        new_pixels += new;
        let alerts = folder.read("alerts.tif");
        let fresh = alerts["state"].iter().filter(|s| **s == 1.0).count();
        assert_eq!(fresh as u64, new);
        for (pixel, _) in alerts["state"].iter().enumerate().filter(|(_, s)| **s == 1.0) {
            first_told.insert(pixel, alerts["alert_decimal_year"][pixel]);
        }
        state = next;
    }
    folder.good(&[&WHOLE[..], &START, &["-o", "whole.tif"]].concat());
    let (whole, alerts) = (folder.read("whole.tif"), folder.read("alerts.tif"));
    let breaks = &whole["break_decimal_year"];
    assert!(same(breaks, &alerts["alert_decimal_year"]));
    assert!(same(&whole["confidence"], &alerts["confidence"]));
    assert!(same(&whole["monitored_observations"], &folder.read(&state)["observations"]));
    // Patches that were cut in 2019, and forest that stands; each was told once, by the scene of its date.
    let cut = breaks.iter().filter(|b| **b > 2019.0).count();
    assert!((40..80).contains(&cut), "{cut}");
    assert_eq!(new_pixels, cut as u64);
    assert!(first_told.iter().all(|(pixel, date)| breaks[*pixel] == *date));
    assert_eq!(alerts["state"].iter().filter(|s| **s > 0.0).count(), breaks.iter().filter(|b| !b.is_nan()).count());
}

#[test]
fn scenes_together_are_scenes_one_by_one_for_any_number_of_threads() {
    let folder = Folder::new();
    folder.fitted("state.tif", &["--reproducible"]);
    let bytes = |threads: &str| {
        let name = format!("with{threads}.tif");
        let words = ["monitor", "update", "state.tif", "--from", "2019-01-01", "--alerts", "a.tif", "--overwrite"];
        folder.good(&[&words[..], &["--threads", threads, "-o", &name]].concat());
        let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
        (read(&name), read("a.tif"))
    };
    assert!(bytes("1") == bytes("2"));
    folder.good(&["monitor", "update", "state.tif", "--from", "2019-01-01", "--to", "2019-12-31", "-o", "half.tif"]);
    folder.good(&["monitor", "update", "half.tif", "--from", "2020-01-01", "-o", "twice.tif"]);
    let (once, twice) = (folder.read("with1.tif"), folder.read("twice.tif"));
    assert!(once.iter().all(|(name, values)| same(values, &twice[name])));
    // The fit itself goes as far as its scenes do.
    folder.good(&[&["monitor", "fit", "-o", "all.tif"][..], &START].concat());
    let all = folder.read("all.tif");
    assert!(once.iter().all(|(name, values)| same(values, &all[name])));
}

#[test]
fn older_scenes_are_refused() {
    let folder = Folder::new();
    folder.fitted("state.tif", &[]);
    let stacks = stacks("monitor", &["red", "nir", "scl"]);
    let (code, said) =
        folder.bad(&["monitor", "update", "state.tif", "--from", "2018-07-01", "-o", "next.tif"], &stacks);
    assert!(code == 3 && said.contains("scenes in order of time"), "{said}");
    assert!(!folder.path("next.tif").exists());
}

#[test]
fn other_grids_are_refused_and_larger_scenes_are_cut() {
    let folder = Folder::new();
    folder.fitted("state.tif", &[]);
    let update = ["monitor", "update", "state.tif", "--from", "2019-01-01", "--to", "2019-07-31", "-o", "next.tif"];
    let coarse = fixtures().join("demo/swir16.tif");
    let coarse: Vec<String> = ["red", "nir"].iter().map(|r| format!("{r}={}", coarse.display())).collect();
    let (code, said) = folder.bad(&update, &coarse);
    assert!(code == 3 && said.contains("regrow align ") && said.contains("--to state.tif"), "{said}");
    // The demo's scenes hold the whole cube.
    let wide = stacks("demo", &["red", "nir", "scl"]);
    let words: Vec<&str> = update.iter().copied().chain(wide.iter().map(String::as_str)).collect();
    let done = folder.run(&words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (state, next) = (folder.read("state.tif"), folder.read("next.tif"));
    let grid = |name: &str| open_raster(&folder.path(name)).unwrap().grid().clone();
    assert_eq!(grid("next.tif"), grid("state.tif"));
    let more = next["observations"].iter().zip(&state["observations"]).filter(|(a, b)| a > b).count();
    assert_eq!(more, 120);
}

#[test]
fn states_are_never_changed_in_place_and_explain_touches_nothing() {
    let folder = Folder::new();
    folder.fitted("state.tif", &[]);
    let before = std::fs::read(folder.path("state.tif")).unwrap();
    let stacks = stacks("monitor", &["red", "nir", "scl"]);
    let update = ["monitor", "update", "state.tif", "--from", "2019-01-01"];
    for output in [&["-o", "state.tif", "--overwrite"][..], &["-o", "b.tif", "--alerts", "state.tif", "--overwrite"]] {
        let (code, said) = folder.bad(&[&update, output].concat(), &stacks);
        assert!(code == 2 && said.contains("never changed"), "{said}");
    }
    let (code, said) = folder.bad(&[&update[..], &["-o", "b.tif", "--co", "SCALE=0.1"]].concat(), &stacks);
    assert!(code == 2 && said.contains("SCALE"), "{said}");
    let told = folder.good(&[&update[..], &["-o", "b.tif", "--alerts", "a.tif", "--explain"]].concat());
    assert!(told.contains("12 x 10 pixels"), "{told}");
    assert!(!folder.path("b.tif").exists() && !folder.path("a.tif").exists());
    assert!(std::fs::read(folder.path("state.tif")).unwrap() == before);
    let red = stacks[0].trim_start_matches("red=");
    let (code, said) = folder.bad(&["monitor", "update", red, "-o", "b.tif"], &stacks);
    assert!(code == 3 && said.contains("regrow monitor fit"), "{said}");
}

#[test]
fn formula_and_constants_travel_with_the_state() {
    let formulas: [&[&str]; 2] = [
        &["--index", "SAVI", "--const", "L=0.25", "--scale", "0.0001"],
        &["--expr", "own=(nir-red)/(nir+red+0.1*red)", "--scale", "0.0001"],
    ];
    for formula in formulas {
        let folder = Folder::new();
        folder.fitted("state.tif", formula);
        let later = ["--from", "2019-01-01", "--scale", "0.0001"];
        folder.good(&[&["monitor", "update", "state.tif", "-o", "next.tif", "--alerts", "a.tif"][..], &later].concat());
        folder.good(&[&WHOLE[..], &START, formula, &["-o", "whole.tif"]].concat());
        let (whole, alerts) = (folder.read("whole.tif"), folder.read("a.tif"));
        assert!(same(&whole["break_decimal_year"], &alerts["alert_decimal_year"]));
        assert!(same(&whole["confidence"], &alerts["confidence"]));
    }
}
