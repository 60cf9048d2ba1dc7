//! Segments and breaks of every pixel's series.

mod bfast;
mod ccdc;
mod landtrendr;

pub use bfast::{BfastModel, states};
pub use ccdc::{CcdcModel, Direction};
pub use landtrendr::{LandTrendrModel, Reported, UNITS};

use crate::engine::{OutBand, Overview};

/// A band of times or counts: a mean of years is no year, so overviews take the most frequent.
fn moment(name: &str, unit: &str) -> OutBand {
    OutBand { overview: Overview::Mode, ..OutBand::quantity(name, unit) }
}
