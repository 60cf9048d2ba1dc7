//! Rasters put on one grid, each in a file of its own or all in one mosaic.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Map;

use super::output::{self, Files};
use super::{Artifact, Context, Product};
use crate::analysis::mosaic::{MosaicAnalysis, MosaicBand};
use crate::engine::warp::{Encoded, Resampling, Wanted, Warper};
use crate::engine::{Channel, OutBand, Outcome, Overview, Pass};
use crate::error::{Error, Result};
use crate::io::atomic::check_output;
use crate::raster::{Band, Dtype, Source};
use crate::scene::told;

/// What `align` writes and how.
#[derive(Clone, Debug)]
pub struct AlignOptions {
    /// A file an input, or one for all: a mosaic, in which the first input with a value wins.
    pub outputs: Vec<PathBuf>,
    /// Resampling of quantities; by the ratio of resolutions where none is given.
    pub resampling: Option<Resampling>,
    /// Nodata in stored values, instead of the files' own.
    pub nodata: Option<f64>,
}

/// Adds the rasters to a pass on the target grid.
///
/// # Errors
/// Where an input has no place or no position on the target, mosaic inputs have other bands, or an output cannot be written.
pub fn add(
    pass: &mut Pass,
    warper: &Warper,
    sources: &[Arc<dyn Source>],
    options: &AlignOptions,
    context: &Context,
) -> Result<Box<dyn Product>> {
    Files { rasters: options.outputs.clone(), ..Files::default() }.check(&[], context)?;
    let inputs: Vec<PathBuf> = sources.iter().map(|s| PathBuf::from(s.name())).collect();
    options.outputs.iter().try_for_each(|o| check_output(o, context.overwrite, &inputs))?;
    let mosaic = options.outputs.len() == 1;
    let mut files: Vec<Vec<MosaicBand>> = Vec::new();
    for (i, source) in sources.iter().enumerate() {
        let bands = entered(pass, warper, i, source, options, context)?;
        match files.first_mut().filter(|_| mosaic) {
            Some(first) => join(first, bands, source.name(), sources[0].name())?,
            None => files.push(bands),
        }
    }
    let mut artifacts = Vec::with_capacity(files.len());
    for (path, mut bands) in options.outputs.iter().zip(files) {
        unify(&mut bands);
        let writes: Vec<OutBand> = bands.iter().map(|b| b.band.clone()).collect();
        let sink = output::raster(path, pass.grid(), &writes, (0..writes.len()).collect(), context)?;
        pass.add(MosaicAnalysis(bands), vec![sink])?;
        let title = if mosaic && sources.len() > 1 { "Mosaic on one grid" } else { "Raster on the target grid" };
        let role = path.file_stem().map_or_else(|| "aligned".into(), |s| s.to_string_lossy().into_owned());
        artifacts.push(Artifact { path: path.clone(), role, title: title.into(), figures: Map::new() });
    }
    Ok(Box::new(AlignProduct(artifacts)))
}

/// The bands of one input as channels of the pass, and what is to be written of them.
fn entered(
    pass: &mut Pass,
    warper: &Warper,
    index: usize,
    source: &Arc<dyn Source>,
    options: &AlignOptions,
    context: &Context,
) -> Result<Vec<MosaicBand>> {
    let ratio = warper.ratio(source.grid()).map_err(|e| e.context(source.name()))?;
    let by_ratio = if ratio >= 2.0 { Resampling::Average } else { Resampling::Bilinear };
    let roles = told(source).roles;
    let (mut wanted, mut out) = (Vec::new(), Vec::new());
    for (b, band) in source.bands().iter().enumerate() {
        let classes = !band.classes.is_empty() || roles.get(b).copied().flatten().is_some_and(|r| r.is_categorical());
        let resampling = match options.resampling {
            Some(r) if !classes || r.keeps_values() => r,
            _ if classes => Resampling::Nearest,
            _ => by_ratio,
        };
        let nodata = options.nodata.or(band.nodata);
        // Integers that state a scale become the quantity; others stay the integers they are.
        let kept = classes || (resampling.keeps_values() && !band.scaled_by_file && !band.dtype.is_float());
        let quantity = (!kept).then_some(Encoded { scale: band.scale, offset: band.offset, valid: None });
        context.notes.decide(&format!(
            "{} band {}: {resampling}{}",
            source.name(),
            b + 1,
            if classes { ", classes" } else { "" }
        ));
        wanted.push(Wanted { band: b, resampling, nodata, quantity });
        let channel = format!("{index}:{}", b + 1);
        out.push(MosaicBand { band: written(band, b, classes, nodata), channels: vec![channel] });
    }
    let shown = warper.show(Arc::clone(source), wanted, Vec::new())?;
    shown.warnings().iter().for_each(|w| context.notes.warn(&format!("{}: {w}", source.name())));
    for (b, file) in out.iter().enumerate() {
        pass.channel(Channel {
            name: file.channels[0].clone(),
            source: Arc::clone(&shown),
            band: b,
            scale: 1.0,
            offset: 0.0,
            nodata: shown.bands()[b].nodata,
            valid: None,
            masks: Vec::new(),
        })?;
    }
    Ok(out)
}

/// What is written of a band.
fn written(band: &Band, index: usize, classes: bool, nodata: Option<f64>) -> OutBand {
    let name = if band.name.is_empty() { format!("band {}", index + 1) } else { band.name.clone() };
    let integer = !band.scaled_by_file && !band.dtype.is_float();
    let dtype = match band.dtype {
        Dtype::I8 if integer => Dtype::I16,
        Dtype::U8 | Dtype::U16 | Dtype::I16 | Dtype::I32 if integer => band.dtype,
        d if d.fits_f32() => Dtype::F32,
        _ => Dtype::F64,
    };
    let quantity = OutBand::quantity(&name, &band.unit);
    // Where no value is nodata yet, the last of the type is: the least likely to be a measurement.
    let last = if dtype == Dtype::I16 || dtype == Dtype::I32 { dtype.range().0 } else { dtype.range().1 };
    let nodata = if dtype.is_float() { f64::NAN } else { nodata.unwrap_or(last) };
    let overview = if classes { Overview::Mode } else { Overview::Average };
    OutBand { dtype, nodata, overview, classes: band.classes.clone(), ..quantity }
}

/// Adds the bands of a further input behind those of the first.
fn join(first: &mut [MosaicBand], next: Vec<MosaicBand>, name: &str, before: &str) -> Result<()> {
    if first.len() != next.len() {
        return Err(Error::input(format!(
            "{name}: {} bands do not join the {} of {before} in one mosaic; give files with the same bands",
            next.len(),
            first.len()
        )));
    }
    for (a, b) in first.iter_mut().zip(next) {
        if (a.band.overview == Overview::Mode) != (b.band.overview == Overview::Mode) {
            return Err(Error::input(format!(
                "{name}: band {:?} holds {}, and that of {before} does not; they make no mosaic",
                b.band.name,
                if b.band.overview == Overview::Mode { "classes" } else { "a quantity" }
            )));
        }
        a.band.dtype = wider(a.band.dtype, b.band.dtype);
        a.channels.extend(b.channels);
    }
    Ok(())
}

/// One type and one nodata for all bands of a file.
fn unify(bands: &mut [MosaicBand]) {
    let Some(first) = bands.first().map(|b| b.band.clone()) else { return };
    let dtype = bands.iter().map(|b| b.band.dtype).fold(first.dtype, wider);
    let own: Vec<f64> = bands.iter().map(|b| b.band.nodata).collect();
    let (low, high) = dtype.range();
    let fits = |n: &f64| *n >= low && *n <= high && own.iter().all(|o| o == n);
    let nodata = match dtype.is_float() {
        true => f64::NAN,
        false => own.first().copied().filter(fits).unwrap_or(if low < 0.0 { low } else { high }),
    };
    for b in bands {
        (b.band.dtype, b.band.nodata) = (dtype, nodata);
        if dtype.is_float() {
            b.band.classes.clear();
        }
    }
}

/// The smallest type of outputs that holds both.
fn wider(a: Dtype, b: Dtype) -> Dtype {
    use Dtype::{F32, F64, I16, I32, U8, U16};
    match (a, b) {
        _ if a == b => a,
        (U8, U16) | (U16, U8) => U16,
        (U8, I16) | (I16, U8) => I16,
        (F32, U8 | U16 | I16) | (U8 | U16 | I16, F32) => F32,
        (U8 | U16 | I16 | I32, U8 | U16 | I16 | I32) => I32,
        _ => F64,
    }
}

struct AlignProduct(Vec<Artifact>);

impl Product for AlignProduct {
    fn finish(self: Box<Self>, _: &mut Outcome, _: &Context) -> Result<Vec<Artifact>> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_and_what_is_scaled_becomes_a_quantity() {
        let of = |dtype, scaled_by_file| written(&Band { scaled_by_file, ..Band::new(dtype) }, 0, false, None);
        let plain = of(Dtype::U16, false);
        assert_eq!((plain.dtype, plain.nodata, plain.name.as_str()), (Dtype::U16, 65_535.0, "band 1"));
        assert_eq!(of(Dtype::U16, true).dtype, Dtype::F32);
        assert_eq!(of(Dtype::U32, false).dtype, Dtype::F64);
        assert_eq!((of(Dtype::I8, false).dtype, of(Dtype::I8, false).nodata), (Dtype::I16, -32_768.0));
    }

    #[test]
    fn one_file_has_one_type() {
        use Dtype::{F32, F64, I16, I32, U8, U16};
        for (a, b, both) in [(U8, U16, U16), (U16, I16, I32), (U16, F32, F32), (I32, F32, F64), (U8, U8, U8)] {
            assert_eq!((wider(a, b), wider(b, a)), (both, both));
        }
    }
}
