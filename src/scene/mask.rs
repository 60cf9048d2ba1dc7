//! Cloud masks: which classes and bits of SCL, QA_PIXEL and Fmask make a pixel invalid.

use std::sync::Arc;

use super::SceneBand;
use super::options::{Maskings, SceneOptions};
use crate::engine::{MaskRule, MaskSource};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::raster::Role;

/// A name and the class values (SCL) or bits (QA_PIXEL, Fmask) it stands for.
type Names = &'static [(&'static str, &'static [u32])];

/// Sentinel-2 scene classification (ESA products specification).
const SCL: Names = &[
    ("nodata", &[0]),
    ("saturated", &[1]),
    ("dark", &[2]),
    ("shadow", &[3]),
    ("vegetation", &[4]),
    ("bare", &[5]),
    ("water", &[6]),
    ("unclassified", &[7]),
    ("cloud", &[8, 9]),
    ("cloud_medium", &[8]),
    ("cloud_high", &[9]),
    ("cirrus", &[10]),
    ("snow", &[11]),
];
/// Landsat Collection 2 QA_PIXEL bits (USGS data format control book).
const QA_PIXEL: Names = &[
    ("fill", &[0]),
    ("dilated", &[1]),
    ("cirrus", &[2]),
    ("cloud", &[3]),
    ("shadow", &[4]),
    ("snow", &[5]),
    ("water", &[7]),
];
/// HLS version 2 Fmask bits (HLS user guide).
const FMASK: Names = &[("cloud", &[1]), ("adjacent", &[2]), ("shadow", &[3]), ("snow", &[4]), ("water", &[5])];

struct Scheme {
    names: Names,
    default: &'static [u32],
    /// Always invalid: no observation.
    fill: &'static [u32],
    /// Clouds and shadows, around which the buffer lies.
    buffered: &'static [u32],
    buffer_m: f64,
    bits: bool,
}

fn scheme(role: Role) -> Option<Scheme> {
    match role {
        Role::Scl => Some(Scheme {
            names: SCL,
            default: &[0, 1, 3, 8, 9, 10, 11],
            fill: &[0],
            buffered: &[3, 8, 9, 10],
            buffer_m: 60.0,
            bits: false,
        }),
        // Bit 1 is a dilation already, so there is no further buffer.
        Role::QaPixel => Some(Scheme {
            names: QA_PIXEL,
            default: &[0, 1, 2, 3, 4, 5],
            fill: &[0],
            buffered: &[2, 3, 4],
            buffer_m: 0.0,
            bits: true,
        }),
        Role::Fmask => Some(Scheme {
            names: FMASK,
            default: &[1, 2, 3, 4],
            fill: &[],
            buffered: &[1, 3],
            buffer_m: 0.0,
            bits: true,
        }),
        _ => None,
    }
}

/// The masks of a scene's bands, and the decisions in words.
///
/// # Errors
/// Usage error that lists the names of the scheme where one is unknown, or where there is no mask band to take a list from.
pub(super) fn of(bands: &[SceneBand], options: &SceneOptions) -> Result<(Vec<MaskSource>, Vec<String>)> {
    let mut masks = Vec::new();
    let mut decisions = Vec::new();
    for band in bands {
        let Some(scheme) = scheme(band.role) else { continue };
        let chosen = match &options.masks {
            Maskings::None => continue,
            Maskings::Default => scheme.default.to_vec(),
            Maskings::Named(names) => {
                let mut chosen = scheme.fill.to_vec();
                for name in names {
                    chosen.extend(values(name, &scheme, band.role)?);
                }
                chosen.sort_unstable();
                chosen.dedup();
                chosen
            }
        };
        let buffered: Vec<u32> = chosen.iter().copied().filter(|v| scheme.buffered.contains(v)).collect();
        let metres = options.mask_buffer.unwrap_or(scheme.buffer_m);
        let buffer_px = if metres == 0.0 { 0 } else { (metres / pixel_metres(band.source.grid())?).round() as usize };
        let rule = |v: Vec<u32>| match scheme.bits {
            true => MaskRule::Bits(v.iter().fold(0, |bits, b| bits | 1 << b)),
            false => MaskRule::Values(v),
        };
        let kind = if scheme.bits { "bits" } else { "classes" };
        decisions.push(format!("{}: {kind} {chosen:?} masked, {buffer_px} px around {buffered:?}", band.role));
        masks.push(MaskSource {
            name: band.role.name().to_owned(),
            source: Arc::clone(&band.source),
            band: band.band,
            rule: rule(chosen),
            buffered: rule(buffered),
            buffer_px,
        });
    }
    if let (Maskings::Named(names), true) = (&options.masks, masks.is_empty()) {
        return Err(Error::usage(format!(
            "--mask {}: the scene has no mask band; name one as scl=FILE, qa_pixel=FILE or fmask=FILE",
            names.join(",")
        )));
    }
    Ok((masks, decisions))
}

/// Values of a name, or of a number (an SCL class, a bit).
fn values(name: &str, scheme: &Scheme, role: Role) -> Result<Vec<u32>> {
    if let Some((_, values)) = scheme.names.iter().find(|(n, _)| *n == name) {
        return Ok(values.to_vec());
    }
    let most = if scheme.bits { 15 } else { 255 };
    name.parse::<u32>().ok().filter(|v| *v <= most).map(|v| vec![v]).ok_or_else(|| {
        let names: Vec<_> = scheme.names.iter().map(|(n, _)| *n).collect();
        Error::usage(format!("--mask {name}: {role} has no such class; names are {}", names.join(" ")))
    })
}

/// Edge of a pixel in metres, along rows; degrees count as on a sphere.
fn pixel_metres(grid: &Grid) -> Result<f64> {
    const METRES_PER_DEGREE: f64 = 111_195.0;
    let g = grid.affine()?.coefficients();
    let edge = g[2].hypot(g[5]);
    Ok(match grid.crs() {
        Some(crs) if crs.is_geographic() => edge * METRES_PER_DEGREE,
        Some(crs) => edge * crs.metres_per_unit,
        None => edge,
    })
}
