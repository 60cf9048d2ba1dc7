//! The dispatcher: admits chunks in order while their bytes fit, commits finished tiles in order, merges partial results.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};

use super::erased::AnyPartial;
use super::ledger::Ledger;
use super::limits::{Cancel, Progress};
use super::outcome::{ChannelCounts, Counts, Outcome};
use super::pass::Pass;
use super::plan::Layout;
use super::work::{ChunkDone, Shop, TileDone};
use crate::error::{Error, Kind, Result};

/// Runs a planned pass on its own pool. The calling thread dispatches and commits; only it ever waits.
pub(super) fn run(pass: Pass, layout: &Layout, progress: &dyn Progress, cancel: &Cancel) -> Result<Outcome> {
    let workers = layout.plan.workers;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|i| format!("regrow-{i}"))
        .build()
        .map_err(|e| Error::limit(format!("starting {workers} threads: {e}; use --threads with fewer")))?;
    progress.start(&pass.name, layout.plan.tiles);
    let shop = Shop::new(&pass, layout, cancel);
    let mut merge = Merge::new(&pass, layout, progress);
    let result = pool.in_place_scope(|scope| {
        let (send, receive) = channel();
        dispatch(layout, &mut merge, &receive, |chunk| {
            let (send, shop) = (send.clone(), &shop);
            // The receiver only goes away once nothing is in flight.
            scope.spawn(move |_| drop(send.send(shop.work(chunk))));
        })
    });
    drop(shop);
    let mut outcome = merge.outcome;
    outcome.peak_bytes = merge.ledger.peak();
    outcome.partials = merge.partials.into_iter().map(Some).collect();
    progress.end();
    result?;
    cancel.check()?;
    for output in pass.jobs.into_iter().flat_map(|j| j.outputs) {
        output.sink.finish()?;
    }
    Ok(outcome)
}

/// Keeps workers busy until every chunk is committed or one has failed. The first error in tile order is returned, after
/// all chunks in flight have come back.
fn dispatch(layout: &Layout, merge: &mut Merge<'_>, done: &Receiver<ChunkDone>, spawn: impl Fn(usize)) -> Result<()> {
    let (chunks, waiting_bytes) = (layout.chunks(), layout.plan.waiting_bytes);
    let (mut admitted, mut committed, mut flying) = (0, 0, 0);
    let mut ready: BTreeMap<usize, ChunkDone> = BTreeMap::new();
    let mut failure: Option<(usize, Error)> = None;
    while committed < chunks {
        while failure.is_none()
            && admitted < chunks
            && admitted - committed < layout.plan.in_flight
            && merge.ledger.fits(waiting_bytes)
        {
            merge.ledger.take(waiting_bytes);
            spawn(admitted);
            admitted += 1;
            flying += 1;
        }
        if flying == 0 {
            break;
        }
        let Ok(chunk) = done.recv() else { return Err(Error::bug("all workers went away")) };
        flying -= 1;
        // What was reserved shrinks to what is held; a sink that made more than planned is counted all the same.
        merge.ledger.release(waiting_bytes);
        merge.ledger.take(chunk.bytes);
        if let Err(e) = &chunk.tiles {
            first(&mut failure, chunk.chunk, e);
        }
        ready.insert(chunk.chunk, chunk);
        while failure.as_ref().is_none_or(|(c, _)| committed < *c) {
            let Some(chunk) = ready.remove(&committed) else { break };
            let index = chunk.chunk;
            match catch_unwind(AssertUnwindSafe(|| merge.chunk(chunk))) {
                Ok(Ok(())) => committed += 1,
                Ok(Err(e)) => first(&mut failure, index, &e),
                Err(_) => first(&mut failure, index, &Error::bug(format!("panic while writing chunk {index}"))),
            }
        }
    }
    match failure {
        Some((_, e)) => Err(e),
        None if committed < chunks => Err(Error::bug("a chunk does not fit the memory it was planned for")),
        None => Ok(()),
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
    ledger: Ledger,
    partials: Vec<AnyPartial>,
    outcome: Outcome,
    tiles: u64,
}

impl<'a> Merge<'a> {
    fn new(pass: &'a Pass, layout: &Layout, progress: &'a dyn Progress) -> Self {
        let mut ledger = Ledger::new(layout.ceiling());
        ledger.take(layout.standing_bytes());
        let named = |(c, _): &(usize, _)| ChannelCounts { name: pass.channels[*c].name.clone(), ..Default::default() };
        let outcome = Outcome {
            counts: vec![Counts::default(); pass.jobs.len()],
            channels: layout.channels.iter().map(named).collect(),
            ..Outcome::default()
        };
        let partials = pass.jobs.iter().map(|j| j.analysis.empty()).collect();
        Self { pass, progress, ledger, partials, outcome, tiles: 0 }
    }

    fn chunk(&mut self, chunk: ChunkDone) -> Result<()> {
        for tile in chunk.tiles? {
            self.tile(tile)?;
        }
        self.outcome.reads += chunk.reads;
        self.ledger.release(chunk.bytes);
        Ok(())
    }

    fn tile(&mut self, tile: TileDone) -> Result<()> {
        for ((i, job), done) in self.pass.jobs.iter().enumerate().zip(tile.jobs) {
            for (output, encoded) in job.outputs.iter().zip(done.encoded) {
                output.sink.commit(tile.window, encoded)?;
            }
            job.analysis.merge(&mut self.partials[i], done.partial)?;
            self.outcome.counts[i].add(&done.counts);
        }
        self.outcome.channels.iter_mut().zip(&tile.channels).for_each(|(all, one)| all.add(one));
        self.tiles += 1;
        self.progress.advance(self.tiles);
        Ok(())
    }
}
