//! A campaign's runs, several at once in one process, into one folder.
//!
//! Workers run; this thread hands out runs, the longest first, and writes what comes back. A run's line is in the
//! journal before the next one is given to its worker, so that a kill loses nothing but the runs under way. Files of
//! results are derived from the journal at the end, in plan order, which is why their bytes do not depend on what ran
//! when.

pub(crate) mod checkpoint;
mod failure;
pub mod journal;
pub mod results;
#[cfg(test)]
mod tests;
mod worker;

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use phalanx_sim::Simulation;
use tracing::{debug, error};

use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::output::OutFolder;
use crate::plan::{Numbering, PlannedRun};
use crate::progress::{CampaignProgress, ProgressMode};
use crate::record::Status;
use crate::run::INTERRUPTED;
use crate::series::SeriesWriter;
use crate::statistics::enough;
use journal::{Journal, RunLine};
use worker::{Report, Shared, Task, blank, work};

/// Failures that are said one by one: a campaign may have thousands.
const FAILURES_SAID: u32 = 10;
/// How often progress is looked at while nothing ends.
const LOOK: Duration = Duration::from_millis(40);
/// Stack of a worker, on which runs of one thread are stepped.
const STACK_BYTES: usize = 16 << 20;

/// What to do when a run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Go on with the others.
    #[default]
    Continue,
    /// Begin no more runs.
    Stop,
}

/// A part of a campaign: runs whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// Number of shards.
    pub of: u32,
}

impl Shard {
    /// Whether a run belongs to it.
    #[must_use]
    pub fn has(self, run: u32) -> bool {
        run % self.of == self.index
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    /// `2/5` is the second of five.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(i, n)| Some((i.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match numbers {
            Some((number, of)) if number >= 1 && number <= of => Ok(Self { index: number - 1, of }),
            _ => Err("expected I/N with I from 1 to N, for example 2/5".to_owned()),
        }
    }
}

/// How runs are done. Nothing here changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Runs at once.
    pub jobs: usize,
    /// Threads of a run.
    pub threads: usize,
    /// Longest time for a run.
    pub timeout: Option<Duration>,
    /// Memory that runs at once may need together, by estimate.
    pub memory: Option<u64>,
    /// Ticks between two checkpoints of a run; none for no checkpoints.
    pub checkpoint_every: Option<u64>,
    /// What to do when a run fails.
    pub on_error: OnError,
    /// How progress is shown.
    pub mode: Option<ProgressMode>,
}

/// A campaign and its folder.
pub struct Batch {
    shared: Arc<Shared>,
    folder: OutFolder,
    numbering: Numbering,
    shard: Option<Shard>,
    options: Options,
    series: Option<SeriesWriter>,
    // Runs of a part that have not ended, by part.
    open_parts: BTreeMap<u32, u32>,
    failures: u32,
    stopped: bool,
}

struct Worker {
    tasks: Sender<Task>,
    running: Option<(PlannedRun, Instant)>,
}

impl Batch {
    /// A batch that goes on where `journal` ends.
    ///
    /// # Errors
    /// If the series cannot be opened, or the runs are too many.
    pub fn new(
        campaign: Arc<Campaign>,
        folder: OutFolder,
        journal: Journal,
        shard: Option<Shard>,
        options: Options,
    ) -> Result<Self, RunnerError> {
        failure::watch_panics();
        let series = match campaign.kept().series {
            true => Some(SeriesWriter::open(folder.path(), campaign.loaded().scenario.ticks.get())?),
            false => None,
        };
        let numbering = campaign.numbering()?;
        let shared = Arc::new(Shared {
            folder: folder.path().to_owned(),
            journal: Mutex::new(journal),
            threads: options.threads,
            timeout: options.timeout,
            checkpoint_every: options.checkpoint_every,
            ticks: AtomicU64::new(0),
            work: AtomicU64::new(0),
            campaign,
        });
        let open_parts = BTreeMap::new();
        let (failures, stopped) = (0, false);
        Ok(Self { shared, folder, numbering, shard, options, series, open_parts, failures, stopped })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &OutFolder {
        &self.folder
    }

    /// The runs, those of later rounds included once they are planned.
    #[must_use]
    pub fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// What has been written so far.
    ///
    /// # Panics
    /// If a worker panicked while it wrote, which it does not.
    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.shared.journal.lock().expect("no panic while it is held")
    }

    fn is_mine(&self, run: u32) -> bool {
        self.shard.is_none_or(|shard| shard.has(run))
    }

    /// How many runs belong to this folder.
    #[must_use]
    pub fn len(&self) -> usize {
        (0..self.numbering.len()).filter(|run| self.is_mine(*run)).count()
    }

    /// Whether none does: a shard of more parts than there are runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a run has ended for good.
    fn is_done(&self, run: u32) -> bool {
        matches!(self.journal().status(run), Some(Status::Ok | Status::Failed))
    }

    /// Does all runs that have not ended. `first` is the world of the first run, and when its building began.
    ///
    /// # Errors
    /// If the tool fails: a disk is full, a thread does not start.
    pub fn run(&mut self, mut first: Option<(Simulation, Instant)>) -> Result<(), RunnerError> {
        self.write_last_part()?;
        loop {
            let todo: Vec<u32> =
                (0..self.numbering.len()).filter(|run| self.is_mine(*run) && !self.is_done(*run)).collect();
            self.round(todo, first.take())?;
            checkpoint::tidy(self.folder.path());
            failure::tidy(self.folder.path(), |run| self.journal().status(run) == Some(Status::Ok))?;
            if self.stopped {
                break;
            }
            let campaign = Arc::clone(&self.shared.campaign);
            let journal = self.shared.journal.lock().expect("no panic while it is held");
            if !plan_next_round(&campaign, &journal, &mut self.numbering)? {
                break;
            }
        }
        self.end_series()
    }

    #[expect(clippy::needless_pass_by_value, reason = "the caller is done with the list")]
    fn round(&mut self, todo: Vec<u32>, first: Option<(Simulation, Instant)>) -> Result<(), RunnerError> {
        let mut order: Vec<PlannedRun> = todo.iter().map(|run| self.numbering.run(*run)).collect();
        let work_of = |run: &PlannedRun| self.shared.campaign.outline(run.configuration).work;
        order.sort_by(|a, b| work_of(b).total_cmp(&work_of(a)));
        if let Some(series) = &self.series {
            self.open_parts.clear();
            for run in &todo {
                *self.open_parts.entry(series.part_of(*run)).or_default() += 1;
            }
        }
        let total_work: f64 = order.iter().map(work_of).sum();
        // The first run of a fresh campaign was built to see that it can be.
        let mut first = first.filter(|_| order.iter().any(|run| run.run_id == 0));
        let already = self.len() - order.len();
        let mut progress = CampaignProgress::begin(
            self.options.mode,
            &self.shared.campaign.loaded().name,
            already,
            &order,
            u64::from(self.shared.campaign.loaded().scenario.ticks.get()),
            total_work,
        );
        let (reports_in, reports) = channel();
        let mut workers: BTreeMap<u64, Worker> = BTreeMap::new();
        let mut next_id = 0u64;
        let mut queue = order.into_iter().peekable();
        let jobs = self.options.jobs.max(1);
        let result = loop {
            // Hand out runs while there are workers and memory for them.
            let mut may_start = !self.stopped && !INTERRUPTED.load(Ordering::Relaxed);
            while may_start && queue.peek().is_some() {
                let idle = workers.iter().find(|(_, w)| w.running.is_none()).map(|(id, _)| *id);
                let busy = workers.values().filter(|w| w.running.is_some()).count();
                if busy >= jobs || !self.fits(&workers, queue.peek().expect("peeked above")) {
                    may_start = false;
                    continue;
                }
                let id = match idle {
                    Some(id) => id,
                    None => {
                        next_id += 1;
                        workers.insert(next_id, self.spawn(next_id, reports_in.clone())?);
                        next_id
                    }
                };
                let run = queue.next().expect("peeked above");
                debug!(run = run.run_id, "run begins");
                let built = if run.run_id == 0 { first.take() } else { None };
                let worker = workers.get_mut(&id).expect("chosen or made above");
                worker.running = Some((run, Instant::now()));
                worker.tasks.send(Task { run, built }).expect("a worker waits for tasks");
            }
            if workers.values().all(|w| w.running.is_none()) {
                break Ok(());
            }
            match receive(&reports) {
                Some(report) => {
                    // A worker that was given up on may still come back; nobody listens.
                    let Some(worker) = workers.get_mut(&report.worker) else { continue };
                    worker.running = None;
                    if let Err(error) = self.note(report, &mut progress) {
                        break Err(error);
                    }
                }
                None => {
                    let ticks = self.shared.ticks.load(Ordering::Relaxed);
                    progress.look(ticks, self.shared.work.load(Ordering::Relaxed) as f64);
                    if let Err(error) = self.give_up_on_stuck(&mut workers, &mut progress) {
                        break Err(error);
                    }
                }
            }
        };
        progress.end();
        if INTERRUPTED.load(Ordering::Relaxed) {
            self.stopped = true;
        }
        result
    }

    fn fits(&self, workers: &BTreeMap<u64, Worker>, next: &PlannedRun) -> bool {
        let Some(limit) = self.options.memory else { return true };
        let bytes = |run: &PlannedRun| self.shared.campaign.outline(run.configuration).bytes;
        let running: u64 =
            workers.values().filter_map(|w| w.running.as_ref()).map(|(run, _)| bytes(run)).sum();
        running == 0 || running.saturating_add(bytes(next)) <= limit
    }

    fn spawn(&self, id: u64, reports: Sender<Report>) -> Result<Worker, RunnerError> {
        let (tasks, receiver) = channel();
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name(format!("runs-{id}"))
            .stack_size(STACK_BYTES)
            .spawn(move || work(id, &shared, &receiver, &reports))
            .map_err(RunnerError::io("start a thread of", self.folder.path()))?;
        Ok(Worker { tasks, running: None })
    }

    /// A tick that does not end cannot be stopped: its thread is left alone, and the run counts as timed out.
    fn give_up_on_stuck(
        &mut self,
        workers: &mut BTreeMap<u64, Worker>,
        progress: &mut CampaignProgress,
    ) -> Result<(), RunnerError> {
        let Some(timeout) = self.options.timeout else { return Ok(()) };
        let patience = timeout + timeout / 2 + Duration::from_secs(1);
        let stuck: Vec<u64> = workers
            .iter()
            .filter(|(_, w)| w.running.is_some_and(|(_, since)| since.elapsed() > patience))
            .map(|(id, _)| *id)
            .collect();
        for id in stuck {
            let worker = workers.remove(&id).expect("found above");
            let (run, since) = worker.running.expect("found running");
            let seed = self.shared.campaign.seed(&run);
            let record = blank(&self.shared, &run, seed, Status::Timeout);
            let error = Some(format!("a tick had not ended {:?} after the run began", since.elapsed()));
            self.note(Report { worker: id, record, rows: None, curves: None, error, fatal: None }, progress)?;
        }
        Ok(())
    }

    /// Writes what a run leaves.
    fn note(&mut self, report: Report, progress: &mut CampaignProgress) -> Result<(), RunnerError> {
        let Report { record, rows, curves, error, fatal, .. } = report;
        if let Some(fatal) = fatal {
            return Err(fatal);
        }
        let (run, status) = (record.run_id, record.status);
        if let Some(text) = &error {
            self.failures += 1;
            let said = "run failed";
            match self.failures.cmp(&FAILURES_SAID) {
                Less => error!(run, seed = record.seed, reason = text, "{said}"),
                Equal => error!(run, reason = text, "{said}; others from here on are in failures/ alone"),
                Greater => debug!(run, seed = record.seed, reason = text, "{said}"),
            }
            failure::write(self.folder.path(), &record, text)?;
            self.stopped |= self.options.on_error == OnError::Stop;
        }
        let rows = match (&mut self.series, rows) {
            (Some(series), Some(mut rows)) => series.spool(&mut rows)?,
            _ => None,
        };
        let over = matches!(status, Status::Ok | Status::Failed);
        let line = RunLine { event: "run".to_owned(), run, status, rows, error, curves, record };
        self.journal().run(&line)?;
        if over {
            // Only now: a kill before the line is written still finds where to go on.
            checkpoint::remove(self.folder.path(), run)?;
        }
        progress.ended(
            &line.record,
            self.shared.ticks.load(Ordering::Relaxed),
            self.shared.work.load(Ordering::Relaxed) as f64,
        );
        self.close_part_of(run)
    }

    /// Writes the part that a run belongs to, if it was the last of it.
    fn close_part_of(&mut self, run: u32) -> Result<(), RunnerError> {
        let Some(series) = &self.series else { return Ok(()) };
        let part = series.part_of(run);
        if let Some(open) = self.open_parts.get_mut(&part) {
            *open -= 1;
            if *open == 0 {
                self.open_parts.remove(&part);
                return self.write_part(part);
            }
        }
        Ok(())
    }

    /// Writes the part of the run that ended last, if no run of it is left to do: whoever was here before may have been
    /// killed after it noted that run's end.
    fn write_last_part(&mut self) -> Result<(), RunnerError> {
        let last = self.journal().last_spooled();
        let (Some(series), Some(last)) = (&self.series, last) else { return Ok(()) };
        let part = series.part_of(last);
        let mut runs = series.runs_of(part).take_while(|run| *run < self.numbering.len());
        if runs.all(|run| !self.is_mine(run) || self.is_done(run)) { self.write_part(part) } else { Ok(()) }
    }

    fn write_part(&mut self, part: u32) -> Result<(), RunnerError> {
        let Some(series) = &mut self.series else { return Ok(()) };
        let journal = self.shared.journal.lock().expect("no panic while it is held");
        let rows: Vec<(u32, (u64, u32))> = series
            .runs_of(part)
            .take_while(|run| *run < self.numbering.len())
            .filter_map(|run| Some((run, journal.rows(run)?)))
            .collect();
        drop(journal);
        series.write_part(part, &rows)
    }

    /// Ends the series when every run has ended; else the spool is kept for a resume.
    fn end_series(&mut self) -> Result<(), RunnerError> {
        let all =
            (0..self.numbering.len()).all(|run| !self.is_mine(run) || self.journal().status(run).is_some());
        if !all || self.stopped {
            return Ok(());
        }
        if let Some(series) = self.series.take() {
            self.journal().settle()?;
            series.finish()?;
        }
        Ok(())
    }
}

/// Plans more replicates where a figure is not known well enough. It follows from the runs that were planned before,
/// not from when they ended.
fn plan_next_round(
    campaign: &Campaign,
    journal: &Journal,
    numbering: &mut Numbering,
) -> Result<bool, RunnerError> {
    let Some(until) = campaign.until() else { return Ok(false) };
    let mut open: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for configuration in 0..campaign.len() {
        let runs = numbering.runs_of(configuration);
        let reps = runs.len() as u32;
        if until.next(reps).is_some() && !enough(until, journal, &runs)? {
            open.entry(reps).or_default().push(configuration);
        }
    }
    // Whoever is open has had all rounds so far.
    let Some((reps, of)) = open.pop_last() else { return Ok(false) };
    let next = until.next(reps).expect("open configurations have a next round");
    let of = (of.len() < campaign.len() as usize).then_some(of);
    numbering.add(reps..next, of)?;
    Ok(true)
}

/// The numbering of a campaign as far as its journal shows.
///
/// # Errors
/// If the journal cannot be read.
pub fn numbering_so_far(campaign: &Campaign, journal: &Journal) -> Result<Numbering, RunnerError> {
    let mut numbering = campaign.numbering()?;
    while (0..numbering.len()).all(|run| matches!(journal.status(run), Some(Status::Ok | Status::Failed)))
        && plan_next_round(campaign, journal, &mut numbering)?
    {}
    Ok(numbering)
}

fn receive(reports: &Receiver<Report>) -> Option<Report> {
    match reports.recv_timeout(LOOK) {
        Ok(report) => Some(report),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("this thread holds a sender"),
    }
}
