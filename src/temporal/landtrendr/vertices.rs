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

/// The points between two candidate vertices: how badly their line fits, and where they would be split.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    from: u16,
    to: u16,
    score: f64,
    split: Option<u16>,
}

/// Step 2: starts with the ends and splits the stretch of the largest mean squared residual at its largest residual, until there are
/// `target` vertices or nothing is left to split.
pub(super) fn candidates(series: &Series, target: usize) -> Vertices {
    let last = (series.len() - 1) as u16;
    let mut found = Vertices::default();
    found.push(0);
    found.push(last);
    // In no order: the halves of a stretch go to its place and to the end.
    let mut stretches = [Stretch::default(); MOST];
    stretches[0] = stretch(series, 0, last);
    while found.count < target.min(MOST) {
        let count = found.count - 1;
        let mut worst = 0;
        for i in 1..count {
            let (a, b) = (&stretches[i], &stretches[worst]);
            if a.score > b.score || (a.score == b.score && a.from < b.from) {
                worst = i;
            }
        }
        let Stretch { from, to, score, split } = stretches[worst];
        if score <= 0.0 {
            break;
        }
        let Some(split) = split else {
            stretches[worst].score = 0.0;
            continue;
        };
        stretches[worst] = stretch(series, from, split);
        stretches[count] = stretch(series, split, to);
        found.insert_in_order(split);
    }
    found
}

/// The points `from..=to` about their least-squares line.
fn stretch(series: &Series, from: u16, to: u16) -> Stretch {
    let (first, end) = (usize::from(from), usize::from(to));
    let (x, y) = (&series.x[first..=end], &series.y[first..=end]);
    if y.len() <= 2 || y.iter().all(|v| *v == y[0]) {
        return Stretch { from, to, ..Stretch::default() };
    }
    let (level, slope) = series.sums(first, end + 1).line();
    let residual = |i: usize| y[i] - (level + slope * x[i]);
    // A fall at the very end may be noise of the last year: its start is no vertex.
    let last = y.len() - 1;
    let past = if end + 1 == series.len() && y[last] <= y[last - 1] { last - 1 } else { last };
    let mut squares = residual(0) * residual(0);
    for i in past..=last {
        squares += residual(i) * residual(i);
    }
    // The points that may become vertices, in fixed lanes.
    let (inner_x, inner_y) = (&x[1..past], &y[1..past]);
    let off = |x: f64, y: f64| y - (level + slope * x);
    let (mut sums, mut sizes) = ([0.0; LANES], [0.0; LANES]);
    let (x_lanes, x_rest) = inner_x.as_chunks::<LANES>();
    let (y_lanes, y_rest) = inner_y.as_chunks::<LANES>();
    for (x, y) in x_lanes.iter().zip(y_lanes) {
        for lane in 0..LANES {
            let r = off(x[lane], y[lane]);
            sums[lane] += r * r;
            sizes[lane] = larger(sizes[lane], r.abs());
        }
    }
    for ((x, y), (sum, size)) in x_rest.iter().zip(y_rest).zip(sums.iter_mut().zip(&mut sizes)) {
        let r = off(*x, *y);
        *sum += r * r;
        *size = larger(*size, r.abs());
    }
    squares += (sums[0] + sums[1]) + (sums[2] + sums[3]);
    let largest = larger(larger(sizes[0], sizes[1]), larger(sizes[2], sizes[3]));
    let split = inner_x.iter().zip(inner_y).position(|(x, y)| off(*x, *y).abs() == largest);
    Stretch { from, to, score: squares / y.len() as f64, split: split.map(|i| from + 1 + i as u16) }
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
