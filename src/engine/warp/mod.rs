//! Resampling onto another grid: bands of a source, decoded and masked, presented on a target grid as a source of their own.
//!
//! Masks and nodata apply before resampling: a target pixel is made of valid source pixels alone, their kernel weights
//! scaled up to one, and is nodata where they are less than half of the kernel. The place of a target pixel in the source
//! depends on the two grids only, so that any tile size gives the same values.

mod exact;
mod kernel;
mod lattice;
mod native;
mod places;
mod reader;
mod resampling;
mod source;
mod stored;

pub use resampling::Resampling;
pub use source::{Encoded, Wanted, Warper};
