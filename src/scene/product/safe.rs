//! Sentinel-2 products: a `.SAFE` folder or its zip (ESA Sentinel-2 Products Specification Document).

use std::sync::Arc;

use roxmltree::{Document, Node};

use super::deferred::Deferred;
use super::{Found, Product, is_raster};
use crate::error::{Error, Result};
use crate::grid::{Affine, Crs, Grid};
use crate::io::tree::{Entry, Tree};
use crate::raster::{Band, Dtype, Role, Source};
use crate::scene::date;
use crate::scene::encoding::Stated;
use crate::scene::options::{Encoding, SceneOptions};
use crate::scene::sensor::{Sensor, number};

/// Bands by `band_id` of the offset lists.
const BAND_IDS: [&str; 13] =
    ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"];
/// Reflectance 1 in stored units: the only value ESA ever used.
const QUANTIFICATION: f64 = 10_000.0;
/// Metadata of a granule: its grids.
const TILE: &str = "MTD_TL.xml";
/// No product nests deeper; deeper is an attack on the parser.
const DEEPEST: usize = 64;

/// True for the names of product metadata.
pub(super) fn is_metadata(file: &str) -> bool {
    matches!(file, "MTD_MSIL2A.xml" | "MTD_MSIL1C.xml")
}

/// Every Sentinel-2 product of a tree.
pub(super) fn find(tree: &Tree, options: &SceneOptions) -> Result<Vec<Product>> {
    let metadata = tree.entries().iter().filter(|e| is_metadata(e.file_name()));
    metadata.map(|e| product(&Arc::new(tree.clone()), e, options)).collect()
}

fn product(tree: &Arc<Tree>, metadata: &Entry, options: &SceneOptions) -> Result<Product> {
    let place = tree.name(metadata);
    let text = tree.text(metadata)?;
    let document = parse(&text, &place)?;
    let root = document.root_element();
    let level = if metadata.file_name() == "MTD_MSIL1C.xml" { "sentinel2-l1c" } else { "sentinel2-l2a" };
    let baseline = required(root, "PROCESSING_BASELINE", &place)?;
    let baseline = number(&baseline).ok_or_else(|| {
        Error::input(format!("{place}: PROCESSING_BASELINE {baseline:?} is not NN.NN; the metadata are damaged"))
    })?;
    let sensor = options.sensors.named(level).map(|s| s.of_baseline(baseline));
    let sensor = sensor.ok_or_else(|| Error::bug(format!("sensor {level} is not built in")))?;
    let mut warnings = Vec::new();
    let encoding = Encodings::read(root, &sensor, &place, options, &mut warnings)?;
    let start = text_of(root, "PRODUCT_START_TIME");
    let uri = text_of(root, "PRODUCT_URI");
    let folder = metadata.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside =
        |e: &&Entry| e.path().strip_prefix(folder).is_some_and(|rest| folder.is_empty() || rest.starts_with('/'));
    let files: Vec<&Entry> = tree.entries().iter().filter(inside).collect();
    let grids = grids(tree, &files, &mut warnings)?;
    let tiles = files.iter().filter(|e| e.file_name() == TILE).map(|e| tree.name(e));
    let read = std::iter::once(place.clone()).chain(tiles).collect();
    let mut bands = Vec::new();
    for (label, rule) in &sensor.bands {
        let Some((entry, resolution)) = finest(&files, label) else { continue };
        let role = rule.role();
        bands.push(Found {
            role: Some(role),
            label: label.clone(),
            source: source(tree, entry, resolution, role, &grids),
            band: 0,
            sensor: Some(sensor.clone()),
            stated: if role.is_categorical() { None } else { encoding.of(label, &place)? },
        });
    }
    if bands.is_empty() {
        return Err(Error::input(format!(
            "{place}: the product holds no band images (GRANULE/*/IMG_DATA/*.jp2); it is not downloaded whole"
        )));
    }
    if sensor.top_of_atmosphere {
        warnings.push(format!(
            "{}: level 1C is top-of-atmosphere reflectance, not corrected for the atmosphere; thresholds and trends of surface \
             reflectance do not hold for it",
            tree.root().display()
        ));
    }
    Ok(Product {
        name: uri.map_or_else(|| tree.root().display().to_string(), |u| u.trim_end_matches(".SAFE").to_owned()),
        title: sensor.name(),
        date: start.and_then(|t| date::in_text(&t)),
        bands,
        metadata: read,
        warnings,
    })
}

/// The image of a band at its finest resolution in metres, by names such as `T34TEQ_20240715T092031_B04_10m.jp2` (L1C and old
/// products: without the resolution).
fn finest<'a>(files: &[&'a Entry], label: &str) -> Option<(&'a Entry, Option<u32>)> {
    let images = files.iter().filter(|e| is_raster(e.file_name()) && e.path().contains("IMG_DATA"));
    let of_band = images.filter_map(|e| {
        let stem = e.file_name().rsplit_once('.')?.0;
        let (front, resolution) = match stem.rsplit_once('_') {
            Some((front, end)) if end.ends_with('m') && end[..end.len() - 1].parse::<u32>().is_ok() => {
                (front, end[..end.len() - 1].parse().ok())
            }
            _ => (stem, None),
        };
        (front.rsplit('_').next()? == label).then_some((*e, resolution))
    });
    of_band.min_by_key(|(_, resolution)| resolution.unwrap_or(0))
}

/// Deferred where the metadata tell the grid, else opened now.
fn source(
    tree: &Arc<Tree>,
    entry: &Entry,
    resolution: Option<u32>,
    role: Role,
    grids: &[(u32, Grid)],
) -> Result<Arc<dyn Source>> {
    let grid = resolution.and_then(|r| grids.iter().find(|(m, _)| *m == r));
    match grid {
        Some((_, grid)) => {
            let dtype = if role.is_categorical() { Dtype::U8 } else { Dtype::U16 };
            Ok(Arc::new(Deferred::new(tree, entry, grid.clone(), Band::new(dtype))))
        }
        None => tree.raster(entry),
    }
}

/// Grids of a granule by resolution in metres.
fn grids(tree: &Tree, files: &[&Entry], warnings: &mut Vec<String>) -> Result<Vec<(u32, Grid)>> {
    let granules: Vec<&&Entry> = files.iter().filter(|e| e.file_name() == TILE).collect();
    let entry = match granules.as_slice() {
        [] => return Ok(Vec::new()),
        [one] => one,
        several => {
            return Err(Error::input(format!(
                "{}: holds {} granules, an old product of many tiles; name the files of one by role: red=FILE nir=FILE",
                tree.root().display(),
                several.len()
            )));
        }
    };
    let place = tree.name(entry);
    let text = tree.text(entry)?;
    let document = parse(&text, &place)?;
    let root = document.root_element();
    let code = required(root, "HORIZONTAL_CS_CODE", &place)?;
    let crs = Crs::parse(&code).map_err(|e| e.context(format!("{place}: HORIZONTAL_CS_CODE")))?;
    let with = |tag: &'static str| root.descendants().filter(move |n| n.has_tag_name(tag));
    let mut grids = Vec::new();
    for size in with("Size") {
        let resolution = size.attribute("resolution").unwrap_or("");
        let Some(position) = with("Geoposition").find(|g| g.attribute("resolution") == Some(resolution)) else {
            warnings.push(format!("{place}: no Geoposition of {resolution} m; the images' own position counts"));
            continue;
        };
        let figure = |node: Node<'_, '_>, tag: &str| -> Result<f64> {
            let text = required(node, tag, &place)?;
            text.parse()
                .map_err(|_| Error::input(format!("{place}: {tag} {text:?} is not a number; the metadata are damaged")))
        };
        let (cols, rows) = (figure(size, "NCOLS")?, figure(size, "NROWS")?);
        let (x, y) = (figure(position, "ULX")?, figure(position, "ULY")?);
        let (dx, dy) = (figure(position, "XDIM")?, figure(position, "YDIM")?);
        let whole = |v: f64| (1.0..=1e6).contains(&v) && v.fract() == 0.0;
        let (Ok(metres), true) = (resolution.parse::<u32>(), whole(cols) && whole(rows) && dx > 0.0 && dy < 0.0) else {
            return Err(Error::input(format!(
                "{place}: grid of {resolution:?} m has {cols} x {rows} pixels of {dx} x {dy}; the metadata are damaged"
            )));
        };
        grids.push((
            metres,
            Grid::new(cols as usize, rows as usize, Affine::north_up(x, y, dx, -dy), Some(crs.clone())),
        ));
    }
    Ok(grids)
}

/// Quantification and offsets of a product.
struct Encodings {
    why: String,
    /// Stored offset by band name; nothing where the user states it.
    offsets: Option<Vec<(String, f64)>>,
}

impl Encodings {
    fn read(
        root: Node<'_, '_>,
        sensor: &Sensor,
        place: &str,
        options: &SceneOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let (quantification, offset) = if sensor.top_of_atmosphere {
            ("QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET")
        } else {
            ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET")
        };
        let text = required(root, quantification, place)?;
        if text.parse::<f64>() != Ok(QUANTIFICATION) {
            return Err(Error::input(format!(
                "{place}: {quantification} {text:?}, expected {QUANTIFICATION}; the metadata are damaged, or of a product that is \
                 not known: name the files by role and give --scale"
            )));
        }
        let mut offsets: Vec<(String, f64)> = Vec::new();
        for node in root.descendants().filter(|n| n.has_tag_name(offset)) {
            let (id, value) = (node.attribute("band_id").unwrap_or(""), node.text().unwrap_or("").trim());
            let band = id.parse::<usize>().ok().and_then(|i| BAND_IDS.get(i));
            let (Some(band), Ok(value)) = (band, value.parse::<f64>()) else {
                return Err(Error::input(format!(
                    "{place}: {offset} {value:?} of band_id {id:?} is not a number of a band; the metadata are damaged"
                )));
            };
            offsets.push(((*band).to_owned(), value));
        }
        let told = options.boa_offset != Encoding::Auto || !matches!(options.offset, Encoding::Auto | Encoding::Apply);
        let expected = sensor.stored_offset().unwrap_or(0.0);
        if offsets.is_empty() && expected != 0.0 && !told {
            return Err(Error::input(format!(
                "{place}: {} has an offset, and the metadata list none; give --boa-offset apply ({expected}), or --boa-offset none \
                 where the pixels were shifted already",
                sensor.name()
            )));
        }
        if !offsets.is_empty() && expected == 0.0 && offsets.iter().any(|(_, o)| *o != 0.0) {
            warnings.push(format!(
                "{place}: lists offsets, which {} does not have; the listed ones are applied",
                sensor.name()
            ));
        }
        Ok(Self { why: format!("metadata of {}", sensor.name()), offsets: (!told).then_some(offsets) })
    }

    fn of(&self, label: &str, place: &str) -> Result<Option<Stated>> {
        let scale = 1.0 / QUANTIFICATION;
        let Some(offsets) = &self.offsets else { return Ok(Some(self.stated(scale, 0.0))) };
        let stored = match offsets.iter().find(|(band, _)| band == label) {
            Some((_, value)) => *value,
            None if offsets.is_empty() => 0.0,
            None => {
                let missing: Vec<_> =
                    BAND_IDS.iter().filter(|b| !offsets.iter().any(|(o, _)| o == *b)).copied().collect();
                return Err(Error::input(format!(
                    "{place}: lists offsets for {} of {} bands, none for {}; fetch the metadata again, or give --boa-offset",
                    offsets.len(),
                    BAND_IDS.len(),
                    missing.join(" ")
                )));
            }
        };
        Ok(Some(self.stated(scale, stored * scale)))
    }

    fn stated(&self, scale: f64, offset: f64) -> Stated {
        Stated { scale, offset, why: self.why.clone() }
    }
}

fn parse<'a>(text: &'a str, place: &str) -> Result<Document<'a>> {
    let damaged = |e: &dyn std::fmt::Display| Error::input(format!("{place}: damaged XML: {e}; fetch it again"));
    let mut depth = 0usize;
    // Before the parser recurses: closing tags and empty elements are told by their slash.
    for part in text.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or("");
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with(['?', '!']) && !tag.ends_with('/') {
            depth += 1;
        }
        if depth > DEEPEST {
            return Err(damaged(&format!("nested more than {DEEPEST} deep")));
        }
    }
    Document::parse(text).map_err(|e| damaged(&e))
}

fn text_of(node: Node<'_, '_>, tag: &str) -> Option<String> {
    let found = node.descendants().find(|n| n.tag_name().name() == tag)?;
    found.text().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

fn required(node: Node<'_, '_>, tag: &str, place: &str) -> Result<String> {
    text_of(node, tag)
        .ok_or_else(|| Error::input(format!("{place}: has no {tag}; the metadata are damaged or of another product")))
}
