//! Scatter about a model in a season: rmse over the observations whose phase in the cycle lies nearest (Zhu et al. 2015).

use super::axis::Axis;
use super::lasso::Model;
use super::series::Series;
use super::{LANES, Lanes};

/// Observations that make the rmse of a season.
pub(super) const NEAREST: usize = 24;

/// Observations of the model at work in order of their phase, with their squared residuals where these were wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Season {
    /// Of every date: the number of the segment whose model was last fitted with it, and its row.
    fitted: Vec<(u32, u32)>,
    /// Number of the segment at work.
    serial: u32,
    /// Do the lists below belong to the last fit?
    current: bool,
    phases: Vec<f64>,
    rows: Vec<u32>,
    squares: Vec<Option<Lanes>>,
}

impl Season {
    /// Begins a segment.
    pub(super) fn begin(&mut self, dates: usize) {
        self.serial = self.serial.wrapping_add(1);
        self.current = false;
        if self.fitted.len() < dates {
            self.fitted.resize(dates, (0, 0));
        }
    }

    /// Takes note that the model was fitted again, with these rows besides.
    pub(super) fn refitted(&mut self, series: &Series, rows: &[u32]) {
        self.current = false;
        for &row in rows {
            self.fitted[series.dates[row as usize] as usize] = (self.serial, row);
        }
    }

    /// rmse of each band over the observations nearest in the season to a date.
    pub(super) fn rmse(&mut self, axis: &Axis, series: &Series, model: &Model, date: usize) -> Lanes {
        if !self.current {
            self.list(axis);
        }
        let count = self.rows.len();
        let wanted = NEAREST.min(count);
        let at = axis.phase[date];
        let distance = |gap: f64| if gap < 0.0 { gap + 1.0 } else { gap };
        // Both ways round the circle, always to the nearer side.
        let mut above = self.phases.partition_point(|phase| *phase < at) % count.max(1);
        let mut below = if above == 0 { count.saturating_sub(1) } else { above - 1 };
        let mut sum = [0.0; LANES];
        for _ in 0..wanted {
            let place = if distance(self.phases[above] - at) < distance(at - self.phases[below]) {
                let place = above;
                above = if above + 1 == count { 0 } else { above + 1 };
                place
            } else {
                let place = below;
                below = if below == 0 { count - 1 } else { below - 1 };
                place
            };
            let row = self.rows[place] as usize;
            let squares = self.squares[place].get_or_insert_with(|| {
                let mut value = model.predict(&axis.regressors[series.dates[row] as usize]);
                for (value, seen) in value.iter_mut().zip(&series.rows[row]) {
                    let residual = seen - *value;
                    *value = residual * residual;
                }
                value
            });
            for (sum, square) in sum.iter_mut().zip(squares) {
                *sum += *square;
            }
        }
        let freedom = wanted.saturating_sub(model.terms).max(1) as f64;
        sum.map(|sum| (sum / freedom).sqrt())
    }

    /// Lists the observations of the last fit.
    fn list(&mut self, axis: &Axis) {
        self.phases.clear();
        self.rows.clear();
        for &date in &axis.by_phase {
            let (serial, row) = self.fitted[date as usize];
            if serial == self.serial {
                self.phases.push(axis.phase[date as usize]);
                self.rows.push(row);
            }
        }
        self.squares.clear();
        self.squares.resize(self.rows.len(), None);
        self.current = true;
    }
}
