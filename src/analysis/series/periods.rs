//! One value a period: years, seasons or months of a series.

use std::ops::Range;
use std::str::FromStr;

use super::{Gathered, Values};
use crate::error::{Error, Result};
use crate::numeric::quantile::of_sorted;

/// Dates that become one observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// Time of the observation.
    pub time: f64,
    /// Positions of its dates.
    pub dates: Range<usize>,
}

/// How the valid values of a period become one; each band by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Quantile of linear interpolation; 0.5 is the median, 1 the greatest.
    Quantile(f64),
}

impl FromStr for Statistic {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "median" => return Ok(Self::Quantile(0.5)),
            "mean" => return Ok(Self::Mean),
            "max" => return Ok(Self::Quantile(1.0)),
            "min" => return Ok(Self::Quantile(0.0)),
            _ => {}
        }
        let percent = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()).filter(|p| (0.0..=100.0).contains(p));
        percent
            .map(|p| Self::Quantile(p / 100.0))
            .ok_or_else(|| Error::usage(format!("--reduce {text:?}: expected median, mean, max, min or p0 to p100")))
    }
}

impl Statistic {
    /// The statistic of finite values, which it may reorder; none of none.
    #[must_use]
    pub fn of(self, values: &mut [f64]) -> Option<f64> {
        match self {
            Self::Mean => (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
            Self::Quantile(q) => {
                values.sort_unstable_by(f64::total_cmp);
                of_sorted(values, q)
            }
        }
    }
}

/// The valid periods of one pixel; a period is valid where one of its dates is.
pub(super) fn reduce(values: &Values<'_>, lane: usize, periods: &[Period], statistic: Statistic, to: &mut Gathered) {
    to.at.clear();
    to.times.clear();
    to.values.clear();
    for band in 0..values.bands() {
        for (at, period) in periods.iter().enumerate() {
            let valid = period.dates.clone().filter(|date| values.valid(*date, lane));
            to.sorted.clear();
            to.sorted.extend(valid.map(|date| values.value(date, band, lane)));
            let Some(value) = statistic.of(&mut to.sorted) else { continue };
            to.values.push(value);
            if band == 0 {
                to.at.push(at as u32);
                to.times.push(period.time);
            }
        }
    }
}
