//! The series of one pixel: what every date says there, what its masks say, and what is left for a model.

use std::sync::Arc;

use jiff::civil::Date;

use super::Context;
use super::series::{SeriesOptions, enter};
use crate::analysis::series::{Dates, Probe, Statistic};
use crate::engine::{Channel, Pass};
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::scene::{Entered, Scene};
use crate::spectral::{Graph, Program};

/// One date of a pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelDate {
    /// Day of the acquisition.
    pub day: Date,
    /// What the series holds: none where masked or nodata.
    pub value: Option<f64>,
    /// What it would hold without masks.
    pub unmasked: Option<f64>,
    /// Stored values of the mask bands, by name.
    pub flags: Vec<(String, Option<f64>)>,
}

impl PixelDate {
    /// Why the date counts or does not: `valid`, `masked` or `nodata` (fill, out of range, or an index that is not defined).
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.value, self.unmasked) {
            (Some(_), _) => "valid",
            (None, Some(_)) => "masked",
            (None, None) => "nodata",
        }
    }
}

/// A pixel with its dates, and the observations a model gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PixelSeries {
    /// All dates, in order of time.
    pub dates: Vec<PixelDate>,
    /// Times of the valid observations (of periods, where the series is reduced).
    pub times: Vec<f64>,
    /// Their values.
    pub values: Vec<f64>,
}

/// The cell of a grid that holds a place.
///
/// # Errors
/// Input error that prints the extent where it lies outside.
pub fn cell(grid: &Grid, x: f64, y: f64) -> Result<Window> {
    let (col, row) = grid.affine()?.inverse(x, y);
    let inside = col >= 0.0 && row >= 0.0 && col < grid.cols as f64 && row < grid.rows as f64;
    if !inside {
        return Err(Error::input(format!(
            "{x} {y}: lies outside the scenes, which cover {}",
            crate::scene::extent::describe(grid)
        )));
    }
    Ok(Window::new(col as i64, row as i64, 1, 1))
}

/// Reads the series at one cell of `grid`, which all scenes lie on.
///
/// # Errors
/// As [`enter`], and those of reading.
pub fn read(
    grid: &Grid,
    cell: Window,
    scenes: &[Scene],
    options: &SeriesOptions,
    context: &Context,
) -> Result<PixelSeries> {
    let mut pass = Pass::new("pixel", grid.crop(cell));
    let with_masks = entered(&mut pass, scenes, "")?;
    let series = enter(&mut pass, &with_masks.iter().collect::<Vec<_>>(), options)?;
    let bare: Vec<Scene> = scenes.iter().map(unmasked).collect();
    let without_masks = entered(&mut pass, &bare, "unmasked ")?;
    let plain = enter(&mut pass, &without_masks.iter().collect::<Vec<_>>(), options)?;
    let (names, flags) = flags(&mut pass, scenes)?;
    let days = series.days.clone();
    let axis = series.axis();
    let periods = series.periods.clone();
    let value = pass.add(Probe::new(series.dates), Vec::new())?;
    let unmasked = pass.add(Probe::new(plain.dates), Vec::new())?;
    let flags = if flags.is_empty() { None } else { Some(pass.add(Probe::new(flags), Vec::new())?) };
    pass.source_names().iter().for_each(|name| context.notes.reads(&crate::scene::on_disk(name), None));
    let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
    let (value, unmasked) = (outcome.take(&value)?.0, outcome.take(&unmasked)?.0);
    let flags = flags.map_or_else(|| Ok(Vec::new()), |f| outcome.take(&f).map(|probed| probed.0))?;
    let finite = |v: f64| v.is_finite().then_some(v);
    let mut dates = Vec::with_capacity(days.len());
    let mut flags = flags.into_iter();
    for ((day, names), (value, unmasked)) in days.into_iter().zip(names).zip(value.iter().zip(&unmasked)) {
        let flags = names.into_iter().zip(flags.by_ref()).map(|(n, v)| (n, finite(v))).collect();
        dates.push(PixelDate { day, value: finite(*value), unmasked: finite(*unmasked), flags });
    }
    let observed = |time: &f64, value: Option<f64>| value.map(|v| (*time, v));
    let pairs: Vec<(f64, f64)> = match periods {
        None => axis.iter().zip(&value).filter_map(|(t, v)| observed(t, finite(*v))).collect(),
        Some((periods, statistic)) => {
            let of = |dates: std::ops::Range<usize>| {
                let mut valid: Vec<f64> = value[dates].iter().copied().filter(|v| v.is_finite()).collect();
                Statistic::of(statistic, &mut valid)
            };
            periods.iter().filter_map(|p| observed(&p.time, of(p.dates.clone()))).collect()
        }
    };
    let (times, values) = pairs.into_iter().unzip();
    Ok(PixelSeries { dates, times, values })
}

fn entered(pass: &mut Pass, scenes: &[Scene], prefix: &str) -> Result<Vec<Entered>> {
    scenes.iter().enumerate().map(|(i, scene)| scene.enter(pass, &format!("{prefix}{i}:"))).collect()
}

/// A scene whose masks and marks of saturation count for nothing.
fn unmasked(scene: &Scene) -> Scene {
    let mut scene = scene.clone();
    scene.masks.clear();
    scene.bands.iter_mut().for_each(|band| band.saturated = None);
    scene
}

/// The mask bands of all dates as stored, and their names date by date.
fn flags(pass: &mut Pass, scenes: &[Scene]) -> Result<(Vec<Vec<String>>, Dates)> {
    let (mut names, mut dates) = (Vec::with_capacity(scenes.len()), Dates::new());
    let mut graph = Graph::default();
    let input = graph.input("flag");
    let program = Arc::new(Program::compile(&graph, &[input]));
    for (i, scene) in scenes.iter().enumerate() {
        let mut own = Vec::new();
        for mask in &scene.masks {
            let channel = Channel {
                name: format!("{i}: {}", mask.name),
                source: Arc::clone(&mask.source),
                band: mask.band,
                scale: 1.0,
                offset: 0.0,
                nodata: None,
                valid: None,
                masks: Vec::new(),
            };
            let name = channel.name.clone();
            pass.channel(channel)?;
            dates.push(i as f64, &program, vec![name]);
            own.push(mask.name.clone());
        }
        names.push(own);
    }
    Ok((names, dates))
}
