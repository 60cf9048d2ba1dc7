//! Figures by zone of the rasters a run writes, taken while they are made: means of quantities and hectares of classes.

use std::path::PathBuf;
use std::sync::Arc;

use super::summary::{ClassArea, ClassTable, Outline, ZoneFigure};
use crate::analysis::tallied::TalliedClasses;
use crate::analysis::tally::{ClassAreas, ClassTally};
use crate::analysis::zonal::{Statistic, Zonal, ZonalChannel, ZonalSums};
use crate::engine::{Handle, Outcome, Pass};
use crate::error::Result;
use crate::grid::Grid;
use crate::grid::area::CellAreas;
use crate::raster::Class;
use crate::vector::{Feature, Geometry, Layer, Polygon, Value, ZoneIndex};

/// Zones beyond this number are not drawn on maps.
const MOST_OUTLINES: usize = 300;

/// A band whose mean is a figure.
pub struct Quantity {
    /// Name of the figure (`ndvi_mean`).
    pub indicator: String,
    /// Raster of one quantity, an output of the pass.
    pub output: PathBuf,
    /// Band, from 0.
    pub band: usize,
    /// Label of its scene.
    pub scene: String,
    /// Date of its scene.
    pub date: Option<String>,
    /// Tell the valid hectares of this band too.
    pub valid_ha: bool,
}

/// A class band whose hectares are figures.
pub struct ClassBand {
    /// The band.
    pub band: Quantity,
    /// Classes in order of their values.
    pub classes: Vec<Class>,
    /// Name of the figure of each class; empty for a class that is not told.
    pub indicators: Vec<String>,
    /// Position of the class whose share of the valid area is told too, and the name of that figure.
    pub share: Option<(usize, String)>,
    /// Group and heading of the table of the whole area.
    pub table: (String, String),
}

/// The figures of a pass.
pub struct Figures {
    quantities: Vec<Quantity>,
    classes: Vec<ClassBand>,
    channels: Vec<ZonalChannel>,
    zones: Option<(Arc<ZoneIndex>, Handle<ZonalSums>)>,
    whole: (Arc<ZoneIndex>, Handle<ZonalSums>),
    tallies: Vec<Handle<ClassAreas>>,
}

/// Mean, where there is one, and valid hectares.
type MeanArea = (Option<f64>, f64);

/// What a pass of figures found.
#[derive(Default)]
pub struct Found {
    /// Rows of `zones.csv`.
    pub zones: Vec<ZoneFigure>,
    /// Hectares of the whole area by class.
    pub tables: Vec<ClassTable>,
}

/// A layer of one zone named `all` that covers a grid.
fn whole_layer(grid: &Grid) -> Result<Layer> {
    let affine = grid.affine()?;
    let (c, r) = (grid.cols as f64, grid.rows as f64);
    let ring = [(0.0, 0.0), (c, 0.0), (c, r), (0.0, r), (0.0, 0.0)].map(|(x, y)| affine.forward(x, y)).to_vec();
    Ok(Layer {
        name: "whole area".into(),
        crs: grid.crs().cloned(),
        columns: vec!["zone".into()],
        features: vec![Feature {
            geometry: Geometry::Polygons(vec![Polygon { rings: vec![ring] }]),
            values: vec![Value::Text("all".into())],
        }],
        warnings: Vec::new(),
    })
}

impl Figures {
    /// Adds all figures to the pass that writes the rasters, after the products that do.
    ///
    /// # Errors
    /// Where the pass does not write a raster, or the grid has no place on Earth (hectares are geodesic).
    pub fn add(
        pass: &mut Pass,
        zones: Option<&Arc<ZoneIndex>>,
        quantities: Vec<Quantity>,
        classes: Vec<ClassBand>,
    ) -> Result<Self> {
        let grid = pass.grid().clone();
        let window = grid.window();
        let mut channels = Vec::new();
        for (i, q) in quantities.iter().enumerate() {
            let name = format!("q{i}");
            read(pass, &name, q)?;
            channels.push(ZonalChannel { name, pixels_per_own: 1.0 });
        }
        let whole = Arc::new(ZoneIndex::build(&whole_layer(&grid)?, &grid, Some("zone"))?);
        let areas = Arc::new(CellAreas::new(&grid)?);
        let zonal = |index: &Arc<ZoneIndex>| {
            Zonal::new(channels.clone(), Arc::clone(index), Some(Arc::clone(&areas)), None, window)
        };
        let whole_handle = pass.add(zonal(&whole), Vec::new())?;
        let zones = match zones {
            Some(index) => Some((Arc::clone(index), pass.add(zonal(index), Vec::new())?)),
            None => None,
        };
        let mut tallies = Vec::new();
        for (i, c) in classes.iter().enumerate() {
            let name = format!("c{i}");
            read(pass, &name, &c.band)?;
            let values: Vec<u8> = c.classes.iter().map(|c| c.value).collect();
            let tally = ClassTally::new(&grid, zones.as_ref().map(|z| Arc::clone(&z.0)), &values, 255)?;
            tallies.push(pass.add(TalliedClasses { channel: name, tally }, Vec::new())?);
        }
        Ok(Self { quantities, classes, channels, zones, whole: (whole, whole_handle), tallies })
    }

    /// Takes the figures out of a finished pass, zone by zone in the order of the layer, the whole area last.
    ///
    /// # Errors
    /// Defects only.
    pub fn finish(self, outcome: &mut Outcome) -> Result<Found> {
        let mut found = Found::default();
        let areas = self.tallies.iter().map(|t| outcome.take(t)).collect::<Result<Vec<ClassAreas>>>()?;
        if let Some((index, handle)) = &self.zones {
            let means = self.means(index, outcome.take(handle)?)?;
            for (zone, row) in means.iter().enumerate() {
                self.tell(&mut found.zones, index.label(zone), Some(zone), row, &areas);
            }
        }
        let means = self.means(&self.whole.0, outcome.take(&self.whole.1)?)?;
        self.tell(&mut found.zones, "all", None, means.first().map_or(&[], Vec::as_slice), &areas);
        for (band, areas) in self.classes.iter().zip(&areas) {
            let class = |(i, c): (usize, &Class)| ClassArea {
                value: c.value,
                name: c.name.clone(),
                rgb: c.rgb,
                area_ha: areas.hectares(None, i),
            };
            found.tables.push(ClassTable {
                group: band.table.0.clone(),
                title: band.table.1.clone(),
                classes: band.classes.iter().enumerate().map(class).collect(),
            });
        }
        Ok(found)
    }

    /// Mean and valid hectares of every quantity, zone by zone.
    fn means(&self, index: &ZoneIndex, sums: ZonalSums) -> Result<Vec<Vec<MeanArea>>> {
        let mut rows = vec![vec![(None, 0.0); self.quantities.len()]; index.len()];
        Zonal::results(index, &self.channels, sums, &[Statistic::Mean, Statistic::AreaHa], |zone, channel, values| {
            rows[zone][channel] = (values[0], values[1].unwrap_or(0.0));
        })?;
        Ok(rows)
    }

    /// The figures of one zone, in the order they were asked for.
    fn tell(
        &self,
        rows: &mut Vec<ZoneFigure>,
        label: &str,
        zone: Option<usize>,
        means: &[MeanArea],
        areas: &[ClassAreas],
    ) {
        let mut push = |indicator: &str, q: &Quantity, value: Option<f64>| {
            rows.push(ZoneFigure {
                zone: label.to_owned(),
                indicator: indicator.to_owned(),
                scene: q.scene.clone(),
                date: q.date.clone(),
                value,
            });
        };
        for (q, mean) in self.quantities.iter().zip(means) {
            push(&q.indicator, q, mean.0);
            if q.valid_ha {
                push("valid_ha", q, Some(mean.1));
            }
        }
        for (band, areas) in self.classes.iter().zip(areas) {
            let valid = areas.valid_ha(zone);
            for (i, name) in band.indicators.iter().enumerate().filter(|(_, n)| !n.is_empty()) {
                push(name, &band.band, Some(areas.hectares(zone, i)));
            }
            if band.band.valid_ha {
                push("valid_ha", &band.band, Some(valid));
            }
            if let Some((i, name)) = &band.share {
                push(name, &band.band, (valid > 0.0).then(|| areas.hectares(zone, *i) / valid));
            }
        }
    }
}

fn read(pass: &mut Pass, name: &str, q: &Quantity) -> Result<()> {
    pass.read_again(name, &q.output.to_string_lossy(), q.band)
}

/// Zone outlines in pixel coordinates of a grid, to a tenth of a pixel; none where there are too many to draw.
///
/// # Errors
/// Where the layer has no CRS or no transform to the grid is known.
pub fn outlines(layer: &Layer, index: &ZoneIndex, grid: &Grid) -> Result<Vec<Outline>> {
    if layer.features.len() > MOST_OUTLINES {
        return Ok(Vec::new());
    }
    let (Some(from), affine) = (&layer.crs, grid.affine()?) else { return Ok(Vec::new()) };
    let transform = crate::grid::transform::Transform::new(from, grid.known_crs()?)?;
    let mut drawn = Vec::new();
    for (i, feature) in layer.features.iter().enumerate() {
        let Geometry::Polygons(polygons) = &feature.geometry else { continue };
        let mut rings = Vec::new();
        for ring in polygons.iter().flat_map(|p| &p.rings) {
            let mut points = ring.clone();
            transform.points(&mut points)?;
            let tenth = |v: f64| (v * 10.0).round() / 10.0;
            let pixel = |&(x, y): &(f64, f64)| {
                let (c, r) = affine.inverse(x, y);
                (tenth(c), tenth(r))
            };
            rings.push(points.iter().map(pixel).collect());
        }
        drawn.push(Outline { zone: index.label(i).to_owned(), rings });
    }
    Ok(drawn)
}
