//! Files of a run besides its products: ownership of the folder, `zones.csv`, catalogue, provenance, summary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Made;
use crate::error::{Error, Result};
use crate::io::atomic::{write_bytes, write_error};
use crate::io::lock::OutputLock;
use crate::io::sidecar::{self, Asset, Provenance, blake3};
use crate::io::table::{self, Table};
use crate::product::Context;
use crate::project::config::SceneSpec;
use crate::project::layout;
use crate::project::prepare::Prepared;
use crate::project::summary::{FileFacts, Summary};
use crate::scene::Scene;
use crate::vector::Value;
use serde_json::{Value as Json, json};

/// Names of the outputs that a run has begun, a line each; it goes when `run.json` lists them. A run that ended before leaves
/// it, so that the next one knows the files as its own.
const BEGUN: &str = ".run.json.regrow.begun";

/// Makes the folder of a run and keeps other runs out of it.
pub(super) fn lock(folder: &Path) -> Result<OutputLock> {
    std::fs::create_dir_all(folder).map_err(|e| write_error(folder, 0, &e))?;
    OutputLock::take(&folder.join("run.json"))
}

/// Checks that every output that is there already was made by an earlier run, or may be replaced, and notes that they are
/// this run's from now on.
pub(super) fn own(folder: &Path, prepared: &Prepared, context: &Context) -> Result<()> {
    let ours = earlier_outputs(folder);
    let all = layout::outputs(prepared);
    for planned in &all {
        let path = folder.join(&planned.path);
        match std::fs::symlink_metadata(&path) {
            Err(_) => {}
            Ok(m) if !m.is_file() => {
                return Err(Error::usage(format!("{}: exists and is not a regular file; remove it", path.display())));
            }
            Ok(_) if ours.contains(&planned.path) || context.overwrite => {}
            Ok(_) => {
                return Err(Error::usage(format!(
                    "{}: exists and was not made by an earlier run; name another folder or use --overwrite",
                    path.display()
                )));
            }
        }
    }
    let names: Vec<_> = all.iter().map(|o| o.path.as_str()).collect();
    replace(&folder.join(BEGUN), &(names.join("\n") + "\n"))
}

/// Outputs that the `run.json` of a folder lists, and those of a run that did not come so far.
fn earlier_outputs(folder: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder.join("run.json")).unwrap_or_default();
    let document: Json = serde_json::from_str(&text).unwrap_or_default();
    let listed = document["outputs"].as_array().into_iter().flatten();
    let begun = std::fs::read_to_string(folder.join(BEGUN)).unwrap_or_default();
    listed.filter_map(|o| o["path"].as_str()).chain(begun.lines()).map(str::to_owned).collect()
}

/// Replaces a file whole.
///
/// # Errors
/// Those of writing.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    write_bytes(path, text.as_bytes(), true)
}

/// Writes the tables and documents, and completes the summary with the list of files.
pub(super) fn write(
    folder: &Path,
    prepared: &Prepared,
    context: &Context,
    made: &mut Made,
    summary: &mut Summary,
    started: std::time::Instant,
) -> Result<()> {
    write_zones(folder, summary)?;
    let inputs = inputs(prepared)?;
    sidecars(prepared, context, made, summary, &inputs)?;
    let mut outputs = Vec::new();
    let planned = layout::outputs(prepared);
    for output in &planned {
        let path = folder.join(&output.path);
        let artifact = made.artifacts.iter().find(|a| a.path == path);
        let role = artifact.map_or_else(|| layout::stem(&output.path), |a| a.role.clone());
        // What is written after this list has no size yet.
        let later = matches!(output.path.as_str(), "report.html" | "summary.json" | "catalog.json" | "run.json");
        if !later && !path.exists() {
            continue;
        }
        let (digest, bytes) = match later {
            true => (None, 0),
            false => (Some(blake3(&path)?), size(&path)),
        };
        let figures = artifact.map(|a| Json::Object(a.figures.clone()));
        outputs
            .push(json!({ "path": output.path, "title": output.title, "role": role, "bytes": bytes, "blake3": digest,
                             "figures": figures }));
        summary.files.push(FileFacts { path: output.path.clone(), role, title: output.title.clone(), bytes });
    }
    replace(&folder.join("summary.json"), &summary.to_json()?)?;
    replace(&folder.join("catalog.json"), &pretty(&catalogue(folder, summary))?)?;
    let seconds = started.elapsed().as_secs_f64();
    let passes: Vec<Json> = made
        .passes
        .iter()
        .map(|p| match context.reproducible {
            true => json!({ "name": p.name }),
            false => json!({ "name": p.name, "seconds": p.seconds, "peak_bytes": p.peak_bytes }),
        })
        .collect();
    let mut run = json!({
        "schema": 1,
        "regrow": summary.regrow,
        "project": { "name": summary.project.name, "file": summary.project.file },
        "inputs": shown_inputs(prepared, &inputs),
        "passes": passes,
        "outputs": outputs,
        "channels": summary.channels,
        "decisions": summary.decisions,
        "warnings": summary.warnings,
    });
    if !context.reproducible {
        run["arguments"] = json!(context.arguments);
        run["made_utc"] = json!(summary.project.made_utc);
        run["seconds"] = json!(seconds);
        run["threads"] = json!(context.limits.threads);
        run["memory_bytes"] = json!(context.limits.memory);
    }
    replace(&folder.join("run.json"), &pretty(&run)?)?;
    // Left behind it does no harm: all it names are outputs of this run.
    let _ = std::fs::remove_file(folder.join(BEGUN));
    Ok(())
}

fn pretty(document: &Json) -> Result<String> {
    let text =
        serde_json::to_string_pretty(document).map_err(|e| Error::bug(format!("writing a JSON document: {e}")))?;
    Ok(text + "\n")
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// Every file the project reads, with its hash: of a product in a folder, the files of its bands.
fn inputs(prepared: &Prepared) -> Result<BTreeMap<PathBuf, String>> {
    let project = &prepared.project;
    let mut paths: Vec<PathBuf> = vec![project.file.clone()];
    let named = project.scenes.iter().flat_map(SceneSpec::paths).filter(|p| p.is_file());
    paths.extend(named.map(Path::to_path_buf));
    let scenes = prepared.scenes.iter().flat_map(|s| std::iter::once(&s.scene).chain(&s.stack));
    paths.extend(scenes.flat_map(Scene::files));
    paths.extend(project.zones.iter().map(|z| z.path.value.clone()));
    paths.extend(project.aoi.iter().map(|a| a.value.clone()));
    for soil in &project.soil {
        paths.push(soil.samples.value.clone());
        paths.extend(soil.aoi.iter().map(|a| a.value.clone()));
    }
    let mut hashes = BTreeMap::new();
    for path in paths {
        if let std::collections::btree_map::Entry::Vacant(place) = hashes.entry(path) {
            let hash = blake3(place.key())?;
            place.insert(hash);
        }
    }
    Ok(hashes)
}

/// The inputs for `run.json`, with paths relative to the project file where they are below it.
fn shown_inputs(prepared: &Prepared, hashes: &BTreeMap<PathBuf, String>) -> Vec<Json> {
    let base = prepared.project.file.parent().unwrap_or(Path::new(""));
    let shown = |path: &PathBuf| path.strip_prefix(base).unwrap_or(path).display().to_string();
    hashes.iter().map(|(p, h)| json!({ "path": shown(p), "bytes": size(p), "blake3": h })).collect()
}

/// Rasters and polygons with what they were made from: scenes for those of scenes, samples for those of soil.
fn sidecars(
    prepared: &Prepared,
    context: &Context,
    made: &Made,
    summary: &Summary,
    hashes: &BTreeMap<PathBuf, String>,
) -> Result<()> {
    let project = &prepared.project;
    for artifact in &made.artifacts {
        let name = artifact.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if !(name.ends_with(".tif") || name.ends_with(".gpkg")) {
            continue;
        }
        let of_soil = name.starts_with("soil_");
        let stem = name.split('.').next().unwrap_or("");
        let of_scene = |label: &str| stem.ends_with(&format!("_{label}")) || name.starts_with("change_");
        let scenes: Vec<_> = prepared.scenes.iter().filter(|s| !of_soil && of_scene(&s.label)).collect();
        let dates = scenes.iter().flat_map(|s| match s.stack.is_empty() {
            true => s.scene.date.iter().cloned().collect::<Vec<_>>(),
            false => s.stack.iter().filter_map(|d| d.date.clone()).collect(),
        });
        let sources = scenes.iter().flat_map(|s| s.scene.files());
        let mut inputs: Vec<PathBuf> = match of_soil {
            true => project.soil.iter().map(|s| s.samples.value.clone()).collect(),
            false => sources.collect(),
        };
        inputs.sort();
        inputs.dedup();
        let mut counts = serde_json::Map::new();
        for c in &summary.channels {
            if scenes.iter().any(|s| c.channel.starts_with(&format!("{}, ", s.label))) {
                counts.insert(c.channel.clone(), json!(c));
            }
        }
        let method = |title: &str| {
            let word = name.split('_').next().unwrap_or("");
            let title = title.to_lowercase();
            title == word || title.starts_with(&format!("{word} ")) || title.ends_with(&format!(" {word}"))
        };
        let cited = summary.methods.iter().filter(|m| method(&m.title)).flat_map(|m| m.citations.clone());
        let grid = if of_soil {
            crate::io::open_raster(&artifact.path).ok().map(|s| s.grid().clone())
        } else {
            prepared.grid.clone()
        };
        let provenance = Provenance {
            assets: vec![Asset {
                path: artifact.path.clone(),
                role: artifact.role.clone(),
                title: artifact.title.clone(),
            }],
            grid,
            dates: dates.collect(),
            arguments: context.arguments.clone(),
            inputs,
            known: hashes.clone(),
            decisions: summary.decisions.clone(),
            citations: cited.collect(),
            counts,
            figures: artifact.figures.clone(),
            reproducible: context.reproducible,
        };
        sidecar::write(&provenance, true)?;
    }
    Ok(())
}

/// `zones.csv`: a row a zone, indicator and date.
fn write_zones(folder: &Path, summary: &Summary) -> Result<()> {
    let columns = ["zone", "name", "indicator", "scene", "date", "value"].map(String::from).to_vec();
    let text = |t: &str| if t.is_empty() { Value::Null } else { Value::Text(t.to_owned()) };
    let row = |z: &crate::project::summary::ZoneFigure| {
        let name = summary.zone_names.iter().find(|n| n.0 == z.zone).map_or("", |n| n.1.as_str());
        vec![
            text(&z.zone),
            text(name),
            text(&z.indicator),
            text(&z.scene),
            z.date.as_deref().map_or(Value::Null, text),
            z.value.filter(|v| v.is_finite()).map_or(Value::Null, Value::Real),
        ]
    };
    let rows = summary.zones.iter().map(row).collect();
    table::write(&folder.join("zones.csv"), &Table { columns, rows }, true)
}

/// A STAC catalogue whose items are the sidecars of the outputs.
fn catalogue(folder: &Path, summary: &Summary) -> Json {
    let mut links = vec![json!({ "rel": "root", "href": "./catalog.json", "type": "application/json" })];
    for file in &summary.files {
        let sidecar = format!("{}.json", file.path);
        if folder.join(&sidecar).exists() {
            links.push(json!({ "rel": "item", "href": format!("./{sidecar}"), "type": "application/geo+json", "title": file.title }));
        } else if file.path != "catalog.json" {
            let kind = match file.path.rsplit('.').next() {
                Some("html") => "text/html",
                Some("csv") => "text/csv",
                Some("json") => "application/json",
                Some("gpkg") => "application/geopackage+sqlite3",
                _ => "image/tiff; application=geotiff; profile=cloud-optimized",
            };
            links.push(
                json!({ "rel": "related", "href": format!("./{}", file.path), "type": kind, "title": file.title }),
            );
        }
    }
    json!({
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": layout::stem(&summary.project.name),
        "title": summary.project.name,
        "description": summary.project.statement.clone().unwrap_or_else(|| "Outputs of a regrow project".into()),
        "links": links,
    })
}
