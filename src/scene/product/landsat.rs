//! Landsat 4 to 9, Collection 2 level 2: a folder or tar with its `*_MTL.txt` (USGS data format control books).

use std::sync::Arc;

use super::odl::Metadata;
use super::{Found, Product, is_raster};
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid};
use crate::io::tree::{Entry, Tree};
use crate::raster::{Around, Source};
use crate::scene::encoding::Stated;
use crate::scene::options::SceneOptions;
use crate::scene::sensor::Sensor;

const CONTENTS: &str = "PRODUCT_CONTENTS";
const REFLECTANCE: &str = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS";
const TEMPERATURE: &str = "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS";
const PLACE: &str = "PROJECTION_ATTRIBUTES";

/// True for the names of scene metadata.
pub(super) fn is_metadata(file: &str) -> bool {
    file.starts_with('L') && (file.ends_with("_MTL.txt") || file.ends_with("_MTL.json"))
}

/// Every Landsat scene of a tree: a scene has its metadata as text, JSON and XML, and one of them is enough.
pub(super) fn find(tree: &Tree, options: &SceneOptions) -> Result<Vec<Product>> {
    let mut seen: Vec<&str> = Vec::new();
    let mut products = Vec::new();
    // Text comes after JSON in the order of names, and is what every scene has.
    for entry in tree.entries().iter().rev().filter(|e| is_metadata(e.file_name())) {
        let scene = entry.path().rsplit_once("_MTL").map_or("", |(scene, _)| scene);
        if !seen.contains(&scene) {
            seen.push(scene);
            products.push(product(tree, entry, scene, options)?);
        }
    }
    products.reverse();
    Ok(products)
}

fn product(tree: &Tree, entry: &Entry, scene: &str, options: &SceneOptions) -> Result<Product> {
    let place = tree.name(entry);
    let metadata = Metadata::read(&tree.text(entry)?, &place)?;
    let id = metadata.required(CONTENTS, "LANDSAT_PRODUCT_ID")?;
    let (level, collection) =
        (metadata.required(CONTENTS, "PROCESSING_LEVEL")?, metadata.required(CONTENTS, "COLLECTION_NUMBER")?);
    if collection.trim_start_matches('0') != "2" || !matches!(level, "L2SP" | "L2SR") {
        return Err(Error::input(format!(
            "{place}: {id} is Collection {collection}, {level}; Collection 2 level 2 (L2SP, L2SR) is read, fetch that"
        )));
    }
    let sensor = options.sensors.in_text(id).ok_or_else(|| {
        Error::input(format!("{place}: product {id} is of no sensor that is known; see `regrow sensors`"))
    })?;
    let mut bands = Vec::new();
    for file in tree.entries().iter().filter(|e| is_raster(e.file_name())) {
        let Some(label) = file.path().strip_prefix(scene).and_then(|rest| rest.strip_prefix('_')) else { continue };
        let label = label.rsplit_once('.').map_or(label, |(stem, _)| stem);
        let Some(role) = sensor.role(label) else { continue };
        let source = tree.raster(file).and_then(|source| placed(source, &metadata));
        let stated = if role.is_categorical() { None } else { Some(stated(&metadata, label, &sensor)?) };
        bands.push(Found {
            role: Some(role),
            label: label.to_owned(),
            source,
            band: 0,
            sensor: Some(sensor.clone()),
            stated,
        });
    }
    if bands.is_empty() {
        return Err(Error::input(format!(
            "{place}: none of the scene's bands ({id}_SR_B4.TIF and others) lies beside it; fetch them, or name bands by role"
        )));
    }
    Ok(Product {
        name: id.to_owned(),
        title: sensor.name(),
        date: metadata.get(PLACE_DATE.0, PLACE_DATE.1).and_then(crate::scene::date::in_text),
        bands,
        metadata: vec![place],
        warnings: Vec::new(),
    })
}

const PLACE_DATE: (&str, &str) = ("IMAGE_ATTRIBUTES", "DATE_ACQUIRED");

/// Scale and offset of a band: the level 2 group, not the level 1 group, which has the same keys.
fn stated(metadata: &Metadata, label: &str, sensor: &Sensor) -> Result<Stated> {
    let (group, quantity, band) = match label.strip_prefix("SR_B") {
        Some(number) => (REFLECTANCE, "REFLECTANCE", format!("BAND_{number}")),
        None => (TEMPERATURE, "TEMPERATURE", format!("BAND_{label}")),
    };
    Ok(Stated {
        scale: metadata.number(group, &format!("{quantity}_MULT_{band}"))?,
        offset: metadata.number(group, &format!("{quantity}_ADD_{band}"))?,
        why: format!("metadata of {}", sensor.name()),
    })
}

/// A file that does not say where it is lies where the metadata say.
fn placed(source: Arc<dyn Source>, metadata: &Metadata) -> Result<Arc<dyn Source>> {
    let own = source.grid();
    if own.place().is_some() && own.crs().is_some() {
        return Ok(source);
    }
    let projection = metadata.required(PLACE, "MAP_PROJECTION")?;
    if projection != "UTM" || metadata.required(PLACE, "DATUM")? != "WGS84" {
        return Err(Error::input(format!(
            "{}: has no place of its own, and the metadata state projection {projection}; only UTM on WGS84 is taken from them",
            source.name()
        )));
    }
    // USGS keeps the northern zone south of the equator, with negative northings.
    let zone = metadata.number(PLACE, "UTM_ZONE")?;
    let crs = if (1.0..=60.0).contains(&zone) && zone.fract() == 0.0 { Some(32_600 + zone as u16) } else { None };
    let crs = crs.ok_or_else(|| Error::input(format!("{}: UTM_ZONE {zone} is not 1 to 60", source.name())))?;
    let size = metadata.number(PLACE, "GRID_CELL_SIZE_REFLECTIVE")?;
    // The corner is the centre of the first pixel.
    let x = metadata.number(PLACE, "CORNER_UL_PROJECTION_X_PRODUCT")? - size / 2.0;
    let y = metadata.number(PLACE, "CORNER_UL_PROJECTION_Y_PRODUCT")? + size / 2.0;
    let grid = Grid::new(own.cols, own.rows, Affine::north_up(x, y, size, size), Some(Crs::from_epsg(crs)?));
    Ok(Around::placed(source, grid))
}
