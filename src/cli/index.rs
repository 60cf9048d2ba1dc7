//! `regrow index`.

use std::path::{Path, PathBuf};

use super::args::{Common, SceneArgs};
use super::execute::execute;
use super::index_list::{list, show};
use super::options::{IndexSettings, Zones, find, indices};
use super::{Finish, console};
use crate::error::{Error, Result};
use crate::product::index::{self, IndexOptions};
use crate::spectral::sensor::Platform;
use crate::spectral::{Ast, Index};

/// Arguments.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Named indices (NDVI, BSI and others; see --show) have guards: a normalised difference is nodata \
                        where its denominator is below 1e-6 or it leaves -1..1, as in deep shadow with negative \
                        reflectance. asi:NAME and --expr are evaluated as they stand. Kernel indices (kNDVI, kEVI, kIPVI, \
                        kRVI, kVARI): the rbf kernel is exp(-(a-b)^2/(2 sigma^2)), with sigma = (N+R)/2 of each pixel for kNDVI \
                        and 0.5 for the others; --const sigma=0.2 sets it for all, --kernel poly is (ab+c)^p."
)]
pub struct Args {
    /// Indices (NDVI,BSI; omitted with --expr), then the scene: a raster, or files by role (red=a.tif nir=b.tif)
    #[arg(value_name = "NAMES SCENE")]
    inputs: Vec<String>,
    /// Raster to write, a band an index
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["list", "show"])]
    output: Option<PathBuf>,
    /// Formula over band letters or names, "(N-R)/(N+R)" or "mine=(nir-red)/nir"; repeatable
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true)]
    expr: Vec<String>,
    /// Means by zone
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    #[command(flatten)]
    zones: Zones,
    #[command(flatten)]
    settings: IndexSettings,
    /// Indices of your own: a TOML file of [[index]] tables with name, formula, and as wanted long_name, reference, range =
    /// [lo, hi], constants = { w = 0.5 }
    #[arg(long, value_name = "FILE")]
    indices: Option<PathBuf>,
    /// List all indices
    #[arg(long, conflicts_with_all = ["show", "output", "expr"])]
    list: bool,
    /// List only what the bands of a sensor allow (s2, landsat-oli, landsat-etm, landsat-tm, planetscope, planetscope-4,
    /// multispectral-drone, rgb)
    #[arg(long, value_name = "SENSOR", requires = "list")]
    sensor: Option<Platform>,
    /// Show formula, bands, sensors, constants, guards, range and source of an index
    #[arg(long, value_name = "NAME", conflicts_with_all = ["output", "expr"])]
    show: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scene: SceneArgs,
}

/// Computes indices of a scene, or tells about them.
///
/// # Errors
/// Usage errors of names and formulas; those of opening the scene and of the pass.
pub fn run(args: &Args) -> Result<Finish> {
    let own = args.indices.as_deref().map(crate::project::indices::read).transpose()?.unwrap_or_default();
    if args.list {
        return console::print(&list(&own, args.sensor.as_ref())?).map(|()| Finish::Done);
    }
    if let Some(name) = &args.show {
        return console::print(&show(&find(name, &own)?)?).map(|()| Finish::Done);
    }
    let output = args.output.clone().ok_or_else(|| Error::usage("index: an output is needed; give it with -o"))?;
    let (indices, scene) = split(&args.inputs, &args.expr, &own)?;
    let settings = args.settings.settings_for(&indices)?;
    let context = args.common.context()?;
    let scene = args.scene.open(scene, &args.common, &context)?;
    let mut pass = args.common.pass("index", &scene.grid, &context)?;
    let zones = args.zones.build(pass.grid(), &context)?;
    let entered = scene.enter(&mut pass, "")?;
    let options = IndexOptions { indices, settings, output, table: args.table.clone() };
    let product = index::add(&mut pass, &entered, &options, zones.as_ref(), &context)?;
    execute(pass, vec![product], &args.common, &context)
}

/// Parts the positional arguments into indices and scene. With --expr the names may be left out.
fn split<'a>(inputs: &'a [String], expressions: &[String], own: &[Index]) -> Result<(Vec<Index>, &'a [String])> {
    let typed = expressions.iter().map(|e| expression(e)).collect::<Result<Vec<_>>>()?;
    let usage = || Error::usage("index: expected NAMES SCENE, such as `regrow index NDVI,BSI scene.tif -o out.tif`");
    let (first, rest) = inputs.split_first().ok_or_else(usage)?;
    if !typed.is_empty() && (rest.is_empty() || first.contains('=') || Path::new(first).exists()) {
        return Ok((typed, inputs));
    }
    if rest.is_empty() {
        return Err(usage());
    }
    let mut all = indices(first, own)?;
    all.extend(typed);
    Ok((all, rest))
}

/// `NAME=FORMULA`, or a formula that is its own name.
pub(super) fn expression(text: &str) -> Result<Index> {
    let named = text.split_once('=').filter(|(name, rest)| {
        let name = name.trim();
        !rest.starts_with('=') && !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    let (name, formula) = named.map_or((text, text), |(n, f)| (n.trim(), f));
    Ast::parse(formula)?;
    Ok(Index::expression(name, formula))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(t: &[&str]) -> Vec<String> {
        t.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_come_first_and_may_be_left_out_with_a_formula() {
        let inputs = texts(&["NDVI,BSI", "a.tif"]);
        let (indices, scene) = split(&inputs, &[], &[]).unwrap();
        assert_eq!((indices.len(), scene), (2, &inputs[1..]));
        let inputs = texts(&["a.tif"]);
        let (indices, scene) = split(&inputs, &texts(&["x = N/R"]), &[]).unwrap();
        assert_eq!((indices[0].name.as_str(), indices[0].formula.as_str(), scene.len()), ("x", " N/R", 1));
        let inputs = texts(&["red=a.tif", "nir=b.tif"]);
        assert_eq!(split(&inputs, &texts(&["N/R"]), &[]).unwrap().1.len(), 2);
        assert!(split(&texts(&["a.tif"]), &[], &[]).is_err());
        assert!(split(&texts(&["NVDI", "a.tif"]), &[], &[]).unwrap_err().to_string().contains("NDVI"));
    }

    #[test]
    fn comparisons_are_no_names() {
        assert_eq!(expression("N==R").unwrap().formula, "N==R");
        assert!(expression("(N-R").is_err());
    }
}
