//! What a run may use, how it is stopped and how it tells where it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Kind, Result};

/// Threads and memory a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Worker threads.
    pub threads: usize,
    /// Ceiling of all buffers in bytes.
    pub memory: u64,
}

/// A flag that stops a run at the next tile. Clones share the flag; 0 means go on, n means stopped by signal n.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicUsize>);

impl Cancel {
    /// Asks for a stop because of signal `n`.
    pub fn stop(&self, signal: u8) {
        self.0.store(usize::from(signal), Ordering::SeqCst);
    }
    /// The flag itself, which a signal handler may set: handlers can store a number but not call code.
    #[must_use]
    pub fn flag(&self) -> &Arc<AtomicUsize> {
        &self.0
    }
    /// Fails where a stop was asked for.
    ///
    /// # Errors
    /// [`Kind::Signal`] with the signal's number.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            n => Err(Error::new(Kind::Signal(n as u8), format!("stopped by signal {n}; no output was written"))),
        }
    }
}

/// Told how far a run is. Only `cli` draws.
pub trait Progress: Send + Sync {
    /// A pass begins with `tiles` tiles.
    fn start(&self, what: &str, tiles: u64);
    /// `done` tiles are committed.
    fn advance(&self, done: u64);
    /// The pass is over.
    fn end(&self);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _tiles: u64) {}
    fn advance(&self, _done: u64) {}
    fn end(&self) {}
}
