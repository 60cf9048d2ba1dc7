//! Running a project: composites, one pass for all raster products, one over what was written for the figures, soil grids.

mod describe;
mod files;
mod place;
mod rasters;
mod soil;

use std::path::PathBuf;

use super::judge;
use super::notes::Kept;
use super::prepare::Prepared;
use super::summary::{About, SCHEMA, Summary};
use crate::engine::ChannelCounts;
use crate::error::Result;
use crate::io::lock::OutputLock;
use crate::product::{Artifact, Context};

pub use files::replace;

/// What the parts of a run add to.
#[derive(Default)]
struct Made {
    summary: Summary,
    artifacts: Vec<Artifact>,
    /// Channels read, under the label of their scene.
    channels: Vec<(String, ChannelCounts)>,
    passes: Vec<Pass>,
}

/// A pass for `run.json`.
struct Pass {
    name: String,
    seconds: f64,
    peak_bytes: u64,
}

/// A finished run.
pub struct Finished {
    /// Every figure.
    pub summary: Summary,
    /// Folder of the outputs.
    pub folder: PathBuf,
    /// Other runs stay out until the report is written too.
    _lock: OutputLock,
}

/// Makes everything a project asks for, but the report. Outputs of an earlier run of a project in the same folder are
/// replaced; other files are only with `overwrite`.
///
/// # Errors
/// Those of reading, computing and writing; a folder that another run is writing to.
pub fn run(prepared: &Prepared, context: &Context, kept: &Kept) -> Result<Finished> {
    let started = std::time::Instant::now();
    let folder = prepared.project.output.value.clone();
    let mut context = context.clone();
    let lock = files::lock(&folder)?;
    files::own(&folder, prepared, &context).map_err(|e| prepared.project.output.wrap(&e))?;
    // Every existing output is ours or may be replaced: `own` made sure.
    context.overwrite = true;
    context.sidecars = false;
    context.styles = true;

    let mut made = Made::default();
    rasters::make(prepared, &folder, &context, &mut made)?;
    for spec in &prepared.project.soil {
        soil::make(spec, &folder, &context, &mut made)?;
    }
    let mut summary = std::mem::take(&mut made.summary);
    summary.schema = SCHEMA;
    summary.regrow = env!("CARGO_PKG_VERSION").into();
    summary.project = about(prepared, &context);
    summary.channels = rasters::channel_facts(&made.channels);
    summary.targets = judge::targets(&summary, &prepared.project.targets);
    summary.alerts = judge::alerts(&summary, &prepared.project.alerts);
    summary.alert_rules = prepared.project.alerts.iter().map(|a| a.text.clone()).collect();
    summary.key_figures = describe::key_figures(&summary, prepared);
    summary.methods = describe::methods(prepared, &summary);
    summary.warnings = relative(kept.warnings(), prepared);
    summary.decisions = relative(kept.decisions(), prepared);
    files::write(&folder, prepared, &context, &mut made, &mut summary, started)?;
    Ok(Finished { summary, folder, _lock: lock })
}

/// Texts with paths below the folder of the project file told relative to it.
fn relative(texts: Vec<String>, prepared: &Prepared) -> Vec<String> {
    let base = prepared.project.file.parent().map_or_else(String::new, |p| format!("{}/", p.display()));
    match base.as_str() {
        "" | "/" => texts,
        base => texts.iter().map(|t| without(t, base)).collect(),
    }
}

/// `text` without the prefix `base` of its paths. Inside a path the same letters stand (`data/x` holds `a/`).
fn without(text: &str, base: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(base) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let inside = out.chars().last().is_some_and(|c| c.is_alphanumeric() || "/._-".contains(c));
        if inside {
            out.push_str(base);
        }
        rest = &found[base.len()..];
    }
    out + rest
}

fn about(prepared: &Prepared, context: &Context) -> About {
    let project = &prepared.project;
    let now = || jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string();
    About {
        name: project.name.clone(),
        place: project.place.clone(),
        statement: project.statement.clone(),
        file: project.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        made_utc: (!context.reproducible).then(now),
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn folder_is_taken_off_paths_and_not_out_of_them() {
        assert_eq!(without("a/data/blue.tif band 1 and (a/x)", "a/"), "data/blue.tif band 1 and (x)");
        assert_eq!(without("data/blue.tif", "a/"), "data/blue.tif");
        assert_eq!(without("/m/p/x.tif: in /m/p/y", "/m/p/"), "x.tif: in y");
    }
}
