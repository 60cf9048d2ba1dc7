//! From stored values to the physical quantity: the one rule of `guide/radiometry.md`.

use std::path::Path;
use std::sync::Arc;

use super::options::{Encoding, SceneOptions};
use super::sensor::Sensor;
use super::{Quantity, SceneBand};
use crate::error::{Error, Result};
use crate::raster::{Band, Role, Source};

/// Stored Sentinel-2 offset from processing baseline 04.00 on, where no product states another.
const BOA_ADD_OFFSET: f64 = -1000.0;

/// Scale and offset that the metadata of a product state for a band.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stated {
    /// Scale to the physical quantity.
    pub(super) scale: f64,
    /// Offset to the physical quantity.
    pub(super) offset: f64,
    /// Who says so.
    pub(super) why: String,
}

/// A band with its encoding, and the decision in words.
pub(super) struct Resolved {
    /// The band.
    pub(super) band: SceneBand,
    /// What was decided and why.
    pub(super) decision: String,
    /// True where an offset of 0 was taken because nothing states one.
    pub(super) assumed: bool,
}

/// What is known of an encoding before the user's overrides.
struct Base {
    scale: Option<f64>,
    offset: f64,
    why: String,
    assumed: bool,
}

/// Resolves the encoding of band `index` of `source` in the role `role`.
///
/// # Errors
/// Usage error where an override contradicts; input error where a Sentinel-2 offset applies but is not stated, or `apply`
/// finds nothing to apply.
pub(super) fn resolve(
    source: &Arc<dyn Source>,
    index: usize,
    role: Role,
    sensor: Option<&Sensor>,
    stated: Option<&Stated>,
    options: &SceneOptions,
) -> Result<Resolved> {
    let band = &source.bands()[index];
    let place = format!("{} band {} ({role})", source.name(), index + 1);
    let nodata = nodata(band, role, sensor, options);
    let made = |scale, offset, quantity, why: String, assumed| Resolved {
        band: SceneBand {
            role,
            source: Arc::clone(source),
            band: index,
            scale,
            offset,
            nodata,
            quantity,
            saturated: None,
        },
        decision: format!("{place}: {why}{}", nodata.map_or_else(String::new, |n| format!(", nodata {n}"))),
        assumed,
    };
    if role == Role::QaPixel && collection_1(source.as_ref()) {
        return Err(Error::input(format!(
            "{place}: named like quality bits of Landsat Collection 1, whose layout differs; use QA_PIXEL of Collection 2"
        )));
    }
    if role.is_categorical() {
        if band.dtype.is_float() {
            return Err(Error::input(format!(
                "{place}: classes and bit flags are integers, and this band is {}",
                band.dtype
            )));
        }
        return Ok(made(1.0, 0.0, Quantity::Physical, "classes, never scaled".into(), false));
    }
    let base = match stated {
        Some(s) => Base { scale: Some(s.scale), offset: s.offset, why: s.why.clone(), assumed: false },
        None => base(source.as_ref(), band, role, sensor, options, &place)?,
    };
    let (scale, mut why) = match options.scale {
        Encoding::Auto => (base.scale, base.why.clone()),
        Encoding::Apply if base.scale.is_none() => {
            return Err(Error::input(format!("{place}: --scale apply, but the file states no scale; give the number")));
        }
        Encoding::Apply => (base.scale, base.why.clone()),
        Encoding::None => (Some(1.0), "--scale none".into()),
        Encoding::Number(s) => (Some(s), format!("--scale {s}")),
    };
    let unit = scale.unwrap_or(1.0);
    let boa = match options.boa_offset {
        Encoding::Auto => None,
        Encoding::Apply => Some(BOA_ADD_OFFSET),
        Encoding::None => Some(0.0),
        Encoding::Number(n) => Some(n),
    };
    let offset = match (options.offset, boa) {
        (Encoding::Auto, Some(boa)) => {
            why += &format!(", --boa-offset {boa}");
            boa * unit
        }
        (Encoding::Auto | Encoding::Apply, None) => base.offset,
        (Encoding::None, None) => 0.0,
        (Encoding::Number(o), None) if scale.is_none() => {
            return Err(Error::usage(format!("{place}: --offset {o} is in reflectance and needs --scale too")));
        }
        (Encoding::Number(o), None) => o,
        (_, Some(_)) => {
            return Err(Error::usage("--offset and --boa-offset both state the offset; give one of them"));
        }
    };
    let stated = boa.is_some() || !matches!(options.offset, Encoding::Auto);
    let quantity = if scale.is_some() { Quantity::Physical } else { Quantity::Proportional };
    Ok(made(unit, offset, quantity, format!("{why}: stored x {unit} + {offset}"), base.assumed && !stated))
}

fn base(
    source: &dyn Source,
    band: &Band,
    role: Role,
    sensor: Option<&Sensor>,
    options: &SceneOptions,
    place: &str,
) -> Result<Base> {
    let known = |scale: f64, offset: f64, why: String| Base { scale: Some(scale), offset, why, assumed: false };
    let stated = options.boa_offset != Encoding::Auto || !matches!(options.offset, Encoding::Auto | Encoding::Apply);
    let by_baseline = sensor.and_then(Sensor::stored_offset);
    let shifted = by_baseline.is_some_and(|offset| offset != 0.0);
    if shifted && !stated && !band.dtype.is_float() && band.offset == 0.0 && role != Role::Value {
        return Err(Error::input(format!(
            "{place}: {} stores reflectance with an offset, and the file states none; give --boa-offset apply (-1000), \
             or --boa-offset none where the pixels were shifted already",
            sensor.map_or_else(String::new, Sensor::name)
        )));
    }
    if band.scaled_by_file {
        return Ok(known(band.scale, band.offset, "scale and offset of the file".into()));
    }
    if band.dtype.is_float() || role == Role::Value {
        return Ok(known(1.0, 0.0, "the file states no scale; values are the quantity".into()));
    }
    // What a sensor says of its baselines is settled by now: with an offset it is stated, or none applies.
    if let (Some(s), Some(_)) = (sensor, by_baseline) {
        let (scale, offset) = s.encoding(role);
        let what = if role.is_thermal() { "kelvin" } else { "reflectance" };
        return Ok(known(scale, offset, format!("{what} of {}", s.name())));
    }
    if options.boa_offset != Encoding::Auto {
        return Ok(known(1e-4, 0.0, "Sentinel-2 by --boa-offset".into()));
    }
    if options.scale == Encoding::Auto && landsat_name(source, band) {
        return Err(Error::input(format!(
            "{place}: named like surface reflectance of Landsat Collection 2, but nothing states its scale; give --scale \
             2.75e-5 --offset -0.2 if it is"
        )));
    }
    Ok(Base { scale: None, offset: 0.0, why: "integers of unknown scale, ratios only".into(), assumed: true })
}

/// `--nodata`, else the file's, else the product's fill value.
fn nodata(band: &Band, role: Role, sensor: Option<&Sensor>, options: &SceneOptions) -> Option<f64> {
    if role.is_categorical() {
        return band.nodata;
    }
    let by_product = || sensor.filter(|_| !band.dtype.is_float() && role != Role::Value)?.fill;
    options.nodata.or(band.nodata).or_else(by_product)
}

/// True for `SR_B4` in the band's description or the file's name: Landsat stores these with an offset, so that even a
/// normalised difference of the stored integers is wrong.
fn landsat_name(source: &dyn Source, band: &Band) -> bool {
    let file =
        Path::new(source.name()).file_stem().map(|n| n.to_string_lossy().to_ascii_uppercase()).unwrap_or_default();
    let numbered =
        |t: &str| t.rsplit_once("SR_B").is_some_and(|(_, n)| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    numbered(&band.name.to_ascii_uppercase()) || numbered(&file)
}

/// True for `pixel_qa` and `BQA`, the names of quality bands before Collection 2.
fn collection_1(source: &dyn Source) -> bool {
    let file =
        Path::new(source.name()).file_stem().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    file.ends_with("pixel_qa") || file.ends_with("bqa")
}
