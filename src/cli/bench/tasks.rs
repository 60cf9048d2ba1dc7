//! The standard tasks: the command of each, and what it reads and writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Codec;
use crate::bench::codec::Stored;
use crate::bench::floor::{Work, cells_with_overviews};
use crate::bench::inputs::{Inputs, PIXEL_M};
use crate::bench::recipe::BANDS;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Copy,
    Floor,
    Ndvi,
    TenIndices,
    Fused,
    Bare,
    Zonal,
    Kriging,
}

/// All tasks in the order they are printed.
pub(super) const ALL: &[Task] =
    &[Task::Copy, Task::Floor, Task::Ndvi, Task::TenIndices, Task::Fused, Task::Bare, Task::Zonal, Task::Kriging];

const TEN: &str = "NDVI,EVI,SAVI,MSAVI,GNDVI,NDWI,MNDWI,BSI,NBR,NDMI";
/// Bands of both dates of the project.
const FUSED: [&str; 4] = ["blue", "red", "nir", "swir16"];
/// Pixels along the edge of a cell of the kriged map.
const KRIGED: usize = 8;

/// On what a task runs.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) codec: Codec,
    pub(super) threads: usize,
    pub(super) memory: Option<u64>,
}

impl Task {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Floor => "floor",
            Self::Ndvi => "ndvi",
            Self::TenIndices => "ten-indices",
            Self::Fused => "fused",
            Self::Bare => "bare",
            Self::Zonal => "zonal",
            Self::Kriging => "kriging",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|t| t.name() == name)
    }

    /// True where the task has a floor of its own: it is a verb that reads or writes pixels in number.
    pub(super) fn has_floor(self) -> bool {
        !matches!(self, Self::Copy | Self::Floor | Self::Kriging)
    }

    /// True where the task is also run on one thread.
    pub(super) fn scales(self) -> bool {
        self != Self::Copy
    }

    /// What it reads and writes. The copy and the floor stand for NDVI.
    pub(super) fn work(self, inputs: &Inputs, codec: Codec) -> Work {
        let bands = |names: &[&str]| names.iter().map(|n| (inputs.band(n), Stored::Band)).collect::<Vec<_>>();
        let (reads, floats, classes) = match self {
            Self::Copy | Self::Floor | Self::Ndvi => (bands(&["red", "nir"]), 1, 0),
            Self::TenIndices => (bands(&BANDS), 10, 0),
            Self::Fused => {
                let mut reads = bands(&FUSED);
                reads.extend(FUSED.iter().map(|n| (inputs.band_after(n), Stored::Band)));
                // NDVI, BSI and cover of both dates and the difference; classes of cover, bare land and change.
                (reads, 7, 5)
            }
            Self::Bare => (bands(&BANDS), 0, 1),
            Self::Zonal => (vec![(ndvi(inputs, codec), Stored::Float(codec.stored()))], 0, 0),
            Self::Kriging => (Vec::new(), 2, 0),
        };
        Work { reads, floats, classes, codec: codec.stored() }
    }

    /// Pixels of its grid.
    pub(super) fn pixels(self, inputs: &Inputs) -> u64 {
        (self.edge(inputs) as u64).pow(2)
    }

    fn edge(self, inputs: &Inputs) -> usize {
        if self == Self::Kriging { inputs.size.div_ceil(KRIGED) } else { inputs.size }
    }

    /// Bytes of decoded pixels read and written, overviews included, each once.
    pub(super) fn bytes(self, inputs: &Inputs, codec: Codec) -> u64 {
        let work = self.work(inputs, codec);
        let width = |stored: &Stored| if *stored == Stored::Band { 2 } else { 4 };
        let read: u64 = work.reads.iter().map(|(_, s)| width(s)).sum();
        let written = (4 * work.floats + work.classes) as u64;
        read * self.pixels(inputs) + written * cells_with_overviews(self.edge(inputs))
    }

    /// The arguments of this program for the task, its outputs in `out`; nothing for what is no verb.
    pub(super) fn command(self, on: &Setting<'_>, out: &Path) -> Vec<OsString> {
        let inputs = on.inputs;
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |more: &[&str]| words.extend(more.iter().map(OsString::from));
        let scene = |names: &[&str]| -> Vec<OsString> {
            names.iter().map(|n| joined(&format!("{n}="), &inputs.band(n))).collect()
        };
        match self {
            Self::Copy | Self::Floor => return Vec::new(),
            Self::Ndvi => {
                add(&["index", "NDVI"]);
                words.extend(scene(&["red", "nir"]));
                words.extend(["--scale".into(), "0.0001".into(), "-o".into(), out.join("ndvi.tif").into()]);
            }
            Self::TenIndices => {
                add(&["index", TEN]);
                words.extend(scene(&BANDS));
                words.extend(["--scale".into(), "0.0001".into(), "-o".into(), out.join("indices.tif").into()]);
            }
            Self::Fused => words.extend(["run".into(), project(out).into()]),
            Self::Bare => {
                add(&["bare"]);
                words.extend(scene(&BANDS));
                words.extend(["--scale".into(), "0.0001".into(), "--min-area".into(), "0.5ha".into()]);
                words.extend(["--polygons".into(), out.join("bare.gpkg").into()]);
                words.extend(["-o".into(), out.join("bare.tif").into()]);
            }
            Self::Zonal => {
                words.extend([
                    "zonal".into(),
                    ndvi(inputs, on.codec).into(),
                    "--zones".into(),
                    inputs.parcels().into(),
                ]);
                words.extend(["--id".into(), "parcel_id".into(), "-o".into(), out.join("zonal.csv").into()]);
            }
            Self::Kriging => {
                let edge = format!("{}", KRIGED as f64 * PIXEL_M);
                let [west, south, east, north] = inputs.bounds();
                words.extend(["interpolate".into(), inputs.samples().into(), "--value".into(), "zn_mg_kg".into()]);
                words.extend(["--crs", "EPSG:32634", "--nmax", "32", "--res", &edge].map(OsString::from));
                words.extend(["--bbox".into(), format!("{west},{south},{east},{north}").into()]);
                words.extend(["--variogram".into(), "nug(150)+sph(3500,20000)".into()]);
                words.extend(["-o".into(), out.join("kriging.tif").into()]);
            }
        }
        if self != Self::Zonal {
            words.extend(["--co".into(), format!("COMPRESS={}", on.codec.name().to_uppercase()).into()]);
        }
        words.extend(["--threads".into(), on.threads.to_string().into(), "--quiet".into()]);
        if let Some(bytes) = on.memory {
            words.extend(["--memory".into(), bytes.to_string().into()]);
        }
        words
    }
}

/// The project file of the fused task.
pub(super) fn project(out: &Path) -> PathBuf {
    out.join("project.toml")
}

/// NDVI that zonal statistics are made of.
pub(super) fn ndvi(inputs: &Inputs, codec: Codec) -> PathBuf {
    inputs.folder.join(format!("ndvi_{}.tif", codec.name()))
}

/// A command line as it would be typed.
pub(super) fn shown(command: &[OsString]) -> String {
    if command.is_empty() {
        return "(built in)".to_owned();
    }
    let words = command.iter().map(|w| {
        let w = w.to_string_lossy();
        if w.contains(['(', ' ']) { format!("'{w}'") } else { w.into_owned() }
    });
    format!("regrow {}", words.collect::<Vec<_>>().join(" "))
}

fn joined(prefix: &str, path: &Path) -> OsString {
    let mut word = OsString::from(prefix);
    word.push(path);
    word
}
