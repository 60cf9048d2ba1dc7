//! Interpolation: estimates of a sampled variable at the cell centres of a grid.

use std::sync::Arc;

use crate::engine::pass::Clip;
use crate::engine::{Analysis, OutBand, Partial, Spec, TileIn, TileOut};
use crate::error::Result;
use crate::geostat::{Back, Estimate, Predictor};

/// Estimates at cell centres: bands `estimate`, with a method that knows its uncertainty also `sd` (kriging standard
/// deviation, in the working scale), then `p_exceed_T` (0..1) for each threshold.
///
/// Nodata where too few samples are in reach or outside the area of interest. Values keep their sign: a negative estimate is
/// counted, never cut off.
pub struct Interpolate {
    predictor: Arc<dyn Predictor>,
    back: Back,
    bands: Vec<OutBand>,
    clip: Option<Arc<dyn Clip>>,
}

/// What the map is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cells with an estimate.
    pub estimated: u64,
    /// Cells without enough samples in reach.
    pub out_of_reach: u64,
    /// Cells outside the area of interest.
    pub clipped: u64,
    /// Estimates below 0.
    pub negative: u64,
    /// Estimates held at ten times the largest sample.
    pub capped: u64,
    /// Systems that needed a small addition to their diagonal.
    pub jittered: u64,
}

impl Partial for Summary {
    fn merge(&mut self, next: Self) {
        self.estimated += next.estimated;
        self.out_of_reach += next.out_of_reach;
        self.clipped += next.clipped;
        self.negative += next.negative;
        self.capped += next.capped;
        self.jittered += next.jittered;
    }
}

impl Interpolate {
    /// An analysis that writes `bands`, whose number fits the predictor and the thresholds of `back`.
    #[must_use]
    pub fn new(predictor: Arc<dyn Predictor>, back: Back, bands: Vec<OutBand>, clip: Option<Arc<dyn Clip>>) -> Self {
        Self { predictor, back, bands, clip }
    }
}

impl Analysis for Interpolate {
    type Partial = Summary;

    fn spec(&self) -> Spec {
        Spec {
            name: "interpolate".into(),
            writes: self.bands.clone(),
            scratch_per_cell: usize::from(self.clip.is_some()),
            // Coordinates and estimates of one row of a tile, at most 1024 cells, and the worker.
            scratch_fixed: self.predictor.work_bytes() + 1024 * 40,
            citations: self.predictor.citations(),
            ..Spec::default()
        }
    }

    fn resident_bytes(&self) -> u64 {
        self.predictor.bytes()
    }

    fn tile(&self, input: &TileIn<'_>, out: &mut TileOut, partial: &mut Summary) -> Result<()> {
        let affine = input.grid.affine()?;
        let (cols, window) = (input.cols(), input.window);
        let mut keep = vec![true; if self.clip.is_some() { window.cells() } else { 0 }];
        if let Some(clip) = &self.clip {
            clip.apply(window, &mut keep);
        }
        let mut worker = self.predictor.worker();
        let (mut at, mut x, mut y) = (Vec::with_capacity(cols), Vec::with_capacity(cols), Vec::with_capacity(cols));
        let mut estimates = vec![Estimate::NODATA; cols];
        for row in 0..input.rows() {
            at.clear();
            x.clear();
            y.clear();
            for col in 0..cols {
                if keep.get(row * cols + col).copied().unwrap_or(true) {
                    let centre =
                        affine.forward((window.col + col as i64) as f64 + 0.5, (window.row + row as i64) as f64 + 0.5);
                    at.push(col);
                    x.push(centre.0);
                    y.push(centre.1);
                }
            }
            let found = &mut estimates[..at.len()];
            worker.predict(&x, &y, found)?;
            partial.clipped += (cols - at.len()) as u64;
            for (&col, e) in at.iter().zip(found.iter()) {
                if e.value.is_nan() {
                    partial.out_of_reach += 1;
                    continue;
                }
                let (mean, capped) = self.back.mean(e);
                partial.estimated += 1;
                partial.negative += u64::from(mean < 0.0);
                partial.capped += u64::from(capped);
                out.f32_row(0, row)[col] = mean as f32;
                if self.predictor.has_variance() {
                    out.f32_row(1, row)[col] = self.back.sd(e) as f32;
                    for k in 0..self.back.thresholds() {
                        out.f32_row(2 + k, row)[col] = self.back.exceedance(e, k) as f32;
                    }
                }
            }
        }
        partial.jittered += worker.jittered();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geostat::{Duplicates, Idw, Kriging, Neighbourhood, Point, Samples, Transform};
    use crate::grid::{Affine, Grid, Window};
    use crate::raster::{Dtype, OutPlane};

    fn samples() -> Arc<Samples> {
        let list = [(5.0, 5.0, -3.0), (95.0, 5.0, 4.0), (50.0, 90.0, 8.0)];
        let points: Vec<_> = list.iter().map(|&(x, y, value)| Point { x, y, value, line: 0 }).collect();
        Arc::new(Samples::new(&points, Duplicates::Mean, Transform::None, 1e-3).unwrap())
    }

    fn run(analysis: &Interpolate) -> (Vec<Vec<f32>>, Summary) {
        let grid = Grid::new(10, 10, Affine::north_up(0.0, 100.0, 10.0, 10.0), None);
        let input = TileIn { window: grid.window(), grid: &grid, halo: 0, planes: Vec::new() };
        let planes = analysis.bands.iter().map(|_| OutPlane::filled(Dtype::F32, f64::NAN, 100)).collect();
        let mut out = TileOut { cols: 10, planes };
        let mut summary = Summary::default();
        analysis.tile(&input, &mut out, &mut summary).unwrap();
        let bands = (0..out.planes.len()).map(|b| (0..10).flat_map(|r| out.f32_row(b, r).to_vec()).collect()).collect();
        (bands, summary)
    }

    #[test]
    fn cell_centres_on_samples_have_their_value() {
        let hood = Neighbourhood::resolve(3, None, None, None).unwrap();
        let kriging = Kriging::new(samples(), &"nug(0.1)+sph(2,150)".parse().unwrap(), hood).unwrap();
        let bands = ["estimate", "sd", "p_exceed_2"].map(|n| OutBand::quantity(n, "")).to_vec();
        let back = Back::new(Transform::None, 8.0, &[2.0]);
        let (got, summary) = run(&Interpolate::new(Arc::new(kriging), back, bands, None));
        // Lower left cell: centre (5, 5), row 9; lower right: centre (95, 5).
        assert_eq!((got[0][90], got[2][90]), (-3.0, 0.0));
        // Rounding leaves a variance of a few 1e-16 of the sill.
        assert!(got[1][90] < 1e-7);
        assert_eq!((got[0][99], got[2][99]), (4.0, 1.0));
        assert!(got[1][55] > 0.3 && (0.0..1.0).contains(&got[2][55]));
        assert_eq!((summary.estimated, summary.out_of_reach), (100, 0));
        assert!(summary.negative > 0);
    }

    #[test]
    fn out_of_reach_and_clipped_cells_are_nodata() {
        struct LeftHalf;
        impl Clip for LeftHalf {
            fn apply(&self, window: Window, keep: &mut [bool]) {
                for (i, k) in keep.iter_mut().enumerate() {
                    *k &= window.col + ((i % window.cols) as i64) < 5;
                }
            }
        }
        let hood = Neighbourhood::resolve(3, None, None, Some(30.0)).unwrap();
        let idw = Idw::new(samples(), 2.0, hood).unwrap();
        let bands = vec![OutBand::quantity("estimate", "")];
        let back = Back::new(Transform::None, 8.0, &[]);
        let (got, s) = run(&Interpolate::new(Arc::new(idw), back, bands, Some(Arc::new(LeftHalf))));
        assert_eq!(got[0][90], -3.0);
        assert!(got[0][99].is_nan() && got[0][44].is_nan());
        assert_eq!((s.clipped, s.estimated + s.out_of_reach), (50, 50));
    }
}
