//! Resampling onto other grids: places and values against gdalwarp, rules of nodata, and bytes that depend on nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]
#![allow(clippy::unnecessary_cast, reason = "samples of every type are widened by one line")]

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use regrow::engine::warp::{Encoded, Resampling, Wanted, Warper};
use regrow::engine::{MaskRule, MaskSource};
use regrow::grid::{Affine, Crs, Grid, Window};
use regrow::io::memory::MemorySource;
use regrow::io::open_raster;
use regrow::raster::{Band, Dtype, Raw, Samples, Source};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracles/warp").join(name)
}

/// All pixels of a band as the file has them, NaN where nodata.
fn pixels(source: &Arc<dyn Source>, band: usize) -> Vec<f64> {
    read(source, band, source.grid().window())
}

fn read(source: &Arc<dyn Source>, band: usize, window: Window) -> Vec<f64> {
    let mut raw = [Raw::default()];
    source.open().unwrap().read(&[band], window, &mut raw).unwrap();
    let nodata = source.bands()[band].nodata;
    let wide: Vec<f64> = regrow::with_samples!(&raw[0].samples, v => v.iter().map(|x| *x as f64).collect());
    let masked = |i: usize| raw[0].mask.as_ref().is_some_and(|m| m[i] == 0);
    wide.iter().enumerate().map(|(i, v)| if Some(*v) == nodata || masked(i) { f64::NAN } else { *v }).collect()
}

fn quantity(band: usize, resampling: Resampling, nodata: Option<f64>) -> Wanted {
    Wanted { band, resampling, nodata, quantity: Some(Encoded { scale: 1.0, offset: 0.0, valid: None }) }
}

fn classes(resampling: Resampling, nodata: Option<f64>) -> Wanted {
    Wanted { band: 0, resampling, nodata, quantity: None }
}

#[test]
fn places_are_those_of_gdalwarp() {
    for (source, target) in [
        ("32634_600000_5000000_90", "32634_to_3035"),
        ("32634_600000_5000000_90", "32634_to_32635"),
        ("32632_440000_5250000_90", "32632_to_2056"),
        ("32632_440000_5250000_90", "32632_to_3857"),
        ("32631_595000_5640000_90", "32631_to_31370"),
        ("32631_630000_5780000_90", "32631_to_28992"),
        ("32630_620000_5700000_90", "32630_to_27700"),
        ("4326_21_45_0.0009", "4326_to_32634"),
        ("32634_600000_5000000_90", "32634_to_4326"),
    ] {
        let source = open_raster(&fixture(&format!("places_{source}.tif"))).unwrap();
        let expected = open_raster(&fixture(&format!("places_{target}.tif"))).unwrap();
        let wanted = (0..2).map(|b| quantity(b, Resampling::Bilinear, Some(-9999.0))).collect();
        let warped = Warper::new(expected.grid().clone()).show(source, wanted, Vec::new()).unwrap();
        for band in 0..2 {
            let pairs: Vec<(f64, f64)> = pixels(&warped, band).into_iter().zip(pixels(&expected, band)).collect();
            let both = pairs.iter().filter(|(a, b)| a.is_finite() && b.is_finite());
            let worst = both.clone().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 0.001, "{target}: {worst} px");
            let alone = pairs.iter().filter(|(a, b)| a.is_finite() != b.is_finite()).count();
            // Corners of the source, where less than half of the kernel is there.
            assert!(both.count() > 900 && alone <= 4, "{target}: {alone} pixels have a place in one of both only");
        }
    }
}

/// Differences where both have a value, and cells where only we or only gdalwarp have one. `rim`: cells within two source
/// pixels of the source's edge, where gdalwarp turns from cubic to bilinear and weighs boxes in another way, are left out.
fn compare(source: &str, target: &str, resampling: Resampling, rim: bool) -> (Vec<f64>, usize, usize) {
    let source = open_raster(&fixture(source)).unwrap();
    let expected = open_raster(&fixture(target)).unwrap();
    let nodata = source.bands()[0].nodata;
    let warper = Warper::new(expected.grid().clone());
    let wanted = if resampling.keeps_values() { classes(resampling, nodata) } else { quantity(0, resampling, nodata) };
    let warped = warper.show(Arc::clone(&source), vec![wanted], Vec::new()).unwrap();
    // Which cells lie well inside: the mean of a raster of ones whose rim is nodata.
    let (cols, rows) = (source.grid().cols, source.grid().rows);
    let inner = |i: usize| (2..cols - 2).contains(&(i % cols)) && (2..rows - 2).contains(&(i / cols));
    let ones: Vec<f32> = (0..cols * rows).map(|i| if rim && !inner(i) { f32::NAN } else { 1.0 }).collect();
    let ones = MemorySource::new("ones", source.grid().clone()).band(Band::new(Dtype::F32), ones, None).unwrap();
    let inside = warper.show(Arc::new(ones), vec![quantity(0, Resampling::Nearest, None)], Vec::new()).unwrap();
    let (a, b, c) = (pixels(&warped, 0), pixels(&expected, 0), pixels(&inside, 0));
    let (mut off, mut ours, mut theirs) = (Vec::new(), 0, 0);
    for ((a, b), c) in a.iter().zip(&b).zip(&c) {
        match (a.is_finite(), b.is_finite()) {
            (true, true) if c.is_finite() => off.push((a - b).abs()),
            (true, false) => ours += 1,
            (false, true) => theirs += 1,
            _ => {}
        }
    }
    (off, ours, theirs)
}

#[test]
fn values_are_those_of_gdalwarp() {
    for case in ["32634_to_3035_10", "32634_to_3035_30", "32632_to_2056_10", "3035_to_3035_7", "3035_to_3035_25"] {
        let source = case.split('_').next().unwrap();
        for (resampling, name) in
            [(Resampling::Bilinear, "bilinear"), (Resampling::Cubic, "cubic"), (Resampling::Average, "average")]
        {
            let rim = resampling != Resampling::Bilinear;
            let (off, ours, _) =
                compare(&format!("nir_{source}.tif"), &format!("nir_{case}_{name}.tif"), resampling, rim);
            let worst = off.iter().copied().fold(0.0, f64::max);
            // Reflectance times 10000, up to 5000 from pixel to pixel; places differ by 2e-5 pixels, and gdalwarp rounds to f32.
            assert!(off.len() > 200 && worst < 0.2, "{case} {name}: {worst} of {} cells", off.len());
            assert!(ours == 0, "{case} {name}: {ours} cells have a value here only");
        }
    }
}

#[test]
fn classes_are_those_of_gdalwarp() {
    for case in ["32634_to_3035_10", "32634_to_3035_30", "32632_to_2056_10", "3035_to_3035_7", "3035_to_3035_25"] {
        let source = case.split('_').next().unwrap();
        for (resampling, name) in [(Resampling::Nearest, "near"), (Resampling::Mode, "mode")] {
            let (off, ours, _) =
                compare(&format!("scl_{source}.tif"), &format!("scl_{case}_{name}.tif"), resampling, false);
            let differ = off.iter().filter(|d| **d > 0.0).count();
            // A place on a pixel edge may fall on either side of it.
            assert!(off.len() > 250 && differ * 1000 <= off.len() * 2, "{case} {name}: {differ} of {}", off.len());
            assert!(ours == 0, "{case} {name}: {ours} cells have a value here only");
        }
    }
}

fn grid(epsg: u16, x: f64, y: f64, size: f64, cols: usize, rows: usize) -> Grid {
    Grid::new(cols, rows, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(epsg).unwrap()))
}

/// A source with structure in every pixel and some nodata.
fn speckled(grid: Grid) -> Arc<dyn Source> {
    let cells = grid.cols * grid.rows;
    let value = |i: usize| if i % 17 == 3 || i % 23 == 1 { 0 } else { (i * 7919 % 5003) as u16 + 1 };
    let band = Band { nodata: Some(0.0), ..Band::new(Dtype::U16) };
    let source = MemorySource::new("speckled", grid).band(band, (0..cells).map(value).collect::<Vec<u16>>(), None);
    Arc::new(source.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What a pixel becomes does not depend on the window it is read in.
    #[test]
    fn windows_change_no_value(col in 0i64..200, row in 0i64..200, cols in 1usize..90, rows in 1usize..90, which in 0usize..5,
                               size in prop::sample::select(vec![7.0, 10.0, 24.0])) {
        let method = [Resampling::Nearest, Resampling::Bilinear, Resampling::Cubic, Resampling::Average, Resampling::Mode];
        let source = speckled(grid(32634, 600_000.0, 5_000_000.0, 10.0, 150, 140));
        let target = grid(3035, 5_282_400.0, 2_527_900.0, size, 300, 300);
        let warper = Warper::new(target.clone());
        let warped = warper.show(source, vec![quantity(0, method[which], Some(0.0))], Vec::new()).unwrap();
        let whole = pixels(&warped, 0);
        let window = Window::new(col, row, cols, rows).intersect(&target.window()).unwrap();
        let part = read(&warped, 0, window);
        for r in 0..window.rows {
            let at = (window.row as usize + r) * target.cols + window.col as usize;
            let (a, b) = (&part[r * window.cols..][..window.cols], &whole[at..at + window.cols]);
            prop_assert!(a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()), "row {r} of {window}");
        }
    }
}

#[test]
fn masks_and_ranges_apply_before_pixels_are_mixed() {
    // Two columns of 0.1, two of 0.5 that a mask of 20 m pixels calls cloud, one of 9 that is no reflectance.
    let place = grid(32634, 0.0, 100.0, 10.0, 5, 4);
    let stored: Vec<u16> = (0..20).map(|i| [1000, 1000, 5000, 5000, 60_000][i % 5]).collect();
    let band: Arc<dyn Source> =
        Arc::new(MemorySource::new("b", place).band(Band::new(Dtype::U16), stored, None).unwrap());
    let scl = MemorySource::new("scl", grid(32634, 0.0, 100.0, 20.0, 3, 2));
    let scl: Arc<dyn Source> = Arc::new(scl.band(Band::new(Dtype::U8), vec![4u8, 9, 4, 4, 9, 4], None).unwrap());
    let rule = MaskRule::Values(vec![9]);
    let mask = MaskSource {
        name: "scl".into(),
        source: scl,
        band: 0,
        rule: rule.clone(),
        buffered: rule,
        buffer_px: 0,
        speckle: MaskRule::Values(Vec::new()),
    };
    let encoded = Encoded { scale: 1e-4, offset: 0.0, valid: Some(-0.2..=1.6) };
    let wanted = Wanted { band: 0, resampling: Resampling::Bilinear, nodata: Some(0.0), quantity: Some(encoded) };
    let target = grid(32634, 2.5, 97.5, 10.0, 5, 3);
    let warped = Warper::new(target).show(Arc::clone(&band), vec![wanted.clone()], vec![mask.clone()]).unwrap();
    assert_eq!((warped.bands()[0].dtype, warped.bands()[0].nodata), (Dtype::F32, None));
    let row = &pixels(&warped, 0)[..5];
    // A quarter of the second lies on cloud and is left out; the others have too little that is valid.
    assert_eq!(row[..2], [f64::from(0.1f32); 2]);
    assert!(row[2..].iter().all(|v| v.is_nan()), "{row:?}");

    // A mask finer than the band: one invalid pixel is enough.
    let fine = MemorySource::new("fine", grid(32634, 0.0, 100.0, 5.0, 10, 8));
    let flags: Vec<u8> = (0..80).map(|i| if i == 0 { 9 } else { 4 }).collect();
    let fine: Arc<dyn Source> = Arc::new(fine.band(Band::new(Dtype::U8), flags, None).unwrap());
    let own = grid(32634, 0.0, 100.0, 10.0, 5, 4);
    let mask = MaskSource { source: fine, ..mask };
    let nearest = Wanted { resampling: Resampling::Nearest, ..wanted };
    let warped = Warper::new(own).show(band, vec![nearest], vec![mask]).unwrap();
    let made = pixels(&warped, 0);
    assert!(made[0].is_nan() && made[1..4].iter().all(|v| v.is_finite()) && made[4].is_nan() && made[5].is_finite());
}

#[test]
fn classes_are_not_mixed() {
    let source = speckled(grid(32634, 0.0, 100.0, 10.0, 10, 10));
    let warper = Warper::new(source.grid().clone());
    let e = warper.show(source, vec![classes(Resampling::Cubic, None)], Vec::new()).err().unwrap();
    assert!(e.to_string().contains("use nearest or mode"), "{e}");
}

#[test]
fn what_lies_apart_is_nodata_and_known_to_be() {
    let source = speckled(grid(32634, 600_000.0, 5_000_000.0, 10.0, 50, 50));
    let warper = Warper::new(grid(3035, 4_000_000.0, 2_500_000.0, 10.0, 100, 100));
    let warped = warper.show(source, vec![quantity(0, Resampling::Cubic, Some(0.0))], Vec::new()).unwrap();
    assert!(warped.is_empty(warped.grid().window()) && warped.scratch_bytes(warped.grid().window()) == 0);
    assert!(pixels(&warped, 0).iter().all(|v| v.is_nan()));
}

#[test]
fn doubles_stay_doubles() {
    let place = grid(32634, 0.0, 100.0, 10.0, 10, 10);
    let values: Vec<f64> = (0..100).map(|i| 1e9 + f64::from(i % 10)).collect();
    let source: Arc<dyn Source> =
        Arc::new(MemorySource::new("d", place).band(Band::new(Dtype::F64), values, None).unwrap());
    let target = grid(32634, 5.0, 100.0, 10.0, 8, 10);
    let warped = Warper::new(target).show(source, vec![quantity(0, Resampling::Bilinear, None)], Vec::new()).unwrap();
    let mut raw = [Raw::default()];
    warped.open().unwrap().read(&[0], Window::new(0, 3, 2, 1), &mut raw).unwrap();
    assert_eq!(raw[0].samples, Samples::F64(vec![1e9 + 0.5, 1e9 + 1.5]));
}

fn regrow(words: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_regrow")).args(words).output().unwrap()
}

fn done(words: &[&str]) {
    let out = regrow(words);
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn bytes_do_not_depend_on_threads_or_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let scene = fixture("nir_32634.tif").display().to_string();
    for method in ["bilinear", "cubic"] {
        let made: Vec<Vec<u8>> = [("1", "64MiB"), ("2", "256MiB"), ("3", "1GiB")]
            .iter()
            .map(|(threads, memory)| {
                let out = path(&format!("{method}{threads}.tif"));
                done(&[
                    "align",
                    &scene,
                    "-o",
                    &out,
                    "--to",
                    "EPSG:3035:0.5",
                    "--resampling",
                    method,
                    "--threads",
                    threads,
                    "--memory",
                    memory,
                    "--reproducible",
                    "-q",
                ]);
                std::fs::read(out).unwrap()
            })
            .collect();
        assert!(made.iter().all(|m| *m == made[0]), "{method}");
    }
}

#[test]
fn a_mosaic_takes_the_first_with_a_value_and_files_keep_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (nir, scl) = (fixture("nir_3035.tif").display().to_string(), fixture("scl_3035.tif").display().to_string());
    // The same pixels on both sides of a cut, joined again.
    done(&["align", &scl, "-o", &path("left.tif"), "--to", &scl, "--bbox", "5272000,2532000,5272400,2533000", "-q"]);
    done(&["align", &scl, "-o", &path("right.tif"), "--to", &scl, "--bbox", "5272300,2532000,5273000,2533000", "-q"]);
    done(&[
        "align",
        &path("left.tif"),
        &path("right.tif"),
        "-o",
        &path("whole.tif"),
        "--mosaic",
        "--to",
        "union",
        "-q",
    ]);
    let open = |name: &str| open_raster(&PathBuf::from(path(name))).unwrap();
    let (left, whole) = (open("left.tif"), open("whole.tif"));
    assert_eq!((whole.bands()[0].dtype, whole.bands()[0].nodata), (Dtype::U8, Some(0.0)));
    assert!(whole.grid().cols > left.grid().cols && pixels(&whole, 0).iter().all(|v| v.is_finite()));
    let rows = |s: &Arc<dyn Source>| read(s, 0, Window::new(0, 0, left.grid().cols, left.grid().rows));
    assert_eq!(rows(&whole), rows(&left));
    // Several inputs go into a folder; the quantity becomes reflectance because its file states a scale.
    done(&["align", &nir, &scl, "-o", folder.path().to_str().unwrap(), "--to", "EPSG:32634:20", "-q"]);
    assert_eq!(open("nir_3035.tif").bands()[0].dtype, Dtype::F32);
    assert_eq!(open("scl_3035.tif").bands()[0].dtype, Dtype::U8);
    assert_eq!(open("scl_3035.tif").grid(), open("nir_3035.tif").grid());
    let refused = regrow(&["align", &nir, "-o", &path("x.tif"), "--to", "EPSG:32634"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("EPSG:32634:10"));
}
