//! Mathematics without pixels: moments, quantiles, thresholds.
