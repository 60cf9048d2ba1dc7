//! Zonal statistics of many rasters in one pass, as a table or as the zones with columns added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Artifact, Context, Product};
use crate::analysis::zonal::{Statistic, Zonal, ZonalChannel, ZonalSums};
use crate::engine::{Channel, Handle, Outcome, Pass};
use crate::error::{Error, Result};
use crate::grid::area::CellAreas;
use crate::io::{table, vector};
use crate::raster::Source;
use crate::vector::{Feature, Layer, Value, ZoneIndex};

/// What `zonal` computes and where it goes.
#[derive(Clone, Debug)]
pub struct ZonalOptions {
    /// `.csv` and `.json` are tables; `.gpkg`, `.geojson` and `.fgb` keep the polygons.
    pub output: PathBuf,
    /// Statistics in column order.
    pub statistics: Vec<Statistic>,
    /// Keep this column of the zones alone; all of them otherwise.
    pub id: Option<String>,
    /// Nodata in stored values, instead of the files' own.
    pub nodata: Option<f64>,
}

/// A raster with the name its columns get.
#[derive(Clone)]
pub struct ZonalRaster {
    /// Name in columns (`NAME_mean`).
    pub name: String,
    /// Pixels.
    pub source: Arc<dyn Source>,
}

/// Checks, before any work, that the extension of the output is one this product writes.
///
/// # Errors
/// Usage error that lists the formats.
pub fn check_output(path: &Path) -> Result<()> {
    let known = table::check_extension(path).is_ok() || vector::check_extension(path).is_ok();
    if known {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{}: zonal tables are written as .csv or .json, zones with statistics as .gpkg, .geojson or .fgb",
        path.display()
    )))
}

/// Adds the statistics of all bands of `rasters` to a pass whose grid is their common one. Scale and offset stated by the
/// files are applied.
///
/// # Errors
/// Where two columns would have one name, a raster does not nest with the pass grid, or hectares are asked for and the grid
/// has no CRS.
pub fn add(
    pass: &mut Pass,
    rasters: &[ZonalRaster],
    layer: &Layer,
    zones: &Arc<ZoneIndex>,
    options: &ZonalOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    let single = rasters.len() == 1 && rasters[0].source.bands().len() == 1;
    let mut channels = Vec::new();
    let mut prefixes = Vec::new();
    for (r, raster) in rasters.iter().enumerate() {
        let nest = pass.grid().nest(raster.source.grid()).map_err(|e| e.context(raster.source.name()))?;
        let bands = raster.source.bands();
        for (b, band) in bands.iter().enumerate() {
            let name = format!("{r}:{b}");
            pass.channel(Channel {
                name: name.clone(),
                source: Arc::clone(&raster.source),
                band: b,
                scale: band.scale,
                offset: band.offset,
                nodata: options.nodata.or(band.nodata),
                valid: None,
                masks: Vec::new(),
            })?;
            if band.scale != 1.0 || band.offset != 0.0 {
                context.notes.decide(&format!(
                    "{} band {}: values are stored x {} + {} (stated by the file)",
                    raster.source.name(),
                    b + 1,
                    band.scale,
                    band.offset
                ));
            }
            channels.push(ZonalChannel { name, pixels_per_own: (nest.factor * nest.factor) as f64 });
            prefixes.push(match (single, bands.len()) {
                (true, _) => String::new(),
                (false, 1) => format!("{}_", raster.name),
                (false, _) => format!("{}_{}_", raster.name, band_name(&band.name, b)),
            });
        }
    }
    let columns = columns(&prefixes, &options.statistics)?;
    let areas = if options.statistics.contains(&Statistic::AreaHa) {
        Some(Arc::new(CellAreas::new(pass.grid()).map_err(|e| e.context("area_ha"))?))
    } else {
        None
    };
    let values = options.statistics.iter().any(Statistic::needs_values).then(|| {
        // All pixels of all zones if they fit, else about a quarter of the ceiling. Small ceilings get a fixed share: were
        // it to grow with them too, the least memory told to the user would not be enough when asked for.
        const SMALL: u64 = 256 << 20;
        let share = (16 << 20) + context.limits.memory.saturating_sub(SMALL) / 4;
        Zonal::most_bytes(zones, channels.len(), false).min(share)
    });
    let window = pass.grid().window();
    let handle = pass.add(Zonal::new(channels.clone(), Arc::clone(zones), areas, values, window), Vec::new())?;
    for text in zones.decisions() {
        context.notes.decide(text);
    }
    for text in layer.warnings.iter().chain(zones.warnings()) {
        context.notes.warn(text);
    }
    Ok(Box::new(Zones {
        handle,
        channels,
        columns,
        zones: Arc::clone(zones),
        layer: attributes(layer, zones, options.id.as_deref()),
        options: options.clone(),
    }))
}

/// Name of a band in columns: its description without what column names may not hold, else its number.
fn band_name(description: &str, band: usize) -> String {
    let name: String = description.trim().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() { format!("band{}", band + 1) } else { name }
}

fn columns(prefixes: &[String], statistics: &[Statistic]) -> Result<Vec<String>> {
    let all: Vec<String> =
        prefixes.iter().flat_map(|p| statistics.iter().map(move |s| format!("{p}{}", s.name()))).collect();
    let mut seen = BTreeSet::new();
    match all.iter().find(|c| !seen.insert(*c)) {
        None => Ok(all),
        Some(twice) => Err(Error::usage(format!(
            "two columns would be named {twice}; name the rasters apart (NAME=PATH) and give every statistic once"
        ))),
    }
}

/// The layer with the attributes that go into the output. Zones that their attributes do not tell apart get the number of
/// their feature as well.
fn attributes(layer: &Layer, zones: &ZoneIndex, id: Option<&str>) -> Layer {
    let mut out = layer.clone();
    let find = |id: &str| {
        let exact = layer.columns.iter().position(|c| c == id);
        exact.or_else(|| layer.columns.iter().position(|c| c.eq_ignore_ascii_case(id)))
    };
    if let Some(c) = id.and_then(find) {
        out.columns = vec![layer.columns[c].clone()];
        for f in &mut out.features {
            f.values = vec![f.values.get(c).cloned().unwrap_or(Value::Null)];
        }
    }
    if !zones.has_unique_labels() || out.columns.is_empty() {
        out.columns.insert(0, "feature".into());
        out.features.iter_mut().zip(1..).for_each(|(f, n)| f.values.insert(0, Value::Int(n)));
    }
    out
}

struct Zones {
    handle: Handle<ZonalSums>,
    channels: Vec<ZonalChannel>,
    columns: Vec<String>,
    zones: Arc<ZoneIndex>,
    layer: Layer,
    options: ZonalOptions,
}

/// Which rule decided how much of a pixel counts; a column of every zonal table.
const RULE: (&str, &str) = ("coverage_rule", "exact_fraction");

impl Product for Zones {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let sums = outcome.take(&self.handle)?;
        let mut statistics = self.options.statistics.clone();
        let asked = statistics.len();
        // Always known, so that empty and partly covered zones are told apart from full ones.
        statistics.extend([Statistic::Count, Statistic::CoveredShare]);
        let mut rows: Vec<Vec<Value>> = vec![Vec::new(); self.zones.len()];
        let mut shares: Vec<Vec<Value>> = vec![Vec::new(); self.zones.len()];
        let mut empty: Vec<&str> = Vec::new();
        Zonal::results(&self.zones, &self.channels, sums, &statistics, |zone, channel, values| {
            if channel == 0 && values[asked].is_none_or(|count| count == 0.0) {
                empty.push(self.zones.label(zone));
            }
            shares[zone].push(values[asked + 1].map_or(Value::Null, Value::Real));
            rows[zone].extend(values.iter().zip(&statistics).take(asked).map(|(v, s)| cell(*v, s)));
        })?;
        if let Some(first) = empty.first() {
            context.notes.warn(&format!(
                "zones {}: {} of {} zones cover no valid pixel ({first}); their count is 0 and their means are empty",
                self.layer.name,
                empty.len(),
                self.zones.len()
            ));
        }
        let found = self.zones.len() - empty.len();
        let mut layer = self.layer.clone();
        self.name_columns(&mut layer);
        for ((feature, row), share) in layer.features.iter_mut().zip(rows).zip(shares) {
            feature.values.extend(row);
            if !self.options.statistics.contains(&Statistic::CoveredShare) {
                feature.values.extend(share);
            }
            feature.values.push(Value::Text(RULE.1.into()));
        }
        self.write(layer, context.overwrite)?;
        let figures = [("zones", self.zones.len()), ("zones_with_pixels", found)];
        Ok(vec![Artifact {
            path: self.options.output.clone(),
            role: "zonal".into(),
            title: "Zonal statistics".into(),
            figures: figures.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect(),
        }])
    }
}

impl Zones {
    fn name_columns(&self, layer: &mut Layer) {
        let mut add = |name: String| {
            // An attribute of the zones may have the name of a statistic; both are kept.
            let taken = layer.columns.contains(&name);
            layer.columns.push(if taken { format!("{name}_zonal") } else { name });
        };
        self.columns.iter().cloned().for_each(&mut add);
        if !self.options.statistics.contains(&Statistic::CoveredShare) {
            let per = self.options.statistics.len().max(1);
            for c in self.columns.chunks(per) {
                let statistic = self.options.statistics[0].name();
                add(format!("{}covered_share", c[0].strip_suffix(statistic).unwrap_or_default()));
            }
        }
        add(RULE.0.to_owned());
    }

    fn write(&self, layer: Layer, overwrite: bool) -> Result<()> {
        let path = &self.options.output;
        if table::check_extension(path).is_err() {
            return vector::write(path, &layer, overwrite);
        }
        let rows = layer.features.into_iter().map(|Feature { values, .. }| values).collect();
        table::write(path, &table::Table { columns: layer.columns, rows }, overwrite)
    }
}

/// Counts of distinct values are whole numbers, everything else is real.
fn cell(value: Option<f64>, statistic: &Statistic) -> Value {
    match (value, statistic) {
        (None, _) => Value::Null,
        (Some(v), Statistic::Variety) => Value::Int(v as i64),
        (Some(v), _) => Value::Real(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_column_names_are_refused() {
        let statistics = vec![Statistic::Mean, Statistic::Count];
        let prefixes = ["a_".to_owned(), "a_".to_owned()];
        assert!(columns(&prefixes, &statistics).unwrap_err().message().contains("a_mean"));
        assert_eq!(columns(&[String::new()], &statistics).unwrap(), ["mean", "count"]);
    }

    #[test]
    fn bands_are_named_by_description_or_number() {
        assert_eq!(band_name("NDVI after", 0), "NDVI_after");
        assert_eq!(band_name("", 2), "band3");
    }
}
