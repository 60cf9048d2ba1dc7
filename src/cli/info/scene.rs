//! What `regrow info` says of a scene as downloaded.

use std::path::Path;

use serde_json::{Value, json};

use crate::scene::{Scene, SceneBand};

/// For `--json`.
pub(super) fn document(scene: &Scene) -> Value {
    let grid = &scene.grid;
    let bands: Vec<Value> = scene
        .bands
        .iter()
        .map(|b| {
            let own = b.source.grid();
            json!({
                "role": b.role.name(), "file": b.source.name(), "band": b.band + 1, "width": own.cols, "height": own.rows,
                "dtype": b.source.bands()[b.band].dtype.to_string(), "scale": b.scale, "offset": b.offset,
                "nodata": b.nodata, "pixel": own.place().map(|a| a.coefficients()[1]),
                "saturation_masked": b.saturated.is_some(),
            })
        })
        .collect();
    let unusable: Vec<Value> =
        scene.unusable.iter().map(|(role, e)| json!({ "role": role.name(), "reason": e.message() })).collect();
    json!({
        "scene": scene.name, "product": scene.product, "date": scene.date, "width": grid.cols, "height": grid.rows,
        "crs": grid.crs().map(ToString::to_string), "geotransform": grid.place().map(|a| a.coefficients()),
        "bounds": grid.bounds().ok(), "roles": bands, "unusable": unusable,
        "masks": scene.masks.iter().map(|m| m.name.clone()).collect::<Vec<_>>(),
        "decisions": scene.decisions, "warnings": scene.warnings,
    })
}

/// For people.
pub(super) fn text(scene: &Scene) -> String {
    let grid = &scene.grid;
    let mut out = format!("scene      {}\n", scene.name);
    out += &scene.product.as_ref().map_or_else(String::new, |p| format!("product    {p}\n"));
    out += &scene.date.as_ref().map_or_else(String::new, |d| format!("date       {d}\n"));
    let crs = grid.crs().map_or_else(|| "unknown CRS".to_owned(), |c| format!("{c} {}", c.name));
    out += &format!("grid       {} x {} pixels, {crs}\n", grid.cols, grid.rows);
    if let Ok(b) = grid.bounds() {
        out += &format!("bounds     {} {} {} {}\n", b[0], b[1], b[2], b[3]);
    }
    for band in &scene.bands {
        out += &band_text(band);
    }
    for (role, error) in &scene.unusable {
        out += &format!("unusable   {role}: {}\n", error.message());
    }
    // Those of bands stand with the bands.
    let of_band = |d: &&String| !scene.bands.iter().any(|b| d.starts_with(b.source.name()));
    for decision in scene.decisions.iter().filter(of_band) {
        out += &format!("decision   {decision}\n");
    }
    if scene.masks.is_empty() {
        out += "decision   no mask band: nothing but nodata is masked\n";
    }
    out
}

fn band_text(band: &SceneBand) -> String {
    let (source, own) = (band.source.as_ref(), band.source.grid());
    let size = own.place().map_or_else(String::new, |a| format!(" of {}", a.coefficients()[1]));
    let encoding = if band.role.is_categorical() {
        "classes or bits".to_owned()
    } else {
        format!("stored x {} + {}", band.scale, band.offset)
    };
    let nodata = band.nodata.map_or_else(String::new, |n| format!(", nodata {n}"));
    let saturated = if band.saturated.is_some() { ", saturated pixels masked" } else { "" };
    format!(
        "{:<10} {} x {} pixels{size}, {}, {encoding}{nodata}{saturated}; {}\n",
        band.role.name(),
        own.cols,
        own.rows,
        source.bands()[band.band].dtype,
        Path::new(source.name()).file_name().unwrap_or_default().display()
    )
}
