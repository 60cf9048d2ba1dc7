//! Command lines that must be refused: exit code, one short message that says what is allowed, no output, inputs untouched.

use crate::fixture::Folder;
use crate::{Run, regrow_in};

/// Arguments (`@` stands for a plain good `index` command line), allowed exit codes, and words the message must hold.
type Row = (&'static [&'static str], &'static [i32], &'static [&'static str]);

const GOOD: [&str; 5] = ["index", "NDVI", "scene.tif", "-o", "out.tif"];

const INDEX: &[Row] = &[
    (&["idnex", "NDVI", "scene.tif", "-o", "out.tif"], &[2], &["index"]),
    (&["@", "--thread", "2"], &[2], &["--threads"]),
    (&["index", "NDVI", "scene.tif"], &[2], &["--output"]),
    (&["index", "NVDI", "scene.tif", "-o", "out.tif"], &[2], &["NDVI"]),
    (&["index", "NDVI", "nope.tif", "-o", "out.tif"], &[3], &["nope.tif"]),
    (&["index", "NDVI", "", "-o", "out.tif"], &[2, 3], &["empty"]),
    (&["index", "NDVI", ".", "-o", "out.tif"], &[3], &["folder"]),
    (&["index", "NDVI", "-", "-o", "out.tif"], &[2, 3], &["standard input"]),
    (&["index", "NDVI", "s3://bucket/x.tif", "-o", "out.tif"], &[3], &["remote"]),
    (&["index", "NDVI", "/dev/zero", "-o", "out.tif"], &[3], &["regular file"]),
    (&["@", "--memory", "0"], &[2], &["--memory", "64MiB"]),
    (&["@", "--memory", "-1GB"], &[2], &["--memory", "-1GB", "64MiB"]),
    (&["@", "--memory", "1e99GB"], &[2], &["--memory", "64MiB"]),
    (&["@", "--memory", "5 bananas"], &[2], &["--memory", "bananas"]),
    (&["@", "--memory", "nan"], &[2], &["--memory", "nan"]),
    (&["@", "--memory", ""], &[2], &["--memory"]),
    (&["@", "--memory", "1KB"], &[2, 4], &["use --memory"]),
    (&["@", "--threads", "-1"], &[2], &["--threads", "-1"]),
    (&["@", "--threads", "four"], &[2], &["--threads", "four"]),
    (&["@", "--threads", "18446744073709551616"], &[2], &["--threads"]),
    (&["@", "--co", "BLOCKSIZE=0"], &[2], &["BLOCKSIZE"]),
    (&["@", "--co", "BLOCKSIZE=4294967296"], &[2], &["BLOCKSIZE"]),
    (&["@", "--co", "COMPRESS=NOPE"], &[2], &["ZSTD", "DEFLATE"]),
    (&["@", "--co", "COMPRESS"], &[2], &["KEY=VALUE"]),
    (&["@", "--co", "BLOKSIZE=512"], &[2], &["BLOCKSIZE"]),
    (&["@", "--nodata", "abc"], &[2], &["--nodata", "abc"]),
    (&["@", "--bbox", "1,2,3"], &[2], &["xmin,ymin,xmax,ymax"]),
    (&["@", "--bbox", "500300,7499900,500100,7499700"], &[2], &["xmin"]),
    (&["@", "--bbox", "nan,7499700,500300,7499900"], &[2], &["--bbox"]),
    (&["@", "--bbox", "1,1,2,2"], &[3], &["1 1 2 2", "500000 7499520 500640 7500000"]),
    (&["@", "--aoi", "nope.geojson"], &[3], &["nope.geojson"]),
    (&["@", "--scale", "0"], &[2], &["--scale"]),
    (&["@", "--scale", "nan"], &[2], &["--scale"]),
    (&["@", "--bands", "red=9,nir=4"], &[2, 3], &["4 bands"]),
    (&["@", "--bands", "red=0,nir=4"], &[2], &["bands count from 1"]),
    (&["@", "--bands", "red=1,red=2"], &[2], &["twice"]),
    (&["@", "--bands", "rde=3,nir=4"], &[2], &["did you mean red?"]),
    (&["@", "--mask", "cloud"], &[2], &["scl=FILE"]),
    (&["@", "--mask-buffer", "-3m"], &[2], &["60m"]),
    (&["@", "--assume-crs", "UTM"], &[2], &["EPSG:n"]),
    (&["@", "--align", "sideways"], &[2], &["intersection"]),
    (&["@", "--log-format", "xml"], &[2], &["json"]),
    (&["index", "NDVI", "scene.tif", "-o", "scene.tif", "--overwrite"], &[2, 3], &["input"]),
    (&["index", "NDVI", "scene.tif", "-o", "./scene.tif", "--overwrite"], &[2, 3], &["input"]),
    (&["index", "NDVI", "scene.tif", "-o", "."], &[2], &["does not name a file"]),
    (&["index", "NDVI", "scene.tif", "-o", "/dev/full"], &[2, 3, 5], &["regular file"]),
    (&["index", "NDVI", "water.tif", "-o", "out.tif"], &[3], &["--bands ROLE=N", "1 unnamed uint16"]),
    (&["index", "EVI", "water.tif", "--bands", "red=1,nir=1,blue=1", "-o", "out.tif"], &[3], &["--scale"]),
    (&["index", "--expr", "__import__('os').system('id')", "scene.tif", "-o", "out.tif"], &[2], &["column"]),
    (&["index", "--expr", "$(id)", "scene.tif", "-o", "out.tif"], &[2], &["column"]),
    (&["index", "--expr", "N - B99", "scene.tif", "-o", "out.tif"], &[2, 3], &["B99"]),
    (&["index", "--expr", "", "scene.tif", "-o", "out.tif"], &[2], &[]),
    (&["index", "--expr", "N = 3", "scene.tif", "-o", "out.tif"], &[2], &[]),
    (&["index", "--expr", "N + \"x\"", "scene.tif", "-o", "out.tif"], &[2], &["column"]),
    (&["index", "--expr", "(N-R)/(", "scene.tif", "-o", "out.tif"], &[2], &["column"]),
    (&["index", "--expr", "0,5*N", "scene.tif", "-o", "out.tif"], &[2], &["column"]),
];

const OTHERS: &[Row] = &[
    (&["info", "/dev/zero"], &[3], &["regular file"]),
    (&["info", "https://AKIAEXAMPLE:topsecret@127.0.0.1:9/x.tif"], &[3], &["remote", "***"]),
    (&["info", "nope.tif"], &[3], &["nope.tif"]),
    (
        &["interpolate", "soil.csv", "--value", "cu", "--crs", "EPSG:32755", "--res", "0", "-o", "out.tif"],
        &[2],
        &["--res"],
    ),
    (
        &["interpolate", "soil.csv", "--value", "cu", "--crs", "EPSG:32755", "--res", "1e-6", "-o", "out.tif"],
        &[2, 4],
        &["--res 0.000001", "cells"],
    ),
    (
        &["interpolate", "soil.csv", "--value", "zn", "--crs", "EPSG:32755", "--res", "10", "-o", "out.tif"],
        &[2, 3],
        &["zn", "cu"],
    ),
    (&["interpolate", "soil.csv", "--value", "cu", "--res", "10", "-o", "out.tif"], &[2, 3], &["--crs"]),
    (
        &[
            "interpolate",
            "soil.csv",
            "--value",
            "cu",
            "--crs",
            "EPSG:32755",
            "--res",
            "10",
            "--method",
            "krigging",
            "-o",
            "out.tif",
        ],
        &[2],
        &["idw", "ok"],
    ),
    (
        &[
            "interpolate",
            "soil.csv",
            "--value",
            "cu",
            "--crs",
            "EPSG:32755",
            "--res",
            "10",
            "--nmax",
            "0",
            "-o",
            "out.tif",
        ],
        &[2],
        &["nmax"],
    ),
];

/// Runs a row in a fresh folder and says what is wrong with it.
fn judge(row: &Row) -> Result<(), String> {
    let folder = Folder::new();
    let before = std::fs::read(folder.path("scene.tif")).unwrap();
    let arguments: Vec<&str> = row.0.iter().flat_map(|a| if *a == "@" { GOOD.to_vec() } else { vec![*a] }).collect();
    let Run { code, err, .. } = regrow_in(&folder.path(""), &arguments);
    let told = format!("{arguments:?}: exit {code}, {err}");
    if !row.1.contains(&code) {
        return Err(format!("exit code, allowed {:?}: {told}", row.1));
    }
    let lines = err.lines().count();
    if lines == 0 || lines > 3 || !err.contains("regrow: error: ") || err.contains("panicked") {
        return Err(format!("form of the message: {told}"));
    }
    if let Some(missing) = row.2.iter().find(|w| !err.contains(**w)) {
        return Err(format!("the message does not say {missing:?}: {told}"));
    }
    if err.contains("topsecret") {
        return Err(format!("a secret: {told}"));
    }
    if !folder.made().is_empty() {
        return Err(format!("left behind {:?}: {told}", folder.made()));
    }
    if std::fs::read(folder.path("scene.tif")).unwrap() != before {
        return Err(format!("the input changed: {told}"));
    }
    Ok(())
}

fn all(rows: &[Row]) {
    let wrong: Vec<_> = rows.iter().filter_map(|r| judge(r).err()).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn scenes_and_options() {
    all(INDEX);
}

#[test]
fn other_verbs() {
    all(OTHERS);
}

#[test]
fn expressions_of_any_size_end_in_time() {
    let deep = format!("{}N{}", "(".repeat(20_000), ")".repeat(20_000));
    let folder = Folder::new();
    let run = regrow_in(&folder.path(""), &["index", "--expr", &deep, "scene.tif", "-o", "out.tif"]);
    assert_eq!(run.code, 2, "{:.300}", run.err);
    assert!(run.err.len() < 1000, "a message of {} bytes", run.err.len());
    let long = vec!["N"; 5_000].join("+");
    let run = regrow_in(&folder.path(""), &["index", "--expr", &long, "scene.tif", "-o", "out.tif"]);
    assert!([0, 2].contains(&run.code), "{:.300}", run.err);
    assert!(run.err.len() < 1000, "a message of {} bytes", run.err.len());
}
