//! Planes: the pixels of one tile, decoded for computing or made by it.

use pulp::{Arch, NullaryFnOnce};

use super::Dtype;

/// Storage of an input plane: f32 where that holds every stored value exactly, f64 otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 8- and 16-bit integers, f16 and f32.
    F32(Vec<f32>),
    /// 32- and 64-bit integers and f64.
    F64(Vec<f64>),
}

/// An input plane of one tile, halo included. Stored values are kept exact with NaN for nodata; scale and offset are
/// applied in f64 while loading, so that nothing is rounded before the kernel sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Columns, halo included.
    pub cols: usize,
    /// Rows, halo included.
    pub rows: usize,
    /// Stored values, NaN where invalid.
    pub values: Values,
    /// Scale of the encoding.
    pub scale: f64,
    /// Offset of the encoding.
    pub offset: f64,
}

impl Plane {
    /// A plane of physical values.
    #[must_use]
    pub fn from_f32(cols: usize, rows: usize, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), cols * rows);
        Self { cols, rows, values: Values::F32(values), scale: 1.0, offset: 0.0 }
    }

    /// A plane of physical values in double precision.
    #[must_use]
    pub fn from_f64(cols: usize, rows: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len(), cols * rows);
        Self { cols, rows, values: Values::F64(values), scale: 1.0, offset: 0.0 }
    }

    /// Becomes the finished plane `out` of a tile of `cols` columns, with `halo` cells of nodata around it.
    pub fn take_written(&mut self, out: &OutPlane, nodata: f64, cols: usize, halo: usize) {
        fn fill<T: Copy, D: Copy>(
            to: &mut Vec<D>,
            from: &[T],
            cols: usize,
            halo: usize,
            nan: D,
            held: impl Fn(T) -> D,
        ) {
            let wide = cols + 2 * halo;
            to.clear();
            to.resize(wide * (from.len() / cols + 2 * halo), nan);
            for (to, from) in to.chunks_exact_mut(wide).skip(halo).zip(from.chunks_exact(cols)) {
                to[halo..halo + cols].iter_mut().zip(from).for_each(|(d, v)| *d = held(*v));
            }
        }
        if out.dtype().fits_f32() != matches!(self.values, Values::F32(_)) {
            self.values = if out.dtype().fits_f32() { Values::F32(Vec::new()) } else { Values::F64(Vec::new()) };
        }
        (self.cols, self.rows) = (cols + 2 * halo, out.len() / cols + 2 * halo);
        (self.scale, self.offset) = (1.0, 0.0);
        let nan = f32::NAN;
        match (&mut self.values, out) {
            (Values::F32(to), OutPlane::F32(v)) => fill(to, v, cols, halo, nan, |x| x),
            (Values::F32(to), OutPlane::U8(v)) => {
                fill(to, v, cols, halo, nan, |x| if f64::from(x) == nodata { nan } else { f32::from(x) });
            }
            (Values::F32(to), OutPlane::U16(v)) => {
                fill(to, v, cols, halo, nan, |x| if f64::from(x) == nodata { nan } else { f32::from(x) });
            }
            (Values::F32(to), OutPlane::I16(v)) => {
                fill(to, v, cols, halo, nan, |x| if f64::from(x) == nodata { nan } else { f32::from(x) });
            }
            (Values::F64(to), OutPlane::I32(v)) => {
                fill(to, v, cols, halo, f64::NAN, |x| if f64::from(x) == nodata { f64::NAN } else { f64::from(x) });
            }
            (Values::F64(to), OutPlane::F64(v)) => fill(to, v, cols, halo, f64::NAN, |x| x),
            // The storage was just chosen by the type.
            _ => {}
        }
    }

    /// Physical values of `out.len()` cells of row `row` from column `col`; NaN is nodata.
    pub fn load(&self, row: usize, col: usize, out: &mut [f64]) {
        let at = row * self.cols + col;
        let (scale, offset) = (self.scale, self.offset);
        match &self.values {
            Values::F32(v) => {
                let plain = scale == 1.0 && offset == 0.0;
                Arch::new().dispatch(Load { from: &v[at..at + out.len()], plain, scale, offset, out });
            }
            Values::F64(v) => {
                Arch::new().dispatch(Load { from: &v[at..at + out.len()], plain: false, scale, offset, out });
            }
        }
    }

    /// Physical value of one cell; NaN is nodata.
    #[must_use]
    pub fn get(&self, row: usize, col: usize) -> f64 {
        let at = row * self.cols + col;
        match &self.values {
            Values::F32(v) => f64::from(v[at]) * self.scale + self.offset,
            Values::F64(v) => v[at] * self.scale + self.offset,
        }
    }

    /// Clears `valid` where a cell of row `row` from column `col` is nodata.
    pub fn clear_nodata(&self, row: usize, col: usize, valid: &mut [u8]) {
        let at = row * self.cols + col..row * self.cols + col + valid.len();
        match &self.values {
            Values::F32(v) => valid.iter_mut().zip(&v[at]).for_each(|(m, x)| *m &= u8::from(!x.is_nan())),
            Values::F64(v) => valid.iter_mut().zip(&v[at]).for_each(|(m, x)| *m &= u8::from(!x.is_nan())),
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::F32(v) => v.len() * 4,
            Values::F64(v) => v.len() * 8,
        }
    }
}

/// Stored values as physical ones.
struct Load<'a, T> {
    from: &'a [T],
    /// Stored values are physical ones.
    plain: bool,
    scale: f64,
    offset: f64,
    out: &'a mut [f64],
}

impl<T: Copy + Into<f64>> NullaryFnOnce for Load<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { from, plain, scale, offset, out } = self;
        if plain {
            out.iter_mut().zip(from).for_each(|(d, &x)| *d = x.into());
        } else {
            out.iter_mut().zip(from).for_each(|(d, &x)| *d = x.into() * scale + offset);
        }
    }
}

/// An output plane of one tile, in the type that is written. Floats use NaN for nodata; integer planes use the nodata
/// value of their band.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum OutPlane {
    U8(Vec<u8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl OutPlane {
    /// `cells` cells of nodata: NaN for floats, `fill` for integers.
    ///
    /// # Panics
    /// On a type no output has (checked when a pass is planned).
    #[must_use]
    #[expect(clippy::panic, reason = "the planner refuses other types before any tile exists")]
    pub fn filled(dtype: Dtype, fill: f64, cells: usize) -> Self {
        match dtype {
            Dtype::U8 => Self::U8(vec![fill as u8; cells]),
            Dtype::U16 => Self::U16(vec![fill as u16; cells]),
            Dtype::I16 => Self::I16(vec![fill as i16; cells]),
            Dtype::I32 => Self::I32(vec![fill as i32; cells]),
            Dtype::F32 => Self::F32(vec![f32::NAN; cells]),
            Dtype::F64 => Self::F64(vec![f64::NAN; cells]),
            other => panic!("no output plane of type {other}"),
        }
    }

    /// Makes `cells` cells of nodata of it, keeping its memory.
    pub fn reset(&mut self, fill: f64, cells: usize) {
        fn all<T: Copy>(v: &mut Vec<T>, fill: T, cells: usize) {
            v.clear();
            v.resize(cells, fill);
        }
        match self {
            Self::U8(v) => all(v, fill as u8, cells),
            Self::U16(v) => all(v, fill as u16, cells),
            Self::I16(v) => all(v, fill as i16, cells),
            Self::I32(v) => all(v, fill as i32, cells),
            Self::F32(v) => all(v, f32::NAN, cells),
            Self::F64(v) => all(v, f64::NAN, cells),
        }
    }

    /// Adds the cells of another plane of the same type behind its own.
    pub fn extend(&mut self, next: &Self) {
        match (self, next) {
            (Self::U8(to), Self::U8(v)) => to.extend_from_slice(v),
            (Self::U16(to), Self::U16(v)) => to.extend_from_slice(v),
            (Self::I16(to), Self::I16(v)) => to.extend_from_slice(v),
            (Self::I32(to), Self::I32(v)) => to.extend_from_slice(v),
            (Self::F32(to), Self::F32(v)) => to.extend_from_slice(v),
            (Self::F64(to), Self::F64(v)) => to.extend_from_slice(v),
            (to, next) => debug_assert!(false, "{} cells behind {}", next.dtype(), to.dtype()),
        }
    }

    /// Type of the cells.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::U8(_) => Dtype::U8,
            Self::U16(_) => Dtype::U16,
            Self::I16(_) => Dtype::I16,
            Self::I32(_) => Dtype::I32,
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    /// Cells held.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// True without cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_is_applied_in_double_precision() {
        let mut p = Plane::from_f32(3, 1, vec![7273.0, 43636.0, f32::NAN]);
        (p.scale, p.offset) = (2.75e-5, -0.2);
        let mut row = [0.0; 3];
        p.load(0, 0, &mut row);
        assert_eq!(row[0], 7273.0 * 2.75e-5 - 0.2);
        assert!(row[2].is_nan());
        assert_eq!(p.get(0, 1), 43636.0 * 2.75e-5 - 0.2);
    }
}
