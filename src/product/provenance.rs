//! The sidecar of a finished run: what was made from what, how, and what was left out.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{Artifact, Context};
use crate::engine::Outcome;
use crate::engine::outcome::ChannelCounts;
use crate::error::Result;
use crate::grid::Grid;
use crate::io::sidecar::{self, Asset, Provenance};

/// Writes `OUTPUT.json` beside the first of `artifacts`, and nothing where there are none. It replaces an older one: that
/// told of another output.
///
/// # Errors
/// Reading inputs and outputs again for their hashes, or writing.
pub fn write(
    artifacts: &[Artifact],
    grid: Option<&Grid>,
    citations: &[&str],
    outcome: &Outcome,
    context: &Context,
) -> Result<Option<PathBuf>> {
    write_counts(artifacts, grid, citations, counts(outcome), context)
}

/// As [`write()`], with counts of cells by what became of them that are not those of a whole pass.
///
/// # Errors
/// As [`write()`].
pub fn write_counts(
    artifacts: &[Artifact],
    grid: Option<&Grid>,
    citations: &[&str],
    counts: Map<String, Value>,
    context: &Context,
) -> Result<Option<PathBuf>> {
    if artifacts.is_empty() {
        return Ok(None);
    }
    let record = context.notes.record();
    let mut figures = Map::new();
    for a in artifacts {
        figures.extend(a.figures.clone());
    }
    let assets = artifacts
        .iter()
        .map(|a| Asset { path: a.path.clone(), role: a.role.clone(), title: a.title.clone() })
        .collect();
    let provenance = Provenance {
        assets,
        grid: grid.cloned(),
        dates: record.dates,
        arguments: context.arguments.clone(),
        inputs: record.inputs,
        decisions: record.remarks,
        citations: citations.iter().map(|c| (*c).to_owned()).collect(),
        counts,
        figures,
        reproducible: context.reproducible,
        ..Provenance::default()
    };
    sidecar::write(&provenance, true).map(Some)
}

/// Cells of every channel by what became of them.
#[must_use]
pub fn channels(outcome: &Outcome) -> Map<String, Value> {
    let channel = |c: &ChannelCounts| {
        json!({ "cells": c.cells, "nodata": c.nodata, "masked": c.masked, "out_of_range": c.out_of_range,
                "clipped": c.clipped, "infinite": c.infinite })
    };
    outcome.channels.iter().map(|c| (c.name.clone(), channel(c))).collect()
}

/// The same, and of the output (of each where there are several).
fn counts(outcome: &Outcome) -> Map<String, Value> {
    let mut all = channels(outcome);
    for (i, c) in outcome.counts.iter().enumerate() {
        let name = if outcome.counts.len() == 1 { "output".to_owned() } else { format!("output_{}", i + 1) };
        let made =
            json!({ "cells": c.cells, "arithmetic_invalid": c.arithmetic_invalid, "out_of_range": c.out_of_range });
        all.insert(name, made);
    }
    all
}
