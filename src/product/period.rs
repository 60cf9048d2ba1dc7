//! Periods of the calendar: one output a year, season or month.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;

use crate::error::{Error, Result};

/// Length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Calendar years.
    Year,
    /// December to February, March to May, June to August, September to November.
    Season,
    /// Calendar months.
    Month,
}

impl FromStr for Every {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "year" => Ok(Self::Year),
            "season" => Ok(Self::Season),
            "month" => Ok(Self::Month),
            _ => Err(Error::usage(format!("--every {text:?}: expected year, season or month"))),
        }
    }
}

/// One period; in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    year: i16,
    /// 0 for a year; 1 to 4 for a season, from the one that begins in December; 1 to 12 for a month.
    part: i8,
    months: bool,
}

impl Period {
    /// The period a date lies in. A December belongs to the winter of the next year.
    #[must_use]
    pub fn of(date: Date, every: Every) -> Self {
        let (year, month) = (date.year(), date.month());
        match every {
            Every::Year => Self { year, part: 0, months: false },
            Every::Month => Self { year, part: month, months: true },
            Every::Season => Self { year: year + i16::from(month / 12), part: month % 12 / 3 + 1, months: false },
        }
    }
}

impl Period {
    /// Its place on an axis of decimal years: a year itself, so that years are whole numbers; the middle of a season or month.
    #[must_use]
    pub fn time(self) -> f64 {
        let part = f64::from(self.part);
        f64::from(self.year)
            + match (self.part, self.months) {
                (0, _) => 0.0,
                (_, true) => (part - 0.5) / 12.0,
                // Winter begins in December of the year before: its middle is that of January.
                (_, false) => (3.0 * part - 2.5) / 12.0,
            }
    }
}

/// `2019`, `2019-JJA` or `2019-07`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let season = ["DJF", "MAM", "JJA", "SON"].get(usize::from((self.part - 1).unsigned_abs()));
        match season {
            _ if self.months => write!(f, "{:04}-{:02}", self.year, self.part),
            Some(season) if self.part > 0 => write!(f, "{:04}-{season}", self.year),
            _ => write!(f, "{:04}", self.year),
        }
    }
}

/// Positions of dates by period, in order of time.
#[must_use]
pub fn by_period(dates: &[Date], every: Every) -> Vec<(Period, Vec<usize>)> {
    let mut all: std::collections::BTreeMap<Period, Vec<usize>> = std::collections::BTreeMap::new();
    for (i, date) in dates.iter().enumerate() {
        all.entry(Period::of(*date, every)).or_default().push(i);
    }
    all.into_iter().collect()
}

/// `out.tif` of July 2019 is `out_2019-07.tif`.
#[must_use]
pub fn name_of(output: &Path, period: Period) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    output.with_file_name(format!("{stem}_{period}{extension}"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_december_belongs_to_the_next_winter() {
        let dates = [date(2018, 11, 30), date(2018, 12, 1), date(2019, 2, 28), date(2019, 3, 1), date(2019, 7, 9)];
        let names = |every| by_period(&dates, every).iter().map(|(p, at)| format!("{p} {at:?}")).collect::<Vec<_>>();
        assert_eq!(names(Every::Year), ["2018 [0, 1]", "2019 [2, 3, 4]"]);
        assert_eq!(names(Every::Season), ["2018-SON [0]", "2019-DJF [1, 2]", "2019-MAM [3]", "2019-JJA [4]"]);
        assert_eq!(names(Every::Month)[1..3], ["2018-12 [1]", "2019-02 [2]"]);
        assert_eq!(name_of(Path::new("a/o.b.tif"), Period::of(dates[4], Every::Month)), Path::new("a/o.b_2019-07.tif"));
    }
}
