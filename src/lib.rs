//! regrow tells how mine land recovers: it streams rasters larger than memory through a parallel pipeline.

pub mod analysis;
pub mod bench;
pub mod cli;
pub mod engine;
pub mod error;
pub mod geostat;
pub mod grid;
pub mod guide;
pub mod io;
pub mod numeric;
pub mod product;
pub mod project;
pub mod raster;
pub mod report;
pub mod scene;
pub mod spectral;
pub mod temporal;
pub mod vector;

pub use error::{Error, Result};
