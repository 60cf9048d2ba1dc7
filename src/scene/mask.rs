//! Masks: which classes and bits of SCL, QA_PIXEL, QA_RADSAT, Fmask and UDM2 make a pixel invalid, by name.

use std::sync::Arc;

use super::SceneBand;
use super::options::{Maskings, SceneOptions};
use crate::engine::{MaskRule, MaskSource};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::raster::Role;

/// What a name stands for in a mask band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// Any of these class values.
    Values(&'static [u32]),
    /// Any of these bits.
    Bits(&'static [u32]),
    /// All of these bits: a field of two that is full.
    Full(&'static [u32]),
    /// This band (from 0) is 1.
    Band(usize),
    /// This band (from 0) is not 1.
    NotBand(usize),
}

type Names = &'static [(&'static str, Test)];

/// Sentinel-2 scene classification (ESA products specification).
const SCL: Names = &[
    ("nodata", Test::Values(&[0])),
    ("saturated", Test::Values(&[1])),
    ("dark", Test::Values(&[2])),
    ("shadow", Test::Values(&[3])),
    ("vegetation", Test::Values(&[4])),
    ("bare", Test::Values(&[5])),
    ("water", Test::Values(&[6])),
    ("unclassified", Test::Values(&[7])),
    ("cloud", Test::Values(&[8, 9])),
    ("cloud_medium", Test::Values(&[8])),
    ("cloud_high", Test::Values(&[9])),
    ("cirrus", Test::Values(&[10])),
    ("snow", Test::Values(&[11])),
];
/// Landsat Collection 2 QA_PIXEL bits (USGS data format control books). The upper bit of a confidence field is set from medium
/// on, which only clouds have; the others know none and high.
const QA_PIXEL: Names = &[
    ("fill", Test::Bits(&[0])),
    ("dilated", Test::Bits(&[1])),
    ("cirrus", Test::Bits(&[2])),
    ("cloud", Test::Bits(&[3])),
    ("shadow", Test::Bits(&[4])),
    ("snow", Test::Bits(&[5])),
    ("water", Test::Bits(&[7])),
    ("cloud_confidence", Test::Bits(&[9])),
    ("shadow_confidence", Test::Bits(&[11])),
    ("snow_confidence", Test::Bits(&[13])),
    ("cirrus_confidence", Test::Bits(&[15])),
];
/// Landsat Collection 2 QA_RADSAT bits that concern all bands. Those of single bands are `SceneBand::saturated`.
const QA_RADSAT: Names = &[("dropped", Test::Bits(&[9])), ("occluded", Test::Bits(&[11]))];
/// HLS version 2 Fmask bits (HLS user guide).
const FMASK: Names = &[
    ("cloud", Test::Bits(&[1])),
    ("adjacent", Test::Bits(&[2])),
    ("dilated", Test::Bits(&[2])),
    ("shadow", Test::Bits(&[3])),
    ("snow", Test::Bits(&[4])),
    ("water", Test::Bits(&[5])),
    ("aerosol", Test::Full(&[6, 7])),
];
/// Bands of PlanetScope's usable data mask (Planet imagery product specification).
const UDM2: Names = &[
    ("unclear", Test::NotBand(0)),
    ("snow", Test::Band(1)),
    ("shadow", Test::Band(2)),
    ("light_haze", Test::Band(3)),
    ("heavy_haze", Test::Band(4)),
    ("cloud", Test::Band(5)),
];

/// What a mask band means.
struct Scheme {
    names: Names,
    /// Masked where the user says nothing.
    default: &'static [&'static str],
    /// Always masked: no observation.
    fill: &'static [&'static str],
    /// Clouds and shadows, around which the buffer lies.
    buffered: &'static [&'static str],
    buffer_m: f64,
    /// Classes of which objects below three pixels are noise on bright ground, not clouds.
    speckle: &'static [&'static str],
}

const CLOUDS: &[&str] = &["cloud", "cloud_medium", "cloud_high", "cirrus", "shadow"];

fn scheme(role: Role) -> Option<Scheme> {
    Some(match role {
        Role::Scl => Scheme {
            names: SCL,
            default: &["nodata", "saturated", "shadow", "cloud", "cirrus", "snow"],
            fill: &["nodata"],
            buffered: CLOUDS,
            buffer_m: 60.0,
            speckle: &["cloud", "cloud_medium", "cloud_high", "cirrus"],
        },
        // Bit 1 is a dilation already, so there is no further buffer.
        Role::QaPixel => Scheme {
            names: QA_PIXEL,
            default: &["fill", "dilated", "cirrus", "cloud", "shadow", "snow"],
            fill: &["fill"],
            buffered: CLOUDS,
            buffer_m: 0.0,
            speckle: &[],
        },
        Role::QaRadsat => Scheme {
            names: QA_RADSAT,
            default: &["dropped"],
            fill: &["dropped"],
            buffered: &[],
            buffer_m: 0.0,
            speckle: &[],
        },
        Role::Fmask => Scheme {
            names: FMASK,
            default: &["cloud", "adjacent", "shadow", "snow"],
            fill: &[],
            buffered: CLOUDS,
            buffer_m: 0.0,
            speckle: &[],
        },
        Role::Udm2 => {
            Scheme { names: UDM2, default: &["unclear"], fill: &[], buffered: CLOUDS, buffer_m: 0.0, speckle: &[] }
        }
        _ => return None,
    })
}

/// The masks of a scene's bands, and the decisions in words.
///
/// # Errors
/// Usage error that lists the names there are where one is unknown, or where there is no mask band to take a list from.
pub(super) fn of(bands: &[SceneBand], options: &SceneOptions) -> Result<(Vec<MaskSource>, Vec<String>)> {
    let (mut masks, mut decisions) = (Vec::new(), Vec::new());
    let mut unknown: Vec<&str> = match &options.masks {
        Maskings::Named(names) => names.iter().map(String::as_str).collect(),
        Maskings::Default | Maskings::None => Vec::new(),
    };
    let mut offered: Vec<&str> = Vec::new();
    for band in bands.iter().filter(|_| options.masks != Maskings::None) {
        if band.role == Role::Mask {
            masks.push(mask(band, band.band, MaskRule::NotValues(vec![0])));
            decisions.push("mask: everything but 0 masked".into());
            continue;
        }
        let Some(scheme) = scheme(band.role) else { continue };
        offered.extend(scheme.names.iter().map(|(n, _)| *n));
        let mut chosen: Vec<Test> = Vec::new();
        let mut names: Vec<&str> = match &options.masks {
            Maskings::Named(names) => {
                let known: Vec<&str> =
                    names.iter().map(String::as_str).filter(|n| test(n, &scheme).is_some()).collect();
                unknown.retain(|n| !known.contains(n));
                scheme.fill.iter().copied().chain(known).collect()
            }
            _ => scheme.default.to_vec(),
        };
        names.dedup();
        chosen.extend(names.iter().filter_map(|n| test(n, &scheme)));
        let metres = options.mask_buffer.unwrap_or(scheme.buffer_m);
        let buffer_px = if metres == 0.0 { 0 } else { (metres / pixel_metres(band.source.grid())?).round() as usize };
        let around: Vec<Test> =
            names.iter().filter(|n| scheme.buffered.contains(n)).filter_map(|n| test(n, &scheme)).collect();
        let speckle: Vec<Test> =
            names.iter().filter(|n| scheme.speckle.contains(n)).filter_map(|n| test(n, &scheme)).collect();
        if chosen.iter().all(|t| matches!(t, Test::Band(_) | Test::NotBand(_))) {
            // A band a class.
            for t in &chosen {
                let (at, rule) = match t {
                    Test::Band(at) => (*at, MaskRule::Values(vec![1])),
                    Test::NotBand(at) => (*at, MaskRule::NotValues(vec![1])),
                    _ => continue,
                };
                let buffer_px = if around.contains(t) { buffer_px } else { 0 };
                masks.push(MaskSource { buffered: rule.clone(), buffer_px, ..mask(band, at, rule) });
            }
        } else {
            let (buffered, speckle) = (rule(&around), rule(&speckle));
            masks.push(MaskSource { buffered, buffer_px, speckle, ..mask(band, band.band, rule(&chosen)) });
        }
        let buffer = if buffer_px > 0 { format!(", {buffer_px} px around clouds and shadows") } else { String::new() };
        decisions.push(format!("{}: masked are {}{buffer}", band.role, names.join(", ")));
    }
    if let (Maskings::Named(names), true) = (&options.masks, offered.is_empty() && masks.is_empty()) {
        return Err(Error::usage(format!(
            "--mask {}: the scene has no mask band; name one as scl=FILE, qa_pixel=FILE, fmask=FILE, udm2=FILE or mask=FILE",
            names.join(",")
        )));
    }
    // Saturated bands are masked on their own wherever QA_RADSAT tells them.
    unknown.retain(|n| !(*n == "saturated" && bands.iter().any(|b| b.saturated.is_some())));
    if let Some(name) = unknown.first() {
        return Err(Error::usage(format!(
            "--mask {name}: the scene's mask bands have no such class; names are {}",
            offered.join(" ")
        )));
    }
    Ok((masks, decisions))
}

/// A mask without buffer.
fn mask(band: &SceneBand, at: usize, rule: MaskRule) -> MaskSource {
    MaskSource {
        name: band.role.name().to_owned(),
        source: Arc::clone(&band.source),
        band: at,
        rule,
        buffered: MaskRule::Values(Vec::new()),
        buffer_px: 0,
        speckle: MaskRule::Values(Vec::new()),
    }
}

/// The mask of one reflectance band: the bit of QA_RADSAT that says that it is saturated. `number` is the sensor's number of
/// the band, from 1.
pub(super) fn saturated(radsat: &SceneBand, number: u32) -> MaskSource {
    let bits = MaskRule::Bits(1 << (number - 1));
    MaskSource { name: "saturated".into(), ..mask(radsat, radsat.band, bits) }
}

fn rule(tests: &[Test]) -> MaskRule {
    let bits = |list: &[u32]| list.iter().fold(0, |bits, b| bits | 1 << b);
    let any = tests.iter().fold(0, |all, t| if let Test::Bits(b) = t { all | bits(b) } else { all });
    let full: Vec<u32> =
        tests.iter().filter_map(|t| if let Test::Full(b) = t { Some(bits(b)) } else { None }).collect();
    let values: Vec<u32> = tests.iter().flat_map(|t| if let Test::Values(v) = t { *v } else { &[] }).copied().collect();
    match (values.is_empty(), full.is_empty()) {
        (true, true) => MaskRule::Bits(any),
        // A field that must be full is no list of bits; these bands have eight.
        (true, false) => {
            let hit = |v: &u32| v & any != 0 || full.iter().any(|f| v & f == *f);
            MaskRule::Values((0..256).filter(hit).collect())
        }
        (false, _) => {
            let mut values = values;
            values.sort_unstable();
            values.dedup();
            MaskRule::Values(values)
        }
    }
}

/// What a name means, or a number (an SCL class, a bit).
fn test(name: &str, scheme: &Scheme) -> Option<Test> {
    const NUMBERS: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let numbered = || {
        let at = name.parse::<usize>().ok().filter(|n| *n < NUMBERS.len())?;
        match scheme.names.first()?.1 {
            Test::Values(_) => Some(Test::Values(&NUMBERS[at..=at])),
            Test::Bits(_) => Some(Test::Bits(&NUMBERS[at..=at])),
            _ => None,
        }
    };
    scheme.names.iter().find(|(n, _)| *n == name).map(|(_, t)| *t).or_else(numbered)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_must_be_full_is_told_by_values() {
        let rule = rule(&[Test::Bits(&[1]), Test::Full(&[6, 7])]);
        let MaskRule::Values(values) = rule else { unreachable!("a list of values") };
        assert!(values.contains(&0b1100_0000) && values.contains(&0b10) && !values.contains(&0b0100_0000));
    }

    #[test]
    fn numbers_stand_for_classes_or_bits() {
        let of = |name, role| test(name, &scheme(role).unwrap());
        assert_eq!(of("2", Role::Scl), Some(Test::Values(&[2])));
        assert_eq!(of("7", Role::QaPixel), Some(Test::Bits(&[7])));
        assert_eq!(of("99", Role::QaPixel), None);
        assert_eq!(of("1", Role::Udm2), None);
    }
}
