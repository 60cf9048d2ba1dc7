//! The command line: one file a verb.
//!
//! A verb file holds `Args` (clap) and `run(&Args) -> Result<Finish>`. `run` resolves its arguments, opens its inputs, adds
//! products to a pass and hands them to [`execute::execute`]; it computes nothing itself. To add a verb: write the file, name
//! it in `Verb` and in `Verb::run`.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::{Parser, Subcommand};

use crate::error::{Error, Kind, Result};

pub mod align;
pub mod args;
pub mod bare;
pub mod bench;
pub mod change;
pub mod completions;
pub mod composite;
pub mod console;
pub mod coregister;
pub mod cover;
pub mod demo;
pub mod execute;
pub mod forecast;
pub mod index;
pub mod index_list;
pub mod info;
pub mod ingest;
pub mod interpolate;
pub mod machine;
pub mod man;
pub mod monitor;
pub mod options;
pub mod pixel;
pub mod plan;
pub mod recovery;
pub mod report;
pub mod run;
pub mod sample_args;
pub mod segment;
pub mod sensors;
pub mod series_args;
pub mod signals;
pub mod size;
pub mod trend;
pub mod variogram;
pub mod zonal;

/// How a run that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Everything was done (exit 0).
    Done,
    /// Everything was done, and a target or alert rule named by `--fail-on` is violated (exit 6).
    Violated,
}

impl Finish {
    fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Violated => 6,
        }
    }
}

/// Tells how mine land recovers: indices, cover, bare land, change, zonal tables and soil maps from rasters larger than
/// memory.
#[derive(Parser, Debug)]
#[command(
    name = "regrow",
    version,
    propagate_version = true,
    max_term_width = 100,
    infer_subcommands = false,
    after_help = "Exit codes: 0 done, 1 bug, 2 usage, 3 bad input, 4 limit reached, 5 I/O failure, 6 target violated, \
                  8 output locked, 128+n stopped by signal n."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Statistics of rasters in polygons, weighted by the exact covered fraction of every pixel
    Zonal(Box<zonal::Args>),
    /// Put rasters on one grid, each in its own file or all in one mosaic
    Align(Box<align::Args>),
    /// Map bare land, with hectares by zone and polygons
    Bare(Box<bare::Args>),
    /// Measure this machine: standard tasks on synthetic tiles, beside the cost of their codecs alone
    Bench(Box<bench::Args>),
    /// Map the difference of an index between two dates, with classes, hectares and polygons
    Change(Box<change::Args>),
    /// Make one image from several dates
    Composite(Box<composite::Args>),
    /// Measure the sub-pixel shift between two rasters, and take it out without resampling
    Coregister(Box<coregister::Args>),
    /// Map fractional vegetation cover, with classes and hectares
    Cover(Box<cover::Args>),
    /// Forecast when zones reach a target, with a prediction interval and what-if rates
    Forecast(Box<forecast::Args>),
    /// Map spectral indices, a band each
    Index(Box<index::Args>),
    /// Near-real-time monitoring: fit a stable history once, then update the state with every new scene and tell alerts
    Monitor(Box<monitor::Args>),
    /// Measure recovery after disturbance, year by year: Y2R, R80P, RRI, percent of target, with a reason for every undefined pixel
    Recovery(Box<recovery::Args>),
    /// Cut series into segments or find their breaks: LandTrendr, BFAST Monitor, CCDC, COLD
    Segment(Box<segment::Args>),
    /// Map trends: Theil-Sen, least squares or harmonic, with Mann-Kendall significance, classes and hectares
    Trend(Box<trend::Args>),
    /// Map ponds and tailings water, with hectares by zone and polygons
    Water(Box<bare::WaterArgs>),
    /// Print shell completions
    Completions(completions::Args),
    /// Describe a scene or raster: bands, roles, scale, nodata, CRS, masks; exact statistics with --stats
    Info(Box<info::Args>),
    /// Write rasters once as COGs with the same samples, for files that are slow to read (JPEG 2000)
    Ingest(Box<ingest::Args>),
    /// Map samples on a grid: kriging or inverse distance, with uncertainty and exceedance
    Interpolate(Box<interpolate::Args>),
    /// Print the manual page (roff)
    Man(man::Args),
    /// Print and plot the series of one pixel: values, what the masks say, and fits
    Pixel(Box<pixel::Args>),
    /// Run the whole job on bundled real data; ends with the path of the report
    Demo(Box<demo::Args>),
    /// Make everything a project file asks for, and the report
    Run(Box<run::Args>),
    /// Make the report of a finished run again
    Report(Box<report::Args>),
    /// Print what `run` would do with a project file, and touch nothing
    Plan(Box<plan::Args>),
    /// List the sensors whose scenes are opened without options, or print a definition to start one's own from
    Sensors(sensors::Args),
    /// Empirical variogram of samples, and the model that fits it best
    Variogram(Box<variogram::Args>),
}

impl Verb {
    fn run(&self) -> Result<Finish> {
        match self {
            Self::Zonal(args) => zonal::run(args),
            Self::Align(args) => align::run(args),
            Self::Bare(args) => bare::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Change(args) => change::run(args),
            Self::Composite(args) => composite::run(args),
            Self::Coregister(args) => coregister::run(args),
            Self::Cover(args) => cover::run(args),
            Self::Forecast(args) => forecast::run(args),
            Self::Index(args) => index::run(args),
            Self::Monitor(args) => monitor::run(args),
            Self::Recovery(args) => recovery::run(args),
            Self::Segment(args) => segment::run(args),
            Self::Trend(args) => trend::run(args),
            Self::Water(args) => bare::run_water(args),
            Self::Completions(args) => completions::run(args),
            Self::Info(args) => info::run(args),
            Self::Ingest(args) => ingest::run(args),
            Self::Interpolate(args) => interpolate::run(args),
            Self::Man(args) => man::run(args),
            Self::Pixel(args) => pixel::run(args),
            Self::Plan(args) => plan::run(args),
            Self::Sensors(args) => sensors::run(args),
            Self::Variogram(args) => variogram::run(args),

            Self::Demo(args) => demo::run(args),
            Self::Run(args) => run::run(args),
            Self::Report(args) => report::run(args),
        }
    }
}

/// Runs the command line `arguments` (program name first) and returns the exit code. Never panics: a defect is caught and
/// becomes exit 1.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> u8 {
    console::silence_panics();
    console::prepare(&arguments);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(arguments))).unwrap_or_else(|_| Err(console::bug()));
    match outcome {
        Ok(finish) => finish.exit_code(),
        Err(error) => {
            let error = signals::explain(error);
            console::error(&error);
            error.kind().exit_code()
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<Finish> {
    if arguments.len() <= 1 {
        console::short_help();
        return Err(Error::new(Kind::Usage, ""));
    }
    match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.verb.run(),
        Err(error) if error.use_stderr() => Err(console::usage_error(&error)),
        // `--help` and `--version` are results.
        Err(help) => console::print(&help.render().to_string()).map(|()| Finish::Done),
    }
}
