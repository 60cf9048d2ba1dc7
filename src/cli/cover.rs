//! `regrow cover`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::{IndexSettings, Numbers, Zones};
use crate::analysis::classes::Breaks;
use crate::analysis::cover::{COVER_BREAKS, CoverModel, Endmembers};
use crate::error::{Error, Result};
use crate::product::cover::{self, CoverOptions};
use crate::product::survey::Survey;
use crate::spectral::Index;

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(after_help = "Without --soil and --veg the endmembers are exact percentiles of the index, water and masked \
                        pixels left out: two more passes. Classes: 1 very low, 2 low, 3 medium-low, 4 medium, 5 high, \
                        255 nodata.")]
pub struct Args {
    /// Scene: a raster, or files by role (red=a.tif nir=b.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster of cover, 0 to 1
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Index of bare soil
    #[arg(long, value_name = "V", requires = "veg", allow_hyphen_values = true)]
    soil: Option<f64>,
    /// Index of full vegetation
    #[arg(long, value_name = "V", requires = "soil", allow_hyphen_values = true)]
    veg: Option<f64>,
    /// Percentiles that are soil and vegetation
    #[arg(long, value_name = "LOW,HIGH", default_value = "5,95", conflicts_with = "soil")]
    percentiles: Numbers,
    /// Index that cover is made from
    #[arg(long, value_name = "NAME", default_value = "NDVI")]
    index: String,
    /// Ratio between the endmembers, or its square (Carlson & Ripley 1997)
    #[arg(long, value_enum, default_value_t)]
    model: Model,
    /// Raster of classes
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Breaks between the five classes; a value equal to a break belongs to the upper class [default: 0.1,0.3,0.45,0.6]
    #[arg(long, value_name = "A,B,C,D")]
    breaks: Option<Numbers>,
    /// Hectares by class and zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    #[command(flatten)]
    settings: IndexSettings,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Model {
    #[default]
    Linear,
    Squared,
}

/// Computes fractional vegetation cover.
///
/// # Errors
/// Those of opening the scene, of endmembers without contrast and of the passes.
pub fn run(args: &Args) -> Result<Finish> {
    let index = Index::find(&args.index)?;
    let settings = args.settings.settings()?;
    let breaks = Breaks::new(args.breaks.clone().map_or_else(|| COVER_BREAKS.to_vec(), |n| n.0), COVER_BREAKS.len())?;
    let percentiles = percentiles(&args.percentiles.0)?;
    let context = args.common.context()?;
    let scene = args.scene.open(&args.inputs, &args.common, &context)?;
    let endmembers = match (args.soil, args.veg) {
        (Some(soil), Some(veg)) => Endmembers::new(soil, veg)?,
        // A plan touches nothing, so it cannot know the percentiles; they do not change it.
        _ if args.common.explain => {
            context.notes.decide("cover: two passes before this one find the percentiles of the index");
            Endmembers::new(0.05, 0.95)?
        }
        _ => {
            let new_pass = |what: &str, scene: &crate::scene::Scene| args.common.pass(what, &scene.grid, &context);
            let survey = Survey { scenes: &[&scene], index: &index, settings: &settings, new_pass: &new_pass };
            cover::endmembers(&survey, percentiles, &context)?
        }
    };
    let mut pass = args.common.pass("cover", &scene.grid, &context)?;
    let zones = args.zones.build(pass.grid(), &context)?;
    let entered = scene.enter(&mut pass, "")?;
    let options = CoverOptions {
        index,
        settings,
        endmembers,
        model: match args.model {
            Model::Linear => CoverModel::Linear,
            Model::Squared => CoverModel::Squared,
        },
        breaks,
        output: args.output.clone(),
        classes: args.classes.clone(),
        table: args.table.clone(),
    };
    let product = cover::add(&mut pass, &entered, &options, zones.as_ref(), &context)?;
    execute(pass, vec![product], &args.common, &context)
}

fn percentiles(numbers: &[f64]) -> Result<(f64, f64)> {
    match *numbers {
        [low, high] if 0.0 <= low && low < high && high <= 100.0 => Ok((low / 100.0, high / 100.0)),
        _ => Err(Error::usage("--percentiles: expected two increasing numbers from 0 to 100, such as 5,95")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_two_and_increase() {
        assert_eq!(percentiles(&[5.0, 95.0]).unwrap(), (0.05, 0.95));
        assert!(
            percentiles(&[95.0, 5.0]).is_err() && percentiles(&[5.0]).is_err() && percentiles(&[-1.0, 5.0]).is_err()
        );
    }
}
