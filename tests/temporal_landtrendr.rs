//! LandTrendr against published code (vertices, values, p, the path, the greatest loss) and its properties on hostile series.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use proptest::prelude::*;
use regrow::temporal::landtrendr::{Fit, LandTrendr, LandTrendrSettings, Work};
use regrow::temporal::segments::{Change, ChangeRule, Loss, Selection, segments_of};
use serde_json::Value;

fn oracle() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/oracles/temporal/landtrendr.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn years(value: &Value) -> Vec<i32> {
    value.as_array().unwrap().iter().map(|year| year.as_i64().unwrap() as i32).collect()
}

fn near(found: &[f64], expected: &Value, what: &str) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - number(expected)).abs() <= 1e-3, "{what}: {found} instead of {expected}");
    }
}

fn settings(case: &Value) -> LandTrendrSettings {
    let p = &case["params"];
    let count = |name: &str| p[name].as_u64().unwrap() as usize;
    LandTrendrSettings {
        max_segments: count("max_segments"),
        spike: number(&p["spike_threshold"]),
        overshoot: count("vertex_count_overshoot"),
        pval: number(&p["pval"]),
        recovery: number(&p["recovery_threshold"]),
        best_model: number(&p["best_model_proportion"]),
        min_obs: count("min_obs"),
        ..LandTrendrSettings::default()
    }
}

/// Years and values of the years that have one, and the years of the stack.
fn series(case: &Value) -> (Vec<i32>, Vec<f64>, Vec<i32>) {
    let stack = years(&case["years"]);
    let valid = stack.iter().zip(case["values"].as_array().unwrap()).filter_map(|(year, v)| Some((*year, v.as_f64()?)));
    let (years, values) = valid.unzip();
    (years, values, stack)
}

fn check(case: &Value, fit: &Fit, work: &Work) {
    let id = case["id"].as_str().unwrap();
    assert_eq!(work.vertex_years(), years(&case["vertex_years"]), "{id}");
    near(work.vertex_values(), &case["vertex_values"], id);
    near(work.fitted(), &case["fitted"], id);
    // All tails of the file are given to six digits, so the deep ones are held to the same tolerance.
    let p = number(&case["p_of_f"]);
    assert!((fit.p / p - 1.0).abs() <= 1e-3, "{id}: p {:e} instead of {p:e}", fit.p);
    assert!((fit.rmse - number(&case["rmse_to_raw"])).abs() <= 1e-3, "{id}");
    let mut segments = Vec::new();
    segments_of(work.vertex_years(), work.vertex_values(), &mut segments);
    let rule = ChangeRule::new(Loss::Falls, 0.0, None).unwrap();
    let found = rule.select(&segments, Change::Disturbance, Selection::Greatest);
    let expected = &case["greatest_loss"];
    assert_eq!(found.is_none(), expected.is_null(), "{id}");
    if let Some(loss) = found {
        assert_eq!(i64::from(loss.start), expected["start"].as_i64().unwrap(), "{id}");
        assert_eq!(i64::from(loss.end), expected["end"].as_i64().unwrap(), "{id}");
        assert_eq!(i64::from(loss.duration()), expected["dur"].as_i64().unwrap(), "{id}");
        for (found, name) in [(loss.pre, "pre"), (loss.post, "post"), (loss.magnitude(), "mag"), (loss.rate(), "rate")]
        {
            assert!((found - number(&expected[name])).abs() <= 1e-3, "{id}: {name} {found}");
        }
    }
}

#[test]
fn every_series_of_the_oracle() {
    let mut work = Work::default();
    let oracle = oracle();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 50);
    for case in cases {
        let (years, values, stack) = series(case);
        let method = LandTrendr::new(settings(case)).unwrap();
        let fit = method.fit(&years, &values, stack[0], stack[stack.len() - 1], &mut work).unwrap();
        check(case, &fit, &work);
        // A flat answer, and only that, has no slope.
        assert_eq!(fit.flat, fit.p == 1.0 && work.vertex_values()[0] == work.vertex_values()[1]);
    }
}

#[test]
fn values_turned_over_give_the_path_turned_over() {
    let (mut work, mut turned) = (Work::default(), Work::default());
    for case in oracle()["cases"].as_array().unwrap() {
        let (years, values, stack) = series(case);
        let (first, last) = (stack[0], stack[stack.len() - 1]);
        let falls = settings(case);
        let rises = LandTrendrSettings { loss: Loss::Rises, ..falls };
        let opposite: Vec<f64> = values.iter().map(|value| -value).collect();
        let a = LandTrendr::new(falls).unwrap().fit(&years, &values, first, last, &mut work).unwrap();
        let b = LandTrendr::new(rises).unwrap().fit(&years, &opposite, first, last, &mut turned).unwrap();
        assert_eq!((a.p, a.f, work.vertex_years()), (b.p, b.f, turned.vertex_years()));
        for (value, opposite) in work.vertex_values().iter().zip(turned.vertex_values()) {
            assert!((value + opposite).abs() < 1e-9);
        }
    }
}

#[test]
fn neither_the_unit_nor_the_zero_nor_the_century_matters() {
    let mut work = Work::default();
    for case in oracle()["cases"].as_array().unwrap() {
        let (years, values, stack) = series(case);
        let method = LandTrendr::new(settings(case)).unwrap();
        let shifted: Vec<i32> = years.iter().map(|year| year + 1000).collect();
        // Powers of two and whole offsets keep the values exact.
        let scaled: Vec<f64> = values.iter().map(|value| (value + 4096.0) * 8.0).collect();
        let a = method.fit(&years, &values, stack[0], stack[stack.len() - 1], &mut work).unwrap();
        let (vertices, path) = (work.vertex_years().to_vec(), work.fitted().to_vec());
        let b = method.fit(&shifted, &scaled, stack[0] + 1000, stack[stack.len() - 1] + 1000, &mut work).unwrap();
        assert!((a.p / b.p - 1.0).abs() < 1e-6 && (a.rmse - b.rmse / 8.0).abs() < 1e-6);
        assert!(vertices.iter().zip(work.vertex_years()).all(|(a, b)| a + 1000 == *b));
        assert!(path.iter().zip(work.fitted()).all(|(a, b)| (a - (b / 8.0 - 4096.0)).abs() < 1e-6));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the series, the path covers the stack, goes through its vertices, and has at most the segments allowed.
    #[test]
    fn any_series_gives_a_path(
        steps in prop::collection::vec((1..4_i32, prop_oneof![
            -1000.0..1000.0_f64, Just(0.0), Just(500.0), -1e-12..1e-12_f64, -1e30..1e30_f64, (-3..3_i32).prop_map(f64::from),
        ]), 1..60),
        before in 0..3_i32,
        after in 0..3_i32,
        max_segments in 2..9_usize,
        overshoot in 0..6_usize,
        spike in 0.1..1.0_f64,
        recovery in 0.05..1.0_f64,
        pval in 0.001..=1.0_f64,
        best_model in 0.0..=1.0_f64,
        prevent_one_year_recovery: bool,
    ) {
        let mut year = 1990;
        let (years, values): (Vec<i32>, Vec<f64>) = steps.iter().map(|(step, value)| { year += step; (year, *value) }).unzip();
        let (first, last) = (years[0] - before, year + after);
        let settings = LandTrendrSettings {
            max_segments, overshoot, spike, recovery, pval, best_model, prevent_one_year_recovery, ..LandTrendrSettings::default()
        };
        let mut work = Work::default();
        let fit = LandTrendr::new(settings).unwrap().fit(&years, &values, first, last, &mut work).unwrap();
        prop_assert!((0.0..=1.0).contains(&fit.p) && fit.f >= 0.0 && fit.rmse.is_finite());
        let vertices = work.vertex_years();
        prop_assert_eq!((vertices[0], vertices[vertices.len() - 1]), (first, last));
        prop_assert!(vertices.windows(2).all(|pair| pair[0] < pair[1]) || (fit.flat && first == last));
        prop_assert!(vertices.len() <= max_segments + 1);
        prop_assert_eq!(work.fitted().len() as i32, last - first + 1);
        for (year, value) in vertices.iter().zip(work.vertex_values()) {
            prop_assert!(value.is_finite());
            prop_assert_eq!(work.fitted()[(year - first) as usize], *value);
        }
        if prevent_one_year_recovery {
            for (year, value) in vertices.windows(2).zip(work.vertex_values().windows(2)) {
                let level = 1e-9 * value[0].abs().max(value[1].abs());
                prop_assert!(year[1] - year[0] > 1 || value[1] <= value[0] + level);
            }
        }
    }
}
