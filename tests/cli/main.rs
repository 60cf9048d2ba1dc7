//! The command line as users and schedulers meet it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod fixture;
mod forecast;
mod masks;
mod products;
mod refusals;
mod scenes;
mod shell;
mod verbs;

use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the binary ended with.
struct Run {
    code: i32,
    out: String,
    err: String,
}

/// Runs the real binary.
fn regrow(arguments: &[&str]) -> Run {
    regrow_in(Path::new("."), arguments)
}

/// Runs the real binary in a folder; -1 stands for an end by signal.
fn regrow_in(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_regrow"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
