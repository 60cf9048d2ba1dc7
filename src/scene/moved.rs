//! A scene at another place on the map: for measuring on grids that differ by part of a pixel.

use std::sync::Arc;

use super::Scene;
use crate::error::Result;
use crate::grid::Grid;
use crate::raster::{Around, Source};

impl Scene {
    /// The scene with all its bands and masks moved by `cols` and `rows` pixels of its grid; pixels are not resampled.
    ///
    /// # Errors
    /// Where the scene has no place on the map.
    pub fn moved(&self, cols: f64, rows: f64) -> Result<Self> {
        let affine = self.grid.affine()?;
        let ((x0, y0), (x1, y1)) = (affine.forward(0.0, 0.0), affine.forward(cols, rows));
        let by = (x1 - x0, y1 - y0);
        // A source of several bands stays one, so that it is read once.
        let mut known: Vec<(Arc<dyn Source>, Arc<dyn Source>)> = Vec::new();
        let mut place = |source: &Arc<dyn Source>| -> Result<Arc<dyn Source>> {
            if let Some((_, placed)) = known.iter().find(|(s, _)| Arc::ptr_eq(s, source)) {
                return Ok(Arc::clone(placed));
            }
            let placed: Arc<dyn Source> = Around::placed(Arc::clone(source), moved(source.grid(), by)?);
            known.push((Arc::clone(source), Arc::clone(&placed)));
            Ok(placed)
        };
        let mut scene = self.clone();
        scene.grid = moved(&self.grid, by)?;
        for band in &mut scene.bands {
            band.source = place(&band.source)?;
        }
        for mask in &mut scene.masks {
            mask.source = place(&mask.source)?;
        }
        Ok(scene)
    }
}

fn moved(grid: &Grid, (x, y): (f64, f64)) -> Result<Grid> {
    Ok(Grid::new(grid.cols, grid.rows, grid.affine()?.moved(x, y), grid.crs().cloned()))
}
