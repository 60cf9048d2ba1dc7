//! A pass: channels in, several analyses over every tile, sinks out.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::contract::{Analysis, Spec};
use super::erased::Erased;
use super::limits::{Cancel, Limits, Progress};
use super::mask;
use super::outcome::{Handle, Outcome};
use super::plan::{Layout, Plan};
use super::run;
use crate::error::{Error, Result};
use crate::grid::{Grid, Window};
use crate::raster::{Dtype, Sink, Source};

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
    /// Values (or bits) of which objects of one or two pixels (8-connected) are noise: neither invalid nor buffered.
    pub speckle: MaskRule,
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

/// What an analysis reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A channel, by index.
    Channel(usize),
    /// A plane that an analysis added before writes.
    Written(Written),
}

/// A plane of an analysis, by indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) job: usize,
    pub(super) plane: usize,
}

/// An analysis of a pass with what it reads and where its planes go.
pub(super) struct Job {
    pub(super) analysis: Box<dyn Erased>,
    pub(super) spec: Spec,
    pub(super) reads: Vec<Read>,
    pub(super) outputs: Vec<Output>,
}

impl Job {
    /// True where it reads planes of the pass and no channel.
    pub(super) fn reads_written_only(&self) -> bool {
        !self.reads.is_empty() && self.reads.iter().all(|r| matches!(r, Read::Written(_)))
    }
}

/// Several analyses over one grid: inputs are read and decoded once.
pub struct Pass {
    pub(super) name: String,
    pub(super) grid: Grid,
    pub(super) channels: Vec<Channel>,
    /// Planes under the names analyses read them by.
    written: Vec<(String, Written)>,
    pub(super) masks: Vec<MaskSource>,
    pub(super) clip: Option<Arc<dyn Clip>>,
    pub(super) jobs: Vec<Job>,
}

impl Pass {
    /// An empty pass over `grid`; `name` is what progress says.
    #[must_use]
    pub fn new(name: &str, grid: Grid) -> Self {
        Self {
            name: name.into(),
            grid,
            channels: Vec::new(),
            written: Vec::new(),
            masks: Vec::new(),
            clip: None,
            jobs: Vec::new(),
        }
    }

    /// The grid of the pass.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Adds a channel. One with a name that is there already must be the same band with the same encoding and masks.
    ///
    /// # Errors
    /// Where the source's grid does not nest with the pass grid (its pixels may be larger by a whole factor, read by
    /// nearest), or another channel has the name.
    pub fn channel(&mut self, channel: Channel) -> Result<()> {
        if let Some(known) = self.channels.iter().find(|c| c.name == channel.name) {
            return if known.same(&channel) {
                Ok(())
            } else {
                Err(Error::bug(format!("two different channels are named {}", channel.name)))
            };
        }
        self.nests(&channel.source, channel.band)?;
        if let Some(m) = channel.masks.iter().find(|m| **m >= self.masks.len()) {
            return Err(Error::bug(format!("channel {} names mask {m}, which the pass does not have", channel.name)));
        }
        self.channels.push(channel);
        Ok(())
    }

    /// Adds a mask band; the index goes into [`Channel::masks`]. The same mask twice gets the same index.
    ///
    /// # Errors
    /// Where the grids do not nest.
    pub fn mask(&mut self, mask: MaskSource) -> Result<usize> {
        if let Some(i) = self.masks.iter().position(|m| m.same(&mask)) {
            return Ok(i);
        }
        self.nests(&mask.source, mask.band)?;
        self.masks.push(mask);
        Ok(self.masks.len() - 1)
    }

    fn nests(&self, source: &Arc<dyn Source>, band: usize) -> Result<()> {
        let bands = source.bands().len();
        if band >= bands {
            return Err(Error::input(format!("{}: there is no band {} (bands: {bands})", source.name(), band + 1)));
        }
        self.grid.nest(source.grid()).map(|_| ()).map_err(|e| e.context(source.name()))
    }

    /// Names a band (from 0) of an output of this pass, so that analyses added later read it like a channel, as it is
    /// written, without a second pass. Only for analyses without halo.
    ///
    /// # Errors
    /// A bug where no output of the pass has that name or band, or the name is taken.
    pub fn read_again(&mut self, name: &str, output: &str, band: usize) -> Result<()> {
        self.unknown(name)?;
        let outputs = self.jobs.iter().enumerate().flat_map(|(job, j)| j.outputs.iter().map(move |o| (job, o)));
        let found = outputs.filter(|(_, o)| o.sink.name() == Some(output)).find_map(|(job, o)| {
            let plane = *o.planes.get(band)?;
            Some(Written { job, plane })
        });
        let found = found.ok_or_else(|| Error::bug(format!("the pass writes no band {} of {output}", band + 1)))?;
        self.written.push((name.to_owned(), found));
        Ok(())
    }

    /// As [`Pass::read_again`], of a plane of an analysis, whether an output takes it or not.
    ///
    /// # Errors
    /// A bug where the analysis has no such plane, or the name is taken.
    pub fn read_plane<P>(&mut self, name: &str, of: &Handle<P>, plane: usize) -> Result<()> {
        self.unknown(name)?;
        if self.jobs.get(of.index).is_none_or(|j| plane >= j.spec.writes.len()) {
            return Err(Error::bug(format!("an analysis has no plane {}", plane + 1)));
        }
        self.written.push((name.to_owned(), Written { job: of.index, plane }));
        Ok(())
    }

    /// Fails where a name is taken.
    fn unknown(&self, name: &str) -> Result<()> {
        if self.channels.iter().any(|c| c.name == name) || self.written.iter().any(|(n, _)| n == name) {
            return Err(Error::bug(format!("two different channels are named {name}")));
        }
        Ok(())
    }

    /// Restricts all channels to an area of interest.
    pub fn clip(&mut self, clip: Arc<dyn Clip>) {
        self.clip = Some(clip);
    }

    /// The area of interest, for analyses that read no channel and clip themselves.
    #[must_use]
    pub fn area_of_interest(&self) -> Option<&Arc<dyn Clip>> {
        self.clip.as_ref()
    }

    /// Adds an analysis and where its planes go.
    ///
    /// # Errors
    /// Where a channel it reads is missing, an output names a plane the analysis does not write, or a plane has a type no
    /// output can hold.
    pub fn add<A: Analysis>(&mut self, analysis: A, outputs: Vec<Output>) -> Result<Handle<A::Partial>> {
        let spec = Analysis::spec(&analysis);
        let reads = spec.reads.iter().map(|name| {
            let channel = self.channels.iter().position(|c| c.name == *name).map(Read::Channel);
            let written = || self.written.iter().find(|(n, _)| n == name).map(|(_, w)| Read::Written(*w));
            channel.or_else(written).ok_or_else(|| {
                Error::bug(format!("analysis {} reads {name}, which is no channel of the pass", spec.name))
            })
        });
        let reads = reads.collect::<Result<Vec<_>>>()?;
        if spec.halo > 0 && reads.iter().any(|r| matches!(r, Read::Written(_))) {
            return Err(Error::bug(format!("analysis {} needs a halo of planes that are just written", spec.name)));
        }
        for plane in outputs.iter().flat_map(|o| &o.planes) {
            if *plane >= spec.writes.len() {
                return Err(Error::bug(format!("analysis {} writes no plane {plane}", spec.name)));
            }
        }
        if let Some(band) = spec
            .writes
            .iter()
            .find(|b| !matches!(b.dtype, Dtype::U8 | Dtype::U16 | Dtype::I16 | Dtype::I32 | Dtype::F32 | Dtype::F64))
        {
            return Err(Error::bug(format!("analysis {}: no output plane holds {}", spec.name, band.dtype)));
        }
        self.jobs.push(Job { analysis: Box::new(analysis), spec, reads, outputs });
        Ok(Handle { index: self.jobs.len() - 1, partial: PhantomData })
    }

    /// Sources of the methods of all analyses, each once.
    #[must_use]
    pub fn citations(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        for citation in self.jobs.iter().flat_map(|j| &j.spec.citations) {
            if !all.contains(citation) {
                all.push(citation);
            }
        }
        all
    }

    /// Names of all rasters it reads, each once.
    #[must_use]
    pub fn source_names(&self) -> Vec<&str> {
        let channels = self.channels.iter().map(|c| c.source.name());
        let mut names: Vec<&str> = channels.chain(self.masks.iter().map(|m| m.source.name())).collect();
        let mut seen = std::collections::HashSet::new();
        names.retain(|n| seen.insert(*n));
        names
    }

    /// Says what would be done.
    ///
    /// # Errors
    /// [`crate::error::Kind::Limit`] with the least memory that works.
    pub fn plan(&self, limits: &Limits) -> Result<Plan> {
        Ok(Layout::new(self, limits)?.plan)
    }

    /// Runs the pass. Sinks finish only after every tile is committed.
    ///
    /// # Errors
    /// The first error in tile order; sinks are dropped unfinished then, so nothing appears.
    pub fn run(self, limits: &Limits, progress: &dyn Progress, cancel: &Cancel) -> Result<Outcome> {
        let layout = Layout::new(&self, limits)?;
        run::run(self, &layout, progress, cancel)
    }
}

impl Channel {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
            && self.band == other.band
            && (self.scale, self.offset) == (other.scale, other.offset)
            && self.nodata.map(f64::to_bits) == other.nodata.map(f64::to_bits)
            && self.valid == other.valid
            && self.masks == other.masks
    }
}

impl MaskSource {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
            && self.band == other.band
            && self.rule == other.rule
            && self.buffered == other.buffered
            && self.buffer_px == other.buffer_px
            && self.speckle == other.speckle
    }

    /// Pixels around an area that decide about it.
    pub(in crate::engine) fn reach(&self) -> usize {
        let around = if self.speckle == MaskRule::Values(Vec::new()) { 0 } else { mask::SPECKLE_REACH };
        self.buffer_px + around
    }
}
