//! What the engine costs besides arithmetic: a source and a sink in memory, a kernel of one operation a cell.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use regrow::engine::{
    Analysis, Cancel, Channel, Limits, MaskRule, MaskSource, OutBand, Output, Pass, Silent, Spec, TileIn, TileOut,
};
use regrow::error::Result;
use regrow::grid::{Affine, Grid, Window};
use regrow::io::memory::MemorySource;
use regrow::raster::{Band, BlockLayout, Dtype, Encoded, Finished, Sink, Source};

const EDGE: usize = 4096;
const CELLS: usize = EDGE * EDGE;

/// Takes planes and forgets them.
struct Drain;

impl Sink for Drain {
    fn encode(&self, _window: Window, planes: &[Finished<'_>]) -> Result<Encoded> {
        black_box(planes);
        Ok(Encoded { bytes: 0, data: Box::new(()) })
    }
    fn commit(&self, _window: Window, _encoded: Encoded) -> Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
    fn scratch_bytes(&self, _cells: usize) -> u64 {
        0
    }
}

/// Normalised difference, the cheapest kernel in use.
struct Difference {
    halo: usize,
}

impl Analysis for Difference {
    type Partial = ();
    fn spec(&self) -> Spec {
        let (reads, writes) = (vec!["a".into(), "b".into()], vec![OutBand::quantity("nd", "").within(-1.0..=1.0)]);
        Spec { name: "nd".into(), reads, writes, halo: self.halo, ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (mut a, mut b) = (vec![0.0; input.cols()], vec![0.0; input.cols()]);
        for row in 0..input.rows() {
            input.load(0, row, &mut a);
            input.load(1, row, &mut b);
            for (d, (x, y)) in out.f32_row(0, row).iter_mut().zip(a.iter().zip(&b)) {
                *d = ((x - y) / (x + y)) as f32;
            }
        }
        Ok(())
    }
}

fn source() -> Arc<dyn Source> {
    let grid = Grid::new(EDGE, EDGE, Affine::north_up(0.0, 0.0, 10.0, 10.0), None);
    let pixels = |k: usize| (0..CELLS).map(|i| (i * k % 9973) as u16).collect::<Vec<_>>();
    let classes: Vec<u8> = (0..CELLS).map(|i| if i / 900 % 37 == 0 { 9 } else { 4 }).collect();
    let s = MemorySource::new("memory", grid).with_layout(BlockLayout { cols: 512, rows: 512, interleaved: false });
    let s = s.band(Band::new(Dtype::U16), pixels(31), None).unwrap();
    let s = s.band(Band::new(Dtype::U16), pixels(57), None).unwrap();
    Arc::new(s.band(Band::new(Dtype::U8), classes, None).unwrap())
}

fn pass(source: &Arc<dyn Source>, halo: usize, cloud_buffer: Option<usize>) -> Pass {
    let mut pass = Pass::new("bench", source.grid().clone());
    let mask = cloud_buffer.map(|buffer_px| MaskSource {
        name: "scl".into(),
        source: Arc::clone(source),
        band: 2,
        rule: MaskRule::Values(vec![0, 1, 3, 8, 9, 10]),
        buffered: MaskRule::Values(vec![8, 9]),
        buffer_px,
        speckle: MaskRule::Values(Vec::new()),
    });
    let masks: Vec<usize> = mask.into_iter().map(|m| pass.mask(m).unwrap()).collect();
    for (band, name) in ["a", "b"].into_iter().enumerate() {
        pass.channel(Channel {
            name: name.into(),
            source: Arc::clone(source),
            band,
            scale: 1e-4,
            offset: 0.0,
            nodata: Some(0.0),
            valid: Some(-0.2..=1.6),
            masks: masks.clone(),
        })
        .unwrap();
    }
    pass.add(Difference { halo }, vec![Output { sink: Box::new(Drain), planes: vec![0] }]).unwrap();
    pass
}

fn run(pass: Pass, threads: usize, memory: u64) {
    pass.run(&Limits { threads, memory }, &Silent, &Cancel::default()).unwrap();
}

fn engine(c: &mut Criterion) {
    const GIB: u64 = 1 << 30;
    let source = source();
    let least = pass(&source, 0, None).plan(&Limits { threads: 1, memory: GIB }).unwrap().least_bytes;
    let mut g = c.benchmark_group("engine");
    g.throughput(Throughput::Elements(CELLS as u64)).sample_size(10);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, 2, 4, 8, 16].into_iter().filter(|t| *t <= cores) {
        g.bench_function(BenchmarkId::new("threads", threads), |b| {
            b.iter(|| run(pass(&source, 0, None), threads, GIB));
        });
    }
    for times in [1, 4, 16] {
        g.bench_function(BenchmarkId::new("memory_least_times", times), |b| {
            b.iter(|| run(pass(&source, 0, None), cores, least * times));
        });
    }
    g.bench_function("halo_8", |b| b.iter(|| run(pass(&source, 8, None), 1, GIB)));
    for radius in [0, 6] {
        g.bench_function(BenchmarkId::new("cloud_mask_buffer_px", radius), |b| {
            b.iter(|| run(pass(&source, 0, Some(radius)), 1, GIB));
        });
    }
    g.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
