//! Curves of areas: what the series of all pixels of a zone do, date by date or year by year.

use std::sync::Arc;

use super::Context;
use super::series::Series;
use crate::analysis::series::{Annual, SeriesAnalysis};
use crate::analysis::zonal::{Statistic, Zonal, ZonalChannel, ZonalSums};
use crate::engine::{Handle, Outcome, Pass};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::io::table::Table;
use crate::vector::{Feature, Geometry, Layer, Polygon, Value, ZoneIndex};

/// One point of the curve of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Time, in decimal years.
    pub time: f64,
    /// Valid pixels, parts of partly covered ones included.
    pub count: f64,
    /// Mean.
    pub mean: f64,
    /// Population standard deviation among pixels.
    pub stdev: f64,
    /// Quartiles among pixels: lower, median, upper; to 1 part in 32,768.
    pub quartiles: [f64; 3],
}

/// Curves that a pass makes.
pub struct Curves {
    handle: Handle<ZonalSums>,
    channels: Vec<ZonalChannel>,
    zones: Arc<ZoneIndex>,
    times: Vec<f64>,
}

/// Adds the curves of zones to a pass.
///
/// # Errors
/// Those of adding an analysis.
pub fn add(pass: &mut Pass, series: Series, zones: &Arc<ZoneIndex>, context: &Context) -> Result<Curves> {
    let times = series.axis();
    let names: Vec<String> = (0..times.len()).map(|i| format!("curve {i}")).collect();
    let clip = pass.area_of_interest().cloned();
    let planes = SeriesAnalysis::new(series.dates, series.periods, clip, Annual::new(names.clone()));
    let planes = pass.add(planes, Vec::new())?;
    for (i, name) in names.iter().enumerate() {
        pass.read_plane(name, &planes, i)?;
    }
    let channels: Vec<_> = names.into_iter().map(|name| ZonalChannel { name, pixels_per_own: 1.0 }).collect();
    let bytes = Zonal::most_bytes(zones, channels.len(), true).min(context.limits.memory / 4);
    let zonal = Zonal::new(channels.clone(), Arc::clone(zones), None, Some(bytes), pass.grid().window()).rounded();
    let handle = pass.add(zonal, Vec::new())?;
    Ok(Curves { handle, channels, zones: Arc::clone(zones), times })
}

impl Curves {
    /// The points of every zone, in order of time; times without a valid pixel are left out.
    ///
    /// # Errors
    /// Limit error where the values of zones did not fit.
    pub fn finish(self, outcome: &mut Outcome) -> Result<Vec<Vec<Point>>> {
        let sums = outcome.take(&self.handle)?;
        let quartile = |q| Statistic::Quantile(q, String::new());
        let statistics =
            [Statistic::Count, Statistic::Mean, Statistic::Stdev, quartile(0.25), quartile(0.5), quartile(0.75)];
        let mut curves = vec![Vec::new(); self.zones.len()];
        Zonal::results(&self.zones, &self.channels, sums, &statistics, |zone, at, values| {
            if let [Some(count), Some(mean), Some(stdev), Some(low), Some(median), Some(high)] = values[..]
                && count > 0.0
            {
                let quartiles = [low, median, high];
                curves[zone].push(Point { time: self.times[at], count, mean, stdev, quartiles });
            }
        })?;
        Ok(curves)
    }
}

/// The curves as a table, a row a zone and time.
#[must_use]
pub fn table(zones: &ZoneIndex, curves: &[Vec<Point>], index: &str) -> Table {
    let statistics = ["mean", "stdev", "q25", "median", "q75"];
    let mut table = Table::new(&["zone", "time_decimal_year", "count"]);
    table.columns.extend(statistics.iter().map(|s| format!("{index}_{s}")));
    for (zone, curve) in curves.iter().enumerate() {
        for p in curve {
            let [low, median, high] = p.quartiles;
            let numbers = [p.time, p.count, p.mean, p.stdev, low, median, high].map(Value::Real);
            table.rows.push(std::iter::once(Value::Text(zones.label(zone).to_owned())).chain(numbers).collect());
        }
    }
    table
}

/// One zone called `all`: the whole grid.
///
/// # Errors
/// Where the grid has no place or reference system.
pub fn whole(grid: &Grid) -> Result<Arc<ZoneIndex>> {
    let affine = grid.affine()?;
    let (cols, rows) = (grid.cols as f64, grid.rows as f64);
    let ring = [(0.0, 0.0), (cols, 0.0), (cols, rows), (0.0, rows), (0.0, 0.0)];
    let ring = ring.iter().map(|(col, row)| affine.forward(*col, *row)).collect();
    let layer = one_zone("all", grid.known_crs()?.clone(), vec![Polygon { rings: vec![ring] }]);
    ZoneIndex::build(&layer, grid, Some("zone")).map(Arc::new)
}

/// All polygons of a layer as one zone.
///
/// # Errors
/// Input error where there is no polygon, or no reference system.
pub fn joined(layer: &Layer, label: &str) -> Result<Layer> {
    let polygons: Vec<Polygon> = layer
        .features
        .iter()
        .filter_map(|f| if let Geometry::Polygons(p) = &f.geometry { Some(p.iter().cloned()) } else { None })
        .flatten()
        .collect();
    let crs = layer.crs.clone();
    match (polygons.is_empty(), crs) {
        (false, Some(crs)) => Ok(one_zone(label, crs, polygons)),
        (true, _) => Err(Error::input(format!("{}: holds no polygon, expected an area", layer.name))),
        (_, None) => Err(Error::input(format!("{}: has no CRS; give the layer one", layer.name))),
    }
}

fn one_zone(label: &str, crs: crate::grid::Crs, polygons: Vec<Polygon>) -> Layer {
    Layer {
        name: label.to_owned(),
        crs: Some(crs),
        columns: vec!["zone".into()],
        features: vec![Feature { geometry: Geometry::Polygons(polygons), values: vec![Value::Text(label.to_owned())] }],
        warnings: Vec::new(),
    }
}
