//! Sample types a file can be written in.

use crate::raster::OutPlane;

/// A sample of an output band.
pub(super) trait Sample: Copy + PartialOrd + Default + Send + 'static {
    /// Bytes of a sample.
    const BYTES: usize;
    fn to_f64(self) -> f64;
    /// The nearest sample; ties away from zero.
    fn from_f64(value: f64) -> Self;
    /// The cells of a plane of this type.
    fn of(plane: &mut OutPlane) -> Option<&mut Vec<Self>>;
    /// Writes the little-endian bytes of `row`.
    fn put(row: &[Self], out: &mut [u8]);
    /// Reads what [`Sample::put`] wrote.
    fn get(bytes: &[u8], row: &mut [Self]);
    /// Writes the differences to the sample before, as unsigned integers (TIFF predictor 2).
    fn put_differences(row: &[Self], out: &mut [u8]);
    /// Writes byte `rank` of each sample, 0 the most significant, into `out` (TIFF predictor 3).
    fn put_rank(row: &[Self], rank: usize, out: &mut [u8]);
}

macro_rules! sample {
    ($($t:ty, $variant:ident, $bits:ty, $to_bits:expr, $from:expr;)*) => {$(
        impl Sample for $t {
            const BYTES: usize = size_of::<$t>();
            #[inline(always)]
            fn to_f64(self) -> f64 { f64::from(self) }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { $from(value) }
            fn of(plane: &mut OutPlane) -> Option<&mut Vec<Self>> {
                match plane {
                    OutPlane::$variant(v) => Some(v),
                    _ => None,
                }
            }
            #[inline(always)]
            fn put(row: &[Self], out: &mut [u8]) {
                let (cells, _) = out.as_chunks_mut::<{ size_of::<$t>() }>();
                cells.iter_mut().zip(row).for_each(|(o, v)| *o = v.to_le_bytes());
            }
            #[inline(always)]
            fn get(bytes: &[u8], row: &mut [Self]) {
                let (cells, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
                row.iter_mut().zip(cells).for_each(|(v, b)| *v = <$t>::from_le_bytes(*b));
            }
            #[inline(always)]
            fn put_differences(row: &[Self], out: &mut [u8]) {
                let (cells, _) = out.as_chunks_mut::<{ size_of::<$t>() }>();
                let (Some(first), Some(start)) = (row.first(), cells.first_mut()) else { return };
                *start = first.to_le_bytes();
                for ((o, &b), &a) in cells[1..].iter_mut().zip(&row[1..]).zip(row) {
                    let (a, b): ($bits, $bits) = ($to_bits(a), $to_bits(b));
                    *o = b.wrapping_sub(a).to_le_bytes();
                }
            }
            #[inline(always)]
            fn put_rank(row: &[Self], rank: usize, out: &mut [u8]) {
                let shift = 8 * (Self::BYTES - 1 - rank);
                for (o, v) in out.iter_mut().zip(row) {
                    let bits: $bits = $to_bits(*v);
                    *o = (bits >> shift) as u8;
                }
            }
        }
    )*};
}

sample! {
    u8, U8, u8, |v| v, |v: f64| v.round() as u8;
    u16, U16, u16, |v| v, |v: f64| v.round() as u16;
    i16, I16, u16, |v: i16| v as u16, |v: f64| v.round() as i16;
    i32, I32, u32, |v: i32| v as u32, |v: f64| v.round() as i32;
    f32, F32, u32, f32::to_bits, |v: f64| v as f32;
    f64, F64, u64, f64::to_bits, |v: f64| v;
}

/// True for a nodata sample: NaN, or the band's nodata value.
#[inline(always)]
pub(super) fn is_nodata<T: Sample>(value: T, nodata: Option<T>) -> bool {
    value.partial_cmp(&value).is_none() || nodata == Some(value)
}

/// A rectangle of a plane: `rows` rows of `cols` samples, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rect<'a, T> {
    pub(super) samples: &'a [T],
    pub(super) stride: usize,
    pub(super) cols: usize,
    pub(super) rows: usize,
}

impl<'a, T: Sample> Rect<'a, T> {
    pub(super) fn row(&self, row: usize) -> &'a [T] {
        &self.samples[row * self.stride..][..self.cols]
    }

    pub(super) fn is_empty(&self, nodata: Option<T>) -> bool {
        (0..self.rows).all(|r| self.row(r).iter().all(|v| is_nodata(*v, nodata)))
    }
}

/// Runs `$body` with `$T` standing for the sample type of `$dtype`; types no output has are a bug.
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::raster::Dtype::U8 => {
                type $T = u8;
                $body
            }
            $crate::raster::Dtype::U16 => {
                type $T = u16;
                $body
            }
            $crate::raster::Dtype::I16 => {
                type $T = i16;
                $body
            }
            $crate::raster::Dtype::I32 => {
                type $T = i32;
                $body
            }
            $crate::raster::Dtype::F32 => {
                type $T = f32;
                $body
            }
            $crate::raster::Dtype::F64 => {
                type $T = f64;
                $body
            }
            other => Err($crate::error::Error::bug(format!("no output band of type {other}"))),
        }
    };
}
pub(super) use with_dtype;

/// Runs `$body` with `$v` bound to the vector of an [`crate::raster::OutPlane`].
macro_rules! with_plane {
    ($plane:expr, $v:ident => $body:expr) => {
        match $plane {
            $crate::raster::OutPlane::U8($v) => $body,
            $crate::raster::OutPlane::U16($v) => $body,
            $crate::raster::OutPlane::I16($v) => $body,
            $crate::raster::OutPlane::I32($v) => $body,
            $crate::raster::OutPlane::F32($v) => $body,
            $crate::raster::OutPlane::F64($v) => $body,
        }
    };
}
pub(super) use with_plane;
