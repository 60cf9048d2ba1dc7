//! `regrow man`.

use clap::CommandFactory;

use super::{Cli, Finish, console};
use crate::error::{Error, Result};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Verb whose page to print (default: regrow itself)
    verb: Option<String>,
}

/// Prints a manual page in roff.
///
/// # Errors
/// An unknown verb; failed writing to stdout.
pub fn run(args: &Args) -> Result<Finish> {
    let mut command = Cli::command();
    command.build();
    if let Some(verb) = &args.verb {
        let found = command.find_subcommand(verb).cloned();
        command = found.ok_or_else(|| {
            let verbs: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            Error::usage(format!("no verb {verb:?}; verbs are {}", verbs.join(" ")))
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::from_io("rendering the manual page", &e))?;
    console::print(&String::from_utf8_lossy(&page))?;
    Ok(Finish::Done)
}
