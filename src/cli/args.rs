//! Options that mean the same in every verb.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::console::{Console, LogFormat};
use super::{machine, signals, size};
use crate::analysis::clip::AreaOfInterest;
use crate::engine::warp::Resampling;
use crate::engine::{Limits, Pass, Progress};
use crate::error::{Error, Result, mask_secrets};
use crate::grid::{Crs, Grid};
use crate::product::{Context, Notes};
use crate::raster::Source;
use crate::scene::sensor::Sensors;
use crate::scene::{Alignment, BandMap, Encoding, Maskings, Scene, SceneOptions, Target, assumed, extent};

/// Options of every verb.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Worker threads; 0 or absent means all cores
    #[arg(long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub threads: Option<usize>,
    /// Ceiling of all buffers (64MiB, 500MB, 2GiB) [default: half of the memory this process may use]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, allow_hyphen_values = true)]
    pub memory: Option<u64>,
    /// Replace outputs that exist
    #[arg(long)]
    pub overwrite: bool,
    /// Creation option of rasters, as in GDAL's COG driver (COMPRESS=ZSTD, LEVEL=6, BLOCKSIZE=512, SCALE=0.0001); repeatable
    #[arg(long = "co", value_name = "KEY=VALUE", value_parser = key_value)]
    pub creation: Vec<(String, String)>,
    /// Clip to a box in the coordinates of the raster
    #[arg(long, value_name = "XMIN,YMIN,XMAX,YMAX", value_parser = bbox, allow_hyphen_values = true)]
    pub bbox: Option<Bbox>,
    /// Clip to the polygons of a vector file
    #[arg(long, value_name = "FILE")]
    pub aoi: Option<PathBuf>,
    /// Stored value that means nodata, instead of the file's own (`nan` is allowed)
    #[arg(long, value_name = "V", value_parser = nodata, allow_hyphen_values = true)]
    pub nodata: Option<f64>,
    /// Coordinate reference system of inputs that state none (EPSG:n, local, +proj=...)
    #[arg(long, value_name = "CRS", value_parser = Crs::parse)]
    pub assume_crs: Option<Crs>,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Say which decisions were taken (scale, nodata, masks)
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Form of log lines on stderr
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Print the plan (grid, tiles, bytes, peak memory, passes) and touch nothing
    #[arg(long)]
    pub explain: bool,
    /// No time stamps in outputs: the same bytes in every run
    #[arg(long)]
    pub reproducible: bool,
}

/// Bounds `[xmin, ymin, xmax, ymax]`.
pub type Bbox = [f64; 4];

impl Common {
    /// What a run may use, how it is stopped and whom it tells. Installs the signal handlers.
    ///
    /// # Errors
    /// Where a signal came already.
    pub fn context(&self) -> Result<Context> {
        let console = Arc::new(Console::new(self.quiet, self.verbose));
        let cancel = signals::cancel();
        cancel.check()?;
        Ok(Context {
            limits: self.limits(console.as_ref()),
            cancel,
            progress: Arc::clone(&console) as Arc<dyn Progress>,
            notes: console,
            arguments: std::env::args().skip(1).map(|a| mask_secrets(&a)).collect(),
            overwrite: self.overwrite,
            reproducible: self.reproducible,
            sidecars: true,
            styles: false,
            creation: self.creation.clone(),
        })
    }

    /// An empty pass over `grid`, restricted to `--aoi`: the grid shrinks to the box of its polygons, and cells whose
    /// centre lies in none of them are nodata.
    ///
    /// # Errors
    /// Those of reading the polygons; input error that prints both extents where they lie apart.
    pub fn pass(&self, name: &str, grid: &Grid, context: &Context) -> Result<Pass> {
        let Some(path) = &self.aoi else { return Ok(Pass::new(name, grid.clone())) };
        let layer = crate::io::vector::read(&crate::scene::local_file(path)?, None)?;
        context.notes.reads(path, None);
        let whole = AreaOfInterest::new(&layer, grid)?;
        let Some(window) = whole.window(grid) else {
            return Err(Error::input(format!(
                "{}: no polygon of the area of interest meets the raster, which covers {}",
                path.display(),
                extent::describe(grid)
            )));
        };
        let cropped = grid.crop(window);
        let aoi = AreaOfInterest::new(&layer, &cropped)?;
        layer.warnings.iter().chain(aoi.zones().warnings()).for_each(|w| context.notes.warn(w));
        let mut pass = Pass::new(name, cropped);
        pass.clip(Arc::new(aoi));
        Ok(pass)
    }

    /// Opens a raster that is no scene: `--assume-crs` applies, and what its file gets wrong is told.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn raster(&self, path: &Path, context: &Context) -> Result<Arc<dyn Source>> {
        let mut source = crate::io::open_raster(path)?;
        source.warnings().iter().for_each(|w| context.notes.warn(&format!("{}: {w}", source.name())));
        if let Some(crs) = &self.assume_crs {
            let (placed, warning) = assumed::place(source, crs);
            warning.iter().for_each(|w| context.notes.warn(w));
            source = placed;
        }
        Ok(source)
    }

    fn limits(&self, notes: &dyn Notes) -> Limits {
        let cores = machine::cores();
        // More threads than this only cost memory; the bound leaves room for tests of many threads on few cores.
        let most = (4 * cores).max(64);
        let threads = match self.threads {
            None | Some(0) => cores,
            Some(n) if n > most => {
                notes.warn(&format!("--threads {n} is more than makes sense here; {most} are used"));
                most
            }
            Some(n) => n,
        };
        Limits { threads, memory: self.memory.unwrap_or_else(machine::default_memory) }
    }
}

/// Options of verbs that open a scene.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Scene options")]
pub struct SceneArgs {
    /// Roles of numbered bands, counted from 1 (red=3,nir=4)
    #[arg(long, value_name = "ROLE=N,...")]
    pub bands: Option<BandMap>,
    /// Scale to reflectance: auto (the file's), apply (the file must state it), none, or a number such as 0.0001
    #[arg(long, value_name = "S", default_value_t, value_parser = scale, allow_hyphen_values = true)]
    pub scale: Encoding,
    /// Offset to reflectance, added after the scale: auto, apply, none, or a number such as -0.2
    #[arg(long, value_name = "O", default_value_t, allow_hyphen_values = true)]
    pub offset: Encoding,
    /// Sentinel-2 offset in stored values, added before the scale: auto, apply (-1000), none, or a number
    #[arg(long, value_name = "O", default_value_t, allow_hyphen_values = true)]
    pub boa_offset: Encoding,
    /// Cloud masks: default, none, or names of SCL, QA_PIXEL or Fmask classes (cloud,shadow,snow)
    #[arg(long, value_name = "MASK", default_value_t)]
    pub mask: Maskings,
    /// Distance around clouds and shadows that is masked too [default: 60m with SCL, else 0m]
    #[arg(long, value_name = "METRES", value_parser = metres, allow_hyphen_values = true)]
    pub mask_buffer: Option<f64>,
    /// Acquisition dates, a line each (YYYY-MM-DD), where neither metadata nor names tell
    #[arg(long, value_name = "FILE")]
    pub dates: Option<PathBuf>,
    /// Sensors besides the built-in ones, as `regrow sensors --show` prints them
    #[arg(long, value_name = "FILE", value_parser = sensors)]
    pub sensors: Option<Sensors>,
    /// One grid for inputs that differ: first, union, intersection, a raster file, or EPSG:n:SIZE (EPSG:32634:10); what lies on
    /// another grid or in another CRS is masked and then resampled
    #[arg(long, value_name = "GRID")]
    pub align: Option<Target>,
    /// How --align resamples quantities: nearest, bilinear, cubic, average or mode [default: bilinear, average where pixels
    /// grow twofold or more]
    #[arg(long, value_name = "METHOD", requires = "align")]
    pub resampling: Option<Resampling>,
}

impl SceneArgs {
    /// Opens the scene that a verb's inputs form, and tells the user what was decided.
    ///
    /// # Errors
    /// As [`crate::scene::open`].
    pub fn open(&self, inputs: &[String], common: &Common, context: &Context) -> Result<Scene> {
        let scene = crate::scene::open(inputs, &self.options(common))?;
        tell(&scene, context);
        Ok(scene)
    }

    /// Opens acquisitions in order of time, and tells the user what was decided.
    ///
    /// # Errors
    /// As [`crate::scene::open_stack`].
    pub fn open_stack(&self, inputs: &[String], common: &Common, context: &Context) -> Result<Vec<Scene>> {
        let scenes = crate::scene::open_stack(inputs, &self.options(common))?;
        warn_once(&scenes, context);
        scenes.iter().for_each(|s| tell_rest(s, context));
        Ok(scenes)
    }

    /// Puts scenes on one grid as --align says, and tells the user what that took; without it `extent` decides where extents
    /// differ.
    ///
    /// # Errors
    /// As [`extent::together`].
    pub fn together(&self, scenes: Vec<Scene>, extent: Alignment, context: &Context) -> Result<(Grid, Vec<Scene>)> {
        let told: Vec<_> = scenes.iter().map(|s| (s.warnings.len(), s.decisions.len())).collect();
        let (grid, scenes) = extent::together(scenes, self.align.as_ref(), extent, self.resampling)?;
        for (scene, (warnings, decisions)) in scenes.iter().zip(told) {
            scene.warnings[warnings..].iter().for_each(|w| context.notes.warn(w));
            scene.decisions[decisions..].iter().for_each(|d| context.notes.decide(d));
        }
        Ok((grid, scenes))
    }

    /// Options for [`crate::scene::open`].
    #[must_use]
    pub fn options(&self, common: &Common) -> SceneOptions {
        SceneOptions {
            bands: self.bands.clone(),
            scale: self.scale,
            offset: self.offset,
            boa_offset: self.boa_offset,
            masks: self.mask.clone(),
            mask_buffer: self.mask_buffer,
            dates: self.dates.clone(),
            align: self.align.clone(),
            resampling: self.resampling,
            nodata: common.nodata,
            assume_crs: common.assume_crs.clone(),
            sensors: self.sensors.clone().unwrap_or_default(),
            bbox: common.bbox,
        }
    }
}

/// What is said of several scenes in the same words is said once, of the first of them.
fn warn_once(scenes: &[Scene], context: &Context) {
    let mut told: Vec<(String, &str, usize)> = Vec::new();
    for scene in scenes {
        for warning in &scene.warnings {
            let words = warning.replace(&scene.name, "");
            match told.iter_mut().find(|(known, ..)| *known == words) {
                Some((.., more)) => *more += 1,
                None => told.push((words, warning, 0)),
            }
        }
    }
    for (_, warning, more) in told {
        let others = if more > 0 { format!(" (and of {more} more scenes)") } else { String::new() };
        context.notes.warn(&format!("{warning}{others}"));
    }
}

fn tell(scene: &Scene, context: &Context) {
    scene.warnings.iter().for_each(|w| context.notes.warn(w));
    tell_rest(scene, context);
}

/// What is told besides warnings.
fn tell_rest(scene: &Scene, context: &Context) {
    scene.decisions.iter().for_each(|d| context.notes.decide(d));
    if let Some(product) = &scene.product {
        context.notes.decide(&format!("{}: {product}", scene.name));
    }
    scene.also_read.iter().for_each(|file| context.notes.reads(file, None));
    // Which of its bands are read is known when the pass is filled.
    scene.date.iter().for_each(|d| context.notes.dated(d));
}

fn threads(text: &str) -> Result<usize, String> {
    let n = text.trim().parse::<u32>().map_err(|_| "write a whole number from 0 (all cores)".to_owned())?;
    Ok(n as usize)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write KEY=VALUE, for example COMPRESS=ZSTD".to_owned()),
    }
}

fn bbox(text: &str) -> Result<Bbox, String> {
    const ALLOWED: &str = "write four numbers xmin,ymin,xmax,ymax in the coordinates of the raster";
    let numbers: Vec<f64> = text
        .split(',')
        .map(|t| t.trim().parse::<f64>().ok().filter(|v| v.is_finite()))
        .collect::<Option<_>>()
        .ok_or(ALLOWED)?;
    let b: Bbox = numbers.try_into().map_err(|_| ALLOWED)?;
    if b[0] >= b[2] || b[1] >= b[3] {
        return Err(format!("{ALLOWED}; here xmin is not below xmax or ymin not below ymax"));
    }
    Ok(b)
}

fn nodata(text: &str) -> Result<f64, String> {
    text.trim()
        .parse::<f64>()
        .ok()
        .filter(|v| v.is_finite() || v.is_nan())
        .ok_or_else(|| "write a number or nan".to_owned())
}

fn scale(text: &str) -> Result<Encoding, String> {
    match text.parse::<Encoding>().map_err(|e| e.to_string())? {
        Encoding::Number(s) if s <= 0.0 => Err("a scale is a number above 0".to_owned()),
        other => Ok(other),
    }
}

/// Value parser of `--sensors`.
///
/// # Errors
/// In words, as clap wants them.
pub(super) fn sensors(text: &str) -> Result<Sensors, String> {
    Sensors::with_file(Path::new(text)).map_err(|e| e.message().to_owned())
}

fn metres(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('m').trim_end();
    number
        .parse::<f64>()
        .ok()
        .filter(|v| (0.0..=100_000.0).contains(v))
        .ok_or_else(|| "write metres from 0 to 100000, for example 60m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_four_finite_numbers_in_order() {
        assert_eq!(bbox("-71.5,-13,-69,-12"), Ok([-71.5, -13.0, -69.0, -12.0]));
        for bad in ["1,2,3", "1,2,3,4,5", "nan,1,2,3", "3,1,2,4", "1,4,2,4", ""] {
            assert!(bbox(bad).is_err_and(|e| e.contains("xmin,ymin,xmax,ymax")), "{bad}");
        }
    }

    #[test]
    fn absurd_thread_counts_are_capped_with_a_warning() {
        let notes = crate::product::KeptNotes::default();
        let common = Common { threads: Some(1_000_000), ..Common::default() };
        assert!(common.limits(&notes).threads <= (4 * machine::cores()).max(64));
        assert!(notes.all()[0].contains("1000000"));
        assert_eq!(Common { threads: Some(0), ..Common::default() }.limits(&notes).threads, machine::cores());
        assert!(threads("-1").is_err() && threads("four").is_err() && threads("18446744073709551616").is_err());
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert!(scale("0").is_err() && scale("nan").is_err() && scale("1e-4") == Ok(Encoding::Number(1e-4)));
        assert_eq!(metres("60m"), Ok(60.0));
        assert!(metres("-5m").is_err() && metres("far").is_err());
        assert!(nodata("abc").is_err() && nodata("1e999").is_err() && nodata("nan").is_ok_and(f64::is_nan));
    }
}
