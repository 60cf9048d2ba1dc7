//! One measurement: this program again, in a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::tasks::{Setting, Task, ndvi, project};
use super::{Args, Codec, make};
use crate::bench::copy::Copy;
use crate::bench::floor::Floor;
use crate::bench::inputs::Inputs;
use crate::bench::meter::{Meter, Spent};
use crate::cli::{self, Finish};
use crate::engine::Cancel;
use crate::error::{Error, Kind, Result};
use crate::io::atomic::write_bytes;

/// What a measured process says about itself.
pub(super) type Measured = Spent;

/// How often a stop by signal is looked for while a task runs.
const POLL: Duration = Duration::from_millis(5);

/// Starts measured processes one after another.
pub(super) struct Runner<'a> {
    pub(super) args: &'a Args,
    pub(super) inputs: &'a Inputs,
    pub(super) cancel: &'a Cancel,
}

impl Runner<'_> {
    /// Makes the NDVI that zonal statistics read.
    pub(super) fn prepare(&self, codec: Codec) -> Result<()> {
        let out = self.scratch()?;
        let setting = self.setting(codec, cli::machine::cores());
        self.process(Task::Ndvi.command(&setting, &out), codec, setting.threads, &out)?;
        let made = ndvi(self.inputs, codec);
        std::fs::rename(out.join("ndvi.tif"), &made)
            .map_err(|e| Error::from_io(&format!("moving {}", made.display()), &e))?;
        self.clear(&out)
    }

    /// Runs a task, or its floor, once.
    pub(super) fn measure(&self, task: Task, codec: Codec, floor: bool, threads: usize) -> Result<Measured> {
        let out = self.scratch()?;
        if task == Task::Fused && !floor {
            self.inputs.write_project(&project(&out), "out")?;
        }
        let mut command = task.command(&self.setting(codec, threads), &out);
        if floor || command.is_empty() {
            // The floor and the copy themselves stand for those of NDVI.
            let what = if task == Task::Copy { "copy" } else { "floor" };
            command = vec![what.into(), task.name().into(), self.inputs.folder.clone().into()];
        }
        let spent = self
            .process(command, codec, threads, &out)
            .map_err(|e| Error::new(e.kind(), format!("task {}: {}", task.name(), e.message())))?;
        self.clear(&out)?;
        Ok(spent)
    }

    fn setting(&self, codec: Codec, threads: usize) -> Setting<'_> {
        Setting { inputs: self.inputs, codec, threads, memory: self.args.common.memory }
    }

    /// An empty folder for the outputs of one measurement.
    fn scratch(&self) -> Result<PathBuf> {
        let out = self.inputs.folder.join("work");
        make(&out)?;
        Ok(out)
    }

    fn clear(&self, out: &Path) -> Result<()> {
        std::fs::remove_dir_all(out).map_err(|e| Error::io(format!("removing {}: {e}", out.display())))
    }

    fn process(&self, command: Vec<OsString>, codec: Codec, threads: usize, out: &Path) -> Result<Measured> {
        let failed = |e: std::io::Error| Error::io(format!("starting a measured process: {e}"));
        let (result, log) = (out.join("spent.json"), out.join("log"));
        let child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["bench", "--measure"])
            .arg(&result)
            .args(["--size", &self.args.size.to_string(), "--codec", codec.name()])
            .args(["--threads", &threads.to_string(), "--"])
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let mut child = Running(child);
        let status = loop {
            self.cancel.check()?;
            match child.0.try_wait().map_err(failed)? {
                Some(status) => break status,
                None => std::thread::sleep(POLL),
            }
        };
        self.cancel.check()?;
        if !status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().last().unwrap_or("it said nothing").trim_start_matches("regrow: error: ");
            let kind = match status.code() {
                Some(2) => Kind::Usage,
                Some(3) => Kind::Input,
                Some(4) => Kind::Limit,
                Some(5) => Kind::Io,
                _ => Kind::Bug,
            };
            return Err(Error::new(kind, format!("{last} ({status})")));
        }
        let text = std::fs::read(&result).map_err(|e| Error::from_io("reading a measurement", &e))?;
        serde_json::from_slice(&text).map_err(|e| Error::bug(format!("reading a measurement: {e}")))
    }
}

/// A process that does not outlive its measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // It is gone already where this fails.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// The measured process: runs one command and writes what it took to `result`.
pub(super) fn alone(args: &Args, result: &Path) -> Result<Finish> {
    let words: Vec<_> = args.command.iter().map(|w| w.to_string_lossy()).collect();
    let spent = match words.first().map(AsRef::as_ref) {
        Some(what @ ("floor" | "copy")) => {
            let (Some(task), Some(folder)) = (words.get(1).and_then(|t| Task::by_name(t)), args.command.get(2)) else {
                return Err(Error::usage("bench --measure: a task and a folder are needed"));
            };
            let inputs = Inputs { folder: folder.into(), size: args.size as usize };
            built_in(what == "copy", task, &inputs, args, result)?
        }
        _ => {
            let line = std::iter::once(OsString::from("regrow")).chain(args.command.iter().cloned()).collect();
            let meter = Meter::start();
            cli::run(line)?;
            meter.stop()
        }
    };
    let text = serde_json::to_vec(&spent).map_err(|e| Error::bug(format!("writing a measurement: {e}")))?;
    write_bytes(result, &text, false)?;
    Ok(Finish::Done)
}

fn built_in(copy: bool, task: Task, inputs: &Inputs, args: &Args, result: &Path) -> Result<Spent> {
    let codec = *args.codec.first().ok_or_else(|| Error::usage("bench --measure: a codec is needed"))?;
    let threads = args.common.context()?.limits.threads;
    let (meter, spent);
    if copy {
        let mut copy = Copy::new(threads)?;
        let bytes = task.bytes(inputs, codec);
        meter = Meter::start();
        copy.run(bytes);
        spent = meter.stop();
    } else {
        let floor = Floor::new(inputs, &task.work(inputs, codec), &result.with_extension("blocks"), threads)?;
        meter = Meter::start();
        floor.run()?;
        spent = meter.stop();
    }
    // Pixels to write, or to copy, are prepared in memory; what that takes says nothing about the work.
    Ok(Spent { peak_rss_bytes: None, ..spent })
}
