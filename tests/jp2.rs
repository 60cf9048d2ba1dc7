//! JPEG 2000: every sample as GDAL and OpenJPEG decode it, also in windows across tiles; place; damage; the whole program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test stops here")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use regrow::grid::Window;
use regrow::io::open_raster;
use regrow::raster::{Dtype, Raw, Source};

/// Images and what other programs decode them to (`fixtures/jp2/make.py`).
const IMAGES: &[&str] =
    &["u16_reversible", "u16_lossy_gml", "u12_layers", "i16_lossy", "rgba_lossy", "one_tile", "offset", "palette"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jp2").join(name)
}

fn open(name: &str) -> Arc<dyn Source> {
    open_raster(&fixture(name)).unwrap()
}

fn read(source: &dyn Source, bands: &[usize], window: Window) -> Vec<Raw> {
    let mut out = vec![Raw::default(); bands.len()];
    source.open().unwrap().read(bands, window, &mut out).unwrap();
    out
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn every_sample_is_the_one_other_programs_decode() {
    let mut dice = Dice(1);
    for name in IMAGES {
        let (ours, theirs) = (open(&format!("{name}.jp2")), open(&format!("{name}.tif")));
        let grid = ours.grid();
        assert_eq!((grid.cols, grid.rows), (theirs.grid().cols, theirs.grid().rows), "{name}");
        let types = |s: &dyn Source| s.bands().iter().map(|b| b.dtype).collect::<Vec<_>>();
        assert_eq!(types(ours.as_ref()), types(theirs.as_ref()), "{name}");
        let bands: Vec<usize> = (0..ours.bands().len()).collect();
        let mut windows = vec![grid.window()];
        for _ in 0..20 {
            let (col, row) = (dice.below(grid.cols), dice.below(grid.rows));
            let (cols, rows) = (1 + dice.below(grid.cols - col), 1 + dice.below(grid.rows - row));
            windows.push(Window::new(col as i64, row as i64, cols, rows));
        }
        for keep in [0, ours.kept_bytes(bands.len(), grid.rows)] {
            ours.keep_blocks(keep);
            for window in &windows {
                let (a, b) = (read(ours.as_ref(), &bands, *window), read(theirs.as_ref(), &bands, *window));
                for ((a, b), band) in a.iter().zip(&b).zip(&bands) {
                    assert!(a.samples == b.samples, "{name} band {band} {window} keeping {keep}");
                    assert_eq!(a.mask, b.mask, "{name} band {band} {window}");
                }
            }
        }
    }
}

#[test]
fn bands_are_read_in_any_order() {
    let source = open("rgba_lossy.jp2");
    let window = source.grid().window();
    let all = read(source.as_ref(), &[0, 1, 2, 3], window);
    let some = read(source.as_ref(), &[2, 0], window);
    assert!(some[0].samples == all[2].samples && some[1].samples == all[0].samples);
    // Both kinds of pixels are there, so that the alpha band masks something and not everything.
    let mask = some[0].mask.as_ref().unwrap();
    assert!(mask.contains(&0) && mask.contains(&1));
    assert_eq!(all[3].mask, None);
}

#[test]
fn place_and_storage_are_told() {
    for name in ["u16_reversible", "u16_lossy_gml", "gml_lonlat", "gml_northing", "gml_rotated"] {
        let (ours, theirs) = (open(&format!("{name}.jp2")), open(&format!("{name}.tif")));
        assert_eq!(ours.grid(), theirs.grid(), "{name}");
        assert!(ours.warnings().is_empty(), "{name}: {:?}", ours.warnings());
    }
    let source = open("u12_layers.jp2");
    assert_eq!((source.layout().cols, source.layout().rows, source.bands()[0].dtype), (96, 48, Dtype::U16));
    let storage = source.storage();
    let told = |key: &str| storage.iter().find(|(k, _)| k == key).unwrap().1.clone();
    assert_eq!((told("bits"), told("layers"), told("resolutions")), ("12".into(), "3".into(), "4".into()));
    assert_eq!((told("compression"), told("georeference")), ("irreversible wavelet".into(), "GeoJP2".into()));
    assert_eq!(open("u16_reversible.jp2").storage()[2].1, "reversible wavelet");
    assert_eq!(open("offset.jp2").grid().unplaced_reason(), Some("the file holds no georeference"));
    assert_eq!(open("palette.jp2").bands()[0].classes[1].rgb, [200, 100, 50]);
}

#[test]
fn a_member_of_an_archive_reads_as_alone() {
    let bytes = std::fs::read(fixture("u16_lossy_gml.jp2")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scene.zip");
    std::fs::write(&path, [&[1; 77][..], &bytes, &[2; 9]].concat()).unwrap();
    let part = regrow::io::open_part("scene.zip/B08.jp2", &path, 77, bytes.len() as u64).unwrap();
    let alone = open("u16_lossy_gml.jp2");
    assert_eq!((part.name(), part.grid()), ("scene.zip/B08.jp2", alone.grid()));
    let window = part.grid().window();
    assert!(read(part.as_ref(), &[0], window)[0].samples == read(alone.as_ref(), &[0], window)[0].samples);
}

/// Opens and reads a file that may be damaged; tells the error.
fn outcome(path: &Path) -> Result<(), String> {
    let text = |e: regrow::Error| {
        assert!(matches!(e.kind().exit_code(), 3 | 4), "{e}");
        e.to_string()
    };
    let source = open_raster(path).map_err(text)?;
    let mut out = vec![Raw::default(); source.bands().len()];
    let bands: Vec<usize> = (0..out.len()).collect();
    source.open().map_err(text)?.read(&bands, source.grid().window(), &mut out).map_err(text)
}

#[test]
fn cut_files_name_file_and_tile() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.jp2");
    let bytes = std::fs::read(fixture("u16_reversible.jp2")).unwrap();
    for len in (0..bytes.len()).step_by(997).chain(bytes.len() - 40..bytes.len() - 2) {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let e = outcome(&path).unwrap_err();
        assert!(e.contains("cut.jp2") && !e.contains('\n'), "{len}: {e}");
    }
    // Inside the last tile.
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let e = outcome(&path).unwrap_err();
    assert!(e.contains("jp2c") || e.contains("tile (3, 2)"), "{e}");
}

/// Replaces the bytes that follow the first `marker` by `with`, `skip` bytes later.
fn patched(bytes: &[u8], marker: &[u8], skip: usize, with: &[u8]) -> Vec<u8> {
    let at = bytes.windows(marker.len()).position(|w| w == marker).unwrap() + marker.len() + skip;
    let mut out = bytes.to_vec();
    out[at..at + with.len()].copy_from_slice(with);
    out
}

#[test]
fn headers_that_lie_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lie.jp2");
    let bytes = std::fs::read(fixture("u16_reversible.jp2")).unwrap();
    let (siz, sot) = (&[0xff, 0x51][..], &[0xff, 0x90][..]);
    for (what, skip, marker, with, expected) in [
        ("width of 2^31 - 1", 4, siz, &[0x7f, 0xff, 0xff, 0xff][..], "the file header says 200 x 150"),
        ("width of 2^32 - 1", 4, siz, &[0xff; 4], "the image reaches"),
        ("another image size", 4, siz, &[0, 0, 0, 201], "the codestream 201 x 150"),
        ("no tile width", 20, siz, &[0; 4], "tiles of 0 x 64"),
        ("tiles of one pixel", 20, siz, &[0, 0, 0, 1], "tile"),
        ("no components", 36, siz, &[0, 0], "0 components"),
        ("17 bits", 38, siz, &[16], "not supported: samples of 17 bits"),
        ("tile-part past the end", 4, sot, &[0x7f, 0xff, 0xff, 0xff], "tile (0, 0): its part at byte"),
        ("tile-part of no bytes", 4, sot, &[0, 0, 0, 1], "says 1 bytes"),
        ("tile that is not there", 2, sot, &[0, 99], "a part of tile 99"),
        ("the same tile twice", 2, sot, &[0, 1], "tile (0, 0) is missing"),
        ("34 resolutions", 7, &[0xff, 0x52][..], &[33], "codestream: marker COD is wrong"),
    ] {
        std::fs::write(&path, patched(&bytes, marker, skip, with)).unwrap();
        let e = outcome(&path).expect_err(what);
        assert!(e.contains("lie.jp2") && e.contains(expected) && !e.contains('\n'), "{what}: {e}");
    }
    // A tile-part whose body is another tile's size: the decoder or the index says so, and names the tile.
    let body = patched(&bytes, &[0xff, 0x93], 0, &[0xff; 64]);
    std::fs::write(&path, body).unwrap();
    if let Err(e) = outcome(&path) {
        assert!(e.contains("tile (0, 0)"), "{e}");
    }
}

#[test]
fn flipped_bytes_neither_panic_nor_print() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flipped.jp2");
    let mut dice = Dice(20_260_101);
    let (mut refused, mut read) = (0, 0);
    for name in ["u12_layers", "rgba_lossy", "gml_lonlat", "offset", "palette"] {
        let bytes = std::fs::read(fixture(name).with_extension("jp2")).unwrap();
        for round in 0..80 {
            let mut mutant = bytes.clone();
            // Headers lie in the first bytes; every second mutant is damaged anywhere.
            let reach = if round % 2 == 0 { 600.min(bytes.len()) } else { bytes.len() };
            for _ in 0..1 + dice.below(4) {
                mutant[dice.below(reach)] = dice.below(256) as u8;
            }
            std::fs::write(&path, &mutant).unwrap();
            match outcome(&path) {
                Ok(()) => read += 1,
                Err(e) => {
                    assert!(!e.contains('\n') && !e.contains("panic"), "{e}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 50 && read > 50, "{refused} refused, {read} read: the mutants test one side only");
}

fn regrow(arguments: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_regrow")).args(arguments).output().unwrap();
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn the_program_describes_and_computes() {
    let path = fixture("u16_lossy_gml.jp2");
    let (code, out, err) = regrow(&["info", "--stats", path.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    for expected in ["200 x 150", "EPSG:32634", "JPEG 2000", "600000 5000000"] {
        assert!(out.contains(expected), "{expected} is not in {out}");
    }
    // The index of two images equals that of the pixels other programs decode, to the byte.
    let dir = tempfile::tempdir().unwrap();
    let made = |extension: &str, threads: &str| {
        let file = dir.path().join(format!("{extension}{threads}.tif"));
        let input = |role: &str, name: &str| format!("{role}={}", fixture(name).with_extension(extension).display());
        let (red, nir) = (input("red", "u16_reversible"), input("nir", "u16_lossy_gml"));
        let arguments =
            ["index", "NDVI", &red, &nir, "-o", file.to_str().unwrap(), "--threads", threads, "--reproducible"];
        let (code, _, err) = regrow(&arguments);
        assert_eq!(code, 0, "{err}");
        std::fs::read(file).unwrap()
    };
    let one = made("jp2", "1");
    assert!(one == made("tif", "2"));
    assert!(one == made("jp2", "2"));
}
