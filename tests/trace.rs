//! Outlines, patches and the sieve against GDAL's results and against brute force.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in helpers too")]

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use regrow::grid::tiling::Tiling;
use regrow::vector::patches::{Connect, Patches, sieve};
use regrow::vector::{Outline, Tracer};
use serde_json::Value;

fn oracle() -> Vec<Value> {
    let text = include_str!("../fixtures/oracles/remote-sensing/raster_objects.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["cases"].as_array().unwrap().clone()
}

fn raster(rows: &Value) -> Vec<u8> {
    rows.as_array().unwrap().iter().flat_map(|r| r.as_str().unwrap().bytes().map(|b| b - b'0')).collect()
}

const BOTH: [(Connect, &str); 2] = [(Connect::Four, "4"), (Connect::Eight, "8")];

/// Traces a raster in tiles of `edge`.
fn outlines(classes: &[u8], cols: usize, edge: usize, traced: &[u8], connect: Connect, least: u64) -> Vec<Outline> {
    let rows = classes.len() / cols;
    let mut tracer = Tracer::new(cols, rows, traced, connect, least).unwrap();
    let tiling = Tiling::new(cols, rows, edge);
    let mut found = Vec::new();
    for i in 0..tiling.count() {
        let w = tiling.window(i);
        let from = |r: usize| (w.row as usize + r) * cols + w.col as usize;
        let tile: Vec<u8> = (0..w.rows).flat_map(|r| classes[from(r)..from(r) + w.cols].iter().copied()).collect();
        found.extend(tracer.tile(w, &tile).unwrap());
    }
    found.extend(tracer.finish().unwrap());
    found
}

fn twice_area(ring: &[(u32, u32)]) -> i64 {
    let cross = |w: &[(u32, u32)]| i64::from(w[1].0) * i64::from(w[0].1) - i64::from(w[0].0) * i64::from(w[1].1);
    ring.windows(2).map(cross).sum()
}

fn perimeter(ring: &[(u32, u32)]) -> u32 {
    ring.windows(2).map(|w| w[0].0.abs_diff(w[1].0) + w[0].1.abs_diff(w[1].1)).sum()
}

#[test]
fn polygons_equal_gdal() {
    for case in oracle() {
        let (classes, cols) = (raster(&case["classes"]), case["cols"].as_u64().unwrap() as usize);
        for (connect, name) in BOTH {
            let expected = &case[format!("polygons_{name}")];
            let found = outlines(&classes, cols, 7, &[1, 2, 3], connect, 1);
            assert_eq!(found.len() as u64, expected["n"].as_u64().unwrap(), "{} {name}", case["id"]);
            let mut by_class: BTreeMap<u8, (u64, i64, u32)> = BTreeMap::new();
            for o in &found {
                let sum = by_class.entry(o.class).or_default();
                sum.0 += 1;
                sum.1 += o.polygons.iter().flatten().map(|r| twice_area(r)).sum::<i64>();
                sum.2 += o.polygons.iter().flatten().map(|r| perimeter(r)).sum::<u32>();
            }
            for (class, (n, area, length)) in by_class {
                let of = |what: &str| expected[what][class.to_string()].as_f64().unwrap();
                assert_eq!(n as f64, of("n_by_class"));
                assert_eq!(area as f64 / 2.0 * 100.0, of("area_by_class"));
                assert_eq!(f64::from(length) * 10.0, of("perimeter_by_class"));
            }
        }
    }
}

#[test]
fn patches_and_minimum_mapping_unit_equal_scipy() {
    for case in oracle() {
        let (classes, cols) = (raster(&case["classes"]), case["cols"].as_u64().unwrap() as usize);
        for (connect, name) in BOTH {
            let patches = Patches::label(&classes, cols, connect, |c| c == 3);
            let mut sizes = patches.sizes.clone();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            let expected = &case[format!("class3_components_{name}")];
            assert_eq!(serde_json::to_value(&sizes).unwrap(), expected["sizes_sorted"]);
            let keep: Vec<u8> = (0..classes.len()).map(|i| u8::from(patches.size_at(i) >= 6)).collect();
            assert_eq!(keep, raster(&case[format!("mmu6_keep_{name}")]));
        }
    }
}

#[test]
fn sieve_equals_gdal() {
    for case in oracle() {
        let cols = case["cols"].as_u64().unwrap() as usize;
        for (connect, name) in BOTH {
            for least in [5, 12] {
                let mut classes = raster(&case["classes"]);
                sieve(&mut classes, cols, connect, least, None);
                let expected = raster(&case[format!("sieve_{name}_{least}")]);
                let wrong = classes.iter().zip(&expected).filter(|(a, b)| a != b).count();
                assert_eq!(wrong, 0, "{} connectivity {name}, {least} pixels", case["id"]);
            }
        }
    }
}

#[test]
fn sieve_keeps_nodata_and_islands_in_it() {
    let mut classes = vec![9, 9, 9, 1, 9, 9, 9, 2, 2];
    sieve(&mut classes, 3, Connect::Four, 3, Some(9));
    assert_eq!(classes, [9, 9, 9, 1, 9, 9, 9, 2, 2]);
}

/// Class by even-odd rule at pixel centres; every pixel must be in exactly one outline.
fn filled(found: &[Outline], cols: usize, rows: usize) -> Vec<Option<u8>> {
    let mut out = vec![None; cols * rows];
    for o in found {
        // Vertical edges toggle all pixels to their right.
        let mut toggles: HashSet<(usize, u32)> = HashSet::new();
        for ring in o.polygons.iter().flatten() {
            for w in ring.windows(2).filter(|w| w[0].0 == w[1].0) {
                for row in w[0].1.min(w[1].1)..w[0].1.max(w[1].1) {
                    assert!(toggles.insert((row as usize, w[0].0)), "an edge is walked twice by one outline");
                }
            }
        }
        for row in 0..rows {
            let mut inside = false;
            for col in 0..cols {
                inside ^= toggles.contains(&(row, col as u32));
                if inside {
                    assert_eq!(out[row * cols + col].replace(o.class), None, "a pixel in two outlines");
                }
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outlines_cover_their_class_and_are_valid(
        cols in 1usize..24, rows in 1usize..24, classes in 1u8..4, seed in any::<u64>(), edge in 1usize..30,
        least in 1u64..9,
    ) {
        let mut state = seed;
        let raster: Vec<u8> = (0..cols * rows).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % (u64::from(classes) + 1)) as u8
        }).collect();
        for (connect, _) in BOTH {
            // Class 0 is left out.
            let all = outlines(&raster, cols, edge, &[1, 2, 3], connect, 1);
            prop_assert_eq!(&all, &outlines(&raster, cols, 64, &[1, 2, 3], connect, 1), "tiles leave no trace");
            let expected: Vec<Option<u8>> = raster.iter().map(|c| (*c > 0).then_some(*c)).collect();
            prop_assert_eq!(filled(&all, cols, rows), expected);
            let patches = Patches::label(&raster, cols, connect, |c| c > 0);
            prop_assert_eq!(all.len(), patches.sizes.len());
            for o in &all {
                prop_assert_eq!(o.polygons.iter().flatten().map(|r| twice_area(r)).sum::<i64>(), 2 * o.cells as i64);
                if connect == Connect::Four {
                    prop_assert_eq!(o.polygons.len(), 1);
                }
                for polygon in &o.polygons {
                    prop_assert!(twice_area(&polygon[0]) > 0, "outer rings are counter-clockwise on the map");
                    prop_assert!(polygon[1..].iter().all(|r| twice_area(r) < 0));
                    for ring in polygon {
                        let corners: HashSet<_> = ring.iter().collect();
                        prop_assert_eq!((ring.first(), corners.len()), (ring.last(), ring.len() - 1), "ring is simple");
                        prop_assert!(ring.windows(2).all(|w| (w[0].0 == w[1].0) != (w[0].1 == w[1].1)));
                        prop_assert!(ring.windows(3).all(|w| (w[0].0 == w[1].0) != (w[1].0 == w[2].0)), "only corners");
                    }
                }
            }
            let large: Vec<Outline> = all.into_iter().filter(|o| o.cells >= least).collect();
            prop_assert_eq!(large, outlines(&raster, cols, edge, &[1, 2, 3], connect, least));
        }
    }
}
