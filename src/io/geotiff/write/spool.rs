//! Nameless files beside the output: compressed overview blocks waiting for their place, and overview pixels waiting for
//! their neighbours. Their space is freed however the process ends.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::atomic::{AtomicFile, scratch_file, write_error};

const BUFFER: usize = 256 << 10;

/// Where a block lies in a [`Spool`]. Length 0: the block is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// Blocks in the order they came.
#[derive(Default)]
pub(super) struct Spool {
    output: PathBuf,
    file: Option<BufWriter<File>>,
    len: u64,
}

impl Spool {
    /// A spool for the output at `path`; its file is made with the first block.
    pub(super) fn new(path: &Path) -> Self {
        Self { output: path.to_owned(), file: None, len: 0 }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<Chunk> {
        let file = match &mut self.file {
            Some(f) => f,
            None => self.file.insert(BufWriter::with_capacity(BUFFER, scratch_file(&self.output)?)),
        };
        file.write_all(bytes).map_err(|e| write_error(&self.output, self.len, &e))?;
        let len = u32::try_from(bytes.len()).map_err(|_| Error::bug("a block passes 4 GiB"))?;
        let chunk = Chunk { offset: self.len, len };
        self.len += u64::from(len);
        Ok(chunk)
    }

    /// Copies `chunks` one after another into `out`; neighbours go in one piece.
    pub(super) fn copy(&mut self, chunks: impl Iterator<Item = Chunk>, out: &mut AtomicFile) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush().map_err(|e| write_error(&self.output, self.len, &e))?;
        let file = file.get_mut();
        let mut copy = |from: u64, to: u64| -> Result<()> {
            match file.seek(SeekFrom::Start(from)).and_then(|_| out.append_from(file, to - from)) {
                Ok(n) if n == to - from => Ok(()),
                Ok(_) => Err(Error::io(format!("writing {}: its spool file was cut short", self.output.display()))),
                Err(e) => Err(out.error(&e)),
            }
        };
        let mut run = (0, 0);
        for chunk in chunks.filter(|c| c.len > 0) {
            if chunk.offset != run.1 {
                copy(run.0, run.1)?;
                run = (chunk.offset, chunk.offset);
            }
            run.1 += u64::from(chunk.len);
        }
        copy(run.0, run.1)
    }
}

/// Overview pixels waiting for their neighbours: the first in memory, what goes beyond in a file of equal slots.
pub(super) struct Slots {
    output: PathBuf,
    slot: u64,
    memory_left: u64,
    file: Option<File>,
    free: Vec<u64>,
    used: u64,
}

/// Pixels in [`Slots`].
pub(super) enum Ticket {
    Memory(Vec<u8>),
    File { slot: u64, len: usize },
}

impl Slots {
    /// Slots of at most `slot` bytes, `memory` bytes of them in memory.
    pub(super) fn new(path: &Path, slot: u64, memory: u64) -> Self {
        Self { output: path.to_owned(), slot, memory_left: memory, file: None, free: Vec::new(), used: 0 }
    }

    pub(super) fn put(&mut self, bytes: Vec<u8>) -> Result<Ticket> {
        let n = bytes.len() as u64;
        if n <= self.memory_left {
            self.memory_left -= n;
            return Ok(Ticket::Memory(bytes));
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        let file = match &mut self.file {
            Some(f) => f,
            None => self.file.insert(scratch_file(&self.output)?),
        };
        file.seek(SeekFrom::Start(slot * self.slot))
            .and_then(|_| file.write_all(&bytes))
            .map_err(|e| write_error(&self.output, slot * self.slot, &e))?;
        Ok(Ticket::File { slot, len: bytes.len() })
    }

    pub(super) fn take(&mut self, ticket: Ticket) -> Result<Vec<u8>> {
        match ticket {
            Ticket::Memory(bytes) => {
                self.memory_left += bytes.len() as u64;
                Ok(bytes)
            }
            Ticket::File { slot, len } => {
                let mut bytes = vec![0; len];
                if let Some(file) = &mut self.file {
                    file.seek(SeekFrom::Start(slot * self.slot))
                        .and_then(|_| file.read_exact(&mut bytes))
                        .map_err(|e| write_error(&self.output, 0, &e))?;
                }
                self.free.push(slot);
                Ok(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_copied_in_the_order_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(&dir.path().join("a.tif"));
        let c: Vec<_> = [&b"one"[..], b"two", b"three", b"four"].iter().map(|b| spool.append(b).unwrap()).collect();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the spool has no name");
        let path = dir.path().join("b");
        let mut out = AtomicFile::create(&path, false).unwrap();
        let order = [c[2], c[3], Chunk::default(), c[0], c[1]];
        spool.copy(order.into_iter(), &mut out).unwrap();
        out.commit().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"threefouronetwo");
    }

    #[test]
    fn slots_beyond_memory_go_to_a_file_and_are_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut slots = Slots::new(&dir.path().join("a.tif"), 4, 5);
        let tickets: Vec<_> = (0_u8..5).map(|i| slots.put(vec![i; 4 - usize::from(i == 3)]).unwrap()).collect();
        assert!(matches!(tickets[0], Ticket::Memory(_)) && matches!(tickets[4], Ticket::File { slot: 3, .. }));
        for (i, t) in tickets.into_iter().enumerate() {
            assert_eq!(slots.take(t).unwrap(), vec![i as u8; 4 - usize::from(i == 3)]);
        }
        let _held = slots.put(vec![0; 4]).unwrap();
        assert!(matches!(slots.put(vec![9; 4]).unwrap(), Ticket::File { slot: 3, .. }));
        assert_eq!(slots.used, 4);
    }
}
