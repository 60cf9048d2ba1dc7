//! The blocks of full resolution, written once, where they stay. What a COG has before them (header and overviews) is only
//! known in length at the end, and is then given room in front of them.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::spool::Chunk;
use crate::error::{Error, Result};
use crate::io::atomic::AtomicFile;

/// Room is made in whole blocks of the file system, which moves no data then.
const ROOM: u64 = 4096;
/// Bytes moved at once where the file system cannot make room.
const MOVED: u64 = 4 << 20;
/// Bytes written before the system is asked to begin storing them, so that the sync at the end finds little left.
const ASIDE: u64 = 8 << 20;

/// An output whose beginning is still missing.
pub(super) struct Body {
    file: AtomicFile,
    len: u64,
    stored: u64,
}

impl Body {
    pub(super) fn new(file: AtomicFile) -> Self {
        Self { file, len: 0, stored: 0 }
    }

    /// The name the output will have.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes in front of the body for a beginning of `bytes` bytes; none where there is no body.
    pub(super) fn room_for(&self, bytes: u64) -> u64 {
        if self.len == 0 { bytes } else { bytes.next_multiple_of(ROOM) }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<Chunk> {
        self.file.write_all(bytes).map_err(|e| self.file.error(&e))?;
        let len = u32::try_from(bytes.len()).map_err(|_| Error::bug("a block passes 4 GiB"))?;
        let chunk = Chunk { offset: self.len, len };
        self.len += u64::from(len);
        if self.len - self.stored >= ASIDE {
            self.begin_storing();
        }
        Ok(chunk)
    }

    /// The file with `room` bytes (of [`Body::room_for`]) in front of the body, to be written from its start.
    pub(super) fn with_room(mut self, room: u64) -> Result<AtomicFile> {
        if self.len > 0 && !self.inserted(room) {
            self.shift(room).map_err(|e| self.file.error(&e))?;
        }
        self.file.seek(SeekFrom::Start(0)).map_err(|e| self.file.error(&e))?;
        Ok(self.file)
    }

    /// Asks the file system to insert the room; false where it cannot.
    #[cfg(target_os = "linux")]
    fn inserted(&self, room: u64) -> bool {
        rustix::fs::fallocate(self.file.handle(), rustix::fs::FallocateFlags::INSERT_RANGE, 0, room).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn inserted(&self, _room: u64) -> bool {
        false
    }

    /// A hint; what it says of cached pages only holds for pages that are stored already, and none of these is.
    fn begin_storing(&mut self) {
        #[cfg(target_os = "linux")]
        {
            let len = std::num::NonZeroU64::new(self.len - self.stored);
            let _ = rustix::fs::fadvise(self.file.handle(), self.stored, len, rustix::fs::Advice::DontNeed);
        }
        self.stored = self.len;
    }

    /// Moves the body towards the end, last bytes first.
    fn shift(&mut self, room: u64) -> io::Result<()> {
        let mut buffer = vec![0; MOVED.min(self.len) as usize];
        let mut end = self.len;
        while end > 0 {
            let start = end.saturating_sub(MOVED);
            let part = &mut buffer[..(end - start) as usize];
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(part)?;
            self.file.seek(SeekFrom::Start(start + room))?;
            self.file.write_all(part)?;
            end = start;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_body_equals_one_with_room_inserted() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3 * MOVED + 77).map(|i| ((i * 31) >> 3) as u8).collect();
        let written = |name: &str, shift: bool| {
            let path = dir.path().join(name);
            let mut body = Body::new(AtomicFile::create(&path, false).unwrap());
            for part in bytes.chunks(100_003) {
                body.append(part).unwrap();
            }
            let room = body.room_for(5000);
            assert_eq!(room, 8192);
            let mut file = if shift {
                body.shift(room).unwrap();
                body.file
            } else {
                body.with_room(room).unwrap()
            };
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(&[7; 8192]).unwrap();
            file.commit().unwrap();
            std::fs::read(path).unwrap()
        };
        let (a, b) = (written("a", true), written("b", false));
        assert!(a == b && a[..8192] == [7; 8192] && a[8192..] == bytes);
    }
}
