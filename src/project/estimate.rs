//! How much a run will read and write, from the shapes of its inputs alone.

use super::config::Project;
use super::prepare::Prepared;
use crate::scene::Scene;

/// One pass of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassEstimate {
    /// What it does.
    pub name: &'static str,
    /// Bytes decoded, at most: products that do not need a band do not read it.
    pub read_bytes: u64,
    /// Bytes written before compression.
    pub written_bytes: u64,
}

/// Bytes of all bands and masks of a scene on the pixels it shares with the run.
fn scene_bytes(scene: &Scene, cells: u64) -> u64 {
    let own = scene.grid.cols as f64 * scene.grid.rows as f64;
    let part = |source: &dyn crate::raster::Source, band: usize| {
        let grid = source.grid();
        let share = (grid.cols as f64 * grid.rows as f64 / own).min(1.0);
        (cells as f64 * share) as u64 * source.bands().get(band).map_or(0, |b| b.dtype.bytes() as u64)
    };
    let bands: u64 = scene.bands.iter().map(|b| part(b.source.as_ref(), b.band)).sum();
    bands + scene.masks.iter().map(|m| part(m.source.as_ref(), m.band)).sum::<u64>()
}

/// The passes of a run in order. Soil grids are small and follow, a pass a metal.
#[must_use]
pub fn passes(prepared: &Prepared) -> Vec<PassEstimate> {
    let Some(grid) = &prepared.grid else { return Vec::new() };
    let Project { products, .. } = &prepared.project;
    let cells = grid.cols as u64 * grid.rows as u64;
    let mut passes = Vec::new();
    let stacks: Vec<_> = prepared.scenes.iter().filter(|s| s.composite.is_some()).collect();
    let composite_bytes =
        |s: &Scene| 4 * cells * (s.bands.iter().filter(|b| !b.role.is_categorical()).count() as u64 + 1);
    if !stacks.is_empty() {
        passes.push(PassEstimate {
            name: "composites",
            read_bytes: stacks.iter().flat_map(|s| &s.stack).map(|s| scene_bytes(s, cells)).sum(),
            written_bytes: stacks.iter().map(|s| composite_bytes(&s.scene)).sum(),
        });
    }
    if products.is_empty() {
        return passes;
    }
    let a_scene = 4 * products.indices.len() as u64
        + 5 * u64::from(products.cover.is_some())
        + u64::from(products.bare.is_some());
    let written = cells * (a_scene * prepared.scenes.len() as u64 + 5 * u64::from(products.change.is_some()));
    let read = prepared.scenes.iter().map(|s| match s.composite {
        Some(_) => composite_bytes(&s.scene),
        None => scene_bytes(&s.scene, cells),
    });
    passes.push(PassEstimate { name: "products", read_bytes: read.sum(), written_bytes: written });
    passes.push(PassEstimate { name: "figures by zone", read_bytes: written, written_bytes: 0 });
    passes
}
