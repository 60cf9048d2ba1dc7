//! What a pass gives back: merged partial results, and how many cells became nodata by which cause.

use std::any::Any;
use std::marker::PhantomData;

use super::contract::Partial;
use crate::error::{Error, Result};
use crate::numeric::Moments;

/// Names the result of an analysis of a pass.
pub struct Handle<P> {
    pub(super) index: usize,
    pub(super) partial: PhantomData<fn() -> P>,
}

impl<P> Clone for Handle<P> {
    fn clone(&self) -> Self {
        Self { index: self.index, partial: PhantomData }
    }
}

/// Cells that became nodata, by cause, for one analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cells computed.
    pub cells: u64,
    /// Output values that were infinite, or NaN although every channel read was valid there.
    pub arithmetic_invalid: u64,
    /// Output values outside the valid range.
    pub out_of_range: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.arithmetic_invalid += other.arithmetic_invalid;
        self.out_of_range += other.out_of_range;
    }
}

/// Cells of a channel that were nodata, by cause. A cell counts once, under the first cause that holds: clipped, nodata,
/// masked, out of range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Channel name.
    pub name: String,
    /// Nodata by value, internal mask, absent block or outside the raster.
    pub nodata: u64,
    /// Masked by a mask band (cloud, shadow).
    pub masked: u64,
    /// Outside the valid physical range.
    pub out_of_range: u64,
    /// Outside the area of interest.
    pub clipped: u64,
    /// Infinite values among the nodata: damage or a failed computation upstream, worth a warning.
    pub infinite: u64,
    /// Cells read.
    pub cells: u64,
}

impl ChannelCounts {
    /// Cells with a value.
    #[must_use]
    pub fn valid(&self) -> u64 {
        self.cells - self.clipped - self.nodata - self.masked - self.out_of_range
    }
    pub(super) fn add(&mut self, other: &Self) {
        self.nodata += other.nodata;
        self.masked += other.masked;
        self.out_of_range += other.out_of_range;
        self.clipped += other.clipped;
        self.infinite += other.infinite;
        self.cells += other.cells;
    }
}

/// Results of a pass.
#[derive(Default)]
pub struct Outcome {
    pub(super) partials: Vec<Option<Box<dyn Any + Send>>>,
    /// Nodata counts of each analysis, in the order they were added.
    pub counts: Vec<Counts>,
    /// Moments of each plane of each analysis, as written.
    pub(super) moments: Vec<Vec<Moments>>,
    /// Nodata counts of each channel that was read.
    pub channels: Vec<ChannelCounts>,
    /// Highest sum of bytes the ledger held.
    pub peak_bytes: u64,
    /// Reads of sources (one a source and chunk), for the proof that shared inputs are read once.
    pub reads: u64,
}

impl Outcome {
    /// The merged partial result of an analysis.
    ///
    /// # Errors
    /// A bug where the handle is of another pass or was taken before.
    pub fn take<P: Partial>(&mut self, handle: &Handle<P>) -> Result<P> {
        self.partials
            .get_mut(handle.index)
            .and_then(Option::take)
            .and_then(|b| b.downcast::<P>().ok())
            .map(|b| *b)
            .ok_or_else(|| Error::bug("the result of an analysis was taken twice or belongs to another pass"))
    }

    /// Moments of the valid cells of an analysis's planes, as written.
    #[must_use]
    pub fn moments_of<P>(&self, handle: &Handle<P>) -> &[Moments] {
        self.moments.get(handle.index).map_or(&[], Vec::as_slice)
    }

    /// Nodata counts of an analysis.
    #[must_use]
    pub fn counts_of<P>(&self, handle: &Handle<P>) -> Counts {
        self.counts.get(handle.index).cloned().unwrap_or_default()
    }
}
