//! The same bits for any number of threads and any memory, halo across seams, and inputs read once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use regrow::engine::{Analysis, Cancel, Limits, OutBand, Output, Partial, Pass, Silent, Spec, TileIn, TileOut};
use regrow::error::{Kind, Result};
use regrow::grid::{Grid, Window};
use regrow::io::memory::{CollectSink, Collected};
use regrow::raster::{Band, BlockLayout, OutPlane, Raw, Reader, Source};

use super::{GIB, channel, grid, pixels, source};

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

fn f32s(planes: &Collected) -> Vec<f32> {
    let planes = planes.planes().expect("the pass finished");
    match planes.into_iter().next() {
        Some(OutPlane::F32(v)) => v,
        other => panic!("no f32 plane: {other:?}"),
    }
}

/// Mean of the valid cells of a (2r+1)² square: needs the halo at every seam.
struct Smooth(usize);

impl Analysis for Smooth {
    type Partial = ();
    fn spec(&self) -> Spec {
        Spec {
            name: "smooth".into(),
            reads: vec!["nir".into()],
            writes: vec![OutBand::quantity("mean", "")],
            halo: self.0,
            ..Spec::default()
        }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let r = self.0 as isize;
        for row in 0..input.rows() {
            for col in 0..input.cols() {
                let (mut sum, mut n) = (0.0, 0u32);
                for dr in -r..=r {
                    for dc in -r..=r {
                        let v = input.get(0, row as isize + dr, col as isize + dc);
                        if !v.is_nan() {
                            (sum, n) = (sum + v, n + 1);
                        }
                    }
                }
                if n > 0 {
                    out.f32_row(0, row)[col] = (sum / f64::from(n)) as f32;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn halo_has_no_seams() {
    let g = grid(1100, 530);
    let s = source("a", &g, 5);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", &s, 0)).unwrap();
    let (sink, planes) = CollectSink::new(&g);
    pass.add(Smooth(2), vec![Output { sink, planes: vec![0] }]).unwrap();
    assert_eq!(pass.plan(&Limits { threads: 2, memory: GIB }).unwrap().tiles, 6);
    pass.run(&Limits { threads: 2, memory: GIB }, &Silent, &Cancel::default()).unwrap();
    let (v, nir) = (f32s(&planes), pixels(5, 1100 * 530));
    for row in 0..530isize {
        for col in 0..1100isize {
            let (mut sum, mut n) = (0.0, 0u32);
            for r in (row - 2).max(0)..=(row + 2).min(529) {
                for c in (col - 2).max(0)..=(col + 2).min(1099) {
                    let x = nir[r as usize * 1100 + c as usize];
                    if x != 0 {
                        (sum, n) = (sum + f64::from(x) * 1e-4, n + 1);
                    }
                }
            }
            assert_eq!(v[row as usize * 1100 + col as usize], (sum / f64::from(n)) as f32, "row {row}, col {col}");
        }
    }
}

/// Counts what is read through it.
struct Counted {
    inner: Arc<dyn Source>,
    layout: BlockLayout,
    cells: Arc<AtomicU64>,
}

impl Source for Counted {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn grid(&self) -> &Grid {
        self.inner.grid()
    }
    fn bands(&self) -> &[Band] {
        self.inner.bands()
    }
    fn layout(&self) -> BlockLayout {
        self.layout
    }
    fn scratch_bytes(&self, _window: Window) -> u64 {
        1 << 20
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(CountedReader(self.inner.open()?, Arc::clone(&self.cells))))
    }
}

struct CountedReader(Box<dyn Reader>, Arc<AtomicU64>);

impl Reader for CountedReader {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        self.1.fetch_add((bands.len() * window.cells()) as u64, Ordering::Relaxed);
        self.0.read(bands, window, out)
    }
}

#[test]
fn several_analyses_read_each_pixel_once() {
    let g = grid(1300, 600);
    let cells = Arc::new(AtomicU64::new(0));
    let layout = BlockLayout { cols: 1300, rows: 1, interleaved: false };
    let s: Arc<dyn Source> = Arc::new(Counted { inner: source("a", &g, 1), layout, cells: Arc::clone(&cells) });
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", &s, 0)).unwrap();
    pass.channel(channel("red", &s, 1)).unwrap();
    // The same band under a second name is the same read.
    pass.channel(channel("again", &s, 1)).unwrap();
    let first = pass.add(Difference, Vec::new()).unwrap();
    let second = pass.add(Difference, Vec::new()).unwrap();
    let (sink, planes) = CollectSink::new(&g);
    pass.add(Smooth(0), vec![Output { sink, planes: vec![0] }]).unwrap();
    let limits = Limits { threads: 2, memory: GIB };
    let plan = pass.plan(&limits).unwrap();
    assert_eq!((plan.chunk, plan.bytes_read), (3, 1300 * 600 * 2 * 2));
    let mut outcome = pass.run(&limits, &Silent, &Cancel::default()).unwrap();
    assert_eq!(cells.load(Ordering::Relaxed), 1300 * 600 * 2);
    assert_eq!(outcome.reads, 2);
    assert_eq!(outcome.take(&first).unwrap(), outcome.take(&second).unwrap());
    assert!(outcome.take(&first).is_err(), "a result can be taken once");
    assert_eq!(f32s(&planes).len(), 1300 * 600);
}

#[test]
fn least_memory_is_the_least() {
    let g = grid(1300, 600);
    let s = source("a", &g, 1);
    let build = || {
        let mut pass = Pass::new("index", g.clone());
        pass.channel(channel("nir", &s, 0)).unwrap();
        pass.channel(channel("red", &s, 1)).unwrap();
        pass.add(Difference, vec![Output { sink: CollectSink::new(&g).0, planes: vec![0] }]).unwrap();
        pass
    };
    let least = build().plan(&Limits { threads: 4, memory: GIB }).unwrap().least_bytes;
    let plan = build().plan(&Limits { threads: 4, memory: least }).unwrap();
    assert_eq!((plan.workers, plan.in_flight, plan.peak_bytes), (1, 1, least));
    assert!(build().run(&Limits { threads: 4, memory: least }, &Silent, &Cancel::default()).is_ok());
    let e = build().run(&Limits { threads: 4, memory: least - 1 }, &Silent, &Cancel::default()).err().unwrap();
    assert_eq!(e.kind(), Kind::Limit);
    let mib = least.div_ceil(1 << 20);
    assert!(e.to_string().ends_with(&format!("use --memory {mib}MiB")), "{e}");
}

/// Sum of many channels, and of all cells; takes a tile a few rows at a time.
struct Total(usize);

impl Analysis for Total {
    type Partial = Sum;
    fn spec(&self) -> Spec {
        Spec {
            name: "total".into(),
            reads: (0..self.0).map(|i| i.to_string()).collect(),
            writes: vec![OutBand::quantity("sum", ""), OutBand::classes("row", Vec::new())],
            by_rows: true,
            ..Spec::default()
        }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut Sum) -> Result<()> {
        for row in 0..input.rows() {
            for col in 0..input.cols() {
                let v: f64 = (0..self.0).map(|k| input.get(k, row as isize, col as isize)).sum();
                out.f32_row(0, row)[col] = v as f32;
                out.u8_row(1, row)[col] = ((input.window.row as usize + row) % 200) as u8;
                sum.cells += u64::from(v.is_finite());
            }
        }
        Ok(())
    }
}

/// Twice what [`Total`] wrote; takes whole tiles only.
struct Twice;

impl Analysis for Twice {
    type Partial = Sum;
    fn spec(&self) -> Spec {
        let writes = vec![OutBand::quantity("twice", "")];
        Spec { name: "twice".into(), reads: vec!["sum again".into()], writes, ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, sum: &mut Sum) -> Result<()> {
        for row in 0..input.rows() {
            for col in 0..input.cols() {
                out.f32_row(0, row)[col] = 2.0 * input.get(0, row as isize, col as isize) as f32;
            }
        }
        sum.cells += input.rows() as u64;
        Ok(())
    }
}

#[test]
fn rows_at_a_time_and_tiles_read_in_parts_give_the_same() {
    let g = grid(530, 700);
    let sources: Vec<Arc<dyn Source>> = (0..12).map(|i| source("a", &g, i)).collect();
    let run = |memory: u64| {
        let mut pass = Pass::new("test", g.clone());
        for (i, s) in sources.iter().enumerate() {
            pass.channel(channel(&i.to_string(), s, 0)).unwrap();
        }
        let (sink, planes) = CollectSink::new(&g);
        let handle = pass.add(Total(12), vec![Output { sink, planes: vec![0, 1] }]).unwrap();
        // What rows made is read again when the tile is whole.
        pass.read_again("sum again", "memory", 0).unwrap();
        let (sink, twice) = CollectSink::new(&g);
        let after = pass.add(Twice, vec![Output { sink, planes: vec![0] }]).unwrap();
        let limits = Limits { threads: 2, memory };
        let plan = pass.plan(&limits).unwrap();
        let mut outcome = pass.run(&limits, &Silent, &Cancel::default()).unwrap();
        assert!(outcome.peak_bytes <= memory);
        let columns_of_tiles = g.cols.div_ceil(plan.tile) as u64;
        assert_eq!(outcome.take(&after).unwrap().cells, g.rows as u64 * columns_of_tiles);
        let doubled: Vec<f32> = f32s(&planes).iter().map(|v| 2.0 * v).collect();
        assert!(
            doubled.iter().zip(f32s(&twice)).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        );
        (plan, planes.planes().unwrap(), outcome.take(&handle).unwrap(), format!("{:?}", outcome.moments_of(&handle)))
    };
    let (whole, planes, sum, moments) = run(4 * GIB);
    assert!(whole.rows_computed < whole.tile && whole.rows_read == whole.tile);
    let (parts, in_parts, part_sum, part_moments) = run(whole.least_bytes);
    assert!(parts.rows_read < parts.tile && parts.least_bytes == whole.least_bytes);
    let bits = |p: &OutPlane| match p {
        OutPlane::F32(v) => v.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
        OutPlane::U8(v) => v.iter().map(|v| u32::from(*v)).collect(),
        other => panic!("{}", other.dtype()),
    };
    assert!(planes.iter().map(bits).eq(in_parts.iter().map(bits)));
    assert_eq!((sum, moments), (part_sum, part_moments));
    let all: Vec<Vec<u16>> = (0..12).map(|i| pixels(i, 530 * 700)).collect();
    let (found, rows) = (bits(&planes[0]), bits(&planes[1]));
    for i in (0..530 * 700).step_by(37) {
        let values = all.iter().map(|p| if p[i] == 0 { f64::NAN } else { f64::from(p[i]) * 1e-4 });
        let expected = (values.sum::<f64>() as f32).to_bits();
        let both_nan = f32::from_bits(found[i]).is_nan() && f32::from_bits(expected).is_nan();
        assert!(found[i] == expected || both_nan, "{i}");
        assert_eq!(rows[i] as usize, i / 530 % 200);
    }
}
