//! Thresholds that part a histogram in two: Otsu 1979 and minimum error (Kittler & Illingworth 1986).

/// Equal bins over a closed range.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    counts: Vec<u64>,
}

/// Bins used for thresholds.
pub const BINS: usize = 256;

impl Histogram {
    /// `bins` empty bins over `min..=max`; `None` where the range is empty or a single value.
    #[must_use]
    pub fn new(min: f64, max: f64, bins: usize) -> Option<Self> {
        (min < max && (max - min).is_finite() && bins > 0).then(|| Self { min, max, counts: vec![0; bins] })
    }

    fn edge(&self, k: usize) -> f64 {
        if k == self.counts.len() {
            self.max
        } else {
            self.min + (self.max - self.min) / self.counts.len() as f64 * k as f64
        }
    }

    /// Counts a value; NaN and values outside are left out. Bins are closed on the left, the last one on both sides.
    pub fn add(&mut self, x: f64) {
        if !(self.min..=self.max).contains(&x) {
            return;
        }
        let n = self.counts.len();
        let mut k = (((x - self.min) / (self.max - self.min) * n as f64) as usize).min(n - 1);
        // The quotient may round across an edge; the edges decide.
        if x < self.edge(k) {
            k -= 1;
        } else if k + 1 < n && x >= self.edge(k + 1) {
            k += 1;
        }
        self.counts[k] += 1;
    }

    /// Adds the counts of a histogram over the same bins.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.min == other.min && self.max == other.max && self.counts.len() == other.counts.len());
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    /// Centre of a bin.
    #[must_use]
    pub fn centre(&self, k: usize) -> f64 {
        (self.edge(k) + self.edge(k + 1)) / 2.0
    }

    /// Counts by bin.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Otsu's threshold: the split with the largest variance between the classes, first one on ties. `bracket` limits
    /// where it may lie. `None` where no split parts the values.
    #[must_use]
    pub fn otsu(&self, bracket: Option<(f64, f64)>) -> Option<Split> {
        let mut best: Option<(f64, usize)> = None;
        for s in self.splits(bracket) {
            let score = s.weight_low * s.weight_high * (s.mean_low - s.mean_high).powi(2);
            if best.is_none_or(|(b, _)| score > b) {
                best = Some((score, s.bin));
            }
        }
        best.map(|(score, bin)| self.split(bin, score))
    }

    /// The minimum error threshold: least J over splits with at least five occupied bins on each side. `None` where
    /// there is no such split, or J is least at the outermost ones: then the values have one hill.
    #[must_use]
    pub fn minimum_error(&self, bracket: Option<(f64, f64)>) -> Option<Split> {
        const OCCUPIED: usize = 5;
        let total: f64 = self.counts.iter().map(|&c| c as f64).sum();
        let mut best: Option<(f64, usize)> = None;
        // Weights below the outermost splits and below the best one; empty bins repeat a split.
        let (mut first, mut last, mut at) = (None, None, None);
        for s in self.splits(bracket) {
            let occupied = |c: &[u64]| c.iter().filter(|&&n| n > 0).count();
            let (low, high) = self.counts.split_at(s.bin + 1);
            let (v1, v2) = (s.variance_low, s.variance_high);
            if occupied(low) < OCCUPIED || occupied(high) < OCCUPIED || v1 <= 0.0 || v2 <= 0.0 {
                continue;
            }
            let (p1, p2) = (s.weight_low / total, s.weight_high / total);
            let j = 1.0 + p1 * v1.ln() + p2 * v2.ln() - 2.0 * (p1 * p1.ln() + p2 * p2.ln());
            first = first.or(Some(s.weight_low));
            last = Some(s.weight_low);
            // A repeated split differs by rounding only and must not move the threshold.
            if at != last && best.is_none_or(|(b, _)| j < b) {
                best = Some((j, s.bin));
                at = last;
            }
        }
        let inside = at != first && at != last;
        best.filter(|_| inside).map(|(score, bin)| self.split(bin, score))
    }

    fn split(&self, bin: usize, score: f64) -> Split {
        let total: f64 = self.counts.iter().map(|&c| c as f64).sum();
        let low: f64 = self.counts[..=bin].iter().map(|&c| c as f64).sum();
        let moments = |range: std::ops::Range<usize>| self.moments(range);
        let (whole, a, b) = (moments(0..self.counts.len()), moments(0..bin + 1), moments(bin + 1..self.counts.len()));
        let share = low / total;
        let between = share * (1.0 - share) * (a.0 - b.0).powi(2);
        Split { bin, threshold: self.centre(bin), score, low_share: share, separation: between / whole.1 }
    }

    /// Mean and population variance of the bin centres in a range of bins.
    fn moments(&self, range: std::ops::Range<usize>) -> (f64, f64) {
        let n: f64 = self.counts[range.clone()].iter().map(|&c| c as f64).sum();
        let mean = range.clone().map(|k| self.counts[k] as f64 * self.centre(k)).sum::<f64>() / n;
        let variance = range.map(|k| self.counts[k] as f64 * (self.centre(k) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    }

    fn splits(&self, bracket: Option<(f64, f64)>) -> impl Iterator<Item = Candidate> + '_ {
        let n = self.counts.len();
        (0..n.saturating_sub(1)).filter_map(move |bin| {
            let c = self.centre(bin);
            if bracket.is_some_and(|(lo, hi)| c < lo || c > hi) {
                return None;
            }
            let weight_low: f64 = self.counts[..=bin].iter().map(|&c| c as f64).sum();
            let weight_high: f64 = self.counts[bin + 1..].iter().map(|&c| c as f64).sum();
            if weight_low == 0.0 || weight_high == 0.0 {
                return None;
            }
            let ((mean_low, variance_low), (mean_high, variance_high)) =
                (self.moments(0..bin + 1), self.moments(bin + 1..n));
            Some(Candidate { bin, weight_low, weight_high, mean_low, mean_high, variance_low, variance_high })
        })
    }
}

struct Candidate {
    bin: usize,
    weight_low: f64,
    weight_high: f64,
    mean_low: f64,
    mean_high: f64,
    variance_low: f64,
    variance_high: f64,
}

/// Where a histogram was parted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Last bin of the lower class.
    pub bin: usize,
    /// Centre of that bin; the upper class is above it.
    pub threshold: f64,
    /// The criterion at the split.
    pub score: f64,
    /// Share of values in the lower class.
    pub low_share: f64,
    /// Variance between the classes by total variance, 0..=1.
    pub separation: f64,
}

impl Split {
    /// Whether there are two classes worth the name: separation at least 0.6, and 2 % of the values in each.
    #[must_use]
    pub fn is_bimodal(&self) -> bool {
        self.separation >= 0.6 && (0.02..=0.98).contains(&self.low_share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_hills() -> Histogram {
        let mut h = Histogram::new(0.0, 1.0, 10).unwrap();
        for (x, n) in [(0.05, 2), (0.15, 6), (0.25, 2), (0.75, 3), (0.85, 5), (1.0, 2)] {
            (0..n).for_each(|_| h.add(x));
        }
        h
    }

    #[test]
    fn the_last_bin_is_closed_and_the_rest_left_out() {
        let mut h = two_hills();
        h.add(f64::NAN);
        h.add(1.1);
        assert_eq!(h.counts(), [2, 6, 2, 0, 0, 0, 0, 3, 5, 2]);
        assert_eq!(Histogram::new(0.3, 0.3, 10), None);
    }

    #[test]
    fn otsu_parts_two_hills_at_the_first_of_equal_splits() {
        let s = two_hills().otsu(None).unwrap();
        assert_eq!((s.bin, s.low_share), (2, 0.5));
        assert!((s.threshold - 0.25).abs() < 1e-15 && s.is_bimodal(), "{s:?}");
        let bracketed = two_hills().otsu(Some((0.4, 0.6))).unwrap();
        assert_eq!(bracketed.bin, 4);
    }

    #[test]
    fn one_hill_has_no_minimum_error_threshold() {
        let mut h = Histogram::new(0.0, 1.0, 20).unwrap();
        for (k, n) in [1, 2, 4, 8, 16, 30, 50, 70, 80, 85, 85, 80, 70, 50, 30, 16, 8, 4, 2, 1].into_iter().enumerate() {
            (0..n).for_each(|_| h.add((k as f64 + 0.5) / 20.0));
        }
        assert_eq!(h.minimum_error(None), None);
    }

    #[test]
    fn one_occupied_bin_cannot_be_parted() {
        let mut h = Histogram::new(0.0, 1.0, 10).unwrap();
        h.add(0.5);
        assert_eq!(h.otsu(None), None);
        assert_eq!(h.minimum_error(None), None);
    }
}
