//! `regrow bare` and `regrow water`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::{Patches, Zones};
use crate::analysis::bare::{BareRule, Surface};
use crate::error::{Error, Result};
use crate::product::bare::{self, Automatic, BareOptions, NDVI_THRESHOLD};
use crate::product::survey::Survey;
use crate::spectral::{Index, Settings};

/// Where a map of yes and no goes, and what it is made of.
#[derive(clap::Args, Debug)]
struct Map {
    /// Scene: a raster, or files by role (red=a.tif nir=b.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// Raster: 1 yes, 0 no, 255 nodata
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Hectares by zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// Polygons
    #[arg(long, value_name = "FILE")]
    polygons: Option<PathBuf>,
    #[command(flatten)]
    patches: Patches,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Arguments of `bare`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Water (MNDWI > 0 and NDVI < 0.2, or NDWI > 0.1, or AWEInsh > 0), dark pixels (mean of blue, green, \
                        red, nir < 0.06) and snow (NDSI > 0.4, green > 0.2) are never bare. The rule needs blue, green, \
                        red, nir, swir16 and swir22; the other methods need red and nir and use what else there is."
)]
pub struct Args {
    #[command(flatten)]
    map: Map,
    /// rule: NDVI and BSI; otsu, minerr: automatic NDVI threshold; fixed: --threshold
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// NDVI below which the rule calls land bare
    #[arg(long, value_name = "V", default_value_t = NDVI_THRESHOLD, allow_hyphen_values = true)]
    ndvi: f64,
    /// BSI above which the rule calls land bare
    #[arg(long, value_name = "V", default_value_t = 0.0, allow_hyphen_values = true)]
    bsi: f64,
    /// NDVI up to which the fixed method calls land bare
    #[arg(long, value_name = "V", default_value_t = NDVI_THRESHOLD, allow_hyphen_values = true)]
    threshold: f64,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Method {
    #[default]
    Rule,
    Otsu,
    Minerr,
    Fixed,
}

/// Arguments of `water`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Water is where MNDWI > 0 and NDVI < 0.2, or NDWI > 0.1, or AWEInsh > 0; parts whose bands are \
                        missing are left out."
)]
pub struct WaterArgs {
    #[command(flatten)]
    map: Map,
}

/// Maps bare land.
///
/// # Errors
/// Those of opening the scene, of missing bands and of the passes.
pub fn run(args: &Args) -> Result<Finish> {
    for (name, value) in [("--ndvi", args.ndvi), ("--bsi", args.bsi), ("--threshold", args.threshold)] {
        if !value.is_finite() {
            return Err(Error::usage(format!("{name}: {value} is not a finite number")));
        }
    }
    compute(&args.map, Surface::Bare, |scene, context| {
        let automatic = |method| {
            if args.map.common.explain {
                context.notes.decide("bare: two passes before this one find the threshold");
                return Ok(BareRule::Ndvi(NDVI_THRESHOLD));
            }
            let (index, settings) = (Index::find("NDVI")?, Settings::default());
            let new_pass = |what: &str, scene: &crate::scene::Scene| args.map.common.pass(what, &scene.grid, context);
            let survey = Survey { scenes: &[scene], index: &index, settings: &settings, new_pass: &new_pass };
            bare::automatic(&survey, method, context)
        };
        match args.method {
            Method::Rule => Ok(BareRule::Both { ndvi: args.ndvi, bsi: args.bsi }),
            Method::Fixed => Ok(BareRule::Ndvi(args.threshold)),
            Method::Otsu => automatic(Automatic::Otsu),
            Method::Minerr => automatic(Automatic::MinimumError),
        }
    })
}

/// Maps water.
///
/// # Errors
/// Those of opening the scene, of missing bands and of the pass.
pub fn run_water(args: &WaterArgs) -> Result<Finish> {
    compute(&args.map, Surface::Water, |_, _| Ok(BareRule::Ndvi(NDVI_THRESHOLD)))
}

fn compute(
    map: &Map,
    target: Surface,
    rule: impl FnOnce(&crate::scene::Scene, &crate::product::Context) -> Result<BareRule>,
) -> Result<Finish> {
    let context = map.common.context()?;
    let scene = map.scene.open(&map.inputs, &map.common, &context)?;
    let options = BareOptions {
        target,
        rule: rule(&scene, &context)?,
        settings: Settings::default(),
        output: map.output.clone(),
        table: map.table.clone(),
        polygons: map.polygons.clone(),
        min_area_m2: map.patches.min_area,
        connect: map.patches.connect(),
    };
    let name = if target == Surface::Water { "water" } else { "bare" };
    let mut pass = map.common.pass(name, &scene.grid, &context)?;
    let zones = map.zones.build(pass.grid(), &context)?;
    let entered = scene.enter(&mut pass, "")?;
    let product = bare::add(&mut pass, &entered, &options, zones.as_ref(), &context)?;
    execute(pass, vec![product], &map.common, &context)
}
