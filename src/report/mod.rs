//! The self-contained HTML report: one file, nothing loaded from outside, readable in light, dark, narrow and print.

pub mod chart;
pub mod map;
pub mod number;
pub mod page;
pub mod picture;
pub mod ramp;
mod tables;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::project::summary::{MapFacts, MapKind, Summary};
use crate::raster::{Class, Source};
use picture::Picture;

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
    /// Maps with their pictures.
    pub maps: Vec<(MapFacts, Picture)>,
}

/// Reads the maps a summary names, through `open`, and joins them into groups in order of their first map.
///
/// # Errors
/// Those of opening and reading; a map that points at no grid.
pub fn groups(summary: &Summary, open: &dyn Fn(&str) -> Result<Arc<dyn Source>>) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for facts in &summary.maps {
        if facts.grid >= summary.grids.len() {
            return Err(Error::input(format!(
                "summary.json: map {} names grid {}, which is not there",
                facts.path, facts.grid
            )));
        }
        let source = open(&facts.path)?;
        let mut picture = Picture::read(source.as_ref(), facts.band, facts.kind)?;
        // The run knows its classes by name; a file may hold their colours only.
        if let Some(table) = summary.classes.iter().find(|t| facts.kind == MapKind::Classes && t.group == facts.group) {
            picture.classes = table.classes.iter().map(|c| Class::new(c.value, &c.name, c.rgb)).collect();
        }
        match groups.iter_mut().find(|g| g.name == facts.group && g.kind == facts.kind) {
            Some(group) => group.maps.push((facts.clone(), picture)),
            None => groups.push(Group {
                name: facts.group.clone(),
                title: facts.group_title.clone(),
                kind: facts.kind,
                range: (0.0, 1.0),
                maps: vec![(facts.clone(), picture)],
            }),
        }
    }
    for group in &mut groups {
        let pictures: Vec<&Picture> = group.maps.iter().map(|m| &m.1).collect();
        group.range = map::shared_range(group.kind, &pictures);
    }
    Ok(groups)
}

/// The report of a finished run in `folder`, whose rasters `open` opens by their path.
///
/// # Errors
/// As [`groups`]; the encoding of pictures.
pub fn render(folder: &Path, summary: &Summary, open: &dyn Fn(&Path) -> Result<Arc<dyn Source>>) -> Result<String> {
    let groups = groups(summary, &|name| open(&folder.join(name)))?;
    Ok(page::page(summary, &groups)?.into_string())
}
