//! The usable observations of a pixel, and how much they vary from one to the next.

use super::{Ccdc, LANES, Lanes, Quality};

/// Usable observations in order of time, one a date, bands in lanes (reflectance × 10000).
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) rows: Vec<Lanes>,
    /// Date number of every row.
    pub(super) dates: Vec<u32>,
    /// Ordinal day of every row.
    pub(super) days: Vec<f64>,
    /// Median absolute change from one observation to the next, per band.
    pub(super) variogram: Lanes,
    scratch: Vec<f64>,
}

/// Least variogram, one unit: the step of the products, below which differences are rounding.
const LEAST_VARIATION: f64 = 1.0;

/// Median of values without NaN; the order of the values is lost.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(0.5 * (lower + upper))
}

impl Series {
    /// Reads the observations whose class `keep` admits, with all bands inside the valid range; the first of a date stays.
    #[inline(always)]
    pub(super) fn read(&mut self, ccdc: &Ccdc, values: &[f32], quality: &[Quality], keep: impl Fn(Quality) -> bool) {
        self.rows.clear();
        self.dates.clear();
        self.days.clear();
        let settings = &ccdc.settings;
        let (low, high) = settings.valid_range;
        let dates = ccdc.axis.days.len();
        for (date, (&class, &day)) in quality.iter().zip(&ccdc.axis.days).enumerate() {
            if !keep(class) || self.days.last() == Some(&day) {
                continue;
            }
            let mut row = [0.0; LANES];
            let mut valid = true;
            for (band, cell) in row[..settings.bands].iter_mut().enumerate() {
                *cell = f64::from(values[band * dates + date]) * settings.scale;
                // NaN is in no range.
                valid &= *cell > low && *cell < high;
            }
            if valid {
                self.rows.push(row);
                self.dates.push(date as u32);
                self.days.push(day);
            }
        }
    }

    /// Variogram of every band.
    pub(super) fn measure(&mut self, bands: usize) {
        self.variogram = [LEAST_VARIATION; LANES];
        for band in 0..bands {
            self.scratch.clear();
            self.scratch.extend(self.rows.windows(2).map(|pair| (pair[1][band] - pair[0][band]).abs()));
            if let Some(middle) = median(&mut self.scratch) {
                self.variogram[band] = middle.max(LEAST_VARIATION);
            }
        }
    }

    /// Median days from one observation to the next.
    pub(super) fn median_gap(&mut self) -> Option<f64> {
        self.scratch.clear();
        self.scratch.extend(self.days.windows(2).map(|pair| pair[1] - pair[0]));
        median(&mut self.scratch)
    }

    /// Leaves only the observations whose `band` lies below `limit` above the band's median.
    pub(super) fn drop_bright(&mut self, band: usize, limit: f64) {
        self.scratch.clear();
        self.scratch.extend(self.rows.iter().map(|row| row[band]));
        let Some(middle) = median(&mut self.scratch) else { return };
        let mut kept = 0;
        for i in 0..self.rows.len() {
            if self.rows[i][band] < middle + limit {
                self.rows[kept] = self.rows[i];
                self.dates[kept] = self.dates[i];
                self.days[kept] = self.days[i];
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        self.dates.truncate(kept);
        self.days.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn variogram_is_the_median_step() {
        let mut series = Series::default();
        for value in [0.0, 10.0, 40.0, 30.0, 90.0] {
            let mut row = [0.0; LANES];
            row[0] = value;
            series.rows.push(row);
        }
        series.measure(2);
        // Steps 10, 30, 10, 60; a constant band has the least variation.
        assert_eq!(series.variogram[..2], [20.0, LEAST_VARIATION]);
    }
}
