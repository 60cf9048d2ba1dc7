//! What zones cover of a window, as runs of pixels along rows, and the windows asked for last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::grid::Window;

/// Pixels of a row that follow each other and belong to a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Covered<'a> {
    /// So many pixels inside the zone.
    Whole(usize),
    /// Covered fraction (0..=1) of each pixel.
    Partly(&'a [f64]),
}

impl Covered<'_> {
    /// Pixels the zone covers, as the sum of fractions.
    #[must_use]
    pub fn pixels(&self) -> f64 {
        match self {
            Self::Whole(n) => *n as f64,
            Self::Partly(fractions) => fractions.iter().sum(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Run {
    row: u32,
    col: u32,
    /// Number of pixels; [`WHOLE`] is set where all are inside.
    len: u32,
}

const WHOLE: u32 = 1 << 31;
/// Shorter pieces inside a zone go with the fractions beside them, and shorter gaps are fractions of 0: few long runs
/// compute faster than many short ones and take less room.
const LEAST_WHOLE: usize = 16;
const LEAST_GAP: usize = 8;

impl Run {
    fn is_whole(self) -> bool {
        self.len & WHOLE != 0
    }

    fn pixels(self) -> usize {
        (self.len & !WHOLE) as usize
    }

    fn end(self) -> usize {
        self.col as usize + self.pixels()
    }
}

/// The runs of one zone in a window, by rows and from left to right within a row.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    runs: &'a [Run],
    fractions: &'a [f64],
}

impl<'a> Iterator for Runs<'a> {
    /// Row and column of the first pixel, counted from the corner of the window, and what is covered from there on.
    type Item = (usize, usize, Covered<'a>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (run, rest) = self.runs.split_first()?;
        self.runs = rest;
        let covered = if run.is_whole() {
            Covered::Whole(run.pixels())
        } else {
            let (own, rest) = self.fractions.split_at(run.pixels());
            self.fractions = rest;
            Covered::Partly(own)
        };
        Some((run.row as usize, run.col as usize, covered))
    }
}

/// What the zones cover of one window, zone after zone.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    window: Window,
    /// Each zone met, with the ends of its runs and fractions.
    zones: Vec<(usize, usize, usize)>,
    runs: Vec<Run>,
    fractions: Vec<f64>,
}

impl Coverage {
    pub(super) fn new(window: Window) -> Self {
        Self { window, zones: Vec::new(), runs: Vec::new(), fractions: Vec::new() }
    }

    fn ends(&self) -> (usize, usize) {
        self.zones.last().map_or((0, 0), |z| (z.1, z.2))
    }

    /// Adds the pixels `col..end` of a row to the zone at hand. Rows come in order, pixels from left to right.
    pub(super) fn push(&mut self, row: usize, col: usize, end: usize, fraction: f64) {
        if fraction == 0.0 || col == end {
            return;
        }
        let (pixels, whole) = (end - col, fraction == 1.0);
        let alone = whole && pixels >= LEAST_WHOLE;
        let first = self.ends().0;
        let last = self.runs[first..].last_mut().filter(|r| r.row as usize == row);
        match last {
            Some(r) if r.is_whole() && whole && r.end() == col => r.len += pixels as u32,
            Some(r) if !r.is_whole() && !alone && col - r.end() < LEAST_GAP => {
                self.fractions.resize(self.fractions.len() + col - r.end(), 0.0);
                self.fractions.resize(self.fractions.len() + pixels, fraction);
                r.len = (end - r.col as usize) as u32;
            }
            _ if alone => {
                self.runs.push(Run { row: row as u32, col: col as u32, len: pixels as u32 | WHOLE });
            }
            _ => {
                self.fractions.resize(self.fractions.len() + pixels, fraction);
                self.runs.push(Run { row: row as u32, col: col as u32, len: pixels as u32 });
            }
        }
    }

    /// Ends the zone at hand; its runs, where it has any.
    pub(super) fn close(&mut self, zone: usize) -> Option<Runs<'_>> {
        let (runs, fractions) = self.ends();
        if runs == self.runs.len() {
            return None;
        }
        self.zones.push((zone, self.runs.len(), self.fractions.len()));
        Some(Runs { runs: &self.runs[runs..], fractions: &self.fractions[fractions..] })
    }

    /// Forgets all zones.
    pub(super) fn clear(&mut self) {
        self.zones.clear();
        self.runs.clear();
        self.fractions.clear();
    }

    /// Zones with their runs, in the order they were added.
    pub(super) fn each(&self, mut f: impl FnMut(usize, Runs<'_>)) {
        let (mut run, mut fraction) = (0, 0);
        for &(zone, runs, fractions) in &self.zones {
            f(zone, Runs { runs: &self.runs[run..runs], fractions: &self.fractions[fraction..fractions] });
            (run, fraction) = (runs, fractions);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.zones.len() * size_of::<(usize, usize, usize)>()
            + self.runs.len() * size_of::<Run>()
            + self.fractions.len() * 8
    }
}

/// Coverage of the windows asked for last, so that the analyses of a pass that use the same zones compute it once a tile.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Arc<Coverage>>>);

impl Recent {
    /// Most bytes kept.
    pub(super) const BYTES: usize = 2 << 20;
    /// Most bytes of one window; what is larger is not kept.
    pub(super) const LARGEST: usize = Self::BYTES / 2;
    /// Most windows kept: those without zones take no room, but looking through them takes time.
    const MOST: usize = 64;

    pub(super) fn get(&self, window: Window) -> Option<Arc<Coverage>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|c| c.window == window).map(Arc::clone)
    }

    pub(super) fn put(&self, mut coverage: Coverage) {
        coverage.zones.shrink_to_fit();
        coverage.runs.shrink_to_fit();
        coverage.fractions.shrink_to_fit();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::new(coverage));
        while kept.len() > Self::MOST || kept.iter().map(|c| c.bytes()).sum::<usize>() > Self::BYTES {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of a zone as `(row, col, pixels, whole)`.
    fn listed(runs: Runs<'_>) -> Vec<(usize, usize, usize, bool)> {
        runs.map(|(row, col, c)| match c {
            Covered::Whole(n) => (row, col, n, true),
            Covered::Partly(f) => (row, col, f.len(), false),
        })
        .collect()
    }

    #[test]
    fn short_pieces_join_their_neighbours_and_long_ones_stand_alone() {
        let mut c = Coverage::new(Window::new(0, 0, 100, 2));
        c.push(0, 2, 3, 0.25);
        c.push(0, 3, 8, 1.0);
        c.push(0, 10, 11, 0.5);
        c.push(0, 11, 40, 1.0);
        c.push(0, 40, 42, 1.0);
        c.push(0, 42, 43, 0.75);
        c.push(0, 60, 61, 0.5);
        c.push(1, 61, 63, 0.5);
        let runs = c.close(4).unwrap();
        assert_eq!(
            listed(runs),
            [(0, 2, 9, false), (0, 11, 31, true), (0, 42, 1, false), (0, 60, 1, false), (1, 61, 2, false)]
        );
        let sum: f64 = runs.map(|(_, _, c)| c.pixels()).sum();
        assert_eq!(sum, 0.25 + 5.0 + 0.5 + 31.0 + 0.75 + 0.5 + 1.0);
        let Some((_, _, Covered::Partly(first))) = { runs }.next() else { panic!("the first run is a partial one") };
        assert_eq!(first, [0.25, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.5]);
        // A zone without pixels has no runs, and the next one does not see those before it.
        c.push(0, 5, 5, 1.0);
        assert!(c.close(5).is_none());
        c.push(1, 63, 64, 0.5);
        c.close(6).unwrap();
        let mut zones = Vec::new();
        c.each(|zone, runs| zones.push((zone, listed(runs).len())));
        assert_eq!(zones, [(4, 5), (6, 1)]);
    }

    #[test]
    fn kept_windows_stay_below_their_bytes() {
        let recent = Recent::default();
        let window = |i: i64| Window::new(i, 0, 1 << 16, 1);
        for i in 0..100 {
            let mut c = Coverage::new(window(i));
            c.push(0, 0, 1 << 16, 0.5);
            c.close(0);
            recent.put(c);
            assert_eq!(recent.get(window(i)).unwrap().fractions.len(), 1 << 16);
        }
        let bytes: usize = recent.0.lock().unwrap().iter().map(|c| c.bytes()).sum();
        assert!(bytes <= Recent::BYTES && bytes > Recent::BYTES / 2, "{bytes}");
        assert!(recent.get(window(0)).is_none());
    }
}
