//! Names of the outputs of a run, all inside its folder.

use super::config::Project;
use super::prepare::{Opened, Prepared};

/// An output that a run will write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Path relative to the folder of the run.
    pub path: String,
    /// What it is.
    pub title: String,
}

/// `ndvi_before.tif`: an index of a scene.
#[must_use]
pub fn index(name: &str, label: &str) -> String {
    format!("{}_{label}.tif", stem(name))
}

/// `composite_before.tif`.
#[must_use]
pub fn composite(label: &str) -> String {
    format!("composite_{label}.tif")
}

/// `cover_before.tif` and its class map.
#[must_use]
pub fn cover(label: &str) -> (String, String) {
    (format!("cover_{label}.tif"), format!("cover_classes_{label}.tif"))
}

/// `bare_after.tif`, its polygons and its table.
#[must_use]
pub fn bare(label: &str) -> (String, String, String) {
    (format!("bare_{label}.tif"), format!("bare_{label}.gpkg"), format!("bare_{label}.csv"))
}

/// `change_ndvi.tif`, its class map, its table and its polygons.
#[must_use]
pub fn change(name: &str) -> [String; 4] {
    let stem = stem(name);
    [
        format!("change_{stem}.tif"),
        format!("change_{stem}_classes.tif"),
        format!("change_{stem}.csv"),
        format!("change_{stem}.gpkg"),
    ]
}

/// `soil_zinc.tif` and the table of its cross-validation.
#[must_use]
pub fn soil(metal: &str) -> (String, String) {
    let stem = stem(metal);
    (format!("soil_{stem}.tif"), format!("soil_{stem}_cv.csv"))
}

/// A name as part of a file name: letters, digits and underscores only, so that nothing written in a project file can
/// lead out of the folder.
#[must_use]
pub fn stem(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let text: String = name.chars().map(plain).collect();
    if text.is_empty() { "_".into() } else { text }
}

/// Every output in the order it is written.
#[must_use]
pub fn outputs(prepared: &Prepared) -> Vec<Planned> {
    let Project { products, soil: tables, .. } = &prepared.project;
    let mut all = Vec::new();
    let mut add = |path: String, title: String| all.push(Planned { path, title });
    for Opened { label, composite: reduced, .. } in &prepared.scenes {
        if let Some(c) = reduced {
            add(composite(label), format!("{} composite, {label}", c.method.value));
        }
        for i in &products.indices {
            add(index(&i.value, label), format!("{}, {label}", i.value));
        }
        if products.cover.is_some() {
            let (quantity, classes) = cover(label);
            add(quantity, format!("Vegetation cover, {label}"));
            add(classes, format!("Vegetation cover classes, {label}"));
        }
        if let Some(b) = &products.bare {
            let (map, polygons, table) = bare(label);
            add(map, format!("Bare land, {label}"));
            if b.polygons {
                add(polygons, format!("Bare land polygons with hectares, {label}"));
            }
            add(table, format!("Bare land by zone, hectares, {label}"));
        }
    }
    if let Some(c) = &products.change {
        let [quantity, classes, table, polygons] = change(&c.index.value);
        add(quantity, format!("Change of {}", c.index.value));
        add(classes, format!("Change of {}, classes", c.index.value));
        add(table, format!("Change of {}, hectares by class and zone", c.index.value));
        if c.polygons {
            add(polygons, format!("Change of {}, polygons with hectares", c.index.value));
        }
    }
    for metal in tables.iter().flat_map(|t| &t.metals) {
        let (grid, cv) = soil(&metal.value);
        add(grid, format!("{}: estimate, standard deviation, probability above the limit", metal.value));
        add(cv, format!("{}: cross-validation", metal.value));
    }
    add("zones.csv".into(), "Figures by zone, indicator and date".into());
    add("report.html".into(), "This report".into());
    add("summary.json".into(), "Every figure of the report".into());
    add("catalog.json".into(), "STAC catalogue of the outputs".into());
    add("run.json".into(), "Provenance: inputs with hashes, plan, timings, counts".into());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_lead_out_of_the_folder() {
        assert_eq!(stem("../../etc/x"), "______etc_x");
        assert_eq!(index("NDVI", "before"), "ndvi_before.tif");
        assert_eq!(soil("Zn (mg/kg)").0, "soil_zn__mg_kg_.tif");
    }
}
