//! `regrow align`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Finish;
use super::args::Common;
use super::execute::execute;
use crate::engine::warp::{Resampling, Warper};
use crate::error::{Error, Result};
use crate::product::align::{self, AlignOptions};
use crate::raster::Source;
use crate::scene::{Target, extent, local_file};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Integers without a stated scale stay integers (rounded as gdalwarp does), classes too; what states a \
                        scale is written as the physical quantity in float32. A pixel is nodata where valid source pixels \
                        have less than half of its kernel."
)]
pub struct Args {
    /// Rasters
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Raster to write; a folder where several inputs are written each under its own name
    #[arg(short, long, value_name = "FILE|DIR")]
    output: PathBuf,
    /// Grid: a raster file, first, union, intersection, or EPSG:n:SIZE (EPSG:32634:10), its edges multiples of SIZE
    #[arg(long, value_name = "GRID")]
    to: Target,
    /// nearest, bilinear, cubic, average or mode [default: bilinear, average where pixels grow twofold or more; classes
    /// nearest]
    #[arg(long, value_name = "METHOD")]
    resampling: Option<Resampling>,
    /// Write all inputs into one raster; the first that has a value wins
    #[arg(long)]
    mosaic: bool,
    #[command(flatten)]
    common: Common,
}

/// Puts rasters on one grid.
///
/// # Errors
/// Those of opening the inputs, of grids without a place and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let context = args.common.context()?;
    let mut sources: Vec<Arc<dyn Source>> = Vec::with_capacity(args.inputs.len());
    for input in &args.inputs {
        let path = local_file(input)?;
        sources.push(args.common.raster(&path, &context)?);
        context.notes.reads(&path, None);
    }
    let rasters: Vec<_> = sources.iter().map(|s| (s.name(), s.grid())).collect();
    let mut grid = args.to.grid(&rasters).map_err(|e| e.context(format!("--to {}", args.to)))?;
    if let Some(bbox) = args.common.bbox {
        grid = extent::crop("--to", &grid, bbox)?;
    }
    let options = AlignOptions {
        outputs: outputs(&args.inputs, &args.output, args.mosaic)?,
        resampling: args.resampling,
        nodata: args.common.nodata,
    };
    let mut pass = args.common.pass("align", &grid, &context)?;
    let warper = Warper::new(grid);
    let product = align::add(&mut pass, &warper, &sources, &options, &context)?;
    execute(pass, vec![product], &args.common, &context)
}

/// A file an input, or one for the mosaic.
fn outputs(inputs: &[PathBuf], output: &Path, mosaic: bool) -> Result<Vec<PathBuf>> {
    if mosaic || (inputs.len() == 1 && !output.is_dir()) {
        return Ok(vec![output.to_owned()]);
    }
    if !output.is_dir() {
        return Err(Error::usage(format!(
            "{}: several inputs are written into a folder, which must exist; make it, or join them with --mosaic",
            output.display()
        )));
    }
    let named = |input: &PathBuf| {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy();
        output.join(format!("{stem}.tif"))
    };
    Ok(inputs.iter().map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_inputs_need_a_folder_or_one_mosaic() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = [PathBuf::from("a/x.tif"), PathBuf::from("b/y.jp2")];
        let file = dir.path().join("out.tif");
        assert_eq!(outputs(&inputs, &file, true).unwrap(), std::slice::from_ref(&file));
        assert!(outputs(&inputs, &file, false).is_err());
        assert_eq!(outputs(&inputs, dir.path(), false).unwrap()[1], dir.path().join("y.tif"));
        assert_eq!(outputs(&inputs[..1], &file, false).unwrap(), [file]);
    }
}
