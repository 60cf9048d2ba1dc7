//! The science, one file each.

pub mod bare;
pub mod change;
pub mod classes;
pub mod clip;
pub mod composite;
pub mod contextual;
pub mod copy;
pub mod cover;
pub mod formula;
pub mod index;
pub mod interpolate;
pub mod means;
pub mod monitor;
pub mod mosaic;
pub mod outlines;
pub mod recovery;
pub mod registration;
pub mod segment;
pub mod series;
pub mod statistics;
pub mod survey;
pub mod tallied;
pub mod tally;
pub mod trend;
pub mod zonal;
