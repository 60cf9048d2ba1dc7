//! The floor: every worker takes the next chunk while its bytes fit, and whoever finds the next chunk in order finished
//! commits it, merging partial results in tile order. No thread waits while there is work for it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::erased::AnyPartial;
use super::ledger::Ledger;
use super::limits::{Cancel, Progress};
use super::outcome::{ChannelCounts, Counts, Outcome};
use super::pass::Pass;
use super::plan::Layout;
use super::work::{ChunkDone, Shop, TileDone};
use crate::error::{Error, Kind, Result};
use crate::numeric::Moments;

/// Runs a planned pass on its own pool; the calling thread waits.
pub(super) fn run(pass: Pass, layout: &Layout, progress: &dyn Progress, cancel: &Cancel) -> Result<Outcome> {
    let workers = layout.plan.workers;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|i| format!("regrow-{i}"))
        .build()
        .map_err(|e| Error::limit(format!("starting {workers} threads: {e}; use --threads with fewer")))?;
    progress.start(&pass.name, layout.plan.tiles);
    let crew = Crew {
        shop: Shop::new(&pass, layout, cancel),
        layout,
        floor: Mutex::new(Floor::new(layout)),
        change: Condvar::new(),
        merge: Mutex::new(Merge::new(&pass, layout, progress)),
    };
    layout.inputs.iter().filter(|i| i.keep > 0).for_each(|i| i.source.keep_blocks(i.keep));
    pool.broadcast(|_| crew.work());
    layout.inputs.iter().filter(|i| i.keep > 0).for_each(|i| i.source.keep_blocks(0));
    let Crew { floor, merge, .. } = crew;
    let floor = floor.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Merge { partials, mut outcome, .. } = merge.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.peak_bytes = floor.ledger.peak();
    outcome.partials = partials.into_iter().map(Some).collect();
    progress.end();
    floor.result(layout.chunks())?;
    cancel.check()?;
    for output in pass.jobs.into_iter().flat_map(|j| j.outputs) {
        output.sink.finish()?;
    }
    Ok(outcome)
}

/// What the workers of a pass share.
struct Crew<'a> {
    shop: Shop<'a>,
    layout: &'a Layout,
    floor: Mutex<Floor>,
    /// Told whenever the floor changes.
    change: Condvar,
    /// Locked only by the one worker that commits.
    merge: Mutex<Merge<'a>>,
}

/// Which chunks are where. Held for moments only.
struct Floor {
    admitted: usize,
    committed: usize,
    /// Chunks being worked on.
    flying: usize,
    committing: bool,
    ready: BTreeMap<usize, ChunkDone>,
    failure: Option<(usize, Error)>,
    ledger: Ledger,
}

impl Crew<'_> {
    /// Commits and computes until nothing is left to do.
    fn work(&self) {
        let mut floor = self.floor();
        loop {
            if let Some(chunk) = floor.next_to_commit() {
                floor.committing = true;
                drop(floor);
                let (index, bytes) = (chunk.chunk, chunk.bytes);
                let result = catch_unwind(AssertUnwindSafe(|| self.merge(chunk)));
                floor = self.floor();
                floor.committing = false;
                match result {
                    Ok(Ok(())) => {
                        floor.committed += 1;
                        floor.ledger.release(bytes);
                    }
                    Ok(Err(e)) => first(&mut floor.failure, index, &e),
                    Err(_) => {
                        let e = Error::bug(format!("panic while writing chunk {index}; please report this"));
                        first(&mut floor.failure, index, &e);
                    }
                }
                self.change.notify_all();
            } else if let Some(index) = floor.next_to_compute(self.layout) {
                drop(floor);
                let chunk = self.shop.work(index);
                floor = self.floor();
                floor.flying -= 1;
                // What was reserved shrinks to what is held; a sink that made more than planned is counted all the same.
                floor.ledger.release(self.layout.plan.waiting_bytes);
                floor.ledger.take(chunk.bytes);
                if let Err(e) = &chunk.tiles {
                    first(&mut floor.failure, index, e);
                }
                floor.ready.insert(index, chunk);
                self.change.notify_all();
            } else if floor.flying == 0 && !floor.committing {
                return;
            } else {
                floor = self.change.wait(floor).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        // Nothing that can panic runs under this lock.
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge(&self, chunk: ChunkDone) -> Result<()> {
        self.merge.lock().map_err(|_| Error::bug("writing failed before"))?.chunk(chunk)
    }
}

impl Floor {
    fn new(layout: &Layout) -> Self {
        let mut ledger = Ledger::new(layout.ceiling());
        ledger.take(layout.standing_bytes());
        let ready = BTreeMap::new();
        Self { admitted: 0, committed: 0, flying: 0, committing: false, ready, failure: None, ledger }
    }

    /// The next chunk in order, where it is finished and nobody commits; none from the first failed one on.
    fn next_to_commit(&mut self) -> Option<ChunkDone> {
        if self.committing || self.failure.as_ref().is_some_and(|(c, _)| self.committed >= *c) {
            return None;
        }
        self.ready.remove(&self.committed)
    }

    /// The next chunk to compute, where it fits; its bytes are taken.
    fn next_to_compute(&mut self, layout: &Layout) -> Option<usize> {
        let waiting = layout.plan.waiting_bytes;
        let open = self.failure.is_none() && self.admitted < layout.chunks();
        if !open || self.admitted - self.committed >= layout.plan.in_flight || !self.ledger.fits(waiting) {
            return None;
        }
        self.ledger.take(waiting);
        self.flying += 1;
        self.admitted += 1;
        Some(self.admitted - 1)
    }

    /// The first error in tile order.
    fn result(self, chunks: usize) -> Result<()> {
        match self.failure {
            Some((_, e)) => Err(e),
            None if self.committed < chunks => Err(Error::bug("a chunk does not fit the memory it was planned for")),
            None => Ok(()),
        }
    }
}

/// Keeps the error of the lowest chunk; a stop by signal goes before all others.
fn first(failure: &mut Option<(usize, Error)>, chunk: usize, error: &Error) {
    let signal = |e: &Error| matches!(e.kind(), Kind::Signal(_));
    let replace = match failure {
        None => true,
        Some((_, known)) if signal(known) => false,
        Some((at, _)) => signal(error) || chunk < *at,
    };
    if replace {
        *failure = Some((chunk, error.clone()));
    }
}

/// Commits tiles and folds their partial results, in tile order.
struct Merge<'a> {
    pass: &'a Pass,
    progress: &'a dyn Progress,
    partials: Vec<AnyPartial>,
    outcome: Outcome,
    tiles: u64,
}

impl<'a> Merge<'a> {
    fn new(pass: &'a Pass, layout: &Layout, progress: &'a dyn Progress) -> Self {
        let named = |(c, _): &(usize, _)| ChannelCounts { name: pass.channels[*c].name.clone(), ..Default::default() };
        let outcome = Outcome {
            counts: vec![Counts::default(); pass.jobs.len()],
            moments: pass.jobs.iter().map(|j| vec![Moments::default(); j.spec.writes.len()]).collect(),
            channels: layout.channels.iter().map(named).collect(),
            ..Outcome::default()
        };
        let partials = pass.jobs.iter().map(|j| j.analysis.empty()).collect();
        Self { pass, progress, partials, outcome, tiles: 0 }
    }

    fn chunk(&mut self, chunk: ChunkDone) -> Result<()> {
        for tile in chunk.tiles? {
            self.tile(tile)?;
        }
        self.outcome.reads += chunk.reads;
        Ok(())
    }

    fn tile(&mut self, tile: TileDone) -> Result<()> {
        for ((i, job), done) in self.pass.jobs.iter().enumerate().zip(tile.jobs) {
            for (output, encoded) in job.outputs.iter().zip(done.encoded) {
                output.sink.commit(tile.window, encoded)?;
            }
            job.analysis.merge(&mut self.partials[i], done.partial)?;
            self.outcome.counts[i].add(&done.counts);
            self.outcome.moments[i].iter_mut().zip(&done.moments).for_each(|(all, one)| all.merge(one));
        }
        self.outcome.channels.iter_mut().zip(&tile.channels).for_each(|(all, one)| all.add(one));
        self.tiles += 1;
        self.progress.advance(self.tiles);
        Ok(())
    }
}
