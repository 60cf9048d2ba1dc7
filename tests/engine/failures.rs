//! The first error in tile order wins, nothing appears after a failure, and nothing hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use regrow::engine::{Analysis, Cancel, Limits, OutBand, Output, Pass, Progress, Silent, Spec, TileIn, TileOut};
use regrow::error::{Error, Kind, Result};
use regrow::grid::{Grid, Window};
use regrow::io::memory::{CollectSink, Collected};
use regrow::raster::{Encoded, Finished, Sink};

use super::{GIB, channel, grid, source};

#[derive(Clone, Copy)]
enum Fault {
    Error,
    Panic,
}

/// Fails at some tiles; earlier failing tiles take longer, so that later ones report first.
struct Faulty {
    tiles: &'static [i64],
    fault: Fault,
    computed: Arc<AtomicUsize>,
}

impl Analysis for Faulty {
    type Partial = ();
    fn spec(&self) -> Spec {
        Spec {
            name: "faulty".into(),
            reads: vec!["nir".into()],
            writes: vec![OutBand::quantity("x", "")],
            ..Spec::default()
        }
    }
    fn tile(&self, input: &TileIn<'_>, _out: &mut TileOut, (): &mut ()) -> Result<()> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let tile = input.window.col / 512;
        let Some(at) = self.tiles.iter().position(|t| *t == tile) else { return Ok(()) };
        std::thread::sleep(Duration::from_millis(30 * (self.tiles.len() - at) as u64));
        match self.fault {
            Fault::Error => Err(Error::input(format!("no class covers tile {tile}"))),
            Fault::Panic => panic!("kernel at tile {tile}"),
        }
    }
}

fn failing(tiles: &'static [i64], fault: Fault, threads: usize) -> (Error, Collected, usize) {
    let g = grid(512 * 40, 3);
    let s = source("a", &g, 2);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", &s, 0)).unwrap();
    let (sink, planes) = CollectSink::new(&g);
    let computed = Arc::new(AtomicUsize::new(0));
    let analysis = Faulty { tiles, fault, computed: Arc::clone(&computed) };
    pass.add(analysis, vec![Output { sink, planes: vec![0] }]).unwrap();
    // Room for one-tile chunks only, so that the order of chunks matters.
    let least = pass.plan(&Limits { threads: 1, memory: GIB }).unwrap().least_bytes;
    let limits = Limits { threads, memory: least * threads as u64 * 2 };
    let e = pass.run(&limits, &Silent, &Cancel::default()).err().unwrap();
    (e, planes, computed.load(Ordering::Relaxed))
}

#[test]
fn first_error_in_tile_order_wins() {
    for threads in [1, 2, 3, 8] {
        let (e, planes, _) = failing(&[4, 5, 6], Fault::Error, threads);
        assert_eq!((e.kind(), e.message()), (Kind::Input, "no class covers tile 4"), "{threads} threads");
        assert!(planes.planes().is_none(), "a failed run leaves an output");
    }
}

#[test]
fn panic_in_a_kernel_becomes_an_error_that_names_the_tile() {
    for threads in [1, 2, 8] {
        let (e, planes, computed) = failing(&[3], Fault::Panic, threads);
        assert_eq!(e.kind(), Kind::Bug);
        let text = e.to_string();
        assert!(text.starts_with("faulty: tile cols 1536..2048, rows 0..3: kernel at tile 3"), "{text}");
        assert!(planes.planes().is_none());
        assert!(computed < 40, "work went on after the failure");
    }
}

/// Stops the run after some tiles, as a signal would.
struct StopAt(Cancel, u64, AtomicU64);

impl Progress for StopAt {
    fn start(&self, _what: &str, _tiles: u64) {}
    fn advance(&self, done: u64) {
        self.2.store(done, Ordering::SeqCst);
        if done == self.1 {
            self.0.stop(15);
        }
    }
    fn end(&self) {}
}

#[test]
fn cancelled_run_ends_soon_and_leaves_nothing() {
    for at in [1, 7, 40] {
        let g = grid(512 * 40, 3);
        let s = source("a", &g, 2);
        let mut pass = Pass::new("test", g.clone());
        pass.channel(channel("nir", &s, 0)).unwrap();
        let (sink, planes) = CollectSink::new(&g);
        let fine = Faulty { tiles: &[], fault: Fault::Error, computed: Arc::default() };
        pass.add(fine, vec![Output { sink, planes: vec![0] }]).unwrap();
        let least = pass.plan(&Limits { threads: 1, memory: GIB }).unwrap().least_bytes;
        let cancel = Cancel::default();
        let progress = StopAt(cancel.clone(), at, AtomicU64::new(0));
        let e = pass.run(&Limits { threads: 2, memory: 2 * least }, &progress, &cancel).err().unwrap();
        assert_eq!(e.kind(), Kind::Signal(15));
        assert!(planes.planes().is_none());
    }
}

/// A sink that fails at a tile, or at the end.
struct BadSink {
    at: Option<i64>,
    finished: Arc<AtomicUsize>,
}

impl Sink for BadSink {
    fn encode(&self, _window: Window, _planes: &[Finished<'_>]) -> Result<Encoded> {
        Ok(Encoded { bytes: 1000, data: Box::new(()) })
    }
    fn commit(&self, window: Window, _encoded: Encoded) -> Result<()> {
        if self.at == Some(window.col / 512) { Err(Error::io("disk full")) } else { Ok(()) }
    }
    fn finish(self: Box<Self>) -> Result<()> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        if self.at.is_none() { Err(Error::io("rename failed")) } else { Ok(()) }
    }
    fn scratch_bytes(&self, _cells: usize) -> u64 {
        0
    }
}

fn with_sink(at: Option<i64>, finished: &Arc<AtomicUsize>) -> (Error, Collected) {
    let g: Grid = grid(512 * 9, 3);
    let s = source("a", &g, 2);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(channel("nir", &s, 0)).unwrap();
    let (good, planes) = CollectSink::new(&g);
    let fine = Faulty { tiles: &[], fault: Fault::Error, computed: Arc::default() };
    let bad = Box::new(BadSink { at, finished: Arc::clone(finished) });
    let outputs = vec![Output { sink: bad, planes: vec![0] }, Output { sink: good, planes: vec![0] }];
    pass.add(fine, outputs).unwrap();
    let e = pass.run(&Limits { threads: 2, memory: GIB }, &Silent, &Cancel::default()).err().unwrap();
    (e, planes)
}

#[test]
fn failed_write_finishes_no_sink() {
    let finished = Arc::new(AtomicUsize::new(0));
    let (e, planes) = with_sink(Some(5), &finished);
    assert_eq!((e.kind(), e.message()), (Kind::Io, "disk full"));
    assert_eq!(finished.load(Ordering::SeqCst), 0);
    assert!(planes.planes().is_none());
}

#[test]
fn failed_finish_is_an_error() {
    let finished = Arc::new(AtomicUsize::new(0));
    let (e, _) = with_sink(None, &finished);
    assert_eq!((e.message(), finished.load(Ordering::SeqCst)), ("rename failed", 1));
}

#[test]
fn pass_without_analyses_is_refused() {
    let pass = Pass::new("empty", grid(4, 4));
    assert_eq!(pass.plan(&Limits { threads: 1, memory: GIB }).err().unwrap().kind(), Kind::Bug);
}
