//! The area of interest: cells whose centre lies in none of its polygons are nodata.

use std::sync::Arc;

use crate::engine::pass::Clip;
use crate::error::Result;
use crate::grid::{Grid, Window};
use crate::vector::{Layer, ZoneIndex};

/// Polygons that restrict a pass. A cell is kept where its centre is inside, so that areas of interest that share an edge
/// share no cell.
pub struct AreaOfInterest(Arc<ZoneIndex>);

impl AreaOfInterest {
    /// From a layer of polygons in any reference system.
    ///
    /// # Errors
    /// As [`ZoneIndex::build`].
    pub fn new(layer: &Layer, grid: &Grid) -> Result<Self> {
        ZoneIndex::build(layer, grid, None).map(|z| Self(Arc::new(z)))
    }

    /// The polygons on the grid, for their warnings and decisions.
    #[must_use]
    pub fn zones(&self) -> &ZoneIndex {
        &self.0
    }

    /// The smallest window of the grid that holds all polygons, where they meet it.
    #[must_use]
    pub fn window(&self, grid: &Grid) -> Option<Window> {
        self.0.window(grid.window())
    }
}

impl Clip for AreaOfInterest {
    fn apply(&self, window: Window, keep: &mut [bool]) {
        let mut inside = vec![false; window.cells()];
        self.0.centres(window, &mut inside);
        keep.iter_mut().zip(&inside).for_each(|(k, i)| *k &= i);
    }
}
