//! `regrow bench`: the standard tasks on synthetic tiles, each as the command a user would type, beside the codec floor.
//!
//! Every measurement is a process of its own, this program again, so that its peak memory and processor time are those of
//! the task alone; runs go round all tasks in turn, so that a slow minute of the machine falls on all of them.

mod measure;
mod show;
mod tasks;

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use self::measure::{Measured, Runner};
use self::show::{Report, Row};
use self::tasks::{ALL, Setting};
use super::args::Common;
use super::{Finish, console};
use crate::bench::inputs::Inputs;
use crate::error::{Error, Result};
use crate::io::geotiff;

/// Compression of what tasks write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Codec {
    /// ZSTD at level 1, the default of outputs
    Zstd,
    /// DEFLATE at level 6
    Deflate,
    /// Uncompressed
    None,
}

impl Codec {
    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::None => "none",
        }
    }
    fn stored(self) -> geotiff::Codec {
        match self {
            Self::Zstd => geotiff::Codec::Zstd,
            Self::Deflate => geotiff::Codec::Deflate,
            Self::None => geotiff::Codec::None,
        }
    }
}

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Inputs are 16-bit bands of a synthetic scene (smooth fields and noise, always the same), deflate with \
                  predictor 2 in blocks of 512. Tasks: copy (memory only), floor (reading and decoding the blocks NDVI \
                  reads, encoding and writing those it writes, nothing else), ndvi, ten-indices, fused (a project of two \
                  dates: NDVI, BSI, cover, bare, change, 1,000 parcels), bare (with polygons), zonal (1,000 parcels), \
                  kriging (a cell for 8 x 8 pixels). Each runs in a process of its own; the peak is its VmHWM. Ratios \
                  are to the floor of the blocks the task itself reads and writes. GB/s counts decoded pixels read and \
                  written, overviews included. Files go to the system's temporary folder (TMPDIR) and are removed."
)]
pub struct Args {
    /// Columns and rows of the scene
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(64..=100_000))]
    size: u32,
    /// Compression of the outputs; several with commas
    #[arg(long, value_name = "CODEC,...", value_enum, value_delimiter = ',', default_value = "zstd")]
    codec: Vec<Codec>,
    /// Times each task runs; medians are printed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    runs: u16,
    #[command(flatten)]
    common: Common,
    /// Run one command, measured, and write what it took here.
    #[arg(long, hide = true, requires = "command")]
    measure: Option<PathBuf>,
    #[arg(last = true, hide = true)]
    command: Vec<OsString>,
}

/// Measures the standard tasks.
///
/// # Errors
/// Usage errors; those of writing the inputs and of the tasks.
pub fn run(args: &Args) -> Result<Finish> {
    if let Some(result) = &args.measure {
        return measure::alone(args, result);
    }
    let common = &args.common;
    if common.bbox.is_some()
        || common.aoi.is_some()
        || common.nodata.is_some()
        || common.assume_crs.is_some()
        || !common.creation.is_empty()
    {
        return Err(Error::usage(
            "--bbox, --aoi, --nodata, --assume-crs and --co are not options of bench, which makes its own inputs; \
             --codec sets the compression",
        ));
    }
    let mut codecs = Vec::new();
    for codec in &args.codec {
        if !codecs.contains(codec) {
            codecs.push(*codec);
        }
    }
    let context = common.context()?;
    if common.explain {
        return explain(args, &codecs, context.limits.threads);
    }
    let folder = Temporary::new()?;
    let inputs = Inputs { folder: folder.0.clone(), size: args.size as usize };
    inputs.write(&context.limits, context.progress.as_ref(), &context.cancel)?;

    let threads = context.limits.threads;
    let runner = Runner { args, inputs: &inputs, cancel: &context.cancel };
    for codec in &codecs {
        // Zonal statistics read NDVI as this program writes it.
        runner.prepare(*codec)?;
    }
    let single = threads > 1;
    let steps = u64::from(args.runs) * codecs.len() as u64 * steps(single);
    context.progress.start("bench", steps);
    let mut done = 0;
    let mut report = Report::new(args, threads, context.limits.memory, &codecs);
    for _ in 0..args.runs {
        for codec in &codecs {
            for task in ALL {
                let row = report.row(*codec, *task);
                let mut step = |list: &mut Vec<Measured>, floor: bool, threads: usize| -> Result<()> {
                    list.push(runner.measure(*task, *codec, floor, threads)?);
                    done += 1;
                    context.progress.advance(done);
                    Ok(())
                };
                let Row { runs, floors, single: singles, .. } = row;
                step(runs, false, threads)?;
                if task.has_floor() {
                    step(floors, true, threads)?;
                }
                if single && task.scales() {
                    step(singles, false, 1)?;
                }
            }
        }
    }
    context.progress.end();
    drop(folder);
    if common.json {
        console::print_json(&report.json())?;
    } else {
        console::print(&report.table())?;
    }
    Ok(Finish::Done)
}

/// Measurements of one round.
fn steps(single: bool) -> u64 {
    ALL.iter().map(|t| 1 + u64::from(t.has_floor()) + u64::from(single && t.scales())).sum()
}

/// Prints what would be run, and makes nothing.
fn explain(args: &Args, codecs: &[Codec], threads: usize) -> Result<Finish> {
    let inputs = Inputs { folder: std::env::temp_dir().join("regrow-bench-PID"), size: args.size as usize };
    let mut lines = Vec::new();
    for codec in codecs {
        for task in ALL {
            let setting = Setting { inputs: &inputs, codec: *codec, threads, memory: args.common.memory };
            lines.push((codec, task, tasks::shown(&task.command(&setting, &inputs.folder))));
        }
    }
    if args.common.json {
        let list = lines.iter().map(|(c, t, line)| json!({ "task": t.name(), "codec": c.name(), "command": line }));
        console::print_json(&json!({ "size_px": args.size, "runs": args.runs, "tasks": list.collect::<Vec<_>>() }))?;
    } else {
        let list = lines.iter().map(|(_, task, line)| format!("{:<12} {line}\n", task.name()));
        let head = format!("{0} x {0} pixels in {1}, {2} runs\n", args.size, inputs.folder.display(), args.runs);
        console::print(&(head + &list.collect::<String>()))?;
    }
    Ok(Finish::Done)
}

/// A folder for this run alone, removed with all it holds however the run ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("regrow-bench-{}", std::process::id()));
        make(&path)?;
        Ok(Self(path))
    }
}

/// Makes a folder that is not there yet and that nobody else may look into.
fn make(path: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(|e| Error::io(format!("making {}: {e}; set TMPDIR to a folder that can be written", path.display())))
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // An error here has no one to tell; what is left is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
