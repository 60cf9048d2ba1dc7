//! `[[soil]]`.

use std::path::PathBuf;

use super::Placed;
use crate::error::{Error, Result};
use crate::grid::Crs;
use crate::project::document::Node;

/// A table of soil samples and the grids asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SoilSpec {
    /// What the samples are of, for titles and file names.
    pub name: Option<String>,
    /// Table or point layer.
    pub samples: Placed<PathBuf>,
    /// Reference system of the coordinates, where the file does not state it.
    pub crs: Option<Placed<Crs>>,
    /// Identity of the standard, such as `gb15618-2018`.
    pub standard: Option<Placed<String>>,
    /// Value columns.
    pub metals: Vec<Placed<String>>,
    /// Interpolation method.
    pub method: Option<Placed<String>>,
    /// Interpolate logarithms.
    pub log: bool,
    /// Pixel size of the grids in units of the CRS.
    pub resolution: Option<f64>,
    /// Polygons the grids are clipped to.
    pub aoi: Option<Placed<PathBuf>>,
    /// Soil pH for the limits; the strictest bin where absent.
    pub ph: Option<f64>,
    /// Land use for the limits; the strictest where absent.
    pub landuse: Option<String>,
}

impl SoilSpec {
    /// Name of a metal without the unit its column may carry (`zinc_mg_kg`).
    #[must_use]
    pub fn short(column: &str) -> String {
        column.strip_suffix("_mg_kg").unwrap_or(column).to_owned()
    }
    /// Names of the figures of the sampled area.
    #[must_use]
    pub fn indicators(&self) -> Vec<String> {
        let of = |m: &Placed<String>| {
            let metal = crate::project::layout::stem(&Self::short(&m.value));
            [format!("{metal}_mean_mg_kg"), format!("{metal}_exceed_ha"), format!("{metal}_exceed_expected_ha")]
        };
        self.metals.iter().flat_map(of).collect()
    }
}

/// Reads a `[[soil]]`.
pub(super) fn soil(node: &Node<'_>) -> Result<SoilSpec> {
    let mut fields = node.table()?;
    let name = fields.get("name");
    let samples = fields.need("samples", "samples = \"soil.csv\"")?;
    let crs = fields.get("crs");
    let standard = fields.get("standard");
    let metals = fields.need("metals", "metals = [\"cd\", \"zn\"]")?;
    let method = fields.get("method");
    let log = fields.get("log");
    let resolution = fields.get("resolution");
    let aoi = fields.get("aoi");
    let ph = fields.get("ph");
    let landuse = fields.get("landuse");
    fields.finish()?;
    let placed = |n: &Node<'_>| Ok::<_, Error>(Placed::new(n.text()?.to_owned(), n));
    let columns = metals.list()?.iter().map(placed).collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        return Err(metals.fail("no metal; name at least one column of the samples"));
    }
    let standard = standard.as_ref().map(placed).transpose()?;
    if let Some(s) = &standard {
        crate::project::standards::find(&s.value).map_err(|e| s.wrap(&e))?;
    }
    let crs = match crs {
        Some(n) => Some(Placed::new(Crs::parse(n.text()?).map_err(|e| n.wrap(&e))?, &n)),
        None => None,
    };
    Ok(SoilSpec {
        name: name.map(|n| n.text().map(str::to_owned)).transpose()?,
        samples: Placed::new(samples.existing()?, &samples),
        crs,
        standard,
        metals: columns,
        method: method.as_ref().map(placed).transpose()?,
        log: log.map(|n| n.boolean()).transpose()?.unwrap_or(false),
        resolution: resolution.map(|n| n.number_where("a pixel size above 0", |v| v > 0.0)).transpose()?,
        aoi: aoi.map(|n| Ok::<_, Error>(Placed::new(n.existing()?, &n))).transpose()?,
        ph: ph.map(|n| n.number_where("a pH from 0 to 14", |v| (0.0..=14.0).contains(&v))).transpose()?,
        landuse: landuse.map(|n| n.text().map(str::to_owned)).transpose()?,
    })
}
