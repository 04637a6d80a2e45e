//! A thread that runs one run after another on a pool that it keeps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use phalanx_ledger::{Durability, LedgerError, SledStore};
use phalanx_sim::{Curves, Pool, Simulation, TickCounts, TickRecord, scenario};
use serde::Serialize;
use tracing::warn;

use super::checkpoint::{self, Checkpoint};
use super::failure::describe_panic;
use super::journal::Journal;
use crate::campaign::Campaign;
use crate::chain::{Chain, Continued};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::plan::PlannedRun;
use crate::record::{RunRecord, Status};
use crate::run::{Ended, Job, Passed, text_of};
use crate::series::Rows;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) campaign: Arc<Campaign>,
    pub(super) folder: std::path::PathBuf,
    pub(super) journal: Mutex<Journal>,
    pub(super) threads: usize,
    pub(super) timeout: Option<Duration>,
    /// Ticks between two checkpoints of a run.
    pub(super) checkpoint_every: Option<u64>,
    /// Ticks passed, of all runs.
    pub(super) ticks: AtomicU64,
    /// Work done, in [`crate::campaign::Outline::work`].
    pub(super) work: AtomicU64,
}

/// A run to do.
pub(super) struct Task {
    pub(super) run: PlannedRun,
    /// Its world, if it was built already, and when that began.
    pub(super) built: Option<(Simulation, Instant)>,
}

/// A run that was done.
pub(super) struct Report {
    pub(super) worker: u64,
    pub(super) record: RunRecord,
    pub(super) rows: Option<Rows>,
    pub(super) curves: Option<Box<Curves>>,
    pub(super) error: Option<String>,
    /// The tool failed, not the run.
    pub(super) fatal: Option<RunnerError>,
}

/// A line of `events.jsonl`.
#[derive(Serialize)]
struct TickEvent {
    event: &'static str,
    run: u32,
    tick: u64,
    fingerprint: String,
    counts: TickCounts,
}

/// Does tasks until there are no more.
pub(super) fn work(id: u64, shared: &Shared, tasks: &Receiver<Task>, reports: &Sender<Report>) {
    let pool = match shared.threads {
        1 => Pool::of_this_thread().or_else(|_| Pool::new(1)),
        threads => Pool::new(threads),
    };
    while let Ok(Task { run, built }) = tasks.recv() {
        let start = built.as_ref().map_or_else(Instant::now, |(_, start)| *start);
        let seed = shared.campaign.seed(&run);
        let mut report = match &pool {
            Ok(pool) => one(shared, &run, seed, built, pool, start),
            Err(error) => Report::fatal(
                shared,
                &run,
                seed,
                RunnerError::Simulation(Box::new(phalanx_sim::SimError::Threads(error.to_string()))),
            ),
        };
        report.worker = id;
        if reports.send(report).is_err() {
            return;
        }
    }
}

impl Report {
    fn new(record: RunRecord) -> Self {
        Self { worker: 0, record, rows: None, curves: None, error: None, fatal: None }
    }

    fn fatal(shared: &Shared, run: &PlannedRun, seed: u64, error: RunnerError) -> Self {
        Self { fatal: Some(error), ..Self::new(blank(shared, run, seed, Status::Failed)) }
    }
}

/// The record of a run whose job cannot be had.
pub(super) fn blank(shared: &Shared, run: &PlannedRun, seed: u64, status: Status) -> RunRecord {
    let outline = shared.campaign.outline(run.configuration);
    RunRecord {
        agents: outline.agents,
        ticks: outline.ticks,
        params: serde_json::from_str(&outline.params).expect("parameters were written as JSON"),
        ..RunRecord::blank(&shared.campaign.loaded().name, run, seed, status)
    }
}

fn one(
    shared: &Shared,
    run: &PlannedRun,
    seed: u64,
    built: Option<(Simulation, Instant)>,
    pool: &Pool,
    start: Instant,
) -> Report {
    let failed = |error: RunnerError| {
        if error.exit() == Exit::Tool || matches!(error, RunnerError::Checkpoint { .. }) {
            return Report::fatal(shared, run, seed, error);
        }
        let record = blank(shared, run, seed, Status::Failed);
        Report { error: Some(error.to_string()), ..Report::new(record) }
    };
    let job = match shared.campaign.job(run.configuration) {
        Ok(job) => job,
        Err(error) => return failed(error),
    };
    let mut rows = Rows::new(&shared.folder);
    let build = || match built {
        Some((mut simulation, _)) => {
            simulation.move_to(pool);
            Ok(simulation)
        }
        None => job.build(seed, pool),
    };
    // A panic while the world is built is the run's, like one in a tick.
    let ended = match catch_unwind(AssertUnwindSafe(build)) {
        Ok(Ok(simulation)) => drive(shared, &job, run, seed, simulation, pool, start, &mut rows),
        Ok(Err(error)) => Err(error),
        Err(panic) => Ok(Ended::Panicked(text_of(&*panic))),
    };
    match ended {
        Ok(ended) => {
            let error = match &ended {
                Ended::Panicked(text) => Some(describe_panic(text)),
                Ended::Aborted(text) => Some(text.clone()),
                Ended::TimedOut => Some(format!(
                    "more than {:?} had passed when a tick ended",
                    shared.timeout.unwrap_or_default()
                )),
                Ended::Finished(_) | Ended::Interrupted => None,
            };
            let curves = match &ended {
                Ended::Finished(finished) => Some(Box::new(finished.curves().clone())),
                _ => None,
            };
            let record = job.record(run, seed, ended, start, shared.threads);
            let rows = (record.status == Status::Ok).then_some(rows);
            Report { rows, curves, error, ..Report::new(record) }
        }
        Err(error) => failed(error),
    }
}

#[expect(clippy::too_many_arguments, reason = "what a run is, what it runs on, what it leaves")]
fn drive(
    shared: &Shared,
    job: &Job,
    run: &PlannedRun,
    seed: u64,
    simulation: Simulation,
    pool: &Pool,
    start: Instant,
    rows: &mut Rows,
) -> Result<Ended, RunnerError> {
    let (simulation, chain) = begin(shared, job, run, seed, simulation, pool, rows)?;
    let kept = shared.campaign.kept();
    let outline = shared.campaign.outline(run.configuration);
    let work_a_tick = (outline.work / f64::from(outline.ticks)) as u64;
    let passed = simulation.tick().0;
    shared.ticks.fetch_add(passed, Ordering::Relaxed);
    shared.work.fetch_add(passed * work_a_tick, Ordering::Relaxed);
    let timeout = shared.timeout.map(|limit| (start, limit));
    let keep = |simulation: &mut Simulation, chain: &mut Chain, rows: &mut Rows| {
        Checkpoint::take(run.run_id, simulation, chain, rows.packed()?)?.write(&shared.folder)
    };
    job.drive_on(simulation, chain, timeout, |passed| match passed {
        Passed::Tick(tick) => {
            #[cfg(test)]
            super::tests::trip(&shared.folder, run.run_id, tick.tick.0);
            if kept.series {
                rows.push(run.run_id, tick)?;
            }
            if kept.events {
                shared.journal.lock().expect("no panic while it is held").event(&event(run, tick))?;
            }
            shared.ticks.fetch_add(1, Ordering::Relaxed);
            shared.work.fetch_add(work_a_tick, Ordering::Relaxed);
            Ok(())
        }
        Passed::Between(simulation, chain) => match shared.checkpoint_every {
            Some(every) if simulation.tick().0.is_multiple_of(every) => keep(simulation, chain, rows),
            _ => Ok(()),
        },
        Passed::Stopping(simulation, chain) => match shared.checkpoint_every {
            Some(_) if simulation.tick().0 > 0 => keep(simulation, chain, rows),
            _ => Ok(()),
        },
    })
}

/// The run at the tick where it goes on: that of its checkpoint, if it has one, else the first.
fn begin(
    shared: &Shared,
    job: &Job,
    run: &PlannedRun,
    seed: u64,
    built: Simulation,
    pool: &Pool,
    rows: &mut Rows,
) -> Result<(Simulation, Chain), RunnerError> {
    let path = checkpoint::path(&shared.folder, run.run_id);
    let Some(checkpoint) = Checkpoint::read(&path, run.run_id)? else {
        return Ok((built, new_chain(shared, job, run, seed)?));
    };
    let simulation = checkpoint.restore(&path, built)?;
    match old_chain(shared, job, run, seed, &checkpoint.ledger) {
        Some(chain) => {
            rows.append(&checkpoint.rows)?;
            Ok((simulation, chain))
        }
        // What was decided before the checkpoint is lost, so it is decided once more.
        None => Ok((job.build(seed, pool)?, new_chain(shared, job, run, seed)?)),
    }
}

/// The chain of a run that stopped at a checkpoint; none if its ledger is not there any more as it was.
fn old_chain(shared: &Shared, job: &Job, run: &PlannedRun, seed: u64, paused: &Continued) -> Option<Chain> {
    if !shared.campaign.kept().ledger {
        return Chain::root_continued(job.digest(), seed, job.signing(), paused);
    }
    let folder = ledger_folder(shared, run);
    let store = SledStore::open(&folder, durability(job.loaded().scenario.ledger.durability));
    let chain = store.map_err(LedgerError::from).and_then(|s| Chain::stored_continued(s, seed, paused));
    chain
        .inspect_err(|error| {
            let run = run.run_id;
            warn!(run, ledger = %folder.display(), %error, "the run's ledger cannot be continued: it begins anew");
        })
        .ok()
}

fn ledger_folder(shared: &Shared, run: &PlannedRun) -> PathBuf {
    shared.folder.join("ledger").join(run.run_id.to_string())
}

/// The chain of a run that begins.
fn new_chain(shared: &Shared, job: &Job, run: &PlannedRun, seed: u64) -> Result<Chain, RunnerError> {
    if !shared.campaign.kept().ledger {
        return Ok(Chain::root_only(job.digest(), seed));
    }
    let folder = ledger_folder(shared, run);
    if folder.exists() {
        // What a run that did not end left behind.
        std::fs::remove_dir_all(&folder).map_err(RunnerError::io("remove the folder", &folder))?;
    }
    let store = SledStore::create(&folder, durability(job.loaded().scenario.ledger.durability))
        .map_err(|error| RunnerError::from(LedgerError::from(error)))?;
    Chain::stored(store, job.digest(), seed)
}

fn event(run: &PlannedRun, record: &TickRecord) -> TickEvent {
    TickEvent {
        event: "tick",
        run: run.run_id,
        tick: record.tick.0,
        fingerprint: record.fingerprint.to_string(),
        counts: record.counts,
    }
}

fn durability(durability: scenario::Durability) -> Durability {
    match durability {
        scenario::Durability::Tick => Durability::Tick,
        scenario::Durability::Group(ticks) => Durability::Group { ticks: ticks.get() },
        scenario::Durability::End => Durability::End,
    }
}
