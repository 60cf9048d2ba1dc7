//! Co-registration as users meet it: known shifts of real images found again, files moved without touching a pixel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tiff::decoder::Decoder;
use tiff::encoder::{TiffEncoder, colortype::Gray16};
use tiff::tags::Tag;

const PIXEL: f64 = 10.0;
/// Shift of the moved fixtures: what takes it out again is minus this.
const ROWS: f64 = 3.37;
const COLS: f64 = -1.82;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coregister").join(name).display().to_string()
}

/// Exit code, stdout and stderr.
fn regrow(arguments: &[&str]) -> (i32, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_regrow")).arg("coregister").args(arguments).output().unwrap();
    let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
    (run.status.code().unwrap(), text(run.stdout), text(run.stderr))
}

fn measured(arguments: &[&str]) -> Value {
    let (code, out, err) = regrow(&[arguments, &["--json", "--quiet"]].concat());
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// Columns and rows to apply.
fn shift(report: &Value) -> (f64, f64) {
    (report["shift_px"]["cols"].as_f64().unwrap(), report["shift_px"]["rows"].as_f64().unwrap())
}

fn near(found: (f64, f64), wanted: (f64, f64), within: f64) {
    let off = (found.0 - wanted.0).abs().max((found.1 - wanted.1).abs());
    assert!(off <= within, "found {found:?}, wanted {wanted:?}");
}

/// Reproducible texture of 16 bits.
fn texture(seed: u64, col: u64, row: u64) -> u16 {
    let mut z = (row << 32 | col).wrapping_add(seed << 60).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    1 + ((z ^ z >> 31) % 10_000) as u16
}

/// A raster of `size` (columns, rows) in EPSG:`crs` with its corner `origin` pixels right and down of (300000, 5000000).
fn write(path: &Path, size: (u32, u32), origin: (f64, f64), pixel: f64, crs: u16, value: impl Fn(u64, u64) -> u16) {
    let mut encoder = TiffEncoder::new(File::create(path).unwrap()).unwrap();
    let mut image = encoder.new_image::<Gray16>(size.0, size.1).unwrap();
    let tags = image.encoder();
    let corner = [0.0, 0.0, 0.0, 300_000.0 + origin.0 * pixel, 5_000_000.0 - origin.1 * pixel, 0.0];
    tags.write_tag(Tag::Unknown(33_550), &[pixel, pixel, 0.0][..]).unwrap();
    tags.write_tag(Tag::Unknown(33_922), &corner[..]).unwrap();
    tags.write_tag(Tag::Unknown(34_735), &[1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, crs][..]).unwrap();
    let pixels: Vec<u16> = (0..u64::from(size.1))
        .flat_map(|r| (0..u64::from(size.0)).map(move |c| (c, r)))
        .map(|(c, r)| value(c, r))
        .collect();
    image.write_data(&pixels).unwrap();
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn name(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
    fn names(&self) -> Vec<String> {
        let mut all: Vec<String> =
            std::fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }
}

#[test]
fn known_shift_of_a_real_image_is_found_within_a_twentieth_of_a_pixel() {
    for correlation in ["phase", "plain"] {
        let r = measured(&[&fixture("first.tif"), &fixture("first_moved.tif"), "--correlation", correlation]);
        near(shift(&r), (-COLS, -ROWS), 0.05);
        assert_eq!((r["verdict"].as_str().unwrap(), r["role"].as_str().unwrap()), ("ok", "nir"));
        let east = r["shift_m"]["east"].as_f64().unwrap();
        let north = r["shift_m"]["north"].as_f64().unwrap();
        near((east, north), (-COLS * PIXEL, ROWS * PIXEL), 0.5);
        assert_eq!(r["windows"].as_array().unwrap().len(), 9);
    }
}

#[test]
fn known_shift_between_two_dates_is_found_within_a_twentieth_of_a_pixel() {
    // Two acquisitions have a shift of their own; the known one comes on top of it.
    let own = shift(&measured(&[&fixture("first.tif"), &fixture("later.tif")]));
    let both = shift(&measured(&[&fixture("first.tif"), &fixture("later_moved.tif")]));
    near((both.0 - own.0, both.1 - own.1), (-COLS, -ROWS), 0.05);
    let back = shift(&measured(&[&fixture("later_moved.tif"), &fixture("first.tif")]));
    near(back, (-both.0, -both.1), 0.05);
}

#[test]
fn output_is_the_same_file_at_another_place() {
    let folder = Folder::new();
    let (out, report) = (folder.name("out.tif"), folder.name("report.json"));
    let (first, moved) = (fixture("first.tif"), fixture("first_moved.tif"));
    let (code, text, err) = regrow(&[&first, &moved, "-o", &out, "--report", &report]);
    assert_eq!(code, 0, "{err}");
    assert!(text.contains("verdict  ok") && text.contains("9 of 9 accepted"), "{text}");
    assert_eq!(folder.names(), ["out.tif", "out.tif.json", "report.json"]);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let found = shift(&report);

    let tie = |path: &str| {
        let mut tiff = Decoder::new(File::open(path).unwrap()).unwrap();
        tiff.get_tag_f64_vec(Tag::Unknown(33_922)).unwrap()
    };
    let (before, after) = (tie(&moved), tie(&out));
    near((after[3] - before[3], before[4] - after[4]), (found.0 * PIXEL, found.1 * PIXEL), 1e-6);
    let (before, after) = (std::fs::read(&moved).unwrap(), std::fs::read(&out).unwrap());
    assert_eq!(before.len(), after.len());
    let changed: Vec<usize> = (0..before.len()).filter(|i| before[*i] != after[*i]).collect();
    assert!(changed.last().unwrap() - changed[0] < 16, "{changed:?}");

    // What was moved needs no move any more.
    near(shift(&measured(&[&first, &out])), (0.0, 0.0), 0.01);
    // Nothing is replaced unasked.
    assert_eq!(regrow(&[&first, &moved, "-o", &out]).0, 2);
}

#[test]
fn whole_shifts_and_origins_that_differ_by_parts_of_a_pixel_add_up() {
    let folder = Folder::new();
    let (reference, moving) = (folder.file("reference.tif"), folder.file("moving.tif"));
    write(&reference, (190, 140), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c, r));
    // Its pixel (0, 0) shows what the reference has at (7, 4), and its coordinates say (5.25, 6.5): 1.75 right, 2.5 up.
    write(&moving, (180, 130), (5.25, 6.5), PIXEL, 32_634, |c, r| texture(1, c + 7, r + 4));
    let report = measured(&[&folder.name("reference.tif"), &folder.name("moving.tif")]);
    near(shift(&report), (1.75, -2.5), 0.01);
    assert_eq!(report["windows_accepted"].as_u64().unwrap(), report["windows"].as_array().unwrap().len() as u64);
}

#[test]
fn unrelated_images_are_refused_and_nothing_is_written() {
    let folder = Folder::new();
    let (one, other) = (folder.name("one.tif"), folder.name("other.tif"));
    write(Path::new(&one), (190, 140), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c, r));
    write(Path::new(&other), (190, 140), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(2, c, r));
    let out = folder.name("out.tif");
    let (code, _, err) = regrow(&[&one, &other, "-o", &out]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("no shift of") || err.contains("is refused"), "{err}");
    assert_eq!(folder.names(), ["one.tif", "other.tif"]);
}

#[test]
fn images_torn_in_two_are_refused_unless_forced() {
    let folder = Folder::new();
    let (one, torn) = (folder.name("one.tif"), folder.name("torn.tif"));
    write(Path::new(&one), (220, 220), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c + 9, r));
    // The left part is 1 pixel off, the right one 3.
    write(Path::new(&torn), (220, 220), (0.0, 0.0), PIXEL, 32_634, |c, r| {
        texture(1, c + 9 + if c < 130 { 1 } else { 3 }, r)
    });
    let out = folder.name("out.tif");
    let (code, _, err) = regrow(&[&one, &torn, "-o", &out]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("is refused") && err.contains("--force"), "{err}");
    let (code, _, err) = regrow(&[&one, &torn, "-o", &out, "--force"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning") && err.contains("refused") && Path::new(&out).exists(), "{err}");
}

#[test]
fn threads_and_memory_change_nothing() {
    let report = |more: &[&str]| measured(&[&[&*fixture("first.tif"), &fixture("later_moved.tif")], more].concat());
    let one = report(&["--threads", "1"]);
    assert_eq!(one, report(&["--threads", "2"]));
    assert_eq!(one, report(&["--threads", "2", "--memory", "32MiB"]));
}

#[test]
fn other_grids_and_options_without_effect_are_refused_with_the_remedy() {
    let folder = Folder::new();
    let [utm, coarse, lonely, small] = ["utm.tif", "coarse.tif", "lonely.tif", "small.tif"].map(|n| folder.name(n));
    write(Path::new(&utm), (120, 120), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c, r));
    write(Path::new(&coarse), (120, 120), (0.0, 0.0), 20.0, 32_634, |c, r| texture(1, c, r));
    write(Path::new(&lonely), (120, 120), (5000.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c, r));
    write(Path::new(&small), (70, 70), (0.0, 0.0), PIXEL, 32_634, |c, r| texture(1, c, r));
    let first = fixture("first.tif");
    let cases: [(&[&str], i32, &str); 6] = [
        (&[&first, &utm, "--json"], 3, "coordinate reference systems differ"),
        (&[&utm, &coarse, "--json"], 3, "regrow align"),
        (&[&utm, &lonely, "--json"], 3, "do not overlap"),
        (&[&utm, &small, "--json"], 3, "too few"),
        (&[&first, &first, "--json", "--co", "COMPRESS=ZSTD"], 2, "--co"),
        (&[&first, &first], 2, "--output"),
    ];
    for (arguments, code, part) in cases {
        let (found, _, err) = regrow(arguments);
        assert!(found == code && err.contains(part), "{arguments:?}: {found} {err}");
    }
}
