//! Lanes against plain sums over one pixel after the other.

use super::*;
use crate::grid::{Grid, Window};

const BANDS: usize = 3;
const COLS: usize = 37;

/// Whole numbers of a fixed sequence, a third of them missing.
fn planes(dates: usize, seed: u64) -> Vec<Plane> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32
    };
    let plane = |_| {
        let value = |_| {
            let (x, missing) = (next() % 4000, next() % 7);
            // Few distinct values, so that there are ties.
            if missing == 0 { f32::NAN } else { (x / 50 * 50) as f32 }
        };
        let values = (0..2 * COLS).map(value).collect();
        Plane { scale: 1e-4, offset: -0.1, ..Plane::from_f32(COLS, 2, values) }
    };
    (0..dates * BANDS).map(plane).collect()
}

fn made(planes: &[Plane], settings: CompositeSettings) -> Vec<Vec<f32>> {
    let dates = planes.len() / BANDS;
    let days = (0..dates).map(|d| Date::constant(2019, 1, 1) + jiff::Span::new().days(d as i64 * 5)).collect();
    let bands = vec![OutBand::quantity("", ""); BANDS];
    let analysis = CompositeAnalysis::new(vec![String::new(); planes.len()], bands, days, settings);
    let writes = Analysis::spec(&analysis).writes;
    let grid = Grid::unplaced(COLS, 2, "test", None);
    let blank = || crate::raster::OutPlane::filled(crate::raster::Dtype::F32, f64::NAN, 2 * COLS);
    let mut out = TileOut { cols: COLS, planes: writes.iter().map(|_| blank()).collect() };
    let window = Window::new(0, 0, COLS, 2);
    let input = TileIn { window, grid: &grid, halo: 0, planes: planes.iter().collect() };
    Analysis::tile(&analysis, &input, &mut out, &mut ()).unwrap();
    let floats = |p: crate::raster::OutPlane| if let crate::raster::OutPlane::F32(v) = p { v } else { unreachable!() };
    out.planes.into_iter().map(floats).collect()
}

fn settings(method: &str) -> CompositeSettings {
    let method = method.parse().unwrap();
    CompositeSettings { method, red_nir: (1, 2), target_day: 60, least: 1, deviations: false }
}

/// Valid dates of a pixel in physical units.
fn valid(planes: &[Plane], at: usize) -> Vec<(usize, [f64; BANDS])> {
    let date = |(i, d): (usize, &[Plane])| (i, [0, 1, 2].map(|k| d[k].get(at / COLS, at % COLS)));
    let all = planes.chunks_exact(BANDS).enumerate().map(date);
    all.filter(|(_, v)| v.iter().all(|x| !x.is_nan())).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

/// Position of the least, the first of equals.
fn least(scores: impl Iterator<Item = f64>) -> usize {
    scores.enumerate().fold((0, f64::INFINITY), |best, (i, s)| if s < best.1 { (i, s) } else { best }).0
}

fn quantile(dates: &[(usize, [f64; BANDS])], k: usize, q: f64) -> f64 {
    crate::numeric::quantile::quantile(&dates.iter().map(|(_, v)| v[k]).collect::<Vec<_>>(), q).unwrap()
}

#[test]
fn every_number_of_dates_equals_plain_sums() {
    for n in 1..=70 {
        let planes = planes(n, n as u64);
        let of = |method: &str| made(&planes, settings(method));
        let (median, p30, mean) = (of("median"), of("p30"), of("mean"));
        let (green, medoid, near) = (of("max-ndvi"), of("medoid"), of("best-available"));
        for at in 0..2 * COLS {
            let dates = valid(&planes, at);
            assert_eq!(median[BANDS][at], dates.len() as f32);
            if dates.is_empty() {
                assert!([&median, &p30, &mean, &green, &medoid].iter().all(|v| v[0][at].is_nan()), "{n} {at}");
                continue;
            }
            for k in 0..BANDS {
                assert_eq!(median[k][at], quantile(&dates, k, 0.5) as f32, "{n} {at}");
                assert_eq!(p30[k][at], quantile(&dates, k, 0.3) as f32, "{n} {at}");
                let sum: f64 = dates.iter().map(|(_, v)| v[k]).sum();
                assert_eq!(mean[k][at], (sum / dates.len() as f64) as f32, "{n} {at}");
            }
            let ndvi = |v: &[f64; BANDS]| (v[2] - v[1]) / (v[2] + v[1]);
            let score = |v: &[f64; BANDS]| if ndvi(v).abs() <= 1.0 { -ndvi(v) } else { 2.0 };
            let total = |from: &[f64; BANDS]| dates.iter().map(|(_, v)| distance(v, from)).sum::<f64>();
            let away = |i: &usize| f64::from((1 + *i as i32 * 5 - 60).abs());
            for (found, expected) in [
                (&green, least(dates.iter().map(|(_, v)| score(v)))),
                (&medoid, least(dates.iter().map(|(_, v)| total(v)))),
                (&near, least(dates.iter().map(|(i, _)| away(i)))),
            ] {
                let (i, values) = dates[expected];
                assert_eq!([0, 1, 2].map(|k| found[k][at]), values.map(|v| v as f32), "{n} {at}");
                // 2019-01-01 is day 17897.
                assert_eq!(found[BANDS + 1][at], 17_897.0 + 5.0 * i as f32);
                assert_eq!(found[BANDS + 2][at], (i * 5 % 365 + 1) as f32);
            }
        }
    }
}

#[test]
fn geometric_medians_leave_no_pull() {
    for n in 1..=70 {
        let planes = planes(n, 1000 + n as u64);
        let found = made(&planes, CompositeSettings { deviations: true, ..settings("geomedian") });
        for (at, spread) in found[BANDS + 1].iter().enumerate() {
            let dates = valid(&planes, at);
            let total = |m: [f64; BANDS]| dates.iter().map(|(_, v)| distance(v, &m)).sum::<f64>();
            let m = [&found[0], &found[1], &found[2]].map(|band| f64::from(band[at]));
            if dates.is_empty() {
                assert!(m[0].is_nan());
                continue;
            }
            // No neighbour, and no date, has a smaller sum.
            for k in 0..BANDS {
                for step in [-2e-3, 2e-3] {
                    let mut other = m;
                    other[k] += step;
                    assert!(total(other) > total(m) - 1e-6 * n as f64, "{n} {at}");
                }
            }
            assert!(dates.iter().all(|(_, v)| total(*v) > total(m) - 1e-6 * n as f64), "{n} {at}");
            let mut away: Vec<f64> = dates.iter().map(|(_, v)| distance(v, &m)).collect();
            away.sort_by(f64::total_cmp);
            let emad = crate::numeric::quantile::of_sorted(&away, 0.5).unwrap();
            assert!((f64::from(*spread) - emad).abs() < 1e-6, "{n} {at}");
        }
    }
}

#[test]
fn dates_of_other_encodings_compare_as_reflectance() {
    // Of baseline 04.00 on, 1000 more is stored; and Landsat's scale.
    let plane = |v: f32, scale, offset| Plane { scale, offset, ..Plane::from_f32(1, 1, vec![v]) };
    let of = |planes: &[Plane]| {
        let date = || Date::constant(2020, 2, 3);
        let bands = vec![OutBand::quantity("", "")];
        let days = planes.iter().map(|_| date()).collect();
        let analysis = CompositeAnalysis::new(Vec::new(), bands, days, settings("median"));
        let grid = Grid::unplaced(1, 1, "test", None);
        let blank = crate::raster::OutPlane::F32(vec![f32::NAN]);
        let mut out = TileOut { cols: 1, planes: vec![blank.clone(), blank] };
        let planes = planes.iter().collect();
        let input = TileIn { window: Window::new(0, 0, 1, 1), grid: &grid, halo: 0, planes };
        Analysis::tile(&analysis, &input, &mut out, &mut ()).unwrap();
        out.f32_row(0, 0)[0]
    };
    let (old, new) = (plane(800.0, 1e-4, 0.0), plane(1500.0, 1e-4, -0.1));
    assert_eq!(of(&[old.clone(), new.clone(), plane(3000.0, 1e-4, -0.1)]), 0.08);
    assert_eq!(of(&[old, new, plane(10_000.0, 2.75e-5, -0.2)]), 0.075);
}

#[test]
fn methods_are_named() {
    assert_eq!("p25".parse::<CompositeMethod>().unwrap(), CompositeMethod::Quantile(0.25));
    assert_eq!("median".parse::<CompositeMethod>().unwrap(), CompositeMethod::Quantile(0.5));
    assert!("p101".parse::<CompositeMethod>().is_err());
    assert!("best".parse::<CompositeMethod>().unwrap_err().to_string().contains("medoid"));
}

#[test]
fn selection_takes_the_earliest_of_equals() {
    let dates = [0.2, 0.3, 0.1, 0.5, 0.1, 0.5, 0.15, 0.2];
    assert_eq!(composite(&dates, 2, CompositeMethod::MaxNdvi, (0, 1)), [0.1, 0.5]);
    assert_eq!(composite(&[0.3, 0.1, 0.1, 0.3], 2, CompositeMethod::Medoid, (0, 1)), [0.3, 0.1]);
}

#[test]
fn geometric_median_of_a_line_is_its_middle() {
    let m = composite(&[0.0, 2.0, 1.0, 2.0, 10.0, 2.0], 2, CompositeMethod::GeometricMedian, (0, 1));
    assert!((m[0] - 1.0).abs() < 1e-4 && (m[1] - 2.0).abs() < 1e-12, "{m:?}");
}
