//! What the user sees: results on stdout, everything else on stderr, as text or as JSON lines.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::engine::Progress;
use crate::error::{Error, Kind, Result, one_line};
use crate::product::{Notes, Record};

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `regrow: warning: …`
    #[default]
    Text,
    /// One JSON object a line, with `time`, `level` and `message`.
    Json,
}

// Errors of the command line itself must already obey `--json` and `--log-format json`, before clap has parsed them.
static JSON_RESULT: AtomicBool = AtomicBool::new(false);
static JSON_LOG: AtomicBool = AtomicBool::new(false);
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Looks for `--json` and `--log-format json` in raw arguments.
pub(super) fn prepare(arguments: &[OsString]) {
    let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--").collect();
    JSON_RESULT.store(words.iter().any(|a| a == "--json"), Ordering::Relaxed);
    let log = words.iter().any(|a| a == "--log-format=json")
        || words.windows(2).any(|w| w[0] == "--log-format" && w[1] == "json");
    JSON_LOG.store(log, Ordering::Relaxed);
}

/// Keeps the place and text of a panic for [`bug`] instead of printing a backtrace note.
pub(super) fn silence_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |l| format!(" ({}:{})", l.file(), l.line()));
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = format!("{text}{place}");
    }));
}

/// The error of a caught panic.
pub(super) fn bug() -> Error {
    let what = PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Error::bug(format!("this is a defect of regrow: {what}; please report it with the command line"))
}

/// Prints a result. A closed pipe (`| head`) ends the run quietly, as SIGPIPE would.
///
/// # Errors
/// Failed writing.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Error::new(Kind::Signal(13), ""),
        _ => Error::io(format!("writing to standard output: {e}")),
    })
}

/// Prints a JSON document on one stdout line group.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

fn stderr_line(line: &str) {
    // A closed stderr must not stop a run.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn log(level: &str, text: &str) {
    let text = one_line(text);
    if JSON_LOG.load(Ordering::Relaxed) {
        stderr_line(
            &json!({ "time": jiff::Timestamp::now().to_string(), "level": level, "message": text }).to_string(),
        );
    } else if level == "info" {
        stderr_line(&format!("regrow: {text}"));
    } else {
        stderr_line(&format!("regrow: {level}: {text}"));
    }
}

/// Tells of the error a run ends with: one line on stderr, and with `--json` one object on stdout. Errors without a message
/// (a closed pipe, the short help) say nothing.
pub(super) fn error(error: &Error) {
    let text = error.to_string();
    if text.is_empty() {
        return;
    }
    log("error", &text);
    if JSON_RESULT.load(Ordering::Relaxed) {
        let kind = error.kind();
        let object = json!({ "error": { "kind": kind.name(), "exit_code": kind.exit_code(), "message": text } });
        // Stderr already has the message.
        let _ = print(&format!("{object}\n"));
    }
}

/// What `regrow` alone says.
pub(super) fn short_help() {
    use clap::CommandFactory;
    let command = super::Cli::command();
    let verbs: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
    stderr_line("usage: regrow VERB INPUT... -o OUTPUT [options]");
    stderr_line(&format!("verbs: {}", verbs.join(" ")));
    stderr_line("regrow --help explains the verbs, regrow VERB --help the options of one");
}

/// clap's message on one line: cause and suggestions, without the usage block.
pub(super) fn usage_error(error: &clap::Error) -> Error {
    let rendered = error.render().to_string();
    let parts: Vec<_> = rendered
        .lines()
        .map(str::trim)
        .take_while(|l| !l.starts_with("Usage:") && !l.starts_with("For more information"))
        .filter(|l| !l.is_empty())
        .map(|l| l.trim_start_matches("error: "))
        .collect();
    let mut text = String::new();
    for part in parts {
        let joint = match text.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        text += joint;
        text += part;
    }
    Error::usage(text)
}

/// Notes and progress on stderr.
pub struct Console {
    quiet: bool,
    verbose: bool,
    told: Mutex<HashSet<String>>,
    record: Mutex<Record>,
    run: Mutex<Option<Running>>,
}

struct Running {
    what: String,
    tiles: u64,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Console {
    /// `quiet` leaves warnings and errors; `verbose` adds decisions.
    #[must_use]
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose, told: Mutex::default(), record: Mutex::default(), run: Mutex::default() }
    }

    /// Says a line once: the same remark about many files of a kind is not repeated.
    fn say(&self, level: &str, text: &str) {
        if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            return;
        }
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        match run.as_ref().and_then(|r| r.bar.as_ref()) {
            Some(bar) => bar.suspend(|| log(level, text)),
            None => log(level, text),
        }
    }
}

impl Notes for Console {
    fn warn(&self, text: &str) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).remark(format!("warning: {text}"));
        self.say("warning", text);
    }
    fn tell(&self, text: &str) {
        if !self.quiet {
            self.say("info", text);
        }
    }
    fn reads(&self, path: &Path, date: Option<&str>) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).reads(path, date);
    }
    fn dated(&self, date: &str) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).dated(date);
    }
    fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn decide(&self, text: &str) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).remark(text.to_owned());
        if self.verbose {
            self.say("info", text);
        }
    }
}

// Runs shorter than this say nothing when stderr is no terminal; longer ones a line each time it has passed.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Progress for Console {
    fn start(&self, what: &str, tiles: u64) {
        if self.quiet {
            return;
        }
        let bar = (std::io::stderr().is_terminal() && !JSON_LOG.load(Ordering::Relaxed)).then(|| {
            let bar = ProgressBar::with_draw_target(Some(tiles), ProgressDrawTarget::stderr_with_hz(4));
            if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} % {elapsed} ETA {eta}") {
                bar.set_style(style);
            }
            bar.set_prefix(one_line(what));
            bar
        });
        let running = Running { what: what.to_owned(), tiles, bar, told: Instant::now() };
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    fn advance(&self, done: u64) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(r) = run.as_mut() else { return };
        if let Some(bar) = &r.bar {
            bar.set_position(done);
        } else if r.told.elapsed() >= LINE_EVERY {
            r.told = Instant::now();
            log("info", &format!("{}: {done} of {} done", r.what, r.tiles));
        }
    }

    fn end(&self) {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = run.and_then(|r| r.bar) {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn misspelt_flag_is_one_line_with_a_suggestion() {
        let e = super::super::Cli::try_parse_from(["regrow", "completions", "bash", "--versoin"]).unwrap_err();
        let text = usage_error(&e).to_string();
        assert!(text.contains("--versoin") && text.contains("--version") && !text.contains("\\n"), "{text}");
        assert!(!text.contains("Usage"), "{text}");
    }
}
