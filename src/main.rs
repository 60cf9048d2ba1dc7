//! The `regrow` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(regrow::cli::main(std::env::args_os().collect()))
}
