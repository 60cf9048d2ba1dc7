//! The science, one file each.

pub mod clip;
pub mod tally;
