//! Options of verbs that read sample tables.

use std::path::Path;
use std::sync::Arc;

use super::args::Common;
use crate::error::{Error, Result};
use crate::geostat::Duplicates;
use crate::grid::Crs;
use crate::io;
use crate::product::samples::SampleOptions;
use crate::raster::Source;
use crate::scene::local_file;

/// Options of verbs that read samples.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Sample options")]
pub struct SampleArgs {
    /// Column with the values
    #[arg(long, value_name = "COLUMN")]
    pub value: String,
    /// Column of eastings or longitudes, where it is not x or lon
    #[arg(long, value_name = "COLUMN", requires = "y")]
    pub x: Option<String>,
    /// Column of northings or latitudes, where it is not y or lat
    #[arg(long, value_name = "COLUMN", requires = "x")]
    pub y: Option<String>,
    /// Reference system of the coordinates: EPSG:n, or local for plane coordinates without a place on Earth; with columns
    /// lon and lat the projected system to compute in
    #[arg(long, value_name = "CRS", value_parser = Crs::parse)]
    pub crs: Option<Crs>,
    /// Samples at one place: mean, median, max, first or error
    #[arg(long, value_name = "POLICY", default_value_t)]
    pub duplicates: Duplicates,
    /// Work with logarithms (values must be positive)
    #[arg(long)]
    pub log: bool,
}

impl SampleArgs {
    /// Where and how to read `path`.
    ///
    /// # Errors
    /// Where it is no local file.
    pub fn options(&self, path: &Path, common: &Common) -> Result<SampleOptions> {
        Ok(SampleOptions {
            path: local_file(path)?,
            x: self.x.clone(),
            y: self.y.clone(),
            crs: self.crs.clone(),
            nodata: common.nodata,
        })
    }
}

/// Opens the raster of `--like` and returns it with the CRS of its grid, which `--assume-crs` or local samples may supply.
///
/// # Errors
/// Those of opening; input error where the grid has no CRS.
pub fn open_like(path: &Path, crs: Option<&Crs>, common: &Common) -> Result<(Arc<dyn Source>, Crs)> {
    let source = io::open_raster(path)?;
    let stated = source.grid().crs().or(common.assume_crs.as_ref());
    // A raster without a CRS is a plane of its own; only samples declared local can be in the same one.
    let local = crs.filter(|c| **c == Crs::local());
    let found = stated.or(local).cloned().ok_or_else(|| {
        Error::input(format!(
            "{}: the raster has no reference system; state it with --assume-crs EPSG:n",
            path.display()
        ))
    })?;
    Ok((source, found))
}
