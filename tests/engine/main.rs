//! The engine against brute force, under every number of threads and memory ceiling.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

mod determinism;
mod failures;
mod inputs;

use std::sync::Arc;

use regrow::engine::Channel;
use regrow::grid::{Affine, Grid};
use regrow::io::memory::MemorySource;
use regrow::raster::{Band, Dtype, Source};

const GIB: u64 = 1 << 30;

fn grid(cols: usize, rows: usize) -> Grid {
    Grid::new(cols, rows, Affine::north_up(500_000.0, 7_000_000.0, 10.0, 10.0), None)
}

/// A cheap reproducible stream of numbers.
fn noise(seed: u64, i: usize) -> u64 {
    let mut z = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn pixels(seed: u64, n: usize) -> Vec<u16> {
    (0..n).map(|i| if noise(seed, i).is_multiple_of(17) { 0 } else { (noise(seed, i) % 10_000) as u16 }).collect()
}

fn source(name: &str, grid: &Grid, seed: u64) -> Arc<dyn Source> {
    let n = grid.cols * grid.rows;
    let s = MemorySource::new(name, grid.clone());
    let s = s.band(Band::new(Dtype::U16), pixels(seed, n), None).unwrap();
    Arc::new(s.band(Band::new(Dtype::U16), pixels(seed + 1, n), None).unwrap())
}

fn channel(name: &str, source: &Arc<dyn Source>, band: usize) -> Channel {
    Channel {
        name: name.into(),
        source: Arc::clone(source),
        band,
        scale: 1e-4,
        offset: 0.0,
        nodata: Some(0.0),
        valid: None,
        masks: Vec::new(),
    }
}
