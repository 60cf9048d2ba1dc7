//! Near-real-time monitoring: the same answer as over the whole series, and how often it is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use proptest::prelude::*;
use regrow::error::Error;
use regrow::temporal::bfast::{Axis, BfastMonitor, BfastSettings, BfastWork, History, Process, Unfitted};
use regrow::temporal::monitor::{Monitor, State};
use std::f64::consts::TAU;

const CUSUM: BfastSettings = BfastSettings {
    monitor_start: 2005.0,
    trend: false,
    order: 1,
    history: History::All,
    process: Process::Cusum,
    level: 0.05,
};

/// Standard normal numbers by the polar method over a 64-bit mixer.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }
}

/// Season and noise of deviation 0.05 on an axis, with a step of `change` deviations from `at` on.
fn season(axis: &Axis, noise: &mut Noise, change: f64, at: f64) -> Vec<f64> {
    let value = |&step: &i64| {
        let t = axis.time(step);
        let step = if t >= at { change } else { 0.0 };
        0.5 + 0.2 * (TAU * t).cos() - 0.1 * (TAU * t).sin() + 0.05 * (noise.normal() + step)
    };
    axis.steps().iter().map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn scene_by_scene_is_the_same_as_the_whole_series(
        seed in any::<u64>(), gaps in 0.0..0.7f64, change in -4.0..4.0f64, order in 0u32..4, trend in any::<bool>(),
        fitted_until in 115usize..200, roc in any::<bool>(),
    ) {
        let axis = Axis::regular(2000.0, 23, 200).unwrap();
        let mut noise = Noise(seed);
        let mut values = season(&axis, &mut noise, change, 2006.5);
        values.iter_mut().for_each(|v| if noise.uniform() < gaps { *v = f64::NAN });
        let history = if roc { History::Roc } else { History::All };
        let settings = BfastSettings { order, trend, history, ..CUSUM };
        let bfast = BfastMonitor::new(settings, axis.clone()).unwrap();
        let mut work = BfastWork::default();
        let whole = bfast.run(&values, &mut work);
        // The archive ends at `fitted_until`; what is known later is the model, the state and the settings.
        let archive = BfastMonitor::new(settings, Axis::regular(2000.0, 23, fitted_until).unwrap()).unwrap();
        let monitor = Monitor::of(&archive).unwrap();
        let mut model = vec![0.0; monitor.model_len()];
        let fitted = monitor.fit(&archive, &values[..fitted_until], &mut work, &mut model);
        let (Ok(whole), Ok(state)) = (whole, fitted) else {
            prop_assert_eq!(whole.err(), fitted.err());
            prop_assert!(model.iter().all(|v| v.is_nan()));
            return Ok(());
        };
        let monitor = Monitor::new(*monitor.settings()).unwrap();
        let mut stored = state.to_array();
        let mut alerts = 0;
        for (&step, &value) in axis.steps().iter().zip(&values).skip(fitted_until) {
            let mut state = State::from_array(stored);
            let alert = monitor.scene(step).update(&model, &mut state, value).unwrap();
            if let Some(alert) = alert {
                prop_assert_eq!(alert.first, State::from_array(stored).break_step.is_nan());
                prop_assert!(alert.confidence > 0.95 && alert.outside >= 1);
                alerts += 1;
            }
            stored = state.to_array();
        }
        let state = State::from_array(stored);
        prop_assert_eq!(state.count as usize, whole.n_monitoring);
        prop_assert_eq!(state.confidence(), whole.confidence);
        let time = (!state.break_step.is_nan()).then(|| monitor.time(state.break_step));
        prop_assert_eq!(time, whole.break_time);
        prop_assert!(alerts == 0 || time.is_some());
        let last = values.iter().rposition(|v| !v.is_nan()).unwrap();
        prop_assert_eq!(state.last_step as usize, last);
    }
}

#[test]
fn an_older_scene_is_refused_and_gaps_change_nothing() {
    let axis = Axis::regular(2000.0, 23, 120).unwrap();
    let bfast = BfastMonitor::new(CUSUM, axis.clone()).unwrap();
    let monitor = Monitor::of(&bfast).unwrap();
    let mut model = vec![0.0; monitor.model_len()];
    let values = season(&axis, &mut Noise(1), 0.0, f64::INFINITY);
    let mut work = BfastWork::default();
    let fitted = monitor.fit(&bfast, &values, &mut work, &mut model).unwrap();
    let mut state = fitted;
    let last = *axis.steps().last().unwrap();
    for step in [last, last - 50] {
        let stale = monitor.scene(step).update(&model, &mut state, 0.5).unwrap_err();
        assert_eq!((stale.last, stale.scene), (axis.time(last), axis.time(step)));
        assert!(Error::from(stale).message().contains("order of time"));
        assert_eq!(bits(state), bits(fitted));
        // A gap of an old scene harms nothing.
        assert_eq!(monitor.scene(step).update(&model, &mut state, f64::NAN), Ok(None));
    }
    assert_eq!(monitor.scene(last + 1).update(&model, &mut state, f64::NAN), Ok(None));
    assert_eq!(bits(state), bits(fitted));
    assert_eq!(monitor.scene(last + 9).update(&model, &mut state, values[0]), Ok(None));
    assert_eq!((state.count, state.last_step), (fitted.count + 1.0, fitted.last_step + 9.0));
    // A pixel without a fit stays as it is.
    let unfitted = vec![f64::NAN; axis.rows()];
    assert_eq!(monitor.fit(&bfast, &unfitted, &mut work, &mut model), Err(Unfitted::TooFew));
    assert_eq!(monitor.scene(last).update(&model, &mut state, 0.5), Ok(None));
    assert_eq!(monitor.model_names().len(), monitor.model_len());
    assert!(Monitor::of(&BfastMonitor::new(BfastSettings::new(2005.0), axis).unwrap()).is_err());
}

/// A state to compare, NaN with NaN.
fn bits(state: State) -> [u64; State::LEN] {
    state.to_array().map(f64::to_bits)
}

/// Share of series of `years` years of monitoring after five of history that raise an alarm.
fn alarms(settings: BfastSettings, years: usize, series: u64) -> f64 {
    let axis = Axis::regular(2000.0, 23, 23 * (5 + years)).unwrap();
    let bfast = BfastMonitor::new(settings, axis.clone()).unwrap();
    let mut work = BfastWork::default();
    let raised = |&seed: &u64| {
        let values = season(&axis, &mut Noise(seed << 20), 0.0, f64::INFINITY);
        bfast.run(&values, &mut work).unwrap().break_time.is_some()
    };
    (0..series).filter(raised).count() as f64 / series as f64
}

#[test]
fn false_alarms_keep_to_the_level() {
    // Four standard errors of a share of 0.05 in 4000 series are 0.0138.
    for years in [1, 5, 20] {
        let share = alarms(CUSUM, years, 4000);
        assert!(share < 0.064, "{share} of stable series raise an alarm in {years} years");
    }
    let share = alarms(CUSUM, 20, 4000);
    assert!(share > 0.02, "{share}: a level of 0.05 that is never used up would be far too careful");
}

#[test]
fn a_step_of_three_deviations_is_found_soon() {
    let axis = Axis::regular(2000.0, 23, 23 * 7).unwrap();
    let bfast = BfastMonitor::new(CUSUM, axis.clone()).unwrap();
    let mut work = BfastWork::default();
    let mut delays = Vec::new();
    for seed in 0..1000u64 {
        let values = season(&axis, &mut Noise(seed << 20), -3.0, 2005.5);
        let fit = bfast.run(&values, &mut work).unwrap();
        let first = values.len() - axis.steps().iter().filter(|&&s| axis.time(s) >= 2005.5).count();
        let row = fit.break_row.unwrap();
        if row >= first {
            delays.push(row - first + 1);
        }
    }
    // A few alarms come before the step: the level, and half a year of it.
    assert!(delays.len() > 950, "{}", delays.len());
    delays.sort_unstable();
    let (median, late) = (delays[delays.len() / 2], delays[delays.len() * 95 / 100]);
    assert!(median <= 6 && late <= 10, "observations until the alarm: median {median}, 95 % within {late}");
}
