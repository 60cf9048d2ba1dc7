//! Outlines of the classes an analysis finds, as part of its partial result.

use std::sync::Arc;

use crate::engine::{Partial, TileIn};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::vector::patches::Connect;
use crate::vector::{Outline, Tracer};

/// What is traced.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// Class values to trace.
    pub classes: Vec<u8>,
    /// Which pixels are neighbours.
    pub connect: Connect,
    /// Patches of fewer pixels are dropped.
    pub least: u64,
    /// Ceiling of all buffers in bytes; outlines are kept until they are written.
    pub memory: u64,
}

/// Most bytes a corner takes on its way from the outline to the file. Measured on noise, where rings are shortest and most
/// is lost on their ends, for the format that takes most, and rounded up.
const CORNER_BYTES: u64 = 160;

/// Outlines of the tiles merged so far. A tile only carries its classes; tracing happens while merging, in tile order.
#[derive(Default)]
pub struct Outlines {
    tile: Option<Tile>,
    tracer: Option<Tracer>,
    found: Vec<Outline>,
    failed: Option<Error>,
}

struct Tile {
    tracing: Arc<Tracing>,
    cols: usize,
    rows: usize,
    window: Window,
    classes: Vec<u8>,
}

impl Outlines {
    /// Adds the classes (row order, without halo) of a tile.
    pub fn add(&mut self, tracing: &Arc<Tracing>, input: &TileIn<'_>, classes: Vec<u8>) {
        let (cols, rows) = (input.grid.cols, input.grid.rows);
        self.tile = Some(Tile { tracing: Arc::clone(tracing), cols, rows, window: input.window, classes });
    }

    /// All outlines, in the order their last row comes; polygons in pixel corners of the pass grid.
    ///
    /// # Errors
    /// A limit where the raster has too many pixels along a side; a bug where tiles were missing.
    pub fn finish(self) -> Result<Vec<Outline>> {
        if let Some(e) = self.failed {
            return Err(e);
        }
        let mut found = self.found;
        if let Some(tracer) = self.tracer {
            found.extend(tracer.finish()?);
        }
        Ok(found)
    }

    fn trace(&mut self, tile: Tile) -> Result<()> {
        let tracer = match &mut self.tracer {
            Some(tracer) => tracer,
            none => {
                let t = &tile.tracing;
                none.insert(Tracer::new(tile.cols, tile.rows, &t.classes, t.connect, t.least)?)
            }
        };
        self.found.extend(tracer.tile(tile.window, &tile.classes)?);
        let need = tracer.corners() * CORNER_BYTES;
        if need <= tile.tracing.memory {
            return Ok(());
        }
        let done = tracer.traced_rows().max(1) as u64;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        (self.tracer, self.found) = (None, Vec::new());
        Err(Error::limit(format!(
            "tracing polygons: {done} of {} rows need {} MiB, and --memory is {} MiB; about {}MiB should do, or leave out \
             small patches with --min-area, or clip the scene",
            tile.rows,
            mib(need),
            mib(tile.tracing.memory),
            // A quarter more, as the rows to come may have more than those that were.
            mib(need / 4 * 5 / done * tile.rows as u64)
        )))
    }
}

impl Partial for Outlines {
    fn merge(&mut self, next: Self) {
        if self.failed.is_none()
            && let Some(tile) = next.tile
        {
            self.failed = self.trace(tile).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Grid;

    #[test]
    fn outlines_beyond_the_memory_are_a_limit_that_names_what_would_do() {
        let grid = Grid::unplaced(4, 8, "test", None);
        let trace = |memory: u64| {
            let tracing = Arc::new(Tracing { classes: vec![1], connect: Connect::Four, least: 0, memory });
            let mut all = Outlines::default();
            for row in (0..8).step_by(2) {
                let input = TileIn { window: Window::new(0, row, 4, 2), grid: &grid, halo: 0, planes: Vec::new() };
                let mut one = Outlines::default();
                one.add(&tracing, &input, vec![1, 0, 1, 0, 0, 1, 0, 1]);
                all.merge(one);
            }
            all.finish()
        };
        // 16 single pixels of four corners each.
        assert_eq!(trace(64 * CORNER_BYTES).unwrap().len(), 16);
        let e = trace(24 * CORNER_BYTES).unwrap_err();
        assert_eq!(e.kind().exit_code(), 4);
        assert!(e.to_string().contains("4 of 8 rows") && e.to_string().contains("--min-area"), "{e}");
    }

    #[test]
    fn patch_across_tiles_is_one_outline() {
        let grid = Grid::unplaced(4, 1, "test", None);
        let tracing = Arc::new(Tracing { classes: vec![1], connect: Connect::Four, least: 2, memory: 1 << 20 });
        let mut all = Outlines::default();
        for (col, classes) in [(0, vec![1, 0]), (2, vec![1, 1])] {
            let input = TileIn { window: Window::new(col, 0, 2, 1), grid: &grid, halo: 0, planes: Vec::new() };
            let mut one = Outlines::default();
            one.add(&tracing, &input, classes);
            all.merge(one);
        }
        let ring = vec![(2, 0), (2, 1), (4, 1), (4, 0), (2, 0)];
        let found = all.finish().unwrap();
        assert_eq!(found, [Outline { class: 1, cells: 2, polygons: vec![vec![ring]] }]);
    }
}
