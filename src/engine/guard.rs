//! The last check of what an analysis wrote: nothing non-finite and nothing outside the valid range leaves a pass.

use super::contract::OutBand;
use super::outcome::Counts;
use crate::raster::{OutPlane, Plane};

/// Turns infinite and out-of-range values into nodata and counts them. NaN where every plane read was valid is arithmetic
/// too (0/0), and counted; NaN elsewhere is nodata of the input.
pub(super) fn guard(
    band: &OutBand,
    out: &mut OutPlane,
    input: &[&Plane],
    halo: usize,
    cols: usize,
    counts: &mut Counts,
) {
    let range = (*band.valid.start(), *band.valid.end());
    let nodata = band.nodata;
    match out {
        OutPlane::F32(v) => floats(v, f32::NAN, f64::from, range, input, halo, cols, counts),
        OutPlane::F64(v) => floats(v, f64::NAN, |x| x, range, input, halo, cols, counts),
        OutPlane::U8(v) => integers(v, nodata as u8, f64::from, range, counts),
        OutPlane::U16(v) => integers(v, nodata as u16, f64::from, range, counts),
        OutPlane::I16(v) => integers(v, nodata as i16, f64::from, range, counts),
        OutPlane::I32(v) => integers(v, nodata as i32, f64::from, range, counts),
    }
}

fn floats<T: Copy>(
    values: &mut [T],
    nan: T,
    wide: impl Fn(T) -> f64,
    (low, high): (f64, f64),
    input: &[&Plane],
    halo: usize,
    cols: usize,
    counts: &mut Counts,
) {
    for (r, row) in values.chunks_mut(cols).enumerate() {
        if row.iter().any(|v| wide(*v).is_nan()) && !input.is_empty() {
            let valid = |c: usize| input.iter().all(|p| !p.get(r + halo, c + halo).is_nan());
            let undefined = row.iter().enumerate().filter(|(c, v)| wide(**v).is_nan() && valid(*c)).count();
            counts.arithmetic_invalid += undefined as u64;
        }
        for v in row {
            let x = wide(*v);
            if x.is_infinite() {
                counts.arithmetic_invalid += 1;
                *v = nan;
            } else if x < low || x > high {
                counts.out_of_range += 1;
                *v = nan;
            }
        }
    }
}

fn integers<T: Copy + PartialEq>(
    values: &mut [T],
    nodata: T,
    wide: impl Fn(T) -> f64,
    (low, high): (f64, f64),
    counts: &mut Counts,
) {
    for v in values {
        let x = wide(*v);
        if *v != nodata && !(x >= low && x <= high) {
            *v = nodata;
            counts.out_of_range += 1;
        }
    }
}
