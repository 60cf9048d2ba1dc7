//! A rectangle of pixels.

use std::fmt;

/// A rectangle of pixels. The corner may lie outside the raster: what is outside reads as nodata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// First column.
    pub col: i64,
    /// First row.
    pub row: i64,
    /// Columns.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
}

impl Window {
    /// The window of `cols` × `rows` pixels from (`col`, `row`).
    #[must_use]
    pub fn new(col: i64, row: i64, cols: usize, rows: usize) -> Self {
        Self { col, row, cols, rows }
    }
    /// Cells in the window.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.cols * self.rows
    }
    /// Column after the last.
    #[must_use]
    pub fn col_end(&self) -> i64 {
        self.col + self.cols as i64
    }
    /// Row after the last.
    #[must_use]
    pub fn row_end(&self) -> i64 {
        self.row + self.rows as i64
    }
    /// Grown by `n` pixels on each side.
    #[must_use]
    pub fn grow(&self, n: usize) -> Self {
        let k = n as i64;
        Self::new(self.col - k, self.row - k, self.cols + 2 * n, self.rows + 2 * n)
    }
    /// The common part, or nothing.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let col = self.col.max(other.col);
        let row = self.row.max(other.row);
        let cols = self.col_end().min(other.col_end()) - col;
        let rows = self.row_end().min(other.row_end()) - row;
        (cols > 0 && rows > 0).then(|| Self::new(col, row, cols as usize, rows as usize))
    }
    /// Moved by whole pixels.
    #[must_use]
    pub fn translate(&self, cols: i64, rows: i64) -> Self {
        Self::new(self.col + cols, self.row + rows, self.cols, self.rows)
    }
}

/// `cols 512..1024, rows 0..512`, as messages name a window.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cols {}..{}, rows {}..{}", self.col, self.col_end(), self.row, self.row_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_of_a_halo_with_the_raster() {
        let tile = Window::new(0, 512, 512, 100).grow(2);
        let inside = tile.intersect(&Window::new(0, 0, 600, 612)).unwrap();
        assert_eq!(inside, Window::new(0, 510, 514, 102));
        assert_eq!(tile.intersect(&Window::new(900, 0, 5, 5)), None);
    }
}
