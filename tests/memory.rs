//! The ceiling holds: resident memory of a pass over a raster far larger than `--memory`. Its own process, since the
//! kernel counts the highest resident size of a whole process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in helpers too")]

use std::sync::Arc;

use regrow::engine::{Analysis, Cancel, Channel, Limits, OutBand, Output, Pass, Silent, Spec, TileIn, TileOut};
use regrow::error::Result;
use regrow::grid::{Affine, Grid, Window};
use regrow::raster::{Band, BlockLayout, Dtype, Encoded, Finished, Raw, Reader, Samples, Sink, Source};

/// Pixels made while reading; a file of any size without a file.
struct Synthetic {
    grid: Grid,
    bands: Vec<Band>,
}

impl Source for Synthetic {
    fn name(&self) -> &str {
        "synthetic"
    }
    fn grid(&self) -> &Grid {
        &self.grid
    }
    fn bands(&self) -> &[Band] {
        &self.bands
    }
    fn layout(&self) -> BlockLayout {
        BlockLayout { cols: 512, rows: 512, interleaved: false }
    }
    fn scratch_bytes(&self, _window: Window) -> u64 {
        0
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(Making))
    }
}

struct Making;

impl Reader for Making {
    fn read(&mut self, bands: &[usize], window: Window, out: &mut [Raw]) -> Result<()> {
        for (band, raw) in bands.iter().zip(out) {
            raw.samples.reset(Dtype::U16, window.cells());
            let Samples::U16(v) = &mut raw.samples else { continue };
            for (i, x) in v.iter_mut().enumerate() {
                *x = (i * 31 + band * 977 + window.row as usize) as u16 % 10_000;
            }
        }
        Ok(())
    }
}

/// Keeps half of the bytes until commit, as a codec would.
struct Halving;

impl Sink for Halving {
    fn encode(&self, _window: Window, planes: &[Finished<'_>]) -> Result<Encoded> {
        let bytes: usize = planes.iter().map(|f| f.plane.len() * f.plane.dtype().bytes() / 2).sum();
        Ok(Encoded { bytes: bytes as u64, data: Box::new(vec![7u8; bytes]) })
    }
    fn commit(&self, _window: Window, _encoded: Encoded) -> Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
    fn scratch_bytes(&self, cells: usize) -> u64 {
        cells as u64 * 2
    }
}

struct Ratio;

impl Analysis for Ratio {
    type Partial = ();
    fn spec(&self) -> Spec {
        let (reads, writes) = (vec!["a".into(), "b".into()], vec![OutBand::quantity("ratio", "")]);
        Spec { name: "ratio".into(), reads, writes, ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let (mut a, mut b) = (vec![0.0; input.cols()], vec![0.0; input.cols()]);
        for row in 0..input.rows() {
            input.load(0, row, &mut a);
            input.load(1, row, &mut b);
            out.f32_row(0, row).iter_mut().zip(a.iter().zip(&b)).for_each(|(d, (x, y))| *d = (x / (y + 1.0)) as f32);
        }
        Ok(())
    }
}

/// Highest resident size of this process so far; none where the system does not tell.
fn highest_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|k| k * 1024)
}

#[test]
fn resident_memory_stays_near_the_ceiling() {
    const MIB: u64 = 1 << 20;
    let Some(before) = highest_resident_bytes() else { return };
    let size = 6_000;
    let grid = Grid::new(size, size, Affine::north_up(0.0, 0.0, 10.0, 10.0), None);
    let source: Arc<dyn Source> =
        Arc::new(Synthetic { grid: grid.clone(), bands: vec![Band::new(Dtype::U16), Band::new(Dtype::U16)] });
    for (threads, memory) in [(1, 24 * MIB), (4, 48 * MIB), (8, 96 * MIB)] {
        let mut pass = Pass::new("memory", grid.clone());
        for (band, name) in ["a", "b"].into_iter().enumerate() {
            let (source, name) = (Arc::clone(&source), name.into());
            let channel =
                Channel { name, source, band, scale: 1.0, offset: 0.0, nodata: None, valid: None, masks: Vec::new() };
            pass.channel(channel).unwrap();
        }
        pass.add(Ratio, vec![Output { sink: Box::new(Halving), planes: vec![0] }]).unwrap();
        let outcome = pass.run(&Limits { threads, memory }, &Silent, &Cancel::default()).unwrap();
        let used = highest_resident_bytes().unwrap() - before;
        println!(
            "{threads} threads: ceiling {} MiB, ledger {} MiB, resident {} MiB",
            memory / MIB,
            outcome.peak_bytes / MIB,
            used / MIB
        );
        assert!(outcome.peak_bytes <= memory);
        assert!(used <= memory + 16 * MIB, "{} MiB resident under a ceiling of {} MiB", used / MIB, memory / MIB);
    }
}
