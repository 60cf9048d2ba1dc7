//! Members of a zip: stored ones are read where they lie, compressed ones are inflated and their checksum verified.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use zip::{CompressionMethod, ZipArchive};

use super::{Entry, Place, check_count, check_name};
use crate::error::{Error, Result};
use crate::raster::{Around, Source};

/// A member may not expand more than this, from a size on where it matters: pixels never shrink so far.
const MOST_EXPANDED: u64 = 300;
const LEAST_CHECKED: u64 = 16 << 20;

pub(super) fn list(path: &Path) -> Result<Vec<Entry>> {
    let name = path.display();
    let mut archive = open(path)?;
    check_count(path, archive.len())?;
    if declared(path)?.is_some_and(|n| n != archive.len() as u64) {
        return Err(Error::input(format!("{name}: names one member twice; it is broken, fetch it again")));
    }
    let mut entries = Vec::new();
    for i in 0..archive.len() {
        let member = archive.by_index_raw(i).map_err(|e| bad(path, &e))?;
        let inner = member.name().map_err(|e| bad(path, &e))?.into_owned();
        check_name(path, &inner)?;
        if member.is_symlink() {
            return Err(Error::input(format!(
                "{name}: member {inner:?} is a link; links in archives are refused, unpack it yourself"
            )));
        }
        if member.encrypted() {
            return Err(Error::input(format!("{name}: encrypted archives are not supported; unpack it yourself")));
        }
        if member.is_dir() {
            continue;
        }
        let (size, packed) = (member.size(), member.compressed_size());
        if size > LEAST_CHECKED && size / MOST_EXPANDED > packed {
            return Err(Error::input(format!(
                "{name}: member {inner:?} would expand {packed} bytes to {size}, more than {MOST_EXPANDED} times; that is no \
                 raster"
            )));
        }
        let place = match (member.compression(), member.data_start()) {
            (CompressionMethod::Stored, Some(at)) => Place::Stored(at),
            _ => Place::Packed(i),
        };
        entries.push(Entry { path: inner, size, place });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// The bytes of a member of at most `size` bytes.
pub(super) fn bytes(path: &Path, index: usize, name: &str, size: u64) -> Result<Vec<u8>> {
    let mut archive = open(path)?;
    let member = archive.by_index(index).map_err(|e| bad(path, &e))?;
    let mut bytes = Vec::new();
    member.take(size).read_to_end(&mut bytes).map_err(|e| damaged(name, &e))?;
    Ok(bytes)
}

/// A member inflated into a temporary file and opened.
pub(super) fn raster(path: &Path, index: usize, name: &str, size: u64) -> Result<Arc<dyn Source>> {
    let mut archive = open(path)?;
    let mut member = archive.by_index(index).map_err(|e| bad(path, &e))?;
    let folder = std::env::temp_dir();
    let unpacking = |e: &std::io::Error| {
        Error::io(format!(
            "{name}: unpacking {size} bytes into {}: {e}; set TMPDIR to a folder with room, or unpack the archive",
            folder.display()
        ))
    };
    let mut file = tempfile::Builder::new().prefix("regrow-").tempfile_in(&folder).map_err(|e| unpacking(&e))?;
    let mut buffer = vec![0; 1 << 20];
    let mut written = 0;
    loop {
        let n = member.read(&mut buffer).map_err(|e| damaged(name, &e))?;
        if n == 0 {
            break;
        }
        written += n as u64;
        if written > size {
            break;
        }
        std::io::Write::write_all(&mut file, &buffer[..n]).map_err(|e| unpacking(&e))?;
    }
    if written != size {
        return Err(Error::input(format!(
            "{name}: the member is not of the {size} bytes its archive states; it is damaged, fetch it again"
        )));
    }
    let source = crate::io::open_part(name, file.path(), 0, size)?;
    Ok(Around::with(source, file.into_temp_path()))
}

fn open(path: &Path) -> Result<ZipArchive<File>> {
    let file = File::open(path).map_err(|e| Error::from_io(&format!("opening {}", path.display()), &e))?;
    ZipArchive::new(file).map_err(|e| bad(path, &e))
}

/// Members that the end record counts, where its 16 bits can hold the number: more than a reader finds names means that a
/// name is there twice.
fn declared(path: &Path) -> Result<Option<u64>> {
    const RECORD: usize = 22;
    const SIGNATURE: [u8; 4] = *b"PK\x05\x06";
    let failed = |e: std::io::Error| Error::from_io(&format!("reading {}", path.display()), &e);
    let mut file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let tail = len.min(RECORD as u64 + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(len - tail)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(tail).read_to_end(&mut bytes).map_err(failed)?;
    let at = bytes.windows(4).rposition(|w| w == SIGNATURE).filter(|at| at + RECORD <= bytes.len());
    Ok(at.map(|at| u16::from_le_bytes([bytes[at + 10], bytes[at + 11]])).filter(|n| *n < u16::MAX).map(u64::from))
}

fn bad(path: &Path, e: &zip::result::ZipError) -> Error {
    Error::input(format!("{}: damaged or unsupported zip archive: {e}; fetch it again, or unpack it", path.display()))
}

fn damaged(name: &str, e: &std::io::Error) -> Error {
    Error::input(format!("{name}: damaged member of an archive: {e}; fetch it again"))
}
