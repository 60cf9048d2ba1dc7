//! Order statistics of the slopes of all pairs, without computing most of the slopes.
//!
//! The slope of a pair is below b exactly if its residuals x − b t fall from the earlier to the later date. So one pass of
//! comparisons tells how many slopes lie below a trial b. A few trials, each placed by interpolation between the ranks
//! already known, close a bracket round the wanted rank; only the slopes within are computed and selected from.
//!
//! The passes compare residuals in f32. That costs nothing in exactness: a pair counts as below b only if its residuals fall
//! by more than rounding could explain, and every doubtful pair stays within the bracket, where its slope is computed as
//! (x_j − x_i) / (t_j − t_i) in f64. The answer therefore equals the one found by sorting all slopes, bit by bit.

use std::f64::consts::TAU;

use super::pairs::{self, Bound};

/// Below this many observations all slopes are computed and selected from.
const FEW: usize = 20;
/// Trials after which whatever lies in the bracket is taken.
const TRIALS: usize = 24;
/// Bound of the rounding of two residuals to f32 and of all f64 operations, relative to their greatest possible size: each
/// residual errs by half an f32 spacing (2⁻²⁴), its threshold by another; the rest is room.
const ROUNDING: f64 = 1.0 / (1 << 21) as f64;

/// Residuals of a series at a trial slope.
#[derive(Clone, Debug, Default)]
struct Trial {
    slope: f64,
    /// Pairs surely below the slope.
    below: u64,
    /// What rounding may move the residuals of a pair against each other.
    doubt: f32,
    levels: Vec<f32>,
    thresholds: Vec<f32>,
}

impl Trial {
    /// Turns the thresholds of "surely below" into those of "surely above".
    fn rise(&mut self) {
        let n = self.thresholds.len();
        self.thresholds.clear();
        self.thresholds.extend(self.levels.iter().take(n).map(|r| r + self.doubt));
    }
}

/// Memory for order statistics of slopes.
#[derive(Clone, Debug, Default)]
pub(super) struct Slopes {
    times: Vec<f64>,
    values: Vec<f64>,
    /// Greatest |t| and |x| of the above.
    reach: (f64, f64),
    /// Runs of observations of one time, whose pairs have no slope.
    runs: Vec<(usize, usize)>,
    count: u64,
    lower: Trial,
    upper: Trial,
    trial: Trial,
    found: Vec<(u32, u32)>,
    slopes: Vec<f64>,
}

impl Slopes {
    /// Takes a series in order of time; gives the number of its slopes.
    pub(super) fn load(&mut self, times: &[f64], values: &[f64]) -> u64 {
        let n = times.len().min(values.len());
        let (times, values) = (&times[..n], &values[..n]);
        // Residuals about the middle of the series are small, so that f32 tells them apart.
        let (t0, x0) = (times.get(n / 2).copied().unwrap_or(0.0), values.get(n / 2).copied().unwrap_or(0.0));
        self.times.clear();
        self.times.extend(times.iter().map(|t| t - t0));
        self.values.clear();
        self.values.extend(values.iter().map(|x| x - x0));
        let greatest = |v: &[f64]| v.iter().fold(0.0_f64, |m, x| if x.abs() > m { x.abs() } else { m });
        self.reach = (greatest(&self.times), greatest(&self.values));
        self.runs.clear();
        let mut start = 0;
        for i in 1..=n {
            if i == n || times[i] > times[start] {
                if i - start > 1 {
                    self.runs.push((start, i));
                }
                start = i;
            }
        }
        let all = |n: usize| (n * n.saturating_sub(1) / 2) as u64;
        self.count = all(n) - self.runs.iter().map(|&(a, b)| all(b - a)).sum::<u64>();
        self.count
    }

    /// The median slope of the series that was loaded: the mean of the middle two where their number is even.
    pub(super) fn median(&mut self, times: &[f64], values: &[f64]) -> Option<f64> {
        let last = self.count.checked_sub(1)?;
        let (low, high) = self.ranks(times, values, last / 2, self.count / 2)?;
        Some(if self.count % 2 == 1 { high } else { 0.5 * (low + high) } + 0.0)
    }

    /// The slopes of two ranks, counted from zero, of the series that was loaded. The second rank is the first or the next.
    pub(super) fn ranks(&mut self, times: &[f64], values: &[f64], first: u64, second: u64) -> Option<(f64, f64)> {
        if second >= self.count {
            return None;
        }
        if self.reach.1 == 0.0 {
            // A constant: every slope is zero.
            return Some((0.0, 0.0));
        }
        if times.len() >= FEW && self.bracket(times, values, first, second) {
            self.found.clear();
            self.upper.rise();
            pairs::between(
                Bound { levels: &self.lower.levels, thresholds: &self.lower.thresholds },
                Bound { levels: &self.upper.levels, thresholds: &self.upper.thresholds },
                &mut self.found,
            );
            self.slopes.clear();
            self.slopes.extend(self.found.iter().filter_map(|&(i, j)| slope(times, values, i as usize, j as usize)));
            let (low, high) = (first - self.lower.below, second - self.lower.below);
            // Doubtful pairs beyond the bracket may take the place of the wanted rank; then the long way is right.
            if let Some((a, b)) = self.select(low, high)
                && a >= self.lower.slope
                && b <= self.upper.slope
            {
                return Some((a, b));
            }
        }
        self.slopes.clear();
        for j in 1..times.len() {
            self.slopes.extend((0..j).filter_map(|i| slope(times, values, i, j)));
        }
        self.select(first, second)
    }

    /// The slopes of two ranks among those listed.
    fn select(&mut self, first: u64, second: u64) -> Option<(f64, f64)> {
        let (first, second) = (first as usize, second as usize);
        if second >= self.slopes.len() {
            return None;
        }
        let (below, &mut high, _) = self.slopes.select_nth_unstable_by(second, f64::total_cmp);
        let low = if first == second { high } else { below.iter().copied().max_by(f64::total_cmp)? };
        Some((low + 0.0, high + 0.0))
    }

    /// Finds a lower and an upper slope round the ranks, with few slopes between them; false where there are none.
    fn bracket(&mut self, times: &[f64], values: &[f64], first: u64, second: u64) -> bool {
        let n = times.len();
        let finest = self.reach.1 / self.reach.0 * ROUNDING;
        let Some((mut guess, density)) = self.guess(times, values, first) else {
            return false;
        };
        let enough = (n / 2) as u64;
        // Where the next trial aims: beyond the wanted rank, but not by more than is enough.
        let beyond = (n / 4) as f64;
        let (mut lower, mut upper) = (false, false);
        let mut width = u64::MAX;
        let mut caution = 1.0;
        for _ in 0..TRIALS {
            if !guess.is_finite() {
                return false;
            }
            self.attempt(guess);
            let below = self.trial.below;
            if below <= first {
                std::mem::swap(&mut self.trial, &mut self.lower);
                lower = true;
            } else if below > second {
                std::mem::swap(&mut self.trial, &mut self.upper);
                upper = true;
            }
            if !(lower && upper) {
                // Also after a trial between the two middle slopes, which is no bound.
                let missing = if lower || below <= second { first.saturating_sub(below) } else { below - second };
                let step = ((missing as f64 + beyond) / density).max(finest) * caution;
                guess += if lower || below <= first { step } else { -step };
                caution *= 2.0;
                continue;
            }
            let (under, over) = (first - self.lower.below, self.upper.below - second);
            let (a, b) = (self.lower.slope, self.upper.slope);
            // Equal slopes cannot be parted, and closer trials tell residuals apart no better.
            if under <= enough && over <= enough || b - a <= finest {
                return true;
            }
            let span = self.upper.below - self.lower.below;
            // Interpolation that does not close the bracket well gives way to halving it.
            let share = if span > width / 2 {
                0.5
            } else {
                let wanted = if under > over { under - enough / 2 } else { span - over + enough / 2 };
                wanted as f64 / span as f64
            };
            width = span;
            guess = a + (b - a) * share;
        }
        lower && upper
    }

    /// A first guess of the slope of a rank, and of how many slopes lie in a unit of slope there, from the slopes of pairs
    /// half the series apart. Both only save or cost trials.
    fn guess(&mut self, times: &[f64], values: &[f64], rank: u64) -> Option<(f64, f64)> {
        let n = times.len();
        let apart = n / 2;
        self.slopes.clear();
        self.slopes.extend((0..n - apart).filter_map(|i| slope(times, values, i, i + apart)));
        let m = self.slopes.len();
        if m < 4 {
            return None;
        }
        let (head, &mut middle, tail) = self.slopes.select_nth_unstable_by(m / 2, f64::total_cmp);
        let quartile = |part: &mut [f64]| {
            let middle = part.len() / 2;
            *part.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        let finest = self.reach.1 / self.reach.0 * ROUNDING;
        let spread = (quartile(tail) - quartile(head)).max(finest);
        // Were the values normal about the line with standard deviation σ, the slopes of pairs dt apart would have a density
        // of dt/(2σ√π) at the line, and those of the long pairs quartiles 1.349·√2·σ/dt apart. Over all pairs the mean of dt is
        // a third of the series, over the long ones a half.
        let density = self.count as f64 * (2.0 / 3.0) * 1.349 / (spread * TAU.sqrt());
        let off = (rank as f64 - 0.5 * self.count as f64) / density;
        Some((middle + off, density))
    }

    /// Counts the slopes below a trial slope.
    fn attempt(&mut self, slope: f64) {
        let trial = &mut self.trial;
        trial.slope = slope;
        let doubt = ((self.reach.1 + slope.abs() * self.reach.0) * ROUNDING) as f32 + f32::MIN_POSITIVE;
        trial.doubt = doubt;
        let n = self.times.len();
        trial.thresholds.resize(n, 0.0);
        trial.levels.resize(n.next_multiple_of(pairs::LANES), 0.0);
        let (levels, padding) = trial.levels.split_at_mut(n);
        padding.fill(f32::INFINITY);
        pairs::residuals((&self.times, &self.values), (slope, doubt), levels, &mut trial.thresholds);
        trial.below = pairs::below(&trial.levels, &trial.thresholds);
        // Pairs of one time were counted too, though they have no slope.
        for &(start, end) in &self.runs {
            for j in start + 1..end {
                trial.below -= (start..j).filter(|&i| trial.levels[j] < trial.thresholds[i]).count() as u64;
            }
        }
    }
}

/// Slope of the pair of observations `i` and `j`, none where they have one time.
#[inline]
fn slope(times: &[f64], values: &[f64], i: usize, j: usize) -> Option<f64> {
    let span = times[j] - times[i];
    (span > 0.0).then(|| (values[j] - values[i]) / span)
}
