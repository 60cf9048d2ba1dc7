//! Which tiles, and which pieces of large tiles, a window meets.

use super::main_header::Size;
use crate::error::Result;
use crate::grid::Window;

/// Tiles with a longer edge are decoded in pieces of this edge, so that an image that is one tile need not be held whole.
const PIECE: u32 = 2048;

/// The tiles of an image on its reference grid.
#[derive(Clone, Debug)]
pub(super) struct Tiles {
    size: Size,
    across: u32,
    down: u32,
}

/// What is decoded at once: a tile, or a piece of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Index of the tile.
    pub(super) tile: u32,
    /// Left, top, right and bottom edge on the reference grid.
    pub(super) area: [u32; 4],
    /// Row and column among all blocks.
    pub(super) at: (usize, usize),
}

impl Block {
    pub(super) fn cols(&self) -> usize {
        (self.area[2] - self.area[0]) as usize
    }

    pub(super) fn rows(&self) -> usize {
        (self.area[3] - self.area[1]) as usize
    }
}

/// The part of a block that lies in a window: first row and column in the block and in the window, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) from: (usize, usize),
    pub(super) to: (usize, usize),
    pub(super) size: (usize, usize),
}

impl Tiles {
    pub(super) fn new(size: Size) -> Self {
        let [_, _, right, bottom] = size.image;
        let [left, top, cols, rows] = size.tile;
        Self { across: (right - left).div_ceil(cols), down: (bottom - top).div_ceil(rows), size }
    }

    /// Number of tiles.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.across) * u64::from(self.down)
    }

    /// Columns and rows of the image.
    pub(super) fn image(&self) -> (usize, usize) {
        let [left, top, right, bottom] = self.size.image;
        ((right - left) as usize, (bottom - top) as usize)
    }

    /// Columns and rows of the largest block.
    pub(super) fn block(&self) -> (usize, usize) {
        let (cols, rows) = self.image();
        let [_, _, tile_cols, tile_rows] = self.size.tile;
        (cols.min(tile_cols.min(PIECE) as usize), rows.min(tile_rows.min(PIECE) as usize))
    }

    /// Left, top, right and bottom edge of a tile on the reference grid.
    pub(super) fn area(&self, tile: u32) -> [u32; 4] {
        let [left, top, right, bottom] = self.size.image;
        let [tile_left, tile_top, cols, rows] = self.size.tile;
        let edge = |origin: u32, n: u32, edge: u32, first: u32, last: u32| {
            let start = u64::from(origin) + u64::from(n) * u64::from(edge);
            let end = (start + u64::from(edge)).min(u64::from(last)) as u32;
            ((start as u32).max(first), end)
        };
        let (x0, x1) = edge(tile_left, tile % self.across, cols, left, right);
        let (y0, y1) = edge(tile_top, tile / self.across, rows, top, bottom);
        [x0, y0, x1, y1]
    }

    /// Column and row of a tile, for messages.
    pub(super) fn place(&self, tile: u32) -> (u32, u32) {
        (tile % self.across, tile / self.across)
    }

    /// Pixels of the image that a block covers.
    pub(super) fn window(&self, block: &Block) -> Window {
        let [left, top, ..] = self.size.image;
        Window::new(i64::from(block.area[0] - left), i64::from(block.area[1] - top), block.cols(), block.rows())
    }

    /// Blocks that windows of so many rows may meet along the whole width.
    pub(super) fn met_by(&self, rows: usize) -> usize {
        let (cols, all) = self.image();
        let (block_cols, block_rows) = self.block();
        // A tile may start with a short block, and tiles may not start with the image.
        let across = cols.div_ceil(block_cols) + self.across as usize;
        let down = (rows.min(all).div_ceil(block_rows) + 1).min(all.div_ceil(block_rows) + self.down as usize);
        across * down
    }

    /// Calls `f` for every block that meets `window`, which lies inside the image.
    pub(super) fn each(&self, window: Window, mut f: impl FnMut(Block, Common) -> Result<()>) -> Result<()> {
        let [left, top, ..] = self.size.image;
        let [tile_left, tile_top, cols, rows] = self.size.tile;
        let (x0, y0) = (left + window.col as u32, top + window.row as u32);
        let (x1, y1) = (x0 + window.cols as u32, y0 + window.rows as u32);
        let pieces = (cols.div_ceil(PIECE), rows.div_ceil(PIECE));
        if window.cells() == 0 {
            return Ok(());
        }
        for row in (y0 - tile_top) / rows..=(y1 - 1 - tile_top) / rows {
            for col in (x0 - tile_left) / cols..=(x1 - 1 - tile_left) / cols {
                let tile = row * self.across + col;
                let [tx0, ty0, tx1, ty1] = self.area(tile);
                for (down, top) in (ty0..ty1).step_by(PIECE as usize).enumerate() {
                    for (across, left) in (tx0..tx1).step_by(PIECE as usize).enumerate() {
                        let area = [left, top, (left + PIECE).min(tx1), (top + PIECE).min(ty1)];
                        let (cx0, cy0) = (area[0].max(x0), area[1].max(y0));
                        let (cx1, cy1) = (area[2].min(x1), area[3].min(y1));
                        if cx0 >= cx1 || cy0 >= cy1 {
                            continue;
                        }
                        let at = ((row * pieces.1) as usize + down, (col * pieces.0) as usize + across);
                        let common = Common {
                            from: ((cy0 - area[1]) as usize, (cx0 - area[0]) as usize),
                            to: ((cy0 - y0) as usize, (cx0 - x0) as usize),
                            size: ((cy1 - cy0) as usize, (cx1 - cx0) as usize),
                        };
                        f(Block { tile, area, at }, common)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiles(image: [u32; 4], tile: [u32; 4]) -> Tiles {
        Tiles::new(Size { image, tile, components: Vec::new() })
    }

    #[test]
    fn tiles_count_from_their_own_origin() {
        // Tiles start at 4, the image at 10: the first tile is cut on the left.
        let t = tiles([10, 0, 110, 60], [4, 0, 64, 32]);
        assert_eq!((t.count(), t.image(), t.block()), (4, (100, 60), (64, 32)));
        assert_eq!(t.area(0), [10, 0, 68, 32]);
        assert_eq!(t.area(3), [68, 32, 110, 60]);
        let mut met = Vec::new();
        t.each(Window::new(50, 30, 20, 4), |b, c| {
            met.push((b.tile, b.at, c.from, c.to, c.size));
            Ok(())
        })
        .unwrap();
        assert_eq!(
            met,
            [
                (0, (0, 0), (30, 50), (0, 0), (2, 8)),
                (1, (0, 1), (30, 0), (0, 8), (2, 12)),
                (2, (1, 0), (0, 50), (2, 0), (2, 8)),
                (3, (1, 1), (0, 0), (2, 8), (2, 12)),
            ]
        );
    }

    #[test]
    fn every_pixel_is_met_once_also_in_pieces() {
        for (image, tile) in [([3, 5, 5003, 2105], [0, 0, 3000, 2500]), ([0, 0, 70, 50], [0, 0, u32::MAX, u32::MAX])] {
            let t = tiles(image, tile);
            let (cols, rows) = t.image();
            let mut seen = vec![0_u8; cols * rows];
            let mut keys = std::collections::HashSet::new();
            t.each(Window::new(0, 0, cols, rows), |b, c| {
                assert!(keys.insert(b.at), "{b:?}");
                assert!(b.cols() <= t.block().0 && b.rows() <= t.block().1);
                assert_eq!((c.from, c.size), ((0, 0), (b.rows(), b.cols())));
                let w = t.window(&b);
                assert_eq!((c.to.0 as i64, c.to.1 as i64), (w.row, w.col));
                for r in 0..c.size.0 {
                    seen[(c.to.0 + r) * cols + c.to.1..][..c.size.1].iter_mut().for_each(|n| *n += 1);
                }
                Ok(())
            })
            .unwrap();
            assert!(seen.iter().all(|n| *n == 1));
            assert!(keys.len() <= t.met_by(rows));
        }
    }
}
