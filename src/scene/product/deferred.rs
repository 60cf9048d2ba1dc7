//! A raster of a product whose grid the metadata tell: its file is opened, or unpacked, when it is first read.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::io::tree::{Entry, Tree};
use crate::raster::{Band, BlockLayout, Reader, Source};
use crate::scene::extent::describe;

/// A band of a tree.
pub(super) struct Deferred {
    tree: Arc<Tree>,
    entry: Entry,
    name: String,
    grid: Grid,
    bands: [Band; 1],
    opened: OnceLock<Result<Arc<dyn Source>>>,
}

impl Deferred {
    /// The raster in `entry`, which metadata say lies on `grid` and holds `band`.
    pub(super) fn new(tree: &Arc<Tree>, entry: &Entry, grid: Grid, band: Band) -> Self {
        let (tree, entry) = (Arc::clone(tree), entry.clone());
        Self { name: tree.name(&entry), tree, entry, grid, bands: [band], opened: OnceLock::new() }
    }

    /// The file, opened once. It must be what the metadata say.
    fn file(&self) -> Result<&Arc<dyn Source>> {
        let opened = self.opened.get_or_init(|| {
            let source = self.tree.raster(&self.entry)?;
            let (found, stated) = (source.grid(), &self.grid);
            if (found.cols, found.rows) != (stated.cols, stated.rows) || source.bands().len() != 1 {
                return Err(Error::input(format!(
                    "{}: {} x {} pixels, {} bands; the product's metadata state {} x {} pixels, 1 band; fetch the product again",
                    self.name,
                    found.cols,
                    found.rows,
                    source.bands().len(),
                    stated.cols,
                    stated.rows
                )));
            }
            // A file that does not say where it is lies where the metadata say.
            let placed = found.place().is_some() && found.crs().is_some();
            if placed && !stated.nest(found).is_ok_and(|n| n.factor == 1 && n.col == 0 && n.row == 0) {
                return Err(Error::input(format!(
                    "{}: lies at {}, and the product's metadata state {}; fetch the product again, or name its files by role",
                    self.name,
                    describe(found),
                    describe(stated)
                )));
            }
            if source.bands()[0].dtype != self.bands[0].dtype {
                return Err(Error::input(format!(
                    "{}: holds {}, and the product's bands are {}; fetch it again, or name the file by its role",
                    self.name,
                    source.bands()[0].dtype,
                    self.bands[0].dtype
                )));
            }
            Ok(source)
        });
        opened.as_ref().map_err(Clone::clone)
    }
}

impl Source for Deferred {
    fn name(&self) -> &str {
        &self.name
    }
    fn grid(&self) -> &Grid {
        &self.grid
    }
    fn bands(&self) -> &[Band] {
        &self.bands
    }
    fn storage(&self) -> &[(String, String)] {
        self.file().map_or(&[], |s| s.storage())
    }
    fn layout(&self) -> BlockLayout {
        // A file that cannot be opened says so when it is read.
        let unknown = BlockLayout { cols: self.grid.cols, rows: 1, interleaved: false };
        self.file().map_or(unknown, |s| s.layout())
    }
    fn scratch_bytes(&self, window: Window) -> u64 {
        self.file().map_or(0, |s| s.scratch_bytes(window))
    }
    fn lent_bytes(&self, window: Window) -> u64 {
        self.file().map_or(0, |s| s.lent_bytes(window))
    }
    fn kept_bytes(&self, bands: usize, rows: usize) -> u64 {
        self.file().map_or(0, |s| s.kept_bytes(bands, rows))
    }
    fn keep_blocks(&self, bytes: u64) {
        if let Ok(source) = self.file() {
            source.keep_blocks(bytes);
        }
    }
    fn is_empty(&self, window: Window) -> bool {
        self.bands[0].nodata.is_some() && self.file().is_ok_and(|s| s.is_empty(window))
    }
    fn open(&self) -> Result<Box<dyn Reader>> {
        self.file()?.open()
    }
}
