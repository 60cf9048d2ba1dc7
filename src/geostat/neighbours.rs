//! The nearest samples of a place, through a grid of buckets.

use super::samples::Samples;
use crate::error::{Error, Result};

/// Which samples take part in an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbourhood {
    /// At most the nearest `nmax` samples; ties go to the sample that comes first in the file.
    pub nmax: usize,
    /// With fewer than `nmin` samples the estimate is nodata.
    pub nmin: usize,
    /// Only samples up to this distance (inclusive).
    pub radius: Option<f64>,
}

impl Neighbourhood {
    /// Samples up to which all of them are used where nothing else is asked for.
    pub const GLOBAL: usize = 400;
    /// Samples for which one system of all may be solved when asked for.
    pub const GLOBAL_MOST: usize = 4000;

    /// Resolves what was asked for: all of up to 400 samples, else the nearest 32 and at least 4.
    ///
    /// # Errors
    /// Usage error where a number is impossible, limit error where `nmax` asks for systems of more than 4000 samples.
    pub fn resolve(samples: usize, nmax: Option<usize>, nmin: Option<usize>, radius: Option<f64>) -> Result<Self> {
        if nmax == Some(0) {
            return Err(Error::usage("--nmax 0: at least one sample must take part; give 1 or more, or leave it out"));
        }
        if let Some(r) = radius.filter(|r| !(*r > 0.0 && r.is_finite())) {
            return Err(Error::usage(format!("--radius {r}: a distance more than 0 in coordinate units is needed")));
        }
        let small = samples <= Self::GLOBAL;
        let most = nmax.unwrap_or(if small { samples } else { 32 }).min(samples);
        if most > Self::GLOBAL_MOST {
            return Err(Error::limit(format!(
                "--nmax {most}: systems of more than {} samples are not solved; 32 to 64 neighbours give the same map",
                Self::GLOBAL_MOST
            )));
        }
        let least = nmin.unwrap_or(if small { 1 } else { 4.min(most) });
        if least > nmax.unwrap_or(usize::MAX) {
            return Err(Error::usage(format!("--nmin {least} is more than --nmax {most}")));
        }
        Ok(Self { nmax: most, nmin: least, radius })
    }

    /// True where every estimate uses every one of `samples`.
    #[must_use]
    pub fn is_global(&self, samples: usize) -> bool {
        self.nmax >= samples && self.radius.is_none()
    }
}

/// Samples in the order of the square buckets they lie in, about three a bucket. No pointers: 24 bytes a sample.
pub struct Buckets {
    low: (f64, f64),
    side: f64,
    cols: usize,
    rows: usize,
    starts: Vec<u32>,
    entries: Vec<(f64, f64, u32)>,
}

/// Samples a bucket holds on average.
const FILL: f64 = 3.0;

impl Buckets {
    /// Sorts samples into buckets.
    #[must_use]
    pub fn new(samples: &Samples) -> Self {
        let n = samples.len();
        let b = samples.bounds();
        let (w, h) = (b[2] - b[0], b[3] - b[1]);
        let cells = (n as f64 / FILL).max(1.0);
        // On a line the box has no area: then buckets divide its length.
        let side = (w * h / cells).sqrt().max(w.max(h) / cells).max(samples.tolerance);
        let count = |length: f64| ((length / side).floor() as usize + 1).min(4 * n + 1);
        let (cols, rows) = (count(w), count(h));
        let mut me =
            Self { low: (b[0], b[1]), side, cols, rows, starts: vec![0; cols * rows + 1], entries: Vec::new() };
        let place: Vec<usize> = (0..n).map(|i| me.bucket(samples.x[i], samples.y[i])).collect();
        for &p in &place {
            me.starts[p + 1] += 1;
        }
        for i in 0..cols * rows {
            me.starts[i + 1] += me.starts[i];
        }
        let mut next = me.starts.clone();
        me.entries = vec![(0.0, 0.0, 0); n];
        for (i, &p) in place.iter().enumerate() {
            me.entries[next[p] as usize] = (samples.x[i], samples.y[i], i as u32);
            next[p] += 1;
        }
        me
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.starts.len() * 4 + self.entries.len() * 24) as u64
    }

    fn axis(&self, v: f64, low: f64, count: usize) -> usize {
        // The cast saturates: places left of the box get the first bucket.
        (((v - low) / self.side) as usize).min(count - 1)
    }

    fn bucket(&self, x: f64, y: f64) -> usize {
        self.axis(y, self.low.1, self.rows) * self.cols + self.axis(x, self.low.0, self.cols)
    }

    /// The nearest samples of (`x`, `y`) into `found`, nearest first, without sample `except`.
    pub fn nearest(&self, x: f64, y: f64, rule: &Neighbourhood, except: Option<u32>, found: &mut Vec<(f64, u32)>) {
        found.clear();
        let k = rule.nmax;
        let mut worst = rule.radius.map_or(f64::INFINITY, |r| r * r);
        let (cx, cy) = (self.axis(x, self.low.0, self.cols), self.axis(y, self.low.1, self.rows));
        let mut visit = |row: usize, from: usize, to: usize, found: &mut Vec<(f64, u32)>| {
            let base = row * self.cols;
            let range = self.starts[base + from] as usize..self.starts[base + to + 1] as usize;
            for &(sx, sy, i) in &self.entries[range] {
                let (dx, dy) = (sx - x, sy - y);
                let d = dx * dx + dy * dy;
                if d > worst || Some(i) == except {
                    continue;
                }
                if found.len() == k {
                    // Equal distance: the lower index stays.
                    if found.last().is_some_and(|l| (d, i) >= *l) {
                        continue;
                    }
                    found.pop();
                }
                let at = found.iter().rposition(|e| *e < (d, i)).map_or(0, |p| p + 1);
                found.insert(at, (d, i));
                if found.len() == k {
                    worst = found[k - 1].0;
                }
            }
            worst
        };
        let mut ring = 0;
        loop {
            let (left, right) = (cx.saturating_sub(ring), (cx + ring).min(self.cols - 1));
            let (top, bottom) = (cy.checked_sub(ring), Some(cy + ring).filter(|&r| r < self.rows));
            let mut limit = f64::INFINITY;
            if let Some(row) = top {
                limit = visit(row, left, right, found);
            }
            if let Some(row) = bottom.filter(|_| ring > 0) {
                limit = visit(row, left, right, found);
            }
            if ring > 0 {
                let (first, last) = (cy.saturating_sub(ring - 1), (cy + ring - 1).min(self.rows - 1));
                for row in first..=last {
                    if let Some(col) = cx.checked_sub(ring) {
                        limit = visit(row, col, col, found);
                    }
                    if cx + ring < self.cols {
                        limit = visit(row, cx + ring, cx + ring, found);
                    }
                }
            }
            let beyond = self.clear_distance(x, y, cx, cy, ring);
            if beyond == f64::INFINITY || (beyond > 0.0 && beyond * beyond > limit) {
                break;
            }
            ring += 1;
        }
    }

    /// Distance from a place to the nearest bucket not yet visited; infinite once all are.
    fn clear_distance(&self, x: f64, y: f64, cx: usize, cy: usize, ring: usize) -> f64 {
        let axis = |v: f64, low: f64, c: usize, count: usize| {
            let below = if c > ring { v - (low + (c - ring) as f64 * self.side) } else { f64::INFINITY };
            let above = if c + ring + 1 < count { low + (c + ring + 1) as f64 * self.side - v } else { f64::INFINITY };
            below.min(above)
        };
        axis(x, self.low.0, cx, self.cols).min(axis(y, self.low.1, cy, self.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::samples::{Duplicates, Point, Transform};

    fn scattered(n: usize) -> Samples {
        // A Weyl sequence: irregular and reproducible.
        let f = |i: usize, a: f64| (i as f64 * a).fract();
        let point = |i: usize| Point {
            x: 1e6 + 1000.0 * f(i, 0.754_877_666_246_692_7),
            y: 300.0 * f(i, 0.569_840_290_998_053_3),
            value: i as f64,
            line: 0,
        };
        Samples::new(&(0..n).map(point).collect::<Vec<_>>(), Duplicates::Mean, Transform::None, 1e-6).unwrap()
    }

    fn brute(s: &Samples, x: f64, y: f64, k: usize, radius: Option<f64>) -> Vec<(f64, u32)> {
        let mut all: Vec<_> = (0..s.len()).map(|i| ((s.x[i] - x).powi(2) + (s.y[i] - y).powi(2), i as u32)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.retain(|e| radius.is_none_or(|r| e.0 <= r * r));
        all.truncate(k);
        all
    }

    #[test]
    fn equals_brute_force_inside_and_far_outside() {
        let s = scattered(700);
        let b = Buckets::new(&s);
        let mut found = Vec::new();
        for (x, y) in [(0.0, 0.0), (-499.0, 149.0), (3000.0, 0.0), (-2000.0, -900.0), (10.0, 5000.0)] {
            for (k, radius) in [(1, None), (12, None), (32, Some(60.0)), (700, None), (20, Some(4000.0))] {
                let rule = Neighbourhood { nmax: k, nmin: 1, radius };
                b.nearest(x, y, &rule, None, &mut found);
                assert_eq!(found, brute(&s, x, y, k, radius), "{x} {y} {k} {radius:?}");
            }
        }
    }

    #[test]
    fn points_on_a_line_and_ties() {
        let points: Vec<_> = (0..50).map(|i| Point { x: f64::from(i), y: 7.0, value: 0.0, line: 0 }).collect();
        let s = Samples::new(&points, Duplicates::Mean, Transform::None, 1e-6).unwrap();
        let b = Buckets::new(&s);
        let mut found = Vec::new();
        let rule = Neighbourhood { nmax: 3, nmin: 1, radius: None };
        b.nearest(s.x[10], s.y[10], &rule, None, &mut found);
        assert_eq!(found.iter().map(|f| f.1).collect::<Vec<_>>(), [10, 9, 11]);
        b.nearest(s.x[10], s.y[10], &rule, Some(10), &mut found);
        assert_eq!(found.iter().map(|f| f.1).collect::<Vec<_>>(), [9, 11, 8]);
    }

    #[test]
    fn requests_are_resolved_and_checked() {
        let r = |n, a, b, c| Neighbourhood::resolve(n, a, b, c);
        assert!(r(155, None, None, None).unwrap().is_global(155));
        assert_eq!(r(401, None, None, None).unwrap(), Neighbourhood { nmax: 32, nmin: 4, radius: None });
        assert!(r(155, Some(0), None, None).unwrap_err().to_string().contains("--nmax 0"));
        assert!(r(155, Some(5), Some(9), None).is_err());
        assert!(r(155, None, None, Some(-1.0)).is_err());
        assert!(r(1_000_000, Some(1_000_000), None, None).is_err());
    }
}
