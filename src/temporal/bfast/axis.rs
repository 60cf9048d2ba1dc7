//! The axis of equal steps that a series of irregular dates is put on.
//!
//! A step is `1 / frequency` of a year; step `s` has the time `s / frequency` in decimal years. Only the steps that hold an
//! observation somewhere in the stack are kept as rows: a row that is a gap in every pixel changes no result.

use crate::error::{Error, Result};

/// Rows of a series on an axis of equal steps, in order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    frequency: u32,
    steps: Vec<i64>,
    row_of_date: Vec<u32>,
}

impl Axis {
    /// `count` consecutive steps from the decimal year `start`, `frequency` steps a year (23 for 16-day composites).
    pub fn regular(start: f64, frequency: u32, count: usize) -> Result<Self> {
        check_frequency(frequency)?;
        let first = (start * f64::from(frequency)).round();
        let sound = start.abs() < 1e5;
        if !sound || count == 0 || count > u32::MAX as usize {
            return Err(Error::usage(format!(
                "time axis: {count} steps from {start}: expected at least one step from a decimal year such as 2000.5"
            )));
        }
        let steps = (first as i64..).take(count).collect();
        Ok(Self { frequency, steps, row_of_date: (0..count as u32).collect() })
    }

    /// The axis of dates `(year, day of year)`, which must not go back in time. Dates that fall into one step share its row.
    pub fn from_dates(dates: &[(i32, u16)], frequency: u32) -> Result<Self> {
        check_frequency(frequency)?;
        let mut steps: Vec<i64> = Vec::with_capacity(dates.len());
        let mut row_of_date = Vec::with_capacity(dates.len());
        for &(year, day) in dates {
            let step = step_of_date(year, day, frequency)?;
            match steps.last() {
                Some(&last) if last > step => {
                    return Err(Error::input(format!(
                        "time axis: day {day} of {year} comes after a later date; put the scenes in order of time"
                    )));
                }
                Some(&last) if last == step => {}
                _ => steps.push(step),
            }
            row_of_date.push(steps.len() as u32 - 1);
        }
        if steps.is_empty() {
            return Err(Error::input("time axis: no dates; give at least one scene"));
        }
        Ok(Self { frequency, steps, row_of_date })
    }

    /// Steps a year.
    #[must_use]
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// Number of rows, the length of the series a method on this axis takes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.steps.len()
    }

    /// Step of each row, counted from the year 0.
    #[must_use]
    pub fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// Row of each date the axis was made from.
    #[must_use]
    pub fn row_of_date(&self) -> &[u32] {
        &self.row_of_date
    }

    /// Decimal year of a step counted from the year 0.
    #[must_use]
    pub fn time(&self, step: i64) -> f64 {
        step as f64 / f64::from(self.frequency)
    }

    /// Puts values by date (NaN for a gap) on the rows: the mean of the valid ones, NaN where there is none.
    pub fn gather(&self, by_date: &[f64], rows: &mut Vec<f64>) {
        rows.clear();
        rows.resize(self.rows(), f64::NAN);
        let mut shared = 1.0;
        for (&row, &value) in self.row_of_date.iter().zip(by_date) {
            if !value.is_finite() {
                continue;
            }
            let cell = &mut rows[row as usize];
            if cell.is_nan() {
                *cell = value;
                shared = 1.0;
            } else {
                shared += 1.0;
                *cell += (value - *cell) / shared;
            }
        }
    }
}

/// Step of a date, counted from the year 0, on an axis of `frequency` steps a year.
///
/// Every year has 365 days here, so that a day has the same place in each year: 29 February shares its place with 1 March.
pub fn step_of_date(year: i32, day_of_year: u16, frequency: u32) -> Result<i64> {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    if day_of_year == 0 || day_of_year > 365 + u16::from(leap) || year.abs() > 100_000 {
        return Err(Error::input(format!(
            "time axis: the year {year} has no day {day_of_year}; correct the date of the scene"
        )));
    }
    let day = day_of_year - u16::from(leap && day_of_year > 60) - 1;
    Ok(i64::from(year) * i64::from(frequency) + i64::from(u32::from(day) * frequency / 365))
}

pub(super) fn check_frequency(frequency: u32) -> Result<()> {
    if (1..=365).contains(&frequency) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "frequency {frequency}: expected 1 to 365 steps a year, such as 23 for 16-day composites"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_year_has_365_places() {
        assert_eq!(step_of_date(2019, 1, 365).unwrap(), 2019 * 365);
        assert_eq!(step_of_date(2019, 365, 365).unwrap(), 2020 * 365 - 1);
        assert_eq!(step_of_date(2020, 366, 365).unwrap(), 2021 * 365 - 1);
        // 29 February, 1 March of a leap year, 1 March of another year.
        assert_eq!(step_of_date(2020, 60, 365).unwrap() - 2020 * 365, 59);
        assert_eq!(step_of_date(2020, 61, 365).unwrap() - 2020 * 365, 59);
        assert_eq!(step_of_date(2019, 60, 365).unwrap() - 2019 * 365, 59);
        assert_eq!(step_of_date(2019, 365, 12).unwrap() - 2019 * 12, 11);
        assert!(step_of_date(2019, 366, 365).is_err() && step_of_date(2019, 0, 365).is_err());
    }

    #[test]
    fn observations_of_one_step_are_averaged() {
        let axis = Axis::from_dates(&[(2019, 1), (2019, 5), (2019, 9), (2019, 40), (2019, 80)], 12).unwrap();
        assert_eq!(axis.row_of_date(), [0, 0, 0, 1, 2]);
        assert_eq!(axis.steps(), [2019 * 12, 2019 * 12 + 1, 2019 * 12 + 2]);
        let mut rows = Vec::new();
        axis.gather(&[1.0, f64::NAN, 3.0, f64::NAN, 5.0], &mut rows);
        assert_eq!(rows[0], 2.0);
        assert!(rows[1].is_nan());
        assert_eq!(rows[2], 5.0);
        assert_eq!(axis.time(axis.steps()[1]), 2019.0 + 1.0 / 12.0);
    }

    #[test]
    fn dates_that_go_back_are_refused() {
        assert!(Axis::from_dates(&[(2019, 40), (2019, 1)], 365).is_err());
        assert!(Axis::from_dates(&[], 365).is_err());
        assert!(Axis::regular(2000.0, 0, 5).is_err() && Axis::regular(2000.0, 23, 0).is_err());
        assert_eq!(Axis::regular(2000.5, 12, 3).unwrap().steps(), [24006, 24007, 24008]);
    }
}
