//! `regrow variogram`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::args::Common;
use super::sample_args::{SampleArgs, open_like};
use super::{Finish, console};
use crate::error::{Error, Result};
use crate::geostat::{Empirical, Model, Neighbourhood, Samples, Transform, json};
use crate::io::atomic::{check_output, write_bytes};
use crate::product::{interpolate, samples};
use crate::project::summary::{Lag, VariogramFacts};
use crate::report::chart;
use crate::report::drawing::{check_svg, write_svg};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Samples: a .csv table, or a point layer (.gpkg, .geojson, .fgb, .shp)
    #[arg(value_name = "SAMPLES")]
    input: PathBuf,
    /// Variogram document to write, for interpolate --variogram
    #[arg(short, long, value_name = "V.json")]
    output: PathBuf,
    #[command(flatten)]
    samples: SampleArgs,
    /// Raster whose projected CRS samples in degrees are taken to
    #[arg(long, value_name = "RASTER")]
    like: Option<PathBuf>,
    /// Draw the empirical variogram and the model
    #[arg(long, value_name = "V.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Computes the empirical variogram, fits models and ranks them by cross-validation.
///
/// # Errors
/// Those of reading samples, fitting and writing.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let inputs = [args.input.clone()];
    check_output(&args.output, args.common.overwrite, &inputs)?;
    if let Some(plot) = &args.plot {
        check_svg(plot, &[&args.output], args.common.overwrite, &inputs)?;
    }
    let target = match &args.like {
        Some(like) => Some(open_like(like, args.samples.crs.as_ref(), &args.common)?.1),
        None => None,
    };
    let options = args.samples.options(&args.input, &args.common)?;
    let set = samples::load(&options, &args.samples.value, target.as_ref(), context.notes.as_ref())?;
    let shown = args.input.display();
    let named = |e: Error| e.context(&shown);
    let transform = if args.samples.log { Transform::Log } else { Transform::None };
    let samples =
        Samples::new(&set.points, args.samples.duplicates, transform, 1e-3 / set.crs.metres_per_unit).map_err(named)?;
    let samples = Arc::new(samples);
    if samples.merged.groups > 0 {
        context.notes.warn(&format!(
            "{shown}: {} places have more than one sample; merged by {}, {} of {} samples remain",
            samples.merged.groups,
            args.samples.duplicates,
            samples.len(),
            set.points.len()
        ));
    }
    let hood = Neighbourhood::resolve(samples.len(), None, None, None)?;
    let (empirical, choice) = interpolate::fit(&samples, hood).map_err(named)?;
    choice.warnings.iter().for_each(|w| context.notes.warn(&format!("{shown}: {w}")));
    let crs = set.crs.to_string();
    let document = json::document(&choice.model, &set.value, &crs, &samples, Some(&empirical), Some(&choice));
    if args.common.explain {
        console::print(&format!("model    {}\n", choice.model))?;
        return Ok(Finish::Done);
    }
    write_bytes(&args.output, format!("{document:#}\n").as_bytes(), args.common.overwrite)?;
    if let Some(plot) = &args.plot {
        write_plot(plot, &choice.model, &empirical, args.common.overwrite)?;
    }
    tell(args, &choice.model, &document)?;
    Ok(Finish::Done)
}

fn tell(args: &Args, model: &Model, document: &Value) -> Result<()> {
    if args.common.json {
        return console::print_json(document);
    }
    if !args.common.quiet {
        let crs = document["crs"].as_str().unwrap_or("");
        console::print(&format!("{}  {model}  distances in units of {crs}\n", args.output.display()))?;
    }
    Ok(())
}

fn write_plot(path: &Path, model: &Model, empirical: &Empirical, overwrite: bool) -> Result<()> {
    let facts = VariogramFacts {
        lags: empirical.bins.iter().map(|b| Lag { distance_m: b.distance, gamma: b.gamma, pairs: b.pairs }).collect(),
        model: model.to_string(),
        curve: model.curve(empirical.cutoff),
    };
    write_svg(path, &chart::variogram("Empirical variogram and model", &facts), overwrite)
}
