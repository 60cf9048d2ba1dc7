//! `regrow ingest`: the same samples and descriptions in a COG.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test stops here")]

use std::path::{Path, PathBuf};
use std::process::Command;

use regrow::io::open_raster;
use regrow::raster::{Raw, Source};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn ingest(arguments: &[&str]) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_regrow")).arg("ingest").args(arguments).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
}

fn all(source: &dyn Source) -> Vec<Raw> {
    let bands: Vec<usize> = (0..source.bands().len()).collect();
    let mut out = vec![Raw::default(); bands.len()];
    source.open().unwrap().read(&bands, source.grid().window(), &mut out).unwrap();
    out
}

/// Ingests a fixture and compares what the new file says and holds with what the other file `like` does.
fn same(name: &str, like: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let (code, err) = ingest(&[fixture(name).to_str().unwrap(), "-o", folder, "--reproducible", "--threads", "2"]);
    assert_eq!(code, 0, "{name}: {err}");
    let path = dir.path().join(Path::new(name).file_name().unwrap()).with_extension("tif");
    let (made, like) = (open_raster(&path).unwrap(), open_raster(&fixture(like)).unwrap());
    assert_eq!(made.grid(), like.grid(), "{name}");
    for (a, b) in made.bands().iter().zip(like.bands()) {
        assert_eq!(a, b, "{name}");
    }
    assert_eq!(made.bands().len(), like.bands().len(), "{name}");
    assert_eq!(made.metadata(), like.metadata(), "{name}");
    for (a, b) in all(made.as_ref()).iter().zip(all(like.as_ref())) {
        assert!(a.samples == b.samples && a.mask == b.mask, "{name}");
    }
    let storage = |key: &str| made.storage().iter().find(|(k, _)| k == key).unwrap().1.clone();
    assert_eq!((storage("cog"), storage("compression")), ("yes".into(), "ZSTD, predictor 2".into()), "{name}");
}

#[test]
fn images_keep_every_sample() {
    same("jp2/u16_reversible.jp2", "jp2/u16_reversible.tif");
    same("jp2/u16_lossy_gml.jp2", "jp2/u16_lossy_gml.tif");
    same("jp2/i16_lossy.jp2", "jp2/i16_lossy.tif");
    same("jp2/gml_rotated.jp2", "jp2/gml_rotated.tif");
}

#[test]
fn names_scales_dates_nodata_and_metadata_are_kept() {
    same("rasters/i16_described.tif", "rasters/i16_described.tif");
    same("demo/scl.tif", "demo/scl.tif");
    same("rasters/u16_sparse_zeros.tif", "rasters/u16_sparse_zeros.tif");
}

#[test]
fn what_cannot_be_kept_is_refused_before_or_without_an_output() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let refused = |name: &str, more: &[&str], code: i32, expected: &str| {
        let path = fixture(name);
        let (found, err) = ingest(&[&[path.to_str().unwrap(), "-o", folder], more].concat());
        assert_eq!(found, code, "{name}: {err}");
        assert!(err.contains(expected), "{name}: {err}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{name} left something");
    };
    refused("jp2/rgba_lossy.jp2", &[], 3, "no nodata value to write them as");
    refused("rasters/u32_packbits_strips.tif", &[], 3, "uint32 is not written");
    refused("jp2/u16_reversible.jp2", &["--co", "SCALE=0.0001"], 2, "SCALE");
    refused("jp2/u16_reversible.jp2", &["--bbox", "0,0,1,1"], 2, "--bbox");
    refused("jp2/u16_reversible.jp2", &["--nodata", "70000"], 2, "70000");
    refused("jp2/u16_reversible.jp2", &["--explain"], 0, "");
    let (code, err) = ingest(&[fixture("jp2/u16_reversible.jp2").to_str().unwrap(), "-o", "no/such/folder"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn outputs_are_not_replaced_unasked_and_do_not_depend_on_threads() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let input = fixture("jp2/one_tile.jp2");
    let run = |more: &[&str]| ingest(&[&[input.to_str().unwrap(), "-o", folder, "--reproducible"], more].concat());
    assert_eq!(run(&["--threads", "1"]).0, 0);
    let first = std::fs::read(dir.path().join("one_tile.tif")).unwrap();
    let (code, err) = run(&[]);
    assert!(code == 2 && err.contains("--overwrite"), "{err}");
    assert_eq!(run(&["--threads", "3", "--overwrite"]).0, 0);
    assert!(std::fs::read(dir.path().join("one_tile.tif")).unwrap() == first);
    // Masked pixels take the nodata that was stated.
    let rgba = fixture("jp2/rgba_lossy.jp2");
    let (code, err) = ingest(&[rgba.to_str().unwrap(), "-o", folder, "--nodata", "255"]);
    assert_eq!(code, 0, "{err}");
    let made = open_raster(&dir.path().join("rgba_lossy.tif")).unwrap();
    assert!(made.bands().iter().all(|b| b.nodata == Some(255.0)));
}
