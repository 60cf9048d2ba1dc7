//! `regrow interpolate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Common;
use super::sample_args::{SampleArgs, open_like};
use super::{Finish, execute};
use crate::engine::Outcome;
use crate::error::{Error, Result};
use crate::geostat::Transform;
use crate::grid::{Crs, Grid, Window};
use crate::io::atomic::check_output;
use crate::io::{sidecar, table};
use crate::product::interpolate::{self, InterpolateOptions, Method, VariogramSource};
use crate::product::output::Files;
use crate::product::samples::{self, SampleSet};
use crate::product::{Context, provenance};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Samples: a .csv table, or a point layer (.gpkg, .geojson, .fgb, .shp)
    #[arg(value_name = "SAMPLES")]
    input: PathBuf,
    /// Map to write: bands estimate, sd (kriging), p_exceed_T; with --at a table
    #[arg(short, long, value_name = "OUTPUT")]
    output: PathBuf,
    #[command(flatten)]
    samples: SampleArgs,
    /// Method: ok (ordinary kriging), idw (inverse distance) or nearest
    #[arg(long, value_name = "METHOD", default_value = "ok")]
    method: Method,
    /// Take the grid of this raster
    #[arg(long, value_name = "RASTER", conflicts_with = "res")]
    like: Option<PathBuf>,
    /// Cell size of a new grid over the samples (or --bbox), its edges at multiples of it
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    res: Option<f64>,
    /// Predict at the points of this table or layer instead of a grid
    #[arg(long, value_name = "POINTS", conflicts_with_all = ["like", "res"])]
    at: Option<PathBuf>,
    /// Use at most the N nearest samples [default: all of up to 400, else 32]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    nmax: Option<usize>,
    /// Nodata where fewer than N samples are in reach [default: 1, with more than 400 samples 4]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    nmin: Option<usize>,
    /// Use samples up to this distance only
    #[arg(long, value_name = "DISTANCE", allow_hyphen_values = true)]
    radius: Option<f64>,
    /// Power of inverse distance
    #[arg(long, value_name = "P", default_value_t = 2.0, allow_hyphen_values = true)]
    power: f64,
    /// Variogram: auto, a .json file of the variogram verb, or an expression such as "nug(0.05)+sph(0.59,897)"
    #[arg(long, value_name = "VARIOGRAM", default_value = "auto")]
    variogram: VariogramSource,
    /// Add the probability that the value exceeds T; several with commas
    #[arg(long, value_name = "T,...", value_delimiter = ',', allow_hyphen_values = true)]
    exceed: Vec<f64>,
    /// Write the leave-one-out cross-validation of every sample
    #[arg(long, value_name = "TABLE")]
    cv: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn options(&self) -> InterpolateOptions {
        InterpolateOptions {
            method: self.method,
            nmax: self.nmax,
            nmin: self.nmin,
            radius: self.radius,
            power: self.power,
            variogram: self.variogram.clone(),
            transform: if self.samples.log { Transform::Log } else { Transform::None },
            exceed: self.exceed.clone(),
            duplicates: self.samples.duplicates,
            validate: self.cv.is_some(),
        }
    }
}

/// Maps a sampled variable by kriging or inverse distance.
///
/// # Errors
/// Those of reading samples, fitting, planning and writing.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let options = args.options();
    options.check()?;
    check_outputs(args, &context)?;
    let variogram = match &args.variogram {
        VariogramSource::File(path) => Some(path),
        _ => None,
    };
    for input in [&args.input].into_iter().chain(&args.like).chain(&args.at).chain(variogram) {
        context.notes.reads(input, None);
    }
    let (set, grid) = match (&args.like, args.res, &args.at) {
        (Some(like), _, _) => on_grid_of(args, like, &context)?,
        (None, Some(res), _) => on_new_grid(args, res, &context)?,
        (None, None, Some(points)) => return at_points(args, points, &options, &context),
        (None, None, None) => {
            return Err(Error::usage("where to estimate is missing; give --like RASTER, --res SIZE, or --at POINTS"));
        }
    };
    let prepared = Arc::new(interpolate::prepare(&set, &options, context.notes.as_ref())?);
    let mut pass = args.common.pass("interpolate", &grid, &context)?;
    let product = interpolate::add(&mut pass, prepared, &args.output, args.cv.as_deref(), &context)?;
    execute::execute(pass, vec![product], &args.common, &context)
}

fn check_outputs(args: &Args, context: &Context) -> Result<()> {
    let mut inputs = vec![args.input.clone()];
    inputs.extend(args.like.iter().chain(&args.at).cloned());
    check_output(&args.output, args.common.overwrite, &inputs)?;
    if args.at.is_some() {
        table::check_extension(&args.output)?;
        check_output(&sidecar::path_for(&args.output), args.common.overwrite, &inputs)?;
    } else {
        Files { rasters: vec![args.output.clone()], ..Files::default() }.check(&[], context)?;
    }
    if let Some(cv) = &args.cv {
        table::check_extension(cv)?;
        check_output(cv, args.common.overwrite, &inputs)?;
        if *cv == args.output {
            return Err(Error::usage("--cv and --output name one file; name two"));
        }
    }
    Ok(())
}

fn load(args: &Args, target: Option<&Crs>, context: &Context) -> Result<SampleSet> {
    let options = args.samples.options(&args.input, &args.common)?;
    samples::load(&options, &args.samples.value, target, context.notes.as_ref())
}

fn on_grid_of(args: &Args, like: &Path, context: &Context) -> Result<(SampleSet, Grid)> {
    let (source, crs) = open_like(like, args.samples.crs.as_ref(), &args.common)?;
    source.warnings().iter().for_each(|w| context.notes.warn(&format!("{}: {w}", like.display())));
    let grid = source.grid().clone().with_crs(Some(crs.clone()));
    grid.affine().map_err(|e| e.context(like.display()))?;
    let set = load(args, Some(&crs), context)?;
    set.check_on(&grid, &like.display().to_string())?;
    let Some(b) = args.common.bbox else { return Ok((set, grid)) };
    let window = covered(&grid, b)?.ok_or_else(|| {
        Error::input(format!(
            "--bbox {} {} {} {} lies outside {}, which covers {}",
            b[0],
            b[1],
            b[2],
            b[3],
            like.display(),
            crate::scene::extent::describe(&grid)
        ))
    })?;
    Ok((set, grid.crop(window)))
}

/// The cells of a grid that a box touches.
fn covered(grid: &Grid, b: [f64; 4]) -> Result<Option<Window>> {
    let affine = grid.affine()?;
    let corners = [(b[0], b[1]), (b[0], b[3]), (b[2], b[1]), (b[2], b[3])].map(|(x, y)| affine.inverse(x, y));
    let fold = |f: fn(&(f64, f64)) -> f64| {
        corners.iter().map(f).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, z), v| (a.min(v), z.max(v)))
    };
    // A thousandth of a cell is rounding, not another cell.
    let span = |(a, z): (f64, f64)| ((a + 1e-3).floor() as i64, (z - 1e-3).ceil() as i64);
    let ((c0, c1), (r0, r1)) = (span(fold(|c| c.0)), span(fold(|c| c.1)));
    let size = |a: i64, z: i64| usize::try_from(z.saturating_sub(a)).unwrap_or(0).max(1);
    Ok(Window::new(c0, r0, size(c0, c1), size(r0, r1)).intersect(&grid.window()))
}

fn on_new_grid(args: &Args, res: f64, context: &Context) -> Result<(SampleSet, Grid)> {
    if !(res > 0.0 && res.is_finite()) {
        return Err(Error::usage(format!("--res {res}: a cell size more than 0, in coordinate units, is needed")));
    }
    let set = load(args, None, context)?;
    let own = set.bounds();
    let grid = match args.common.bbox {
        None => interpolate::covering(own, true, res, &set.crs).map_err(|e| e.context(args.input.display()))?,
        Some(b) => {
            if b[0] > own[2] || b[2] < own[0] || b[1] > own[3] || b[3] < own[1] {
                return Err(Error::input(format!(
                    "{}: --bbox {} {} {} {} does not meet the samples, which cover {} {} {} {} ({})",
                    args.input.display(),
                    b[0],
                    b[1],
                    b[2],
                    b[3],
                    own[0],
                    own[1],
                    own[2],
                    own[3],
                    set.crs
                )));
            }
            interpolate::covering(b, false, res, &set.crs)?
        }
    };
    Ok((set, grid))
}

fn at_points(args: &Args, points: &Path, options: &InterpolateOptions, context: &Context) -> Result<Finish> {
    let set = load(args, None, context)?;
    // Points may be named and placed otherwise than the samples; they are taken to the samples' plane.
    let mut where_ = args.samples.options(points, &args.common)?;
    let named = |c: &Option<String>, t: &[String]| c.as_ref().is_none_or(|c| t.contains(c));
    let table = crate::io::samples::PointTable::read(&where_.path, None)?;
    if !named(&where_.x, table.columns()) || !named(&where_.y, table.columns()) {
        (where_.x, where_.y) = (None, None);
    }
    let placed = samples::place(&where_, Some(&set.crs), context.notes.as_ref())?;
    if args.common.explain {
        super::console::print(&format!("points   {} of {} have a place\n", placed.placed(), placed.points.len()))?;
        return Ok(Finish::Done);
    }
    let prepared = interpolate::prepare(&set, options, context.notes.as_ref())?;
    let mut artifacts = vec![interpolate::predict_at(&prepared, &placed, &args.output, context)?];
    if let Some(cv) = &args.cv {
        artifacts.push(interpolate::write_cv(&prepared, cv, context.overwrite)?);
    }
    provenance::write(&artifacts, None, &[], &Outcome::default(), context)?;
    execute::report(&artifacts, &Outcome::default(), &args.common)?;
    Ok(Finish::Done)
}
