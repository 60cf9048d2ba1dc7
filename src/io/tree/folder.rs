//! Files of a folder, to a depth no product passes.

use std::path::Path;

use super::{Entry, Place, check_count};
use crate::error::{Error, Result};

/// `GRANULE/L2A_.../IMG_DATA/R10m/x.jp2` is four folders deep.
const DEEPEST: usize = 8;

pub(super) fn list(root: &Path) -> Result<Vec<Entry>> {
    let (mut entries, mut seen) = (Vec::new(), 0);
    walk(root, "", 0, root, &mut seen, &mut entries)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// `seen` counts folders too: links that lead back could go round without meeting a file.
fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    root: &Path,
    seen: &mut usize,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let failed = |e: std::io::Error| Error::from_io(&format!("listing {}", folder.display()), &e);
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        let (path, name) = (item.path(), item.file_name());
        // A name that is not UTF-8 belongs to no product.
        let Some(name) = name.to_str() else { continue };
        // What vanishes while it is listed, or cannot be looked at, is not there.
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        *seen += 1;
        check_count(root, *seen)?;
        let inner = format!("{prefix}{name}");
        if meta.is_dir() && depth < DEEPEST {
            walk(&path, &format!("{inner}/"), depth + 1, root, seen, entries)?;
        } else if meta.is_file() {
            entries.push(Entry { path: inner, size: meta.len(), place: Place::File(path) });
        }
    }
    Ok(())
}
