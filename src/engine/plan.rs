//! The plan: which tiles, which windows of which sources, how many bytes, how many workers. Plain data before any read.

use std::sync::Arc;

use super::limits::Limits;
use super::pass::{Job, Pass, Read, Written};
use crate::error::{Error, Result};
use crate::grid::tiling::Tiling;
use crate::grid::{Grid, Nest, Window};
use crate::raster::{Dtype, Source};

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
    /// Rows of a tile read at a time; less than the tile where memory does not hold all inputs of one.
    pub rows_read: usize,
    /// Rows of a tile decoded and computed at a time.
    pub rows_computed: usize,
    /// Bytes a worker holds for one chunk while it computes.
    pub chunk_bytes: u64,
    /// Bytes a finished chunk holds until it is written.
    pub waiting_bytes: u64,
    /// Bytes held for the whole pass (sinks, prepared data).
    pub resident_bytes: u64,
    /// Workers; fewer than asked for where memory does not suffice for all.
    pub workers: usize,
    /// Chunks admitted at once, in work or waiting for their turn to be written.
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

/// Largest tile edge; 512 is the usual block edge of the files read and written.
const EDGE: usize = 512;
/// Smallest tile edge: below it the halo and the per-tile cost weigh more than the kernel.
const LEAST_EDGE: usize = 128;
/// Input planes of one tile should stay below this, so that long time series do not need gigabytes a worker.
const PLANES: usize = 64 << 20;
/// Input planes of the rows computed at a time, where an analysis takes rows: they should stay in the processor's cache.
const ROWS: usize = 4 << 20;
/// Fewest rows at a time: below it the cost of each call shows.
const LEAST_ROWS: usize = 8;
/// Finished chunks that may wait for their turn, per worker.
const QUEUE: usize = 4;

/// A distinct source and the bands of it the pass reads.
pub(super) struct Input {
    pub(super) source: Arc<dyn Source>,
    pub(super) nest: Nest,
    pub(super) bands: Vec<usize>,
    /// Pixels of the source its masks need around what is read.
    pub(super) grow: usize,
    /// Bytes of decoded blocks it may keep for other windows.
    pub(super) keep: u64,
}

impl Input {
    /// Pixels of the source under a window of the pass grid.
    pub(super) fn under(&self, window: Window) -> Window {
        let k = self.nest.factor as i64;
        let (c0, r0) = ((window.col - self.nest.col).div_euclid(k), (window.row - self.nest.row).div_euclid(k));
        let c1 = (window.col_end() - self.nest.col + k - 1).div_euclid(k);
        let r1 = (window.row_end() - self.nest.row + k - 1).div_euclid(k);
        Window::new(c0, r0, (c1 - c0) as usize, (r1 - r0) as usize)
    }
    /// What is read for a window of the pass grid, halo included; none outside the raster.
    pub(super) fn read_window(&self, window: Window) -> Option<Window> {
        self.under(window).grow(self.grow).intersect(&self.source.grid().window())
    }
    fn sample_bytes(&self) -> u64 {
        self.bands.iter().map(|b| self.source.bands()[*b].dtype.bytes() as u64).sum()
    }
}

/// Where the pixels of a channel or mask come from: which input, which of its bands.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) input: usize,
    pub(super) band: usize,
}

/// The resolved pass: only what the analyses really read.
pub(super) struct Layout {
    pub(super) plan: Plan,
    pub(super) tiling: Tiling,
    /// Pixels of halo around every tile: the most any analysis needs.
    pub(super) halo: usize,
    pub(super) inputs: Vec<Input>,
    /// Channels that are read, in order of their index in the pass, and where their pixels are.
    pub(super) channels: Vec<(usize, Slot)>,
    /// Planes that later analyses read again.
    pub(super) written: Vec<Written>,
    /// Masks that are used: index in the pass and where its pixels are.
    pub(super) masks: Vec<(usize, Slot)>,
    ceiling: u64,
}

impl Layout {
    pub(super) fn new(pass: &Pass, limits: &Limits) -> Result<Self> {
        if pass.jobs.is_empty() {
            return Err(Error::bug(format!("pass {} has no analysis", pass.name)));
        }
        if pass.grid.cols == 0 || pass.grid.rows == 0 {
            return Err(Error::input(format!("{}: the grid has no pixels", pass.name)));
        }
        let (inputs, channels, masks) = gather(pass)?;
        let edge = edge(pass, &inputs, &channels);
        let tiling = Tiling::new(pass.grid.cols, pass.grid.rows, edge);
        let plan = Plan {
            grid: pass.grid.clone(),
            tile: edge,
            tiles: tiling.count() as u64,
            chunk: 1,
            rows_read: edge,
            rows_computed: rows(pass, &inputs, &channels, edge),
            chunk_bytes: 0,
            waiting_bytes: 0,
            resident_bytes: resident(pass),
            workers: 1,
            in_flight: 1,
            peak_bytes: 0,
            least_bytes: 0,
            bytes_read: 0,
            bytes_written: written(pass) * pass.grid.cols as u64 * pass.grid.rows as u64,
            summary: summary(pass, &inputs, &channels),
        };
        let halo = pass.jobs.iter().map(|j| j.spec.halo).max().unwrap_or(0);
        let written = written_again(pass);
        let mut layout = Self { plan, tiling, halo, inputs, channels, written, masks, ceiling: limits.memory };
        layout.fit(pass, limits)?;
        Ok(layout)
    }

    /// Chooses how many tiles are read together and how many workers memory allows.
    fn fit(&mut self, pass: &Pass, limits: &Limits) -> Result<()> {
        let threads = limits.threads.max(1) as u64;
        // Blocks are decoded again for every part of them that is read, so parts are the last resort.
        let whole = std::mem::replace(&mut self.plan.rows_read, self.plan.rows_computed);
        let (work, waiting) = self.worst(pass, 1);
        self.plan.least_bytes = self.plan.resident_bytes + work + waiting;
        self.plan.rows_read = whole;
        let (mut work, mut waiting) = self.worst(pass, 1);
        while self.plan.resident_bytes + work + waiting > limits.memory && self.splits() {
            self.plan.rows_read = (self.plan.rows_read / 2).max(self.plan.rows_computed);
            (work, waiting) = self.worst(pass, 1);
        }
        if self.plan.least_bytes > limits.memory {
            return Err(Error::limit(format!(
                "{}: memory limit {} is below the {} that one tile of {} x {} needs; use --memory {}",
                pass.name,
                size(limits.memory, false),
                size(self.plan.least_bytes, true),
                self.tiling.edge,
                self.tiling.edge,
                size(self.plan.least_bytes, true).replace(' ', "")
            )));
        }
        let free = limits.memory - self.plan.resident_bytes;
        let workers = |work: u64, waiting: u64| (free / (work + waiting).max(1)).min(threads);
        // Blocks wider than a tile (strips, above all) are decoded once for all tiles they cross, where memory allows it
        // without giving up workers.
        let mut chunk = if self.in_parts() { 1 } else { self.wanted_chunk() };
        let (mut work, mut waiting) = self.worst(pass, chunk);
        while chunk > 1 && workers(work, waiting) < threads.min(self.tiling.count().div_ceil(chunk) as u64) {
            chunk = chunk.div_ceil(2);
            (work, waiting) = self.worst(pass, chunk);
        }
        let chunks = (self.tiling.across().div_ceil(chunk) * self.tiling.down()) as u64;
        let workers = workers(work, waiting).min(chunks);
        let in_flight = ((free - workers * work) / waiting.max(1)).min(workers * QUEUE as u64).min(chunks);
        let plan = &mut self.plan;
        (plan.chunk, plan.chunk_bytes, plan.waiting_bytes) = (chunk, work, waiting);
        (plan.workers, plan.in_flight) = (workers as usize, in_flight as usize);
        plan.peak_bytes = plan.resident_bytes + workers * work + in_flight * waiting;
        self.keep(limits.memory);
        self.plan.bytes_read = (0..self.chunks())
            .map(|i| self.chunk_window(i).grow(self.halo))
            .map(|w| self.inputs.iter().map(|i| i.sample_bytes() * cells(i.read_window(w))).sum::<u64>())
            .sum();
        Ok(())
    }

    /// Gives what memory is left to the sources whose blocks are met by several windows.
    fn keep(&mut self, ceiling: u64) {
        let (edge, width) = (self.plan.rows_read, self.tiling.edge * self.plan.chunk);
        let one_row = self.tiling.down() == 1 && !self.in_parts();
        for input in &mut self.inputs {
            let (k, blocks) = (input.nest.factor, input.source.layout());
            let around = 2 * (self.halo.div_ceil(k) + input.grow);
            let aligned =
                |tile: usize, block: usize| tile / k > 0 && (tile / k).is_multiple_of(block) && tile.is_multiple_of(k);
            let origin = input.nest.col == 0 && input.nest.row == 0;
            let rows = one_row || (origin && aligned(edge, blocks.rows));
            let cols = self.tiling.across() <= self.plan.chunk || (origin && aligned(width, blocks.cols));
            if around == 0 && rows && cols && !input.source.meets_blocks_again() {
                continue;
            }
            let wanted = input.source.kept_bytes(input.bands.len(), edge.div_ceil(k) + around);
            input.keep = wanted.min(ceiling.saturating_sub(self.plan.peak_bytes));
            self.plan.peak_bytes += input.keep;
            self.plan.resident_bytes += input.keep;
        }
    }

    fn wanted_chunk(&self) -> usize {
        let widest = self.inputs.iter().map(|i| i.source.layout().cols.min(i.source.grid().cols) * i.nest.factor).max();
        widest.unwrap_or(1).div_ceil(self.tiling.edge).clamp(1, self.tiling.across())
    }

    /// Place of a channel of the pass among those that are read.
    pub(super) fn slot(&self, channel: usize) -> Option<usize> {
        self.channels.binary_search_by_key(&channel, |(used, _)| *used).ok()
    }

    /// True where tiles are read in parts.
    pub(super) fn in_parts(&self) -> bool {
        self.plan.rows_read < self.tiling.edge
    }

    /// True where a tile can be read in smaller parts than now.
    fn splits(&self) -> bool {
        self.plan.rows_read > self.plan.rows_computed
    }

    /// Number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.tiling.across().div_ceil(self.plan.chunk) * self.tiling.down()
    }

    /// Indices of the tiles of a chunk.
    pub(super) fn tiles_of(&self, chunk: usize) -> std::ops::Range<usize> {
        tiles_of(&self.tiling, self.plan.chunk, chunk)
    }

    /// Window of a chunk, without halo.
    pub(super) fn chunk_window(&self, chunk: usize) -> Window {
        chunk_window(&self.tiling, self.plan.chunk, chunk)
    }

    /// Bytes that are held for the whole pass: sinks, prepared data and the workers' buffers.
    pub(super) fn standing_bytes(&self) -> u64 {
        self.plan.resident_bytes + self.plan.workers as u64 * self.plan.chunk_bytes
    }

    pub(super) fn ceiling(&self) -> u64 {
        self.ceiling
    }

    /// The most bytes any chunk of `k` tiles needs while computed and while it waits to be written.
    fn worst(&self, pass: &Pass, k: usize) -> (u64, u64) {
        let tile = Window::new(0, 0, self.tiling.edge.min(self.tiling.cols), self.tiling.edge.min(self.tiling.rows));
        let rows = self.plan.rows_read;
        let per_tile = self.tile_bytes(pass, tile);
        let waiting = pass.jobs.iter().map(|j| job_waiting(j, tile.cells() as u64)).sum::<u64>() * k as u64;
        let chunks = self.tiling.across().div_ceil(k) * self.tiling.down();
        let reading = (0..chunks)
            .flat_map(|i| parts(chunk_window(&self.tiling, k, i), rows))
            .map(|part| self.reading_bytes(pass, part.grow(self.halo)))
            .max()
            .unwrap_or(0);
        (reading + per_tile, waiting)
    }

    /// Raw samples, their masks, what readers allocate, and evaluated mask bands of one chunk.
    fn reading_bytes(&self, pass: &Pass, window: Window) -> u64 {
        let mut lent = 0;
        let raw = self.inputs.iter().map(|i| {
            let Some(inside) = i.read_window(window) else { return 0 };
            let sample = i.sample_bytes() + i.bands.len() as u64;
            let in_turn = i.source.lent_bytes(inside);
            lent = in_turn.max(lent);
            inside.cells() as u64 * sample + i.source.scratch_bytes(inside).saturating_sub(in_turn)
        });
        let raw = raw.sum::<u64>() + lent;
        let masks = self.masks.iter().map(|(m, slot)| {
            let input = &self.inputs[slot.input];
            let marks = cells(input.read_window(window));
            let steps = if pass.masks[*m].buffer_px > 0 { marks * 8 } else { 0 };
            input.under(window).cells() as u64 + marks + steps
        });
        raw + masks.sum::<u64>()
    }

    /// Planes, masks on the tile, analysis scratch and output planes of one tile.
    fn tile_bytes(&self, pass: &Pass, tile: Window) -> u64 {
        let computed = Window { rows: tile.rows.min(self.plan.rows_computed), ..tile };
        let haloed = computed.grow(self.halo).cells() as u64;
        let plane: u64 = self.channels.iter().map(|(_, s)| plane_bytes(&self.inputs[s.input], s.band)).sum();
        let again: u64 = self.written.iter().map(|w| held_bytes(pass.jobs[w.job].spec.writes[w.plane].dtype)).sum();
        let keep = u64::from(pass.clip.is_some());
        let n = tile.cells() as u64;
        let job = pass.jobs.iter().map(|j| job_bytes(j, n)).max().unwrap_or(0);
        // A band of rows has output planes of its own before they join those of the tile.
        let rows = if computed.rows < tile.rows { computed.cells() as u64 } else { 0 };
        let again = again * if rows > 0 { n } else { haloed };
        haloed * (plane + self.masks.len() as u64 + keep) + again + (n + rows) * written_at_once(pass) + job
    }
}

/// A window cut into parts of `rows` rows.
pub(super) fn parts(window: Window, rows: usize) -> impl Iterator<Item = Window> {
    (0..window.rows).step_by(rows.max(1)).map(move |r| Window {
        row: window.row + r as i64,
        rows: rows.min(window.rows - r),
        ..window
    })
}

fn tiles_of(tiling: &Tiling, k: usize, chunk: usize) -> std::ops::Range<usize> {
    let (across, per_row) = (tiling.across(), tiling.across().div_ceil(k));
    let (row, first) = (chunk / per_row, chunk % per_row * k);
    row * across + first..row * across + (first + k).min(across)
}

fn chunk_window(tiling: &Tiling, k: usize, chunk: usize) -> Window {
    let tiles = tiles_of(tiling, k, chunk);
    let (a, b) = (tiling.window(tiles.start), tiling.window(tiles.end - 1));
    Window::new(a.col, a.row, (b.col_end() - a.col) as usize, a.rows)
}

fn cells(window: Option<Window>) -> u64 {
    window.map_or(0, |w| w.cells() as u64)
}

fn plane_bytes(input: &Input, slot: usize) -> u64 {
    held_bytes(input.source.bands()[input.bands[slot]].dtype)
}

/// Bytes of a cell of an input plane.
fn held_bytes(dtype: Dtype) -> u64 {
    if dtype.fits_f32() { 4 } else { 8 }
}

/// Planes that are written and read in the same pass, each once.
fn written_again(pass: &Pass) -> Vec<Written> {
    let mut found = Vec::new();
    for read in pass.jobs.iter().flat_map(|j| &j.reads) {
        if let Read::Written(w) = read
            && !found.contains(w)
        {
            found.push(*w);
        }
    }
    found
}

/// Bytes a cell of the output planes a worker keeps: of each type as many as the analysis that writes most of it.
fn written_at_once(pass: &Pass) -> u64 {
    let mut most: Vec<(Dtype, u64)> = Vec::new();
    for job in &pass.jobs {
        for band in &job.spec.writes {
            let bytes: u64 =
                job.spec.writes.iter().filter(|b| b.dtype == band.dtype).map(|b| b.dtype.bytes() as u64).sum();
            match most.iter_mut().find(|(dtype, _)| *dtype == band.dtype) {
                Some((_, known)) => *known = bytes.max(*known),
                None => most.push((band.dtype, bytes)),
            }
        }
    }
    most.iter().map(|(_, bytes)| bytes).sum()
}

/// Bytes an analysis needs, besides planes, while it computes a tile of `n` cells and encodes the result.
fn job_bytes(job: &Job, n: u64) -> u64 {
    let sinks: u64 = job.outputs.iter().map(|o| o.sink.scratch_bytes(n as usize)).max().unwrap_or(0);
    n * job.spec.scratch_per_cell as u64 + job.spec.scratch_fixed + sinks
}

/// Bytes the results of a tile hold until they are written: encoded planes with their overview pixels (a third more, and a
/// little where data do not compress), and the partial result.
fn job_waiting(job: &Job, n: u64) -> u64 {
    let sink = |o: &super::Output| {
        let raw = o.planes.iter().map(|p| job.spec.writes[*p].dtype.bytes() as u64).sum::<u64>() * n;
        (raw + raw * 2 / 5 + 4096).max(o.sink.encoded_bytes(n as usize))
    };
    job.outputs.iter().map(sink).sum::<u64>() + job.spec.scratch_fixed
}

fn resident(pass: &Pass) -> u64 {
    let job = |j: &Job| j.analysis.resident_bytes() + j.outputs.iter().map(|o| o.sink.resident_bytes()).sum::<u64>();
    pass.jobs.iter().map(job).sum()
}

fn written(pass: &Pass) -> u64 {
    let outputs = pass.jobs.iter().flat_map(|j| j.outputs.iter().map(move |o| (j, o)));
    outputs.flat_map(|(j, o)| o.planes.iter().map(|p| j.spec.writes[*p].dtype.bytes() as u64)).sum()
}

type Gathered = (Vec<Input>, Vec<(usize, Slot)>, Vec<(usize, Slot)>);

/// Finds the distinct sources and bands behind the channels that are read and the masks these channels use.
fn gather(pass: &Pass) -> Result<Gathered> {
    let mut inputs: Vec<Input> = Vec::new();
    let mut slot = |source: &Arc<dyn Source>, band: usize, grow: usize| -> Result<Slot> {
        let input = match inputs.iter().position(|i| Arc::ptr_eq(&i.source, source)) {
            Some(i) => i,
            None => {
                let nest = pass.grid.nest(source.grid()).map_err(|e| e.context(source.name()))?;
                inputs.push(Input { source: Arc::clone(source), nest, bands: Vec::new(), grow: 0, keep: 0 });
                inputs.len() - 1
            }
        };
        let used = &mut inputs[input];
        used.grow = used.grow.max(grow);
        let at = used.bands.iter().position(|b| *b == band).unwrap_or_else(|| {
            used.bands.push(band);
            used.bands.len() - 1
        });
        Ok(Slot { input, band: at })
    };
    let channel = |r: &Read| if let Read::Channel(c) = r { Some(*c) } else { None };
    let mut read: Vec<usize> = pass.jobs.iter().flat_map(|j| j.reads.iter().filter_map(channel)).collect();
    read.sort_unstable();
    read.dedup();
    let mut masked: Vec<usize> = read.iter().flat_map(|c| pass.channels[*c].masks.iter().copied()).collect();
    masked.sort_unstable();
    masked.dedup();
    let mut channels = Vec::new();
    for c in read {
        channels.push((c, slot(&pass.channels[c].source, pass.channels[c].band, 0)?));
    }
    let mut masks = Vec::new();
    for m in masked {
        let mask = &pass.masks[m];
        masks.push((m, slot(&mask.source, mask.band, mask.reach())?));
    }
    Ok((inputs, channels, masks))
}

/// The tile edge: a function of what is read and written, never of threads or memory, so that partial sums keep every bit.
fn edge(pass: &Pass, inputs: &[Input], channels: &[(usize, Slot)]) -> usize {
    let per_cell: u64 = channels.iter().map(|(_, s)| plane_bytes(&inputs[s.input], s.band)).sum();
    let mut edge = EDGE;
    while !by_rows(pass) && edge > LEAST_EDGE && per_cell as usize * edge * edge > PLANES {
        edge /= 2;
    }
    let outputs = pass.jobs.iter().flat_map(|j| &j.outputs);
    let multiple = outputs.map(|o| o.sink.tile_multiple().max(1)).fold(1, common_multiple);
    edge.next_multiple_of(multiple)
}

/// True where every analysis of channels takes rows; others read what these wrote, when the tile is whole.
fn by_rows(pass: &Pass) -> bool {
    let alone = |j: &Job| j.spec.by_rows && !j.reads.iter().any(|r| matches!(r, Read::Written(_)));
    pass.jobs.iter().all(|j| j.spec.halo == 0 && (alone(j) || j.reads_written_only()))
}

/// Rows computed at a time, a function of what is read like the tile edge.
fn rows(pass: &Pass, inputs: &[Input], channels: &[(usize, Slot)], edge: usize) -> usize {
    if !by_rows(pass) {
        return edge;
    }
    let per_cell: u64 = channels.iter().map(|(_, s)| plane_bytes(&inputs[s.input], s.band)).sum();
    let fit = ROWS / (per_cell as usize * edge).max(1);
    // A power of two divides the usual block edges.
    (fit.max(LEAST_ROWS).next_power_of_two()).min(edge)
}

fn common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

fn summary(pass: &Pass, inputs: &[Input], channels: &[(usize, Slot)]) -> Vec<String> {
    let mut lines: Vec<String> = inputs
        .iter()
        .map(|i| {
            let bands: Vec<String> = i.bands.iter().map(|b| (b + 1).to_string()).collect();
            let l = i.source.layout();
            let coarser = if i.nest.factor > 1 { format!(", {} times coarser", i.nest.factor) } else { String::new() };
            format!("reads {} bands {} (blocks {} x {}{coarser})", i.source.name(), bands.join(" "), l.cols, l.rows)
        })
        .collect();
    let names: Vec<&str> = channels.iter().map(|(c, _)| pass.channels[*c].name.as_str()).collect();
    if !names.is_empty() {
        lines.push(format!("channels {}", names.join(" ")));
    }
    lines.extend(pass.jobs.iter().map(|j| {
        let planes: Vec<&str> = j.spec.writes.iter().map(|b| b.name.as_str()).collect();
        let writes = if planes.is_empty() { String::new() } else { format!(" -> {}", planes.join(" ")) };
        format!("runs {} (halo {}){writes}", j.spec.name, j.spec.halo)
    }));
    lines
}

/// A size in binary units as messages and `--memory` write it; `up` rounds to the next whole mebibyte.
fn size(bytes: u64, up: bool) -> String {
    const MIB: u64 = 1 << 20;
    if up || bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes.div_ceil(MIB))
    } else if bytes >= MIB {
        format!("{:.1} MiB", bytes as f64 / MIB as f64)
    } else {
        format!("{bytes} B")
    }
}
