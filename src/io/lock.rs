//! One writer per output: an advisory lock on a hidden file beside it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::atomic::{folder_of, hidden_stem, is_temporary, write_error};
use crate::error::{Error, Kind, Result};

/// What this process holds, by lock file. Closing any handle of a file may end its lock on some systems, so there is one
/// handle per output, shared by all who need it.
static HELD: Mutex<BTreeMap<PathBuf, Held>> = Mutex::new(BTreeMap::new());

struct Held {
    _file: File,
    users: usize,
    writing: bool,
}

/// Keeps other runs from writing an output while it lives. The lock is the kernel's (`flock`), so that of a dead process
/// is free at once; host and process are inside for people. Within one process it may be taken many times.
///
/// On file systems without locks the run goes on without: the rename still keeps the output whole.
#[derive(Debug)]
pub struct OutputLock {
    key: PathBuf,
}

impl OutputLock {
    /// Locks `path` for this process.
    ///
    /// # Errors
    /// [`Kind::Locked`] where another live run holds it; [`Kind::Io`] where the lock file cannot be made.
    pub fn take(path: &Path) -> Result<Self> {
        let folder = folder_of(path).canonicalize().map_err(|e| write_error(path, 0, &e))?;
        let key = folder.join(lock_name(hidden_stem(path)));
        let mut held = held();
        if let Some(h) = held.get_mut(&key) {
            h.users += 1;
        } else {
            let (file, exclusive) = lock_file(path, &key)?;
            if exclusive {
                remove_leftovers(path, &folder);
            }
            held.insert(key.clone(), Held { _file: file, users: 1, writing: false });
        }
        Ok(Self { key })
    }

    /// The lock of a file that is being written: a second one in the same run is an error.
    pub(super) fn for_writing(path: &Path) -> Result<WritingLock> {
        let lock = Self::take(path)?;
        let mut held = held();
        let busy = held.get_mut(&lock.key).is_none_or(|h| std::mem::replace(&mut h.writing, true));
        drop(held);
        if busy {
            return Err(Error::usage(format!("output {} is asked for twice; name another file", path.display())));
        }
        Ok(WritingLock(lock))
    }
}

/// An [`OutputLock`] with the mark that this process has the output's temporary open.
#[derive(Debug)]
pub(super) struct WritingLock(OutputLock);

impl Drop for WritingLock {
    fn drop(&mut self) {
        if let Some(h) = held().get_mut(&self.0.key) {
            h.writing = false;
        }
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        let mut held = held();
        if let Some(h) = held.get_mut(&self.key) {
            h.users -= 1;
            if h.users == 0 {
                // The name goes while the lock is still held: whoever opened it before sees that its file has no name.
                let _ = std::fs::remove_file(&self.key);
                held.remove(&self.key);
            }
        }
    }
}

fn held() -> MutexGuard<'static, BTreeMap<PathBuf, Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True for the temporaries and the lock of the output `path`, which a killed run leaves behind.
pub(crate) fn is_hidden_file_of(name: &OsStr, path: &Path) -> bool {
    let stem = hidden_stem(path);
    is_temporary(name, &stem) || lock_name(stem) == name
}

fn lock_name(mut stem: OsString) -> OsString {
    stem.push(".lock");
    stem
}

/// Opens and locks the file `key`; false where the file system has no locks.
fn lock_file(path: &Path, key: &Path) -> Result<(File, bool)> {
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(key)
            .map_err(|e| write_error(path, 0, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = io::read_to_string(&file).unwrap_or_default();
                let owner = owner.trim();
                return Err(Error::new(
                    Kind::Locked,
                    format!(
                        "output {} is being written by another run{}; wait for it or name another output",
                        path.display(),
                        if owner.is_empty() { String::new() } else { format!(" ({owner})") }
                    ),
                ));
            }
            Err(TryLockError::Error(_)) => return Ok((file, false)),
        }
        if is_current(&file, key) {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let text = format!("process {} on host {}", std::process::id(), host.trim());
            // For people only; a full disk must not stop a run here.
            let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
            return Ok((file, true));
        }
    }
}

/// True where the locked file still has its name: the run before may have removed it after we opened it.
fn is_current(file: &File, key: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        matches!((file.metadata(), key.metadata()), (Ok(a), Ok(b)) if a.dev() == b.dev() && a.ino() == b.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        key.exists()
    }
}

/// Removes temporaries of dead runs: with the lock in hand nobody else can be writing this output.
fn remove_leftovers(path: &Path, folder: &Path) {
    let stem = hidden_stem(path);
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|e| is_temporary(&e.file_name(), &stem)) {
        // What cannot be removed does no harm: it is never taken for an output.
        let _ = std::fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_another_handle_is_exit_8_and_a_stale_one_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tif");
        let key = dir.path().join(".a.tif.regrow.lock");
        // flock belongs to the open file, so a second handle stands for another process.
        let other = File::create(&key).unwrap();
        std::fs::write(&key, "process 7 on host mine").unwrap();
        other.lock().unwrap();
        let e = OutputLock::take(&path).unwrap_err();
        assert_eq!(e.kind(), Kind::Locked);
        assert!(e.to_string().contains("process 7 on host mine"), "{e}");
        drop(other);
        let lock = OutputLock::take(&path).unwrap();
        let again = OutputLock::take(&path).unwrap();
        drop(lock);
        assert!(key.exists(), "held by the second user");
        drop(again);
        assert!(!key.exists());
    }
}
