//! Decoded blocks kept for the windows after the next: with a halo, every block is met by several tiles.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;

/// A block by row, column and plane. Rows come first: windows come from the top, so that the first block is the oldest.
type Key = (usize, usize, usize);

/// Samples of a block, or nothing where it is absent; empty until some worker has decoded it.
type Slot = Arc<Mutex<Option<Option<Arc<Vec<u8>>>>>>;

/// Blocks of one image, shared by its readers. Keeps nothing until it is given room.
#[derive(Default)]
pub(super) struct BlockCache(Mutex<State>);

#[derive(Default)]
struct State {
    room: u64,
    held: u64,
    blocks: BTreeMap<Key, Slot>,
    /// Memory of a block that went.
    spare: Option<Vec<u8>>,
}

impl BlockCache {
    /// Keeps up to `bytes` from now on.
    pub(super) fn set_room(&self, bytes: u64) {
        let mut state = self.state();
        *state = State { room: bytes, ..State::default() };
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().room > 0
    }

    /// The samples of a block. `decode` is called with memory to use where nobody decoded it yet; a second worker that wants
    /// the block waits for the first.
    pub(super) fn block(
        &self,
        key: Key,
        decode: impl FnOnce(Vec<u8>) -> Result<Option<Vec<u8>>>,
    ) -> Result<Option<Arc<Vec<u8>>>> {
        let (slot, memory) = {
            let mut state = self.state();
            let slot = Arc::clone(state.blocks.entry(key).or_default());
            (slot, state.spare.take())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // No lock is waited for under the other.
        if let Some(known) = slot.clone() {
            drop(slot);
            if memory.is_some() {
                self.state().spare = memory;
            }
            return Ok(known);
        }
        let block = decode(memory.unwrap_or_default())?.map(Arc::new);
        *slot = Some(block.clone());
        drop(slot);
        if let Some(block) = &block {
            self.state().take(block.capacity() as u64, key);
        }
        Ok(block)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a new block and lets the oldest go while there are too many bytes.
    fn take(&mut self, bytes: u64, newest: Key) {
        // Driven out while it was decoded: only its reader has it.
        if !self.blocks.contains_key(&newest) {
            return;
        }
        self.held += bytes;
        while self.held > self.room
            && let Some((key, slot)) = self.blocks.pop_first()
        {
            // One that is being decoded was not counted yet.
            let block = slot.try_lock().ok().and_then(|mut s| s.take()).flatten();
            if let Some(block) = block {
                self.held -= block.capacity() as u64;
                // Nobody else reads it: its memory serves the next block.
                self.spare = Arc::try_unwrap(block).ok();
            }
            if key == newest {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_decoded_once_while_there_is_room() {
        let cache = BlockCache::default();
        assert!(!cache.is_open());
        cache.set_room(2500);
        let mut decoded = Vec::new();
        let mut read = |key: Key| {
            let block = cache.block(key, |_| {
                decoded.push(key);
                Ok((key.0 != 9).then(|| vec![key.1 as u8; 1000]))
            });
            block.unwrap().map(|b| b[0])
        };
        assert_eq!(
            [read((0, 0, 0)), read((0, 1, 0)), read((0, 0, 0)), read((0, 1, 0))],
            [Some(0), Some(1)].repeat(2)[..]
        );
        assert_eq!((read((9, 0, 0)), read((9, 0, 0))), (None, None));
        // The third present block drives out the oldest.
        assert_eq!((read((1, 7, 0)), read((0, 1, 0)), read((0, 0, 0))), (Some(7), Some(1), Some(0)));
        assert_eq!(decoded, [(0, 0, 0), (0, 1, 0), (9, 0, 0), (1, 7, 0), (0, 0, 0)]);
    }

    #[test]
    fn a_block_that_fails_fails_for_everyone() {
        let cache = BlockCache::default();
        cache.set_room(1 << 20);
        for _ in 0..2 {
            let failed = cache.block((0, 0, 0), |_| Err(crate::error::Error::input("damaged")));
            assert_eq!(failed.unwrap_err().message(), "damaged");
        }
    }
}
