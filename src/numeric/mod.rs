//! Statistics and numerical methods without rasters: moments, quantiles, thresholds.

pub mod moments;
pub mod quantile;
pub mod threshold;

pub use moments::Moments;
