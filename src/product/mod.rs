//! Products: what verbs and project files ask for. A product adds its analyses and sinks to a pass, and after the pass
//! writes what depends on the whole (tables, polygons, styles, sidecars).

pub mod align;
pub mod bands;
pub mod bare;
pub mod change;
pub mod composite;
pub mod coregister;
pub mod cover;
pub mod curves;
pub mod fit;
pub mod forecast;
pub mod index;
pub mod ingest;
pub mod interpolate;
pub mod model;
pub mod monitor;
pub mod output;
pub mod period;
pub mod pixel;
pub mod provenance;
pub mod recovery;
pub mod samples;
pub mod segment;
pub mod series;
pub mod survey;
pub mod trend;
pub mod zonal;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::{Cancel, Limits, Outcome, Progress};
use crate::error::Result;

/// Remarks to the user: warnings and recorded decisions, in order. `cli` prints them to stderr as they come.
pub trait Notes: Send + Sync {
    /// Something the user should know about an input or a result.
    fn warn(&self, text: &str);
    /// A decision taken (scale, mask, duplicate policy), kept in provenance.
    fn decide(&self, text: &str);
    /// A figure worth a line while the run is watched, kept elsewhere.
    fn tell(&self, _text: &str) {}
    /// A file that is read, with the acquisition date where it is a scene; kept in provenance.
    fn reads(&self, _path: &Path, _date: Option<&str>) {}
    /// The acquisition date of a scene whose files are named when they are read.
    fn dated(&self, _date: &str) {}
    /// What was kept so far.
    fn record(&self) -> Record {
        Record::default()
    }
}

/// What happened in a run, for provenance: everything once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Files that were read.
    pub inputs: Vec<PathBuf>,
    /// Acquisition dates.
    pub dates: Vec<String>,
    /// Decisions and warnings.
    pub remarks: Vec<String>,
}

impl Record {
    /// Adds a file and its date.
    pub fn reads(&mut self, path: &Path, date: Option<&str>) {
        if !self.inputs.iter().any(|p| p == path) {
            self.inputs.push(path.to_owned());
        }
        if let Some(date) = date {
            self.dated(date);
        }
    }

    /// Adds an acquisition date.
    pub fn dated(&mut self, date: &str) {
        if !self.dates.iter().any(|known| known == date) {
            self.dates.push(date.to_owned());
        }
    }

    /// Adds a remark.
    pub fn remark(&mut self, text: String) {
        if !self.remarks.contains(&text) {
            self.remarks.push(text);
        }
    }
}

/// Notes kept in memory.
#[derive(Default)]
pub struct KeptNotes(Mutex<Record>);

impl KeptNotes {
    /// The remarks so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.record().remarks
    }
}

impl Notes for KeptNotes {
    fn warn(&self, text: &str) {
        self.decide(&format!("warning: {text}"));
    }
    fn decide(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remark(text.to_owned());
    }
    fn reads(&self, path: &Path, date: Option<&str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reads(path, date);
    }
    fn dated(&self, date: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).dated(date);
    }
    fn record(&self) -> Record {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What every product needs besides its own options.
#[derive(Clone)]
pub struct Context {
    /// Threads and memory.
    pub limits: Limits,
    /// Stops the run.
    pub cancel: Cancel,
    /// Told how far it is.
    pub progress: Arc<dyn Progress>,
    /// Told what the user should know.
    pub notes: Arc<dyn Notes>,
    /// The command line, for provenance.
    pub arguments: Vec<String>,
    /// Replace outputs that exist.
    pub overwrite: bool,
    /// No time stamps in outputs.
    pub reproducible: bool,
    /// Products write provenance beside their outputs; a project does it itself, with hashes of inputs it knows already.
    pub sidecars: bool,
    /// Quantities get a QGIS style too, as those of a project do; classes always have one.
    pub styles: bool,
    /// Creation options of rasters (`COMPRESS=ZSTD`), as given.
    pub creation: Vec<(String, String)>,
}

/// A file a product made.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, for the catalogue and the report (`ndvi`, `bare`, `zones`).
    pub role: String,
    /// A title for people.
    pub title: String,
    /// Figures with units in their names, for `summary.json` and `--json`.
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// A product waiting for its pass.
pub trait Product {
    /// Writes what depends on the whole raster.
    ///
    /// # Errors
    /// I/O errors; files appear whole or not at all.
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>>;
}

/// A context for unit tests of products.
#[cfg(test)]
pub(crate) fn tests_context() -> Context {
    Context {
        limits: Limits { threads: 2, memory: 1 << 30 },
        cancel: Cancel::default(),
        progress: Arc::new(crate::engine::Silent),
        notes: Arc::new(KeptNotes::default()),
        arguments: Vec::new(),
        overwrite: false,
        reproducible: true,
        sidecars: true,
        styles: false,
        creation: Vec::new(),
    }
}
