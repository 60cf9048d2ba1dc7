//! Provenance of a product: what is known when it is added, completed by what its pass found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, json};

use super::{Artifact, Context};
use crate::engine::{Outcome, Spec};
use crate::error::Result;
use crate::grid::Grid;
use crate::io::sidecar::{self, Asset, Provenance};
use crate::scene::Scene;

/// What a product knows about its inputs and method before its pass runs.
#[derive(Clone, Debug)]
pub struct Record {
    grid: Grid,
    dates: Vec<String>,
    inputs: Vec<PathBuf>,
    decisions: Vec<String>,
    channels: Vec<String>,
    citations: Vec<String>,
}

impl Record {
    /// Of scenes on a grid, and the analysis (by its `spec`) that reads them.
    #[must_use]
    pub fn new(grid: &Grid, scenes: &[&Scene], spec: &Spec) -> Self {
        let mut inputs: Vec<PathBuf> = Vec::new();
        for path in scenes.iter().flat_map(|s| &s.bands).map(|b| PathBuf::from(b.source.name())) {
            if !inputs.contains(&path) {
                inputs.push(path);
            }
        }
        Self {
            grid: grid.clone(),
            dates: scenes.iter().filter_map(|s| s.date.clone()).collect(),
            inputs,
            decisions: scenes.iter().flat_map(|s| s.decisions.iter().chain(&s.warnings)).cloned().collect(),
            channels: spec.reads.clone(),
            citations: spec.citations.iter().map(ToString::to_string).collect(),
        }
    }

    /// Adds a decision of the product itself.
    pub fn decide(&mut self, text: String) {
        self.decisions.push(text);
    }

    /// Writes the sidecar beside the first artifact, once all of them are complete, where the context wants it.
    ///
    /// # Errors
    /// Reading inputs and outputs for their hashes, or writing.
    pub fn write(
        self,
        artifacts: &[Artifact],
        outcome: &Outcome,
        counts: &crate::engine::Counts,
        context: &Context,
    ) -> Result<()> {
        if !context.sidecars {
            return Ok(());
        }
        let mut all = Map::new();
        for c in outcome.channels.iter().filter(|c| self.channels.contains(&c.name)) {
            let causes = json!({ "cells": c.cells, "nodata": c.nodata, "masked": c.masked,
                                 "out_of_range": c.out_of_range, "clipped": c.clipped, "infinite": c.infinite });
            all.insert(c.name.clone(), causes);
        }
        let output = json!({ "cells": counts.cells, "arithmetic_invalid": counts.arithmetic_invalid,
                             "out_of_range": counts.out_of_range });
        all.insert("output".into(), output);
        let asset = |a: &Artifact| Asset { path: a.path.clone(), role: a.role.clone(), title: a.title.clone() };
        let provenance = Provenance {
            assets: artifacts.iter().map(asset).collect(),
            grid: Some(self.grid),
            dates: self.dates,
            arguments: context.arguments.clone(),
            inputs: self.inputs,
            known: BTreeMap::new(),
            decisions: self.decisions,
            citations: self.citations,
            counts: all,
            figures: artifacts.iter().flat_map(|a| a.figures.clone()).collect(),
            reproducible: context.reproducible,
        };
        sidecar::write(&provenance, context.overwrite).map(|_| ())
    }
}
