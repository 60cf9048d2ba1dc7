//! HLS version 2: files of one granule, `HLS.S30.T34TEQ.2024197T092031.v2.0.B04.tif` (HLS User Guide).

use super::{Found, Product, is_raster};
use crate::error::Result;
use crate::io::tree::Tree;
use crate::scene::date;
use crate::scene::options::SceneOptions;

/// Every HLS granule of a tree.
pub(super) fn find(tree: &Tree, options: &SceneOptions) -> Result<Vec<Product>> {
    let mut products: Vec<Product> = Vec::new();
    for entry in tree.entries().iter().filter(|e| e.file_name().starts_with("HLS.") && is_raster(e.file_name())) {
        let stem = entry.file_name().rsplit_once('.').map_or("", |(stem, _)| stem);
        let Some((granule, label)) = stem.rsplit_once('.') else { continue };
        let Some(sensor) = options.sensors.in_text(granule) else { continue };
        let Some(role) = sensor.role(label) else { continue };
        let at = products.iter().position(|p| p.name == granule).unwrap_or_else(|| {
            products.push(Product {
                name: granule.to_owned(),
                title: sensor.name(),
                date: date::in_text(granule),
                bands: Vec::new(),
                metadata: Vec::new(),
                warnings: Vec::new(),
            });
            products.len() - 1
        });
        products[at].bands.push(Found {
            role: Some(role),
            label: label.to_owned(),
            source: tree.raster(entry),
            band: 0,
            sensor: Some(sensor),
            stated: None,
        });
    }
    Ok(products)
}
