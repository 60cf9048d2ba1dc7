//! Spectral indices as one raster, a band a name.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::bands::{bind, lookup, of_scene, settings_for};
use super::output::{self, Files, number, rows};
use super::{Artifact, Context, Product};
use crate::analysis::formula::Formula;
use crate::analysis::index::{BandMeans, IndexAnalysis};
use crate::engine::{Handle, OutBand, Outcome, Pass};
use crate::error::{Error, Kind, Result};
use crate::io::table::{self, Table};
use crate::raster::{Dtype, Ramp};
use crate::scene::Entered;
use crate::spectral::build::{CATALOGUE_SOURCE, Origin};
use crate::spectral::named::NAMED;
use crate::spectral::{Builder, Index, Settings, catalogue};
use crate::vector::ZoneIndex;

/// What `index` computes and where it goes.
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Indices, a band each, in order.
    pub indices: Vec<Index>,
    /// Constants, kernel and wavelengths.
    pub settings: Settings,
    /// Raster.
    pub output: PathBuf,
    /// Table of means by zone.
    pub table: Option<PathBuf>,
}

/// Adds indices to a pass.
///
/// # Errors
/// Where a formula does not parse or lacks bands, two indices have one name, or an output cannot be written.
pub fn add(
    pass: &mut Pass,
    scene: &Entered,
    options: &IndexOptions,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    if options.indices.is_empty() {
        return Err(Error::usage("no index is given; name one (NDVI,BSI) or give a formula with --expr"));
    }
    for (i, index) in options.indices.iter().enumerate() {
        if options.indices[..i].iter().any(|other| other.name == index.name) {
            return Err(Error::usage(format!("index {} is given twice; each is a band of its own", index.name)));
        }
    }
    let files = Files { rasters: vec![options.output.clone()], table: options.table.clone(), polygons: None };
    files.check(&[&scene.scene], context)?;
    let mut builder = Builder::new(settings_for(&scene.scene, &options.settings));
    let mut nodes = Vec::with_capacity(options.indices.len());
    let (mut scale_free, mut needs_scale) = (true, String::new());
    for index in &options.indices {
        nodes.push(builder.add(index, &lookup(&scene.scene, 0)).map_err(of_scene(&scene.scene))?);
        let free = index.is_scale_free()?;
        if scale_free && !free {
            needs_scale.clone_from(&index.name);
        }
        scale_free &= free;
        if index.origin == Origin::User {
            let reference = if index.source.is_empty() { "none stated" } else { &index.source };
            context.notes.decide(&format!("{}: {} (reference: {reference})", index.name, index.formula));
        }
    }
    if builder.graph.inputs().is_empty() {
        return Err(Error::usage("the expression reads no band; use band letters (N, R) or names (nir, red)"));
    }
    let reads = bind(pass, &[scene], &builder.graph, scale_free).map_err(|e| match e.kind() {
        Kind::Input if !scale_free => {
            let bytes = scene.scene.bands.iter().any(|b| b.source.bands()[b.band].dtype == Dtype::U8);
            let hint = if bytes { " (of 8-bit photos about --scale 0.00392157)" } else { "" };
            e.context(format!("{needs_scale} needs reflectance{hint}"))
        }
        _ => e,
    })?;
    let bands: Vec<OutBand> = options.indices.iter().map(band).collect();
    let sink = output::raster(&options.output, pass.grid(), &bands, (0..bands.len()).collect(), context)?;
    let formula = Formula::new(&builder.graph, &nodes, reads);
    let analysis = IndexAnalysis::new(formula, bands, citations(&options.indices), zones.cloned());
    let handle = pass.add(analysis, vec![sink])?;
    Ok(Box::new(IndexProduct { handle, options: options.clone(), zones: zones.cloned() }))
}

fn band(index: &Index) -> OutBand {
    let ramp = match index.domain.as_str() {
        "vegetation" | "kernel" => Ramp::Vegetation,
        "soil" | "urban" | "mineral" => Ramp::Soil,
        _ => Ramp::Neutral,
    };
    let band = OutBand::quantity(&index.name, "").drawn(ramp);
    match index.range {
        Some((lo, hi)) => band.within(lo..=hi),
        None => band,
    }
}

fn citations(indices: &[Index]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for index in indices {
        let published = catalogue::entries().iter().find(|e| e.name == index.name).map(|e| e.reference.as_str());
        let sources = match index.origin {
            Origin::Named => [NAMED.iter().find(|n| n.name == index.name).map(|n| n.source), None],
            Origin::Catalogue => [published, Some(CATALOGUE_SOURCE)],
            Origin::Expression | Origin::User => [None, None],
        };
        for source in sources.into_iter().flatten() {
            if !found.contains(&source) {
                found.push(source);
            }
        }
    }
    found
}

struct IndexProduct {
    handle: Handle<BandMeans>,
    options: IndexOptions,
    zones: Option<Arc<ZoneIndex>>,
}

impl Product for IndexProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let counts = outcome.counts_of(&self.handle);
        let moments = outcome.moments_of(&self.handle).to_vec();
        let means = outcome.take(&self.handle)?.0;
        let names: Vec<&str> = self.options.indices.iter().map(|i| i.name.as_str()).collect();
        let mut figures = Map::new();
        for (name, stored) in names.iter().zip(&moments) {
            figures.insert(format!("{name}_valid_pixels"), stored.count.into());
            for (what, value) in [
                ("mean", stored.mean()),
                ("min", (stored.count > 0).then_some(stored.min)),
                ("max", (stored.count > 0).then_some(stored.max)),
                ("std_pop", stored.std_population()),
            ] {
                figures.insert(format!("{name}_{what}"), value.map_or(Json::Null, Into::into));
            }
        }
        figures.insert("arithmetic_invalid_pixels".into(), counts.arithmetic_invalid.into());
        figures.insert("out_of_range_pixels".into(), counts.out_of_range.into());
        let title = names.join(", ");
        let mut artifacts = vec![Artifact {
            path: self.options.output.clone(),
            role: names.join("-").to_lowercase(),
            title: title.clone(),
            figures,
        }];
        if let Some(path) = &self.options.table {
            let columns: Vec<String> =
                std::iter::once("zone".to_owned()).chain(names.iter().map(|n| format!("{n}_mean"))).collect();
            let mean = |band: usize, zone| match zone {
                None => moments[band].mean(),
                Some(z) => means.get(band).and_then(|m| m.of(z)),
            };
            let rows = rows(self.zones.as_deref()).into_iter().map(|(zone, label)| {
                std::iter::once(label).chain((0..names.len()).map(|band| number(mean(band, zone)))).collect()
            });
            table::write(path, &Table { rows: rows.collect(), columns }, context.overwrite)?;
            artifacts.push(Artifact {
                path: path.clone(),
                role: "zones".into(),
                title: format!("{title}: means by zone"),
                figures: Map::new(),
            });
        }
        Ok(artifacts)
    }
}
