//! `regrow report`.

use std::path::PathBuf;

use serde_json::json;

use super::args::Common;
use super::{Finish, console, run as runner};
use crate::error::Result;
use crate::project::summary::Summary;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a finished run
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Makes the report of a finished run again, from its summary and its rasters.
///
/// # Errors
/// A folder without a run; those of reading and writing.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let summary = Summary::read(&args.folder.join("summary.json"))?;
    if args.common.explain {
        console::print(&format!("would write {}\n", args.folder.join("report.html").display()))?;
        return Ok(Finish::Done);
    }
    let path = runner::write_report(&args.folder, &summary, context.limits)?;
    if args.common.json {
        console::print_json(&json!({ "report": path.display().to_string() }))?;
    } else {
        console::print(&format!("{}\n", path.display()))?;
    }
    Ok(Finish::Done)
}
