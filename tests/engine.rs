//! The engine against brute force, under every number of threads and memory ceiling.

use std::sync::Arc;

use regrow::engine::{
    Analysis, Cancel, Channel, Limits, OutBand, Output, Partial, Pass, Silent, Spec, TileIn, TileOut,
};
use regrow::error::Result;
use regrow::grid::{Affine, Grid};
use regrow::io::memory::{CollectSink, MemorySource};
use regrow::raster::{Band, Dtype, OutPlane, Source};

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

/// Sum, and count of cells, in tile order.
#[derive(Default, Debug, PartialEq, Clone)]
struct Sum {
    total: f64,
    cells: u64,
}

impl Partial for Sum {
    fn merge(&mut self, next: Self) {
        self.total += next.total;
        self.cells += next.cells;
    }
}

/// Normalised difference of two channels, and its sum.
struct Difference;

impl Analysis for Difference {
    type Partial = Sum;
    fn spec(&self) -> Spec {
        Spec {
            name: "difference".into(),
            reads: vec!["nir".into(), "red".into()],
            writes: vec![OutBand::quantity("nd", "").within(-1.0..=1.0)],
            ..Spec::default()
        }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut Sum) -> Result<()> {
        let (mut a, mut b) = (vec![0.0; input.cols()], vec![0.0; input.cols()]);
        for row in 0..input.rows() {
            input.load(0, row, &mut a);
            input.load(1, row, &mut b);
            for (d, (x, y)) in out.f32_row(0, row).iter_mut().zip(a.iter().zip(&b)) {
                let v = (x - y) / (x + y);
                *d = v as f32;
                if v.is_finite() {
                    sum.total += v;
                    sum.cells += 1;
                }
            }
        }
        Ok(())
    }
}

fn run(g: &Grid, s: &Arc<dyn Source>, limits: Limits) -> (Vec<f32>, Sum, u64) {
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", s, 0)).unwrap();
    pass.channel(channel("red", s, 1)).unwrap();
    let (sink, planes) = CollectSink::new(g);
    let handle = pass.add(Difference, vec![Output { sink, planes: vec![0] }]).unwrap();
    let mut outcome = pass.run(&limits, &Silent, &Cancel::default()).unwrap();
    let sum = outcome.take(&handle).unwrap();
    let Some([OutPlane::F32(v)]) = planes.planes().map(|p| <[OutPlane; 1]>::try_from(p).unwrap()) else { panic!() };
    (v, sum, outcome.peak_bytes)
}

#[test]
fn pixels_equal_brute_force() {
    let g = grid(1031, 700);
    let s = source("a", &g, 7);
    let (v, sum, _) = run(&g, &s, Limits { threads: 3, memory: GIB });
    let (nir, red) = (pixels(7, 1031 * 700), pixels(8, 1031 * 700));
    let mut cells = 0;
    for i in 0..v.len() {
        if nir[i] == 0 || red[i] == 0 {
            assert!(v[i].is_nan());
        } else {
            let (x, y) = (f64::from(nir[i]) * 1e-4, f64::from(red[i]) * 1e-4);
            assert_eq!(v[i], ((x - y) / (x + y)) as f32);
            cells += 1;
        }
    }
    assert_eq!(sum.cells, cells);
}

#[test]
fn bits_do_not_depend_on_threads_or_memory() {
    let g = grid(1600, 1100);
    let s = source("a", &g, 3);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", &s, 0)).unwrap();
    pass.channel(channel("red", &s, 1)).unwrap();
    pass.add(Difference, vec![Output { sink: CollectSink::new(&g).0, planes: vec![0] }]).unwrap();
    let least = pass.plan(&Limits { threads: 1, memory: 4 * GIB }).unwrap().least_bytes;
    let (reference, sum, _) = run(&g, &s, Limits { threads: 1, memory: 4 * GIB });
    let bits: Vec<u32> = reference.iter().map(|v| v.to_bits()).collect();
    for threads in [1, 2, 3, 8] {
        for memory in [least, 2 * least, 4 * GIB] {
            let (v, other, peak) = run(&g, &s, Limits { threads, memory });
            assert!(v.iter().map(|v| v.to_bits()).eq(bits.iter().copied()), "{threads} threads, {memory} bytes");
            assert_eq!(sum.total.to_bits(), other.total.to_bits());
            assert!(peak <= memory, "peak {peak} above {memory}");
        }
    }
}
