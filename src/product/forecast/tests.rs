use super::*;

fn curve(values: &[f64]) -> Vec<Point> {
    let at = |(i, v): (usize, &f64)| Point {
        time: 2010.0 + i as f64,
        count: 9.0,
        mean: *v,
        stdev: 0.0,
        quartiles: [v - 0.1, *v, v + 0.1],
    };
    values.iter().enumerate().map(at).collect()
}

fn question(target: f64) -> ForecastQuestion {
    ForecastQuestion {
        settings: ForecastSettings::to(target),
        more_is_bare: false,
        statistic: ZoneStatistic::Median,
        since: None,
        scenarios: vec![Scenario::Factor(2.0), Scenario::Rate(0.1)],
    }
}

fn told(question: ForecastQuestion, values: &[f64]) -> (ZoneForecaster, ZoneForecast) {
    let forecaster = ZoneForecaster::new(question).unwrap();
    let told = forecaster.forecast("z", &curve(values), &mut Work::default()).unwrap();
    (forecaster, told)
}

/// A fall, then a rise with some noise.
const VALUES: [f64; 9] = [0.7, 0.5, 0.1, 0.14, 0.22, 0.25, 0.31, 0.34, 0.41];

#[test]
fn growth_begins_at_the_lowest_value_unless_told() {
    let (_, lowest) = told(question(0.6), &VALUES);
    assert_eq!(lowest.span(), Some((2012, 2018)));
    assert_eq!(lowest.points.iter().filter(|p| p.2).count(), 2);
    let (_, since) = told(ForecastQuestion { since: Some(2013), ..question(0.6) }, &VALUES);
    assert_eq!(since.span(), Some((2013, 2018)));
}

#[test]
fn a_negated_index_has_the_same_years_and_its_own_values() {
    let (_, up) = told(question(0.6), &VALUES);
    let negated: Vec<f64> = VALUES.iter().map(|v: &f64| -*v).collect();
    let (forecaster, down) = told(ForecastQuestion { more_is_bare: true, ..question(-0.6) }, &negated);
    assert!(up.outlooks[0].1.year.is_ok());
    assert_eq!(up.outlooks, down.outlooks);
    let (a, b) = (up.band(2025.0).unwrap(), down.band(2025.0).unwrap());
    assert_eq!(a, [-b[2], -b[1], -b[0]]);
    assert!(b[0] < b[1] && b[1] < b[2]);
    let row = &forecaster.table(&[down]).rows[0];
    assert_eq!((&row[6], &row[8]), (&Value::Real(-0.41), &Value::Real(-0.6)));
}

#[test]
fn scenarios_shorten_the_way_from_the_fitted_value() {
    let (_, z) = told(question(0.6), &VALUES);
    assert_eq!(z.outlooks.iter().map(|o| o.0.as_str()).collect::<Vec<_>>(), ["as is", "rate x 2", "0.1 a year"]);
    let left: Vec<f64> = z.outlooks.iter().map(|o| o.1.year.unwrap() - 2018.0).collect();
    assert!((left[0] - 2.0 * left[1]).abs() < 1e-9, "{left:?}");
    assert!((left[2] - (0.6 - z.band(2018.0).unwrap()[1]) / 0.1).abs() < 1e-9, "{left:?}");
}

#[test]
fn what_is_not_defined_has_words() {
    let words = |q: ForecastQuestion, values: &[f64]| {
        let (forecaster, z) = told(q, values);
        forecaster.reason(&z, &z.outlooks[0].1)
    };
    assert_eq!(words(question(0.45), &VALUES), "");
    assert!(words(question(0.3), &VALUES).contains("at the target"));
    assert!(words(question(0.6), &VALUES[..5]).contains("too few years: 3 valid from 2012 on"));
    assert!(words(question(0.6), &[]).contains("no valid pixel"));
    assert!(
        words(ForecastQuestion { since: Some(2030), ..question(0.6) }, &VALUES).contains("no valid year from 2030 on")
    );
    let since = ForecastQuestion { since: Some(2010), ..question(0.9) };
    assert!(words(since, &[0.5, 0.4, 0.45, 0.3, 0.35, 0.2]).contains("towards the target"));
    let mut near = question(0.6);
    near.settings.horizon = 1.0;
    assert!(words(near, &VALUES).contains("horizon of 1 years"));
}

#[test]
fn parameters_are_checked_before_any_curve() {
    let refused = |q: ForecastQuestion| ZoneForecaster::new(q).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(
        refused(ForecastQuestion { scenarios: vec![Scenario::Factor(0.0)], ..question(0.6) }).contains("--scenario")
    );
    assert!(refused(ForecastQuestion { scenarios: vec![Scenario::Rate(-0.1)], ..question(0.6) }).contains("--rate"));
    let mut bare = ForecastQuestion { more_is_bare: true, ..question(-0.1) };
    bare.settings.plateau = Some(0.2);
    assert!(refused(bare.clone()).contains("--more-is-bare"));
    bare.settings.plateau = Some(-0.3);
    assert_eq!(refused(bare), "");
}
