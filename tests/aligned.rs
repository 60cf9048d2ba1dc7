//! Scenes on other grids: `--align` resamples on the fly, after masks, and says so; without it nothing is resampled.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regrow::grid::Grid;
use regrow::io::open_raster;
use regrow::raster::{Raw, Samples};

fn fixture(name: &str) -> String {
    format!("{}/fixtures/oracles/warp/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_regrow")).current_dir(folder).args(words).output().unwrap()
}

fn done(folder: &Path, words: &[&str]) -> String {
    let out = run(folder, words);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{words:?}: {said}");
    said
}

fn pixels(path: PathBuf, band: usize) -> (Vec<f64>, Grid) {
    let source = open_raster(&path).unwrap();
    let mut raw = [Raw::default()];
    source.open().unwrap().read(&[band], source.grid().window(), &mut raw).unwrap();
    let Samples::F32(v) = &raw[0].samples else { panic!("{} is not float32", path.display()) };
    let nodata = source.bands()[band].nodata;
    let value = |x: f32| if nodata == Some(f64::from(x)) { f64::NAN } else { f64::from(x) };
    (v.iter().map(|x| value(*x)).collect(), source.grid().clone())
}

#[test]
fn a_scene_is_put_on_the_grid_of_a_raster() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (nir, scl) = (format!("nir={}", fixture("nir_32634.tif")), format!("scl={}", fixture("scl_32634.tif")));
    let target = fixture("nir_32634_to_3035_10_bilinear.tif");
    let index = ["index", "--expr", "N", &nir, &scl, "--align", &target, "--resampling", "bilinear"];
    let said = done(at, &[&index[..], &["--mask", "none", "-o", "all.tif"]].concat());
    assert!(said.contains("resampled from EPSG:32634 at 10 to EPSG:3035 at 10 by bilinear"), "{said}");
    let (made, grid) = pixels(at.join("all.tif"), 0);
    let (expected, wanted) = pixels(target.clone().into(), 0);
    assert_eq!(grid, wanted);
    let off = |made: &[f64]| {
        let both = made.iter().zip(&expected).filter(|(a, b)| a.is_finite() && b.is_finite());
        both.clone().map(|(a, b)| (a - b * 1e-4).abs()).fold(0.0, f64::max)
    };
    assert!(off(&made) < 2e-5, "{}", off(&made));

    // Clouds are taken out before pixels are mixed: what is left of a pixel beside one differs from gdalwarp's mixture.
    done(at, &[&index[..], &["--mask", "cloud", "--mask-buffer", "0", "-o", "clear.tif"]].concat());
    let (clear, _) = pixels(at.join("clear.tif"), 0);
    let valid = |v: &[f64]| v.iter().filter(|x| x.is_finite()).count();
    assert!(valid(&clear) < valid(&made) * 9 / 10 && valid(&clear) > valid(&made) / 2, "{}", valid(&clear));
    let moved = clear.iter().zip(&made).filter(|(a, b)| a.is_finite() && (*a - *b).abs() > 0.01).count();
    assert!(moved > 20, "{moved}");
}

#[test]
fn zones_meet_on_the_first_grid_or_on_a_declared_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (a, b) = ("scene_20200101.tif", "scene_20200613.tif");
    // The same pixels in two zones: the second is the first, seen from the next zone by nearest.
    done(at, &["align", &fixture("nir_32634.tif"), "--to", "EPSG:32634:10", "-o", a, "-q"]);
    done(at, &["align", a, "--to", "EPSG:32635:10", "--resampling", "cubic", "-o", b, "-q"]);
    let composite = ["composite", a, b, "--method", "mean", "-o"];
    let refused = run(at, &[&composite[..], &["no.tif"]].concat());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3));
    assert!(said.contains("--align first") && said.contains("regrow align scene_2020"), "{said}");
    assert!(!at.join("no.tif").exists());

    let said = done(at, &[&composite[..], &["first.tif", "--align", "first", "--resampling", "cubic"]].concat());
    assert!(
        said.contains("scene_20200613.tif: resampled from EPSG:32635 at 10 to EPSG:32634 at 10 by cubic"),
        "{said}"
    );
    let (mean, grid) = pixels(at.join("first.tif"), 0);
    let (own, first) = pixels(at.join(a), 0);
    assert_eq!(grid, first);
    // There and back by cubic convolution: smoother, but nowhere shifted.
    let off: Vec<f64> = mean.iter().zip(&own).filter(|(m, _)| m.is_finite()).map(|(m, o)| m - o).collect();
    let spread = (off.iter().map(|d| d * d).sum::<f64>() / off.len() as f64).sqrt();
    assert!(off.len() == own.len() && spread < 0.02, "{spread} of {}", off.len());

    // On one declared, snapped grid, in strips and in one go.
    let declared = [&composite[..], &["third.tif", "--align", "EPSG:3035:20", "--reproducible", "-q"]].concat();
    done(at, &declared);
    let (_, grid) = pixels(at.join("third.tif"), 0);
    assert!(grid.crs().unwrap().epsg == Some(3035) && grid.bounds().unwrap().iter().all(|v| v % 20.0 == 0.0));
    let once = std::fs::read(at.join("third.tif")).unwrap();
    done(at, &[&declared[..], &["--overwrite", "--threads", "1", "--memory", "40MiB"]].concat());
    assert!(once == std::fs::read(at.join("third.tif")).unwrap());
}

#[test]
fn two_dates_of_two_zones_are_compared_on_the_grid_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(at, &["align", &fixture("nir_32634.tif"), "--to", "EPSG:32634:10", "-o", "a_20200101.tif", "-q"]);
    done(
        at,
        &["align", "a_20200101.tif", "--to", "EPSG:32635:10", "--resampling", "cubic", "-o", "b_20210101.tif", "-q"],
    );
    let change = ["change", "a_20200101.tif", "b_20210101.tif", "--expr", "value", "-o", "d.tif"];
    assert_eq!(run(at, &change).status.code(), Some(3));
    done(at, &[&change[..], &["--align", "first", "--resampling", "cubic"]].concat());
    let (d, grid) = pixels(at.join("d.tif"), 0);
    assert_eq!(&grid, open_raster(&at.join("a_20200101.tif")).unwrap().grid());
    let valid: Vec<f64> = d.into_iter().filter(|v| v.is_finite()).collect();
    let mean = valid.iter().sum::<f64>() / valid.len() as f64;
    assert!(valid.len() > 3400 && mean.abs() < 1e-3, "{mean} of {}", valid.len());
}
