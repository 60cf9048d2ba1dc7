//! The read side of rasters: one contract suite over every reader, exact pixels of every storage form, damage, oracles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test stops here")]

mod contract;
mod damage;
mod forms;
mod oracle;
mod place;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regrow::grid::Window;
use regrow::io::open_raster;
use regrow::raster::{Raw, Samples, Source};

/// Columns and rows of every fixture (`fixtures/rasters/make.py`).
const SIZE: (usize, usize) = (37, 29);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rasters").join(name).with_extension("tif")
}

fn open(name: &str) -> Arc<dyn Source> {
    open_raster(&fixture(name)).unwrap()
}

/// The sample the fixtures hold at (band, row, col), before the shift of signed types.
fn pattern(band: usize, row: usize, col: usize, most: usize) -> i64 {
    ((7 * row + 11 * col + 53 * band) % most) as i64
}

/// Samples as f64, which holds every fixture value exactly.
fn values(samples: &Samples) -> Vec<f64> {
    match samples {
        Samples::U8(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::I8(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::U16(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::I16(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::U32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::I32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::U64(v) => v.iter().map(|x| *x as f64).collect(),
        Samples::I64(v) => v.iter().map(|x| *x as f64).collect(),
        Samples::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Samples::F64(v) => v.clone(),
    }
}

fn read(source: &dyn Source, bands: &[usize], window: Window) -> Vec<Raw> {
    let mut out = vec![Raw::default(); bands.len()];
    source.open().unwrap().read(bands, window, &mut out).unwrap();
    out
}
