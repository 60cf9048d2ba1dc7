//! `regrow pixel`.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::args::{Common, SceneArgs};
use super::segment::{MethodArgs, MethodName};
use super::series_args::SeriesArgs;
use super::{Finish, console};
use crate::error::{Error, Result};
use crate::grid::transform::Transform;
use crate::grid::{Crs, Grid};
use crate::io::atomic::check_output;
use crate::io::table::{self, Table};
use crate::product::fit::{self, FitMethod, Fitted};
use crate::product::period::Every;
use crate::product::pixel::{PixelDate, PixelSeries, cell, read};
use crate::product::segment::SegmentMethod;
use crate::product::series::decimal_year;
use crate::report::drawing::{check_svg, write_svg};
use crate::report::series_chart::{self as chart, SeriesFacts};
use crate::scene::Alignment;
use crate::vector::Value;

/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// First coordinate, in the CRS of the scenes
    #[arg(value_name = "X", allow_negative_numbers = true)]
    x: f64,
    /// Second coordinate
    #[arg(value_name = "Y", allow_negative_numbers = true)]
    y: f64,
    /// Scenes, a date each, or stacks by role whose bands are dates (red=r.tif nir=n.tif)
    #[arg(required = true, value_name = "SCENE")]
    inputs: Vec<String>,
    /// X and Y are longitude and latitude in degrees
    #[arg(long)]
    lonlat: bool,
    /// Table of the dates (.csv, .json) instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Fit a model and print it: theil-sen, harmonic (--order waves), or a method of segment with its options (landtrendr takes
    /// years)
    #[arg(long, value_enum)]
    fit: Option<FitName>,
    /// Draw the dates, those that are masked hollow, and the model
    #[arg(long, value_name = "P.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    parameters: MethodArgs,
    #[command(flatten)]
    series: SeriesArgs,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FitName {
    TheilSen,
    Harmonic,
    Landtrendr,
    BfastMonitor,
    Ccdc,
    Cold,
}

/// Waves of a harmonic model where --order is not given.
const ORDER: u32 = 2;

/// Prints the series of one pixel.
///
/// # Errors
/// Those of opening the scenes, of places outside them, and of reading.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let method = args.method()?;
    let every = matches!(method, Some(FitMethod::Segment(SegmentMethod::LandTrendr(..)))).then_some(Every::Year);
    let options = args.series.options(every)?;
    if every.is_some() && options.every != every {
        return Err(Error::usage("--every: landtrendr takes a value a year: --every year, or none"));
    }
    let mut scenes = args.scene.open_stack(&args.inputs, &args.common, &context)?;
    args.series.select(&mut scenes)?;
    let (grid, scenes) = args.scene.together(scenes, Alignment::Intersection, &context)?;
    let files: Vec<PathBuf> = scenes.iter().flat_map(|s| s.files()).collect();
    if let Some(output) = &args.output {
        table::check_extension(output)?;
        check_output(output, args.common.overwrite, &files)?;
    }
    if let Some(plot) = &args.plot {
        check_svg(plot, &args.output.iter().collect::<Vec<_>>(), args.common.overwrite, &files)?;
    }
    let (x, y) = args.place(&grid)?;
    let window = cell(&grid, x, y)?;
    let series = read(&grid, window, &scenes, &options, &context)?;
    let fitted = method.as_ref().map(|m| fit(m, &series)).transpose()?;
    let name = options.indices.first().map_or("value", |i| i.name.as_str());
    let table = tabulate(&series, name);
    if let Some(plot) = &args.plot {
        let drawn = chart::series(&format!("{name} at {} {}", args.x, args.y), name, &facts(&series, fitted.as_ref()));
        write_svg(plot, &drawn, args.common.overwrite)?;
    }
    if let Some(output) = &args.output {
        table::write(output, &table, args.common.overwrite)?;
    }
    if args.common.json {
        let dates: Vec<Json> = series.dates.iter().map(document).collect();
        console::print_json(&json!({
            "col": window.col, "row": window.row, "index": name, "dates": dates,
            "times_decimal_year": series.times, "values": series.values, "fit": fitted.as_ref().map(model),
        }))?;
    } else {
        if args.output.is_none() {
            console::print(&text(&table))?;
        }
        if let Some(fitted) = &fitted {
            let figures: Vec<String> = fitted.figures.iter().map(|(k, v)| format!("{k:<28}  {v:.6}\n")).collect();
            let remark = fitted.remark.as_ref().map_or_else(String::new, |r| format!("{r}\n"));
            console::print(&format!("\n{}{remark}", figures.concat()))?;
        }
    }
    Ok(Finish::Done)
}

/// A model fitted to a series.
fn fit(method: &FitMethod, series: &PixelSeries) -> Result<Fitted> {
    let days: Vec<_> = series.dates.iter().map(|d| d.day).collect();
    let by_date: Vec<f64> = series.dates.iter().map(|d| d.value.unwrap_or(f64::NAN)).collect();
    fit::fit(method, &series.times, &series.values, &days, &by_date)
}

/// What is drawn: all dates that have a value, and the model; of periods what the model was fitted to.
fn facts(series: &PixelSeries, fitted: Option<&Fitted>) -> SeriesFacts {
    let dates =
        series.dates.iter().filter_map(|d| Some((decimal_year(d.day), d.value.or(d.unmasked)?, d.value.is_none())));
    let mut facts = SeriesFacts { points: dates.collect(), ..SeriesFacts::default() };
    if let Some(fitted) = fitted {
        facts.lines.clone_from(&fitted.lines);
        facts.marks.clone_from(&fitted.marks);
    }
    facts
}

fn model(fitted: &Fitted) -> Json {
    let figures: serde_json::Map<String, Json> = fitted.figures.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let lines: Vec<Json> =
        fitted.lines.iter().map(|(name, points)| json!({ "name": name, "points": points })).collect();
    let marks: Vec<Json> =
        fitted.marks.iter().map(|(t, what)| json!({ "time_decimal_year": t, "what": what })).collect();
    json!({ "figures": figures, "lines": lines, "marks": marks, "remark": fitted.remark })
}

impl Args {
    fn method(&self) -> Result<Option<FitMethod>> {
        let segment = |name| self.parameters.method(name, true).map(|m| Some(FitMethod::Segment(m)));
        match self.fit {
            Some(FitName::Landtrendr) => segment(MethodName::Landtrendr),
            Some(FitName::BfastMonitor) => segment(MethodName::BfastMonitor),
            Some(FitName::Ccdc) => segment(MethodName::Ccdc),
            Some(FitName::Cold) => segment(MethodName::Cold),
            Some(FitName::Harmonic) => {
                let order = self.parameters.only_order()?.unwrap_or(ORDER);
                Ok(Some(FitMethod::Harmonic(order as usize)))
            }
            Some(FitName::TheilSen) => self.parameters.none().map(|()| Some(FitMethod::TheilSen)),
            None => self.parameters.none().map(|()| None),
        }
    }

    /// The place in the CRS of the scenes.
    fn place(&self, grid: &Grid) -> Result<(f64, f64)> {
        if !self.lonlat {
            return Ok((self.x, self.y));
        }
        let to = grid.known_crs()?;
        let point = Transform::new(&Crs::parse("EPSG:4326")?, to)?.point(self.x, self.y);
        point
            .map_err(|e| Error::usage(format!("{} {}: no longitude and latitude in degrees here: {e}", self.x, self.y)))
    }
}

fn tabulate(series: &PixelSeries, name: &str) -> Table {
    let mut flags: Vec<&str> = Vec::new();
    for (flag, _) in series.dates.iter().flat_map(|d| &d.flags) {
        if !flags.contains(&flag.as_str()) {
            flags.push(flag);
        }
    }
    let mut table = Table::new(&["date", name, "state", &format!("{name}_unmasked")]);
    table.columns.extend(flags.iter().map(ToString::to_string));
    let real = |v: Option<f64>| v.map_or(Value::Null, Value::Real);
    for date in &series.dates {
        let mut row = vec![
            Value::Text(date.day.to_string()),
            real(date.value),
            Value::Text(date.state().into()),
            real(date.unmasked),
        ];
        row.extend(flags.iter().map(|f| real(date.flags.iter().find(|(n, _)| n == f).and_then(|(_, v)| *v))));
        table.rows.push(row);
    }
    table
}

fn document(date: &PixelDate) -> Json {
    let flags: serde_json::Map<String, Json> = date.flags.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
    json!({ "date": date.day.to_string(), "value": date.value, "state": date.state(), "unmasked": date.unmasked,
            "flags": flags })
}

/// A table as lines of aligned columns.
fn text(table: &Table) -> String {
    let cell = |value: &Value| match value {
        Value::Real(v) if v.fract() == 0.0 => format!("{v}"),
        Value::Real(v) => format!("{v:.4}"),
        Value::Text(t) => t.clone(),
        _ => "-".to_owned(),
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(table.columns.clone()).chain(table.rows.iter().map(|r| r.iter().map(cell).collect())).collect();
    let widths: Vec<usize> =
        (0..table.columns.len()).map(|k| rows.iter().map(|r| r[k].len()).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
