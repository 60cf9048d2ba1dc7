//! Sample types as stored.

use std::fmt;

/// Type of a stored sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Dtype {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Dtype {
    /// Bytes of a sample.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
    /// True for f32 and f64.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
    /// True where every value of the type is exact in f32.
    #[must_use]
    pub fn fits_f32(self) -> bool {
        matches!(self, Self::U8 | Self::I8 | Self::U16 | Self::I16 | Self::F32)
    }
    /// Smallest and largest finite value of an integer type; for floats the finite range.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::U8 => (0.0, 255.0),
            Self::I8 => (-128.0, 127.0),
            Self::U16 => (0.0, 65_535.0),
            Self::I16 => (-32_768.0, 32_767.0),
            Self::U32 => (0.0, f64::from(u32::MAX)),
            Self::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Self::U64 => (0.0, u64::MAX as f64),
            Self::I64 => (i64::MIN as f64, i64::MAX as f64),
            Self::F32 => (f64::from(f32::MIN), f64::from(f32::MAX)),
            Self::F64 => (f64::MIN, f64::MAX),
        }
    }
    /// GDAL's name (`UInt16`, `Float32`).
    #[must_use]
    pub fn gdal_name(self) -> &'static str {
        match self {
            Self::U8 => "Byte",
            Self::I8 => "Int8",
            Self::U16 => "UInt16",
            Self::I16 => "Int16",
            Self::U32 => "UInt32",
            Self::I32 => "Int32",
            Self::U64 => "UInt64",
            Self::I64 => "Int64",
            Self::F32 => "Float32",
            Self::F64 => "Float64",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        })
    }
}

/// Samples in their stored type. 16-bit floats are widened to f32 by the reader, which loses nothing.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Samples {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// Runs `$body` with `$v` bound to the vector inside a [`Samples`], whatever its type.
#[macro_export]
macro_rules! with_samples {
    ($samples:expr, $v:ident => $body:expr) => {
        match $samples {
            $crate::raster::Samples::U8($v) => $body,
            $crate::raster::Samples::I8($v) => $body,
            $crate::raster::Samples::U16($v) => $body,
            $crate::raster::Samples::I16($v) => $body,
            $crate::raster::Samples::U32($v) => $body,
            $crate::raster::Samples::I32($v) => $body,
            $crate::raster::Samples::U64($v) => $body,
            $crate::raster::Samples::I64($v) => $body,
            $crate::raster::Samples::F32($v) => $body,
            $crate::raster::Samples::F64($v) => $body,
        }
    };
}

impl Samples {
    /// `n` zeros of a type.
    #[must_use]
    pub fn zeros(dtype: Dtype, n: usize) -> Self {
        match dtype {
            Dtype::U8 => Self::U8(vec![0; n]),
            Dtype::I8 => Self::I8(vec![0; n]),
            Dtype::U16 => Self::U16(vec![0; n]),
            Dtype::I16 => Self::I16(vec![0; n]),
            Dtype::U32 => Self::U32(vec![0; n]),
            Dtype::I32 => Self::I32(vec![0; n]),
            Dtype::U64 => Self::U64(vec![0; n]),
            Dtype::I64 => Self::I64(vec![0; n]),
            Dtype::F32 => Self::F32(vec![0.0; n]),
            Dtype::F64 => Self::F64(vec![0.0; n]),
        }
    }
    /// Type of the samples.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::U8(_) => Dtype::U8,
            Self::I8(_) => Dtype::I8,
            Self::U16(_) => Dtype::U16,
            Self::I16(_) => Dtype::I16,
            Self::U32(_) => Dtype::U32,
            Self::I32(_) => Dtype::I32,
            Self::U64(_) => Dtype::U64,
            Self::I64(_) => Dtype::I64,
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }
    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        with_samples!(self, v => v.len())
    }
    /// True without samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Resizes to `n` zeros of `dtype`, keeping the allocation where the type stays.
    pub fn reset(&mut self, dtype: Dtype, n: usize) {
        if self.dtype() == dtype {
            with_samples!(self, v => { v.clear(); v.resize(n, Default::default()); });
        } else {
            *self = Self::zeros(dtype, n);
        }
    }
}

/// What a reader delivers for one band and window: samples in row order, and the mask where the file has one.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Samples of the part of the window inside the raster, in row order.
    pub samples: Samples,
    /// A byte per sample, 0 where an internal, external or alpha mask or an absent block says invalid; none means all valid.
    pub mask: Option<Vec<u8>>,
}

impl Default for Raw {
    fn default() -> Self {
        Self { samples: Samples::U8(Vec::new()), mask: None }
    }
}

impl Raw {
    /// Marks as invalid where the samples of an alpha band of the same window are 0.
    pub fn mask_by_alpha(&mut self, alpha: &Self) {
        let mask = self.mask.get_or_insert_with(|| vec![1; alpha.samples.len()]);
        with_samples!(&alpha.samples, v => {
            mask.iter_mut().zip(v).for_each(|(m, a)| *m &= opaque(a));
        });
        if let Some(absent) = &alpha.mask {
            mask.iter_mut().zip(absent).for_each(|(m, a)| *m &= *a);
        }
    }
}

fn opaque<T: Default + PartialEq>(alpha: &T) -> u8 {
    u8::from(*alpha != T::default())
}

macro_rules! from_vec {
    ($($variant:ident $t:ty),*) => {$(
        impl From<Vec<$t>> for Samples {
            fn from(v: Vec<$t>) -> Self {
                Self::$variant(v)
            }
        }
    )*};
}
from_vec!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);
