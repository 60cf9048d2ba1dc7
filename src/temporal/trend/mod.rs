//! Monotonic, linear and seasonal trends of one pixel's series.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`theil_sen`] | median of the slopes of all pairs, with limits | Theil 1950; Sen 1968, JASA 63:1379-1389 |
//! | [`mann_kendall`] | rank test for a monotonic trend, with corrections for autocorrelation | Mann 1945; Kendall 1975 |
//! | [`seasonal`] | the same within seasons | Hirsch, Slack & Smith 1982; Hirsch & Slack 1984 |
//! | [`contextual`] | the same over a neighbourhood of pixels | Neeti & Eastman 2011 |
//! | [`ols`] | least squares line | |
//! | [`harmonic`] | least squares line and annual waves | |
//! | [`classes`] | classes of a slope and its significance; field significance | Benjamini & Hochberg 1995 |
//!
//! Slopes are per unit of time: per year for decimal years. A series of fewer than [`LEAST`] observations has no trend.

mod autocorrelation;
pub mod classes;
pub mod contextual;
pub mod harmonic;
pub mod mann_kendall;
pub mod ols;
mod pairs;
pub mod seasonal;
mod slopes;
pub mod theil_sen;

/// Observations below which no trend is given.
pub const LEAST: usize = 4;

/// Median of values, which are reordered: the mean of the middle two where their number is even.
fn median(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(upper + 0.0);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(0.5 * (lower + upper) + 0.0)
}
