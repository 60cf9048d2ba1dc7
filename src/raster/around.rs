//! A source with something put around it: another place on Earth, a file that must live as long, readers that see more.

use std::any::Any;
use std::sync::Arc;

use super::{Band, BlockLayout, Reader, Source};
use crate::error::Result;
use crate::grid::{Grid, Window};

/// A source that differs from the one it holds only in what the constructor says.
pub struct Around {
    source: Arc<dyn Source>,
    grid: Option<Grid>,
    readers: Option<Readers>,
    _alive: Option<Box<dyn Any + Send + Sync>>,
}

/// What becomes of a reader.
type Made = dyn Fn(Box<dyn Reader>) -> Result<Box<dyn Reader>> + Send + Sync;

/// What becomes of the readers of a source, and the bytes they need besides, for a window.
struct Readers {
    made: Box<Made>,
    scratch: Box<dyn Fn(Window) -> u64 + Send + Sync>,
}

impl Around {
    /// `source` on another grid of the same size: for files that do not say where they are.
    #[must_use]
    pub fn placed(source: Arc<dyn Source>, grid: Grid) -> Arc<dyn Source> {
        Arc::new(Self { source, grid: Some(grid), readers: None, _alive: None })
    }

    /// `source`, and `alive` for as long (a temporary file that is removed when it is dropped).
    #[must_use]
    pub fn with(source: Arc<dyn Source>, alive: impl Any + Send + Sync) -> Arc<dyn Source> {
        Arc::new(Self { source, grid: None, readers: None, _alive: Some(Box::new(alive)) })
    }

    /// `source`, whose readers become what `made` makes of them, needing `scratch` bytes more for a window.
    #[must_use]
    pub fn read_by(
        source: Arc<dyn Source>,
        scratch: impl Fn(Window) -> u64 + Send + Sync + 'static,
        made: impl Fn(Box<dyn Reader>) -> Result<Box<dyn Reader>> + Send + Sync + 'static,
    ) -> Arc<dyn Source> {
        let readers = Readers { made: Box::new(made), scratch: Box::new(scratch) };
        Arc::new(Self { source, grid: None, readers: Some(readers), _alive: None })
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
        self.source.scratch_bytes(window) + self.readers.as_ref().map_or(0, |r| (r.scratch)(window))
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
        let reader = self.source.open()?;
        match &self.readers {
            None => Ok(reader),
            Some(readers) => (readers.made)(reader),
        }
    }
}
