//! Grids of metals in soil, with uncertainty and exceedance of the limit.

use std::path::Path;
use std::sync::Arc;

use super::{Made, Pass as Timed, place};
use crate::analysis::clip::AreaOfInterest;
use crate::engine::Pass;
use crate::error::{Error, Kind, Result};
use crate::geostat::Transform;
use crate::grid::area::{CellAreas, M2_PER_HA};
use crate::grid::{Grid, Window};
use crate::io;
use crate::product::interpolate::{self, InterpolateOptions, Prepared};
use crate::product::samples::{self, SampleOptions};
use crate::product::{Context, Product};
use crate::project::config::{Placed, SoilSpec};
use crate::project::summary::{Lag, MapFacts, MapKind, SoilFacts, ValidationFacts, VariogramFacts, ZoneFigure};
use crate::project::{layout, standards};
use crate::raster::{Raw, Samples};

/// Cells along the longer side of a grid whose pixel size is not given.
const DEFAULT_CELLS: f64 = 200.0;
/// Edge of the windows a grid is read by.
const WINDOW: usize = 1024;

/// Makes the grids of one sample table.
pub(super) fn make(spec: &SoilSpec, folder: &Path, context: &Context, made: &mut Made) -> Result<()> {
    let mut grid: Option<Grid> = None;
    for metal in &spec.metals {
        let options = SampleOptions {
            path: spec.samples.value.clone(),
            crs: spec.crs.as_ref().map(|c| c.value.clone()),
            ..SampleOptions::default()
        };
        let set = samples::load(&options, &metal.value, None, context.notes.as_ref()).map_err(|e| metal.wrap(&e))?;
        if set.unit() != "mg/kg" {
            if !set.unit().is_empty() {
                return Err(metal.fail(
                    Kind::Input,
                    &format!("the column is in {}, and limits are in mg/kg; convert it first", set.unit()),
                ));
            }
            context.notes.warn(&format!("{}: no unit in the name of the column; taken as mg/kg", metal.value));
        }
        let limit = limit(spec, metal, context)?;
        let whole = match &grid {
            Some(g) => g.clone(),
            None => {
                let b = set.bounds();
                let size = spec.resolution.unwrap_or_else(|| nice(((b[2] - b[0]).max(b[3] - b[1])) / DEFAULT_CELLS));
                grid.insert(interpolate::covering(b, true, size, &set.crs)?).clone()
            }
        };
        let (on, clip) = clipped(spec, whole)?;
        let method = match &spec.method {
            Some(m) => m.value.parse().map_err(|e: Error| m.wrap(&e))?,
            None => interpolate::Method::Ok,
        };
        let knows_error = method == interpolate::Method::Ok;
        let options = InterpolateOptions {
            method,
            transform: if spec.log { Transform::Log } else { Transform::None },
            exceed: limit.iter().filter(|_| knows_error).map(|l| l.value).collect(),
            validate: true,
            ..InterpolateOptions::default()
        };
        let prepared =
            Arc::new(interpolate::prepare(&set, &options, context.notes.as_ref()).map_err(|e| metal.wrap(&e))?);
        let (file, cv) = layout::soil(&metal.value);
        let mut pass = Pass::new(&metal.value, on.clone());
        if let Some(clip) = clip {
            pass.clip(clip);
        }
        let product =
            interpolate::add(&mut pass, Arc::clone(&prepared), &folder.join(&file), Some(&folder.join(cv)), context)?;
        run(pass, product, &metal.value, context, made)?;
        tell(spec, metal, &prepared, limit.as_ref(), (&file, &on), folder, made)?;
    }
    Ok(())
}

fn run(pass: Pass, product: Box<dyn Product>, name: &str, context: &Context, made: &mut Made) -> Result<()> {
    let started = std::time::Instant::now();
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    made.artifacts.extend(product.finish(&mut outcome, context)?);
    let seconds = started.elapsed().as_secs_f64();
    made.passes.push(Timed { name: name.into(), seconds, peak_bytes: outcome.peak_bytes });
    Ok(())
}

/// 1, 2 or 5 times a power of ten.
fn nice(raw: f64) -> f64 {
    let power = 10f64.powf(raw.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * power).find(|s| *s >= raw).unwrap_or(raw)
}

fn clipped(spec: &SoilSpec, grid: Grid) -> Result<(Grid, Option<Arc<AreaOfInterest>>)> {
    let Some(aoi) = &spec.aoi else { return Ok((grid, None)) };
    let layer = io::vector::read(&aoi.value, None).map_err(|e| aoi.wrap(&e))?;
    let on = AreaOfInterest::new(&layer, &grid).map_err(|e| aoi.wrap(&e))?;
    let window = on
        .window(&grid)
        .ok_or_else(|| aoi.fail(Kind::Input, &format!("{} does not meet the samples", aoi.value.display())))?;
    let grid = grid.crop(window);
    let clip = AreaOfInterest::new(&layer, &grid).map_err(|e| aoi.wrap(&e))?;
    Ok((grid, Some(Arc::new(clip))))
}

/// A limit with the words the report says about it.
struct Limit {
    value: f64,
    source: String,
    verified: bool,
}

fn limit(spec: &SoilSpec, metal: &Placed<String>, context: &Context) -> Result<Option<Limit>> {
    let Some(id) = &spec.standard else { return Ok(None) };
    let standard = standards::find(&id.value).map_err(|e| id.wrap(&e))?;
    let element = standards::element(&metal.value).ok_or_else(|| {
        metal
            .fail(Kind::Usage, "the column does not begin with the name or symbol of an element; name it like zn_mg_kg")
    })?;
    let found = standard.limit(element, "screening", spec.ph, spec.landuse.as_deref()).map_err(|e| metal.wrap(&e))?;
    if !standard.verified {
        context.notes.warn(&format!("{}: its numbers were not checked against the source", standard.id));
    }
    let assumed = if found.assumed.is_empty() { String::new() } else { format!(" ({})", found.assumed) };
    let source = format!("screening value of {}{assumed}", standard.title);
    context.notes.decide(&format!("{}: limit {} mg/kg, {source}", metal.value, found.value));
    Ok(Some(Limit { value: found.value, source, verified: standard.verified }))
}

/// Hectares and means of a written grid.
#[derive(Default)]
struct Totals {
    area_m2: f64,
    estimate_m2: f64,
    above_m2: f64,
    expected_m2: f64,
}

fn totals(path: &Path, limit: Option<f64>) -> Result<Totals> {
    let source = io::open_raster(path)?;
    let grid = source.grid().clone();
    let areas = CellAreas::new(&grid)?;
    let mut reader = source.open()?;
    let bands: Vec<usize> = if source.bands().len() > 2 { vec![0, 2] } else { vec![0] };
    let mut raw = vec![Raw::default(); bands.len()];
    let mut sum = Totals::default();
    for row0 in (0..grid.rows).step_by(WINDOW) {
        for col0 in (0..grid.cols).step_by(WINDOW) {
            let (w, h) = (WINDOW.min(grid.cols - col0), WINDOW.min(grid.rows - row0));
            reader.read(&bands, Window::new(col0 as i64, row0 as i64, w, h), &mut raw)?;
            let mut area = vec![0.0; w];
            for r in 0..h {
                areas.row((row0 + r) as i64, col0 as i64, &mut area);
                for (c, a) in area.iter().enumerate() {
                    let at = |band: usize| raw.get(band).map_or(f64::NAN, |raw| value(raw, r * w + c));
                    let (estimate, p) = (at(0), at(1));
                    if estimate.is_nan() {
                        continue;
                    }
                    sum.area_m2 += a;
                    sum.estimate_m2 += a * estimate;
                    if limit.is_some_and(|l| estimate > l) {
                        sum.above_m2 += a;
                    }
                    if !p.is_nan() {
                        sum.expected_m2 += a * p;
                    }
                }
            }
        }
    }
    Ok(sum)
}

fn value(raw: &Raw, i: usize) -> f64 {
    match &raw.samples {
        Samples::F32(v) => f64::from(v[i]),
        Samples::F64(v) => v[i],
        _ => f64::NAN,
    }
}

fn tell(
    spec: &SoilSpec,
    metal: &Placed<String>,
    prepared: &Prepared,
    limit: Option<&Limit>,
    (file, grid): (&str, &Grid),
    folder: &Path,
    made: &mut Made,
) -> Result<()> {
    let sum = totals(&folder.join(file), limit.map(|l| l.value))?;
    let summary = &mut made.summary;
    summary.grids.push(place::facts(grid, Vec::new())?);
    let number = summary.grids.len() - 1;
    let short = SoilSpec::short(&metal.value);
    let group = format!("soil_{}", layout::stem(&short));
    let columns = prepared.columns();
    for (band, name) in columns.iter().enumerate() {
        let log = if spec.log { "ln(mg/kg)" } else { "mg/kg" };
        let (title, kind, unit) = match band {
            0 => ("Estimate".to_owned(), MapKind::Estimate, "mg/kg"),
            1 if name == "sd" => ("Standard deviation".to_owned(), MapKind::Uncertainty, log),
            _ => ("Probability above the limit".to_owned(), MapKind::Probability, ""),
        };
        summary.maps.push(MapFacts {
            path: file.into(),
            band,
            title,
            group: group.clone(),
            group_title: short.clone(),
            kind,
            unit: unit.into(),
            grid: number,
        });
    }
    let positive = |v: f64| (sum.area_m2 > 0.0).then_some(v);
    let facts = SoilFacts {
        title: spec.name.clone().unwrap_or_else(|| prepared.name.clone()),
        metal: short.clone(),
        samples: prepared.samples.len() as u64,
        dropped: Vec::new(),
        method: format!("{}{}", prepared.method.title(), if spec.log { " of logarithms" } else { "" }),
        limit_mg_kg: limit.map(|l| l.value),
        limit_source: limit.map(|l| l.source.clone()),
        limit_verified: limit.is_none_or(|l| l.verified),
        mean_mg_kg: positive(sum.estimate_m2 / sum.area_m2),
        exceed_ha: limit.map(|_| sum.above_m2 / M2_PER_HA),
        exceed_expected_ha: limit.filter(|_| columns.len() > 2).map(|_| sum.expected_m2 / M2_PER_HA),
        area_ha: positive(sum.area_m2 / M2_PER_HA),
        group,
        variogram: variogram(prepared),
        validation: validation(prepared, spec.log),
    };
    let stem = layout::stem(&short);
    let mut figure = |indicator: String, value: Option<f64>| {
        summary.zones.push(ZoneFigure { zone: "all".into(), indicator, scene: "soil".into(), date: None, value });
    };
    figure(format!("{stem}_mean_mg_kg"), facts.mean_mg_kg);
    figure(format!("{stem}_exceed_ha"), facts.exceed_ha);
    figure(format!("{stem}_exceed_expected_ha"), facts.exceed_expected_ha);
    summary.soil.push(facts);
    Ok(())
}

fn variogram(prepared: &Prepared) -> Option<VariogramFacts> {
    let (model, empirical) = (prepared.model.as_ref()?, prepared.empirical.as_ref()?);
    let lag = |b: &crate::geostat::Bin| Lag { distance_m: b.distance, gamma: b.gamma, pairs: b.pairs };
    Some(VariogramFacts {
        lags: empirical.bins.iter().map(lag).collect(),
        model: model.to_string(),
        curve: model.curve(empirical.cutoff),
    })
}

fn validation(prepared: &Prepared, log: bool) -> Option<ValidationFacts> {
    let s = prepared.statistics.as_ref()?;
    let finite = |v: f64| v.is_finite().then_some(v);
    let pair = |r: &crate::geostat::Residual| (r.observed, r.estimate.value);
    let points = prepared.residuals.iter().map(pair).filter(|p| p.0.is_finite() && p.1.is_finite());
    Some(ValidationFacts {
        me: s.me,
        rmse: s.rmse,
        msdr: finite(s.msdr),
        ccc: finite(s.ccc),
        points: points.collect(),
        scale: if log { "ln(mg/kg)".into() } else { "mg/kg".into() },
    })
}
