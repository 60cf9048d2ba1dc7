//! What the benchmark measures against and measures on: synthetic inputs, the codec floor, a memory copy, and the meter.
//!
//! The floor does what no raster program can leave out: it reads and decodes the blocks a task reads, and encodes and
//! writes as many blocks as the task writes, on all threads, and nothing else. A task's cost as a ratio to its floor says
//! how much is left to gain.

pub mod codec;
pub mod copy;
pub mod floor;
pub mod inputs;
pub mod meter;
pub mod recipe;
