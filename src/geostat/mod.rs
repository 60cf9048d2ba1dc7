//! Geostatistics without rasters: samples, variograms, neighbours, kriging, cross-validation.
