//! Contextual Mann-Kendall: the trend of a pixel from the series of its neighbourhood, which share the dates.
//!
//! Over m series g of the same n dates (a pixel and its neighbours, gaps as NaN): S̄ = Σ S_g / m, Var = (Σ Var_g + 2 Σ_{g<h}
//! cov_gh) / m², Z = S̄/√Var without continuity correction, p two-sided (Neeti & Eastman 2011). No units. A series with fewer
//! than [`super::LEAST`] valid values is left out; None for fewer than [`FEWEST`] series. Z is 0 and p is 1 where Var is 0.
//!
//! With cov_gh = [K_gh + 4 Σ_i R_ig R_ih − n(n_g+1)(n_h+1)]/3 (Dietz & Killeen 1981; Hirsch & Slack 1984 for gaps), which is
//! Var_g with its ties for g = h, all m² terms are one sum: with P_ij = Σ_g sgn(x_jg − x_ig), where a gap has no sign,
//!
//! Σ_g S_g = Σ_{i<j} P_ij,  Var(Σ_g S_g) = [Σ_{i<j} P_ij² + Σ_i (Σ_j P_ij)²] / 3,
//!
//! because 2 R_ig − (n_g + 1) = Σ_j sgn(x_ig − x_jg). These are sums of whole numbers, found in m n²/2 comparisons.
//!
//! Source: Neeti & Eastman 2011, Transactions in GIS 15:599-611.

use super::mann_kendall::two_sided;
use super::{LEAST, pairs};

/// Series below which a neighbourhood says nothing.
pub const FEWEST: usize = 3;

/// Result of a contextual test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contextual {
    /// Mean of S over the series.
    pub s: f64,
    /// Variance of that mean.
    pub variance: f64,
    /// Standard normal statistic.
    pub z: f64,
    /// Two-sided probability of so great a |Z| without a trend.
    pub p: f64,
    /// Series that took part.
    pub series: usize,
}

/// Memory lent to [`test()`].
#[derive(Clone, Debug, Default)]
pub struct Work {
    signed: Signed,
}

/// Tests the series of a neighbourhood, each with one value a date, NaN where there is none.
#[must_use]
pub fn test(series: &[&[f64]], work: &mut Work) -> Option<Contextual> {
    let dates = series.first()?.len();
    work.signed.begin(dates);
    let mut m = 0;
    for one in series {
        if one.len() == dates && one.iter().filter(|v| !v.is_nan()).count() >= LEAST {
            work.signed.add(one);
            m += 1;
        }
    }
    if m < FEWEST {
        return None;
    }
    let (s, variance) = work.signed.sum_and_variance();
    let count = m as f64;
    let z = if s == 0 || variance <= 0.0 { 0.0 } else { s as f64 / variance.sqrt() };
    Some(Contextual { s: s as f64 / count, variance: variance / (count * count), z, p: two_sided(z), series: m })
}

/// Series of the same dates whose signs are summed.
#[derive(Clone, Debug, Default)]
pub(super) struct Signed {
    dates: usize,
    /// The series one after the other, each padded.
    wide: Vec<f64>,
    narrow: Vec<f32>,
    /// True while f32 holds all values without loss.
    exact: bool,
    by_date: Vec<i32>,
}

impl Signed {
    /// Forgets all series; the next ones have so many dates.
    pub(super) fn begin(&mut self, dates: usize) {
        self.dates = dates;
        self.wide.clear();
        self.narrow.clear();
        self.exact = true;
    }

    /// Adds a series with NaN as gaps.
    pub(super) fn add(&mut self, values: &[f64]) {
        let start = self.wide.len();
        self.wide.extend_from_slice(values);
        pairs::pad(&mut self.wide, f64::NAN);
        self.narrow.extend(self.wide[start..].iter().map(|&v| v as f32));
        let same = |(&v, &f): (&f64, &f32)| (f64::from(f) == v) | v.is_nan();
        self.exact &= values.iter().zip(&self.narrow[start..]).all(same);
    }

    /// The sum of S over the series and its variance.
    pub(super) fn sum_and_variance(&mut self) -> (i64, f64) {
        self.by_date.clear();
        self.by_date.resize(self.dates.next_multiple_of(pairs::LANES), 0);
        let summed = if self.exact {
            pairs::summed(self.narrow.as_slice(), self.dates, self.by_date.as_mut_slice())
        } else {
            pairs::summed(self.wide.as_slice(), self.dates, self.by_date.as_mut_slice())
        };
        let ranks: i64 = self.by_date[..self.dates].iter().map(|&d| i64::from(d) * i64::from(d)).sum();
        (summed.signs, (summed.squares + ranks) as f64 / 3.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mann_kendall::Statistic;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbourhood_by_hand() {
        // Three times one series: S̄ is its S, and the mean of three equal variables has the variance of one.
        let x = [1.0, 2.0, 2.0, 9.0, 7.0];
        let got = test(&[&x, &x, &x], &mut Work::default()).unwrap();
        let (s, variance) = Statistic::default().of(&x);
        assert_eq!((got.s, got.series), (s as f64, 3));
        assert!((got.variance - variance).abs() < 1e-12);
        assert!((got.z - s as f64 / variance.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_neighbourhood_needs_three_series() {
        let (x, gaps) = ([1.0, 2.0, 2.0, 9.0, 7.0], [1.0, f64::NAN, 3.0, f64::NAN, 4.0]);
        let work = &mut Work::default();
        assert_eq!(test(&[], work), None);
        assert_eq!(test(&[&x, &x], work), None);
        assert_eq!(test(&[&x, &x, &gaps], work), None);
        assert_eq!(test(&[&x, &gaps, &x, &x], work).unwrap().series, 3);
        let flat = test(&[&[1.0; 6], &[1.0; 6], &[2.0; 6]], work).unwrap();
        assert_eq!((flat.z, flat.p), (0.0, 1.0));
    }

    /// The definition: covariances from K and from ranks, a gap having the middle rank.
    fn covariance(a: &[f64], b: &[f64]) -> f64 {
        let sgn = |x: f64| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        };
        let valid = |v: &[f64]| v.iter().filter(|x| !x.is_nan()).count() as f64;
        let n = a.len();
        let rank = |v: &[f64], i: usize| (valid(v) + 1.0 + v.iter().map(|&x| sgn(v[i] - x)).sum::<f64>()) / 2.0;
        let mut k = 0.0;
        for j in 0..n {
            k += (0..j).map(|i| sgn((a[j] - a[i]) * (b[j] - b[i]))).sum::<f64>();
        }
        let ranks: f64 = (0..n).map(|i| rank(a, i) * rank(b, i)).sum();
        (k + 4.0 * ranks - n as f64 * (valid(a) + 1.0) * (valid(b) + 1.0)) / 3.0
    }

    proptest! {
        #[test]
        fn one_sum_equals_all_covariances(
            cells in prop::collection::vec(prop_oneof![4 => (0_u8..9).prop_map(f64::from), 1 => Just(f64::NAN), 2 => 0.0..9.0], 24..150),
        ) {
            let n = cells.len() / 3;
            let series: Vec<&[f64]> = cells.chunks_exact(n).take(3).collect();
            let mut signed = Signed::default();
            signed.begin(n);
            series.iter().for_each(|s| signed.add(s));
            let want: f64 = series.iter().flat_map(|a| series.iter().map(move |b| covariance(a, b))).sum();
            prop_assert!((signed.sum_and_variance().1 - want).abs() < 1e-9 * want.max(1.0));
            for s in &series {
                // For a series with itself: the variance with ties.
                let valid: Vec<f64> = s.iter().copied().filter(|v| !v.is_nan()).collect();
                prop_assert!((covariance(s, s) - Statistic::default().of(&valid).1).abs() < 1e-9);
            }
        }
    }
}
