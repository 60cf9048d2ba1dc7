//! `regrow run`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::args::Common;
use super::{Finish, console, plan};
use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::io;
use crate::project::notes::Kept;
use crate::project::prepare::prepare;
use crate::project::run::{self, Finished};
use crate::project::summary::{Standing, Summary};
use crate::project::{Project, run::replace};
use crate::report;

/// What makes a finished run end with exit code 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A target that the latest figures do not meet
    Target,
    /// A target that is not met although it is due
    Overdue,
    /// An alert that was raised
    Alert,
}

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Project file
    #[arg(value_name = "PROJECT.toml")]
    project: PathBuf,
    /// End with exit code 6 where a target or an alert says so; several with commas
    #[arg(long, value_name = "target|overdue|alert", value_enum, value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    common: Common,
}

/// Makes everything a project file asks for, and the report.
///
/// # Errors
/// Those of the project file, its inputs and the outputs.
pub fn run(args: &Args) -> Result<Finish> {
    let done = execute(&args.project, &args.common)?;
    let Some(done) = done else { return Ok(Finish::Done) };
    tell(&done, &args.common)?;
    let violated = args.fail_on.iter().any(|f| violates(*f, &done.summary));
    Ok(if violated { Finish::Violated } else { Finish::Done })
}

fn violates(rule: FailOn, summary: &Summary) -> bool {
    let any = |wanted: &[Standing]| summary.targets.iter().any(|t| wanted.contains(&t.standing));
    match rule {
        // A figure that is not there does not meet a target.
        FailOn::Target => any(&[Standing::Open, Standing::Missed, Standing::Unknown]),
        FailOn::Overdue => any(&[Standing::Missed]),
        FailOn::Alert => !summary.alerts.is_empty(),
    }
}

/// Runs a project file and writes its report; with `--explain` prints the plan and runs nothing.
///
/// # Errors
/// As [`run`].
pub(super) fn execute(project: &Path, common: &Common) -> Result<Option<Finished>> {
    if common.bbox.is_some() || common.aoi.is_some() || common.nodata.is_some() || common.assume_crs.is_some() {
        return Err(Error::usage(
            "--bbox, --aoi, --nodata and --assume-crs are not options of a project; write them into its file",
        ));
    }
    let mut context = common.context()?;
    let kept = Kept::within(&mut context);
    let prepared = prepare(Project::read(project)?, &context)?;
    if common.explain {
        plan::print(&prepared, common, context.limits.memory)?;
        return Ok(None);
    }
    let done = run::run(&prepared, &context, &kept)?;
    write_report(&done.folder, &done.summary, context.limits)?;
    Ok(Some(done))
}

/// Writes `report.html` of a finished run.
///
/// # Errors
/// Those of reading the maps and writing.
pub(super) fn write_report(folder: &Path, summary: &Summary, limits: Limits) -> Result<PathBuf> {
    let html = report::render(folder, summary, &|path| io::open_raster(path), limits)?;
    let path = folder.join("report.html");
    replace(&path, &html)?;
    Ok(path)
}

/// Key figures, targets and alerts, then the path of the report as the last line.
///
/// # Errors
/// Failed writing to stdout.
pub(super) fn tell(done: &Finished, common: &Common) -> Result<()> {
    let summary = &done.summary;
    let report = done.folder.join("report.html");
    if common.json {
        let figures: Map<String, Value> =
            summary.key_figures.iter().map(|k| (k.name.clone(), json!(k.value))).collect();
        return console::print_json(&json!({
            "report": report.display().to_string(), "output": done.folder.display().to_string(), "figures": figures,
            "targets": summary.targets, "alerts": summary.alerts, "warnings": summary.warnings,
        }));
    }
    let mut text = String::new();
    if !common.quiet {
        for k in &summary.key_figures {
            let detail = if k.detail.is_empty() { String::new() } else { format!("  ({})", k.detail) };
            text += &format!("{}  {:.3} {}{detail}\n", k.label, k.value, k.unit);
        }
        for t in summary.targets.iter().filter(|t| t.standing != Standing::Met) {
            let value = t.value.map_or_else(|| "no data".to_owned(), |v| format!("{v:.3}"));
            text += &format!("target not met: zone {}, {} {}: {value}\n", t.zone, t.indicator, t.bound);
        }
        for a in &summary.alerts {
            text += &format!("alert: {}: zone {}: {:.3}\n", a.rule, a.zone, a.value);
        }
    }
    console::print(&format!("{text}{}\n", report.display()))
}
