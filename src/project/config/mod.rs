//! A project file: what is asked for, checked as far as the text alone allows. Every error names file, line and key.

mod products;
mod scenes;
mod soil;

use std::path::{Path, PathBuf};

pub use products::{Bare, Change, Cover, Products};
pub use scenes::{Composite, Files, SceneSpec};
pub use soil::SoilSpec;

use super::document::{Document, Fields, Node};
use super::rules::{Alert, Target};
use crate::error::{Error, Kind, Result};
use crate::grid::Crs;

/// A value and the `file:line: key` it was written at, for errors found only once other inputs are open.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// `file:line: key`.
    pub place: String,
}

impl<T> Placed<T> {
    pub(super) fn new(value: T, node: &Node<'_>) -> Self {
        Self { value, place: node.place() }
    }
    /// An error at this value.
    #[must_use]
    pub fn fail(&self, kind: Kind, what: &str) -> Error {
        Error::new(kind, format!("{}: {what}", self.place))
    }
    /// An error of what the value names, told with this value's place.
    #[must_use]
    pub fn wrap(&self, error: &Error) -> Error {
        self.fail(error.kind(), error.message())
    }
}

/// The grid of all products.
#[derive(Clone, Debug, PartialEq)]
pub enum GridSpec {
    /// The grid of the first scene.
    First,
    /// The grid of another raster.
    Like(Placed<PathBuf>),
    /// A reference system and a pixel size in its units over the extent of the scenes.
    Stated {
        /// Reference system.
        crs: Placed<Crs>,
        /// Pixel size.
        resolution: Placed<f64>,
    },
}

/// Polygons that figures are reported for.
#[derive(Clone, Debug, PartialEq)]
pub struct Zones {
    /// Vector file.
    pub path: Placed<PathBuf>,
    /// Layer of the file.
    pub layer: Option<String>,
    /// Column that names a zone.
    pub id: Option<Placed<String>>,
}

/// A project file as written, with paths resolved against its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The file.
    pub file: PathBuf,
    /// Title of the report.
    pub name: String,
    /// Where it is, in words.
    pub place: Option<String>,
    /// What the data are, in the words of whoever wrote the file; shown at the head of the report.
    pub statement: Option<String>,
    /// Folder of the outputs.
    pub output: Placed<PathBuf>,
    /// Grid of the products.
    pub grid: Placed<GridSpec>,
    /// Zones.
    pub zones: Option<Zones>,
    /// Area of interest.
    pub aoi: Option<Placed<PathBuf>>,
    /// Scenes in file order, none twice.
    pub scenes: Vec<SceneSpec>,
    /// Raster products.
    pub products: Products,
    /// Soil sample tables.
    pub soil: Vec<SoilSpec>,
    /// Targets.
    pub targets: Vec<Target>,
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// What was taken in a way the writer should know.
    pub warnings: Vec<String>,
}

impl Project {
    /// Reads a project file. No raster is opened.
    ///
    /// # Errors
    /// Syntax, unknown keys, wrong types and values, missing files; each names file, line, key and remedy.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_document(&Document::read(path)?)
    }

    /// The same from a document.
    ///
    /// # Errors
    /// As [`Project::read`].
    pub fn from_document(doc: &Document) -> Result<Self> {
        let parsed = doc.parse()?;
        let mut root = doc.root(&parsed);
        let mut warnings = Vec::new();
        let project = root.get("project");
        let globs = root.get("scenes");
        let scene = root.get("scene");
        let products = root.get("products");
        let soil = root.get("soil");
        let target = root.get("target");
        let alert = root.get("alert");
        root.finish()?;
        let Some(project) = project else {
            return Err(doc_fail(doc, &parsed, "table [project] is missing; begin with [project] and name = \"...\""));
        };

        let mut fields = project.table()?;
        let name = fields.need("name", "name = \"My mine\"")?.text()?.to_owned();
        let place = fields.get("place").map(|n| n.text().map(str::to_owned)).transpose()?;
        let statement = fields.get("statement").map(|n| n.text().map(str::to_owned)).transpose()?;
        let output = output(&mut fields)?;
        let grid = fields.get("grid");
        let zones = fields.get("zones").map(|n| zones(&n)).transpose()?;
        let aoi = fields.get("aoi").map(|n| Ok::<_, Error>(Placed::new(n.existing()?, &n))).transpose()?;
        let inner_globs = fields.get("scenes");
        fields.finish()?;
        let grid = match grid {
            Some(node) => Placed::new(grid_spec(&node)?, &node),
            None => Placed { value: GridSpec::First, place: format!("{}: grid", doc.path.display()) },
        };

        let mut scenes = Vec::new();
        for node in globs.iter().chain(&inner_globs) {
            scenes.extend(scenes::matching(node)?);
        }
        for node in scene.as_ref().map(Node::list).transpose()?.unwrap_or_default() {
            scenes.push(scenes::scene(&node, &mut warnings)?);
        }
        let scenes = scenes::unique(scenes, &mut warnings)?;
        let products = products.map(|n| products::products(&n)).transpose()?.unwrap_or_default();
        let soil: Vec<_> =
            soil.map(|n| n.list()?.iter().map(soil::soil).collect::<Result<_>>()).transpose()?.unwrap_or_default();
        if scenes.is_empty() && (soil.is_empty() || !products.is_empty()) {
            return Err(project.fail("no scene; add [[scene]] with path = \"...\", or [[soil]] alone without products"));
        }
        let read = Self {
            file: doc.path.clone(),
            name,
            place,
            statement,
            output,
            grid,
            zones,
            aoi,
            scenes,
            products,
            soil,
            targets: items(target.as_ref(), Target::read)?,
            alerts: items(alert.as_ref(), Alert::read)?,
            warnings,
        };
        read.products.check(&read.scenes)?;
        read.check_indicators()?;
        Ok(read)
    }

    /// Every target and alert must be about a figure the project makes.
    fn check_indicators(&self) -> Result<()> {
        let known = self.indicators();
        let rules = self.targets.iter().map(|t| &t.indicator).chain(self.alerts.iter().map(|a| &a.indicator));
        for indicator in rules {
            super::rules::check_indicator(indicator, &known)?;
        }
        Ok(())
    }

    /// Names of the figures a zone gets, in the order of `zones.csv`.
    #[must_use]
    pub fn indicators(&self) -> Vec<String> {
        let mut names = self.products.indicators();
        names.extend(self.soil.iter().flat_map(SoilSpec::indicators));
        names
    }
}

fn doc_fail(doc: &Document, parsed: &toml::Spanned<toml::de::DeTable<'_>>, what: &str) -> Error {
    doc.root(parsed).fail(what)
}

fn items<T>(node: Option<&Node<'_>>, read: impl Fn(&Node<'_>) -> Result<T>) -> Result<Vec<T>> {
    node.map(|n| n.list()?.iter().map(read).collect()).transpose().map(Option::unwrap_or_default)
}

/// The output folder: one that exists or can be made; never a file or a device.
fn output(fields: &mut Fields<'_>) -> Result<Placed<PathBuf>> {
    let node = fields.need("output", "output = \"out\"")?;
    let path = node.path()?;
    match std::fs::metadata(&path) {
        Ok(m) if !m.is_dir() => {
            Err(node.fail(&format!("{} is a file or device, expected a folder; name another", path.display())))
        }
        _ => Ok(Placed::new(path, &node)),
    }
}

fn zones(node: &Node<'_>) -> Result<Zones> {
    if node.is_text() {
        return Ok(Zones { path: Placed::new(node.existing()?, node), layer: None, id: None });
    }
    let mut fields = node.table()?;
    let path = fields.need("path", "path = \"parcels.gpkg\"")?;
    let layer = fields.get("layer").map(|n| n.text().map(str::to_owned)).transpose()?;
    let id = fields.get("id");
    fields.finish()?;
    let id = id.map(|n| Ok::<_, Error>(Placed::new(n.text()?.to_owned(), &n))).transpose()?;
    Ok(Zones { path: Placed::new(path.existing()?, &path), layer, id })
}

fn grid_spec(node: &Node<'_>) -> Result<GridSpec> {
    let mut fields = node.table()?;
    let like = fields.get("like");
    let crs = fields.get("crs");
    let resolution = fields.get("resolution");
    fields.finish()?;
    match (like, crs, resolution) {
        (Some(like), None, None) if like.text()? == "first" => Ok(GridSpec::First),
        (Some(like), None, None) => Ok(GridSpec::Like(Placed::new(like.existing()?, &like))),
        (None, Some(crs), Some(resolution)) => {
            let size = resolution.number_where("a pixel size above 0 in units of the CRS", |v| v > 0.0)?;
            let value = Crs::parse(crs.text()?).map_err(|e| crs.wrap(&e))?;
            Ok(GridSpec::Stated { crs: Placed::new(value, &crs), resolution: Placed::new(size, &resolution) })
        }
        _ => {
            Err(node
                .fail("write { like = \"first\" }, { like = \"raster.tif\" } or { crs = \"EPSG:n\", resolution = r }"))
        }
    }
}

/// An area with its unit (`"0.5ha"`, `"500 m2"`, `"1km2"`) in hectares.
pub(super) fn area_ha(node: &Node<'_>) -> Result<f64> {
    let want = "an area with its unit, such as \"0.5ha\", \"500m2\" or \"1km2\"";
    let text = node.text()?.trim();
    let split = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    let factor = match unit {
        "ha" => 1.0,
        "m2" | "m²" => 1e-4,
        "km2" | "km²" => 100.0,
        _ => return Err(node.fail(&format!("found {text:?}, expected {want}"))),
    };
    match number.parse::<f64>() {
        Ok(v) if v.is_finite() && v >= 0.0 => Ok(v * factor),
        _ => Err(node.fail(&format!("found {text:?}, expected {want}, 0 or more"))),
    }
}

#[cfg(test)]
mod tests;
