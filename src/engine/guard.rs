//! The last check of what an analysis wrote: nothing non-finite and nothing outside the valid range leaves a pass. The
//! moments of what is left are taken while it is at hand.

use super::contract::OutBand;
use super::outcome::Counts;
use crate::numeric::Moments;
use crate::raster::{OutPlane, Plane};

/// Where the cells of a plane come from, for telling nodata of the input from failed arithmetic.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) input: &'a [&'a Plane],
    pub(super) halo: usize,
    pub(super) cols: usize,
}

/// Turns infinite and out-of-range values into nodata and counts them. NaN where every plane read was valid is arithmetic
/// too (0/0), and counted; NaN elsewhere is nodata of the input. Every NaN that is left has the same bits. The moments of the
/// rows go on from `all`, row by row, so that it does not matter whether a tile comes whole.
pub(super) fn guard(band: &OutBand, out: &mut OutPlane, origin: Origin<'_>, counts: &mut Counts, all: &mut Moments) {
    let range = (*band.valid.start(), *band.valid.end());
    let nodata = Some(band.nodata).filter(|n| !n.is_nan());
    match out {
        OutPlane::F32(v) => floats(v, range, origin, counts, all),
        OutPlane::F64(v) => floats(v, range, origin, counts, all),
        OutPlane::U8(v) => integers(v, nodata.map(|n| n as u8), range, origin.cols, counts, all),
        OutPlane::U16(v) => integers(v, nodata.map(|n| n as u16), range, origin.cols, counts, all),
        OutPlane::I16(v) => integers(v, nodata.map(|n| n as i16), range, origin.cols, counts, all),
        OutPlane::I32(v) => integers(v, nodata.map(|n| n as i32), range, origin.cols, counts, all),
    }
}

/// A float type of output planes.
trait Float: Copy + PartialOrd {
    const NAN: Self;
    fn wide(self) -> f64;
    fn not_a_number(self) -> bool;
    fn infinite(self) -> bool;
    /// The least value not below `bound`, and the greatest not above it, among the finite ones.
    fn within(low: f64, high: f64) -> (Self, Self);
}

impl Float for f32 {
    const NAN: Self = Self::NAN;
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn not_a_number(self) -> bool {
        Self::is_nan(self)
    }
    #[inline(always)]
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn within(low: f64, high: f64) -> (Self, Self) {
        let (mut a, mut b) = (low as Self, high as Self);
        if f64::from(a) < low {
            a = a.next_up();
        }
        if f64::from(b) > high {
            b = b.next_down();
        }
        (a.max(Self::MIN), b.min(Self::MAX))
    }
}

impl Float for f64 {
    const NAN: Self = Self::NAN;
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn not_a_number(self) -> bool {
        Self::is_nan(self)
    }
    #[inline(always)]
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn within(low: f64, high: f64) -> (Self, Self) {
        (low.max(Self::MIN), high.min(Self::MAX))
    }
}

fn floats<T: Float>(
    values: &mut [T],
    (low, high): (f64, f64),
    origin: Origin<'_>,
    counts: &mut Counts,
    all: &mut Moments,
) {
    let (low, high) = T::within(low, high);
    let mut valid = vec![0; origin.cols];
    for (r, row) in values.chunks_mut(origin.cols).enumerate() {
        let found = float_row(row, low, high, &mut valid);
        // Rare: only then the inputs are looked at.
        if found.nan > 0 && !origin.input.is_empty() {
            for plane in origin.input {
                plane.clear_nodata(r + origin.halo, origin.halo, &mut valid);
            }
            counts.arithmetic_invalid += valid.iter().map(|v| u64::from(*v)).sum::<u64>();
        }
        counts.arithmetic_invalid += found.infinite;
        counts.out_of_range += found.outside;
        all.merge(&found.moments);
    }
}

struct Row {
    moments: Moments,
    nan: u64,
    infinite: u64,
    outside: u64,
}

/// Keeps what lies in `low..=high`; `nans` becomes 1 where the analysis gave NaN.
#[pulp::with_simd(float_row = pulp::Arch::new())]
#[inline(always)]
fn float_row_with_simd<S: pulp::Simd, T: Float>(_simd: S, row: &mut [T], low: T, high: T, nans: &mut [u8]) -> Row {
    let (mut nan, mut infinite, mut kept) = (0_u32, 0_u32, 0_u32);
    for (v, n) in row.iter_mut().zip(nans) {
        let unordered = v.not_a_number();
        let inside = *v >= low && *v <= high;
        *n = u8::from(unordered);
        nan += u32::from(unordered);
        infinite += u32::from(v.infinite());
        kept += u32::from(inside);
        *v = if inside { *v } else { T::NAN };
    }
    let outside = row.len() as u64 - u64::from(nan + infinite + kept);
    Row { moments: Moments::of_each(row, Float::wide), nan: u64::from(nan), infinite: u64::from(infinite), outside }
}

fn integers<T: Copy + PartialEq + Into<f64>>(
    values: &mut [T],
    nodata: Option<T>,
    range: (f64, f64),
    cols: usize,
    counts: &mut Counts,
    all: &mut Moments,
) {
    for row in values.chunks_mut(cols) {
        let (moments, outside) = match nodata {
            Some(nodata) => integer_row(row, nodata, range),
            // Where no value says nodata, all are valid.
            None => (plain_row(row), 0),
        };
        counts.out_of_range += outside;
        all.merge(&moments);
    }
}

#[pulp::with_simd(integer_row = pulp::Arch::new())]
#[inline(always)]
fn integer_row_with_simd<S: pulp::Simd, T: Copy + PartialEq + Into<f64>>(
    _simd: S,
    row: &mut [T],
    nodata: T,
    range: (f64, f64),
) -> (Moments, u64) {
    let mut outside = 0_u32;
    for v in row.iter_mut() {
        let x: f64 = (*v).into();
        let out = *v != nodata && !(x >= range.0 && x <= range.1);
        outside += u32::from(out);
        *v = if out { nodata } else { *v };
    }
    let moments = Moments::of_each(row, |v| if v == nodata { f64::NAN } else { v.into() });
    (moments, u64::from(outside))
}

#[pulp::with_simd(plain_row = pulp::Arch::new())]
#[inline(always)]
fn plain_row_with_simd<S: pulp::Simd, T: Copy + Into<f64>>(_simd: S, row: &[T]) -> Moments {
    Moments::of_each(row, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_nodata_every_integer_is_valid() {
        let band = OutBand { dtype: crate::raster::Dtype::U16, ..OutBand::quantity("dn", "") };
        let mut plane = OutPlane::U16(vec![0, 65_535, 7]);
        let origin = Origin { input: &[], halo: 0, cols: 3 };
        let mut moments = Moments::default();
        guard(&band, &mut plane, origin, &mut Counts::default(), &mut moments);
        assert_eq!((moments.count, moments.min, moments.max), (3, 0.0, 65_535.0));
        assert_eq!(plane, OutPlane::U16(vec![0, 65_535, 7]));
        let band = OutBand { nodata: 0.0, ..band };
        let mut moments = Moments::default();
        guard(&band, &mut plane, origin, &mut Counts::default(), &mut moments);
        assert_eq!(moments.count, 2);
    }

    #[test]
    fn bounds_in_single_precision_keep_what_double_precision_keeps() {
        // 0.1 in f32 is above 0.1, so it is out of 0..=0.1 and in 0.1..=1.
        assert!(f32::within(0.0, 0.1).1 < 0.1_f32);
        assert_eq!(f32::within(0.1, 1.0).0, 0.1_f32);
        assert_eq!(f32::within(f64::NEG_INFINITY, f64::INFINITY), (f32::MIN, f32::MAX));
    }

    #[test]
    fn what_is_lost_is_counted_by_cause() {
        let band = OutBand::quantity("q", "").within(-1.0..=1.0);
        let mut plane = OutPlane::F32(vec![0.5, f32::NAN, -f32::NAN, f32::INFINITY, 1.5, -1.0]);
        let input = Plane::from_f32(6, 1, vec![0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]);
        let mut counts = Counts::default();
        let origin = Origin { input: &[&input], halo: 0, cols: 6 };
        let mut moments = Moments::default();
        guard(&band, &mut plane, origin, &mut counts, &mut moments);
        assert_eq!((counts.arithmetic_invalid, counts.out_of_range), (2, 1));
        assert_eq!((moments.count, moments.min, moments.max, moments.mean()), (2, -1.0, 0.5, Some(-0.25)));
        let OutPlane::F32(v) = plane else { unreachable!() };
        assert_eq!(v[2].to_bits(), f32::NAN.to_bits());
    }
}
