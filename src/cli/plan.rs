//! `regrow plan`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::args::Common;
use super::{Finish, console, size};
use crate::error::Result;
use crate::project::prepare::{Prepared, prepare};
use crate::project::{Project, estimate, layout};

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Project file
    #[arg(value_name = "PROJECT.toml")]
    project: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Prints what `run` would do with a project file, and touches nothing.
///
/// # Errors
/// Whatever `run` would refuse before it reads pixels.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let prepared = prepare(Project::read(&args.project)?, &context)?;
    print(&prepared, &args.common, context.limits.memory)?;
    Ok(Finish::Done)
}

/// Prints a plan as text or as one JSON document.
///
/// # Errors
/// Failed writing to stdout.
pub(super) fn print(prepared: &Prepared, common: &Common, memory: u64) -> Result<()> {
    let passes = estimate::passes(prepared);
    let project = &prepared.project;
    let outputs = layout::outputs(prepared);
    let crs = |g: &crate::grid::Grid| g.crs().map_or_else(|| "unknown CRS".to_owned(), ToString::to_string);
    if common.json {
        let scenes: Vec<Value> = prepared
            .scenes
            .iter()
            .map(|s| {
                json!({ "label": s.label, "name": s.scene.name, "date": s.date(), "dates": s.stack.len().max(1),
                        "bands": s.scene.bands.iter().map(|b| b.role.name()).collect::<Vec<_>>() })
            })
            .collect();
        let grid = prepared.grid.as_ref().map(|g| json!({ "cols": g.cols, "rows": g.rows, "crs": crs(g) }));
        let files: Vec<Value> = outputs.iter().map(|o| json!({ "path": o.path, "title": o.title })).collect();
        let indices: Vec<&str> = project.products.indices.iter().map(|i| i.value.as_str()).collect();
        return console::print_json(&json!({
            "project": project.name, "output": project.output.value.display().to_string(), "scenes": scenes,
            "grid": grid, "indices": indices, "zones": prepared.zones.as_ref().map(|z| z.features.len()),
            "outputs": files, "memory_bytes": memory,
            "passes": passes.iter().map(|p| json!({ "name": p.name, "bytes_read": p.read_bytes, "bytes_written": p.written_bytes }))
                .collect::<Vec<_>>(),
        }));
    }
    let mut text = format!("project  {}\noutput   {}\n", project.name, project.output.value.display());
    if let Some(grid) = &prepared.grid {
        let cells = grid.cols as f64 * grid.rows as f64;
        text += &format!("grid     {} x {} pixels ({cells} cells), {}\n", grid.cols, grid.rows, crs(grid));
    }
    for s in &prepared.scenes {
        let bands: Vec<_> = s.scene.bands.iter().map(|b| b.role.name()).collect();
        let dates = match s.stack.len() {
            0 => s.date().unwrap_or("no date").to_owned(),
            n => format!("{n} dates to {}", s.date().unwrap_or("?")),
        };
        text += &format!("scene    {}  {}  {dates}  bands {}\n", s.label, s.scene.name, bands.join(" "));
    }
    for i in &project.products.indices {
        text += &format!("index    {}\n", i.value);
    }
    if let Some(zones) = &prepared.zones {
        text += &format!("zones    {} of layer {}\n", zones.features.len(), zones.name);
    }
    for soil in &project.soil {
        let metals: Vec<_> = soil.metals.iter().map(|m| m.value.as_str()).collect();
        text += &format!("soil     {}  {}\n", soil.samples.value.display(), metals.join(" "));
    }
    for p in passes {
        let (read, written) = (size::display(p.read_bytes), size::display(p.written_bytes));
        text += &format!("pass     {}: reads at most {read}, writes {written} before compression\n", p.name);
    }
    text += &format!("memory   at most {}\n", size::display(memory));
    for o in outputs {
        text += &format!("output   {}  {}\n", o.path, o.title);
    }
    console::print(&text)
}
