//! Open files, kept below what a process may have open: hundreds of scenes of several files each are more. Who was opened
//! first is closed first and opened again when it is read again, which costs little beside decoding.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// A file that can be closed and opened again between reads.
pub(super) struct Handle {
    path: PathBuf,
    file: Mutex<Option<Arc<File>>>,
}

/// All open files, in the order they were opened.
static OPEN: Mutex<VecDeque<Weak<Handle>>> = Mutex::new(VecDeque::new());

/// Files kept open at once: half of what the process may, since outputs and libraries open files too.
fn most() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        limit.map_or(512, |n| usize::try_from(n / 2).unwrap_or(512)).clamp(8, 512)
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// Opens a file.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn open(path: &Path) -> std::io::Result<(Arc<Self>, Arc<File>)> {
        let handle = Arc::new(Self { path: path.to_owned(), file: Mutex::default() });
        let file = handle.reopen()?;
        Ok((handle, file))
    }

    /// The open file; none where it was closed.
    pub(super) fn get(&self) -> Option<Arc<File>> {
        locked(&self.file).clone()
    }

    /// Opens the file again. It may be another one by now.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn reopen(self: &Arc<Self>) -> std::io::Result<Arc<File>> {
        let mut open = locked(&OPEN);
        if open.len() >= most() {
            open.retain(|h| h.strong_count() > 0);
        }
        while open.len() >= most() {
            if let Some(oldest) = open.pop_front().and_then(|h| h.upgrade()) {
                *locked(&oldest.file) = None;
            }
        }
        let file = Arc::new(File::open(&self.path)?);
        let known = locked(&self.file).replace(Arc::clone(&file));
        // Where two workers opened it at once, one entry stands for it.
        if known.is_none() {
            open.push_back(Arc::downgrade(self));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn more_files_than_may_be_open_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let n = most() + 40;
        let handles: Vec<_> = (0..n)
            .map(|i| {
                let path = dir.path().join(i.to_string());
                std::fs::write(&path, [i as u8]).unwrap();
                Handle::open(&path).unwrap().0
            })
            .collect();
        assert!(handles[0].get().is_none() && handles[n - 1].get().is_some());
        for (i, handle) in handles.iter().enumerate() {
            let file = handle.get().unwrap_or_else(|| handle.reopen().unwrap());
            let mut byte = [0];
            file.read_exact_at(&mut byte, 0).unwrap();
            assert_eq!(byte[0], i as u8);
        }
        assert!(handles.iter().filter(|h| h.get().is_some()).count() <= most());
    }
}
