//! `regrow composite`.

use std::path::PathBuf;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use crate::analysis::composite::CompositeMethod;
use crate::error::{Error, Result};
use crate::product::composite::{self, CompositeOptions};
use crate::scene::Alignment;
use crate::scene::extent::common;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster: a band a role, then the number of valid dates
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// median, mean, medoid, max-ndvi, geomedian, or a percentile p0 to p100
    #[arg(long, value_name = "METHOD", default_value = "median")]
    method: CompositeMethod,
    /// First date that is used (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    from: Option<jiff::civil::Date>,
    /// Last date that is used
    #[arg(long, value_name = "DATE")]
    to: Option<jiff::civil::Date>,
    /// Fewest valid dates of a pixel that is not nodata
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_dates: usize,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Makes one image from several dates.
///
/// # Errors
/// Those of opening the scenes, of grids that do not nest and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let mut scenes = args.scene.open_stack(&args.inputs, &args.common, &context)?;
    // Dates are written YYYY-MM-DD, so that they sort as text.
    let (from, to) = (args.from.map(|d| d.to_string()), args.to.map(|d| d.to_string()));
    scenes.retain(|s| {
        let date = s.date.as_deref().unwrap_or_default();
        from.as_deref().is_none_or(|f| date >= f) && to.as_deref().is_none_or(|t| date <= t)
    });
    if scenes.is_empty() {
        return Err(Error::input("composite: no scene lies between --from and --to"));
    }
    let rasters: Vec<_> = scenes.iter().map(|s| (s.name.as_str(), &s.grid)).collect();
    let grid = common(&rasters, Some(args.scene.align.unwrap_or(Alignment::Intersection)))?;
    let mut pass = args.common.pass("composite", &grid, &context)?;
    let mut entered = Vec::with_capacity(scenes.len());
    for (i, scene) in scenes.iter().enumerate() {
        entered.push(scene.enter(&mut pass, &format!("{i}:"))?);
    }
    let options = CompositeOptions { method: args.method, least: args.min_dates, output: args.output.clone() };
    let product = composite::add(&mut pass, &entered.iter().collect::<Vec<_>>(), &options, &context)?;
    execute(pass, vec![product], &args.common, &context)
}
