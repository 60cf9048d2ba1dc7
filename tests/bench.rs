//! `regrow bench` as a user meets it: what it prints, what it leaves behind, what it refuses.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary with its temporary files in `folder`.
fn bench(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
    command.arg("bench").args(arguments).env("TMPDIR", folder).stdin(Stdio::null());
    command
}

fn left_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_task_is_measured_and_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--size", "64", "--runs", "1", "--threads", "2", "--json", "--quiet"];
    let done = bench(folder.path(), &arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&report["size_px"], &report["threads"], &report["runs"]), (&64.into(), &2.into(), &1.into()));
    let tasks = report["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|t| t["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["copy", "floor", "ndvi", "ten-indices", "fused", "bare", "zonal", "kriging"]);
    let positive = |task: &Value, field: &str| {
        let value = task[field].as_f64();
        assert!(value.is_some_and(|v| v > 0.0 && v.is_finite()), "{}: {field} is {value:?}", task["task"]);
    };
    for task in tasks {
        ["wall_s", "cpu_s", "pixels_per_s", "gb_per_s"].iter().for_each(|f| positive(task, f));
        let name = task["task"].as_str().unwrap();
        if name != "kriging" {
            ["floor_wall_s", "floor_cpu_s", "wall_to_floor", "cpu_to_floor"].iter().for_each(|f| positive(task, f));
        }
        if name != "copy" {
            positive(task, "speed_up");
        }
        if !["copy", "floor"].contains(&name) {
            assert!(task["command"].as_str().unwrap().starts_with("regrow "), "{name}");
            // A program of this size needs more than a megabyte; less would be a wrong unit.
            assert!(task["peak_rss_bytes"].as_u64().unwrap() > 1 << 20, "{name}");
        }
    }
}

#[test]
fn explain_names_each_command_once_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let done = bench(folder.path(), &["--explain", "--json", "--codec", "none,zstd,none"]).output().unwrap();
    let plan: Value = serde_json::from_slice(&done.stdout).unwrap();
    let tasks = plan["tasks"].as_array().unwrap();
    let none = tasks.iter().filter(|t| t["task"] == "ndvi" && t["codec"] == "none").count();
    assert_eq!((tasks.len(), none), (16, 1));
    assert!(left_in(folder.path()).is_empty());
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (["--size", "0"], "--size"),
        (["--size", "big"], "--size"),
        (["--runs", "0"], "--runs"),
        (["--codec", "jpeg"], "zstd"),
        (["--co", "LEVEL=3"], "--codec"),
    ] {
        let done = bench(folder.path(), &arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{said}");
    }
    assert!(left_in(folder.path()).is_empty());
}

#[test]
fn a_failure_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let done = bench(folder.path(), &["--size", "128", "--memory", "1MiB"]).output().unwrap();
    assert_eq!(done.status.code(), Some(4), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(left_in(folder.path()).is_empty());
}

#[test]
fn a_signal_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = ["--size", "64", "--runs", "99", "--quiet"];
    let mut child = bench(folder.path(), &quiet).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let from = Instant::now();
    // A task runs once its folder is there.
    let started = || {
        let inside = std::fs::read_dir(folder.path()).unwrap().flatten().next();
        inside.is_some_and(|d| d.path().join("work").exists())
    };
    while !started() && from.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(left_in(folder.path()), Vec::<String>::new());
}
