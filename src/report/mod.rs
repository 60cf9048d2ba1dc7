//! The self-contained HTML report: one file, nothing loaded from outside, readable in light, dark, narrow and print.

pub mod chart;
pub mod drawing;
pub mod map;
pub mod number;
pub mod page;
pub mod picture;
pub mod ramp;
mod reading;
mod reduce;
pub mod series_chart;
mod tables;

use std::path::Path;
use std::sync::Arc;

use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::project::summary::{MapFacts, MapKind, Summary};
use crate::raster::{Class, Source};
use picture::Picture;
use reading::Wanted;

/// Maps that stand side by side with one colour scale.
pub struct Group {
    /// Machine name.
    pub name: String,
    /// Heading.
    pub title: String,
    /// Kind of its maps.
    pub kind: MapKind,
    /// Low and high end of the colours.
    pub range: (f64, f64),
    /// Its maps.
    pub maps: Vec<Map>,
}

/// A map of a group, drawn.
pub struct Map {
    /// What it shows.
    pub facts: MapFacts,
    /// Its values.
    pub picture: Picture,
    /// Address of the drawn picture, which holds the picture itself.
    pub address: String,
}

/// Opens the raster of a path; called from several threads.
pub type Open<'a> = &'a (dyn Fn(&Path) -> Result<Arc<dyn Source>> + Sync);

/// Reads the maps a summary names in `folder`, on the threads of `limits`, and joins them into groups in order of their
/// first map.
///
/// # Errors
/// Those of opening and reading; a map that points at no grid.
pub fn groups(folder: &Path, summary: &Summary, open: Open<'_>, limits: Limits) -> Result<Vec<Group>> {
    if let Some(facts) = summary.maps.iter().find(|f| f.grid >= summary.grids.len()) {
        return Err(Error::input(format!(
            "summary.json: map {} names grid {}, which is not there; run the project again",
            facts.path, facts.grid
        )));
    }
    let wanted = |facts: &MapFacts| {
        let path = folder.join(&facts.path);
        Wanted { open: Box::new(move || open(&path)), band: facts.band, kind: facts.kind }
    };
    let wanted: Vec<Wanted<'_>> = summary.maps.iter().map(wanted).collect();
    let mut groups: Vec<Group> = Vec::new();
    for (facts, mut picture) in summary.maps.iter().zip(reading::pictures(&wanted, limits)?) {
        // The run knows its classes by name; a file may hold their colours only.
        if let Some(table) = summary.classes.iter().find(|t| facts.kind == MapKind::Classes && t.group == facts.group) {
            picture.classes = table.classes.iter().map(|c| Class::new(c.value, &c.name, c.rgb)).collect();
        }
        let map = Map { facts: facts.clone(), picture, address: String::new() };
        match groups.iter_mut().find(|g| g.name == facts.group && g.kind == facts.kind) {
            Some(group) => group.maps.push(map),
            None => groups.push(Group {
                name: facts.group.clone(),
                title: facts.group_title.clone(),
                kind: facts.kind,
                range: (0.0, 1.0),
                maps: vec![map],
            }),
        }
    }
    for group in &mut groups {
        let pictures: Vec<&Picture> = group.maps.iter().map(|m| &m.picture).collect();
        group.range = map::shared_range(group.kind, &pictures);
    }
    // Colours are known once all maps of a group are.
    let all: Vec<(&Picture, MapKind, (f64, f64))> =
        groups.iter().flat_map(|g| g.maps.iter().map(|m| (&m.picture, g.kind, g.range))).collect();
    let addresses = reading::each(all.len(), limits, |i| {
        let (picture, kind, range) = all[i];
        Ok(format!("data:image/png;base64,{}", picture::base64(&picture.png(kind, range)?)))
    })?;
    let maps = groups.iter_mut().flat_map(|g| &mut g.maps);
    maps.zip(addresses).for_each(|(map, address)| map.address = address);
    Ok(groups)
}

/// The report of a finished run in `folder`, whose rasters `open` opens by their path, within `limits`.
///
/// # Errors
/// As [`groups`].
pub fn render(folder: &Path, summary: &Summary, open: Open<'_>, limits: Limits) -> Result<String> {
    let groups = groups(folder, summary, open, limits)?;
    Ok(page::page(summary, &groups).into_string())
}
