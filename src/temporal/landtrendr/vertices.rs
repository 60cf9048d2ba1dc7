//! Steps 2 and 3: candidate vertices where lines fit worst, and culling of those that turn least.

use super::series::Series;

/// Most vertices of a candidate set: two ends and the most insertions allowed.
pub(super) const MOST: usize = 2 + MOST_INSERTIONS;
const MOST_INSERTIONS: usize = 21;

/// Indices of points in order, the first and the last point among them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vertices {
    at: [usize; MOST],
    count: usize,
}

impl Vertices {
    pub(super) fn as_slice(&self) -> &[usize] {
        &self.at[..self.count]
    }

    pub(super) fn remove(&mut self, i: usize) {
        self.at.copy_within(i + 1..self.count, i);
        self.count -= 1;
    }

    fn insert(&mut self, i: usize, point: usize) {
        self.at.copy_within(i..self.count, i + 1);
        self.at[i] = point;
        self.count += 1;
    }
}

/// A stretch between candidate vertices: how badly its own line fits, and where it would be split.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    score: f64,
    split: Option<usize>,
}

/// Step 2: starts with the ends and splits the stretch of the largest mean squared residual at its largest residual, until there are
/// `target` vertices or nothing is left to split.
pub(super) fn candidates(series: &Series, target: usize) -> Vertices {
    let last = series.len() - 1;
    let mut found = Vertices { count: 2, ..Vertices::default() };
    found.at[1] = last;
    let mut stretches = [Stretch::default(); MOST];
    stretches[0] = stretch(series, 0, last);
    while found.count < target.min(MOST) {
        let mut worst = 0;
        for i in 1..found.count - 1 {
            if stretches[i].score > stretches[worst].score {
                worst = i;
            }
        }
        if stretches[worst].score <= 0.0 {
            break;
        }
        let Some(split) = stretches[worst].split else {
            stretches[worst].score = 0.0;
            continue;
        };
        let (from, to) = (found.at[worst], found.at[worst + 1]);
        stretches.copy_within(worst..found.count - 1, worst + 1);
        stretches[worst] = stretch(series, from, split);
        stretches[worst + 1] = stretch(series, split, to);
        found.insert(worst + 1, split);
    }
    found
}

/// The points `from..=to` about their least-squares line.
fn stretch(series: &Series, from: usize, to: usize) -> Stretch {
    let y = &series.y[from..=to];
    if y.len() <= 2 || y.iter().all(|v| *v == y[0]) {
        return Stretch::default();
    }
    let (level, slope) = series.sums(from, to + 1).line();
    let residual = |x: f64, y: f64| y - (level + slope * x);
    let x = &series.x[from..=to];
    // A fall at the very end may be noise of the last year: its start is no vertex.
    let end = y.len() - 1;
    let eligible = if to + 1 == series.len() && y[end] <= y[end - 1] { 1..end - 1 } else { 1..end };
    let squares: f64 = x.iter().zip(y).map(|(&x, &y)| residual(x, y).powi(2)).sum();
    let mut split = None;
    let mut largest = f64::NEG_INFINITY;
    for i in eligible {
        let size = residual(x[i], y[i]).abs();
        if size > largest {
            (split, largest) = (Some(from + i), size);
        }
    }
    Stretch { score: squares / y.len() as f64, split }
}

/// How sharply a path turns at a vertex: the steeper of the two angles, more where the path rises (towards disturbance) after it.
pub(super) fn turn(before: f64, after: f64, rise_share: f64, rise_weight: f64) -> f64 {
    before.abs().max(after.abs()) * (1.0 + (rise_weight * rise_share).max(0.0))
}

/// Step 3: removes the interior vertex that turns least until `most` are left, with both axes brought to one length.
pub(super) fn cull(series: &Series, vertices: &mut Vertices, most: usize, rise_weight: f64) {
    if vertices.count <= most {
        return;
    }
    let (low, high) =
        series.y.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let range = high - low;
    let scale = (series.x[series.len() - 1] - series.x[0]) / range;
    let angle =
        |from: usize, to: usize| libm::atan((series.y[to] - series.y[from]) * scale / (series.x[to] - series.x[from]));
    let mut angles = [0.0; MOST];
    for (slot, pair) in angles.iter_mut().zip(vertices.as_slice().windows(2)) {
        *slot = angle(pair[0], pair[1]);
    }
    let mut turns = [f64::INFINITY; MOST];
    let turn_at = |at: &[usize], angles: &[f64; MOST], i: usize| {
        turn(angles[i - 1], angles[i], (series.y[at[i + 1]] - series.y[at[i]]) / range, rise_weight)
    };
    for (i, turn) in turns.iter_mut().enumerate().take(vertices.count - 1).skip(1) {
        *turn = turn_at(vertices.as_slice(), &angles, i);
    }
    while vertices.count > most {
        let mut least = 1;
        for i in 2..vertices.count - 1 {
            if turns[i] < turns[least] {
                least = i;
            }
        }
        vertices.remove(least);
        angles.copy_within(least + 1.., least);
        turns.copy_within(least + 1.., least);
        let at = vertices.as_slice();
        angles[least - 1] = angle(at[least - 1], at[least]);
        for i in [least - 1, least] {
            if i > 0 && i + 1 < at.len() {
                turns[i] = turn_at(at, &angles, i);
            }
        }
    }
}
