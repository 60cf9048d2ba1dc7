//! BFAST Monitor against R bfast, and what must hold for any series.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use regrow::temporal::bfast::{Axis, BfastMonitor, BfastSettings, BfastWork, History, Process};
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
                Some(t) => assert!((got.break_time.unwrap() - t).abs() < 1e-6, "{what}: {:?}, expected {t}", got.break_time),
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
            let settings = BfastSettings { history: History::All, trend: cusum["trend"].as_bool().unwrap(), ..settings };
            let monitor = BfastMonitor::new(settings, axis.clone()).unwrap();
            let got = monitor.run(&y, &mut work).unwrap();
            assert_eq!(got.break_time.is_some(), cusum["break_time"].is_f64() || cusum["break_time"].is_u64(), "{what}");
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
