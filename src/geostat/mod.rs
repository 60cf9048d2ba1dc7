//! Geostatistics without rasters or files: samples, variograms, kriging, inverse distance, cross-validation.
//!
//! The way of the numbers: [`Samples`] (merged, centred, in the working scale) → [`Empirical`] variogram → [`choice::choose`]
//! or a [`Model`] given → a [`Predictor`] ([`Kriging`], [`Idw`]) → [`Back`] to the unit of the samples.

pub mod back;
pub mod choice;
pub mod covariance;
pub mod empirical;
pub mod expression;
pub mod fit;
pub mod idw;
pub mod json;
pub mod kriging;
pub mod model;
pub mod neighbours;
pub mod predictor;
pub mod samples;
pub mod validation;

pub use back::Back;
pub use choice::{Candidate, Choice};
pub use covariance::Covariance;
pub use empirical::{Bin, Empirical, Lags};
pub use fit::{Fit, Weights};
pub use idw::Idw;
pub use json::ModelFile;
pub use kriging::{Estimate, Kriging};
pub use model::{Anisotropy, Model, Shape, Structure};
pub use neighbours::{Buckets, Neighbourhood};
pub use predictor::{Predictor, Worker};
pub use samples::{Duplicates, Merged, Point, Samples, Transform};
pub use validation::{Residual, Statistics};
