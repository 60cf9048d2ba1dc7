//! Quantities stored as scaled 16-bit integers (`--co SCALE=0.0001`): half the bytes of f32, and they compress better.

use std::sync::{Mutex, PoisonError};

use crate::engine::OutBand;
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::numeric::Moments;
use crate::raster::{Dtype, Encoded, Finished, OutPlane, Sink};

/// Nodata of scaled bands; the other values of int16 hold numbers.
pub(super) const NODATA: i16 = i16::MIN;

/// Rounds f32 planes to multiples of a scale and hands them to a sink of int16 bands.
pub(super) struct ScaledSink {
    inner: Box<dyn Sink>,
    name: String,
    bands: Vec<String>,
    scale: f64,
    spare: Mutex<Vec<Vec<OutPlane>>>,
}

/// The bands of an int16 file that holds multiples of `scale`.
pub(super) fn bands(bands: &[OutBand], scale: f64) -> Vec<OutBand> {
    let stored = |b: &OutBand| {
        let mut stored = b.clone();
        (stored.dtype, stored.nodata, stored.scale) = (Dtype::I16, f64::from(NODATA), scale);
        stored
    };
    bands.iter().map(stored).collect()
}

impl ScaledSink {
    /// Before `inner`, a sink of [`bands`]; `name` is the output's, for messages.
    pub(super) fn new(inner: Box<dyn Sink>, name: String, bands: &[OutBand], scale: f64) -> Self {
        let bands = bands.iter().map(|b| b.name.clone()).collect();
        Self { inner, name, bands, scale, spare: Mutex::default() }
    }

    /// The value that no int16 holds, as an error.
    fn beyond(&self, band: usize, window: Window, row: usize, values: &[f32]) -> Error {
        let largest = f64::from(i16::MAX) * self.scale;
        let at = values.iter().position(|v| f64::from(v.abs()) > largest).unwrap_or_default();
        Error::limit(format!(
            "writing {}: band {}, row {}, column {}: {} is beyond the {largest} that --co SCALE={} can store; use a larger SCALE",
            self.name,
            self.bands[band],
            window.row + row as i64,
            window.col + at as i64,
            values[at],
            self.scale
        ))
    }
}

impl Sink for ScaledSink {
    fn encode(&self, window: Window, planes: &[Finished<'_>]) -> Result<Encoded> {
        let mut stored = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        stored.resize_with(planes.len(), || OutPlane::I16(Vec::new()));
        let mut moments = Vec::with_capacity(planes.len());
        for (band, (given, stored)) in planes.iter().zip(&mut stored).enumerate() {
            let (OutPlane::F32(from), OutPlane::I16(to)) = (given.plane, stored) else {
                return Err(Error::bug(format!("{window}: plane {band} is not float32")));
            };
            to.resize(from.len(), NODATA);
            let mut all = Moments::default();
            for (r, (from, to)) in from.chunks(window.cols).zip(to.chunks_mut(window.cols)).enumerate() {
                let (fits, row) = quantise(from, to, self.scale);
                if !fits {
                    return Err(self.beyond(band, window, r, from));
                }
                all.merge(&row);
            }
            moments.push(all);
        }
        let finished: Vec<_> = stored.iter().zip(moments).map(|(plane, moments)| Finished { plane, moments }).collect();
        let encoded = self.inner.encode(window, &finished)?;
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(stored);
        Ok(encoded)
    }

    fn commit(&self, window: Window, encoded: Encoded) -> Result<()> {
        self.inner.commit(window, encoded)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.inner.finish()
    }

    fn name(&self) -> Option<&str> {
        self.inner.name()
    }

    fn tile_multiple(&self) -> usize {
        self.inner.tile_multiple()
    }

    fn resident_bytes(&self) -> u64 {
        self.inner.resident_bytes()
    }

    fn encoded_bytes(&self, cells: usize) -> u64 {
        self.inner.encoded_bytes(cells)
    }

    fn scratch_bytes(&self, cells: usize) -> u64 {
        self.inner.scratch_bytes(cells) + (cells * self.bands.len() * Dtype::I16.bytes()) as u64
    }
}

/// The nearest multiples of `scale`, their moments, and whether all of them fit.
#[pulp::with_simd(quantise = pulp::Arch::new())]
#[inline(always)]
fn quantise_with_simd<'a, S: pulp::Simd>(_simd: S, from: &'a [f32], to: &'a mut [i16], scale: f64) -> (bool, Moments) {
    let mut fits = true;
    for (o, &v) in to.iter_mut().zip(from) {
        let x = (f64::from(v) / scale).round_ties_even();
        // False for NaN, which is nodata.
        let inside = x.abs() <= f64::from(i16::MAX);
        fits &= inside | v.is_nan();
        *o = if inside { x as i16 } else { NODATA };
    }
    (fits, Moments::of_each(to, |v| if v == NODATA { f64::NAN } else { f64::from(v) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_and_those_too_large_are_told() {
        let mut to = [0; 5];
        let (fits, m) = quantise(&[0.12344, -1.0, f32::NAN, 3.2767, 0.00005], &mut to, 1e-4);
        assert_eq!((fits, to), (true, [1234, -10_000, NODATA, 32_767, 0]));
        assert_eq!((m.count, m.min, m.max), (4, -10_000.0, 32_767.0));
        assert!(!quantise(&[3.2768], &mut to[..1], 1e-4).0);
        assert!(!quantise(&[f32::INFINITY], &mut to[..1], 1e-4).0);
    }
}
