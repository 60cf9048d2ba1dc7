//! Every figure of a run, as `summary.json` holds it and the report shows it. Units are in the names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Version of the form of `summary.json`.
pub const SCHEMA: u32 = 1;

/// What the project is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Title.
    pub name: String,
    /// Where it is, in words.
    pub place: Option<String>,
    /// What the data are, in the words of the project file.
    pub statement: Option<String>,
    /// Name of the project file.
    pub file: String,
    /// Time of the run in UTC; absent in reproducible runs.
    pub made_utc: Option<String>,
}

/// Outline of a zone in pixel coordinates of the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Identity of the zone.
    pub zone: String,
    /// Rings of (column, row).
    pub rings: Vec<Vec<(f64, f64)>>,
}

/// A grid on the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GridFacts {
    /// Columns.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
    /// Reference system.
    pub crs: String,
    /// Size of a pixel in the reference system, in words (`10 m`).
    pub pixel: String,
    /// Size of a pixel along a row at the centre of the grid, metres on the ground.
    pub pixel_m: f64,
    /// Height of a pixel over its width on the ground.
    pub pixel_aspect: f64,
    /// Direction of true north, degrees clockwise from up.
    pub north_deg: f64,
    /// Centre, degrees east and north; absent where the place on Earth is unknown.
    pub centre_lon_lat: Option<(f64, f64)>,
    /// Zone outlines; absent where there are too many to draw.
    pub outlines: Vec<Outline>,
}

/// A scene as it was used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneFacts {
    /// `before`, `after`, or the word that names its outputs.
    pub label: String,
    /// Name of the input.
    pub name: String,
    /// Acquisition date, or the last one of a composite.
    pub date: Option<String>,
    /// Dates a composite was made of.
    pub dates: Vec<String>,
    /// How a composite was made.
    pub composite: Option<String>,
}

impl SceneFacts {
    /// The date or span of dates in words.
    #[must_use]
    pub fn when(&self) -> String {
        match (self.dates.first(), self.dates.last()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}, {} dates", self.dates.len()),
            _ => self.date.clone().unwrap_or_else(|| "no date".into()),
        }
    }
}

/// What a map shows; chooses its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapKind {
    /// More is greener.
    Vegetation,
    /// More is barer.
    Soil,
    /// Zero is neutral.
    Difference,
    /// The file's own classes.
    Classes,
    /// A concentration.
    Estimate,
    /// A standard deviation.
    Uncertainty,
    /// 0 to 1.
    Probability,
}

/// A raster the report draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapFacts {
    /// File, relative to the folder of the run.
    pub path: String,
    /// Band, from 0.
    pub band: usize,
    /// Heading of the map.
    pub title: String,
    /// Maps of a group stand side by side and share one colour scale.
    pub group: String,
    /// Heading of the group.
    pub group_title: String,
    /// Colours.
    pub kind: MapKind,
    /// Unit of the values; empty for ratios.
    pub unit: String,
    /// 0-based index into [`Summary::grids`].
    pub grid: usize,
}

/// A figure for the head of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyFigure {
    /// Machine name with the unit (`bare_after_ha`).
    pub name: String,
    /// Label for people.
    pub label: String,
    /// Value.
    pub value: f64,
    /// Unit.
    pub unit: String,
    /// One line that says what it is compared with.
    pub detail: String,
}

/// One row of `zones.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneFigure {
    /// Identity of the zone; `all` for the whole grid.
    pub zone: String,
    /// Name of the figure, unit included.
    pub indicator: String,
    /// Label of the scene; `change` for a difference.
    pub scene: String,
    /// Date of the scene.
    pub date: Option<String>,
    /// Value; null where undefined.
    pub value: Option<f64>,
}

/// A class of a class map with its area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassArea {
    /// Stored value.
    pub value: u8,
    /// Name.
    pub name: String,
    /// Colour.
    pub rgb: [u8; 3],
    /// Geodesic area.
    pub area_ha: f64,
}

/// Areas of a class map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassTable {
    /// Group of the map it belongs to.
    pub group: String,
    /// Heading.
    pub title: String,
    /// Classes in order of their values.
    pub classes: Vec<ClassArea>,
}

/// One lag of an empirical variogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Mean distance, metres.
    pub distance_m: f64,
    /// Semivariance.
    pub gamma: f64,
    /// Pairs.
    pub pairs: u64,
}

/// A variogram and its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariogramFacts {
    /// Lags.
    pub lags: Vec<Lag>,
    /// Model as an expression.
    pub model: String,
    /// Model at evenly spaced distances, for the plot.
    pub curve: Vec<(f64, f64)>,
}

/// Leave-one-out cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationFacts {
    /// Mean error (predicted minus observed).
    pub me: f64,
    /// Root mean square error.
    pub rmse: f64,
    /// Mean squared deviation ratio, ideally 1.
    pub msdr: Option<f64>,
    /// Lin's concordance correlation.
    pub ccc: Option<f64>,
    /// Observed and predicted values.
    pub points: Vec<(f64, f64)>,
    /// Scale of the figures (`ln mg/kg`).
    pub scale: String,
}

/// A metal of a sample table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoilFacts {
    /// What the samples are of.
    pub title: String,
    /// Column.
    pub metal: String,
    /// Samples used.
    pub samples: u64,
    /// Samples dropped, merged or below detection, in words.
    pub dropped: Vec<String>,
    /// Interpolation method in words.
    pub method: String,
    /// Limit, mg/kg.
    pub limit_mg_kg: Option<f64>,
    /// Where the limit comes from and what was assumed.
    pub limit_source: Option<String>,
    /// False where the limit's numbers were not checked against the source.
    pub limit_verified: bool,
    /// Mean of the estimate, mg/kg.
    pub mean_mg_kg: Option<f64>,
    /// Area where the estimate is above the limit.
    pub exceed_ha: Option<f64>,
    /// Sum of probability times area.
    pub exceed_expected_ha: Option<f64>,
    /// Area estimated.
    pub area_ha: Option<f64>,
    /// Group of its maps.
    pub group: String,
    /// Variogram.
    pub variogram: Option<VariogramFacts>,
    /// Cross-validation.
    pub validation: Option<ValidationFacts>,
}

/// How a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The bound holds.
    Met,
    /// It does not hold yet; the date it is due is after the data.
    Open,
    /// It does not hold and is due, or has no date.
    Missed,
    /// There is no figure to judge by.
    Unknown,
}

/// A target for one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Zone.
    pub zone: String,
    /// Figure.
    pub indicator: String,
    /// Bounds in words (`≤ 3`).
    pub bound: String,
    /// Date it is due.
    pub by: Option<String>,
    /// Latest value.
    pub value: Option<f64>,
    /// Date of that value.
    pub date: Option<String>,
    /// How it stands.
    pub standing: Standing,
}

/// An alert that was raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// The rule as written.
    pub rule: String,
    /// Zone.
    pub zone: String,
    /// Value that raised it.
    pub value: f64,
    /// Date of that value.
    pub date: Option<String>,
}

/// Cells of a channel by fate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// Scene and band.
    pub channel: String,
    /// Cells read.
    pub cells: u64,
    /// Nodata in the input.
    pub nodata: u64,
    /// Removed by a cloud mask.
    pub masked: u64,
    /// Outside the physical range.
    pub out_of_range: u64,
    /// Outside the area of interest.
    pub clipped: u64,
}

/// How a product was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Product.
    pub title: String,
    /// Formula and parameters in words.
    pub text: String,
    /// Sources.
    pub citations: Vec<String>,
}

/// A file of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Path relative to the folder of the run.
    pub path: String,
    /// What it is, for machines.
    pub role: String,
    /// What it is, for people.
    pub title: String,
    /// Size.
    pub bytes: u64,
}

/// Every figure of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Form of this document.
    pub schema: u32,
    /// Program version.
    pub regrow: String,
    /// The project.
    pub project: About,
    /// Grids of the maps.
    pub grids: Vec<GridFacts>,
    /// Scenes in order of time.
    pub scenes: Vec<SceneFacts>,
    /// Figures for the head of the report.
    pub key_figures: Vec<KeyFigure>,
    /// Targets.
    pub targets: Vec<Verdict>,
    /// Alert rules and those raised.
    pub alert_rules: Vec<String>,
    /// Alerts raised.
    pub alerts: Vec<Raised>,
    /// Maps in order of the report.
    pub maps: Vec<MapFacts>,
    /// Areas of class maps.
    pub classes: Vec<ClassTable>,
    /// Rows of `zones.csv`.
    pub zones: Vec<ZoneFigure>,
    /// Zone identities and names in order.
    pub zone_names: Vec<(String, String)>,
    /// Metals.
    pub soil: Vec<SoilFacts>,
    /// Fate of the cells read.
    pub channels: Vec<ChannelFacts>,
    /// Decisions taken while reading and computing.
    pub decisions: Vec<String>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// Methods.
    pub methods: Vec<Method>,
    /// Files.
    pub files: Vec<FileFacts>,
}

impl Summary {
    /// Reads `summary.json`.
    ///
    /// # Errors
    /// Missing or damaged file, or one of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|e| Error::from_io(&format!("reading {}", path.display()), &e))?;
        let summary: Self = serde_json::from_str(&text).map_err(|e| {
            Error::input(format!("reading {}: not a summary of a run: {e}; run the project again", path.display()))
        })?;
        if summary.schema == SCHEMA {
            return Ok(summary);
        }
        Err(Error::input(format!(
            "reading {}: found schema {}, expected {SCHEMA}; run the project again with this version",
            path.display(),
            summary.schema
        )))
    }

    /// The text of `summary.json`.
    ///
    /// # Errors
    /// None in practice; a defect where a figure cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::bug(format!("writing summary.json: {e}")))?;
        Ok(text + "\n")
    }

    /// The figure of a zone for a scene.
    #[must_use]
    pub fn figure(&self, zone: &str, indicator: &str, scene: &str) -> Option<f64> {
        let same = |z: &&ZoneFigure| z.zone == zone && z.indicator == indicator && z.scene == scene;
        self.zones.iter().find(same).and_then(|z| z.value)
    }
}
