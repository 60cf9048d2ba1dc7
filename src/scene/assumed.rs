//! `--assume-crs`: a source whose file states no CRS, placed in the one the user names.

use std::sync::Arc;

use crate::error::Result;
use crate::grid::{Crs, Grid, Window};
use crate::raster::{Band, BlockLayout, Reader, Source};

struct Placed {
    inner: Arc<dyn Source>,
    grid: Grid,
}

/// `source` in `crs` where its file states none; a CRS that the file states is kept, and the warning says so.
#[must_use]
pub fn place(source: Arc<dyn Source>, crs: &Crs) -> (Arc<dyn Source>, Option<String>) {
    match source.grid().crs() {
        Some(own) if own == crs => (source, None),
        Some(own) => {
            let warning = format!("{}: states {own}; --assume-crs {crs} is for files that state none", source.name());
            (source, Some(warning))
        }
        None => {
            let grid = source.grid().clone().with_crs(Some(crs.clone()));
            (Arc::new(Placed { inner: source, grid }), None)
        }
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
