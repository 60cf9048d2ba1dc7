//! An input file, or a part of one, with positioned, bounds-checked reads that notices when the file changes underneath.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::handles::Handle;
use crate::error::{Error, Result};

/// What identifies the content of a file well enough to notice a replacement, a cut or an append.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self { device: meta.dev(), inode: meta.ino(), len: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// An open regular file, or a run of its bytes such as a member stored in an archive; positions count from the start of the
/// part. One handle serves all workers: reads carry their position.
pub(super) struct InputFile {
    name: String,
    path: PathBuf,
    handle: Arc<Handle>,
    start: u64,
    len: u64,
    stamp: Stamp,
    failed: OnceLock<Error>,
}

impl InputFile {
    /// Opens `path`, which messages call by the name the user gave.
    ///
    /// # Errors
    /// Missing or unreadable file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::handle(&path.display().to_string(), path)
    }

    /// Opens the `len` bytes of `path` from byte `at`, which messages call `name`.
    ///
    /// # Errors
    /// Missing or unreadable file, or one that ends before the part does.
    pub(super) fn open_part(name: &str, path: &Path, at: u64, len: u64) -> Result<Self> {
        Self::handle(name, path)?.section(name, at, len)
    }

    /// The `len` bytes from byte `at` of this file as a file of their own, which messages call `name`.
    ///
    /// # Errors
    /// Where the part does not lie inside the file.
    pub(super) fn section(&self, name: &str, at: u64, len: u64) -> Result<Self> {
        self.check_range(at, len, name)?;
        let (path, handle, start) = (self.path.clone(), Arc::clone(&self.handle), self.start + at);
        Ok(Self { name: name.into(), path, handle, start, len, stamp: self.stamp, failed: OnceLock::new() })
    }

    fn handle(name: &str, path: &Path) -> Result<Self> {
        let failed = |e| Error::from_io(&format!("opening {name}"), &e);
        let (handle, file) = Handle::open(path).map_err(failed)?;
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        Ok(Self {
            name: name.into(),
            path: path.to_owned(),
            handle,
            start: 0,
            len: stamp.len,
            stamp,
            failed: OnceLock::new(),
        })
    }

    /// Name for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Path as given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file, or of the part of it, when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// True for a run of bytes inside a larger file.
    pub(super) fn is_part(&self) -> bool {
        self.len != self.stamp.len
    }

    /// An input error about this file.
    pub(super) fn bad(&self, what: impl std::fmt::Display) -> Error {
        Error::input(format!("{}: {what}", self.name))
    }

    /// Fills `buf` from byte `at`.
    ///
    /// # Errors
    /// Input error where the file ends before, with `what` was to be read; I/O error of the read.
    pub(super) fn read_at(&self, buf: &mut [u8], at: u64, what: &str) -> Result<()> {
        self.check_range(at, buf.len() as u64, what)?;
        let file = match self.handle.get() {
            Some(file) => file,
            None => self.opened_again()?,
        };
        file.read_exact_at(buf, self.start + at).map_err(|e| {
            let error = match e.kind() {
                std::io::ErrorKind::UnexpectedEof => self.changed(),
                _ => Error::io(format!("reading {}: {what}: {e}", self.name)),
            };
            self.failed.get_or_init(|| error).clone()
        })
    }

    /// The file, where it was closed in between, if it still is the same.
    fn opened_again(&self) -> Result<Arc<File>> {
        let file = self.handle.reopen().map_err(|e| Error::from_io(&format!("opening {}", self.name), &e))?;
        match file.metadata() {
            Ok(meta) if Stamp::of(&meta) == self.stamp => Ok(file),
            _ => Err(self.changed()),
        }
    }

    /// Fails where a read did before. A damaged tag can be done without, with a warning; one that the disk did not deliver
    /// may say anything, nodata and CRS too.
    ///
    /// # Errors
    /// The first error of reading.
    pub(super) fn check_delivered(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |e| Err(e.clone()))
    }

    /// Fails where `len` bytes from `at` do not lie inside the file.
    ///
    /// # Errors
    /// Input error with both figures.
    pub(super) fn check_range(&self, at: u64, len: u64, what: &str) -> Result<()> {
        match at.checked_add(len) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(self.bad(format!(
                "{what} lies outside the file (bytes {at}..{}, the file has {}); it is damaged or cut short, fetch it \
                 again",
                u128::from(at) + u128::from(len),
                self.len()
            ))),
        }
    }

    /// Fails where the file is no longer the one that was opened.
    ///
    /// # Errors
    /// Input error that says so.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(meta) if Stamp::of(&meta) == self.stamp => Ok(()),
            _ => Err(self.changed()),
        }
    }

    fn changed(&self) -> Error {
        self.bad("the file changed while it was read (replaced, cut or grown); run again when it is complete")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_past_the_end_name_both_figures() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short.tif");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = InputFile::open(&path).unwrap();
        let mut buf = [0; 4];
        file.read_at(&mut buf, 6, "header").unwrap();
        assert_eq!(&buf, b"6789");
        let e = file.read_at(&mut buf, 8, "header").unwrap_err().to_string();
        assert!(e.contains("short.tif") && e.contains("8..12") && e.contains("has 10"), "{e}");
        assert!(file.read_at(&mut buf, u64::MAX - 1, "header").is_err());
    }

    #[test]
    fn a_part_counts_from_its_start_and_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive.tar");
        std::fs::write(&path, b"0123456789").unwrap();
        let part = InputFile::open_part("archive.tar/b.tif", &path, 3, 5).unwrap();
        let mut buf = [0; 2];
        part.read_at(&mut buf, 3, "header").unwrap();
        assert_eq!((&buf, part.len(), part.is_part()), (b"67", 5, true));
        let e = part.read_at(&mut buf, 4, "header").unwrap_err().to_string();
        assert!(e.contains("archive.tar/b.tif") && e.contains("4..6") && e.contains("has 5"), "{e}");
        part.section("inner", 4, 1).unwrap().read_at(&mut buf[..1], 0, "box").unwrap();
        assert_eq!(buf[0], b'7');
        assert!(InputFile::open_part("b", &path, 8, 3).is_err());
        assert!(InputFile::open_part("b", &path, u64::MAX, 3).is_err());
    }

    #[test]
    fn a_failed_read_that_was_done_without_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = InputFile::open(&path).unwrap();
        // Damage, which the file itself tells, is no failure of reading.
        assert!(file.read_at(&mut [0; 4], 8, "tag 42113").is_err());
        file.check_delivered().unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5).unwrap();
        let _ = file.read_at(&mut [0; 4], 4, "tag 42113");
        file.read_at(&mut [0; 4], 0, "tag 34735").unwrap();
        assert!(file.check_delivered().unwrap_err().to_string().contains("changed while it was read"));
    }

    #[test]
    fn a_grown_or_replaced_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        std::fs::write(&path, b"abc").unwrap();
        let file = InputFile::open(&path).unwrap();
        file.check_unchanged().unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"d").unwrap();
        assert!(file.check_unchanged().unwrap_err().to_string().contains("changed while it was read"));
    }
}
