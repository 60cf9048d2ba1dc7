//! `regrow ingest`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::Common;
use super::execute::{self, explain};
use super::{Finish, console};
use crate::engine::Pass;
use crate::error::{Error, Result};
use crate::product::{ingest, provenance};
use crate::scene::local_file;

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Samples, types, nodata, scales, names and metadata are kept; only the storage changes. Worth it for \
                        JPEG 2000 that is read more than once: decoding takes most of the time of a run."
)]
pub struct Args {
    /// Rasters
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder that receives NAME.tif of every input; it must exist
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Writes each raster as a COG, one after the other.
///
/// # Errors
/// Before any work: outputs that exist or share a name. Then those of reading and writing; files that were finished stay.
pub fn run(args: &Args) -> Result<Finish> {
    if args.common.bbox.is_some() || args.common.aoi.is_some() {
        return Err(Error::usage("ingest writes whole files; --bbox and --aoi are for verbs that compute"));
    }
    let outputs = outputs(&args.inputs, &args.output)?;
    let mut passes = Vec::with_capacity(outputs.len());
    for (input, output) in args.inputs.iter().zip(&outputs) {
        // Each output has provenance of its own.
        let context = args.common.context()?;
        let path = local_file(input)?;
        let source = args.common.raster(&path, &context)?;
        context.notes.reads(&path, None);
        let mut pass = Pass::new("ingest", source.grid().clone());
        let product = ingest::add(&mut pass, &source, output, args.common.nodata, &context)?;
        passes.push((pass, product, context));
    }
    if args.common.explain {
        for (pass, product, context) in passes {
            let plan = pass.plan(&context.limits)?;
            drop(product);
            explain(&plan, &args.common)?;
        }
        return Ok(Finish::Done);
    }
    let mut documents = Vec::with_capacity(passes.len());
    for (pass, product, context) in passes {
        let grid = pass.grid().clone();
        let mut outcome = pass.run(&context.limits, context.progress.as_ref(), &context.cancel)?;
        let artifacts = product.finish(&mut outcome, &context)?;
        provenance::write(&artifacts, Some(&grid), &[], &outcome, &context)?;
        if args.common.json {
            documents.push(json!({ "path": artifacts.first().map(|a| a.path.display().to_string()),
                                   "channels": provenance::channels(&outcome), "peak_bytes": outcome.peak_bytes }));
        } else {
            execute::report(&artifacts, &outcome, &args.common)?;
        }
    }
    if args.common.json {
        console::print_json(&json!({ "outputs": Value::Array(documents) }))?;
    }
    Ok(Finish::Done)
}

/// A file an input.
fn outputs(inputs: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Err(Error::usage(format!("output {}: it is no folder that exists; make it first", folder.display())));
    }
    let mut seen = HashSet::new();
    let named = |input: &PathBuf| {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!("{stem}.tif"));
        match seen.insert(path.clone()) {
            true => Ok(path),
            false => Err(Error::usage(format!(
                "{}: two inputs would be written under this name; ingest them into different folders",
                path.display()
            ))),
        }
    };
    inputs.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_inputs_and_meet_once() {
        let dir = tempfile::tempdir().unwrap();
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let made = outputs(&paths(&["a/B04.jp2", "a/B08.jp2"]), dir.path()).unwrap();
        assert_eq!(made, [dir.path().join("B04.tif"), dir.path().join("B08.tif")]);
        assert!(outputs(&paths(&["a/B04.jp2", "b/B04.tif"]), dir.path()).unwrap_err().to_string().contains("B04.tif"));
        assert!(outputs(&paths(&["a.jp2"]), &dir.path().join("none")).is_err());
    }
}
