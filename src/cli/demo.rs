//! `regrow demo`.

use std::path::PathBuf;

use super::args::Common;
use super::{Finish, run as runner};
use crate::error::Result;
use crate::project::demo;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder for the data and the results
    #[arg(short, long, value_name = "DIR", default_value = "regrow-demo")]
    output: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Runs the whole job on the bundled real data and ends with the path of the report.
///
/// # Errors
/// A folder that holds anything else; those of the run.
pub fn run(args: &Args) -> Result<Finish> {
    let project = demo::unpack(&args.output)?;
    if let Some(done) = runner::execute(&project, &args.common)? {
        runner::tell(&done, &args.common)?;
    }
    Ok(Finish::Done)
}
