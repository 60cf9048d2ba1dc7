//! Steps 2 and 3: candidate vertices where lines fit worst, and culling of those that turn least.

use super::series::{LANES, Series, larger, range};

/// Most vertices of a candidate set: two ends and the most insertions allowed.
pub(super) const MOST: usize = 2 + MOST_INSERTIONS;
const MOST_INSERTIONS: usize = 21;

/// Indices of points in order, the first and the last point among them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vertices {
    at: [u16; MOST],
    count: usize,
}

impl Vertices {
    pub(super) fn as_slice(&self) -> &[u16] {
        &self.at[..self.count]
    }

    pub(super) fn remove(&mut self, i: usize) {
        self.at.copy_within(i + 1..self.count, i);
        self.count -= 1;
    }

    fn push(&mut self, point: u16) {
        self.at[self.count] = point;
        self.count += 1;
    }

    fn insert_in_order(&mut self, point: u16) {
        let mut i = self.count;
        while i > 0 && self.at[i - 1] > point {
            self.at[i] = self.at[i - 1];
            i -= 1;
        }
        self.at[i] = point;
        self.count += 1;
    }
}

/// The points between two candidate vertices, and how badly their line fits.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    from: u16,
    to: u16,
    score: f64,
}

/// Share of the squares of a series below which squared residuals are the rounding of their sums.
const ROUNDING: f64 = 1e-12;

/// Step 2: starts with the ends and splits the stretch of the largest mean squared residual at its largest residual, until there are
/// `target` vertices or nothing is left to split.
pub(super) fn candidates(series: &Series, target: usize) -> Vertices {
    let last = (series.len() - 1) as u16;
    let mut found = Vertices::default();
    found.push(0);
    found.push(last);
    // In no order: the halves of a stretch go to its place and to the end.
    let all = series.sums(0, series.len());
    let stretch = |from, to| Stretch { from, to, score: misfit(series, from, to, ROUNDING * all.yy) };
    let mut stretches = [Stretch::default(); MOST];
    stretches[0] = stretch(0, last);
    while found.count < target.min(MOST) {
        let count = found.count - 1;
        let mut worst = 0;
        for i in 1..count {
            let (a, b) = (&stretches[i], &stretches[worst]);
            if a.score > b.score || (a.score == b.score && a.from < b.from) {
                worst = i;
            }
        }
        let Stretch { from, to, score } = stretches[worst];
        if score <= 0.0 {
            break;
        }
        let Some(split) = split(series, from, to) else {
            stretches[worst].score = 0.0;
            continue;
        };
        stretches[worst] = stretch(from, split);
        stretches[count] = stretch(split, to);
        found.insert_in_order(split);
    }
    found
}

/// Mean squared residual of the points `from..=to` from their least-squares line; zero if they lie on it but for `rounding`.
fn misfit(series: &Series, from: u16, to: u16, rounding: f64) -> f64 {
    if to - from < 2 {
        return 0.0;
    }
    let points = series.sums(from.into(), usize::from(to) + 1);
    let (xx, xy, yy) = points.about(points.x / points.n, points.y / points.n);
    let squares = yy - xy * xy / xx;
    if squares > rounding { squares / points.n } else { 0.0 }
}

/// The point inside `from..=to` that is farthest from their least-squares line, the first of equals.
fn split(series: &Series, from: u16, to: u16) -> Option<u16> {
    let (first, end) = (usize::from(from), usize::from(to));
    let (level, slope) = series.sums(first, end + 1).line();
    // A fall at the very end may be noise of the last year: its start is no vertex.
    let falls_at_the_end = end + 1 == series.len() && series.y[end] <= series.y[end - 1];
    let past = if falls_at_the_end { end - 1 } else { end };
    let (x, y) = (&series.x[first + 1..past], &series.y[first + 1..past]);
    let size = |x: f64, y: f64| (y - (level + slope * x)).abs();
    let (x_lanes, x_rest) = x.as_chunks::<LANES>();
    let (y_lanes, y_rest) = y.as_chunks::<LANES>();
    let mut sizes = [0.0; LANES];
    for (x, y) in x_lanes.iter().zip(y_lanes) {
        for lane in 0..LANES {
            sizes[lane] = larger(sizes[lane], size(x[lane], y[lane]));
        }
    }
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| size(*x, *y));
    let largest = sizes.into_iter().chain(rest).fold(0.0, larger);
    let inside = x.iter().zip(y).position(|(x, y)| size(*x, *y) == largest)?;
    Some(from + 1 + inside as u16)
}

/// How sharply a path turns at a vertex: the steeper of the two angles, more where the path rises (towards disturbance) after it.
pub(super) fn turn(before: f64, after: f64, rise_share: f64, rise_weight: f64) -> f64 {
    before.abs().max(after.abs()) * (1.0 + (rise_weight * rise_share).max(0.0))
}

/// Step 3: removes the interior vertex that turns least until `most` are left, with both axes brought to one length.
pub(super) fn cull(series: &Series, vertices: &mut Vertices, most: usize, rise_weight: f64) {
    let count = vertices.count;
    if count <= most {
        return;
    }
    let (low, high) = range(&series.y);
    let range = high - low;
    let scale = (series.x[series.len() - 1] - series.x[0]) / range;
    let at = vertices.as_slice();
    let (mut x, mut y) = ([0.0; MOST], [0.0; MOST]);
    for ((x, y), &point) in x.iter_mut().zip(&mut y).zip(at) {
        (*x, *y) = (series.x[usize::from(point)], series.y[usize::from(point)]);
    }
    let angle = |from: usize, to: usize| libm::atan((y[to] - y[from]) * scale / (x[to] - x[from]));
    // A chain: what is removed stays in its place and is passed over.
    let (mut before, mut after) = ([0; MOST], [0; MOST]);
    let mut angles = [0.0; MOST];
    let mut turns = [f64::INFINITY; MOST];
    for i in 0..count - 1 {
        (before[i + 1], after[i]) = (i, i + 1);
        angles[i] = angle(i, i + 1);
    }
    let turn_at = |i: usize, before: usize, after: usize, angles: &[f64; MOST]| {
        turn(angles[before], angles[i], (y[after] - y[i]) / range, rise_weight)
    };
    for (i, turn) in turns.iter_mut().enumerate().take(count - 1).skip(1) {
        *turn = turn_at(i, i - 1, i + 1, &angles);
    }
    for _ in most..count {
        let mut least = 1;
        for i in 2..count - 1 {
            if turns[i] < turns[least] {
                least = i;
            }
        }
        let (left, right) = (before[least], after[least]);
        turns[least] = f64::INFINITY;
        (after[left], before[right]) = (right, left);
        angles[left] = angle(left, right);
        for i in [left, right] {
            if i > 0 && i + 1 < count {
                turns[i] = turn_at(i, before[i], after[i], &angles);
            }
        }
    }
    let mut kept = Vertices::default();
    let mut i = 0;
    while i + 1 < count {
        kept.push(at[i]);
        i = after[i];
    }
    kept.push(at[i]);
    *vertices = kept;
}
