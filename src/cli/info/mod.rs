//! `regrow info`.

#[path = "scene.rs"]
mod of_scene;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::args::{Common, sensors};
use super::{Finish, console};
use crate::analysis::statistics::{BandMoments, Statistics};
use crate::engine::{Channel, ChannelCounts, Pass};
use crate::error::{Error, Result};
use crate::numeric::Moments;
use crate::product::Context;
use crate::raster::{Band, Role, Source};
use crate::scene::sensor::Sensors;
use crate::scene::{self, Found, Scene, SceneOptions, Told};

/// Bands whose planes are held at once; more are read in several passes.
const GROUP: usize = 32;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scene (product folder, archive, STAC item) or raster to describe
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Add exact statistics of the stored values of every band (reads every pixel)
    #[arg(long)]
    stats: bool,
    /// Sensors besides the built-in ones, as `regrow sensors --show` prints them
    #[arg(long, value_name = "FILE", value_parser = sensors)]
    sensors: Option<Sensors>,
    #[command(flatten)]
    common: Common,
}

/// Prints what a raster holds: bands and roles, types, scale, nodata, CRS, blocks; with `--stats` exact statistics.
///
/// # Errors
/// A raster that cannot be read; failed writing to stdout.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    if args.common.bbox.is_some() || args.common.aoi.is_some() {
        return Err(Error::usage("info describes whole files; --bbox and --aoi are for verbs that compute"));
    }
    let options = SceneOptions { sensors: args.sensors.clone().unwrap_or_default(), ..SceneOptions::default() };
    let mut source = match scene::product_at(&args.input, &options)? {
        Found::Scenes(scenes) => return scenes_as_told(&scenes, args, &context),
        Found::Raster(source) => source,
    };
    if let Some(crs) = &args.common.assume_crs {
        let (placed, warning) = scene::assumed::place(source, crs);
        warning.iter().for_each(|w| context.notes.warn(w));
        source = placed;
    }
    let told = scene::told(&source);
    for warning in source.warnings() {
        context.notes.warn(&format!("{}: {warning}", args.input.display()));
    }
    let statistics = if args.stats { Some(statistics(&source, args, &context)?) } else { None };
    if args.common.json {
        console::print_json(&document(&args.input, source.as_ref(), &told, statistics.as_deref()))?;
    } else {
        console::print(&text(&args.input, source.as_ref(), &told, statistics.as_deref()))?;
    }
    Ok(Finish::Done)
}

/// Says what the scenes of a product are. Their pixels are many files: statistics are for one of them.
fn scenes_as_told(scenes: &[Scene], args: &Args, context: &Context) -> Result<Finish> {
    if args.stats {
        return Err(Error::usage(format!(
            "{}: --stats is for one raster; name a file of the scene",
            args.input.display()
        )));
    }
    for scene in scenes {
        scene.warnings.iter().for_each(|w| context.notes.warn(w));
        if !args.common.json {
            console::print(&of_scene::text(scene))?;
        }
    }
    if args.common.json {
        match scenes {
            [one] => console::print_json(&of_scene::document(one))?,
            several => {
                console::print_json(&json!({ "scenes": several.iter().map(of_scene::document).collect::<Vec<_>>() }))?;
            }
        }
    }
    Ok(Finish::Done)
}

/// Moments and nodata counts of a band.
struct BandStatistics {
    moments: Moments,
    counts: ChannelCounts,
}

fn statistics(source: &std::sync::Arc<dyn Source>, args: &Args, context: &Context) -> Result<Vec<BandStatistics>> {
    let mut all = Vec::with_capacity(source.bands().len());
    for first in (0..source.bands().len()).step_by(GROUP) {
        let mut pass = Pass::new(source.name(), source.grid().clone());
        let bands = first..(first + GROUP).min(source.bands().len());
        let name = |band: usize| format!("band{}", band + 1);
        for band in bands.clone() {
            pass.channel(Channel {
                name: name(band),
                source: std::sync::Arc::clone(source),
                band,
                scale: 1.0,
                offset: 0.0,
                nodata: args.common.nodata.or(source.bands()[band].nodata),
                valid: None,
                masks: Vec::new(),
            })?;
        }
        let handle = pass.add(Statistics::new(bands.clone().map(name).collect()), Vec::new())?;
        let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
        let BandMoments(mut moments) = outcome.take(&handle)?;
        moments.resize(bands.len(), Moments::default());
        for (moments, band) in moments.into_iter().zip(bands) {
            let counts = outcome.channels.iter().find(|c| c.name == name(band)).cloned().unwrap_or_default();
            warn(&args.input, band, &moments, &counts, context);
            all.push(BandStatistics { moments, counts });
        }
    }
    Ok(all)
}

fn warn(path: &Path, band: usize, moments: &Moments, counts: &ChannelCounts, context: &Context) {
    let band = band + 1;
    let path = path.display();
    if counts.infinite > 0 {
        context.notes.warn(&format!("{path}: band {band}: {} infinite values are left out", counts.infinite));
    }
    let finite = |v: Option<f64>| v.is_none_or(f64::is_finite);
    if !finite(moments.mean()) || !finite(moments.std_population()) {
        context.notes.warn(&format!("{path}: band {band}: values are so large that mean or deviation overflow"));
    }
}

fn document(path: &Path, source: &dyn Source, told: &Told, statistics: Option<&[BandStatistics]>) -> Value {
    let grid = source.grid();
    let layout = source.layout();
    let mut all = Map::new();
    all.insert("path".into(), json!(path.display().to_string()));
    all.insert("width".into(), json!(grid.cols));
    all.insert("height".into(), json!(grid.rows));
    all.insert("bands".into(), json!(source.bands().len()));
    all.insert("product".into(), json!(told.product));
    all.insert("date".into(), json!(told.date));
    all.insert("crs".into(), json!(grid.crs().map(ToString::to_string)));
    all.insert("crs_name".into(), json!(grid.crs().map(|c| c.name.clone())));
    all.insert("geotransform".into(), json!(grid.place().map(|a| a.coefficients())));
    all.insert("bounds".into(), json!(grid.bounds().ok()));
    all.insert("unplaced".into(), json!(grid.unplaced_reason()));
    all.insert("block_width".into(), json!(layout.cols));
    all.insert("block_height".into(), json!(layout.rows));
    for (key, value) in source.storage() {
        all.insert(key.clone(), value.parse::<u64>().map_or_else(|_| json!(value), |n| json!(n)));
    }
    let metadata: Map<String, Value> = source.metadata().iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    all.insert("metadata".into(), Value::Object(metadata));
    all.insert("warnings".into(), json!(source.warnings()));
    for (i, band) in source.bands().iter().enumerate() {
        all.insert(format!("band{}", i + 1), band_document(band, i, told, statistics.and_then(|s| s.get(i))));
    }
    Value::Object(all)
}

fn band_document(band: &Band, index: usize, told: &Told, statistics: Option<&BandStatistics>) -> Value {
    let mut value = json!({
        "name": band.name, "role": told.roles[index].map(Role::name), "dtype": band.dtype.to_string(),
        "nodata": band.nodata.map(number), "scale": band.scale, "offset": band.offset, "unit": band.unit,
        "date": band.date, "classes": band.classes.len(), "encoding": told.encodings[index],
    });
    if let (Some(s), Some(object)) = (statistics, value.as_object_mut()) {
        let m = &s.moments;
        let some = |v: f64| (m.count > 0).then_some(v).map(number);
        object.insert("valid".into(), json!(m.count));
        object.insert("min".into(), json!(some(m.min)));
        object.insert("max".into(), json!(some(m.max)));
        object.insert("mean".into(), json!(m.mean().map(number)));
        object.insert("std_pop".into(), json!(m.std_population().map(number)));
        object.insert("nodata_px".into(), json!(s.counts.nodata));
        object.insert("nodata_share".into(), json!(share(&s.counts)));
        object.insert("infinite_px".into(), json!(s.counts.infinite));
    }
    value
}

/// JSON has no NaN nor infinities; they become text.
fn number(v: f64) -> Value {
    if v.is_finite() { json!(v) } else { json!(v.to_string()) }
}

fn share(counts: &ChannelCounts) -> f64 {
    counts.nodata as f64 / (counts.cells as f64).max(1.0)
}

fn text(path: &Path, source: &dyn Source, told: &Told, statistics: Option<&[BandStatistics]>) -> String {
    let grid = source.grid();
    let layout = source.layout();
    let mut out = format!("file       {}\n", path.display());
    out += &format!("size       {} x {} pixels, {} bands\n", grid.cols, grid.rows, source.bands().len());
    if let Some(product) = &told.product {
        out += &format!("product    {product}\n");
    }
    if let Some(date) = &told.date {
        out += &format!("date       {date}\n");
    }
    let crs = grid.crs().map_or_else(
        || "unknown".to_owned(),
        |c| match c.epsg {
            Some(code) => format!("EPSG:{code} {}", c.name),
            None => c.name.clone(),
        },
    );
    out += &format!("crs        {crs}\n");
    match (grid.place(), grid.unplaced_reason()) {
        (Some(a), _) => {
            let g = a.coefficients();
            let (w, h) = (g[1].hypot(g[4]), g[2].hypot(g[5]));
            out += &format!("origin     {} {}, pixel {w} x {h}", g[0], g[3]);
            out += if a.is_axis_aligned() { "\n" } else { ", rotated\n" };
            if let Ok(b) = grid.bounds() {
                out += &format!("bounds     {} {} {} {}\n", b[0], b[1], b[2], b[3]);
            }
        }
        (None, why) => out += &format!("position   none: {}\n", why.unwrap_or("unknown")),
    }
    let storage: Vec<_> = source.storage().iter().map(|(k, v)| format!("{k} {v}")).collect();
    out += &format!("storage    blocks {} x {}; {}\n", layout.cols, layout.rows, storage.join("; "));
    for (key, value) in source.metadata() {
        out += &format!("metadata   {key} = {value}\n");
    }
    for (i, band) in source.bands().iter().enumerate() {
        out += &band_text(i, band, told, statistics.and_then(|s| s.get(i)));
    }
    out
}

fn band_text(index: usize, band: &Band, told: &Told, statistics: Option<&BandStatistics>) -> String {
    let mut out = format!("band {:<5} {}", index + 1, band.dtype);
    if !band.name.is_empty() {
        out += &format!(" {:?}", band.name);
    }
    if let Some(role) = told.roles[index] {
        out += &format!(", role {role}");
    }
    out += &band.nodata.map_or_else(|| ", no nodata value".to_owned(), |v| format!(", nodata {v}"));
    if band.scaled_by_file {
        out += &format!(", scale {}, offset {}", band.scale, band.offset);
    }
    if !band.unit.is_empty() {
        out += &format!(", unit {}", band.unit);
    }
    if let Some(date) = &band.date {
        out += &format!(", date {date}");
    }
    if !band.classes.is_empty() {
        out += &format!(", colour table of {}", band.classes.len());
    }
    out.push('\n');
    if let Some(encoding) = &told.encodings[index] {
        out += &format!("           {encoding}\n");
    }
    if let Some(s) = statistics {
        let m = &s.moments;
        let nodata = format!("nodata {:.4} %", 100.0 * share(&s.counts));
        out += &match (m.mean(), m.std_population()) {
            (Some(mean), Some(std)) => format!(
                "           valid {}, min {}, max {}, mean {mean}, std_pop {std}, {nodata}\n",
                m.count, m.min, m.max
            ),
            _ => format!("           valid 0, {nodata}\n"),
        };
    }
    out
}
