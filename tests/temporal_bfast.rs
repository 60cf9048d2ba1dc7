//! BFAST Monitor against R bfast, and what must hold for any series.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use proptest::prelude::*;
use regrow::temporal::bfast::{Axis, BfastFit, BfastMonitor, BfastSettings, BfastWork, History, Process, Unfitted};
use serde_json::Value;

fn oracle(name: &str) -> Value {
    let path = format!("{}/fixtures/oracles/temporal/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn series(case: &Value) -> Vec<f64> {
    case["y"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn close(got: f64, want: &Value, tolerance: f64, what: &str) {
    let want = want.as_f64().unwrap();
    // Expected values carry 12 digits of the unit of the series.
    assert!((got - want).abs() <= tolerance * want.abs() + 1e-11, "{what}: {got}, expected {want}");
}

#[test]
fn reference_series() {
    let oracle = oracle("bfastmonitor.json");
    let mut work = BfastWork::default();
    let mut seen = 0;
    for case in oracle["cases"].as_array().unwrap() {
        let y = series(case);
        let frequency = case["freq"].as_u64().unwrap() as u32;
        for (history, key) in [(History::All, "history_all"), (History::Roc, "history_ROC")] {
            let what = format!("{} {key}", case["id"]);
            let want = &case[key];
            let axis = Axis::regular(case["start"].as_f64().unwrap(), frequency, y.len()).unwrap();
            let settings = BfastSettings {
                order: case["order"].as_u64().unwrap() as u32,
                history,
                process: Process::Mosum {
                    window: case["h"].as_f64().unwrap(),
                    period: case["period"].as_u64().unwrap() as u32,
                },
                level: case["level"].as_f64().unwrap(),
                ..BfastSettings::new(case["monitor_start"].as_f64().unwrap())
            };
            let monitor = BfastMonitor::new(settings, axis).unwrap();
            let got = monitor.run(&y, &mut work).unwrap();
            match want["breakpoint_time"].as_f64() {
                None => assert_eq!(got.break_time, None, "{what}"),
                Some(t) => {
                    assert!((got.break_time.unwrap() - t).abs() < 1e-6, "{what}: {:?}, expected {t}", got.break_time);
                }
            }
            close(got.magnitude.unwrap(), &want["magnitude"], 1e-6, &what);
            assert!((got.history_start - want["history_start"].as_f64().unwrap()).abs() < 1e-6, "{what}: {got:?}");
            assert!((got.history_end - want["history_end"].as_f64().unwrap()).abs() < 1e-6, "{what}: {got:?}");
            assert_eq!(got.n_history as u64, want["n_history"].as_u64().unwrap(), "{what}");
            close(got.sigma, &want["sigma"], 1e-6, &what);
            let names = monitor.coefficient_names();
            let coefficients = want["coef"].as_object().unwrap();
            assert_eq!(coefficients.len(), names.len());
            for (c, (name, value)) in work.coefficients().iter().zip(coefficients) {
                close(*c, value, 1e-6, &format!("{what} {name}"));
            }
            let path = monitor.process(&y, &mut work).unwrap();
            let first = want["process_first12"].as_array().unwrap();
            assert_eq!(first.len(), 12);
            for ((_, got, _), want) in path.iter().zip(first) {
                close(*got, want, 1e-6, &format!("{what} process"));
            }
            // The path tells the same story as the result.
            let outside = path.iter().find(|(_, p, b)| p.abs() > *b).map(|p| p.0);
            assert_eq!(outside, got.break_time, "{what}");
            seen += 1;
        }
    }
    assert_eq!(seen, 28);
}

#[test]
fn reference_breakpoints_and_cusum_monitoring() {
    let (series_of, oracle) = (oracle("bfastmonitor.json"), oracle("bfast_strucchange.json"));
    let mut work = BfastWork::default();
    let (mut breaks, mut alarms) = (0, 0);
    for (case, want) in series_of["cases"].as_array().unwrap().iter().zip(oracle["cases"].as_array().unwrap()) {
        assert_eq!(case["id"], want["id"]);
        let y = series(case);
        let start = case["start"].as_f64().unwrap();
        let frequency = case["freq"].as_u64().unwrap() as u32;
        let axis = Axis::regular(start, frequency, y.len()).unwrap();
        let settings = BfastSettings {
            order: case["order"].as_u64().unwrap() as u32,
            history: History::Bp,
            process: Process::Cusum,
            ..BfastSettings::new(case["monitor_start"].as_f64().unwrap())
        };
        let monitor = BfastMonitor::new(settings, axis.clone()).unwrap();
        let got = monitor.run(&y, &mut work).unwrap();
        let before = want["breakpoints"].as_array().unwrap().last().map_or(0, |b| b.as_u64().unwrap() as usize);
        assert_eq!(got.n_history, want["n"].as_u64().unwrap() as usize - before, "{}", case["id"]);
        let valid: Vec<usize> = (0..y.len()).filter(|&r| !y[r].is_nan()).collect();
        assert_eq!(got.history_start, axis.time(axis.steps()[valid[before]]), "{}", case["id"]);
        breaks += usize::from(before > 0);
        for cusum in want["cusum"].as_array().unwrap() {
            let what = format!("{} trend {}", case["id"], cusum["trend"]);
            let settings =
                BfastSettings { history: History::All, trend: cusum["trend"].as_bool().unwrap(), ..settings };
            let monitor = BfastMonitor::new(settings, axis.clone()).unwrap();
            let got = monitor.run(&y, &mut work).unwrap();
            assert_eq!(
                got.break_time.is_some(),
                cusum["break_time"].is_f64() || cusum["break_time"].is_u64(),
                "{what}"
            );
            if let Some(t) = got.break_time {
                assert!((t - cusum["break_time"].as_f64().unwrap()).abs() < 1e-6, "{what}");
                alarms += 1;
            }
            assert_eq!(got.break_time.is_some(), got.confidence.unwrap() > 0.95, "{what}: {got:?}");
            let path = monitor.process(&y, &mut work).unwrap();
            for ((_, got, _), want) in path.iter().zip(cusum["process_first12"].as_array().unwrap()) {
                close(*got, want, 1e-6, &what);
            }
            let (_, last, _) = path.last().unwrap();
            close(*last, &cusum["process_last"], 1e-6, &what);
        }
    }
    assert!(breaks == 3 && alarms > 5 && alarms < 28, "{breaks} {alarms}");
}

const MOSUM: Process = Process::Mosum { window: 0.5, period: 10 };

fn monitor(axis: Axis, order: u32, history: History, process: Process) -> BfastMonitor {
    let settings = BfastSettings { order, history, process, ..BfastSettings::new(2004.0) };
    BfastMonitor::new(settings, axis).unwrap()
}

fn history(index: u8) -> History {
    [History::All, History::Roc, History::Bp][usize::from(index)]
}

fn noisy() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(prop_oneof![3 => -1.0..1.0f64, 1 => Just(f64::NAN)], 72)
}

/// The break and the counts of two fits, which rounding must not change, and the rest to a tolerance.
fn alike(a: &BfastFit, b: &BfastFit, scale: f64) -> bool {
    let near = |x: f64, y: f64| (x * scale - y).abs() <= 1e-7 * y.abs().max(scale);
    (a.break_row, a.n_history, a.n_monitoring) == (b.break_row, b.n_history, b.n_monitoring)
        && near(a.sigma, b.sigma)
        && near(a.magnitude.unwrap_or(0.0), b.magnitude.unwrap_or(0.0))
}

proptest! {
    #[test]
    fn trend_season_and_scale_move_nothing(values in noisy(), which in 0u8..3, cusum in any::<bool>(), power in -8i32..8) {
        let monitor = monitor(Axis::regular(2000.0, 12, 72).unwrap(), 1, history(which), if cusum { Process::Cusum } else { MOSUM });
        let mut work = BfastWork::default();
        // A power of two scales without rounding.
        let scale = f64::powi(2.0, power);
        let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
        let moved: Vec<f64> =
            values.iter().enumerate().map(|(i, v)| v + 3.0 - 0.02 * i as f64 + (std::f64::consts::TAU * i as f64 / 12.0).sin()).collect();
        let fit = monitor.run(&values, &mut work);
        match (&fit, monitor.run(&scaled, &mut work), monitor.run(&moved, &mut work)) {
            (Ok(fit), Ok(scaled), Ok(moved)) => prop_assert!(alike(fit, &scaled, scale) && alike(fit, &moved, 1.0)),
            (fit, scaled, moved) => prop_assert!(fit.err() == scaled.err() && fit.err() == moved.err()),
        }
    }

    #[test]
    fn rows_that_are_gaps_everywhere_may_be_left_out(values in noisy(), which in 0u8..3) {
        let full = monitor(Axis::regular(2000.0, 12, 72).unwrap(), 1, history(which), MOSUM);
        let mut values = values;
        // The axis begins with the first row in either case.
        values[0] = 0.25;
        let dates: Vec<(i32, u16)> =
            (0..72u16).filter(|&i| !values[usize::from(i)].is_nan()).map(|i| (2000 + i32::from(i / 12), i % 12 * 31 + 1)).collect();
        let sparse: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let axis = Axis::from_dates(&dates, 12).unwrap();
        let mut work = BfastWork::default();
        let a = full.run(&values, &mut work);
        let coefficients = work.coefficients().to_vec();
        let b = monitor(axis, 1, history(which), MOSUM).run(&sparse, &mut work);
        if let (Ok(a), Ok(b)) = (&a, &b) {
            prop_assert_eq!((a.break_time, a.history_start, a.history_end), (b.break_time, b.history_start, b.history_end));
            prop_assert!((a.sigma - b.sigma).abs() < 1e-10);
            for (x, y) in coefficients.iter().zip(work.coefficients()) {
                prop_assert!((x - y).abs() < 1e-9 * (1.0 + y.abs()));
            }
        } else {
            prop_assert_eq!(a.err(), b.err());
        }
    }

    #[test]
    fn nothing_is_left_over_from_other_pixels(series in proptest::collection::vec((noisy(), 0u8..3, any::<bool>()), 1..8)) {
        let mut shared = BfastWork::default();
        for (values, which, long) in series {
            let values = &values[..if long { 72 } else { 64 }];
            let monitor = monitor(Axis::regular(2000.0, 12, values.len()).unwrap(), 2, history(which), MOSUM);
            prop_assert_eq!(monitor.run(values, &mut shared), monitor.run(values, &mut BfastWork::default()));
        }
    }

    #[test]
    fn hostile_values_end_in_a_result_or_a_reason(
        values in proptest::collection::vec(
            prop_oneof![Just(f64::NAN), Just(0.0), Just(1e300), Just(-1e-300), Just(f64::INFINITY), Just(f64::MAX), -1.0..1.0f64], 72
        ),
        which in 0u8..3,
    ) {
        let monitor = monitor(Axis::regular(2000.0, 12, 72).unwrap(), 1, history(which), Process::Cusum);
        if let Ok(fit) = monitor.run(&values, &mut BfastWork::default()) {
            prop_assert!(fit.sigma > 0.0 && fit.sigma.is_finite() && fit.n_history > 4);
        }
    }
}

#[test]
fn series_without_a_fit_say_why() {
    let monitor = monitor(Axis::regular(2000.0, 12, 72).unwrap(), 1, History::All, MOSUM);
    let mut work = BfastWork::default();
    let mut run = |values: &[f64]| monitor.run(values, &mut work).unwrap_err();
    for valid in 0..=4 {
        let values: Vec<f64> =
            (0..72).map(|i| if i < valid || i >= 48 { f64::from(i * i % 7) } else { f64::NAN }).collect();
        assert_eq!(run(&values), Unfitted::TooFew);
    }
    assert_eq!(run(&[0.3; 72]), Unfitted::NoVariation);
    assert_eq!(run(&[0.0; 72]), Unfitted::NoVariation);
    // Two months a year tell one harmonic value, not cosine and sine.
    let values: Vec<f64> =
        (0..72).map(|i| if i % 12 == 1 || i % 12 == 2 { f64::from(i * i % 7) } else { f64::NAN }).collect();
    assert_eq!(run(&values), Unfitted::Undetermined);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let axis = || Axis::regular(2000.0, 12, 72).unwrap();
    let good = BfastSettings::new(2004.0);
    assert!(BfastMonitor::new(good, axis()).is_ok());
    for bad in [
        BfastSettings { monitor_start: 2000.5, ..good },
        BfastSettings { monitor_start: f64::NAN, ..good },
        BfastSettings { order: 7, ..good },
        BfastSettings { level: 0.06, ..good },
        BfastSettings { process: Process::Mosum { window: 0.3, period: 10 }, ..good },
        BfastSettings { process: Process::Cusum, level: 0.0, ..good },
    ] {
        let error = BfastMonitor::new(bad, axis()).unwrap_err();
        assert_eq!(error.kind().exit_code(), 2, "{bad:?}: {error}");
    }
}

#[test]
fn a_history_that_is_cut_to_few_months_is_still_fitted_exactly() {
    // All history but the last year is gaps: the normal equations of the whole would lose digits.
    let axis = Axis::regular(2000.0, 23, 8 * 23).unwrap();
    let monitor = monitor(axis, 3, History::All, MOSUM);
    let model = |i: usize| {
        let t = std::f64::consts::TAU * i as f64 / 23.0;
        0.4 + 1e-3 * (i as f64 + 1.0) + 0.2 * t.cos() - 0.1 * (2.0 * t).sin() + 0.05 * (3.0 * t).cos()
    };
    let values: Vec<f64> =
        (0..8 * 23).map(|i| if i < 70 { f64::NAN } else { model(i) + if i % 2 == 0 { 1e-6 } else { -1e-6 } }).collect();
    let mut work = BfastWork::default();
    let fit = monitor.run(&values, &mut work).unwrap();
    assert_eq!(fit.n_history, 22);
    for (c, want) in work.coefficients().iter().zip([0.4, 1e-3, 0.2, 0.0, 0.05, 0.0, -0.1, 0.0]) {
        assert!((c - want).abs() < 2e-5, "{:?}", work.coefficients());
    }
}
