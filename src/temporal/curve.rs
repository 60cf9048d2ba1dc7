//! Yearly curve of an area: mean with its interval, median and quartiles, from sums that are merged part by part.
//!
//! Mean: x̄ ± q s/√n, s² the sample variance (divisor n−1), q the quantile of Student's t with n−1 degrees of freedom. It takes
//! the values as independent; neighbouring pixels are not, so the interval is that of the pixels seen, and narrower than one for
//! the ground as a whole. Median and quartiles are type 7 of Hyndman & Fan 1996 on a histogram of stated resolution: every
//! order statistic is placed within its bin as if the values of a bin lay evenly in it, so they are within one bin width
//! of the exact ones. Values beyond the range of the histogram are counted in its end bins, and not moved in the mean.
//!
//! Units are those of the values; NaN is no value. Parts have to be merged in a fixed order for the same bits.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::numeric::Moments;
use crate::numeric::quantile::{between, position};
use crate::numeric::student::upper_quantile;
use crate::numeric::threshold::Histogram;

/// Bins of one year at most.
const MOST_BINS: f64 = 65_536.0;

#[derive(Clone, Debug)]
struct Year {
    moments: Moments,
    histogram: Histogram,
}

/// Sums of an area, year by year.
#[derive(Clone, Debug)]
pub struct YearlySums {
    first: i32,
    years: Vec<Year>,
    range: (f64, f64),
    /// Width of a bin.
    resolution: f64,
}

/// One year of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The year.
    pub year: i32,
    /// Values counted.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Limits of the mean; none of a single value.
    pub interval: Option<(f64, f64)>,
    /// Lower quartile.
    pub q25: f64,
    /// Median.
    pub median: f64,
    /// Upper quartile.
    pub q75: f64,
}

impl YearlySums {
    /// Empty sums of some years, with a histogram over `range` in bins of about `resolution` (rounded so that they fill it).
    ///
    /// # Errors
    /// Usage error for no years, an empty range, or more than 65536 bins.
    pub fn new(years: RangeInclusive<i32>, range: (f64, f64), resolution: f64) -> Result<Self> {
        let (low, high) = range;
        let bins = ((high - low) / resolution).round().max(1.0);
        if !(resolution > 0.0 && bins <= MOST_BINS) {
            let message =
                format!("--resolution: {resolution} of {low} to {high}; give a positive step with up to 65536 bins");
            return Err(Error::usage(message));
        }
        let histogram = Histogram::new(low, high, bins as usize)
            .ok_or_else(|| Error::usage(format!("--range: {low} to {high}; give a lower and a higher finite value")))?;
        let count = i64::from(*years.end()) - i64::from(*years.start()) + 1;
        if !(1..=10_000).contains(&count) {
            let (first, last) = years.into_inner();
            return Err(Error::usage(format!("--years: {first} to {last}; give 1 to 10000 years in order")));
        }
        let empty = Year { moments: Moments::default(), histogram };
        Ok(Self { first: *years.start(), years: vec![empty; count as usize], range, resolution: (high - low) / bins })
    }

    /// Width of a bin: median and quartiles are within it.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// Counts values of a year; a year outside those of the sums is left out.
    pub fn add(&mut self, year: i32, values: &[f64]) {
        let place = usize::try_from(i64::from(year) - i64::from(self.first)).ok();
        let Some(sums) = place.and_then(|i| self.years.get_mut(i)) else { return };
        sums.moments.merge(&Moments::of(values));
        // NaN stays NaN and is left out by the histogram.
        values.iter().for_each(|v| sums.histogram.add(v.clamp(self.range.0, self.range.1)));
    }

    /// Counts what another part of the area counted, in sums made alike.
    ///
    /// # Errors
    /// A defect of the caller where they were not.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let alike = self.first == other.first && self.years.len() == other.years.len() && self.range == other.range;
        if !alike || self.resolution != other.resolution {
            return Err(Error::bug("yearly sums of different years or bins were merged"));
        }
        for (mine, theirs) in self.years.iter_mut().zip(&other.years) {
            mine.moments.merge(&theirs.moments);
            mine.histogram.merge(&theirs.histogram);
        }
        Ok(())
    }

    /// The curve of the years with values; the interval of the mean has probability `confidence`.
    #[must_use]
    pub fn points(&self, confidence: f64) -> Vec<CurvePoint> {
        let years = self.years.iter().zip(self.first..);
        years.filter_map(|(sums, year)| self.point(sums, year, confidence)).collect()
    }

    fn point(&self, sums: &Year, year: i32, confidence: f64) -> Option<CurvePoint> {
        let Year { moments, histogram } = sums;
        let mean = moments.mean()?;
        let n = moments.count as f64;
        let half = moments.std_population().and_then(|deviation| {
            // s/√n with the sample variance is σ/√(n−1) with that of the population.
            Some(upper_quantile(0.5 * (1.0 - confidence), n - 1.0)? * deviation / (n - 1.0).sqrt())
        });
        let quantile = |q| {
            let (low, high, weight) = position(moments.count, q);
            let value = between(self.ordered(histogram, low)?, self.ordered(histogram, high)?, weight);
            Some(value.clamp(moments.min, moments.max))
        };
        Some(CurvePoint {
            year,
            count: moments.count,
            mean,
            interval: half.map(|h| (mean - h, mean + h)),
            q25: quantile(0.25)?,
            median: quantile(0.5)?,
            q75: quantile(0.75)?,
        })
    }

    /// Order statistic of a rank counted from 0.
    fn ordered(&self, histogram: &Histogram, rank: u64) -> Option<f64> {
        let mut below = 0;
        for (k, &count) in histogram.counts().iter().enumerate() {
            if rank < below + count {
                let share = ((rank - below) as f64 + 0.5) / count as f64;
                return Some(histogram.centre(k) + self.resolution * (share - 0.5));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::quantile::quantile;

    fn values(n: u32) -> Vec<f64> {
        (0..n).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24) * 1.8 - 0.9).collect()
    }

    #[test]
    fn the_mean_has_the_interval_of_the_tables() {
        let mut sums = YearlySums::new(2000..=2002, (-1.0, 1.0), 0.001).unwrap();
        sums.add(2001, &[0.1, f64::NAN, 0.2, 0.3, 0.4]);
        sums.add(2002, &[0.5]);
        sums.add(1999, &[0.5]);
        let p = sums.points(0.95);
        assert_eq!((p.len(), p[0].year, p[0].count, p[1].count, p[1].interval), (2, 2001, 4, 1, None));
        // t = 3.182446 for three degrees of freedom, s² = 0.05/3.
        let half = 3.182_446_305_284_263 * (0.05f64 / 3.0 / 4.0).sqrt();
        let (low, high) = p[0].interval.unwrap();
        assert!((p[0].mean - 0.25).abs() < 1e-15);
        assert!((low - (0.25 - half)).abs() < 1e-12 && (high - (0.25 + half)).abs() < 1e-12);
        assert!((p[1].median - 0.5).abs() < 1e-15);
    }

    #[test]
    fn quartiles_are_within_a_bin_of_the_exact_ones() {
        for (n, resolution) in [(1000, 0.01), (1001, 0.1), (7, 0.001), (2, 0.3)] {
            let v = values(n);
            let mut sums = YearlySums::new(2000..=2000, (-1.0, 1.0), resolution).unwrap();
            sums.add(2000, &v);
            let p = sums.points(0.95)[0];
            for (q, got) in [(0.25, p.q25), (0.5, p.median), (0.75, p.q75)] {
                let exact = quantile(&v, q).unwrap();
                assert!((got - exact).abs() <= sums.resolution() * (1.0 + 1e-9), "{n} {q}: {got} {exact}");
            }
        }
    }

    #[test]
    fn parts_make_the_whole_and_ends_keep_what_lies_beyond() {
        let v: Vec<f64> = values(500).into_iter().chain([5.0, -7.0]).collect();
        let empty = YearlySums::new(2000..=2001, (-1.0, 1.0), 0.001).unwrap();
        let (mut whole, mut a, mut b) = (empty.clone(), empty.clone(), empty.clone());
        whole.add(2000, &v);
        a.add(2000, &v[..123]);
        b.add(2000, &v[123..]);
        a.merge(&b).unwrap();
        let (p, q) = (whole.points(0.9)[0], a.points(0.9)[0]);
        assert_eq!((p.count, p.median, p.q25, p.q75), (q.count, q.median, q.q25, q.q75));
        assert!((p.mean - q.mean).abs() < 1e-14);
        assert!((p.mean - v.iter().sum::<f64>() / v.len() as f64).abs() < 1e-14);
        assert!(a.merge(&YearlySums::new(2000..=2001, (-1.0, 1.0), 0.01).unwrap()).is_err());
        assert!(empty.points(0.95).is_empty());
    }

    #[test]
    fn impossible_sums_are_refused() {
        let of = |years, range, resolution| YearlySums::new(years, range, resolution).unwrap_err().to_string();
        assert!(of(RangeInclusive::new(2000, 1999), (0.0, 1.0), 0.1).starts_with("--years"));
        assert!(of(i32::MIN..=i32::MAX, (0.0, 1.0), 0.1).starts_with("--years"));
        assert!(of(2000..=2000, (1.0, 1.0), 0.1).starts_with("--range"));
        assert!(of(2000..=2000, (0.0, 1.0), 0.0).starts_with("--resolution"));
        assert!(of(2000..=2000, (0.0, 1.0), 1e-9).starts_with("--resolution"));
        assert!(of(2000..=2000, (f64::NAN, 1.0), 0.1).starts_with("--"));
    }
}
