//! How pixels flow: planning, byte-budgeted admission, parallel tiles, ordered commit, merging of partial results.
//!
//! The engine owns everything but the arithmetic. An [`Analysis`] sees decoded planes and writes planes; reading, masks,
//! nodata, halo, memory, threads, order, progress, cancellation and errors are decided here once.

pub mod contract;
mod decode;
mod erased;
mod guard;
mod ledger;
pub mod limits;
mod mask;
pub mod outcome;
pub mod pass;
pub mod plan;
mod run;
pub mod warp;
mod work;

pub use contract::{Analysis, OutBand, Overview, Partial, Spec, TileIn, TileOut};
pub use limits::{Cancel, Limits, Progress, Silent};
pub use outcome::{ChannelCounts, Counts, Handle, Outcome};
pub use pass::{Channel, Clip, MaskRule, MaskSource, Output, Pass};
pub use plan::Plan;
