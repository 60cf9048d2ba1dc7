//! Outputs appear whole or not at all: a temporary file beside the target, written, synced, verified, renamed.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock::{OutputLock, WritingLock};
use crate::error::{Error, Kind, Result};

/// An output file under a temporary name. [`AtomicFile::commit`] gives it its own name; dropped before, nothing stays.
///
/// The temporary is created with `O_EXCL` beside the target as `.NAME.regrow-PID-N.part`, so that the rename never
/// crosses a file system. While it lives the target is locked against other runs ([`OutputLock`]).
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temp: PathBuf,
    target: PathBuf,
    overwrite: bool,
    written: u64,
    _lock: WritingLock,
}

impl AtomicFile {
    /// Starts an output. What a dead run left of the same target is removed.
    ///
    /// # Errors
    /// [`Kind::Usage`] where the target exists without `overwrite` or cannot be an output, [`Kind::Locked`] where another
    /// run writes it, [`Kind::Io`] where the folder cannot be written.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        check_target(path, overwrite)?;
        let lock = OutputLock::for_writing(path)?;
        // Another run may have finished between the first look and the lock.
        check_target(path, overwrite)?;
        let (temp, file) = create_temporary(path)?;
        Ok(Self { file, temp, target: path.to_owned(), overwrite, written: 0, _lock: lock })
    }

    /// The name the output will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Appends `bytes` bytes from where `from` stands; gives how many there were. The system copies them where it can.
    pub(super) fn append_from(&mut self, from: &mut File, bytes: u64) -> io::Result<u64> {
        let n = io::copy(&mut from.take(bytes), &mut self.file)?;
        self.written += n;
        Ok(n)
    }

    /// The open file, for what only the system can do with it.
    pub(super) fn handle(&self) -> &File {
        &self.file
    }

    /// A write error with the path, how far it got and what is free.
    #[must_use]
    pub fn error(&self, error: &io::Error) -> Error {
        write_error(&self.target, self.written, error)
    }

    /// Completes the output: sync, rename, sync of the folder.
    ///
    /// # Errors
    /// [`Kind::Io`]; the target is then as it was before.
    pub fn commit(self) -> Result<()> {
        self.commit_checked(|_| Ok(()))
    }

    /// Completes the output after `check` has read it back through a new handle.
    ///
    /// # Errors
    /// [`Kind::Io`], or what `check` finds.
    pub fn commit_checked(mut self, check: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        self.file.flush().and_then(|()| self.file.sync_all()).map_err(|e| self.error(&e))?;
        let mut again = File::open(&self.temp).map_err(|e| self.error(&e))?;
        check(&mut again)?;
        drop(again);
        check_target(&self.target, self.overwrite)?;
        std::fs::rename(&self.temp, &self.target).map_err(|e| self.error(&e))?;
        // From here the temporary is gone; dropping self removes nothing.
        sync_folder(&self.target)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a commit the name is free already; an error here has no one to tell.
        let _ = std::fs::remove_file(&self.temp);
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.written += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for AtomicFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.file.seek(pos)
    }
}

/// Writes a small file whole or not at all.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_bytes(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    let mut file = AtomicFile::create(path, overwrite)?;
    file.write_all(bytes).map_err(|e| file.error(&e))?;
    file.commit()
}

/// Checks an output before work starts: it must not be there (without `overwrite`), must be able to be a regular file in a
/// folder that exists, and must not be one of `inputs` (nor lie inside one that is a folder), by any path or link.
/// Folders are not created: a misspelt path would otherwise hide results.
///
/// # Errors
/// [`Kind::Usage`] with the remedy; [`Kind::Io`] where the folder cannot be looked at.
pub fn check_output(path: &Path, overwrite: bool, inputs: &[PathBuf]) -> Result<()> {
    // An input is refused first: with --overwrite the message must still be this one.
    let folder = folder_of(path).canonicalize();
    for input in inputs {
        let same = same_file(path, input);
        let inside = input.is_dir()
            && matches!((&folder, input.canonicalize()), (Ok(folder), Ok(input)) if folder.starts_with(&input));
        if same || inside {
            return Err(Error::usage(format!(
                "output {} is {} input {}; inputs are never changed, choose another output",
                path.display(),
                if same { "the" } else { "inside the" },
                input.display()
            )));
        }
    }
    check_target(path, overwrite)
}

/// Fails where fewer than `bytes` are free for an output at `path`; where the system does not tell, all is well.
///
/// # Errors
/// [`Kind::Io`] with the bytes needed and free.
pub fn check_space(path: &Path, bytes: u64) -> Result<()> {
    match free_bytes(path) {
        Some(free) if free < bytes => Err(Error::io(format!(
            "writing {}: needs about {bytes} bytes but {free} are free on its file system; free space or write elsewhere",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// A temporary file beside `path` that has no name any more: its space is freed however the process ends.
///
/// # Errors
/// [`Kind::Io`] where the folder cannot be written.
pub fn scratch_file(path: &Path) -> Result<File> {
    let (temp, file) = create_temporary(path)?;
    std::fs::remove_file(&temp).map_err(|e| write_error(path, 0, &e))?;
    Ok(file)
}

/// The error of a failed write to the output `path` after `written` bytes.
#[must_use]
pub fn write_error(path: &Path, written: u64, error: &io::Error) -> Error {
    let room = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            let free = free_bytes(path).map_or(String::new(), |n| format!(", {n} bytes are free"));
            format!(" after {written} bytes{free}; free space or write elsewhere")
        }
        _ if written > 0 => format!(" after {written} bytes"),
        _ => String::new(),
    };
    // Always an I/O failure: a folder that vanished is not a missing input.
    Error::new(Kind::Io, format!("writing {}: {error}{room}", path.display()))
}

/// Folder of an output; `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// Start of the names of all hidden files that belong to the output `path`: `.NAME.regrow`. A name too long to be
/// extended is cut and told apart by a hash.
pub(super) fn hidden_stem(path: &Path) -> OsString {
    const ROOM: usize = 200;
    let name = path.file_name().unwrap_or_default();
    let mut stem = OsString::from(".");
    if name.len() <= ROOM {
        stem.push(name);
    } else {
        let bytes = name.as_encoded_bytes();
        let hash =
            bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        stem.push(String::from_utf8_lossy(&bytes[..60]).chars().filter(char::is_ascii).collect::<String>());
        stem.push(format!("~{hash:016x}"));
    }
    stem.push(".regrow");
    stem
}

/// True for the temporaries (`.NAME.regrow-PID-N.part`) of the output whose hidden files start with `stem`.
pub(super) fn is_temporary(name: &std::ffi::OsStr, stem: &std::ffi::OsStr) -> bool {
    let middle = name
        .as_encoded_bytes()
        .strip_prefix(stem.as_encoded_bytes())
        .and_then(|n| n.strip_prefix(b"-"))
        .and_then(|n| n.strip_suffix(b".part"));
    middle.is_some_and(|m| !m.is_empty() && m.iter().all(|b| b.is_ascii_digit() || *b == b'-'))
}

fn create_temporary(path: &Path) -> Result<(PathBuf, File)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let folder = folder_of(path);
    loop {
        let mut name = hidden_stem(path);
        name.push(format!("-{}-{}.part", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        let temp = folder.join(name);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&temp) {
            Ok(file) => return Ok((temp, file)),
            // Left by a dead process that had our number: the next count is free.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(write_error(path, 0, &e)),
        }
    }
}

fn check_target(path: &Path, overwrite: bool) -> Result<()> {
    let shown = path.display();
    if path.file_name().is_none() {
        return Err(Error::usage(format!("output {:?} does not name a file", path.as_os_str())));
    }
    match std::fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => Err(Error::usage(format!("output {shown} is a folder; name a file in it"))),
        Ok(m) if m.is_symlink() => {
            Err(Error::usage(format!("output {shown} is a link, which is not followed; name the file itself")))
        }
        Ok(m) if !m.is_file() => Err(Error::usage(format!("output {shown} is not a regular file"))),
        Ok(_) if !overwrite => Err(Error::usage(format!("output {shown} exists; replace it with --overwrite"))),
        Ok(_) => Ok(()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let folder = folder_of(path);
            if folder.is_dir() {
                Ok(())
            } else {
                Err(Error::usage(format!("output {shown}: there is no folder {}; create it first", folder.display())))
            }
        }
        Err(e) => Err(write_error(path, 0, &e)),
    }
}

/// True where both paths name one existing file, also through links.
fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (a.metadata(), b.metadata()) {
            return a.dev() == b.dev() && a.ino() == b.ino();
        }
    }
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn free_bytes(path: &Path) -> Option<u64> {
    let s = rustix::fs::statvfs(folder_of(path)).ok()?;
    // Some virtual file systems report no blocks at all: nothing known.
    (s.f_blocks > 0).then(|| s.f_bavail.saturating_mul(s.f_frsize))
}

/// Makes the new name durable. Network file systems that cannot sync a folder say EINVAL or ENOTSUP; that is no failure.
fn sync_folder(path: &Path) -> Result<()> {
    let tolerated = |e: &io::Error| matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
    let Ok(folder) = File::open(folder_of(path)) else {
        // A folder that may be written but not listed cannot be opened; the rename itself has succeeded.
        return Ok(());
    };
    match folder.sync_all() {
        Err(e) if !tolerated(&e) => Err(write_error(path, 0, &e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut v: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        v.sort();
        v
    }

    #[test]
    fn output_appears_at_commit_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut f = AtomicFile::create(&path, false).unwrap();
        f.write_all(b"zone").unwrap();
        assert!(!path.exists());
        assert_eq!(names(dir.path()).len(), 2, "temporary and lock");
        f.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"zone");
        assert_eq!(names(dir.path()), ["a.csv"]);
    }

    #[test]
    fn dropped_output_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        write_bytes(&path, b"old", false).unwrap();
        let mut f = AtomicFile::create(&path, true).unwrap();
        f.write_all(b"new").unwrap();
        drop(f);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.csv"]);
    }

    #[test]
    fn failed_check_keeps_the_target() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let f = AtomicFile::create(&path, false).unwrap();
        assert!(f.commit_checked(|_| Err(Error::io("short"))).is_err());
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn temporaries_of_dead_runs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".a.csv.regrow-99999-3.part"), b"x").unwrap();
        std::fs::write(dir.path().join(".b.csv.regrow-99999-3.part"), b"x").unwrap();
        std::fs::write(dir.path().join(".a.csv.regrow-mine.part"), b"x").unwrap();
        write_bytes(&dir.path().join("a.csv"), b"1", false).unwrap();
        assert_eq!(names(dir.path()), [".a.csv.regrow-mine.part", ".b.csv.regrow-99999-3.part", "a.csv"]);
    }

    #[test]
    fn existing_output_names_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        write_bytes(&path, b"1", false).unwrap();
        let e = check_output(&path, false, &[]).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.to_string().contains("--overwrite"), "{e}");
        check_output(&path, true, &[]).unwrap();
    }

    #[test]
    fn inputs_are_refused_by_any_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        write_bytes(&path, b"1", false).unwrap();
        let hard = dir.path().join("hard.tif");
        std::fs::hard_link(&path, &hard).unwrap();
        let around = dir.path().join("sub").join("..").join("a.tif");
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        for input in [&path, &hard, &around] {
            let e = check_output(&path, true, std::slice::from_ref(input)).unwrap_err();
            assert!(e.kind() == Kind::Usage && e.to_string().contains("input"), "{e}");
        }
        let e = check_output(&dir.path().join("sub/new.tif"), false, &[dir.path().to_owned()]).unwrap_err();
        assert!(e.to_string().contains("inside the input"), "{e}");
    }

    #[cfg(unix)]
    #[test]
    fn links_devices_and_folders_are_not_outputs() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link.tif");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        for path in [link.as_path(), dir.path(), Path::new("/dev/full"), Path::new(".."), Path::new("")] {
            assert_eq!(check_output(path, true, &[]).unwrap_err().kind(), Kind::Usage, "{path:?}");
        }
        let e = check_output(&dir.path().join("no/such/a.tif"), true, &[]).unwrap_err();
        assert!(e.kind() == Kind::Usage && e.to_string().contains("no folder"), "{e}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folder_that_cannot_hold_files_is_an_io_failure() {
        let e = AtomicFile::create(Path::new("/proc/x.tif"), false).unwrap_err();
        assert_eq!(e.kind(), Kind::Io, "{e}");
    }

    #[test]
    fn long_names_still_get_a_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("é".repeat(125));
        write_bytes(&path, b"1", false).unwrap();
        assert_eq!(names(dir.path()).len(), 1);
    }

    #[test]
    fn two_outputs_of_one_run_must_differ() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        let _first = AtomicFile::create(&path, false).unwrap();
        let e = AtomicFile::create(&dir.path().join(".").join("a.tif"), false).unwrap_err();
        assert!(e.kind() == Kind::Usage && e.to_string().contains("twice"), "{e}");
    }
}
