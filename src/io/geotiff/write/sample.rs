//! Sample types a file can be written in.

/// A sample of an output band.
pub(super) trait Sample: Copy + PartialOrd + Send + 'static {
    /// Bytes of a sample.
    const BYTES: usize;
    fn to_f64(self) -> f64;
    /// The nearest sample; ties away from zero.
    fn from_f64(value: f64) -> Self;
    /// One bit pattern for NaN, so that equal pixels are equal bytes.
    fn canonical(self) -> Self;
    /// Appends the little-endian bytes of `row`.
    fn put(row: &[Self], out: &mut Vec<u8>);
    /// Reads what [`Sample::put`] wrote.
    fn get(bytes: &[u8]) -> Vec<Self>;
    /// Appends the differences to the sample before, as unsigned integers (TIFF predictor 2).
    fn put_differences(row: &[Self], out: &mut Vec<u8>);
    /// Writes byte `rank` of each sample, 0 the most significant, into `out` (TIFF predictor 3).
    fn put_rank(row: &[Self], rank: usize, out: &mut [u8]);
}

macro_rules! sample {
    ($($t:ty, $bits:ty, $to_bits:expr, $canonical:expr, $from:expr;)*) => {$(
        impl Sample for $t {
            const BYTES: usize = size_of::<$t>();
            fn to_f64(self) -> f64 { f64::from(self) }
            fn from_f64(value: f64) -> Self { $from(value) }
            fn canonical(self) -> Self { $canonical(self) }
            fn put(row: &[Self], out: &mut Vec<u8>) {
                out.extend(row.iter().flat_map(|v| v.to_le_bytes()));
            }
            fn get(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks::<{ size_of::<$t>() }>().0.iter().map(|b| <$t>::from_le_bytes(*b)).collect()
            }
            fn put_differences(row: &[Self], out: &mut Vec<u8>) {
                let Some(first) = row.first() else { return };
                out.extend_from_slice(&first.to_le_bytes());
                out.extend(row.windows(2).flat_map(|w| {
                    let (a, b): ($bits, $bits) = ($to_bits(w[0]), $to_bits(w[1]));
                    b.wrapping_sub(a).to_le_bytes()
                }));
            }
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
    u8, u8, |v| v, |v| v, |v: f64| v.round() as u8;
    u16, u16, |v| v, |v| v, |v: f64| v.round() as u16;
    i16, u16, |v: i16| v as u16, |v| v, |v: f64| v.round() as i16;
    i32, u32, |v: i32| v as u32, |v| v, |v: f64| v.round() as i32;
    f32, u32, f32::to_bits, |v: f32| if v.is_nan() { f32::NAN } else { v }, |v: f64| v as f32;
    f64, u64, f64::to_bits, |v: f64| if v.is_nan() { f64::NAN } else { v }, |v: f64| v;
}

/// True for a nodata sample: NaN, or the band's nodata value.
pub(super) fn is_nodata<T: Sample>(value: T, nodata: Option<T>) -> bool {
    value.partial_cmp(&value).is_none() || nodata == Some(value)
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
