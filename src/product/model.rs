//! Files of a model of series: rasters of its bands, and hectares of its classes by zone.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Map;

use super::output::{self, class_table, number};
use super::series::Series;
use super::{Artifact, Context, Product};
use crate::analysis::series::{SeriesAnalysis, SeriesModel};
use crate::analysis::tallied::TalliedClasses;
use crate::analysis::tally::ClassAreas;
use crate::analysis::zonal::{Statistic, Zonal, ZonalChannel, ZonalSums};
use crate::engine::{Analysis, Handle, Outcome, Output, Pass, Spec};
use crate::error::Result;
use crate::io::table;
use crate::raster::Class;
use crate::vector::ZoneIndex;

/// A raster of some planes of a model.
pub struct ModelMap<'a> {
    /// File.
    pub path: &'a PathBuf,
    /// Planes of the model.
    pub planes: Vec<usize>,
    /// Title for people.
    pub title: &'a str,
}

/// Classes of a model, and the quantity they are classes of.
pub struct ByClass<'a> {
    /// Plane of the classes.
    pub plane: usize,
    /// The classes.
    pub classes: Vec<Class>,
    /// Plane and column name of the quantity.
    pub quantity: (usize, &'a str),
    /// Table of hectares by class and zone.
    pub table: Option<&'a PathBuf>,
}

/// Adds a model to a pass; its handle is for what reads its planes again. The first raster gets pixels and means of its bands as figures; with `by_class` it gets hectares of
/// the classes too.
///
/// # Errors
/// Where an output cannot be written, or hectares are asked for and the grid has no place.
pub fn attach<M: SeriesModel>(
    pass: &mut Pass,
    series: Series,
    model: M,
    maps: &[ModelMap<'_>],
    by_class: Option<ByClass<'_>>,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<(Box<dyn Product>, Handle<()>)> {
    let clip = pass.area_of_interest().cloned();
    let analysis = SeriesAnalysis::new(series.dates, series.periods, clip, model);
    attach_analysis(pass, analysis, maps, by_class, zones, context)
}

/// As [`attach`], of any analysis of series.
///
/// # Errors
/// As [`attach`].
pub fn attach_analysis<A: Analysis<Partial = ()>>(
    pass: &mut Pass,
    analysis: A,
    maps: &[ModelMap<'_>],
    by_class: Option<ByClass<'_>>,
    zones: Option<&Arc<ZoneIndex>>,
    context: &Context,
) -> Result<(Box<dyn Product>, Handle<()>)> {
    let Spec { name: role, writes: bands, .. } = analysis.spec();
    let grid = pass.grid().clone();
    let sink = |map: &ModelMap<'_>| output::raster(map.path, &grid, &bands, map.planes.clone(), context);
    let outputs: Vec<Output> = maps.iter().map(sink).collect::<Result<_>>()?;
    let planes = maps.first().map_or(&[][..], |map| &map.planes);
    let figures = planes.iter().map(|p| (bands[*p].name.clone(), *p)).collect();
    let handle = pass.add(analysis, outputs)?;
    let classes = by_class.map(|by| Classes::add(pass, &handle, by, zones, context)).transpose()?.flatten();
    let artifact = |map: &ModelMap<'_>| artifact(map.path, &role, map.title);
    let artifacts = maps.iter().map(artifact).collect();
    Ok((Box::new(Model { handle: handle.clone(), figures, classes, artifacts }), handle))
}

/// A file without figures.
pub fn artifact(path: &std::path::Path, role: &str, title: &str) -> Artifact {
    Artifact { path: path.to_owned(), role: role.into(), title: title.into(), figures: Map::new() }
}

/// Hectares of classes and, by zone, quartiles of their quantity; read back from the planes of the pass.
struct Classes {
    classes: Vec<Class>,
    areas: Handle<ClassAreas>,
    quartiles: Option<(Handle<ZonalSums>, Arc<ZoneIndex>)>,
    /// Plane and column name.
    quantity: (usize, String),
    table: Option<PathBuf>,
}

/// Name of the plane of the quantity where it is read back.
const QUANTITY: &str = "quantity of classes";

fn quantity() -> Vec<ZonalChannel> {
    vec![ZonalChannel { name: QUANTITY.into(), pixels_per_own: 1.0 }]
}

impl Classes {
    /// None where the grid has no place and no table is asked for.
    fn add(
        pass: &mut Pass,
        handle: &Handle<()>,
        by: ByClass<'_>,
        zones: Option<&Arc<ZoneIndex>>,
        context: &Context,
    ) -> Result<Option<Self>> {
        const CLASSES: &str = "classes";
        let values: Vec<u8> = by.classes.iter().map(|c| c.value).collect();
        let Some(tally) = output::tally(pass.grid(), zones, &values, by.table.is_some(), context)? else {
            return Ok(None);
        };
        pass.read_plane(CLASSES, handle, by.plane)?;
        let areas = pass.add(TalliedClasses { channel: CLASSES.into(), tally }, Vec::new())?;
        let quartiles = match zones.filter(|_| by.table.is_some()) {
            Some(zones) => {
                pass.read_plane(QUANTITY, handle, by.quantity.0)?;
                let bytes = Zonal::most_bytes(zones, 1, true).min(context.limits.memory / 4);
                let window = pass.grid().window();
                let zonal = Zonal::new(quantity(), Arc::clone(zones), None, Some(bytes), window).rounded();
                Some((pass.add(zonal, Vec::new())?, Arc::clone(zones)))
            }
            None => None,
        };
        let quantity = (by.quantity.0, by.quantity.1.to_owned());
        Ok(Some(Self { classes: by.classes, areas, quartiles, quantity, table: by.table.cloned() }))
    }

    /// Writes the table, and tells the hectares of the whole grid.
    fn finish(&self, outcome: &mut Outcome, mean: Option<f64>, context: &Context) -> Result<ClassAreas> {
        let areas = outcome.take(&self.areas)?;
        let Some(path) = &self.table else { return Ok(areas) };
        let quartile = |q| Statistic::Quantile(q, String::new());
        let statistics = [Statistic::Mean, quartile(0.25), quartile(0.5), quartile(0.75)];
        let mut found: Vec<Vec<Option<f64>>> = Vec::new();
        if let Some((handle, zones)) = &self.quartiles {
            let sums = outcome.take(handle)?;
            Zonal::results(zones, &quantity(), sums, &statistics, |_, _, values| found.push(values))?;
        }
        let of = |zone: usize, k: usize| found.get(zone).and_then(|v| v.get(k).copied().flatten());
        let zones = self.quartiles.as_ref().map(|(_, zones)| zones.as_ref());
        let name = &self.quantity.1;
        let mut table =
            class_table(zones, &self.classes, &areas, &format!("{name}_mean"), |zone| zone.map_or(mean, |z| of(z, 0)));
        if zones.is_some() {
            table.columns.extend(["q25", "median", "q75"].map(|s| format!("{name}_{s}")));
            for (zone, row) in table.rows.iter_mut().enumerate() {
                row.extend((1..4).map(|k| number(of(zone, k))));
            }
        }
        table::write(path, &table, context.overwrite)?;
        Ok(areas)
    }
}

struct Model {
    handle: Handle<()>,
    /// Bands of the first raster and their planes.
    figures: Vec<(String, usize)>,
    classes: Option<Classes>,
    artifacts: Vec<Artifact>,
}

impl Product for Model {
    fn finish(mut self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let moments = outcome.moments_of(&self.handle).to_vec();
        let mean = |plane: usize| moments.get(plane).and_then(|m| m.mean());
        let mut figures = Map::new();
        for (name, plane) in &self.figures {
            figures.insert(format!("{name}_pixels"), moments.get(*plane).map_or(0, |m| m.count).into());
            figures.insert(format!("{name}_mean"), mean(*plane).into());
        }
        if let Some(classes) = &self.classes {
            let areas = classes.finish(outcome, mean(classes.quantity.0), context)?;
            for (k, class) in classes.classes.iter().enumerate() {
                figures.insert(output::hectare_column(class), areas.hectares(None, k).into());
            }
            self.artifacts.extend(classes.table.iter().map(|t| artifact(t, "table", "Hectares by class")));
        }
        if let Some(first) = self.artifacts.first_mut() {
            first.figures = figures;
        }
        Ok(self.artifacts)
    }
}
