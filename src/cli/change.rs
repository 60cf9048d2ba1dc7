//! `regrow change`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Finish;
use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::options::{IndexSettings, Numbers, Patches, Zones};
use crate::analysis::classes::Breaks;
use crate::error::{Error, Result};
use crate::product::change::{self, CHANGE_BREAKS, ChangeOptions, check_dates, common_grid};
use crate::scene::{Alignment, Scene};
use crate::spectral::Index;

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Classes: 1 strong loss, 2 loss, 3 stable, 4 gain, 5 strong gain, 255 nodata. Polygons are of loss \
                        and gain. Named indices have guards (see `regrow index --help`); --index asi:NDVI is raw."
)]
pub struct Args {
    /// Scene of the earlier date
    before: String,
    /// Scene of the later date
    after: String,
    /// Raster of differences, after minus before
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Index that is differenced
    #[arg(long, value_name = "NAME", default_value = "NDVI")]
    index: String,
    /// Formula instead of --index
    #[arg(long, value_name = "FORMULA", conflicts_with = "index", allow_hyphen_values = true)]
    expr: Option<String>,
    /// How change is found
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Raster of classes
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Breaks between the five classes; a value equal to a break belongs to the upper class [default: -0.3,-0.1,0.1,0.3]
    #[arg(long, value_name = "A,B,C,D", allow_hyphen_values = true)]
    breaks: Option<Numbers>,
    /// Hectares by class and zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    /// Polygons of loss and gain
    #[arg(long, value_name = "FILE")]
    polygons: Option<PathBuf>,
    #[command(flatten)]
    patches: Patches,
    #[command(flatten)]
    settings: IndexSettings,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Method {
    /// After minus before
    #[default]
    Difference,
}

/// Computes the difference of an index between two dates.
///
/// # Errors
/// Those of opening the scenes, of grids that do not nest (with the command that aligns them) and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let Method::Difference = args.method;
    let index = match &args.expr {
        Some(text) => Index::expression("expr", text),
        None => Index::find(&args.index)?,
    };
    if args.patches.min_area > 0.0 && args.polygons.is_none() {
        return Err(Error::usage("--min-area of change drops small polygons; name them with --polygons FILE"));
    }
    let breaks = args.breaks.clone().map_or_else(|| CHANGE_BREAKS.to_vec(), |n| n.0);
    let options = ChangeOptions {
        index,
        settings: args.settings.settings()?,
        breaks: Breaks::new(breaks, CHANGE_BREAKS.len())?,
        output: args.output.clone(),
        classes: args.classes.clone(),
        table: args.table.clone(),
        polygons: args.polygons.clone(),
        min_area_m2: args.patches.min_area,
        connect: args.patches.connect(),
    };
    let context = args.common.context()?;
    let before = args.scene.open(std::slice::from_ref(&args.before), &args.common, &context)?;
    let after = args.scene.open(std::slice::from_ref(&args.after), &args.common, &context)?;
    check_dates(&before, &after, context.notes.as_ref());
    let (_, both) = args.scene.together(vec![before, after], Alignment::Intersection, &context)?;
    let [before, after]: [Scene; 2] = both.try_into().map_err(|_| Error::bug("change: two scenes went in"))?;
    let grid = common_grid(&before, &after, context.notes.as_ref())?;
    let mut pass = args.common.pass("change", &grid, &context)?;
    let zones = args.zones.build(pass.grid(), &context)?;
    let first = before.enter(&mut pass, "before:")?;
    let second = after.enter(&mut pass, "after:")?;
    let product = change::add(&mut pass, &first, &second, &options, zones.as_ref(), &context)?;
    execute(pass, vec![product], &args.common, &context)
}
