//! The fixed tiles of a grid: the unit of computing and of folding partial results.

use super::Window;

/// Rows of equal square tiles over a raster, the last ones cut at the edge. The tile edge never depends on threads or
/// memory, so that sums folded tile by tile keep every bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Columns of the raster.
    pub cols: usize,
    /// Rows of the raster.
    pub rows: usize,
    /// Edge of a tile in pixels.
    pub edge: usize,
}

impl Tiling {
    /// Tiles of `edge` pixels over `cols` × `rows`.
    #[must_use]
    pub fn new(cols: usize, rows: usize, edge: usize) -> Self {
        Self { cols, rows, edge }
    }
    /// Tiles along a row.
    #[must_use]
    pub fn across(&self) -> usize {
        self.cols.div_ceil(self.edge)
    }
    /// Tiles along a column.
    #[must_use]
    pub fn down(&self) -> usize {
        self.rows.div_ceil(self.edge)
    }
    /// Number of tiles.
    #[must_use]
    pub fn count(&self) -> usize {
        self.across() * self.down()
    }
    /// Window of tile `index`, counted along rows from the upper left.
    #[must_use]
    pub fn window(&self, index: usize) -> Window {
        let (r, c) = (index / self.across() * self.edge, index % self.across() * self.edge);
        Window::new(c as i64, r as i64, self.edge.min(self.cols - c), self.edge.min(self.rows - r))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_cell_once() {
        let t = Tiling::new(1031, 517, 256);
        let cells: usize = (0..t.count()).map(|i| t.window(i).cells()).sum();
        assert_eq!(cells, 1031 * 517);
        assert_eq!(t.window(t.count() - 1), Window::new(1024, 512, 7, 5));
    }
}
