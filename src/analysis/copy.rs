//! Bands written as they are stored, so that a raster can be kept in another form.

use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::plane::Values;
use crate::raster::{OutPlane, Plane};

/// Copies each channel (stored values, without scale) into a band of its own type.
pub struct CopyAnalysis {
    /// Channels, in the order of the bands.
    pub reads: Vec<String>,
    /// What is written; an integer band without nodata has NaN there.
    pub bands: Vec<OutBand>,
}

impl Analysis for CopyAnalysis {
    type Partial = ();

    fn spec(&self) -> Spec {
        Spec {
            name: "ingest".into(),
            reads: self.reads.clone(),
            writes: self.bands.clone(),
            empty_adds_nothing: self.bands.iter().all(has_nodata),
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        for ((band, from), to) in self.bands.iter().zip(&input.planes).zip(&mut out.planes) {
            for row in 0..input.rows() {
                let start = (row + input.halo) * from.cols + input.halo;
                copy(from, start, to, row * out.cols, out.cols, band)?;
            }
        }
        Ok(())
    }
}

/// True for bands in which a cell can be nodata.
fn has_nodata(band: &OutBand) -> bool {
    band.dtype.is_float() || !band.nodata.is_nan()
}

/// Copies `n` cells. The plane of a type holds its values exactly, so that nothing is rounded.
///
/// # Errors
/// Where a cell is invalid and the band has no value that says so.
fn copy(from: &Plane, start: usize, to: &mut OutPlane, at: usize, n: usize, band: &OutBand) -> Result<()> {
    macro_rules! integers {
        ($from:expr, $to:expr, $t:ty) => {{
            let (from, to) = (&$from[start..start + n], &mut $to[at..at + n]);
            if from.iter().any(|v| v.is_nan()) {
                if !has_nodata(band) {
                    return Err(masked(band));
                }
                // The cells of a plane are nodata until they are written.
                to.iter_mut().zip(from).filter(|(_, v)| !v.is_nan()).for_each(|(d, v)| *d = *v as $t);
            } else {
                to.iter_mut().zip(from).for_each(|(d, v)| *d = *v as $t);
            }
        }};
    }
    match (&from.values, to) {
        (Values::F32(v), OutPlane::U8(to)) => integers!(v, to, u8),
        (Values::F32(v), OutPlane::U16(to)) => integers!(v, to, u16),
        (Values::F32(v), OutPlane::I16(to)) => integers!(v, to, i16),
        (Values::F64(v), OutPlane::I32(to)) => integers!(v, to, i32),
        (Values::F32(v), OutPlane::F32(to)) => to[at..at + n].copy_from_slice(&v[start..start + n]),
        (Values::F64(v), OutPlane::F64(to)) => to[at..at + n].copy_from_slice(&v[start..start + n]),
        (_, to) => return Err(Error::bug(format!("ingest: a plane does not hold {}", to.dtype()))),
    }
    Ok(())
}

fn masked(band: &OutBand) -> Error {
    Error::input(format!(
        "band {:?}: pixels are masked, and the band has no nodata value to write them as; state one that does not occur \
         with --nodata",
        band.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Grid;
    use crate::raster::Dtype;

    fn copied(dtype: Dtype, nodata: f64, plane: &Plane) -> Result<OutPlane> {
        let band = OutBand { dtype, nodata, ..OutBand::quantity("b", "") };
        let grid = Grid::unplaced(plane.cols, plane.rows, "test", None);
        let window = grid.window();
        let input = TileIn { window, grid: &grid, halo: 0, planes: vec![plane] };
        let mut out = TileOut { cols: window.cols, planes: vec![OutPlane::filled(dtype, nodata, window.cells())] };
        CopyAnalysis { reads: vec!["b".into()], bands: vec![band] }.tile(&input, &mut out, &mut ())?;
        Ok(out.planes.remove(0))
    }

    #[test]
    fn the_ends_of_every_type_survive() {
        let plane = |v: &[f32]| Plane::from_f32(v.len(), 1, v.to_vec());
        let found = copied(Dtype::U16, f64::NAN, &plane(&[0.0, 65_535.0])).unwrap();
        assert_eq!(found, OutPlane::U16(vec![0, 65_535]));
        let found = copied(Dtype::I16, 7.0, &plane(&[-32_768.0, f32::NAN, 32_767.0])).unwrap();
        assert_eq!(found, OutPlane::I16(vec![-32_768, 7, 32_767]));
        let wide = Plane::from_f64(2, 1, vec![f64::from(i32::MIN), f64::from(i32::MAX)]);
        assert_eq!(copied(Dtype::I32, f64::NAN, &wide).unwrap(), OutPlane::I32(vec![i32::MIN, i32::MAX]));
        let found = copied(Dtype::F32, f64::NAN, &plane(&[1.0e-40, f32::NAN])).unwrap();
        let OutPlane::F32(v) = found else { panic!("not f32") };
        assert!(v[0] == 1.0e-40 && v[1].is_nan());
    }

    #[test]
    fn masked_pixels_need_a_value_that_says_so() {
        let plane = Plane::from_f32(2, 1, vec![3.0, f32::NAN]);
        assert!(copied(Dtype::U8, f64::NAN, &plane).unwrap_err().to_string().contains("--nodata"));
        assert_eq!(copied(Dtype::U8, 255.0, &plane).unwrap(), OutPlane::U8(vec![3, 255]));
    }
}
