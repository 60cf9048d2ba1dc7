//! A source on another grid than its file states: the CRS a user names, or a shift.

use std::sync::Arc;

use super::{Band, BlockLayout, Reader, Source};
use crate::error::Result;
use crate::grid::{Grid, Window};

/// The pixels of a source on a grid of the same size.
pub struct Placed {
    inner: Arc<dyn Source>,
    grid: Grid,
}

impl Placed {
    /// `source` on `grid`, which has as many columns and rows.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, grid: Grid) -> Self {
        debug_assert_eq!(source.grid().window(), grid.window());
        Self { inner: source, grid }
    }
}

impl Source for Placed {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn grid(&self) -> &Grid {
        &self.grid
    }
    fn bands(&self) -> &[Band] {
        self.inner.bands()
    }
    fn metadata(&self) -> &[(String, String)] {
        self.inner.metadata()
    }
    fn storage(&self) -> &[(String, String)] {
        self.inner.storage()
    }
    fn layout(&self) -> BlockLayout {
        self.inner.layout()
    }
    fn warnings(&self) -> &[String] {
        self.inner.warnings()
    }
    fn scratch_bytes(&self, window: Window) -> u64 {
        self.inner.scratch_bytes(window)
    }
    fn kept_bytes(&self, bands: usize, rows: usize) -> u64 {
        self.inner.kept_bytes(bands, rows)
    }
    fn keep_blocks(&self, bytes: u64) {
        self.inner.keep_blocks(bytes);
    }
    fn is_empty(&self, window: Window) -> bool {
        self.inner.is_empty(window)
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        self.inner.open()
    }
}
