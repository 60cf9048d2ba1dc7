//! `regrow zonal`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Finish;
use super::args::Common;
use super::execute::execute;
use crate::analysis::zonal::Statistic;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::io::{atomic, sidecar, vector};
use crate::product::zonal::{self, ZonalOptions, ZonalRaster};
use crate::product::{Context, Product};
use crate::scene::{Alignment, extent, local_file};
use crate::vector::ZoneIndex;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Rasters; NAME=FILE names the columns of one [default: the file's name without extension]
    #[arg(required = true, value_name = "RASTER")]
    pub rasters: Vec<String>,
    /// Polygons: .gpkg, .geojson, .fgb or .shp, in any reference system
    #[arg(long, value_name = "FILE")]
    pub zones: String,
    /// Layer of the zones where the file holds several
    #[arg(long, alias = "layer", value_name = "NAME")]
    pub zones_layer: Option<String>,
    /// Column that names the zones; the output keeps it alone [default: all columns are kept]
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// Statistics: count mean stdev variance cv min max sum median q05 (any percent) majority minority variety area_ha
    /// covered_share
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = Statistic::parse,
          default_value = "count,mean,stdev,min,max,sum")]
    pub stats: Vec<Statistic>,
    /// Output: .csv or .json (table), .gpkg, .geojson or .fgb (zones with statistics)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc line would replace the heading of the options")]
    pub common: Common,
}

/// Computes statistics of rasters in zones.
///
/// # Errors
/// Usage errors of the options; input errors of rasters and zones, of grids that do not nest and of zones that do not
/// overlap; limit and I/O errors.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    zonal::check_output(&args.output)?;
    let mut rasters = Vec::with_capacity(args.rasters.len());
    let mut inputs = Vec::with_capacity(args.rasters.len() + 1);
    for text in &args.rasters {
        let (raster, path) = open(text, &args.common, &context)?;
        rasters.push(raster);
        inputs.push(path);
    }
    let zones_path = local_file(&args.zones)?;
    inputs.push(zones_path.clone());
    for path in [&args.output, &sidecar::path_for(&args.output)] {
        atomic::check_output(path, args.common.overwrite, &inputs)?;
    }
    inputs.iter().for_each(|i| context.notes.reads(i, None));
    let layer = vector::read(&zones_path, args.zones_layer.as_deref())?;
    let grids: Vec<(&str, &Grid)> = rasters.iter().map(|r| (r.source.name(), r.source.grid())).collect();
    let mut grid = extent::common(&grids, Some(Alignment::Union))?;
    if let Some(bbox) = args.common.bbox {
        grid = extent::crop(rasters[0].source.name(), &grid, bbox)?;
    }
    let mut pass = args.common.pass("zonal", &grid, &context)?;
    let named = |e: Error| if e.message().contains(&args.zones) { e } else { e.context(&args.zones) };
    let zones = Arc::new(ZoneIndex::build(&layer, pass.grid(), args.id.as_deref()).map_err(named)?);
    let options = ZonalOptions {
        output: args.output.clone(),
        statistics: args.stats.clone(),
        id: args.id.clone(),
        nodata: args.common.nodata,
    };
    let product = zonal::add(&mut pass, &rasters, &layer, &zones, &options, &context)?;
    execute(pass, vec![product as Box<dyn Product>], &args.common, &context)
}

/// Opens `FILE` or `NAME=FILE`.
fn open(text: &str, common: &Common, context: &Context) -> Result<(ZonalRaster, PathBuf)> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) if !Path::new(text).exists() && !name.is_empty() && !name.contains('/') => {
            (Some(name), file)
        }
        _ => (None, text),
    };
    let path = local_file(file)?;
    let source = common.raster(&path, context)?;
    // Zones need both, and only here is the raster known by name.
    let grid = source.grid();
    grid.affine().and_then(|_| grid.known_crs()).map_err(|e| e.context(source.name()))?;
    let stem = || path.file_stem().map_or_else(|| "raster".to_owned(), |s| s.to_string_lossy().into_owned());
    Ok((ZonalRaster { name: name.map_or_else(stem, str::to_owned), source }, path))
}
