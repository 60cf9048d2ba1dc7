//! A pass: channels in, several analyses over every tile, sinks out.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::contract::{Analysis, Partial};
use super::limits::{Cancel, Limits, Progress};
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::raster::{Sink, Source};

/// A band under the name analyses read it by.
#[derive(Clone)]
pub struct Channel {
    /// Name (`nir`, or `after:nir` where two dates are read).
    pub name: String,
    /// Where the pixels are.
    pub source: Arc<dyn Source>,
    /// 0-based band of the source.
    pub band: usize,
    /// Scale to the physical quantity.
    pub scale: f64,
    /// Offset to the physical quantity.
    pub offset: f64,
    /// Nodata in stored values, overrides included.
    pub nodata: Option<f64>,
    /// Physical values outside are nodata (reflectance: −0.2..=1.6), counted as out of range.
    pub valid: Option<RangeInclusive<f64>>,
    /// Masks of the pass (by index) that make this channel nodata.
    pub masks: Vec<usize>,
}

/// Which stored values of a mask band make a pixel invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskRule {
    /// Any of these class values (SCL).
    Values(Vec<u32>),
    /// Any of these bits set (QA_PIXEL, Fmask).
    Bits(u32),
    /// Anything but these values (UDM2 clear).
    NotValues(Vec<u32>),
}

/// A band whose values make pixels of other channels invalid.
#[derive(Clone)]
pub struct MaskSource {
    /// Name for counts and provenance (`scl`).
    pub name: String,
    /// Where the pixels are.
    pub source: Arc<dyn Source>,
    /// 0-based band of the source.
    pub band: usize,
    /// What is invalid.
    pub rule: MaskRule,
    /// Values (or bits) of the rule whose pixels also invalidate a disk of `buffer_px` around them.
    pub buffered: MaskRule,
    /// Radius of that disk in pixels of the mask's own grid.
    pub buffer_px: usize,
}

/// Which cells of a tile are inside the area of interest.
pub trait Clip: Send + Sync {
    /// Clears `keep[i]` of the cells (row order) of `window` that are outside.
    fn apply(&self, window: Window, keep: &mut [bool]);
}

/// A file (or other sink) and which planes of the analysis it receives.
pub struct Output {
    /// Receives the planes.
    pub sink: Box<dyn Sink>,
    /// Indices into [`super::Spec::writes`].
    pub planes: Vec<usize>,
}

/// Names the result of an analysis of a pass.
pub struct Handle<P> {
    index: usize,
    partial: PhantomData<fn() -> P>,
}

/// Cells that became nodata, by cause, for one analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cells computed.
    pub cells: u64,
    /// Output values that were not finite.
    pub arithmetic_invalid: u64,
    /// Output values outside the valid range.
    pub out_of_range: u64,
}

/// What a pass will do; printed by `--explain`.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Grid of the pass.
    pub grid: Grid,
    /// Edge of a tile in pixels.
    pub tile: usize,
    /// Number of tiles.
    pub tiles: u64,
    /// Tiles read together along a row.
    pub chunk: usize,
    /// Bytes one chunk holds while it is worked on.
    pub chunk_bytes: u64,
    /// Bytes held for the whole pass (sinks, prepared data).
    pub resident_bytes: u64,
    /// Chunks admitted at once.
    pub in_flight: usize,
    /// Highest sum of all buffers.
    pub peak_bytes: u64,
    /// The least ceiling that works.
    pub least_bytes: u64,
    /// Decoded bytes read from sources.
    pub bytes_read: u64,
    /// Raw bytes of the outputs before compression.
    pub bytes_written: u64,
    /// Channels read and analyses run, in words.
    pub summary: Vec<String>,
}

/// Cells of a channel that were nodata, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Channel name.
    pub name: String,
    /// Nodata by value, internal mask or absent block.
    pub nodata: u64,
    /// Masked by a mask band (cloud, shadow).
    pub masked: u64,
    /// Outside the valid physical range.
    pub out_of_range: u64,
    /// Outside the area of interest.
    pub clipped: u64,
    /// Cells read.
    pub cells: u64,
}

/// Results of a pass.
#[derive(Default)]
pub struct Outcome {
    pub(super) partials: Vec<Option<Box<dyn Any + Send>>>,
    /// Nodata counts of each analysis, in the order they were added.
    pub counts: Vec<Counts>,
    /// Nodata counts of each channel that was read.
    pub channels: Vec<ChannelCounts>,
    /// Highest sum of bytes the ledger held.
    pub peak_bytes: u64,
    /// Blocks decoded, for the proof that shared inputs are read once.
    pub tiles_read: u64,
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

    /// Nodata counts of an analysis.
    #[must_use]
    pub fn counts_of<P>(&self, handle: &Handle<P>) -> Counts {
        self.counts.get(handle.index).cloned().unwrap_or_default()
    }
}

/// Several analyses over one grid: inputs are read and decoded once.
pub struct Pass {
    name: String,
    grid: Grid,
    channels: Vec<Channel>,
    masks: Vec<MaskSource>,
    clip: Option<Arc<dyn Clip>>,
}

impl Pass {
    /// An empty pass over `grid`; `name` is what progress says.
    #[must_use]
    pub fn new(name: &str, grid: Grid) -> Self {
        Self { name: name.into(), grid, channels: Vec::new(), masks: Vec::new(), clip: None }
    }
    /// Adds a channel. One with a name that is there already must be the same band.
    ///
    /// # Errors
    /// Where the source's grid does not nest with the pass grid (its pixels may be larger by a whole factor, read by
    /// nearest), or another channel has the name.
    pub fn channel(&mut self, channel: Channel) -> Result<()> {
        self.channels.push(channel);
        Ok(())
    }
    /// Adds a mask band; the index goes into [`Channel::masks`].
    ///
    /// # Errors
    /// Where the grids do not nest.
    pub fn mask(&mut self, mask: MaskSource) -> Result<usize> {
        self.masks.push(mask);
        Ok(self.masks.len() - 1)
    }
    /// Restricts all channels to an area of interest.
    pub fn clip(&mut self, clip: Arc<dyn Clip>) {
        self.clip = Some(clip);
    }
    /// Adds an analysis and where its planes go.
    ///
    /// # Errors
    /// Where a channel it reads is missing, or a plane goes to a sink of another type.
    pub fn add<A: Analysis>(&mut self, _analysis: A, _outputs: Vec<Output>) -> Result<Handle<A::Partial>> {
        Err(Error::bug("engine not built"))
    }
    /// Says what would be done.
    ///
    /// # Errors
    /// [`crate::error::Kind::Limit`] with the least memory that works.
    pub fn plan(&self, _limits: &Limits) -> Result<Plan> {
        Err(Error::bug(format!("engine not built: {} {}", self.name, self.grid.cols)))
    }
    /// Runs the pass.
    ///
    /// # Errors
    /// The first error in tile order; nothing is written then.
    pub fn run(self, _limits: &Limits, _progress: &dyn Progress, _cancel: &Cancel) -> Result<Outcome> {
        Err(Error::bug(format!("engine not built {}", self.clip.is_some())))
    }
}
