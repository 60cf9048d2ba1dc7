//! Bands written as they are read; of several sources for a band, the first with a value.

use crate::engine::{Analysis, OutBand, Spec, TileIn, TileOut};
use crate::error::{Error, Result};
use crate::raster::plane::Values;
use crate::raster::{OutPlane, Plane};

/// One output band and the channels it is taken from, first valid wins.
#[derive(Clone, Debug)]
pub struct MosaicBand {
    /// What is written.
    pub band: OutBand,
    /// Channels in order.
    pub channels: Vec<String>,
}

/// Copies channels into bands.
pub struct MosaicAnalysis(pub Vec<MosaicBand>);

impl Analysis for MosaicAnalysis {
    type Partial = ();

    fn spec(&self) -> Spec {
        Spec {
            name: "align".into(),
            reads: self.0.iter().flat_map(|b| b.channels.iter().cloned()).collect(),
            writes: self.0.iter().map(|b| b.band.clone()).collect(),
            // Two rows in f64, of tiles that are at least 128 high.
            scratch_per_cell: 1,
            empty_adds_nothing: true,
            ..Spec::default()
        }
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, (): &mut ()) -> Result<()> {
        let cols = input.cols();
        let (mut row, mut next) = (vec![0.0; cols], vec![0.0; cols]);
        let mut first = 0;
        for (b, plane) in self.0.iter().zip(&mut out.planes) {
            let planes = first..first + b.channels.len();
            first = planes.end;
            if b.channels.len() == 1 && copied(input.planes[planes.start], input.halo, plane) {
                continue;
            }
            for r in 0..input.rows() {
                for k in planes.clone() {
                    if k == planes.start {
                        input.load(k, r, &mut row);
                        continue;
                    }
                    if row.iter().any(|v| v.is_nan()) {
                        input.load(k, r, &mut next);
                        row.iter_mut().zip(&next).for_each(|(v, n)| *v = if v.is_nan() { *n } else { *v });
                    }
                }
                store(&row, &b.band, plane, r * cols)?;
            }
        }
        Ok(())
    }
}

/// Copies a plane of quantities as it is, where nothing has to be converted.
fn copied(plane: &Plane, halo: usize, out: &mut OutPlane) -> bool {
    match (&plane.values, out) {
        (Values::F32(v), OutPlane::F32(out)) if halo == 0 && plane.scale == 1.0 && plane.offset == 0.0 => {
            out.copy_from_slice(v);
            true
        }
        _ => false,
    }
}

/// Writes a row from cell `at`. Integers are rounded to the nearest; a quantity that falls on nodata moves by one.
///
/// # Errors
/// Where a class has the value of nodata.
fn store(row: &[f64], band: &OutBand, plane: &mut OutPlane, at: usize) -> Result<()> {
    macro_rules! integers {
        ($v:expr, $t:ty) => {{
            let nodata = band.nodata as $t;
            let beside = if nodata == <$t>::MAX { nodata - 1 } else { nodata + 1 };
            let mut met = false;
            for (d, x) in $v[at..at + row.len()].iter_mut().zip(row) {
                // `as` stops at the ends of the type.
                let value = (x + 0.5).floor() as $t;
                let hit = value == nodata && !x.is_nan();
                met |= hit;
                *d = if x.is_nan() {
                    nodata
                } else if hit {
                    beside
                } else {
                    value
                };
            }
            met
        }};
    }
    let met = match plane {
        OutPlane::U8(v) => integers!(v, u8),
        OutPlane::U16(v) => integers!(v, u16),
        OutPlane::I16(v) => integers!(v, i16),
        OutPlane::I32(v) => integers!(v, i32),
        OutPlane::F32(v) => {
            v[at..at + row.len()].iter_mut().zip(row).for_each(|(d, x)| *d = *x as f32);
            false
        }
        OutPlane::F64(v) => {
            v[at..at + row.len()].copy_from_slice(row);
            false
        }
    };
    if met && band.overview == crate::engine::Overview::Mode {
        return Err(Error::input(format!(
            "band {}: value {} is nodata of the output and occurs as a class; state another nodata with --nodata",
            band.name, band.nodata
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, Window};
    use crate::raster::Dtype;

    fn tile(band: OutBand, planes: &[Vec<f32>]) -> Result<OutPlane> {
        let planes: Vec<Plane> = planes.iter().map(|p| Plane::from_f32(p.len(), 1, p.clone())).collect();
        let cols = planes[0].cols;
        let grid = Grid::unplaced(cols, 1, "test", None);
        let input =
            TileIn { window: Window::new(0, 0, cols, 1), grid: &grid, halo: 0, planes: planes.iter().collect() };
        let mut out = TileOut { cols, planes: vec![OutPlane::filled(band.dtype, band.nodata, cols)] };
        let channels = (0..planes.len()).map(|i| i.to_string()).collect();
        MosaicAnalysis(vec![MosaicBand { band, channels }]).tile(&input, &mut out, &mut ())?;
        Ok(out.planes.remove(0))
    }

    #[test]
    fn the_first_with_a_value_wins() {
        let nan = f32::NAN;
        let made = tile(
            OutBand::quantity("q", ""),
            &[vec![1.5, nan, nan, nan], vec![9.0, 2.0, nan, nan], vec![9.0, 9.0, 3.0, nan]],
        );
        let OutPlane::F32(v) = made.unwrap() else { panic!("not f32") };
        assert_eq!(v[..3], [1.5, 2.0, 3.0]);
        assert!(v[3].is_nan());
    }

    #[test]
    fn integers_are_rounded_kept_in_range_and_off_nodata() {
        let band = OutBand { dtype: Dtype::U16, nodata: 0.0, ..OutBand::quantity("dn", "") };
        let made = tile(band, &[vec![1.5, 2.49, -3.0, 0.2, 70_000.0, f32::NAN]]).unwrap();
        assert_eq!(made, OutPlane::U16(vec![2, 2, 1, 1, 65_535, 0]));
        let classes = OutBand::classes("c", Vec::new());
        assert!(tile(classes.clone(), &[vec![255.0]]).is_err());
        assert_eq!(tile(classes, &[vec![3.0, f32::NAN]]).unwrap(), OutPlane::U8(vec![3, 255]));
    }
}
