//! How pixels flow: planning, byte-budgeted admission, parallel tiles, ordered commit, merging of partial results.
//!
//! The engine owns everything but the arithmetic. An [`Analysis`] sees decoded planes and writes planes; reading, masks,
//! nodata, halo, memory, threads, order, progress, cancellation and errors are decided here once.

pub mod contract;
pub mod limits;
pub mod pass;

pub use contract::{Analysis, OutBand, Overview, Partial, Spec, TileIn, TileOut};
pub use limits::{Cancel, Limits, Progress, Silent};
pub use pass::{Channel, Handle, MaskRule, MaskSource, Outcome, Output, Pass, Plan};
