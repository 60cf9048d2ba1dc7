//! Outlines of the patches of a class raster, traced row by row: exact pixel edges, holes, memory bounded by what is open.
//!
//! Every boundary edge is walked with its patch on the left, so outer rings run counter-clockwise on the map of a north-up
//! raster and holes clockwise. A walk turns around its own pixel wherever two pixels meet at a corner only, and is cut at
//! vertices it visits twice; so each ring is simple and each polygon valid by the rules of Simple Features. A patch that is
//! joined by corners (8-connectivity) becomes several polygons of one outline.

use std::collections::VecDeque;

use super::Polygon;
use super::patches::Connect;
pub use super::rings::Corner;
use super::rings::polygon;
use super::slab::Slab;
use crate::error::{Error, Result};
use crate::grid::{Affine, Window};

/// The outline of one patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Class value.
    pub class: u8,
    /// Pixels of the patch.
    pub cells: u64,
    /// Polygons in pixel corners: outer ring, then holes; rings are closed.
    pub polygons: Vec<Vec<Vec<Corner>>>,
}

impl Outline {
    /// The polygons in map coordinates.
    #[must_use]
    pub fn placed(&self, affine: &Affine) -> Vec<Polygon> {
        let place =
            |ring: &Vec<Corner>| ring.iter().map(|&(c, r)| affine.forward(f64::from(c), f64::from(r))).collect();
        self.polygons.iter().map(|rings| Polygon { rings: rings.iter().map(place).collect() }).collect()
    }
}

/// A stretch of boundary whose ends are still open. Its head and tail hang on slots of the current line.
struct Chain {
    points: VecDeque<Corner>,
    head: usize,
    tail: usize,
}

/// Pixels connected by edges: one outer ring.
struct Part {
    parent: usize,
    patch: usize,
    row: usize,
    rings: Vec<Vec<Corner>>,
}

/// What becomes one outline: one part, or with 8-connectivity parts that meet at corners.
struct Patch {
    parent: usize,
    class: u8,
    cells: u64,
    open: usize,
    polygons: Vec<Vec<Vec<Corner>>>,
}

/// A run of equal classes in a row, and its part.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    class: u8,
    part: usize,
}

const NONE: usize = usize::MAX;

/// Traces the patches of a class raster delivered tile by tile in tile order.
pub struct Tracer {
    cols: usize,
    rows: usize,
    traced: [bool; 256],
    connect: Connect,
    least: u64,
    /// Rows of the strip of tiles that is being filled, and how much of it is.
    strip: Vec<u8>,
    filled: usize,
    row: usize,
    above: Vec<Option<u8>>,
    runs: Vec<Run>,
    parts: Slab<Part>,
    patches: Slab<Patch>,
    chains: Slab<Chain>,
    /// Chain whose tail (its right pixel's) or head (its left pixel's) hangs on each vertical edge, then on the horizontal
    /// edge left of the vertex in work, then on the edges below and right of it.
    tails: Vec<usize>,
    heads: Vec<usize>,
    done: Vec<Outline>,
    corners: u64,
}

impl Tracer {
    /// A tracer for a raster of `cols` × `rows`. `classes` are the values to trace; patches of fewer than `least` pixels
    /// are dropped.
    ///
    /// # Errors
    /// Limit error where corners do not fit 32 bits.
    pub fn new(cols: usize, rows: usize, classes: &[u8], connect: Connect, least: u64) -> Result<Self> {
        if cols.max(rows) >= u32::MAX as usize {
            return Err(Error::limit(format!("tracing outlines: {cols} x {rows} pixels are too many along one side")));
        }
        let mut traced = [false; 256];
        classes.iter().for_each(|c| traced[usize::from(*c)] = true);
        Ok(Self {
            cols,
            rows,
            traced,
            connect,
            least,
            strip: Vec::new(),
            filled: 0,
            row: 0,
            above: vec![None; cols],
            runs: Vec::new(),
            parts: Slab::default(),
            patches: Slab::default(),
            chains: Slab::default(),
            tails: vec![NONE; cols + 4],
            heads: vec![NONE; cols + 4],
            done: Vec::new(),
            corners: 0,
        })
    }

    /// Bytes held for a raster of `cols` columns in tiles of `edge` rows, besides open outlines.
    #[must_use]
    pub fn standing_bytes(cols: usize, edge: usize) -> u64 {
        cols as u64 * (edge as u64 + 2 + 2 * size_of::<usize>() as u64)
    }

    /// Corners kept so far, of open and of complete outlines.
    #[must_use]
    pub fn corners(&self) -> u64 {
        self.corners
    }

    /// Rows traced so far.
    #[must_use]
    pub fn traced_rows(&self) -> usize {
        self.row
    }

    /// Takes the classes of the next tile, in tile order, and returns the outlines that are complete.
    ///
    /// # Errors
    /// A bug where tiles come in another order.
    pub fn tile(&mut self, window: Window, classes: &[u8]) -> Result<Vec<Outline>> {
        let expected = (self.filled as i64, self.row as i64);
        if (window.col, window.row) != expected
            || classes.len() != window.cells()
            || window.cols + self.filled > self.cols
        {
            return Err(Error::bug(format!(
                "outlines: tile {window} out of order (next: column {}, row {})",
                expected.0, expected.1
            )));
        }
        if self.filled == 0 {
            self.strip.resize(self.cols * window.rows, 0);
        }
        if self.strip.len() != self.cols * window.rows {
            return Err(Error::bug(format!("outlines: tile {window} has another height than its row of tiles")));
        }
        for (r, row) in classes.chunks(window.cols).enumerate() {
            let at = r * self.cols + self.filled;
            self.strip[at..at + window.cols].copy_from_slice(row);
        }
        self.filled += window.cols;
        if self.filled == self.cols {
            let strip = std::mem::take(&mut self.strip);
            let mut row = vec![None; self.cols];
            for values in strip.chunks(self.cols) {
                row.iter_mut().zip(values).for_each(|(d, v)| *d = self.traced[usize::from(*v)].then_some(*v));
                self.next_row(&mut row)?;
                self.row += 1;
            }
            self.strip = strip;
            self.filled = 0;
        }
        Ok(std::mem::take(&mut self.done))
    }

    /// Closes what is open below the last row.
    ///
    /// # Errors
    /// A bug where tiles are missing.
    pub fn finish(mut self) -> Result<Vec<Outline>> {
        if self.row != self.rows {
            return Err(Error::bug(format!("outlines: {} of {} rows came", self.row, self.rows)));
        }
        self.next_row(&mut vec![None; self.cols])?;
        Ok(self.done)
    }

    /// Processes the line between the row before and `row`; `row` receives the old row as buffer.
    fn next_row(&mut self, row: &mut Vec<Option<u8>>) -> Result<()> {
        let before = std::mem::take(&mut self.runs);
        let mut runs = self.label(row, &before);
        self.walk(row, &before, &runs)?;
        self.close(&before, &mut runs)?;
        self.runs = runs;
        std::mem::swap(&mut self.above, row);
        Ok(())
    }

    /// Finds the runs of a row and joins them with the parts and patches above.
    fn label(&mut self, row: &[Option<u8>], before: &[Run]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut above, mut start) = (0, 0);
        while start < row.len() {
            let end = start + row[start..].iter().take_while(|v| **v == row[start]).count();
            if let Some(class) = row[start] {
                while before.get(above).is_some_and(|b| b.end < start) {
                    above += 1;
                }
                let near = before[above..].iter().take_while(|b| b.start <= end).filter(|b| b.class == class);
                let part = self.join_above(near, start..end, class);
                runs.push(Run { start, end, part, class });
            }
            start = end;
        }
        runs
    }

    /// The part of a run, joined with those of the runs above that share an edge or, where asked for, a corner.
    fn join_above<'r>(
        &mut self,
        near: impl Iterator<Item = &'r Run> + Clone,
        run: std::ops::Range<usize>,
        class: u8,
    ) -> usize {
        let shares_edge = |b: &&Run| b.start < run.end && run.start < b.end;
        let mut known = None;
        for b in near.clone().filter(shares_edge) {
            match known {
                None => known = Some(self.part(b.part)),
                Some(part) => self.join_parts(b.part, part),
            }
        }
        let part = known.map(|p| self.part(p)).unwrap_or_else(|| {
            let patch = self.patches.put(Patch { parent: NONE, class, cells: 0, open: 1, polygons: Vec::new() });
            self.parts.put(Part { parent: NONE, patch, row: self.row, rings: Vec::new() })
        });
        self.parts[part].row = self.row;
        if self.connect == Connect::Eight {
            for b in near.filter(|b| !shares_edge(b)) {
                let (p, q) = (self.patch_of(b.part), self.patch_of(part));
                self.join_patches(p, q);
            }
        }
        let patch = self.patch_of(part);
        self.patches[patch].cells += run.len() as u64;
        part
    }

    fn part(&mut self, mut id: usize) -> usize {
        while self.parts[id].parent != NONE {
            let up = self.parts[id].parent;
            if self.parts[up].parent != NONE {
                self.parts[id].parent = self.parts[up].parent;
            }
            id = up;
        }
        id
    }

    fn patch_of(&mut self, part: usize) -> usize {
        let root = self.part(part);
        let mut id = self.parts[root].patch;
        while self.patches[id].parent != NONE {
            id = self.patches[id].parent;
        }
        self.parts[root].patch = id;
        id
    }

    fn join_parts(&mut self, a: usize, b: usize) {
        let (a, b) = (self.part(a), self.part(b));
        if a == b {
            return;
        }
        let (p, q) = (self.patch_of(a), self.patch_of(b));
        self.join_patches(p, q);
        let patch = self.patch_of(a);
        self.patches[patch].open -= 1;
        let (keep, gone) = if self.parts[a].rings.len() >= self.parts[b].rings.len() { (a, b) } else { (b, a) };
        let rings = std::mem::take(&mut self.parts[gone].rings);
        self.parts[gone].parent = keep;
        self.parts[keep].rings.extend(rings);
        self.parts.retire(gone);
    }

    fn join_patches(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let more = |p: &Patch| p.polygons.len();
        let (keep, gone) = if more(&self.patches[a]) >= more(&self.patches[b]) { (a, b) } else { (b, a) };
        let polygons = std::mem::take(&mut self.patches[gone].polygons);
        let (cells, open) = (self.patches[gone].cells, self.patches[gone].open);
        self.patches[gone].parent = keep;
        let kept = &mut self.patches[keep];
        kept.polygons.extend(polygons);
        kept.cells += cells;
        kept.open += open;
        self.patches.retire(gone);
    }

    /// Extends the chains over the line above row `self.row`, vertex by vertex, and hands closed rings to their parts.
    fn walk(&mut self, row: &[Option<u8>], before: &[Run], runs: &[Run]) -> Result<()> {
        let (left, below, right) = (self.cols + 1, self.cols + 2, self.cols + 3);
        for x in 0..=self.cols {
            let at = |line: &[Option<u8>], i: usize| line.get(i).copied().flatten();
            // The pixels around the vertex: a b above, c d below. `wrapping_sub` makes the column before the first none.
            let (a, b) = (at(&self.above, x.wrapping_sub(1)), at(&self.above, x));
            let (c, d) = (at(row, x.wrapping_sub(1)), at(row, x));
            if a == b && c == d && a == c {
                continue;
            }
            let edge = [a != b, a != c, c != d, b != d];
            let (slots, new) = ([x, left, below, right], [false, false, true, true]);
            // Edges counter-clockwise from up: up, left, down, right; a walk leaving along an edge has this pixel on its left.
            for (out, inner) in [a, c, d, b].into_iter().enumerate() {
                if !edge[out] || inner.is_none() {
                    continue;
                }
                // It came in by the next boundary counter-clockwise: everything between belongs to the same part.
                let Some(turn) = (1..4).find(|i| edge[(out + i) % 4]) else {
                    return Err(Error::bug("outlines: a boundary ends inside the raster"));
                };
                let from = (out + turn) % 4;
                let corner = (turn != 2).then_some((x as u32, self.row as u32));
                self.corners += u64::from(corner.is_some());
                let ring = self.link((slots[from], new[from]), (slots[out], new[out]), corner);
                if let Some(ring) = ring {
                    // Only a walk that leaves up or left can close: pixel a above, or c below.
                    let runs = if out == 0 { before } else { runs };
                    let i = runs.partition_point(|r| r.end < x);
                    let Some(run) = runs.get(i) else { return Err(Error::bug("outlines: a ring around no run")) };
                    let part = self.part(run.part);
                    self.parts[part].rings.push(ring);
                }
            }
            self.hang(below, x);
            self.hang(right, left);
        }
        Ok(())
    }

    /// Joins the walk that arrives at one slot with the walk that leaves from another; returns the ring this closes. A slot
    /// is new where its edge was not walked yet.
    fn link(&mut self, from: (usize, bool), to: (usize, bool), corner: Option<Corner>) -> Option<Vec<Corner>> {
        match (from.1, to.1) {
            (true, true) => {
                let id = self.chains.put(Chain { points: corner.into_iter().collect(), head: from.0, tail: to.0 });
                (self.heads[from.0], self.tails[to.0]) = (id, id);
            }
            (false, true) => {
                let id = std::mem::replace(&mut self.tails[from.0], NONE);
                self.chains[id].points.extend(corner);
                self.chains[id].tail = to.0;
                self.tails[to.0] = id;
            }
            (true, false) => {
                let id = std::mem::replace(&mut self.heads[to.0], NONE);
                if let Some(corner) = corner {
                    self.chains[id].points.push_front(corner);
                }
                self.chains[id].head = from.0;
                self.heads[from.0] = id;
            }
            (false, false) => {
                let first = std::mem::replace(&mut self.tails[from.0], NONE);
                let second = std::mem::replace(&mut self.heads[to.0], NONE);
                self.chains[first].points.extend(corner);
                if first == second {
                    self.chains.retire(first);
                    return Some(std::mem::take(&mut self.chains[first].points).into());
                }
                self.concatenate(first, second);
            }
        }
        None
    }

    /// Appends chain `second` to `first`; the shorter is copied, so that long boundaries cost n log n.
    fn concatenate(&mut self, first: usize, second: usize) {
        let (head, tail) = (self.chains[first].head, self.chains[second].tail);
        let mut front = std::mem::take(&mut self.chains[first].points);
        let mut back = std::mem::take(&mut self.chains[second].points);
        let (keep, gone, points) = if front.len() >= back.len() {
            front.append(&mut back);
            (first, second, front)
        } else {
            while let Some(p) = front.pop_back() {
                back.push_front(p);
            }
            (second, first, back)
        };
        self.chains[keep] = Chain { points, head, tail };
        self.chains.retire(gone);
        (self.heads[head], self.tails[tail]) = (keep, keep);
    }

    /// Moves the ends on slot `from` to slot `to`.
    fn hang(&mut self, from: usize, to: usize) {
        let (tail, head) = (self.tails[from], self.heads[from]);
        if tail != NONE {
            self.chains[tail].tail = to;
        }
        if head != NONE {
            self.chains[head].head = to;
        }
        (self.tails[to], self.heads[to]) = (tail, head);
        (self.tails[from], self.heads[from]) = (NONE, NONE);
    }

    /// Turns parts that do not reach the new row into polygons, and patches without open parts into outlines.
    fn close(&mut self, before: &[Run], runs: &mut [Run]) -> Result<()> {
        for run in before {
            let part = self.part(run.part);
            if self.parts[part].row == self.row || self.parts[part].row == NONE {
                continue;
            }
            self.parts[part].row = NONE;
            let patch = self.patch_of(part);
            let rings = std::mem::take(&mut self.parts[part].rings);
            self.parts.retire(part);
            let found = &mut self.patches[patch];
            found.polygons.push(polygon(rings)?);
            found.open -= 1;
            if found.open == 0 {
                let outline =
                    Outline { class: found.class, cells: found.cells, polygons: std::mem::take(&mut found.polygons) };
                self.patches.retire(patch);
                if outline.cells >= self.least {
                    self.done.push(outline);
                } else {
                    // Every ring ends with its first corner again.
                    self.corners -= outline.polygons.iter().flatten().map(|r| r.len() as u64 - 1).sum::<u64>();
                }
            }
        }
        for run in runs {
            run.part = self.part(run.part);
            self.patch_of(run.part);
        }
        self.parts.sweep();
        self.patches.sweep();
        self.chains.sweep();
        Ok(())
    }
}
