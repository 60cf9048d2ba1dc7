//! BFAST Monitor of every pixel (method in [`crate::temporal::bfast`]).

use super::moment;
use crate::analysis::series::{Observed, SeriesModel};
use crate::engine::OutBand;
use crate::raster::{Class, Ramp};
use crate::temporal::bfast::{BfastMonitor, BfastWork, Process, Unfitted};

/// BFAST Monitor over the dates of a stack.
pub struct BfastModel {
    method: BfastMonitor,
    /// Dates of the stack.
    dates: usize,
}

impl BfastModel {
    /// The axis of `method` must be made from the dates of the stack.
    #[must_use]
    pub fn new(method: BfastMonitor) -> Self {
        Self { dates: method.axis().row_of_date().len(), method }
    }
}

/// What became of a pixel: the values of band `state`.
#[must_use]
pub fn states() -> Vec<Class> {
    vec![
        Class::new(0, "no break", [26, 152, 80]),
        Class::new(1, "break", [215, 48, 39]),
        Class::new(2, "too few observations in the history", [77, 77, 77]),
        Class::new(3, "history does not determine the model", [110, 110, 110]),
        Class::new(4, "no variation in the history", [150, 150, 150]),
        Class::new(5, "nothing observed since the start of monitoring", [190, 190, 190]),
    ]
}

fn state(unfitted: Unfitted) -> f32 {
    match unfitted {
        Unfitted::TooFew => 2.0,
        Unfitted::Undetermined => 3.0,
        Unfitted::NoVariation => 4.0,
    }
}

/// Working memory of a pixel.
#[derive(Default)]
pub struct MonitorWork {
    work: BfastWork,
    by_date: Vec<f64>,
    rows: Vec<f64>,
}

impl MonitorWork {
    /// The rows of the axis of `method` for a series of `dates` dates.
    fn spread(&mut self, method: &BfastMonitor, dates: usize, series: &Observed<'_>) {
        self.by_date.clear();
        self.by_date.resize(dates, f64::NAN);
        for (at, value) in series.at.iter().zip(series.band(0)) {
            self.by_date[*at as usize] = *value;
        }
        method.axis().gather(&self.by_date, &mut self.rows);
    }
}

impl SeriesModel for BfastModel {
    type Work = MonitorWork;

    fn name(&self) -> &'static str {
        "bfast-monitor"
    }

    fn bands(&self) -> Vec<OutBand> {
        let mut bands = vec![
            moment("break_decimal_year", "year"),
            moment("break_year", "year"),
            OutBand::quantity("magnitude", "").drawn(Ramp::Vegetation),
            moment("history_start_decimal_year", "year"),
            moment("history_observations", "count"),
            moment("monitored_observations", "count"),
            OutBand::quantity("sigma", ""),
            moment("state", "code"),
        ];
        // The moving sum has no p-value of its own.
        if self.method.settings().process == Process::Cusum {
            bands.push(OutBand::quantity("confidence", "").within(0.0..=1.0));
        }
        bands
    }

    fn bytes(&self, dates: usize) -> u64 {
        // Regressors of all rows with their orthogonal basis, and what a series needs.
        let columns = self.method.coefficient_names().len() as u64;
        let rows = dates as u64;
        rows * 8 * (4 * columns + 16)
            + if self.method.settings().history == crate::temporal::bfast::History::Bp { rows * rows * 8 } else { 0 }
    }

    fn citations(&self) -> Vec<&'static str> {
        vec![
            "Verbesselt, Zeileis & Herold 2012, near real-time disturbance detection",
            "Zeileis et al. 2005, monitoring structural change",
        ]
    }

    fn fit(&self, series: &Observed<'_>, work: &mut MonitorWork, out: &mut [f32]) {
        if series.at.is_empty() {
            return;
        }
        work.spread(&self.method, self.dates, series);
        let found = match self.method.run(&work.rows, &mut work.work) {
            Ok(found) => found,
            Err(unfitted) => {
                out[7] = state(unfitted);
                return;
            }
        };
        let number = |v: Option<f64>| v.map_or(f32::NAN, |v| v as f32);
        out[0] = number(found.break_time);
        out[1] = number(found.break_time.map(f64::floor));
        out[2] = number(found.magnitude);
        out[3] = found.history_start as f32;
        out[4] = found.n_history as f32;
        out[5] = found.n_monitoring as f32;
        out[6] = found.sigma as f32;
        out[7] = match (found.break_time, found.n_monitoring) {
            (Some(_), _) => 1.0,
            (None, 0) => 5.0,
            (None, _) => 0.0,
        };
        if let Some(out) = out.get_mut(8) {
            *out = number(found.confidence);
        }
    }
}
