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

/// Independent sums that make up one: they vectorise and have the same bits on every processor.
const LANES: usize = 8;

/// Takes so many numbers with their weights at a time.
///
/// A trait and not a closure: what runs within a dispatch to the processor must be inlined to be compiled for it.
trait Take {
    fn take(&mut self, x: &[f64; LANES], weights: &[f64; LANES]);
}

/// Hands over the numbers `wide` makes of values and their weights, 1 where none are given; NaN fills the last ones up.
#[inline(always)]
fn hand_over<T: Copy>(to: &mut impl Take, values: &[T], weights: Option<&[f64]>, wide: impl Fn(T) -> f64) {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let (mut x, mut w) = ([f64::NAN; LANES], [1.0; LANES]);
    if let Some(weights) = weights {
        let (weights, last) = weights.as_chunks::<LANES>();
        for (chunk, weights) in chunks.iter().zip(weights) {
            let mut x = [0.0; LANES];
            for i in 0..LANES {
                x[i] = wide(chunk[i]);
            }
            to.take(&x, weights);
        }
        for (w, v) in w.iter_mut().zip(last) {
            *w = *v;
        }
    } else {
        for chunk in chunks {
            let mut x = [0.0; LANES];
            for i in 0..LANES {
                x[i] = wide(chunk[i]);
            }
            to.take(&x, &w);
        }
    }
    for (x, v) in x.iter_mut().zip(rest) {
        *x = wide(*v);
    }
    to.take(&x, &w);
}

/// The first of two passes for [`Moments`]: all but the spread. NaN and what has weight 0 is not counted.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    count: [f64; LANES],
    sum: [f64; LANES],
    min: [f64; LANES],
    max: [f64; LANES],
}

impl Default for Lanes {
    #[inline(always)]
    fn default() -> Self {
        let (zero, inf) = ([0.0; LANES], [f64::INFINITY; LANES]);
        Self { count: zero, sum: zero, min: inf, max: [f64::NEG_INFINITY; LANES] }
    }
}

impl Take for Lanes {
    #[inline(always)]
    fn take(&mut self, x: &[f64; LANES], w: &[f64; LANES]) {
        for i in 0..LANES {
            let counts = !x[i].is_nan() & (w[i] > 0.0);
            self.count[i] += if counts { w[i] } else { 0.0 };
            self.sum[i] += if counts { w[i] * x[i] } else { 0.0 };
            self.min[i] = if counts & (x[i] < self.min[i]) { x[i] } else { self.min[i] };
            self.max[i] = if counts & (x[i] > self.max[i]) { x[i] } else { self.max[i] };
        }
    }
}

impl Lanes {
    /// Adds the numbers `wide` makes of values, with their weights, 1 where none are given.
    #[inline(always)]
    pub fn add<T: Copy>(&mut self, values: &[T], weights: Option<&[f64]>, wide: impl Fn(T) -> f64) {
        let mut s = *self;
        hand_over(&mut s, values, weights, wide);
        *self = s;
    }

    /// The moments of all values added, without their spread: it takes the mean and a second pass.
    #[inline(always)]
    #[must_use]
    pub fn moments(&self) -> Moments {
        Moments {
            count: self.count.iter().sum(),
            sum: self.sum.iter().sum(),
            m2: 0.0,
            min: self.min.into_iter().fold(f64::INFINITY, f64::min),
            max: self.max.into_iter().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// The second pass for [`Moments`]: squared distances from the mean.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    mean: f64,
    squares: [f64; LANES],
}

impl Take for Spread {
    #[inline(always)]
    fn take(&mut self, x: &[f64; LANES], w: &[f64; LANES]) {
        for i in 0..LANES {
            let d = x[i] - self.mean;
            self.squares[i] += if !x[i].is_nan() & (w[i] > 0.0) { w[i] * d * d } else { 0.0 };
        }
    }
}

impl Spread {
    /// Around a mean.
    #[inline(always)]
    #[must_use]
    pub fn about(mean: f64) -> Self {
        Self { mean, squares: [0.0; LANES] }
    }

    /// As [`Lanes::add`].
    #[inline(always)]
    pub fn add<T: Copy>(&mut self, values: &[T], weights: Option<&[f64]>, wide: impl Fn(T) -> f64) {
        let mut s = *self;
        hand_over(&mut s, values, weights, wide);
        *self = s;
    }

    /// Weighted sum of squared distances.
    #[inline(always)]
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.squares.iter().sum()
    }
}

/// Sums of weights and of weighted values where something holds for what lies beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WhereSum {
    count: [f64; LANES],
    sum: [f64; LANES],
}

impl WhereSum {
    /// Adds `values` with their weights, 1 where none are given, where `keep` holds for what lies beside them.
    #[inline(always)]
    pub fn add<T: Copy>(&mut self, beside: &[T], values: &[f64], weights: Option<&[f64]>, keep: impl Fn(T) -> bool) {
        let mut s = *self;
        let ((chunks, rest), (values, last)) = (beside.as_chunks::<LANES>(), values.as_chunks::<LANES>());
        let left = if let Some(weights) = weights {
            let (weights, left) = weights.as_chunks::<LANES>();
            for ((b, v), w) in chunks.iter().zip(values).zip(weights) {
                s.some(b, v, w, &keep);
            }
            left
        } else {
            for (b, v) in chunks.iter().zip(values) {
                s.some(b, v, &[1.0; LANES], &keep);
            }
            &[1.0; LANES][..rest.len()]
        };
        s.some(rest, last, left, &keep);
        *self = s;
    }

    /// Adds at most as many as there are lanes.
    #[inline(always)]
    fn some<T: Copy>(&mut self, beside: &[T], values: &[f64], weights: &[f64], keep: &impl Fn(T) -> bool) {
        for (i, ((b, v), w)) in beside.iter().zip(values).zip(weights).enumerate().take(LANES) {
            let (w, v) = if keep(*b) { (*w, *v) } else { (0.0, 0.0) };
            self.count[i] += w;
            self.sum[i] += w * v;
        }
    }

    /// Sum of weights.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.count.iter().sum()
    }

    /// Weighted sum of values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum.iter().sum()
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

    /// Of pairs (value, weight), in two passes.
    fn two_passes(pairs: &[(f64, f64)]) -> Moments {
        let valid: Vec<_> = pairs.iter().filter(|p| !p.0.is_nan() && p.1 > 0.0).collect();
        let count: f64 = valid.iter().map(|p| p.1).sum();
        let sum: f64 = valid.iter().map(|p| p.0 * p.1).sum();
        let m2 = valid.iter().map(|p| p.1 * (p.0 - sum / count).powi(2)).sum();
        let fold = |f: fn(f64, f64) -> f64, from| valid.iter().map(|p| p.0).fold(from, f);
        Moments { count, sum, m2, min: fold(f64::min, f64::INFINITY), max: fold(f64::max, f64::NEG_INFINITY) }
    }

    fn both_passes<T: Copy>(values: &[T], weights: Option<&[f64]>, wide: impl Fn(T) -> f64) -> Moments {
        let mut lanes = Lanes::default();
        lanes.add(values, weights, &wide);
        let m = lanes.moments();
        let mut spread = Spread::about(m.sum / m.count);
        spread.add(values, weights, &wide);
        Moments { m2: spread.sum(), ..m }
    }

    fn weighted(pairs: &[(f64, f64)]) -> Moments {
        let (values, weights): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        both_passes(&values, Some(&weights), |v| v)
    }

    #[test]
    fn merged_moments_equal_those_of_all() {
        let pairs: Vec<_> = (0..1000).map(|i| (1e7 + f64::from(i % 2), 0.5 + f64::from(i % 7))).collect();
        let mut m = Moments::default();
        pairs.chunks(37).for_each(|c| m.merge(&weighted(c)));
        let all = two_passes(&pairs);
        // Means near 1e7 carry 1e-9; the naive formula would lose everything here.
        assert!((m.variance().unwrap() - all.variance().unwrap()).abs() < 1e-9);
        assert!((m.mean().unwrap() - all.mean().unwrap()).abs() < 1e-9);
        assert_eq!((m.min, m.max), (1e7, 1e7 + 1.0));
        assert_eq!(Moments::default().mean(), None);
    }

    #[test]
    fn lanes_leave_out_nan_and_weight_zero() {
        for n in [0, 1, 7, 8, 9, 61] {
            let pairs: Vec<_> =
                (0..n)
                    .map(|i| {
                        if i % 5 == 3 {
                            (f64::NAN, 0.5)
                        } else {
                            (f64::from(i * 31 % 17) - 3.0, f64::from(i % 4) / 4.0)
                        }
                    })
                    .collect();
            let (got, want) = (weighted(&pairs), two_passes(&pairs));
            assert_eq!((got.count, got.min, got.max), (want.count, want.min, want.max), "{n}");
            if want.count > 0.0 {
                assert!(
                    (got.sum - want.sum).abs() < 1e-12 && (got.m2 - want.m2).abs() < 1e-11,
                    "{n}: {got:?} {want:?}"
                );
            }
            let values: Vec<f32> = pairs.iter().map(|p| p.0 as f32).collect();
            let halves: Vec<_> = pairs.iter().map(|p| (p.0 * 0.5, 1.0)).collect();
            let (got, want) = (both_passes(&values, None, |v| f64::from(v) * 0.5), two_passes(&halves));
            assert_eq!((got.count, got.sum, got.min, got.max), (want.count, want.sum, want.min, want.max), "{n}");
        }
    }

    #[test]
    fn an_outlier_costs_few_digits() {
        let mut pairs: Vec<_> = (0..200_000).map(|i| (f64::from(i % 1000) / 1000.0, 1.0)).collect();
        pairs[0].0 = 1e8;
        let (got, want) = (weighted(&pairs), two_passes(&pairs));
        assert!((got.variance().unwrap() / want.variance().unwrap() - 1.0).abs() < 1e-10);
        assert!((got.mean().unwrap() / want.mean().unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn sums_follow_what_lies_beside() {
        let classes: Vec<u8> = (0..45).map(|i| i % 3).collect();
        let values: Vec<f64> = (0..45).map(f64::from).collect();
        let mut s = WhereSum::default();
        s.add(&classes, &values, None, |c| c == 1);
        assert_eq!((s.count(), s.sum()), (15.0, (0..15).map(|i| f64::from(3 * i + 1)).sum()));
        s.add(&classes, &values, Some(&[0.5; 45]), |c| c == 0);
        assert_eq!((s.count(), s.sum()), (22.5, (0..15).map(|i| f64::from(3 * i + 1) + 1.5 * f64::from(i)).sum()));
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
