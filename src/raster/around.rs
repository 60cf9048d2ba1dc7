//! A source with something put around it: another place on Earth, or a file that must live as long.

use std::any::Any;
use std::sync::Arc;

use super::{Band, BlockLayout, Reader, Source};
use crate::error::Result;
use crate::grid::{Grid, Window};

/// A source that differs from the one it holds only in what the constructor says.
pub struct Around {
    source: Arc<dyn Source>,
    grid: Option<Grid>,
    _alive: Option<Box<dyn Any + Send + Sync>>,
}

impl Around {
    /// `source` on another grid of the same size: for files that do not say where they are.
    #[must_use]
    pub fn placed(source: Arc<dyn Source>, grid: Grid) -> Arc<dyn Source> {
        Arc::new(Self { source, grid: Some(grid), _alive: None })
    }

    /// `source`, and `alive` for as long (a temporary file that is removed when it is dropped).
    #[must_use]
    pub fn with(source: Arc<dyn Source>, alive: impl Any + Send + Sync) -> Arc<dyn Source> {
        Arc::new(Self { source, grid: None, _alive: Some(Box::new(alive)) })
    }
}

impl Source for Around {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn grid(&self) -> &Grid {
        self.grid.as_ref().unwrap_or_else(|| self.source.grid())
    }
    fn bands(&self) -> &[Band] {
        self.source.bands()
    }
    fn metadata(&self) -> &[(String, String)] {
        self.source.metadata()
    }
    fn storage(&self) -> &[(String, String)] {
        self.source.storage()
    }
    fn layout(&self) -> BlockLayout {
        self.source.layout()
    }
    fn warnings(&self) -> &[String] {
        self.source.warnings()
    }
    fn scratch_bytes(&self, window: Window) -> u64 {
        self.source.scratch_bytes(window)
    }
    fn lent_bytes(&self, window: Window) -> u64 {
        self.source.lent_bytes(window)
    }
    fn kept_bytes(&self, bands: usize, rows: usize) -> u64 {
        self.source.kept_bytes(bands, rows)
    }
    fn keep_blocks(&self, bytes: u64) {
        self.source.keep_blocks(bytes);
    }
    fn meets_blocks_again(&self) -> bool {
        self.source.meets_blocks_again()
    }
    fn is_empty(&self, window: Window) -> bool {
        self.source.is_empty(window)
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        self.source.open()
    }
}
