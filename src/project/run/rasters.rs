//! Raster products of all scenes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Made, place};
use crate::analysis::bare::{BareRule, Surface};
use crate::analysis::change::change_classes;
use crate::analysis::classes::Breaks;
use crate::analysis::composite::CompositeMethod;
use crate::analysis::cover::{COVER_BREAKS, CoverModel, Endmembers};
use crate::engine::{ChannelCounts, Outcome, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::product::bare::{Automatic, BareOptions, NDVI_THRESHOLD};
use crate::product::change::{CHANGE_BREAKS, ChangeOptions};
use crate::product::composite::CompositeOptions;
use crate::product::cover::CoverOptions;
use crate::product::index::IndexOptions;
use crate::product::survey::Survey;
use crate::product::{Context, Product, bare, change, composite, cover, index};
use crate::project::config::Bare;
use crate::project::figures::{ClassBand, Figures, Quantity, outlines};
use crate::project::layout;
use crate::project::prepare::{Opened, Prepared};
use crate::project::summary::{ChannelFacts, MapFacts, MapKind, SceneFacts};
use crate::scene::{self, Entered, Scene, SceneOptions};
use crate::spectral::{Index, Settings};
use crate::vector::ZoneIndex;
use crate::vector::patches::Connect;

/// Percentiles of the index taken as bare soil and as full vegetation where the project file gives none.
const COVER_PERCENTILES: (f64, f64) = (0.02, 0.98);

/// Makes all raster products and their figures.
pub(super) fn make(prepared: &Prepared, folder: &Path, context: &Context, made: &mut Made) -> Result<()> {
    let Some(grid) = &prepared.grid else { return Ok(()) };
    let zones = match (&prepared.zones, &prepared.project.zones) {
        (Some(layer), Some(spec)) => {
            let id = spec.id.as_ref().map(|i| i.value.as_str());
            let index = ZoneIndex::build(layer, grid, id).map_err(|e| spec.path.wrap(&e))?;
            layer.warnings.iter().chain(index.warnings()).for_each(|w| context.notes.warn(w));
            index.decisions().iter().for_each(|d| context.notes.decide(d));
            Some(Arc::new(index))
        }
        _ => None,
    };
    for opened in &prepared.scenes {
        tell(opened, context);
    }
    let scenes = composites(prepared, grid, folder, context, made)?;
    made.summary.scenes = prepared.scenes.iter().map(scene_facts).collect();
    let drawn = match (&prepared.zones, &zones) {
        (Some(layer), Some(index)) => outlines(layer, index, grid)?,
        _ => Vec::new(),
    };
    made.summary.grids.push(place::facts(grid, drawn)?);
    products(prepared, grid, &scenes, zones.as_ref(), folder, context, made)
}

/// Says what was decided while opening; of a stack what its first date says.
fn tell(opened: &Opened, context: &Context) {
    opened.scene.warnings.iter().for_each(|w| context.notes.warn(w));
    opened.scene.decisions.iter().for_each(|d| context.notes.decide(d));
    if let (Some(c), Some(first), Some(last)) = (&opened.composite, opened.stack.first(), opened.stack.last()) {
        context.notes.decide(&format!(
            "{}: {} of {} dates from {} to {}; the same scale, nodata and masks for each",
            opened.label,
            c.method.value,
            opened.stack.len(),
            first.date.as_deref().unwrap_or("?"),
            last.date.as_deref().unwrap_or("?")
        ));
    }
}

fn scene_facts(opened: &Opened) -> SceneFacts {
    let file = |name: &str| Path::new(name).file_name().map_or(name.to_owned(), |n| n.to_string_lossy().into_owned());
    SceneFacts {
        label: opened.label.clone(),
        name: file(&opened.scene.name),
        date: opened.date().map(str::to_owned),
        dates: opened.stack.iter().filter_map(|s| s.date.clone()).collect(),
        composite: opened.composite.as_ref().map(|c| format!("{} of the valid dates", c.method.value)),
    }
}

fn new_pass(name: &str, grid: &Grid, prepared: &Prepared) -> Pass {
    let mut pass = Pass::new(name, grid.clone());
    if let Some(clip) = &prepared.clip {
        pass.clip(Arc::clone(clip) as Arc<dyn crate::engine::pass::Clip>);
    }
    pass
}

/// Runs a pass, finishes its products and keeps what it says about itself.
fn run_pass(
    name: &str,
    pass: Pass,
    products: Vec<Box<dyn Product>>,
    context: &Context,
    made: &mut Made,
) -> Result<Outcome> {
    let started = std::time::Instant::now();
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    for product in products {
        made.artifacts.extend(product.finish(&mut outcome, context)?);
    }
    made.passes.push(super::Pass {
        name: name.into(),
        seconds: started.elapsed().as_secs_f64(),
        peak_bytes: outcome.peak_bytes,
    });
    Ok(outcome)
}

/// Reduces stacks to one scene each, all in one pass, and opens what was written.
fn composites(
    prepared: &Prepared,
    grid: &Grid,
    folder: &Path,
    context: &Context,
    made: &mut Made,
) -> Result<Vec<(String, Scene)>> {
    let stacks: Vec<&Opened> = prepared.scenes.iter().filter(|s| s.composite.is_some()).collect();
    if !stacks.is_empty() {
        let mut pass = new_pass("composites", grid, prepared);
        let mut products = Vec::new();
        for opened in &stacks {
            let Some(spec) = &opened.composite else { continue };
            let method: CompositeMethod = spec.method.value.parse().map_err(|e: Error| spec.method.wrap(&e))?;
            let mut dates = Vec::new();
            for (i, scene) in opened.stack.iter().enumerate() {
                dates.push(scene.enter(&mut pass, &format!("{}:{i}:", opened.label))?);
            }
            let output = folder.join(layout::composite(&opened.label));
            let options = CompositeOptions { method, least: 1, target_day: 1, deviations: false, output };
            products.push(composite::add(&mut pass, &dates.iter().collect::<Vec<_>>(), &options, context)?);
        }
        let outcome = run_pass("composites", pass, products, context, made)?;
        keep_channels(&outcome, made);
    }
    let mut scenes = Vec::new();
    for opened in &prepared.scenes {
        let scene = if opened.composite.is_some() {
            let path = folder.join(layout::composite(&opened.label));
            let mut scene = scene::open(&[path.display().to_string()], &SceneOptions::default())?;
            scene.date = opened.date().map(str::to_owned);
            scene
        } else {
            opened.scene.clone()
        };
        scenes.push((opened.label.clone(), scene));
    }
    Ok(scenes)
}

/// Counts of the channels of a pass, whose names begin with the label of their scene.
fn keep_channels(outcome: &Outcome, made: &mut Made) {
    for c in &outcome.channels {
        let label = c.name.split(':').next().unwrap_or("").to_owned();
        made.channels.push((label, c.clone()));
    }
}

/// Sums the counts of the dates of a scene by band.
pub(super) fn channel_facts(channels: &[(String, ChannelCounts)]) -> Vec<ChannelFacts> {
    let mut order: Vec<String> = Vec::new();
    let mut sums: BTreeMap<String, ChannelFacts> = BTreeMap::new();
    for (label, c) in channels {
        let role = c.name.rsplit(':').next().unwrap_or(&c.name);
        let name = format!("{label}, {role}");
        let sum = sums.entry(name.clone()).or_insert_with(|| {
            order.push(name.clone());
            ChannelFacts { channel: name, cells: 0, nodata: 0, masked: 0, out_of_range: 0, clipped: 0 }
        });
        sum.cells += c.cells;
        sum.nodata += c.nodata;
        sum.masked += c.masked;
        sum.out_of_range += c.out_of_range;
        sum.clipped += c.clipped;
    }
    order.iter().filter_map(|name| sums.remove(name)).collect()
}

/// One pass for everything asked of the scenes.
fn products(
    prepared: &Prepared,
    grid: &Grid,
    scenes: &[(String, Scene)],
    zones: Option<&Arc<ZoneIndex>>,
    folder: &Path,
    context: &Context,
    made: &mut Made,
) -> Result<()> {
    let asked = &prepared.project.products;
    if asked.is_empty() {
        return Ok(());
    }
    let all: Vec<&Scene> = scenes.iter().map(|s| &s.1).collect();
    let ndvi = Index::find("NDVI")?;
    let settings = Settings::default();
    let again = |what: &str, _: &Scene| Ok(new_pass(what, grid, prepared));
    let survey = Survey { scenes: &all, index: &ndvi, settings: &settings, new_pass: &again };
    let endmembers = match &asked.cover {
        None => None,
        Some(c) => Some(match (c.soil, c.vegetation) {
            (Some(soil), Some(vegetation)) => Endmembers::new(soil, vegetation)?,
            _ => cover::endmembers(&survey, COVER_PERCENTILES, context)?,
        }),
    };
    let rule = asked.bare.as_ref().map(|b| bare_rule(b, &survey, context)).transpose()?;
    let mut pass = new_pass("products", grid, prepared);
    let mut entered: Vec<(&str, Entered)> = Vec::new();
    for (label, scene) in scenes {
        entered.push((label, scene.enter(&mut pass, &format!("{label}:"))?));
    }
    let mut products = Vec::new();
    for (label, scene) in &entered {
        for name in &asked.indices {
            let options = IndexOptions {
                indices: vec![Index::find(&name.value)?],
                settings: settings.clone(),
                output: folder.join(layout::index(&name.value, label)),
                table: None,
            };
            products.push(index::add(&mut pass, scene, &options, None, context).map_err(|e| name.wrap(&e))?);
        }
        if let Some(endmembers) = endmembers {
            let (output, classes) = layout::cover(label);
            let options = CoverOptions {
                index: ndvi.clone(),
                settings: settings.clone(),
                endmembers,
                model: CoverModel::default(),
                breaks: Breaks::new(COVER_BREAKS.to_vec(), 4)?,
                output: folder.join(output),
                classes: Some(folder.join(classes)),
                table: None,
            };
            products.push(cover::add(&mut pass, scene, &options, None, context)?);
        }
        if let (Some(spec), Some(rule)) = (&asked.bare, rule) {
            let (output, polygons, table) = layout::bare(label);
            let options = BareOptions {
                target: Surface::Bare,
                rule,
                settings: settings.clone(),
                output: folder.join(output),
                table: Some(folder.join(table)),
                polygons: spec.polygons.then(|| folder.join(polygons)),
                min_area_m2: spec.min_area_ha * 1e4,
                connect: connect(spec.connect),
            };
            products.push(bare::add(&mut pass, scene, &options, zones, context)?);
        }
    }
    if let Some(spec) = &asked.change {
        let find = |role: &str| entered.iter().find(|(label, _)| *label == role).map(|e| &e.1);
        let missing = || Error::bug("change was asked for without scenes before and after");
        let (before, after) = (find("before").ok_or_else(missing)?, find("after").ok_or_else(missing)?);
        change::check_dates(&before.scene, &after.scene, context.notes.as_ref());
        let [output, classes, table, polygons] = layout::change(&spec.index.value).map(|n| folder.join(n));
        let options = ChangeOptions {
            index: Index::find(&spec.index.value)?,
            settings: settings.clone(),
            breaks: Breaks::new(spec.breaks.unwrap_or(CHANGE_BREAKS).to_vec(), 4)?,
            output,
            classes: Some(classes),
            table: Some(table),
            polygons: spec.polygons.then_some(polygons),
            min_area_m2: 0.0,
            connect: Connect::Eight,
        };
        products
            .push(change::add(&mut pass, before, after, &options, zones, context).map_err(|e| spec.index.wrap(&e))?);
    }
    let Wanted { quantities, classes, maps } = wanted(prepared, folder, made.summary.grids.len() - 1)?;
    let figures = Figures::add(&mut pass, zones, quantities, classes)?;
    let mut outcome = run_pass("products", pass, products, context, made)?;
    let found = figures.finish(&mut outcome)?;
    made.summary.zones = found.zones;
    made.summary.classes = found.tables;
    made.summary.maps = maps;
    made.summary.zone_names = zone_names(prepared, zones);
    // The pixels of composites were counted when the composites were made.
    if prepared.scenes.iter().all(|s| s.composite.is_none()) {
        keep_channels(&outcome, made);
    }
    Ok(())
}

fn connect(neighbours: Option<u8>) -> Connect {
    if neighbours == Some(4) { Connect::Four } else { Connect::Eight }
}

fn bare_rule(spec: &Bare, survey: &Survey<'_>, context: &Context) -> Result<BareRule> {
    let method = spec.method.as_ref().map_or("rule", |m| m.value.as_str());
    match (method, spec.threshold) {
        ("rule", None) => Ok(BareRule::Both { ndvi: NDVI_THRESHOLD, bsi: 0.0 }),
        ("rule", Some(ndvi)) => Ok(BareRule::Both { ndvi, bsi: 0.0 }),
        ("fixed", threshold) => Ok(BareRule::Ndvi(threshold.unwrap_or(NDVI_THRESHOLD))),
        ("otsu", _) => bare::automatic(survey, Automatic::Otsu, context),
        ("minerr", _) => bare::automatic(survey, Automatic::MinimumError, context),
        (other, _) => {
            let wrong = Error::usage(format!("found {other:?}, expected rule, otsu, minerr or fixed"));
            Err(spec.method.as_ref().map_or_else(|| wrong.clone(), |m| m.wrap(&wrong)))
        }
    }
}

/// What the report tells of the rasters of a project.
struct Wanted {
    quantities: Vec<Quantity>,
    classes: Vec<ClassBand>,
    maps: Vec<MapFacts>,
}

/// The figures of zones and the maps of the report; `grid_number` is the grid of the maps in the summary.
fn wanted(prepared: &Prepared, folder: &Path, grid_number: usize) -> Result<Wanted> {
    let asked = &prepared.project.products;
    let mut quantities = Vec::new();
    let mut classes = Vec::new();
    let mut maps = Vec::new();
    let mut told: Vec<String> = Vec::new();
    let mut quantity = |file: &str, indicator: String, scene: &str, date: Option<&str>| {
        // The valid area of a scene is told once, by its first band.
        let valid_ha = !told.iter().any(|t| t == scene);
        if valid_ha {
            told.push(scene.to_owned());
        }
        Quantity {
            valid_ha,
            indicator,
            output: folder.join(file),
            band: 0,
            scene: scene.to_owned(),
            date: date.map(str::to_owned),
        }
    };
    let mut map = |path: &str, title: String, group: &str, heading: &str, kind: MapKind| {
        maps.push(MapFacts {
            path: path.into(),
            band: 0,
            title,
            group: group.into(),
            group_title: heading.into(),
            kind,
            unit: String::new(),
            grid: grid_number,
        });
    };
    let when = |s: &Opened| scene_facts(s).when();
    for name in &asked.indices {
        let kind = match Index::find(&name.value)?.domain.as_str() {
            "vegetation" => MapKind::Vegetation,
            _ => MapKind::Soil,
        };
        for s in &prepared.scenes {
            let file = layout::index(&name.value, &s.label);
            quantities.push(quantity(&file, format!("{}_mean", layout::stem(&name.value)), &s.label, s.date()));
            map(
                &file,
                format!("{}, {}", super::describe::capital(&s.label), when(s)),
                &layout::stem(&name.value),
                &name.value,
                kind,
            );
        }
        if asked.change.as_ref().is_some_and(|c| c.index.value == name.value) {
            let file = &layout::change(&name.value)[0];
            map(
                file,
                "Change, after minus before".into(),
                &layout::stem(&name.value),
                &name.value,
                MapKind::Difference,
            );
        }
    }
    if let Some(c) = &asked.change {
        let [difference, class_file, ..] = layout::change(&c.index.value);
        let indicator = format!("{}_change_mean", layout::stem(&c.index.value));
        let after = prepared.scenes.iter().find(|s| s.label == "after").and_then(Opened::date);
        quantities.push(quantity(&difference, indicator, "change", after));
        if !asked.indices.iter().any(|i| i.value == c.index.value) {
            map(&difference, "Change, after minus before".into(), "change", "Change", MapKind::Difference);
        }
        let heading = format!("Classes of change of {}", c.index.value);
        map(&class_file, heading.clone(), "change_classes", &heading, MapKind::Classes);
        classes.push(ClassBand {
            band: quantity(&class_file, String::new(), "change", after),
            classes: change_classes(),
            indicators: change_classes().iter().map(|c| format!("{}_ha", layout::stem(&c.name))).collect(),
            share: None,
            table: ("change_classes".into(), "Area by class".into()),
        });
    }
    if asked.cover.is_some() {
        for s in &prepared.scenes {
            let (file, _) = layout::cover(&s.label);
            quantities.push(quantity(&file, "cover_mean".into(), &s.label, s.date()));
            map(
                &file,
                format!("{}, {}", super::describe::capital(&s.label), when(s)),
                "cover",
                "Vegetation cover",
                MapKind::Vegetation,
            );
        }
    }
    if asked.bare.is_some() {
        let known = crate::analysis::bare::SurfaceAnalysis::classes(Surface::Bare);
        for s in &prepared.scenes {
            let (file, ..) = layout::bare(&s.label);
            let title = format!("{}, {}", super::describe::capital(&s.label), when(s));
            map(&file, title.clone(), "bare", "Bare land", MapKind::Classes);
            classes.push(ClassBand {
                band: quantity(&file, String::new(), &s.label, s.date()),
                classes: known.clone(),
                indicators: vec![String::new(), "bare_ha".into()],
                share: Some((1, "bare_share".into())),
                table: ("bare".into(), title),
            });
        }
    }
    Ok(Wanted { quantities, classes, maps })
}

/// Identities of the zones with the name the layer gives them, the whole area last.
fn zone_names(prepared: &Prepared, zones: Option<&Arc<ZoneIndex>>) -> Vec<(String, String)> {
    let mut names = Vec::new();
    if let (Some(layer), Some(index)) = (&prepared.zones, zones) {
        let column = layer.columns.iter().position(|c| c.eq_ignore_ascii_case("name"));
        for (i, feature) in layer.features.iter().enumerate() {
            let name = match column.and_then(|c| feature.values.get(c)) {
                Some(crate::vector::Value::Text(t)) => t.clone(),
                _ => String::new(),
            };
            names.push((index.label(i).to_owned(), name));
        }
    }
    names.push(("all".into(), String::new()));
    names
}
