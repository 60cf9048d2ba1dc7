//! What all pixels share: the dates and every regressor at every date.

use super::{LANES, Lanes};

/// Times of a stack with their regressors; computed once, so that no pixel evaluates a sine.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Ordinal days, ascending.
    pub(super) days: Vec<f64>,
    /// 1, cycles since the first date, and cosine and sine of one, two and three cycles a period.
    pub(super) regressors: Vec<Lanes>,
    /// Date numbers in order of their phase in the cycle.
    pub(super) by_phase: Vec<u32>,
    /// Phase 0..1 of every date in the cycle.
    pub(super) phase: Vec<f64>,
    /// Cosine and sine of one turn in 2, 3, ... cycles, number of turn after number of turn, date after date.
    slow: Vec<[f64; 2]>,
    /// Days in a cycle.
    pub(super) period: f64,
}

/// Longest turn of the slow wave, in cycles: a window longer than this takes this one.
const LONGEST_TURN: usize = 40;

impl Axis {
    pub(super) fn new(days: &[f64], period: f64) -> Self {
        let first = days.first().copied().unwrap_or(0.0);
        let cycles = days.last().map_or(0.0, |last| (last - first) / period);
        let angle = |day: f64, turns: f64| {
            let turn = day / (period * turns);
            std::f64::consts::TAU * (turn - turn.floor())
        };
        let regressors = days.iter().map(|&day| {
            let mut row = [0.0; LANES];
            (row[0], row[1]) = (1.0, (day - first) / period);
            for k in 1..=3 {
                let at = angle(day, 1.0) * k as f64;
                (row[2 * k], row[2 * k + 1]) = (libm::cos(at), libm::sin(at));
            }
            row
        });
        let phase: Vec<f64> = days.iter().map(|day| day / period - (day / period).floor()).collect();
        let mut by_phase: Vec<u32> = (0..days.len() as u32).collect();
        by_phase.sort_by(|&a, &b| phase[a as usize].total_cmp(&phase[b as usize]).then(a.cmp(&b)));
        let turns = (cycles.ceil() as usize).clamp(2, LONGEST_TURN);
        let slow = (2..=turns).flat_map(|n| {
            days.iter().map(move |&day| {
                let at = angle(day, n as f64);
                [libm::cos(at), libm::sin(at)]
            })
        });
        Self { regressors: regressors.collect(), by_phase, slow: slow.collect(), phase, days: days.to_vec(), period }
    }

    /// Cosine and sine at every date of the wave that turns once in `cycles` cycles (2 or more).
    pub(super) fn slow_wave(&self, cycles: usize) -> &[[f64; 2]] {
        let dates = self.days.len();
        let last = (self.slow.len() / dates.max(1)).saturating_sub(1);
        let from = (cycles.saturating_sub(2)).min(last) * dates;
        &self.slow[from..from + dates]
    }
}
