//! Near-real-time monitoring of every pixel (method in [`crate::temporal::monitor`]): the first state from a stack, and the
//! state after new scenes from the state before and these scenes alone.
//!
//! States are kept in double precision. Sums of residuals grow scene by scene: rounded to 32 bits after every one of 400 scenes,
//! 200,000 simulated pixels had confidences off by up to 4e-6, and breaks at another scene in two of them.

use super::series::{Dates, RUN};
use crate::engine::{Analysis, OutBand, Overview, Partial, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::{Class, Dtype, OutPlane};
use crate::temporal::bfast::{Axis, BfastMonitor, BfastWork};
use crate::temporal::monitor::{Monitor, State};

const CITATIONS: [&str; 2] = [
    "Chu, Stinchcombe & White 1996, monitoring structural change",
    "Verbesselt, Zeileis & Herold 2012, near real-time disturbance detection",
];

/// The bands of a state: those of the model, then those of [`State::NAMES`].
#[must_use]
pub fn state_bands(monitor: &Monitor) -> Vec<OutBand> {
    let band = |name: &str, unit: &str| OutBand { dtype: Dtype::F64, ..OutBand::quantity(name, unit) };
    let model = monitor.model_names();
    let model = model.iter().map(|(name, unit)| band(name, unit));
    model.chain(State::NAMES.iter().map(|(name, unit)| band(name, unit))).collect()
}

/// What is known of a monitored pixel: the values of band `state`.
#[must_use]
pub fn alerts() -> Vec<Class> {
    vec![
        Class::new(0, "no alert", [26, 152, 80]),
        Class::new(1, "new alert", [215, 48, 39]),
        Class::new(2, "earlier alert", [244, 165, 130]),
    ]
}

/// The planes of doubles of a tile.
fn doubles(planes: &mut [OutPlane], count: usize) -> Result<Vec<&mut [f64]>> {
    let planes = planes.iter_mut().take(count).map(|plane| match plane {
        OutPlane::F64(v) => Ok(v.as_mut_slice()),
        other => Err(Error::bug(format!("a state has a band of type {}", other.dtype()))),
    });
    planes.collect()
}

/// Fits the histories and follows the series to their end.
pub struct MonitorFit {
    dates: Dates,
    bfast: BfastMonitor,
    monitor: Monitor,
}

impl MonitorFit {
    /// The axis of `bfast` must be made from the dates, and `monitor` be of `bfast`.
    #[must_use]
    pub fn new(dates: Dates, bfast: BfastMonitor, monitor: Monitor) -> Self {
        Self { dates, bfast, monitor }
    }
}

impl Analysis for MonitorFit {
    type Partial = ();

    fn spec(&self) -> Spec {
        // Regressors of all rows with their orthogonal basis, and what a series needs.
        let per_date = 8 * (4 * self.monitor.model_len() + 16);
        Spec {
            name: "monitor fit".into(),
            reads: self.dates.reads().to_vec(),
            writes: state_bands(&self.monitor),
            by_rows: true,
            empty_adds_nothing: true,
            scratch_fixed: self.dates.scratch() + (self.dates.len() * per_date) as u64,
            citations: CITATIONS.to_vec(),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let mut planes = doubles(&mut out.planes, self.monitor.model_len() + State::LEN)?;
        let (mut values, mut work) = (self.dates.values(), BfastWork::default());
        let (mut by_date, mut rows) = (vec![f64::NAN; self.dates.len()], Vec::new());
        let mut model = vec![f64::NAN; self.monitor.model_len()];
        let cols = input.cols();
        for row in 0..input.rows() {
            for col in (0..cols).step_by(RUN) {
                let run = RUN.min(cols - col);
                values.load(input, row as isize, col as isize, run);
                for lane in 0..run {
                    by_date.iter_mut().enumerate().for_each(|(date, v)| *v = values.value(date, 0, lane));
                    self.bfast.axis().gather(&by_date, &mut rows);
                    // Without a fit there is nothing to monitor: nodata in every band.
                    let Ok(state) = self.monitor.fit(&self.bfast, &rows, &mut work, &mut model) else { continue };
                    let numbers = model.iter().copied().chain(state.to_array());
                    let cell = row * cols + col + lane;
                    planes.iter_mut().zip(numbers).for_each(|(plane, number)| plane[cell] = number);
                }
            }
        }
        Ok(())
    }
}

/// Pixels after an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Pixels with a model.
    pub monitored: u64,
    /// Of them, those that one of the new scenes adds an observation to.
    pub observed: u64,
    /// Those whose first observation outside the boundary is one of the new scenes.
    pub new_alerts: u64,
    /// Those with an alert before.
    pub earlier_alerts: u64,
}

impl Partial for Watched {
    fn merge(&mut self, next: Self) {
        self.monitored += next.monitored;
        self.observed += next.observed;
        self.new_alerts += next.new_alerts;
        self.earlier_alerts += next.earlier_alerts;
    }
}

/// Adds new scenes to a state.
pub struct MonitorUpdate {
    dates: Dates,
    axis: Axis,
    monitor: Monitor,
    /// Channels of the state, in the order of [`state_bands`].
    state: Vec<String>,
    alerts: bool,
}

impl MonitorUpdate {
    /// `axis` must be made from `dates`, the new scenes; `state` names the channels of the state. With `alerts` there are
    /// planes of alerts too.
    #[must_use]
    pub fn new(dates: Dates, axis: Axis, monitor: Monitor, state: Vec<String>, alerts: bool) -> Self {
        Self { dates, axis, monitor, state, alerts }
    }

    /// Planes of the new state.
    #[must_use]
    pub fn state_planes(&self) -> Vec<usize> {
        (0..self.state.len()).collect()
    }

    /// Plane of the classes of [`alerts`].
    #[must_use]
    pub fn class_plane(&self) -> usize {
        self.state.len()
    }

    /// Planes of a raster of alerts.
    #[must_use]
    pub fn alert_planes(&self) -> Vec<usize> {
        (self.class_plane() + 1..self.bands().len()).collect()
    }

    /// The bands of all planes.
    #[must_use]
    pub fn bands(&self) -> Vec<OutBand> {
        let mut bands = state_bands(&self.monitor);
        bands.push(OutBand::classes("alerts", alerts()));
        if self.alerts {
            let count = |name: &str, unit: &str| OutBand { overview: Overview::Mode, ..OutBand::quantity(name, unit) };
            bands.push(count("alert_decimal_year", "year"));
            bands.push(OutBand::quantity("confidence", "").within(0.0..=1.0));
            bands.push(count("outside_in_a_row", "count"));
            bands.push(count("state", "code"));
        }
        bands
    }
}

impl Analysis for MonitorUpdate {
    type Partial = Watched;

    fn spec(&self) -> Spec {
        Spec {
            name: "monitor update".into(),
            reads: self.dates.reads().iter().chain(&self.state).cloned().collect(),
            writes: self.bands(),
            by_rows: true,
            empty_adds_nothing: true,
            scratch_fixed: self.dates.scratch() + (self.state.len() * RUN * 8) as u64,
            citations: CITATIONS.to_vec(),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, watched: &mut Watched) -> Result<()> {
        let (head, tail) = out.planes.split_at_mut(self.state.len());
        let mut kept = doubles(head, self.state.len())?;
        let (classes, told) = match tail.split_first_mut() {
            Some((OutPlane::U8(classes), told)) => (classes, told),
            _ => return Err(Error::bug("an update has no plane of classes")),
        };
        let model_len = self.monitor.model_len();
        let scenes: Vec<_> = self.axis.steps().iter().map(|step| self.monitor.scene(*step)).collect();
        let state_inputs = &input.planes[self.dates.reads().len()..];
        let (mut values, mut stored) = (self.dates.values(), vec![f64::NAN; self.state.len() * RUN]);
        let (mut by_date, mut rows) = (vec![f64::NAN; self.dates.len()], Vec::new());
        let mut model = vec![f64::NAN; model_len];
        let cols = input.cols();
        for row in 0..input.rows() {
            for col in (0..cols).step_by(RUN) {
                let run = RUN.min(cols - col);
                let first = row * cols + col;
                values.load(input, row as isize, col as isize, run);
                let bands = state_inputs.iter().zip(stored.chunks_exact_mut(RUN)).zip(&mut kept);
                for (k, ((plane, stored), kept)) in bands.enumerate() {
                    plane.load(row + input.halo, col + input.halo, &mut stored[..run]);
                    if k < model_len {
                        kept[first..first + run].copy_from_slice(&stored[..run]);
                    }
                }
                for lane in 0..run {
                    let at = |band: usize| stored[band * RUN + lane];
                    model.iter_mut().enumerate().for_each(|(k, v)| *v = at(k));
                    // The last two are σ̂ and the number of observations: without them there is no model.
                    if model[model_len - 2].is_nan() {
                        continue;
                    }
                    let mut state = State::from_array(std::array::from_fn(|k| at(model_len + k)));
                    let (earlier, count) = (!state.break_step.is_nan(), state.count);
                    by_date.iter_mut().enumerate().for_each(|(date, v)| *v = values.value(date, 0, lane));
                    self.axis.gather(&by_date, &mut rows);
                    for (scene, value) in scenes.iter().zip(&rows) {
                        scene.update(&model, &mut state, *value)?;
                    }
                    let cell = first + lane;
                    for (plane, number) in kept[model_len..].iter_mut().zip(state.to_array()) {
                        plane[cell] = number;
                    }
                    let new = !earlier && !state.break_step.is_nan();
                    let class = if earlier { 2 } else { u8::from(new) };
                    classes[cell] = class;
                    watched.monitored += 1;
                    watched.observed += u64::from(state.count > count);
                    watched.new_alerts += u64::from(new);
                    watched.earlier_alerts += u64::from(earlier);
                    if self.alerts {
                        let confidence = state.confidence().unwrap_or(f64::NAN);
                        let numbers =
                            [self.monitor.time(state.break_step), confidence, state.outside, f64::from(class)];
                        for (plane, number) in told.iter_mut().zip(numbers) {
                            let OutPlane::F32(plane) = plane else {
                                return Err(Error::bug("a band of alerts is not float32"));
                            };
                            plane[cell] = number as f32;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
