//! `regrow completions SHELL`.

use clap::CommandFactory;

use super::{Cli, Finish, console};
use crate::error::Result;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Shell to complete for
    shell: clap_complete::Shell,
}

/// Prints the completion script.
///
/// # Errors
/// Failed writing to stdout.
pub fn run(args: &Args) -> Result<Finish> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "regrow", &mut script);
    console::print(&String::from_utf8_lossy(&script))?;
    Ok(Finish::Done)
}
