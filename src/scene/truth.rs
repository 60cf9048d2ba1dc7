//! The radiometric truth check: an offset that metadata state is tested on pixels, since redistributors have shifted pixels and
//! left the metadata, and the other way round.

use super::sensor::Sensor;
use super::{Quantity, SceneBand};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::numeric::quantile::of_sorted;
use crate::raster::{Raw, Role};
use crate::with_samples;

/// Surface reflectance is noisy around 0 over water and shadow; a twentieth of a scene further down is an offset too many.
const LOWEST: f64 = -0.02;
const SHARE: f64 = 0.05;
/// The darkest thousandth of a scene, water or shadow, reflects less than this in blue and in near infrared; shifted pixels
/// lie above it by their shift.
const FLOOR: f64 = 0.1;
const DARKEST: f64 = 0.001;
/// Blocks that are looked at, and their largest edge in pixels.
const PLACES: [(usize, usize); 3] = [(1, 2), (1, 4), (3, 4)];
const EDGE: usize = 1024;
/// Fewer valid pixels tell nothing.
const FEWEST: usize = 100;

/// What the pixels say of the offset of a scene's bands, in words; nothing where the sensor has no offset to doubt.
///
/// # Errors
/// Input error that names the contradiction and the overrides; failed reading.
pub(super) fn check(name: &str, bands: &[(&SceneBand, &Sensor)]) -> Result<Option<String>> {
    let with = |roles: &[Role]| roles.iter().find_map(|r| bands.iter().find(|(b, _)| b.role == *r));
    let Some((dark, sensor)) = with(&[Role::Blue, Role::Green, Role::Red, Role::Coastal]) else { return Ok(None) };
    let expected = sensor.stored_offset();
    let float = dark.source.bands()[dark.band].dtype.is_float();
    if float || dark.quantity == Quantity::Proportional || (dark.offset == 0.0 && expected == Some(0.0)) {
        return Ok(None);
    }
    let stored = sample(dark)?;
    if stored.len() < FEWEST {
        return Ok(Some(format!("offset {}: too few valid pixels to check it on", dark.offset)));
    }
    let physical = |band: &SceneBand, stored: &[f64], q: f64| {
        of_sorted(stored, q).map_or(f64::NAN, |v| v * band.scale + band.offset)
    };
    let low = physical(dark, &stored, SHARE);
    if dark.offset < 0.0 && low < LOWEST {
        return Err(Error::input(format!(
            "{name}: the metadata state an offset of {}, and with it 5 % of band {} would be below {low:.4}: the pixels were shifted \
             already; give --boa-offset none, or --boa-offset apply to insist",
            dark.offset, dark.role
        )));
    }
    let floor = physical(dark, &stored, DARKEST);
    if dark.offset == 0.0
        && floor >= FLOOR
        && let Some((bright, _)) = with(&[Role::Nir, Role::Nir08, Role::Swir22, Role::Swir16])
    {
        let other = physical(bright, &sample(bright)?, DARKEST);
        if other >= FLOOR {
            return Err(Error::input(format!(
                "{name}: the metadata state no offset, and the darkest pixels of {} and {} are {floor:.4} and {other:.4}: the pixels \
                 are not shifted; give --boa-offset apply (-1000), or --boa-offset none to insist",
                dark.role, bright.role
            )));
        }
    }
    Ok(Some(format!(
        "offset {}: agrees with the pixels ({} of band {}: darkest {floor:.4}, 5 % below {low:.4})",
        dark.offset,
        stored.len(),
        dark.role
    )))
}

/// Stored values of the valid pixels of a few blocks, sorted.
#[expect(clippy::unnecessary_cast, reason = "written once for all sample types, of which f64 is one")]
fn sample(band: &SceneBand) -> Result<Vec<f64>> {
    let (grid, layout) = (band.source.grid(), band.source.layout());
    let mut reader = band.source.open()?;
    let mut seen: Vec<Window> = Vec::new();
    let mut values = Vec::new();
    for (part, of) in PLACES {
        let at = |size: usize, block: usize| {
            let block = block.max(1);
            let first = size * part / of / block * block;
            (first, block.clamp(64, EDGE).min(size - first))
        };
        let ((col, cols), (row, rows)) = (at(grid.cols, layout.cols), at(grid.rows, layout.rows));
        let window = Window::new(col as i64, row as i64, cols, rows);
        if seen.contains(&window) || band.source.is_empty(window) {
            continue;
        }
        seen.push(window);
        let mut raw = [Raw::default()];
        reader.read(&[band.band], window, &mut raw)?;
        let [raw] = raw;
        let clear = |i: usize| raw.mask.as_ref().is_none_or(|m| m[i] != 0);
        with_samples!(&raw.samples, v => {
            let wide = v.iter().enumerate().filter(|(i, _)| clear(*i)).map(|(_, x)| *x as f64);
            values.extend(wide.filter(|x| x.is_finite() && Some(*x) != band.nodata));
        });
    }
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::grid::{Affine, Crs, Grid};
    use crate::io::memory::MemorySource;
    use crate::raster::{Band, Dtype, Samples, Source};
    use crate::scene::sensor::Sensors;

    fn band(role: Role, darkest: u16, offset: f64) -> SceneBand {
        let grid = Grid::new(64, 64, Affine::north_up(0.0, 640.0, 10.0, 10.0), Some(Crs::from_epsg(32634).unwrap()));
        let stored: Vec<u16> = (0..64 * 64).map(|i| darkest + (i % 900) as u16).collect();
        let source = MemorySource::new("b.tif", grid).band(Band::new(Dtype::U16), Samples::U16(stored), None).unwrap();
        SceneBand {
            role,
            source: Arc::new(source) as Arc<dyn Source>,
            band: 0,
            scale: 1e-4,
            offset,
            nodata: Some(0.0),
            quantity: Quantity::Physical,
            saturated: None,
        }
    }

    #[test]
    fn pixels_decide_about_offsets() {
        let sensors = Sensors::default();
        let new = sensors.in_text("S2A_MSIL2A_20240715T092031_N0511_R093").unwrap();
        let old = sensors.in_text("S2A_MSIL2A_20180712T092031_N0208_R093").unwrap();
        let said = |blue: u16, nir: u16, offset, sensor: &Sensor| {
            let (blue, nir) = (band(Role::Blue, blue, offset), band(Role::Nir, nir, offset));
            check("s", &[(&blue, sensor), (&nir, sensor)]).map_err(|e| e.to_string())
        };
        assert!(said(1150, 1300, -0.1, &new).unwrap().unwrap().contains("agrees"));
        assert!(said(150, 300, -0.1, &new).unwrap_err().contains("--boa-offset none"));
        assert!(said(150, 300, 0.0, &new).unwrap().unwrap().contains("agrees"));
        assert!(said(1150, 1300, 0.0, &new).unwrap_err().contains("--boa-offset apply"));
        // Bright ground alone is no contradiction, and an old product has no offset to doubt.
        assert!(said(1150, 300, 0.0, &new).is_ok());
        assert_eq!(said(1150, 1300, 0.0, &old).unwrap(), None);
    }
}
