//! Rasters written once as COG, for files that are slow to read again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Map;

use super::output::Files;
use super::{Artifact, Context, Product};
use crate::analysis::copy::CopyAnalysis;
use crate::engine::{Channel, OutBand, Outcome, Output, Overview, Pass};
use crate::error::{Error, Result};
use crate::io::atomic::check_output;
use crate::io::geotiff::{CogSink, CreationOptions};
use crate::raster::{Band, Dtype, Source};
use crate::scene::told;

/// Adds a copy of `source` to a pass over its grid: the same samples and types, names, classes, units, scales, nodata and
/// metadata. `nodata` is used where the file states none, or instead of its own.
///
/// # Errors
/// Usage: the output exists, or an option would change values. Input: types that are not written, or differ in one file.
pub fn add(
    pass: &mut Pass,
    source: &Arc<dyn Source>,
    output: &Path,
    nodata: Option<f64>,
    context: &Context,
) -> Result<Box<dyn Product>> {
    Files { rasters: vec![output.to_owned()], ..Files::default() }.check(&[], context)?;
    check_output(output, context.overwrite, &[PathBuf::from(source.name())])?;
    let options = CreationOptions::parse(&context.creation)?;
    if options.scale.is_some() {
        return Err(Error::usage("ingest keeps values as they are stored; --co SCALE is for computed quantities"));
    }
    let roles = told(source).roles;
    let mut analysis = CopyAnalysis { reads: Vec::new(), bands: Vec::new() };
    for (b, band) in source.bands().iter().enumerate() {
        let stated = nodata.or(band.nodata);
        if let Some(value) = stated.filter(|v| band.dtype.is_float() && v.is_finite()) {
            context.notes.decide(&format!("{} band {}: nodata {value} is written as NaN", source.name(), b + 1));
        }
        let classes = !band.classes.is_empty() || roles.get(b).copied().flatten().is_some_and(|r| r.is_categorical());
        analysis.bands.push(written(band, classes, stated));
        let name = format!("band{}", b + 1);
        pass.channel(Channel {
            name: name.clone(),
            source: Arc::clone(source),
            band: b,
            scale: 1.0,
            offset: 0.0,
            nodata: stated,
            valid: None,
            masks: Vec::new(),
        })?;
        analysis.reads.push(name);
    }
    check(source.name(), &analysis.bands)?;
    let planes = (0..analysis.bands.len()).collect();
    let (grid, metadata) = (pass.grid().clone(), source.metadata());
    let sink = CogSink::create_with(output, &grid, &analysis.bands, &options, metadata, context.overwrite)?;
    pass.add(analysis, vec![Output { sink, planes }])?;
    let role = output.file_stem().map_or_else(|| "raster".into(), |s| s.to_string_lossy().into_owned());
    let artifact = Artifact { path: output.to_owned(), role, title: "Raster as COG".into(), figures: Map::new() };
    Ok(Box::new(IngestProduct { artifact, source: source.name().to_owned() }))
}

/// What is written of a band: everything its file tells.
fn written(band: &Band, classes: bool, nodata: Option<f64>) -> OutBand {
    let nodata = nodata.filter(|_| !band.dtype.is_float()).unwrap_or(f64::NAN);
    let items = band.date.iter().map(|d| ("DATE".to_owned(), d.clone())).collect();
    OutBand {
        dtype: band.dtype,
        nodata,
        scale: band.scale,
        offset: band.offset,
        classes: band.classes.clone(),
        overview: if classes { Overview::Mode } else { Overview::Average },
        items,
        ..OutBand::quantity(&band.name, &band.unit)
    }
}

fn check(name: &str, bands: &[OutBand]) -> Result<()> {
    let keep = "convert it with gdal_translate, or use the file as it is";
    let first = bands.first().ok_or_else(|| Error::input(format!("{name}: the file has no bands")))?;
    let (low, high) = first.dtype.range();
    if !matches!(first.dtype, Dtype::U8 | Dtype::U16 | Dtype::I16 | Dtype::I32 | Dtype::F32 | Dtype::F64) {
        return Err(Error::input(format!("{name}: {} is not written by ingest; {keep}", first.dtype)));
    }
    if let Some(odd) = bands.iter().find(|b| b.dtype != first.dtype) {
        return Err(Error::input(format!(
            "{name}: bands of {} and {} do not go into one file by ingest; {keep}",
            first.dtype, odd.dtype
        )));
    }
    if !first.nodata.is_nan() && !(low..=high).contains(&first.nodata) {
        return Err(Error::usage(format!("{name}: nodata {} is no value of {}", first.nodata, first.dtype)));
    }
    Ok(())
}

struct IngestProduct {
    artifact: Artifact,
    source: String,
}

impl Product for IngestProduct {
    fn finish(self: Box<Self>, outcome: &mut Outcome, context: &Context) -> Result<Vec<Artifact>> {
        let infinite: u64 = outcome.channels.iter().map(|c| c.infinite).sum();
        if infinite > 0 {
            let text = format!("{}: {infinite} infinite values were written as nodata", self.source);
            context.notes.warn(&text);
        }
        Ok(vec![self.artifact])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_kept_or_refused() {
        let of = |dtype, nodata| written(&Band::new(dtype), false, nodata);
        assert!(of(Dtype::U16, None).nodata.is_nan());
        assert_eq!(of(Dtype::U16, Some(0.0)).nodata, 0.0);
        assert!(of(Dtype::F32, Some(-9999.0)).nodata.is_nan());
        assert!(check("a", &[of(Dtype::U16, None)]).is_ok());
        assert!(check("a", &[of(Dtype::U32, None)]).unwrap_err().to_string().contains("uint32"));
        assert!(check("a", &[of(Dtype::U8, None), of(Dtype::U16, None)]).is_err());
        assert!(check("a", &[of(Dtype::U8, Some(300.0))]).unwrap_err().to_string().contains("300"));
    }
}
