//! CCDC and COLD against the segments of two published implementations, on real Landsat pixels, and by their properties.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use proptest::prelude::*;
use regrow::temporal::ccdc::{Ccdc, Procedure, Quality, Segment, Settings, Variant, Work};
use serde_json::Value;

const BANDS: [&str; 6] = ["blue", "green", "red", "nir", "swir1", "swir2"];
const VARIANTS: [(Variant, &str); 2] = [(Variant::Cold, "cold"), (Variant::Ccdc, "ccdc")];

fn scaled(variant: Variant) -> Settings {
    Settings { scale: 1.0, ..Settings::reflectance(variant) }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn class(fmask: f64) -> Quality {
    match fmask as u8 {
        0 => Quality::Clear,
        1 => Quality::Water,
        3 => Quality::Snow,
        255 => Quality::Missing,
        _ => Quality::Obscured,
    }
}

#[test]
fn oracle_segments() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/oracles/temporal/ccdc_cold.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    let mut work = Work::default();
    for case in cases {
        let days = numbers(&case["dates_ordinal"]);
        let values: Vec<f32> = BANDS.iter().flat_map(|b| numbers(&case[b])).map(|v| v as f32).collect();
        let quality: Vec<Quality> = numbers(&case["qa_cfmask"]).into_iter().map(class).collect();
        let usable: Vec<f64> = days
            .iter()
            .zip(&quality)
            .filter(|(_, q)| matches!(q, Quality::Clear | Quality::Water))
            .map(|(d, _)| *d)
            .collect();
        let place = |day: f64| usable.iter().position(|d| *d >= day).unwrap() as i64;
        for (variant, name) in VARIANTS {
            let ccdc = Ccdc::new(scaled(variant), &days).unwrap();
            let segments = ccdc.segments(&values, &quality, &mut work);
            let expected = case[name].as_array().unwrap();
            assert_eq!(segments.len(), expected.len(), "{} {name}", case["id"]);
            for (found, wanted) in segments.iter().zip(expected) {
                let at = format!("{} {name} {found:?}", case["id"]);
                let get = |key: &str| wanted[key].as_f64().unwrap();
                assert!((place(found.start) - place(get("t_start"))).abs() <= 2, "{at}");
                assert!((place(found.end) - place(get("t_end"))).abs() <= 2, "{at}");
                match found.change {
                    Some(day) => assert!((place(day) - place(get("t_break"))).abs() <= 2, "{at}"),
                    None => assert_eq!(get("t_break"), 0.0, "{at}"),
                }
                assert!((found.observations as f64 / get("num_obs") - 1.0).abs() <= 0.15, "{at}");
                assert_eq!(f64::from(found.category()), get("category"), "{at}");
                for (rmse, wanted) in found.rmse.iter().zip(numbers(&wanted["rmse"])) {
                    assert!((rmse / wanted - 1.0).abs() <= 0.02, "{at}");
                }
                let middle = 0.5 * (get("t_start") + get("t_end"));
                let mut nir = numbers(&wanted["coefs_nir"]);
                // The slope of COLD is stored x 10000; the days of CCDC count from the year 0, 366 days earlier.
                let day = match variant {
                    Variant::Cold => {
                        nir[1] /= 10_000.0;
                        middle
                    }
                    Variant::Ccdc => middle + 366.0,
                };
                assert!((ccdc.predict(found, 3, middle) / curve(&nir, day) - 1.0).abs() <= 0.02, "{at}");
                if variant == Variant::Cold {
                    for (found, wanted) in found.magnitude.iter().zip(numbers(&wanted["magnitude"])) {
                        assert!((found - wanted).abs() <= 10.0, "{at}");
                    }
                }
            }
        }
    }
}

/// Value on a day of a model: intercept, slope a day, then cosine and sine of one, two and three cycles a year.
fn curve(coefficients: &[f64], day: f64) -> f64 {
    let at = day * std::f64::consts::TAU / 365.25;
    let waves = (1..=3).map(|k| {
        let at = at * f64::from(k);
        coefficients[2 * k as usize] * at.cos() + coefficients[2 * k as usize + 1] * at.sin()
    });
    coefficients[0] + coefficients[1] * day + waves.sum::<f64>()
}

/// Days from 0001-01-01 (= 1) of a civil date.
fn ordinal(date: &str) -> f64 {
    let parts: Vec<i64> = date.split('-').map(|p| p.parse().unwrap()).collect();
    let (year, month) = if parts[1] <= 2 { (parts[0] - 1, parts[1] + 12) } else { (parts[0], parts[1]) };
    (365 * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + parts[2] - 306) as f64
}

/// A real pixel: days, bands one after the other, classes; nothing where the shared data are absent.
fn real(name: &str) -> Option<(Vec<f64>, Vec<f32>, Vec<Quality>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/timeseries_landsat_pixels");
    let text = std::fs::read_to_string(folder.join(name)).ok()?;
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let days = rows.iter().map(|r| ordinal(r[0])).collect();
    let values = (2..8).flat_map(|band| rows.iter().map(move |r| r[band].parse().unwrap())).collect();
    let quality = rows.iter().map(|r| class(r[9].parse().unwrap())).collect();
    Some((days, values, quality))
}

#[test]
fn ordinal_days() {
    assert_eq!(ordinal("0001-01-01"), 1.0);
    assert_eq!(ordinal("1970-01-01"), 719_163.0);
    assert_eq!(ordinal("2000-02-29"), 730_179.0);
}

/// Changes that pyxccd 1.1.0 (COLD) and cdts 0.23.0 (CCDC) report for the same pixels, run as black boxes.
#[test]
fn real_pixels() {
    let peers = [
        ("pixel_3657_3610.csv", Variant::Cold, vec![727_731.0, 731_411.0, 734_251.0]),
        ("pixel_3657_3610.csv", Variant::Ccdc, vec![725_091.0, 727_715.0, 731_411.0, 734_251.0]),
        ("wa_normal.csv", Variant::Cold, vec![725_356.0]),
        ("wa_normal.csv", Variant::Ccdc, vec![725_356.0]),
    ];
    let mut work = Work::default();
    for (name, variant, changes) in peers {
        let Some((days, values, quality)) = real(name) else { return };
        let ccdc = Ccdc::new(scaled(variant), &days).unwrap();
        let segments = ccdc.segments(&values, &quality, &mut work);
        let found: Vec<f64> = segments.iter().filter_map(|s| s.change).collect();
        for change in &changes {
            assert!(found.contains(change), "{name} {variant:?}: {change} not among {found:?}");
        }
        assert!(found.len() <= changes.len() + 2, "{name} {variant:?}: {found:?}");
    }
}

#[test]
fn mostly_snow_is_one_model() {
    let Some((days, values, quality)) = real("wa_persistent_snow.csv") else { return };
    let ccdc = Ccdc::new(scaled(Variant::Ccdc), &days).unwrap();
    let mut work = Work::default();
    let segments = ccdc.segments(&values, &quality, &mut work);
    assert_eq!((segments.len(), segments[0].category(), segments[0].procedure), (1, 54, Procedure::Snow));
}

/// Stored models of another implementation for a real pixel: where one of them and one of ours cover the same time, they
/// draw the same curve.
#[test]
fn stored_models_have_the_same_shape() {
    let Some((days, values, quality)) = real("pixel_3657_3610.csv") else { return };
    let stored = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/timeseries_landsat_pixels/pixel_3657_3610_ccdc_coefficients.csv");
    let text = std::fs::read_to_string(stored).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|l| l.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let ccdc = Ccdc::new(scaled(Variant::Ccdc), &days).unwrap();
    let mut work = Work::default();
    let segments = ccdc.segments(&values, &quality, &mut work);
    let mut compared = 0;
    for model in rows.chunks(8) {
        let (start, end) = (model[0][0], model[0][1]);
        let nir: Vec<f64> = model.iter().map(|row| row[5]).collect();
        for segment in segments {
            let (from, to) = (start.max(segment.start), end.min(segment.end));
            if to - from < 0.8 * (segment.end - segment.start).max(end - start) {
                continue;
            }
            compared += 1;
            let (mut off, mut count) = (0.0, 0.0);
            let mut day = from;
            while day <= to {
                off += (ccdc.predict(segment, 3, day) - curve(&nir, day)).powi(2);
                count += 1.0;
                day += 16.0;
            }
            assert!((off / count).sqrt() < segment.rmse[3], "{start} {end}: {}", (off / count).sqrt());
        }
    }
    assert!(compared >= 1);
}

/// A small generator of its own, so that the series are the same everywhere.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

const STEP_AT: usize = 90;

/// A seasonal series of six bands every 16 days over 180 dates, with a step in all bands from date 90 on.
fn seasonal(seed: u64, step: f64) -> (Vec<f64>, Vec<f32>) {
    let mut noise = Noise(seed);
    let days: Vec<f64> = (0..180).map(|i| 728_000.0 + 16.0 * f64::from(i)).collect();
    let mut values = Vec::new();
    for band in 0..6 {
        for (i, day) in days.iter().enumerate() {
            let wave = (day * std::f64::consts::TAU / 365.25).cos();
            let level = 600.0 + 300.0 * f64::from(band) + 100.0 * wave + 40.0 * noise.normal();
            values.push((level + if i >= STEP_AT { step } else { 0.0 }) as f32);
        }
    }
    (days, values)
}

fn run(settings: Settings, days: &[f64], values: &[f32], quality: &[Quality]) -> Vec<Segment> {
    let mut work = Work::default();
    Ccdc::new(settings, days).unwrap().segments(values, quality, &mut work).to_vec()
}

#[test]
fn a_stationary_series_rarely_breaks_and_a_step_is_found() {
    for (variant, name) in VARIANTS {
        let (mut quiet, mut found) = (0, 0);
        for seed in 0..50 {
            let (days, values) = seasonal(seed, 0.0);
            let clear = vec![Quality::Clear; days.len()];
            let segments = run(scaled(variant), &days, &values, &clear);
            quiet += usize::from(segments.len() == 1 && segments[0].probability < 1.0);
            let (days, values) = seasonal(seed, 400.0);
            let segments = run(scaled(variant), &days, &values, &clear);
            let near = |s: &Segment| s.change.is_some_and(|day| (day - days[STEP_AT]).abs() <= 6.0 * 16.0);
            if let Some(before) = segments.iter().find(|s| near(s)) {
                found += 1;
                assert!(before.magnitude[..6].iter().all(|m| (m - 400.0).abs() < 150.0), "{name} {seed}: {before:?}");
            }
        }
        assert!(quiet >= 45, "{name}: {quiet} of 50 quiet");
        assert!(found >= 48, "{name}: {found} of 50 found");
    }
}

#[test]
fn one_index() {
    let (days, values) = seasonal(3, 0.0);
    let index: Vec<f32> =
        (0..days.len()).map(|i| values[i] / 10_000.0 - if i >= STEP_AT { 0.3 } else { 0.0 }).collect();
    for (variant, _) in VARIANTS {
        let segments = run(Settings::index(variant), &days, &index, &vec![Quality::Clear; days.len()]);
        assert_eq!(segments.len(), 2);
        assert!((segments[0].change.unwrap() - days[STEP_AT]).abs() <= 32.0);
        assert!((segments[0].magnitude[0] + 3000.0).abs() < 100.0, "{:?}", segments[0].magnitude);
    }
}

#[test]
fn series_without_use() {
    let (days, values) = seasonal(1, 0.0);
    let n = days.len();
    for (variant, _) in VARIANTS {
        assert!(run(scaled(variant), &days, &values, &vec![Quality::Obscured; n]).is_empty());
        assert!(run(scaled(variant), &days, &values, &vec![Quality::Missing; n]).is_empty());
        assert!(run(scaled(variant), &days, &vec![f32::NAN; 6 * n], &vec![Quality::Clear; n]).is_empty());
        let snow = run(scaled(variant), &days, &values, &vec![Quality::Snow; n]);
        assert_eq!((snow.len(), snow[0].category(), snow[0].observations), (1, 54, n));
        let mut few = vec![Quality::Missing; n];
        few[..11].fill(Quality::Clear);
        assert!(run(scaled(variant), &days, &values, &few).is_empty());
        few[11] = Quality::Clear;
        // Twelve in half a year: no first model, so one late segment.
        let late = run(scaled(variant), &days, &values, &few);
        assert_eq!((late.len(), late[0].category(), late[0].change), (1, 24, None));
        // A fifth clear, none of it snow.
        let mut rare = vec![Quality::Obscured; n];
        rare.iter_mut().step_by(5).for_each(|q| *q = Quality::Water);
        let one = run(scaled(variant), &days, &values, &rare);
        assert_eq!((one.len(), one[0].procedure), (1, Procedure::Insufficient));
        assert!(run(scaled(variant), &[], &[], &[]).is_empty());
        assert!(run(scaled(variant), &days, &values[1..], &vec![Quality::Clear; n]).is_empty());
    }
}

#[test]
fn constants_and_repeated_dates() {
    for (variant, _) in VARIANTS {
        let (days, values) = seasonal(1, 0.0);
        let clear = vec![Quality::Clear; days.len()];
        let flat = run(scaled(variant), &days, &vec![500.0; values.len()], &clear);
        assert_eq!((flat.len(), flat[0].change), (1, None));
        assert!(flat[0].rmse.iter().all(|r| *r < 1e-3), "{flat:?}");
        let twice: Vec<f64> = days.iter().flat_map(|d| [*d, *d]).collect();
        let doubled: Vec<f32> = values.iter().flat_map(|v| [*v, 9999.0]).collect();
        let classes = vec![Quality::Clear; twice.len()];
        // The first of a date counts, so the second copies change nothing.
        assert_eq!(run(scaled(variant), &twice, &doubled, &classes), run(scaled(variant), &days, &values, &clear));
        let same_day = vec![728_000.0; days.len()];
        assert!(run(scaled(variant), &same_day, &values, &clear).is_empty());
    }
}

#[test]
fn settings_are_checked() {
    let good = Settings::reflectance(Variant::Cold);
    assert!(Ccdc::new(good.clone(), &[1.0, 2.0, 2.0]).is_ok());
    let bad = [
        Settings { bands: 0, ..good.clone() },
        Settings { bands: 9, ..good.clone() },
        Settings { detection: vec![], ..good.clone() },
        Settings { detection: vec![1, 1], ..good.clone() },
        Settings { detection: vec![6], ..good.clone() },
        Settings { cloud_bands: vec![0, 1, 2], ..good.clone() },
        Settings { scale: 0.0, ..good.clone() },
        Settings { valid_range: (1.0, 1.0), ..good.clone() },
        Settings { probability: 1.0, ..good.clone() },
        Settings { probability: f64::NAN, ..good.clone() },
        Settings { conse: 1, ..good.clone() },
        Settings { lambda: -1.0, ..good.clone() },
        Settings { minimum: 5, ..good.clone() },
        Settings { period: 0.0, ..good.clone() },
        Settings { harmonics: 4, ..good.clone() },
    ];
    for settings in bad {
        let message = Ccdc::new(settings, &[]).unwrap_err().to_string();
        assert!(message.contains("expected") && !message.contains('\n'), "{message}");
    }
    assert!(Ccdc::new(good.clone(), &[2.0, 1.0]).is_err());
    assert!(Ccdc::new(good, &[f64::NAN]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Values, penalty and range scaled alike give the same segments, scaled.
    #[test]
    fn scaling(seed in 0_u64..1000, step in prop::sample::select(vec![0.0, 300.0]), cold in any::<bool>()) {
        let variant = if cold { Variant::Cold } else { Variant::Ccdc };
        let (days, values) = seasonal(seed, step);
        let clear = vec![Quality::Clear; days.len()];
        let one = run(scaled(variant), &days, &values, &clear);
        // A power of two is exact in f32.
        let more = Settings { lambda: 80.0, valid_range: (0.0, 40_000.0), ..scaled(variant) };
        let fourfold: Vec<f32> = values.iter().map(|v| 4.0 * v).collect();
        let four = run(more, &days, &fourfold, &clear);
        prop_assert_eq!(one.len(), four.len());
        for (a, b) in one.iter().zip(&four) {
            prop_assert_eq!((a.start, a.end, a.change, a.observations), (b.start, b.end, b.change, b.observations));
            for band in 0..6 {
                prop_assert!((4.0 * a.rmse[band] - b.rmse[band]).abs() < 1e-3 * b.rmse[band]);
            }
        }
    }

    /// Whatever the values and classes, segments are in order, apart and finite, and a second run gives the same bits.
    #[test]
    fn hostile_series(
        dates in prop::collection::vec((0_u16..4000, 0_u8..5, prop::array::uniform6(prop::num::f32::ANY)), 0..90),
        tame in any::<bool>(),
        cold in any::<bool>(),
    ) {
        let mut dates = dates;
        dates.sort_by_key(|d| d.0);
        let days: Vec<f64> = dates.iter().map(|d| 730_000.0 + f64::from(d.0)).collect();
        let bounded = |v: f32| if tame && v.is_finite() { v.abs() % 9000.0 + 1.0 } else { v };
        let values: Vec<f32> = (0..6).flat_map(|b| dates.iter().map(move |d| bounded(d.2[b]))).collect();
        let quality: Vec<Quality> = dates.iter().map(|d| class(f64::from(d.1 % 4))).collect();
        let variant = if cold { Variant::Cold } else { Variant::Ccdc };
        let ccdc = Ccdc::new(scaled(variant), &days).unwrap();
        let mut work = Work::default();
        let first = ccdc.segments(&values, &quality, &mut work).to_vec();
        let second = ccdc.segments(&values, &quality, &mut work);
        prop_assert_eq!(&first[..], second);
        for pair in first.windows(2) {
            prop_assert!(pair[0].end < pair[1].start);
        }
        for segment in &first {
            prop_assert!(segment.start <= segment.end);
            prop_assert!(segment.change.is_none_or(|day| day > segment.end));
            prop_assert!((0.0..=1.0).contains(&segment.probability));
            prop_assert!(segment.rmse.iter().chain(&segment.magnitude).all(|v| v.is_finite()));
            prop_assert!(segment.coefficients.iter().flatten().all(|v| v.is_finite()));
        }
    }
}
