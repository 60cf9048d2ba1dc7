//! The science, one file each.

pub mod clip;
pub mod outlines;
pub mod tally;
