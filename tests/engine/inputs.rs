//! What analyses see: nodata, masks with their disks, coarser sources, valid range and clip, against brute force.

use std::sync::Arc;

use proptest::prelude::*;
use regrow::engine::{
    Analysis, Cancel, Channel, ChannelCounts, Clip, Counts, Limits, MaskRule, MaskSource, OutBand, Output, Pass,
    Silent, Spec, TileIn, TileOut,
};
use regrow::error::{Kind, Result};
use regrow::grid::{Affine, Grid, Window};
use regrow::io::memory::{CollectSink, MemorySource};
use regrow::raster::{Band, Dtype, OutPlane, Samples, Source};

use super::{GIB, grid, noise};

/// Writes what it reads.
struct Copy {
    halo: usize,
}

impl Analysis for Copy {
    type Partial = ();
    fn spec(&self) -> Spec {
        let mut band = OutBand::quantity("copy", "");
        band.dtype = Dtype::F64;
        Spec { name: "copy".into(), reads: vec!["x".into()], writes: vec![band], halo: self.halo, ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let cols = input.cols();
        let OutPlane::F64(v) = &mut out.planes[0] else { panic!() };
        v.chunks_mut(cols).enumerate().for_each(|(r, row)| input.load(0, r, row));
        Ok(())
    }
}

fn copy(g: &Grid, build: impl FnOnce(&mut Pass) -> Result<()>, halo: usize) -> Result<(Vec<f64>, ChannelCounts)> {
    let mut pass = Pass::new("test", g.clone());
    build(&mut pass)?;
    let (sink, planes) = CollectSink::new(g);
    pass.add(Copy { halo }, vec![Output { sink, planes: vec![0] }])?;
    let outcome = pass.run(&Limits { threads: 2, memory: GIB }, &Silent, &Cancel::default())?;
    let Some(OutPlane::F64(v)) = planes.planes().and_then(|p| p.into_iter().next()) else { panic!() };
    Ok((v, outcome.channels[0].clone()))
}

fn x(source: &Arc<dyn Source>) -> Channel {
    Channel { name: "x".into(), ..super::channel("x", source, 0) }
}

fn memory(g: &Grid, samples: impl Into<Samples>, mask: Option<Vec<u8>>) -> Arc<dyn Source> {
    Arc::new(MemorySource::new("m", g.clone()).band(Band::new(Dtype::U8), samples, mask).unwrap())
}

struct Left(i64);

impl Clip for Left {
    fn apply(&self, window: Window, keep: &mut [bool]) {
        for (i, k) in keep.iter_mut().enumerate() {
            *k &= window.col + ((i % window.cols) as i64) < self.0;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scene of three tiles; the mask may be coarser and shifted; disks cross seams.
    #[test]
    fn masks_and_causes_equal_brute_force(
        seed in any::<u64>(),
        tall in any::<bool>(),
        short in 1usize..14,
        factor in 1usize..4,
        shift in -3i64..3,
        radius in 0usize..6,
        halo in 0usize..3,
        clip in proptest::option::of(0i64..1200),
    ) {
        let (cols, rows) = if tall { (short, 1100) } else { (1100, short) };
        let g = grid(cols, rows);
        let stored: Vec<u16> = (0..cols * rows).map(|i| (noise(seed, i) % 300) as u16).collect();
        let internal: Vec<u8> = (0..cols * rows).map(|i| u8::from(!noise(!seed, i).is_multiple_of(23))).collect();
        let source = memory(&g, stored.clone(), Some(internal.clone()));
        let (mcols, mrows) = (cols.div_ceil(factor) + 1, rows.div_ceil(factor) + 1);
        let size = 10.0 * factor as f64;
        let place = Affine::north_up(500_000.0 + shift as f64 * 10.0, 7_000_000.0 - shift as f64 * 10.0, size, size);
        let mgrid = Grid::new(mcols, mrows, place, None);
        let scl: Vec<u8> = (0..mcols * mrows).map(|i| if noise(seed ^ 99, i).is_multiple_of(60) { 9 } else { (noise(seed, i) % 6) as u8 }).collect();
        let mask = MaskSource {
            name: "scl".into(),
            source: memory(&mgrid, scl.clone(), None),
            band: 0,
            rule: MaskRule::Values(vec![0, 9]),
            buffered: MaskRule::Values(vec![9]),
            buffer_px: radius, speckle: MaskRule::Values(Vec::new()),
        };
        let (seen, counts) = copy(&g, |pass| {
            let m = pass.mask(mask)?;
            if let Some(c) = clip {
                pass.clip(Arc::new(Left(c)));
            }
            pass.channel(Channel {
                scale: 0.5,
                offset: -10.0,
                nodata: Some(17.0),
                valid: Some(0.0..=100.0),
                masks: vec![m],
                ..x(&source)
            })
        }, halo).unwrap();

        let (k, r) = (factor as i64, radius as i64);
        let masked = |col: i64, row: i64| {
            let (mc, mr) = ((col - shift).div_euclid(k), (row - shift).div_euclid(k));
            let at = |c: i64, r: i64| (c >= 0 && r >= 0 && c < mcols as i64 && r < mrows as i64)
                .then(|| scl[r as usize * mcols + c as usize]);
            at(mc, mr).is_none_or(|v| v == 0 || v == 9)
                || (-r..=r).any(|dr| (-r..=r).any(|dc| dc * dc + dr * dr <= r * r && at(mc + dc, mr + dr) == Some(9)))
        };
        let mut expected = ChannelCounts { name: "x".into(), cells: (cols * rows) as u64, ..ChannelCounts::default() };
        for i in 0..cols * rows {
            let (col, row) = ((i % cols) as i64, (i / cols) as i64);
            let value = f64::from(stored[i]) * 0.5 - 10.0;
            let cause = if clip.is_some_and(|c| col >= c) {
                Some(&mut expected.clipped)
            } else if stored[i] == 17 || internal[i] == 0 {
                Some(&mut expected.nodata)
            } else if masked(col, row) {
                Some(&mut expected.masked)
            } else if !(0.0..=100.0).contains(&value) {
                Some(&mut expected.out_of_range)
            } else {
                None
            };
            match cause {
                Some(count) => {
                    *count += 1;
                    prop_assert!(seen[i].is_nan(), "row {row}, col {col}: {}", seen[i]);
                }
                None => prop_assert_eq!(seen[i], value, "row {}, col {}", row, col),
            }
        }
        prop_assert_eq!(counts, expected);
    }
}

#[test]
fn coarser_source_is_read_by_nearest_and_ends_where_it_ends() {
    let g = grid(7, 5);
    let coarse = Grid::new(2, 3, Affine::north_up(500_000.0, 7_000_000.0, 30.0, 30.0), None);
    let s = memory(&coarse, vec![1.5f32, 2.5, f32::INFINITY, 4.5, 5.5, 6.5], None);
    let (seen, _) = copy(&g, |p| p.channel(Channel { scale: 1.0, nodata: None, ..x(&s) }), 0).unwrap();
    assert_eq!(seen[..6], [1.5, 1.5, 1.5, 2.5, 2.5, 2.5]);
    assert!(seen[6].is_nan(), "beyond the source is nodata");
    assert!(seen[3 * 7].is_nan(), "an infinite sample is no measurement");
    assert_eq!(seen[3 * 7 + 3], 4.5);
}

#[test]
fn wide_integers_are_exact_or_an_error() {
    let g = grid(3, 1);
    let max = 1i64 << 53;
    let plain = |s: &Arc<dyn Source>, nodata| Channel { scale: 1.0, nodata, ..x(s) };
    let s = memory(&g, vec![max, -max, i64::MIN], None);
    let (seen, _) = copy(&g, |p| p.channel(plain(&s, Some(i64::MIN as f64))), 0).unwrap();
    assert_eq!(seen[..2], [9_007_199_254_740_992.0, -9_007_199_254_740_992.0]);
    assert!(seen[2].is_nan());
    let s = memory(&g, vec![0u64, (1 << 53) + 1, 0], None);
    let e = copy(&g, |p| p.channel(plain(&s, None)), 0).unwrap_err();
    assert_eq!(e.kind(), Kind::Input);
    assert!(e.to_string().contains("beyond 2^53"), "{e}");
    let s = memory(&g, vec![u32::MAX, 16_777_217, 1], None);
    let (seen, _) = copy(&g, |p| p.channel(plain(&s, Some(1.0))), 0).unwrap();
    assert_eq!(seen[..2], [4_294_967_295.0, 16_777_217.0]);
}

#[test]
fn nodata_is_compared_in_the_stored_type() {
    let g = grid(4, 1);
    // 300 is no uint8 value: it must not wrap to 44. -9999.9 as f32 is what an f32 file stores for that text.
    let s = memory(&g, vec![44u8, 0, 255, 1], None);
    let plain = |s: &Arc<dyn Source>, n| Channel { scale: 1.0, nodata: Some(n), ..x(s) };
    assert_eq!(copy(&g, |p| p.channel(plain(&s, 300.0)), 0).unwrap().0, [44.0, 0.0, 255.0, 1.0]);
    let s = memory(&g, vec![-9999.9f32, 0.0, -0.0, 1.0], None);
    let (seen, counts) = copy(&g, |p| p.channel(plain(&s, -9999.9)), 0).unwrap();
    assert!(seen[0].is_nan());
    assert_eq!((seen[1], seen[3], counts.nodata), (0.0, 1.0, 1));
}

#[test]
fn grids_that_do_not_nest_and_names_used_twice_are_refused() {
    let g = grid(4, 4);
    let mut pass = Pass::new("test", g.clone());
    let off = Grid::new(4, 4, Affine::north_up(500_003.0, 7_000_000.0, 10.0, 10.0), None);
    let e = pass.channel(x(&memory(&off, vec![0u8; 16], None))).unwrap_err();
    assert!(e.to_string().starts_with("m: origins differ"), "{e}");
    let s = memory(&g, vec![0u8; 16], None);
    pass.channel(x(&s)).unwrap();
    pass.channel(x(&s)).unwrap();
    assert!(pass.channel(Channel { scale: 2.0, ..x(&s) }).is_err());
    assert!(pass.channel(Channel { name: "y".into(), band: 1, ..x(&s) }).is_err());
}

/// Divides 1 by what it reads.
struct Inverse;

impl Analysis for Inverse {
    type Partial = ();
    fn spec(&self) -> Spec {
        let band = OutBand::quantity("inverse", "").within(0.0..=0.6);
        Spec { name: "inverse".into(), reads: vec!["x".into()], writes: vec![band], ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        for (c, d) in out.f32_row(0, 0).iter_mut().enumerate() {
            let v = input.get(0, 0, c as isize);
            *d = if v == 3.0 { f32::NAN } else { (1.0 / v) as f32 };
        }
        Ok(())
    }
}

#[test]
fn results_are_guarded_and_counted() {
    let g = grid(5, 1);
    // 1/0 is infinite, 1/1 above the range, 3 gives NaN by itself, 9 is nodata of the input.
    let s = memory(&g, vec![0u8, 1, 2, 3, 9], None);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(Channel { scale: 1.0, nodata: Some(9.0), ..x(&s) }).unwrap();
    let (sink, planes) = CollectSink::new(&g);
    let handle = pass.add(Inverse, vec![Output { sink, planes: vec![0] }]).unwrap();
    let outcome = pass.run(&Limits { threads: 1, memory: GIB }, &Silent, &Cancel::default()).unwrap();
    assert_eq!(outcome.counts_of(&handle), Counts { cells: 5, arithmetic_invalid: 2, out_of_range: 1 });
    let Some(OutPlane::F32(v)) = planes.planes().and_then(|p| p.into_iter().next()) else { panic!() };
    assert_eq!(v[2], 0.5);
    assert!([0, 1, 3, 4].iter().all(|i| v[*i].is_nan()));
}

#[test]
fn what_is_written_is_read_again_as_written() {
    let g = grid(5, 1);
    let s = memory(&g, vec![0u8, 1, 2, 4, 9], None);
    for halo in [0, 3] {
        let mut pass = Pass::new("test", g.clone());
        pass.channel(Channel { scale: 1.0, nodata: Some(9.0), ..x(&s) }).unwrap();
        pass.add(Inverse, vec![Output { sink: CollectSink::new(&g).0, planes: vec![0] }]).unwrap();
        // Another analysis may widen the planes of the pass.
        pass.add(Copy { halo }, Vec::new()).unwrap();
        pass.read_again("again", "memory", 0).unwrap();
        let wrong = pass.read_again("other", "memory", 1).err().unwrap();
        assert_eq!(wrong.message(), "the pass writes no band 2 of memory");
        let (sink, planes) = CollectSink::new(&g);
        pass.add(Again, vec![Output { sink, planes: vec![0] }]).unwrap();
        let outcome = pass.run(&Limits { threads: 1, memory: GIB }, &Silent, &Cancel::default()).unwrap();
        assert_eq!(outcome.reads, 1);
        let Some(OutPlane::F64(v)) = planes.planes().and_then(|p| p.into_iter().next()) else { panic!() };
        // 1/0 and 1/1 are not in the valid range of the first analysis.
        assert_eq!(v[2..4], [0.5, 0.25]);
        assert!([0, 1, 4].iter().all(|i| v[*i].is_nan()));
    }
}

/// Fails on a tile of nodata, which it says it need not see.
struct NeverVoid;

impl Analysis for NeverVoid {
    type Partial = ();
    fn spec(&self) -> Spec {
        Spec { empty_adds_nothing: true, ..Copy { halo: 0 }.spec() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        assert!((0..input.rows()).any(|r| (0..input.cols()).any(|c| !input.get(0, r as isize, c as isize).is_nan())));
        Copy { halo: 0 }.tile(input, out, &mut ())
    }
}

#[test]
fn tiles_of_nodata_are_written_without_being_computed() {
    let g = grid(1024, 1);
    let s = memory(&g, (0..1024).map(|i| u8::from(i == 700)).collect::<Vec<_>>(), None);
    let mut pass = Pass::new("test", g.clone());
    pass.channel(Channel { nodata: Some(0.0), scale: 1.0, ..x(&s) }).unwrap();
    let (sink, planes) = CollectSink::new(&g);
    let handle = pass.add(NeverVoid, vec![Output { sink, planes: vec![0] }]).unwrap();
    let outcome = pass.run(&Limits { threads: 1, memory: GIB }, &Silent, &Cancel::default()).unwrap();
    assert_eq!((outcome.counts_of(&handle).cells, outcome.moments_of(&handle)[0].count), (1024, 1));
    let Some(OutPlane::F64(v)) = planes.planes().and_then(|p| p.into_iter().next()) else { panic!() };
    assert!(v.iter().enumerate().all(|(i, v)| if i == 700 { *v == 1.0 } else { v.is_nan() }));
}

/// Reads what another analysis wrote.
struct Again;

impl Analysis for Again {
    type Partial = ();
    fn spec(&self) -> Spec {
        Spec { reads: vec!["again".into()], ..Copy { halo: 0 }.spec() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        Copy { halo: 0 }.tile(input, out, &mut ())
    }
}

/// Reads nothing: cell centres only.
struct Centres;

impl Analysis for Centres {
    type Partial = ();
    fn spec(&self) -> Spec {
        Spec { name: "centres".into(), writes: vec![OutBand::quantity("col", "")], ..Spec::default() }
    }
    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        for row in 0..input.rows() {
            let first = input.window.col;
            out.f32_row(0, row).iter_mut().enumerate().for_each(|(c, d)| *d = (first + c as i64) as f32);
        }
        Ok(())
    }
}

#[test]
fn analysis_without_inputs_fills_the_grid() {
    let g = grid(600, 2);
    let mut pass = Pass::new("test", g.clone());
    let (sink, planes) = CollectSink::new(&g);
    pass.add(Centres, vec![Output { sink, planes: vec![0] }]).unwrap();
    pass.run(&Limits { threads: 2, memory: GIB }, &Silent, &Cancel::default()).unwrap();
    let Some(OutPlane::F32(v)) = planes.planes().and_then(|p| p.into_iter().next()) else { panic!() };
    assert!(v.iter().enumerate().all(|(i, v)| *v == (i % 600) as f32));
}
