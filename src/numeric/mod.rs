//! Statistics and numerical methods without rasters: moments, quantiles, thresholds, linear solves, special functions.

pub mod beta;
pub mod chi2;
pub mod cholesky;
pub mod lanes;
pub mod matern;
pub mod moments;
pub mod normal;
pub mod phase;
pub mod quantile;
pub mod student;
pub mod threshold;
pub mod weighted;

pub use moments::Moments;
