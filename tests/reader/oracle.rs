//! The crate `tiff` as an independent reader of chunky files.

use std::fs::File;
use std::path::{Path, PathBuf};

use regrow::io::open_raster;
use regrow::raster::Raw;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::values;

fn theirs(path: &Path) -> Option<Vec<f64>> {
    let mut decoder = Decoder::new(File::open(path).ok()?).ok()?.with_limits(Limits::default());
    // The crate hands out packed bits as bytes.
    if !matches!(decoder.colortype().ok()?.bit_depth(), 8 | 16 | 32 | 64) {
        return None;
    }
    Some(match decoder.read_image().ok()? {
        DecodingResult::U8(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::I8(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::U16(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::I16(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::U32(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::I32(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::U64(v) => v.into_iter().map(|x| x as f64).collect(),
        DecodingResult::I64(v) => v.into_iter().map(|x| x as f64).collect(),
        DecodingResult::F32(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::F64(v) => v,
        DecodingResult::F16(v) => v.into_iter().map(f64::from).collect(),
    })
}

fn ours(path: &Path) -> Option<Vec<f64>> {
    let source = open_raster(path).ok()?;
    let kept = |key: &str, value: &str| source.storage().iter().any(|(k, v)| k == key && v.starts_with(value));
    // `tiff` returns only the first plane of planar files, and JPEG decoders round differently.
    if kept("interleave", "band") || kept("compression", "JPEG") {
        return None;
    }
    let bands: Vec<usize> = (0..source.bands().len()).collect();
    let mut out = vec![Raw::default(); bands.len()];
    source.open().ok()?.read(&bands, source.grid().window(), &mut out).ok()?;
    let planes: Vec<Vec<f64>> = out.iter().map(|r| values(&r.samples)).collect();
    Some((0..source.grid().window().cells()).flat_map(|i| planes.iter().map(move |p| p[i])).collect())
}

/// How many files both read alike, and which differ.
fn compare(files: &[PathBuf]) -> (usize, Vec<String>) {
    let (mut same, mut differ) = (0, Vec::new());
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // It inverts white-is-zero, does not read absent tiles, and drops extra samples (GDAL gives them, as we do).
        let skip = ["miniswhite", "sparse", "extra_bits"];
        if skip.iter().any(|s| name.contains(s)) {
            continue;
        }
        if let (Some(a), Some(b)) = (ours(path), theirs(path)) {
            let equal = a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()));
            if equal { same += 1 } else { differ.push(name) }
        }
    }
    (same, differ)
}

fn tiffs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_tiff = |p: &PathBuf| p.extension().is_some_and(|e| e == "tif" || e == "tiff");
    entries.filter_map(|e| e.ok().map(|e| e.path())).filter(is_tiff).collect()
}

#[test]
fn fixtures_equal_the_tiff_crate() {
    let (same, differ) = compare(&tiffs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rasters")));
    assert!(differ.is_empty(), "{differ:?}");
    assert!(same >= 12, "{same}");
}

#[test]
fn shared_corpus_equals_the_tiff_crate() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tiff_corpus");
    if !corpus.is_dir() {
        return;
    }
    let files: Vec<PathBuf> =
        ["formats", "formats/seq", "formats/bigtiff", "depth"].iter().flat_map(|f| tiffs(&corpus.join(f))).collect();
    let (same, differ) = compare(&files);
    assert!(differ.is_empty(), "{differ:?}");
    assert!(same >= 50, "{same}");
}
