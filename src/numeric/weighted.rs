//! Values with weights: moments and a store of distinct values, both mergeable.

/// Weighted count, sum, spread and range. Merging follows Chan, Golub and LeVeque (1979), so that a large offset does not
/// eat the variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Sum of weights.
    pub count: f64,
    /// Weighted sum of values.
    pub sum: f64,
    /// Weighted sum of squared distances from the mean.
    pub m2: f64,
    /// Smallest value; infinite where there is none.
    pub min: f64,
    /// Largest value; minus infinity where there is none.
    pub max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0.0, sum: 0.0, m2: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// Of pairs (value, weight > 0), in two passes.
    pub fn of(pairs: &[(f64, f64)]) -> Self {
        let mut m = Self::default();
        for (v, w) in pairs {
            m.count += w;
            m.sum += w * v;
            m.min = m.min.min(*v);
            m.max = m.max.max(*v);
        }
        if m.count > 0.0 {
            let mean = m.sum / m.count;
            m.m2 = pairs.iter().map(|(v, w)| w * (v - mean) * (v - mean)).sum();
        }
        m
    }

    /// Adds the moments of other values.
    pub fn merge(&mut self, o: &Self) {
        if o.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *o;
            return;
        }
        let count = self.count + o.count;
        let delta = o.sum / o.count - self.sum / self.count;
        self.m2 += o.m2 + delta * delta * (self.count * o.count / count);
        self.count = count;
        self.sum += o.sum;
        self.min = self.min.min(o.min);
        self.max = self.max.max(o.max);
    }

    /// `Σwv / Σw`; nothing without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        // Rounding must not carry the mean of equal values past them.
        (self.count > 0.0).then(|| (self.sum / self.count).clamp(self.min, self.max))
    }

    /// Population variance `Σw(v−mean)² / Σw`.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.m2 / self.count)
    }
}

/// Distinct values with the sum of their weights. Sorted runs of falling length keep merging cheap: each value is moved
/// O(log n) times.
#[derive(Clone, Debug, Default)]
pub struct ValueStore {
    runs: Vec<Vec<(f64, f64)>>,
}

impl ValueStore {
    /// Of pairs (value, weight) in any order.
    #[must_use]
    pub fn of(mut pairs: Vec<(f64, f64)>) -> Self {
        // −0 and 0 are one value.
        pairs.iter_mut().for_each(|p| p.0 += 0.0);
        // Stable: equal values add in the order they came.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        pairs.shrink_to_fit();
        Self { runs: if pairs.is_empty() { Vec::new() } else { vec![pairs] } }
    }

    /// Adds the values of another store.
    pub fn merge(&mut self, other: Self) {
        for run in other.runs {
            self.runs.push(run);
            while let [.., a, b] = self.runs.as_slice()
                && a.len() < 2 * b.len()
            {
                let (b, a) = (self.runs.pop().unwrap_or_default(), self.runs.pop().unwrap_or_default());
                self.runs.push(merged(&a, &b));
            }
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|r| r.len() as u64 * 16).sum()
    }

    /// All distinct values in rising order with their weights.
    #[must_use]
    pub fn sorted(mut self) -> Vec<(f64, f64)> {
        let mut all = self.runs.pop().unwrap_or_default();
        while let Some(run) = self.runs.pop() {
            all = merged(&run, &all);
        }
        all
    }
}

fn merged(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].0.total_cmp(&b[j].0) {
            std::cmp::Ordering::Less => {
                out.push(a[i]);
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                out.push(b[j]);
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                out.push((a[i].0, a[i].1 + b[j].1));
                i += 1;
                j += 1;
            }
        }
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out.shrink_to_fit();
    out
}

/// Weighted quantile `q` (0 to 1) of distinct values in rising order: with `C_k` the weight before value k and n values,
/// `s_k = k·w_k + (n−1)·C_k`; the value at `q(n−1)Σw` by linear interpolation of v on s. With equal weights this is the usual
/// quantile between order statistics (type 7).
#[must_use]
pub fn quantile(sorted: &[(f64, f64)], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if last == 0 {
        return Some(sorted[0].0);
    }
    let n1 = last as f64;
    let target = q * n1 * sorted.iter().map(|p| p.1).sum::<f64>();
    let (mut before, mut low) = (0.0, (0.0, sorted[0].0));
    for (k, (v, w)) in sorted.iter().enumerate() {
        let s = k as f64 * w + n1 * before;
        if s >= target {
            return Some(if s > low.0 { low.1 + (v - low.1) * (target - low.0) / (s - low.0) } else { *v });
        }
        low = (s, *v);
        before += w;
    }
    Some(sorted[last].0)
}

/// The value with the largest weight, the larger of tied ones. Weights that differ by rounding only are tied.
#[must_use]
pub fn majority(sorted: &[(f64, f64)]) -> Option<f64> {
    let top = sorted.iter().map(|p| p.1).reduce(f64::max)?;
    sorted.iter().rev().find(|p| p.1 >= top * (1.0 - TIE)).map(|p| p.0)
}

/// The value with the smallest weight, the smaller of tied ones.
#[must_use]
pub fn minority(sorted: &[(f64, f64)]) -> Option<f64> {
    let least = sorted.iter().map(|p| p.1).reduce(f64::min)?;
    sorted.iter().find(|p| p.1 <= least * (1.0 + TIE)).map(|p| p.0)
}

/// Relative difference below which two sums of covered fractions are one.
const TIE: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_moments_equal_those_of_all() {
        let pairs: Vec<_> = (0..1000).map(|i| (1e7 + f64::from(i % 2), 0.5 + f64::from(i % 7))).collect();
        let mut m = Moments::default();
        pairs.chunks(37).for_each(|c| m.merge(&Moments::of(c)));
        let all = Moments::of(&pairs);
        // Means near 1e7 carry 1e-9; the naive formula would lose everything here.
        assert!((m.variance().unwrap() - all.variance().unwrap()).abs() < 1e-9);
        assert!((m.mean().unwrap() - all.mean().unwrap()).abs() < 1e-9);
        assert_eq!((m.min, m.max), (1e7, 1e7 + 1.0));
        assert_eq!(Moments::default().mean(), None);
    }

    #[test]
    fn merged_stores_equal_one_store() {
        let pairs: Vec<_> = (0..5000).map(|i| (f64::from((i * 7919) % 613), f64::from(i % 5))).collect();
        let mut s = ValueStore::default();
        pairs.chunks(61).for_each(|c| s.merge(ValueStore::of(c.to_vec())));
        assert!(s.bytes() < 613 * 16 * 4);
        assert_eq!(s.sorted(), ValueStore::of(pairs).sorted());
    }

    #[test]
    fn equal_weights_give_type_7_quantiles() {
        let v = [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (8.0, 1.0)];
        assert_eq!(quantile(&v, 0.5), Some(3.0));
        assert_eq!(quantile(&v, 0.0), Some(1.0));
        assert_eq!(quantile(&v, 1.0), Some(8.0));
        assert_eq!(quantile(&[(3.0, 0.1)], 0.9), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn ties_go_up_for_the_majority_and_down_for_the_minority() {
        let v = [(1.0, 2.0), (2.0, 1.0), (3.0, 2.0), (4.0, 1.0 + 1e-13)];
        assert_eq!((majority(&v), minority(&v)), (Some(3.0), Some(2.0)));
    }
}
