//! PlanetScope surface reflectance with its usable data mask: `*_3B_AnalyticMS_SR_8b*.tif` and `*_3B_udm2*.tif`.

use super::{Found, Product, is_raster};
use crate::error::Result;
use crate::io::tree::Tree;
use crate::raster::Role;
use crate::scene::date;
use crate::scene::options::SceneOptions;

/// Every PlanetScope scene of a tree.
pub(super) fn find(tree: &Tree, options: &SceneOptions) -> Result<Vec<Product>> {
    let mut products = Vec::new();
    for entry in tree.entries().iter().filter(|e| e.path().contains("_AnalyticMS_SR") && is_raster(e.file_name())) {
        let Some(sensor) = options.sensors.in_text(entry.file_name()) else { continue };
        let scene = entry.path().split("_AnalyticMS_SR").next().unwrap_or("");
        let image = tree.raster(entry);
        let numbered = |(band, role): (usize, &crate::scene::sensor::RoleName)| Found {
            role: Some(role.0),
            label: format!("band {}", band + 1),
            source: image.clone(),
            band,
            sensor: Some(sensor.clone()),
            stated: None,
        };
        let mut bands: Vec<Found> = sensor.order.iter().enumerate().map(numbered).collect();
        let mask = |e: &&crate::io::tree::Entry| {
            e.path().strip_prefix(scene).is_some_and(|rest| rest.starts_with("_udm2")) && is_raster(e.file_name())
        };
        if let Some(mask) = tree.entries().iter().find(mask) {
            bands.push(Found {
                role: Some(Role::Udm2),
                label: "udm2".into(),
                source: tree.raster(mask),
                band: 0,
                sensor: Some(sensor.clone()),
                stated: None,
            });
        }
        products.push(Product {
            name: scene.rsplit('/').next().unwrap_or(scene).to_owned(),
            title: sensor.name(),
            date: date::in_text(entry.file_name()),
            bands,
            metadata: Vec::new(),
            warnings: Vec::new(),
        });
    }
    Ok(products)
}
