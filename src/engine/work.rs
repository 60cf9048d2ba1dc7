//! What a worker does with a chunk: read once, then decode, compute, guard and encode tile by tile.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::contract::{TileIn, TileOut};
use super::decode::{Decoding, decode};
use super::erased::AnyPartial;
use super::guard::{Origin, guard};
use super::limits::Cancel;
use super::mask;
use super::outcome::{ChannelCounts, Counts};
use super::pass::{Job, Pass, Read};
use super::plan::{Layout, parts};
use crate::error::{Error, Result};
use crate::grid::Window;
use crate::numeric::Moments;
use crate::raster::plane::Values;
use crate::raster::{Encoded, Finished, OutPlane, Plane, Raw, Reader};

/// A computed tile waiting for its turn.
pub(super) struct TileDone {
    pub(super) window: Window,
    pub(super) jobs: Vec<JobDone>,
    pub(super) channels: Vec<ChannelCounts>,
}

/// What one analysis made of a tile.
pub(super) struct JobDone {
    /// One an output.
    pub(super) encoded: Vec<Encoded>,
    pub(super) partial: AnyPartial,
    pub(super) counts: Counts,
    /// One a plane.
    pub(super) moments: Vec<Moments>,
}

/// A computed chunk, or why not.
pub(super) struct ChunkDone {
    pub(super) chunk: usize,
    pub(super) tiles: Result<Vec<TileDone>>,
    /// Bytes the encoded tiles hold.
    pub(super) bytes: u64,
    /// Reads of sources.
    pub(super) reads: u64,
}

/// Buffers and file handles of one worker, kept from chunk to chunk: after the first, nothing large is allocated.
#[derive(Default)]
struct Desk {
    readers: Vec<Option<Box<dyn Reader>>>,
    raws: Vec<Vec<Raw>>,
    /// Window of the source each input holds; none where the source has nothing there.
    inside: Vec<Option<Window>>,
    marks: Vec<u8>,
    /// Masks on their own grids, with their windows.
    masks: Vec<(Window, Vec<u8>)>,
    /// Masks on the tile.
    tile_masks: Vec<Vec<u8>>,
    keep: Vec<bool>,
    planes: Vec<Plane>,
    /// Planes of this tile that are read again, in the order of the layout.
    again: Vec<Plane>,
    /// Output planes of any analysis, filled again tile by tile.
    spare: Vec<OutPlane>,
    /// The same of whole tiles, where rows are computed a few at a time.
    tiles: Vec<OutPlane>,
}

/// What all workers share.
pub(super) struct Shop<'a> {
    pass: &'a Pass,
    layout: &'a Layout,
    cancel: &'a Cancel,
    desks: Mutex<Vec<Desk>>,
    /// The lowest chunk that failed; later ones need no work.
    failed: AtomicUsize,
}

impl<'a> Shop<'a> {
    pub(super) fn new(pass: &'a Pass, layout: &'a Layout, cancel: &'a Cancel) -> Self {
        Self { pass, layout, cancel, desks: Mutex::default(), failed: AtomicUsize::new(usize::MAX) }
    }

    /// Works on a chunk. Never panics: a panic becomes an error that names its tile.
    pub(super) fn work(&self, chunk: usize) -> ChunkDone {
        let mut desk = self.desks.lock().ok().and_then(|mut d| d.pop()).unwrap_or_default();
        let mut done = ChunkDone { chunk, tiles: Ok(Vec::new()), bytes: 0, reads: 0 };
        done.tiles = self.guarded(&mut desk, chunk, &mut done.reads);
        match &done.tiles {
            Ok(tiles) => {
                let encoded = tiles.iter().flat_map(|t| &t.jobs).flat_map(|j| &j.encoded).map(|e| e.bytes).sum::<u64>();
                let partials = self.pass.jobs.iter().map(|j| j.spec.scratch_fixed).sum::<u64>();
                done.bytes = encoded + partials * tiles.len() as u64;
                // A desk that saw a panic may hold half-filled buffers and is dropped instead.
                if let Ok(mut desks) = self.desks.lock() {
                    desks.push(desk);
                }
            }
            Err(_) => {
                self.failed.fetch_min(chunk, Ordering::SeqCst);
            }
        }
        done
    }

    fn guarded(&self, desk: &mut Desk, chunk: usize, reads: &mut u64) -> Result<Vec<TileDone>> {
        let stage = Cell::new("reading");
        if !self.layout.in_parts() {
            let window = self.layout.chunk_window(chunk);
            let read = catch_unwind(AssertUnwindSafe(|| self.read(desk, window, reads)));
            read.unwrap_or_else(|panic| Err(died(stage.get(), window, &*panic)))?;
        }
        let tiles = self.layout.tiles_of(chunk);
        let mut done = Vec::with_capacity(tiles.len());
        for tile in tiles {
            self.cancel.check()?;
            if self.failed.load(Ordering::SeqCst) < chunk {
                return Err(Error::bug("an earlier tile failed"));
            }
            let window = self.layout.tiling.window(tile);
            let result = catch_unwind(AssertUnwindSafe(|| self.tile(desk, window, &stage, reads)));
            done.push(result.unwrap_or_else(|panic| Err(died(stage.get(), window, &*panic)))?);
        }
        Ok(done)
    }

    /// Reads every source once and evaluates the mask bands.
    fn read(&self, desk: &mut Desk, window: Window, reads: &mut u64) -> Result<()> {
        let (layout, pass) = (self.layout, self.pass);
        self.cancel.check()?;
        let window = window.grow(layout.halo);
        let n = layout.inputs.len();
        desk.readers.resize_with(n, || None);
        desk.raws.resize_with(n, Vec::new);
        desk.inside.resize(n, None);
        for (i, input) in layout.inputs.iter().enumerate() {
            desk.inside[i] = input.read_window(window).filter(|w| !input.source.is_empty(*w));
            let Some(inside) = desk.inside[i] else { continue };
            let reader = match &mut desk.readers[i] {
                Some(reader) => reader,
                empty => empty.insert(input.source.open()?),
            };
            let raws = &mut desk.raws[i];
            raws.resize_with(input.bands.len(), Raw::default);
            reader.read(&input.bands, inside, raws)?;
            *reads += 1;
            if let Some(raw) = raws.iter().find(|r| {
                r.samples.len() != inside.cells() || r.mask.as_ref().is_some_and(|m| m.len() != inside.cells())
            }) {
                let found = raw.samples.len();
                return Err(Error::bug(format!("{}: {inside}: reader delivered {found} samples", input.source.name())));
            }
        }
        desk.masks.resize_with(layout.masks.len(), || (window, Vec::new()));
        for ((m, slot), (area, out)) in layout.masks.iter().zip(&mut desk.masks) {
            let (mask, input) = (&pass.masks[*m], &layout.inputs[slot.input]);
            *area = input.under(window);
            let raw = desk.inside[slot.input].map(|inside| (&desk.raws[slot.input][slot.band], inside));
            let nodata = input.source.bands()[mask.band].nodata;
            mask::evaluate(mask, nodata, raw, *area, &mut desk.marks, out);
        }
        Ok(())
    }

    fn tile(&self, desk: &mut Desk, window: Window, stage: &Cell<&'a str>, reads: &mut u64) -> Result<TileDone> {
        let layout = self.layout;
        if !layout.in_parts() && self.skips(desk) {
            return Ok(self.skipped(window));
        }
        if layout.plan.rows_computed >= window.rows && !layout.in_parts() {
            stage.set("decoding");
            let channels = self.decode(desk, window)?;
            let mut jobs = Vec::with_capacity(self.pass.jobs.len());
            for (i, job) in self.pass.jobs.iter().enumerate() {
                stage.set(&job.spec.name);
                let moments = vec![Moments::default(); job.spec.writes.len()];
                let mut made = self.compute(job, &channels, &jobs, moments, desk, window)?;
                let encoded = encode(job, &made, window)?;
                self.keep_written(i, job, &made.planes, desk, window);
                desk.spare.append(&mut made.planes);
                jobs.push(JobDone { encoded, partial: made.partial, counts: made.counts, moments: made.moments });
            }
            return Ok(TileDone { window, jobs, channels });
        }
        self.by_rows(desk, window, stage, reads)
    }

    /// As [`Shop::tile`], a few rows at a time; what reads planes of the pass follows when these are whole.
    fn by_rows(&self, desk: &mut Desk, window: Window, stage: &Cell<&'a str>, reads: &mut u64) -> Result<TileDone> {
        let (layout, jobs) = (self.layout, &self.pass.jobs);
        let mut whole: Vec<Computed> = jobs.iter().map(|j| Computed::none(j, &mut desk.tiles)).collect();
        let mut channels = vec![ChannelCounts::default(); layout.channels.len()];
        for part in parts(window, layout.plan.rows_read) {
            if layout.in_parts() {
                stage.set("reading");
                self.read(desk, part, reads)?;
            }
            for rows in parts(part, layout.plan.rows_computed) {
                stage.set("decoding");
                let counted = self.decode(desk, rows)?;
                channels.iter_mut().zip(&counted).for_each(|(all, one)| all.add(one));
                for (job, all) in jobs.iter().zip(&mut whole).filter(|(job, _)| !job.reads_written_only()) {
                    stage.set(&job.spec.name);
                    let moments = std::mem::take(&mut all.moments);
                    let made = self.compute(job, &counted, &[], moments, desk, rows)?;
                    all.extend(job, made, &mut desk.spare)?;
                }
            }
        }
        let mut done = Vec::with_capacity(jobs.len());
        for (i, (job, mut made)) in jobs.iter().zip(whole).enumerate() {
            if job.reads_written_only() {
                stage.set(&job.spec.name);
                made = self.compute(job, &channels, &done, made.moments, desk, window)?;
            }
            let encoded = encode(job, &made, window)?;
            self.keep_written(i, job, &made.planes, desk, window);
            desk.tiles.append(&mut made.planes);
            done.push(JobDone { encoded, partial: made.partial, counts: made.counts, moments: made.moments });
        }
        Ok(TileDone { window, jobs: done, channels })
    }

    /// True where no source has anything for the chunk and no analysis asks for tiles without values.
    fn skips(&self, desk: &Desk) -> bool {
        self.pass.clip.is_none()
            && desk.inside.iter().all(Option::is_none)
            && self.pass.jobs.iter().all(|j| j.spec.empty_adds_nothing && j.spec.writes.is_empty())
    }

    /// True where everything an analysis reads of a tile is nodata.
    fn reads_nothing(&self, job: &Job, channels: &[ChannelCounts], done: &[JobDone]) -> bool {
        let void = |r: &Read| match r {
            Read::Channel(c) => self.layout.slot(*c).and_then(|s| channels.get(s)).is_some_and(|c| c.valid() == 0),
            Read::Written(w) => done[w.job].moments.get(w.plane).is_some_and(|m| m.count == 0),
        };
        !job.reads.is_empty() && job.reads.iter().all(void)
    }

    fn skipped(&self, window: Window) -> TileDone {
        let cells = window.cells() as u64;
        let jobs = self.pass.jobs.iter().map(|j| JobDone {
            encoded: Vec::new(),
            partial: j.analysis.empty(),
            counts: Counts { cells, ..Counts::default() },
            moments: Vec::new(),
        });
        let counts = ChannelCounts { nodata: cells, cells, ..ChannelCounts::default() };
        TileDone { window, jobs: jobs.collect(), channels: vec![counts; self.layout.channels.len()] }
    }

    /// Planes of all channels for a tile.
    fn decode(&self, desk: &mut Desk, window: Window) -> Result<Vec<ChannelCounts>> {
        let (layout, pass) = (self.layout, self.pass);
        let haloed = window.grow(layout.halo);
        desk.tile_masks.resize_with(layout.masks.len(), Vec::new);
        for (((_, slot), (area, cells)), out) in layout.masks.iter().zip(&desk.masks).zip(&mut desk.tile_masks) {
            spread(cells, *area, &layout.inputs[slot.input], haloed, out);
        }
        if let Some(clip) = &pass.clip {
            desk.keep.clear();
            desk.keep.resize(haloed.cells(), true);
            clip.apply(haloed, &mut desk.keep);
        }
        if desk.planes.is_empty() {
            desk.planes.extend(layout.channels.iter().map(|(c, slot)| {
                let (channel, input) = (&pass.channels[*c], &layout.inputs[slot.input]);
                let f32s = input.source.bands()[channel.band].dtype.fits_f32();
                let values = if f32s { Values::F32(Vec::new()) } else { Values::F64(Vec::new()) };
                Plane { cols: 0, rows: 0, values, scale: channel.scale, offset: channel.offset }
            }));
        }
        let mut all = Vec::with_capacity(layout.channels.len());
        for ((c, slot), plane) in layout.channels.iter().zip(&mut desk.planes) {
            let (channel, input) = (&pass.channels[*c], &layout.inputs[slot.input]);
            let mut counts = ChannelCounts::default();
            let masks = layout.masks.iter().zip(&desk.tile_masks).filter(|((m, _), _)| channel.masks.contains(m));
            let job = Decoding {
                what: (input.source.name(), &channel.name),
                raw: desk.inside[slot.input].map(|inside| (&desk.raws[slot.input][slot.band], inside)),
                nest: input.nest,
                window: haloed,
                halo: layout.halo,
                nodata: channel.nodata,
                valid: channel.valid.as_ref().map(|v| (*v.start(), *v.end())),
                masks: masks.map(|(_, cells)| cells.as_slice()).collect(),
                keep: pass.clip.is_some().then_some(desk.keep.as_slice()),
            };
            decode(&job, plane, &mut counts)?;
            all.push(counts);
        }
        Ok(all)
    }

    /// One analysis on a tile, or on some rows of it, whose `moments` go on from those of the rows above. Where all it reads is nodata and adds nothing, the planes stay nodata.
    fn compute(
        &self,
        job: &Job,
        channels: &[ChannelCounts],
        done: &[JobDone],
        mut moments: Vec<Moments>,
        desk: &mut Desk,
        window: Window,
    ) -> Result<Computed> {
        let void = job.spec.empty_adds_nothing && job.spec.halo == 0 && self.reads_nothing(job, channels, done);
        let blank = blank(&mut desk.spare, job, window.cells());
        let (layout, halo) = (self.layout, self.layout.halo);
        let plane = |r: &Read| match r {
            Read::Channel(c) => layout.slot(*c).map(|s| &desk.planes[s]),
            Read::Written(w) => layout.written.iter().position(|used| used == w).map(|s| &desk.again[s]),
        };
        let planes: Vec<&Plane> = job.reads.iter().filter_map(plane).collect();
        let input = TileIn { window, grid: &self.pass.grid, halo, planes };
        let mut out = TileOut { cols: window.cols, planes: blank };
        let partial = if void { job.analysis.empty() } else { job.analysis.tile(&input, &mut out)? };
        let mut counts = Counts { cells: window.cells() as u64, ..Counts::default() };
        for ((band, plane), moments) in job.spec.writes.iter().zip(&mut out.planes).zip(&mut moments) {
            if plane.len() != window.cells() || plane.dtype() != band.dtype {
                return Err(Error::bug(format!(
                    "analysis {} replaced plane {} by another shape",
                    job.spec.name, band.name
                )));
            }
            let origin = Origin { input: &input.planes, halo, cols: window.cols };
            if !void {
                guard(band, plane, origin, &mut counts, moments);
            }
        }
        Ok(Computed { planes: out.planes, partial, counts, moments })
    }

    /// Keeps the planes that later analyses of the tile read again.
    fn keep_written(&self, index: usize, job: &Job, planes: &[OutPlane], desk: &mut Desk, window: Window) {
        let written = &self.layout.written;
        desk.again.resize_with(written.len(), || Plane::from_f32(0, 0, Vec::new()));
        for (written, plane) in written.iter().zip(&mut desk.again).filter(|(w, _)| w.job == index) {
            let nodata = job.spec.writes[written.plane].nodata;
            plane.take_written(&planes[written.plane], nodata, window.cols, self.layout.halo);
        }
    }
}

/// Planes an analysis made, guarded, and what else it made.
struct Computed {
    planes: Vec<OutPlane>,
    partial: AnyPartial,
    counts: Counts,
    moments: Vec<Moments>,
}

impl Computed {
    /// Nothing yet; rows are added.
    fn none(job: &Job, spare: &mut Vec<OutPlane>) -> Self {
        let moments = vec![Moments::default(); job.spec.writes.len()];
        Self { planes: blank(spare, job, 0), partial: job.analysis.empty(), counts: Counts::default(), moments }
    }

    /// Adds the next rows; their planes are given back.
    fn extend(&mut self, job: &Job, rows: Self, spare: &mut Vec<OutPlane>) -> Result<()> {
        self.planes.iter_mut().zip(&rows.planes).for_each(|(all, next)| all.extend(next));
        spare.extend(rows.planes);
        job.analysis.merge(&mut self.partial, rows.partial)?;
        self.counts.add(&rows.counts);
        self.moments = rows.moments;
        Ok(())
    }
}

/// Planes of nodata for the outputs of an analysis, out of `spare` where it has some.
fn blank(spare: &mut Vec<OutPlane>, job: &Job, cells: usize) -> Vec<OutPlane> {
    let plane = |b: &super::contract::OutBand| match spare.iter().position(|p| p.dtype() == b.dtype) {
        Some(i) => {
            let mut plane = spare.swap_remove(i);
            plane.reset(b.nodata, cells);
            plane
        }
        None => OutPlane::filled(b.dtype, b.nodata, cells),
    };
    job.spec.writes.iter().map(plane).collect()
}

/// The planes of a tile encoded for their sinks.
fn encode(job: &Job, made: &Computed, window: Window) -> Result<Vec<Encoded>> {
    let finished = |p: &usize| Finished { plane: &made.planes[*p], moments: made.moments[*p] };
    let sinks = job.outputs.iter();
    sinks.map(|o| o.sink.encode(window, &o.planes.iter().map(finished).collect::<Vec<_>>())).collect()
}

/// Copies a mask from its own grid onto the cells of a tile.
fn spread(cells: &[u8], area: Window, input: &super::plan::Input, tile: Window, out: &mut Vec<u8>) {
    let k = input.nest.factor as i64;
    out.clear();
    out.reserve(tile.cells());
    for row in tile.row..tile.row_end() {
        let r = ((row - input.nest.row).div_euclid(k) - area.row) as usize * area.cols;
        let at = |col: i64| r + ((col - input.nest.col).div_euclid(k) - area.col) as usize;
        if k == 1 {
            out.extend_from_slice(&cells[at(tile.col)..at(tile.col) + tile.cols]);
        } else {
            out.extend((tile.col..tile.col_end()).map(|col| cells[at(col)]));
        }
    }
}

/// A panic as an error that names the analysis and the tile.
fn died(stage: &str, window: Window, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned());
    Error::bug(format!("{stage}: tile {window}: {text}; please report this"))
}
