//! Trends against their oracles: every case, every field.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use regrow::temporal::trend::mann_kendall::{Correction, MannKendall, Prewhitening, Test};
use regrow::temporal::trend::{contextual, harmonic, mann_kendall, seasonal, theil_sen};
use serde_json::Value;

fn oracle(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/oracles/temporal/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(list: &Value) -> Vec<Option<f64>> {
    list.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn close(got: f64, want: &Value, tolerance: f64, what: &str) {
    let want = want.as_f64().unwrap_or_else(|| panic!("{what}: no number"));
    // Beside the tolerance: the files have 12 significant digits.
    let tolerance = tolerance.max(5e-12 * want.abs());
    assert!((got - want).abs() <= tolerance, "{what}: {got}, not {want}");
}

/// The observations of a series with gaps, at times counted from 0 or as given.
fn valid(x: &Value, t: Option<&Value>) -> (Vec<f64>, Vec<f64>) {
    let times = t.map(numbers);
    let time = |i: usize| times.as_ref().map_or(i as f64, |t| t[i].unwrap());
    numbers(x).iter().enumerate().filter_map(|(i, v)| v.map(|v| (time(i), v))).unzip()
}

fn tested(got: Option<Test>, want: &Value, what: &str) {
    if want["p"].is_null() {
        assert!(got.is_none(), "{what}: {got:?}, not undefined");
        return;
    }
    let got = got.unwrap_or_else(|| panic!("{what}: undefined"));
    assert_eq!(got.s as f64, want["s"].as_f64().unwrap(), "{what}: S");
    close(got.variance, &want["var_s"], 1e-9, &format!("{what}: variance"));
    close(got.z, &want["z"], 1e-9, &format!("{what}: z"));
    close(got.p, &want["p"], 1e-9, &format!("{what}: p"));
    close(got.tau, &want["Tau"], 1e-9, &format!("{what}: tau"));
    assert_eq!(got.p < 0.05, want["h"].as_bool().unwrap(), "{what}: h");
    let trend = if got.p >= 0.05 {
        "no trend"
    } else if got.z > 0.0 {
        "increasing"
    } else {
        "decreasing"
    };
    assert_eq!(trend, want["trend"].as_str().unwrap(), "{what}: trend");
}

#[test]
fn mann_kendall_and_theil_sen() {
    let correction = |lags| Correction { lags, ..Correction::default() };
    let variants = [
        ("original", Prewhitening::None, None),
        ("prewhitening", Prewhitening::Prewhiten, None),
        ("tfpw", Prewhitening::Tfpw, None),
        ("hamed_rao", Prewhitening::HamedRao, None),
        ("hamed_rao_lag3", Prewhitening::HamedRao, Some(3)),
        ("yue_wang", Prewhitening::YueWang, None),
        ("yue_wang_lag1", Prewhitening::YueWang, Some(1)),
    ];
    let (mut work, mut sen) = (mann_kendall::Work::default(), theil_sen::Work::default());
    let mut done = [0; 9];
    for case in oracle("mann_kendall") {
        let id = case["id"].as_str().unwrap();
        let (times, values) = valid(&case["x"], None);
        let line = theil_sen::line(&times, &values, &mut sen).unwrap();
        for (k, (name, kind, lags)) in variants.into_iter().enumerate() {
            let want = &case[name];
            if want.is_null() {
                continue;
            }
            let what = format!("{id} {name}");
            // The papers count from 1, and ties of residuals are broken by rounding, which depends on it.
            let counted: Vec<f64> = times.iter().map(|t| t + 1.0).collect();
            let got = MannKendall::new(kind, correction(lags)).unwrap().test(&counted, &values, &mut work);
            tested(got, want, &what);
            close(line.slope, &want["slope"], 1e-9, &format!("{what}: slope"));
            close(line.intercept, &want["intercept"], 1e-9, &format!("{what}: intercept"));
            done[k] += 1;
        }
        close(line.slope, &case["sens"]["slope"], 1e-9, id);
        close(line.intercept, &case["sens"]["intercept"], 1e-9, id);
        done[7] += 1;
        let irregular = &case["irregular"];
        let (times, values) = valid(&case["x"], Some(&irregular["t"]));
        let line = theil_sen::line(&times, &values, &mut sen).unwrap();
        let (low, high) = theil_sen::Limits::new(0.95).unwrap().of(&times, &values, &mut sen).unwrap();
        for (got, name) in [(line.slope, "slope"), (line.intercept, "intercept"), (low, "lo"), (high, "hi")] {
            close(got, &irregular[name], 1e-9, &format!("{id} irregular {name}"));
        }
        done[8] += 1;
    }
    assert_eq!(done, [30, 24, 24, 24, 23, 24, 24, 30, 30]);
}

#[test]
fn seasonal_tests() {
    let mut work = seasonal::Work::default();
    let mut correlated = 0;
    for case in oracle("mann_kendall_seasonal") {
        let id = case["id"].as_str().unwrap();
        let (index, values) = valid(&case["x"], None);
        let times: Vec<f64> = index.iter().map(|i| i / 12.0).collect();
        let place = |i: &f64| seasonal::Place { season: (*i as u16) % 12, cycle: (*i as i32) / 12 };
        let places: Vec<seasonal::Place> = index.iter().map(place).collect();
        assert!(work.load(&times, &values, &places));
        tested(work.test(false), &case["seasonal"], &format!("{id} seasonal"));
        if !case["correlated_seasonal"].is_null() {
            tested(work.test(true), &case["correlated_seasonal"], &format!("{id} correlated"));
            correlated += 1;
        }
        let line = work.line().unwrap();
        for block in ["seasonal", "seasonal_sens", "correlated_seasonal"] {
            let Some(want) = case.get(block) else { continue };
            close(line.slope, &want["slope"], 1e-9, id);
            close(line.intercept, &want["intercept"], 1e-9, id);
        }
    }
    assert_eq!(correlated, 4);
}

#[test]
fn contextual_tests() {
    let mut work = contextual::Work::default();
    let cases = oracle("contextual_mk");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let rows: Vec<Vec<Option<f64>>> =
            case["window_rows_are_time"].as_array().unwrap().iter().map(numbers).collect();
        let series: Vec<Vec<f64>> =
            (0..9).map(|g| rows.iter().map(|row| row[g].unwrap_or(f64::NAN)).collect()).collect();
        let borrowed: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        let got = contextual::test(&borrowed, &mut work).unwrap();
        close(got.s, &case["S_mean"], 1e-9, &format!("{id} S_mean"));
        close(got.s * 9.0, &case["S_sum"], 1e-9, &format!("{id} S_sum"));
        close(got.variance, &case["var_mean"], 1e-9, &format!("{id} var_mean"));
        close(got.variance * 81.0, &case["var_sum_with_cov"], 1e-9, &format!("{id} var_sum_with_cov"));
        close(got.z, &case["z_cmk"], 1e-9, &format!("{id} z"));
        close(got.z, &case["z_continuity"], 1e-9, &format!("{id} z of the peer, which has no continuity correction"));
        close(got.p, &case["p_cmk"], 1e-9, &format!("{id} p"));
        let plain = MannKendall::new(Prewhitening::None, Correction::default()).unwrap();
        let mut sum = 0.0;
        for (g, one) in series.iter().enumerate() {
            let times: Vec<f64> = (0..one.len()).map(|i| i as f64).collect();
            let test = plain.test(&times, one, &mut mann_kendall::Work::default()).unwrap();
            close(test.s as f64, &case["per_pixel_S"][g], 0.0, id);
            close(test.variance, &case["per_pixel_var"][g], 1e-9, id);
            sum += test.variance;
        }
        close(sum, &case["var_sum_indep"], 1e-9, id);
    }
}

#[test]
fn harmonic_fits() {
    let mut work = harmonic::Work::default();
    let cases = oracle("harmonic");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let order = case["order"].as_u64().unwrap() as usize;
        let (times, values): (Vec<f64>, Vec<f64>) =
            numbers(&case["t_years"]).into_iter().zip(numbers(&case["y"])).filter_map(|(t, y)| Some((t?, y?))).unzip();
        let model = harmonic::Harmonic::new(order, case["t0"].as_f64().unwrap(), false).unwrap();
        let fit = model.fit(&times, &values, &mut work).unwrap();
        assert_eq!(fit.coefficients.len(), case["coef"].as_array().unwrap().len());
        for (i, &c) in fit.coefficients.iter().enumerate() {
            close(c, &case["coef"][i], 1e-8, &format!("{id} coefficient {i}"));
        }
        close(fit.rmse_unbiased, &case["rmse_n_minus_p"], 1e-8, id);
        close(fit.rmse, &case["rmse_n"], 1e-8, id);
        close(fit.r2.unwrap(), &case["r2"], 1e-8, id);
        for k in 0..order {
            let (amplitude, phase) = fit.wave(k + 1).unwrap();
            close(amplitude, &case["amplitude"][k], 1e-8, &format!("{id} amplitude {k}"));
            close(phase, &case["phase_rad_atan2_sin_cos"][k], 1e-8, &format!("{id} phase {k}"));
        }
        close(fit.peak().unwrap(), &case["peak_fraction_of_year_k1"], 1e-8, id);
    }
}
