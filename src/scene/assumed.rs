//! `--assume-crs`: a source whose file states no CRS, placed in the one the user names.

use std::sync::Arc;

use crate::grid::Crs;
use crate::raster::{Around, Source};

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
            (Around::placed(source, grid), None)
        }
    }
}
