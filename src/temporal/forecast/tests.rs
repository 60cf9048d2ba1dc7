use super::*;
use proptest::prelude::*;

const STEADY: [f64; 8] = [0.101, 0.149, 0.201, 0.249, 0.301, 0.349, 0.401, 0.449];

fn years(n: usize) -> Vec<i32> {
    (2010..).take(n).collect()
}

fn to(target: f64, values: &[f64]) -> Forecast {
    let years = years(values.len());
    Forecaster::new(ForecastSettings::to(target)).unwrap().forecast(Annual::new(&years, values), &mut Work::default())
}

#[test]
fn a_line_reaches_the_target_where_arithmetic_says() {
    let f = to(0.6, &STEADY);
    assert_eq!(f.chosen, Some(Model::Linear));
    let Curve::Linear { origin, level, slope } = f.fit().unwrap().curve() else { panic!("a line") };
    let year = origin + (0.6 - level) / slope;
    assert!((f.outlook.year.unwrap() - year).abs() < 1e-9);
    // Textbook limits: q = 2.446912 for six degrees of freedom, mean of the years 2013.5, Sxx = 42.
    let s = f.fit().unwrap().variance.sqrt();
    let half = |t: f64| 2.446_911_851_144_969 * s * (1.0 + 0.125 + (t - 2013.5) * (t - 2013.5) / 42.0).sqrt();
    for t in [2010.0, 2017.0, 2030.0] {
        let b = f.fit().unwrap().band(t);
        assert!((b.high - b.value - half(t)).abs() < 1e-12 && (b.value - b.low - half(t)).abs() < 1e-12);
    }
    let at = |t: f64| level + slope * (t - origin);
    let (early, late) = (f.outlook.earliest.unwrap(), f.outlook.latest.unwrap());
    assert!((at(early) + half(early) - 0.6).abs() < 1e-12 && (at(late) - half(late) - 0.6).abs() < 1e-12);
    assert!(2017.0 < early && early < year && year < late);
}

#[test]
fn other_rates_move_the_year() {
    let f = to(0.6, &STEADY);
    let forecaster = Forecaster::new(ForecastSettings::to(0.6)).unwrap();
    let same = forecaster.scenario(&f, Scenario::Factor(1.0)).unwrap();
    assert_eq!(same, f.outlook);
    let double = forecaster.scenario(&f, Scenario::Factor(2.0)).unwrap();
    let ahead = |x: Result<f64, NoCrossing>| x.unwrap() - 2017.0;
    for (d, s) in [(double.year, same.year), (double.earliest, same.earliest), (double.latest, same.latest)] {
        assert!((ahead(d) - 0.5 * ahead(s)).abs() < 1e-9);
    }
    let rate = forecaster.scenario(&f, Scenario::Rate(0.1)).unwrap();
    let now = f.fit().unwrap().band(2017.0);
    assert!((ahead(rate.year) - (0.6 - now.value) / 0.1).abs() < 1e-12);
    assert!((ahead(rate.latest) - (0.6 - now.low) / 0.1).abs() < 1e-12);
    // Doubling the rate of a line is giving twice its slope.
    let Curve::Linear { slope, .. } = f.fit().unwrap().curve() else { panic!("a line") };
    let twice = forecaster.scenario(&f, Scenario::Rate(2.0 * slope)).unwrap();
    assert!((twice.year.unwrap() - double.year.unwrap()).abs() < 1e-9);
    for wrong in [Scenario::Factor(0.0), Scenario::Factor(f64::NAN), Scenario::Rate(-1.0), Scenario::Rate(f64::NAN)] {
        assert!(forecaster.scenario(&f, wrong).is_err());
    }
    let slow = forecaster.scenario(&f, Scenario::Rate(1e-6)).unwrap();
    assert_eq!(slow.year, Err(NoCrossing::BeyondHorizon));
}

#[test]
fn what_is_not_forecast_has_its_reason() {
    let all = |o: Outlook, reason| {
        assert_eq!((o.year, o.earliest, o.latest), (Err(reason), Err(reason), Err(reason)));
    };
    all(to(0.4, &STEADY).outlook, NoCrossing::AlreadyReached);
    all(to(0.6, &STEADY[..4]).outlook, NoCrossing::TooFewYears);
    all(to(0.6, &[]).outlook, NoCrossing::TooFewYears);
    let falling: Vec<f64> = STEADY.iter().map(|v| 0.55 - v).collect();
    let o = to(0.6, &falling).outlook;
    assert_eq!((o.year, o.latest), (Err(NoCrossing::NotRising), Err(NoCrossing::BeyondHorizon)));
    let o = to(0.6, &[0.3; 9]).outlook;
    assert_eq!(o.year, Err(NoCrossing::NotRising));
    assert_eq!(to(20.0, &STEADY).outlook.year, Err(NoCrossing::BeyondHorizon));
    // Levels off at 0.5.
    let level: Vec<f64> = (0..20).map(|i| 0.5 - 0.4 * (-0.3 * f64::from(i)).exp() + 1e-3 * f64::from(i % 3)).collect();
    let f = to(0.6, &level);
    assert_eq!((f.chosen, f.outlook.year), (Some(Model::Approach), Err(NoCrossing::PlateauBelow)));
    assert_eq!(f.outlook.latest, Err(NoCrossing::BeyondHorizon));
    let f = to(0.5, &[0.1, 0.6, 0.2, 0.3, 0.5, 0.4]);
    // The upper limit is there already, the lower one never comes.
    assert_eq!((f.outlook.earliest, f.outlook.latest), (Ok(2015.0), Err(NoCrossing::BeyondHorizon)));
}

#[test]
fn exact_curves_are_recovered_and_chosen() {
    let t: Vec<f64> = (0..24).map(f64::from).collect();
    let approach: Vec<f64> = t.iter().map(|t| 0.7 - 0.55 * (-0.12 * t).exp()).collect();
    let f = to(0.68, &approach);
    assert_eq!(f.chosen, Some(Model::Approach));
    assert!((f.outlook.year.unwrap() - (2010.0 + (0.55f64 / 0.02).ln() / 0.12)).abs() < 1e-6);
    let logistic: Vec<f64> = t.iter().map(|t| 0.8 / (1.0 + (-0.3 * (t - 11.0)).exp())).collect();
    let f = to(0.79, &logistic);
    assert_eq!(f.chosen, Some(Model::Logistic));
    assert!((f.outlook.year.unwrap() - (2021.0 + 79f64.ln() / 0.3)).abs() < 1e-6);
    // With the plateau known, the model with fewer parameters.
    let settings = ForecastSettings { plateau: Some(0.8), ..ForecastSettings::to(0.79) };
    let years = years(24);
    let f = Forecaster::new(settings).unwrap().forecast(Annual::new(&years, &logistic), &mut Work::default());
    assert!((f.outlook.year.unwrap() - (2021.0 + 79f64.ln() / 0.3)).abs() < 1e-6);
    assert_eq!(to(0.79, &logistic).fits[1], Err(NoFit::NoPlateau));
}

#[test]
fn parameters_outside_their_range_are_named() {
    let d = ForecastSettings::to(0.5);
    for (option, settings) in [
        ("--target", ForecastSettings::to(f64::NAN)),
        ("--plateau", ForecastSettings { plateau: Some(0.5), ..d }),
        ("--plateau", ForecastSettings { target: -1.0, plateau: Some(-0.5), ..d }),
        ("--confidence", ForecastSettings { confidence: 1.0, ..d }),
        ("--horizon", ForecastSettings { horizon: f64::INFINITY, ..d }),
    ] {
        let message = Forecaster::new(settings).unwrap_err().to_string();
        assert!(message.starts_with(option), "{message}");
    }
}

/// Normal numbers by Box and Muller, from Steele, Lea & Flood's SplitMix64.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Shares of 2000 noisy series whose interval covers a new value five years ahead, and whose interval of the crossing year
/// covers the true one, with the model known.
fn coverage(model: Model, curve: impl Fn(f64) -> f64, target: f64, crossing: f64) -> (f64, f64) {
    let (n, runs) = (20, 2000);
    let years = years(n);
    let forecaster = Forecaster::new(ForecastSettings::to(target)).unwrap();
    let (mut work, mut noise) = (Work::default(), Normal(model as u64));
    let (mut values, mut covered, mut years_covered, mut fitted) = (vec![0.0; n], 0, 0, 0);
    for _ in 0..runs {
        for (t, v) in values.iter_mut().enumerate() {
            *v = curve(t as f64) + 0.02 * noise.next();
        }
        let new = curve(24.0) + 0.02 * noise.next();
        let mut f = forecaster.forecast(Annual::new(&years, &values), &mut work);
        let Some(fit) = f.fits.iter().flatten().find(|f| f.model == model).copied() else { continue };
        fitted += 1;
        let band = fit.band(2034.0);
        covered += i32::from(band.low <= new && new <= band.high);
        f.chosen = Some(model);
        let o = forecaster.scenario(&f, Scenario::Factor(1.0)).unwrap();
        let late = o.latest.unwrap_or(f64::INFINITY);
        years_covered +=
            i32::from(o.earliest.is_ok_and(|early| early <= 2010.0 + crossing) && 2010.0 + crossing <= late);
    }
    assert!(f64::from(fitted) > 0.95 * f64::from(runs), "{model:?} {fitted}");
    (f64::from(covered) / f64::from(fitted), f64::from(years_covered) / f64::from(fitted))
}

#[test]
fn intervals_cover_what_they_say() {
    // Standard error of a share of 0.95 in 2000: 0.0049.
    let (value, year) = coverage(Model::Linear, |t| 0.1 + 0.02 * t, 0.6, 25.0);
    assert!((value - 0.95).abs() < 4.0 * 0.0049, "{value}");
    assert!(year >= 0.95, "{year}");
    // Linearised: a little less than nominal is to be expected.
    let (value, year) = coverage(Model::Approach, |t| 0.8 - 0.7 * (-0.1 * t).exp(), 0.75, (14f64).ln() / 0.1);
    assert!((value - 0.95).abs() < 0.02, "{value}");
    assert!(year >= 0.95, "{year}");
    let (value, year) =
        coverage(Model::Logistic, |t| 0.8 / (1.0 + (-0.3 * (t - 13.0)).exp()), 0.75, 13.0 + 15f64.ln() / 0.3);
    assert!((value - 0.95).abs() < 0.02, "{value}");
    assert!(year >= 0.95, "{year}");
}

proptest! {
    #[test]
    fn any_series_gives_finite_numbers_or_reasons(
        steps in proptest::collection::vec((1i32..4, -1.0f64..1.0), 0..14),
        scale in proptest::sample::select(vec![1.0, 1e-300, 1e300, f64::MAX, 0.0]),
        target in -1.0f64..2.0,
        plateau in proptest::option::of(2.0f64..3.0),
    ) {
        let mut year = 1990;
        let (years, values): (Vec<i32>, Vec<f64>) = steps.iter().map(|(s, v)| { year += s; (year, v * scale) }).unzip();
        let settings = ForecastSettings { plateau, ..ForecastSettings::to(target) };
        let forecaster = Forecaster::new(settings).unwrap();
        let f = forecaster.forecast(Annual::new(&years, &values), &mut Work::default());
        let mut used = Work::default();
        let _ = forecaster.forecast(Annual::new(&[1, 2, 3, 4, 5, 6, 7], &[1.0, 2.0, 2.0, 3.0, 5.0, 7.0, 7.0]), &mut used);
        prop_assert_eq!(f, forecaster.forecast(Annual::new(&years, &values), &mut used));
        for o in [f.outlook, forecaster.scenario(&f, Scenario::Rate(0.1)).unwrap()] {
            for x in [o.year, o.earliest, o.latest].into_iter().flatten() {
                prop_assert!(x.is_finite() && x >= f64::from(f.last.unwrap()) && x <= f64::from(f.last.unwrap()) + 100.0);
            }
            if let (Ok(year), Ok(early)) = (o.year, o.earliest) {
                prop_assert!(early <= year + 1e-6, "{:?}", o);
            }
            if let (Ok(year), Ok(late)) = (o.year, o.latest) {
                prop_assert!(late >= year - 1e-6, "{:?}", o);
            }
        }
        prop_assert_eq!(f.chosen.is_some(), f.fits.iter().any(|f| f.is_ok()));
        for fit in f.fits.iter().flatten() {
            prop_assert!(fit.squares.is_finite() && fit.variance >= 0.0 && !fit.aicc.is_nan());
        }
    }
}
