//! Products as downloaded: from a folder, archive or catalogue item to bands with roles, encodings and a date.
//!
//! A file here reads one family's metadata and says which of its files hold which band. Opening, encodings, masks and grids are
//! the same for all and come later (`open.rs`).

mod deferred;
mod hls;
mod href;
mod landsat;
mod odl;
mod planet;
mod safe;
mod stac;

use std::path::Path;
use std::sync::Arc;

use super::encoding::Stated;
use super::options::SceneOptions;
use super::sensor::Sensor;
use crate::error::{Error, Result};
use crate::io::tree::{Entry, Tree};
use crate::raster::{Role, Source};

/// One acquisition as its producer describes it.
pub(super) struct Product {
    /// Identifier of the product, else the path.
    pub(super) name: String,
    /// What it is (`Sentinel-2 level 2A of baseline 05.10`).
    pub(super) title: String,
    /// Acquisition date `YYYY-MM-DD` (UTC).
    pub(super) date: Option<String>,
    /// Its bands.
    pub(super) bands: Vec<Found>,
    /// Names of the metadata that were read.
    pub(super) metadata: Vec<String>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

/// A band of a product.
pub(super) struct Found {
    /// What it measures; nothing where its metadata do not say.
    pub(super) role: Option<Role>,
    /// The producer's name (`B04`).
    pub(super) label: String,
    /// Its pixels, or why they cannot be read: a band nobody asks for may be damaged or missing.
    pub(super) source: Result<Arc<dyn Source>>,
    /// 0-based band of the source.
    pub(super) band: usize,
    /// Its sensor.
    pub(super) sensor: Option<Sensor>,
    /// Its encoding by the product's metadata.
    pub(super) stated: Option<Stated>,
}

/// The products at `path`; nothing where it is a plain file, to be opened as a raster.
///
/// # Errors
/// Input errors: metadata that are damaged or contradict themselves, archives without a scene, collections that are not read.
pub(super) fn read(path: &Path, options: &SceneOptions) -> Result<Option<Vec<Product>>> {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if path.is_file() {
        // Metadata stand for the product whose folder they lie in.
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if safe::is_metadata(&file) {
            return in_tree(&Tree::open(folder)?, folder, options).map(Some);
        }
        if landsat::is_metadata(&file) {
            let scene = file.rsplit_once("_MTL").map_or("", |(id, _)| id);
            let tree = Tree::open(folder)?.map(|t| t.only(|e| e.file_name().starts_with(scene)));
            return in_tree(&tree, folder, options).map(Some);
        }
        if stac::is_item(path)? {
            return stac::read(path, options).map(Some);
        }
    }
    match Tree::open(path)? {
        None => Ok(None),
        tree => in_tree(&tree, path, options).map(Some),
    }
}

fn in_tree(tree: &Option<Tree>, path: &Path, options: &SceneOptions) -> Result<Vec<Product>> {
    let Some(tree) = tree else {
        return Err(Error::bug(format!("{}: a folder is not listed", path.display())));
    };
    let mut found = safe::find(tree, options)?;
    for reader in [landsat::find, hls::find, planet::find, stac::find] {
        if found.is_empty() {
            found = reader(tree, options)?;
        }
    }
    // An archive around one raster stands for it; a folder may be any folder.
    if found.is_empty()
        && path.is_file()
        && let [only] = rasters(tree).as_slice()
    {
        found.push(alone(tree, only)?);
    }
    if found.is_empty() {
        return Err(Error::input(format!(
            "{}: no scene found in {} files; expected a Sentinel-2 .SAFE (MTD_MSIL2A.xml), a Landsat Collection 2 folder \
             (*_MTL.txt), HLS or PlanetScope files or a STAC item; or name a raster, or the bands: red=FILE nir=FILE",
            path.display(),
            tree.entries().len()
        )));
    }
    Ok(found)
}

/// Files that are rasters by their name.
fn rasters(tree: &Tree) -> Vec<&Entry> {
    let raster = |e: &&Entry| is_raster(e.file_name());
    tree.entries().iter().filter(raster).collect()
}

fn is_raster(name: &str) -> bool {
    let ends = |end: &str| name.len() > end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end);
    name.is_ascii() && [".tif", ".tiff", ".jp2"].iter().any(|end| ends(end))
}

/// A tree of one raster, such as an archive around a file: its bands are told as those of a plain file.
fn alone(tree: &Tree, entry: &Entry) -> Result<Product> {
    let source = tree.raster(entry)?;
    Ok(Product {
        name: tree.name(entry),
        title: "a raster".into(),
        date: None,
        bands: vec![Found {
            role: None,
            label: String::new(),
            source: Ok(source),
            band: 0,
            sensor: None,
            stated: None,
        }],
        metadata: Vec::new(),
        warnings: Vec::new(),
    })
}

impl Product {
    /// The raster of a tree that holds nothing else, to be opened like a plain file.
    pub(super) fn plain(&self) -> Option<Arc<dyn Source>> {
        match self.bands.as_slice() {
            [Found { role: None, label, source: Ok(source), .. }] if label.is_empty() => Some(Arc::clone(source)),
            _ => None,
        }
    }
}
