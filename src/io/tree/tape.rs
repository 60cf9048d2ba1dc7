//! Members of a tar, read where they lie.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::{Entry, Place, check_count, check_name};
use crate::error::{Error, Result};

pub(super) fn list(path: &Path) -> Result<Vec<Entry>> {
    let name = path.display();
    let damaged = |e: std::io::Error| Error::input(format!("{name}: damaged or cut tar archive: {e}; fetch it again"));
    let file = File::open(path).map_err(|e| Error::from_io(&format!("opening {name}"), &e))?;
    let whole = file.metadata().map_err(|e| Error::from_io(&format!("opening {name}"), &e))?.len();
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut entries = Vec::new();
    for (seen, member) in archive.entries_with_seek().map_err(damaged)?.enumerate() {
        check_count(path, seen + 1)?;
        let member = member.map_err(damaged)?;
        let kind = member.header().entry_type();
        let inner = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        check_name(path, &inner)?;
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() && !kind.is_contiguous() {
            return Err(Error::input(format!(
                "{name}: member {inner:?} is a link or a device; only files and folders are read, unpack the archive yourself"
            )));
        }
        let (at, size) = (member.raw_file_position(), member.size());
        if at.checked_add(size).is_none_or(|end| end > whole) {
            return Err(Error::input(format!(
                "{name}: member {inner:?} of {size} bytes ends after the archive does; it is cut short, fetch it again"
            )));
        }
        entries.push(Entry { path: inner, size, place: Place::Stored(at) });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}
