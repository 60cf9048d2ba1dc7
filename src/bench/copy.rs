//! The speed of memory: bytes copied from one buffer to another, on all threads.

use std::hint::black_box;

use crate::error::{Error, Result};

/// Bytes of each of the two buffers of a thread: more than the caches hold.
const BUFFER: usize = 64 << 20;

/// Buffers written once, so that the copy meets memory that is there.
pub struct Copy {
    pool: rayon::ThreadPool,
    threads: usize,
    buffers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Copy {
    /// Prepares `threads` pairs of buffers.
    ///
    /// # Errors
    /// Where threads cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        let pool = pool(threads)?;
        Ok(Self { pool, threads, buffers: (0..threads).map(|_| (vec![1; BUFFER], vec![2; BUFFER])).collect() })
    }

    /// Copies `bytes` in all.
    pub fn run(&mut self, bytes: u64) {
        let share = bytes / self.threads as u64;
        let buffers = &mut self.buffers;
        self.pool.in_place_scope(|scope| {
            for (from, to) in buffers {
                scope.spawn(move |_| {
                    let mut left = share;
                    while left > 0 {
                        let n = left.min(BUFFER as u64);
                        to[..n as usize].copy_from_slice(&from[..n as usize]);
                        black_box(&to);
                        left -= n;
                    }
                });
            }
        });
    }
}

/// A pool of `threads` threads.
///
/// # Errors
/// Where they cannot be started.
pub(super) fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::limit(format!("starting {threads} threads: {e}; use --threads with fewer")))
}
