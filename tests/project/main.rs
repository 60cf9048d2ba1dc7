//! Project files, the report and the demo, from outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests stop at the first surprise")]

mod again;
mod brumadinho;
mod demo;
mod products;
mod report;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program.
fn regrow(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_regrow")).args(arguments).output().unwrap()
}

/// Runs the program, which must succeed, and returns its stdout.
fn done(arguments: &[&str]) -> String {
    let output = regrow(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
