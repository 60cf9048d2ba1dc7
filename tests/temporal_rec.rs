//! Recovery metrics and forecasts against their oracles.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use regrow::temporal::forecast::{Curve, ForecastSettings, Forecaster, Model, NoFit, Work};
use regrow::temporal::recovery::{Annual, Reason, Recovery, RecoverySettings, Target};
use serde_json::Value;

fn oracle(name: &str) -> Value {
    let path = format!("{}/fixtures/oracles/temporal/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn recovery_equals_the_reference() {
    let file = oracle("recovery.json");
    let settings = RecoverySettings::default();
    let two = Recovery::new(settings).unwrap();
    // The package takes the one year before the disturbance as the level before it in RRI.
    let one = Recovery::new(RecoverySettings { years_before: 1, ..settings }).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    let (mut reached, mut missed) = (0, 0);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let values = numbers(&case["values"]);
        let from = case["years_from"].as_i64().unwrap() as i32;
        let years: Vec<i32> = (from..).take(values.len()).collect();
        let series = Annual::new(&years, &values);
        let year = |key: &str| Some(case[key].as_i64().unwrap() as i32);
        let (d, r) = (year("disturbance_start"), year("restoration_start"));
        let m = two.metrics(series, None, d, r);
        let near = |key: &str, got: Result<f64, Reason>| {
            let (got, want) = (got.unwrap_or_else(|e| panic!("{id} {key}: {e:?}")), case[key].as_f64().unwrap());
            assert!((got - want).abs() <= 1e-9, "{id} {key}: {got}, expected {want}");
        };
        near("pre_mean_2yr", m.before);
        near("deltaIR_5", m.regrowth);
        near("YrYr_5", m.regrowth_rate);
        near("R80P_5", m.ratio);
        near("R80P_max45", m.ratio_greatest);
        near("RI_5", m.indicator);
        near("RRI_pre2", m.relative_indicator);
        near("RRI_5_package", one.metrics(series, None, d, r).relative_indicator);
        near("percent_recovery_last", m.percent_recovery);
        near("ratio_to_pre_last", m.percent_of_target.map(|p| p / 100.0));
        match case["Y2R_80"].as_f64() {
            Some(k) => {
                assert_eq!(m.years_to_recovery, Ok(k), "{id}");
                reached += 1;
            }
            None => {
                assert_eq!(m.years_to_recovery, Err(Reason::NotRecovered), "{id}");
                missed += 1;
            }
        }
        // The rule finds the year these series were made with, and what it finds is what was given.
        let found = two.metrics(series, None, None, r);
        assert_eq!(found, m, "{id}");
        // Without one bridgeable year the time to recovery is still there; what needs that year says so.
        let end = r.unwrap() + 5;
        let gap: Vec<usize> = (0..years.len()).filter(|&i| years[i] != end).collect();
        let (ys, vs): (Vec<i32>, Vec<f64>) = gap.iter().map(|&i| (years[i], values[i])).unzip();
        let holed = two.metrics(Annual::new(&ys, &vs), None, d, r);
        assert_eq!(holed.regrowth, Err(Reason::NoneAtYear), "{id}");
        assert!(holed.relative_indicator.is_ok() && holed.ratio_greatest.is_ok(), "{id}");
        assert!(!matches!(holed.years_to_recovery, Err(Reason::GapTooLong)), "{id}");
        // The same series as a bare soil index.
        let bare: Vec<f64> = values.iter().map(|v| 1.0 - v).collect();
        let reference = vec![0.0; years.len()];
        let settings = RecoverySettings { more_is_bare: true, target: Target::Reference, ..settings };
        let negated = Recovery::new(settings).unwrap().metrics(
            Annual::new(&years, &bare),
            Some(Annual::new(&years, &reference)),
            d,
            r,
        );
        for (a, b) in [
            (negated.drop, m.drop),
            (negated.regrowth, m.regrowth),
            (negated.indicator, m.indicator),
            (negated.relative_indicator, m.relative_indicator),
            (negated.percent_recovery, m.percent_recovery),
            (negated.change, m.change),
        ] {
            assert!((a.unwrap() - b.unwrap()).abs() < 1e-11 * (1.0 + b.unwrap().abs()), "{id}");
        }
        assert!((negated.before.unwrap() - (1.0 - m.before.unwrap())).abs() < 1e-15, "{id}");
        assert_eq!(negated.years_to_recovery, Err(Reason::TargetNotPositive), "{id}");
        assert_eq!(negated.percent_of_reference, Err(Reason::TargetNotPositive), "{id}");
    }
    assert!(reached > 0 && missed > 0);
}

#[test]
fn fits_and_bands_equal_scipy_and_numpy() {
    let file = oracle("forecast/forecast.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 50);
    let mut work = Work::default();
    let (mut fitted, mut refused) = (0, 0);
    for case in cases {
        let id = &case["id"];
        let years: Vec<i32> = numbers(&case["years"]).iter().map(|y| *y as i32).collect();
        let values = numbers(&case["values"]);
        let plateau = case["plateau"].as_f64();
        let settings = ForecastSettings { plateau, ..ForecastSettings::to(0.0) };
        let forecast = Forecaster::new(settings).unwrap().forecast(Annual::new(&years, &values), &mut work);
        let names = ["linear", "logistic_fixed", "logistic", "approach"];
        for (name, fit) in names.iter().zip(&forecast.fits) {
            let Some(want) = case["fits"].get(name) else { continue };
            if want.is_null() {
                assert_eq!(*fit, Err(NoFit::NotIdentified), "{id} {name}");
                refused += 1;
                continue;
            }
            let fit = fit.unwrap_or_else(|e| panic!("{id} {name}: {e:?}"));
            fitted += 1;
            let near = |what: &str, got: f64, want: f64, tol: f64| {
                assert!((got - want).abs() <= tol * want.abs().max(1e-3), "{id} {name} {what}: {got}, expected {want}");
            };
            near("rss", fit.squares, want["rss"].as_f64().unwrap(), 1e-9);
            assert!((fit.aicc - want["aicc"].as_f64().unwrap()).abs() < 1e-7, "{id} {name}");
            let p = numbers(&want["p"]);
            let start = f64::from(years[0]);
            let got = match fit.curve() {
                Curve::Linear { origin, level, slope } => vec![level + slope * (start - origin), slope],
                Curve::Logistic { plateau, rate, midpoint } => vec![midpoint - start, rate, plateau],
                Curve::Approach { origin, plateau, distance, rate } => {
                    vec![rate, plateau, distance * (rate * (origin - start)).exp()]
                }
            };
            p.iter().zip(got).for_each(|(want, got)| near("parameter", got, *want, 1e-5));
            let (value, half) = (numbers(&want["value"]), numbers(&want["half"]));
            for (i, year) in numbers(&case["years_ahead"]).into_iter().enumerate() {
                let band = fit.band(year);
                near("value", band.value, value[i], 1e-6);
                near("half", band.high - band.value, half[i], 1e-5);
                near("half", band.value - band.low, half[i], 1e-5);
            }
        }
        // The choice is the least of the criteria.
        let best = forecast.fit().unwrap();
        assert!(forecast.fits.iter().flatten().all(|f| best.aicc <= f.aicc), "{id}");
        assert!(Model::ALL.contains(&best.model));
    }
    assert!(fitted > 150 && refused > 10, "{fitted} {refused}");
}
