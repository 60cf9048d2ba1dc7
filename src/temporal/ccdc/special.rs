//! Which procedure a series gets, and the single models of series with nearly no clear observation.

use super::{Ccdc, Procedure, Quality, Work};

/// Least share of clear observations for detection of change.
const CLEAR_SHARE: f64 = 0.25;
/// Share of snow among clear and snow above which a place counts as snow.
const SNOW_SHARE: f64 = 0.75;
/// Reflectance × 10000 above the median of green beyond which a nominally clear observation counts as cloud.
const BRIGHT: f64 = 400.0;

/// Runs the procedure that the classes of a series call for.
#[inline(always)]
pub(super) fn choose(ccdc: &Ccdc, values: &[f32], quality: &[Quality], work: &mut Work) {
    let clear = |class| matches!(class, Quality::Clear | Quality::Water);
    let (mut clear_count, mut snow_count, mut count) = (0_usize, 0_usize, 0_usize);
    for &class in quality {
        clear_count += usize::from(clear(class));
        snow_count += usize::from(class == Quality::Snow);
        count += usize::from(class != Quality::Missing);
    }
    if clear_count as f64 >= CLEAR_SHARE * count as f64 {
        work.series.read(ccdc, values, quality, clear);
        work.detect(ccdc);
    } else if snow_count as f64 > SNOW_SHARE * (snow_count + clear_count) as f64 {
        work.series.read(ccdc, values, quality, |class| clear(class) || class == Quality::Snow);
        work.single(ccdc, Procedure::Snow);
    } else {
        work.series.read(ccdc, values, quality, clear);
        work.series.drop_bright(ccdc.settings.cloud_bands[0], BRIGHT);
        work.single(ccdc, Procedure::Insufficient);
    }
}
