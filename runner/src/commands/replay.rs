//! `runner replay|verify|diff`: recorded runs against runs, and against each other.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use phalanx_sim::{Pool, Simulation};
use serde_json::Value;

use super::{print, threads};
use crate::batch::checkpoint::{self, Checkpoint};
use crate::batch::journal::Journal;
use crate::batch::numbering_so_far;
use crate::campaign::Campaign;
use crate::chain::Chain;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::manifest::{Manifest, first_difference};
use crate::plan::{Numbering, PlannedRun};
use crate::record::{RunRecord, Status};
use crate::report;
use crate::run::{Ended, INTERRUPTED};
use crate::series::{Series, parts};
use crate::table::{flatten, walk};
use crate::terminal::Style;

/// Values of a run that are named when they differ.
const NAMED: usize = 12;

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Output folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of the run
    #[arg(long, value_name = "ID", default_value = "0")]
    run: u32,
    /// Stop after this tick; the run begins at its checkpoint, if it has one that is not past the tick
    #[arg(long, value_name = "T")]
    to_tick: Option<u64>,
    /// Begin at tick 0 even if the run has a checkpoint
    #[arg(long)]
    from_start: bool,
    /// Threads of the run; they change no result [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Output folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How many runs to repeat: 5% or 20
    #[arg(long, value_name = "SHARE", default_value = "100%")]
    sample: Sample,
    /// Threads of a run; they change no result [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Output folder
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    b: PathBuf,
}

/// How many of all runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// This share, at least one.
    Share(f64),
    /// So many.
    Count(usize),
}

impl std::str::FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a share such as 5%, or a number of runs".to_owned();
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Share(percent / 100.0)),
                _ => Err(wrong()),
            },
            None => text.parse().ok().filter(|n| *n > 0).map(Self::Count).ok_or_else(wrong),
        }
    }
}

impl Sample {
    /// Chooses by digests of the numbers, so that the same runs are chosen again and no pattern of a plan matters.
    fn of(self, mut runs: Vec<u32>) -> Vec<u32> {
        let count = match self {
            Self::Share(share) => ((runs.len() as f64 * share).ceil() as usize).max(1),
            Self::Count(count) => count,
        };
        runs.sort_by_cached_key(|run| *blake3::hash(&run.to_le_bytes()).as_bytes());
        runs.truncate(count);
        runs.sort_unstable();
        runs
    }
}

/// A finished campaign, read.
pub(super) struct Recorded {
    manifest: Manifest,
    pub(super) campaign: Campaign,
    journal: Journal,
    numbering: Numbering,
}

impl Recorded {
    pub(super) fn read(dir: &Path) -> Result<Self, RunnerError> {
        let manifest = Manifest::read(dir)?;
        let campaign = manifest.campaign(dir)?;
        let journal = Journal::read(dir)?;
        let numbering = numbering_so_far(&campaign, &journal)?;
        Ok(Self { manifest, campaign, journal, numbering })
    }

    /// What recorded it: version and commit.
    pub(super) fn recorded_by(&self) -> String {
        self.manifest.engine_text()
    }

    /// The run of that number, if it was planned here.
    pub(super) fn planned(&self, dir: &Path, run: u32) -> Result<PlannedRun, RunnerError> {
        if run < self.numbering.len() {
            return Ok(self.numbering.run(run));
        }
        Err(RunnerError::Resume {
            folder: dir.to_owned(),
            problem: format!("has no run {run}: its runs are 0 to {}", self.numbering.len() - 1),
            remedy: "plan.csv lists them",
        })
    }
}

/// A run, done again.
struct Again {
    record: RunRecord,
    /// Beginnings of the fingerprints of its ticks, from that on which it began with.
    ticks: Vec<u64>,
    /// Why it failed.
    failure: Option<String>,
}

/// A run where it begins or goes on.
struct Begun {
    simulation: Simulation,
    chain: Chain,
    /// The checkpoint that it goes on from.
    checkpoint: Option<PathBuf>,
}

/// The run at tick 0.
fn fresh(campaign: &Campaign, run: &PlannedRun, pool: &Pool) -> Result<Begun, RunnerError> {
    let (job, seed) = (campaign.job(run.configuration)?, campaign.seed(run));
    let simulation = job.build(seed, pool)?;
    Ok(Begun { simulation, chain: Chain::root_only(job.digest(), seed), checkpoint: None })
}

/// The run at the newest checkpoint in the folder that is not past `to_tick`, or at tick 0. Its ledger is not touched: the
/// checkpoint knows what its root goes on from.
fn newest(
    dir: &Path,
    campaign: &Campaign,
    run: &PlannedRun,
    pool: &Pool,
    to_tick: Option<u64>,
) -> Result<Begun, RunnerError> {
    let (job, seed) = (campaign.job(run.configuration)?, campaign.seed(run));
    let mut begun = fresh(campaign, run, pool)?;
    for path in [checkpoint::path(dir, run.run_id), checkpoint::last_path(dir, run.run_id)] {
        let Some(saved) = Checkpoint::read(&path, run.run_id)? else { continue };
        let simulation = saved.restore(&path, job.build(seed, pool)?)?;
        let chain = Chain::root_continued(job.digest(), seed, job.signing(), &saved.ledger);
        let reached = simulation.tick().0;
        if let Some(chain) = chain
            && reached > begun.simulation.tick().0
            && to_tick.is_none_or(|tick| reached <= tick)
        {
            begun = Begun { simulation, chain, checkpoint: Some(path) };
        }
    }
    Ok(begun)
}

fn again(
    campaign: &Campaign,
    run: &PlannedRun,
    begun: Begun,
    threads: usize,
    to_tick: Option<u64>,
    mut each: impl FnMut(&phalanx_sim::TickRecord),
) -> Result<Again, RunnerError> {
    let start = Instant::now();
    let job = campaign.job(run.configuration)?;
    let seed = campaign.seed(run);
    let Begun { simulation, chain, .. } = begun;
    let mut ticks = Vec::new();
    let mut reached = false;
    let ended = job.drive(simulation, chain, None, |tick| {
        each(tick);
        let (head, _) = tick.fingerprint.0.split_first_chunk().expect("a fingerprint has 32 bytes");
        ticks.push(u64::from_be_bytes(*head));
        if to_tick == Some(tick.tick.0) {
            reached = true;
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
        Ok(())
    });
    if reached {
        INTERRUPTED.store(false, Ordering::Relaxed);
    }
    let ended = ended?;
    let failure = match &ended {
        Ended::Panicked(text) => Some(format!("panicked: {text}")),
        Ended::Aborted(text) => Some(text.clone()),
        _ => None,
    };
    Ok(Again { record: job.record(run, seed, ended, start, threads), ticks, failure })
}

/// Does a recorded run again.
///
/// # Errors
/// If the folder cannot be used. What differs is reported, and exit code 4.
pub fn replay(args: &ReplayArgs) -> Result<Exit, RunnerError> {
    let recorded = Recorded::read(&args.dir)?;
    let run = recorded.planned(&args.dir, args.run)?;
    let ticks = recorded.campaign.outline(run.configuration).ticks;
    if let Some(tick) = args.to_tick.filter(|tick| *tick >= u64::from(ticks)) {
        return Err(RunnerError::Resume {
            folder: args.dir.clone(),
            problem: format!("run {} has no tick {tick}: its ticks are 0 to {}", args.run, ticks - 1),
            remedy: "give an earlier --to-tick, or none for the whole run",
        });
    }
    let threads = threads(args.threads);
    let pool = Pool::new(threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
    let was = recorded.journal.record(args.run)?.filter(|record| record.status == Status::Ok);
    // A run that ended well is compared from its first tick to its last.
    let begun = match args.from_start || (was.is_some() && args.to_tick.is_none()) {
        true => fresh(&recorded.campaign, &run, &pool)?,
        false => newest(&args.dir, &recorded.campaign, &run, &pool, args.to_tick)?,
    };
    let from = begun.simulation.tick().0;
    if let Some(path) = &begun.checkpoint {
        print(&format!("from the checkpoint after {from} ticks: {}\n", path.display()))?;
    }
    let mut last = String::new();
    let found = again(&recorded.campaign, &run, begun, threads, args.to_tick, |tick| {
        let counts = serde_json::to_value(tick.counts).expect("counts are plain data");
        let counts = counts.as_object().map_or_else(String::new, |fields| {
            fields.iter().map(|(name, n)| format!("\n  {name:<16} {n:>12}")).collect()
        });
        last = format!("tick {} · fingerprint {}{counts}\n", tick.tick.0, tick.fingerprint);
    })?;
    if let Some(text) = found.failure {
        let passed = from + found.ticks.len() as u64;
        print(&format!("run {} failed after {passed} ticks: {text}\n", args.run))?;
        return Ok(Exit::RunFailed);
    }
    if found.record.status == Status::Interrupted {
        print(&last)?;
        return Ok(if args.to_tick.is_some() { Exit::Ok } else { Exit::Interrupted });
    }
    print(&report::run(&found.record, None, Style::of_stdout()))?;
    let Some(was) = was else {
        let what = match recorded.journal.status(args.run) {
            None | Some(Status::Interrupted) => "the run has not ended yet",
            Some(_) => "the recorded run did not end well",
        };
        print(&format!("\n{what}, so there is nothing to compare with\n"))?;
        return Ok(Exit::Ok);
    };
    let series = fingerprints(&args.dir, args.run)?;
    match describe(&was, &found.record, &series, &found.ticks) {
        None => {
            print("\nthe same as recorded, to the last bit\n")?;
            Ok(Exit::Ok)
        }
        Some(text) => {
            print(&format!("\nNOT as recorded\n{text}"))?;
            Ok(Exit::Mismatch)
        }
    }
}

/// Repeats a sample of runs and compares.
///
/// # Errors
/// If the folder cannot be used. What differs is reported, and exit code 4.
pub fn verify(args: &VerifyArgs) -> Result<Exit, RunnerError> {
    let recorded = Recorded::read(&args.dir)?;
    recorded.manifest.check_data(&args.dir, &recorded.campaign)?;
    let ok =
        recorded.journal.runs().filter(|run| recorded.journal.status(*run) == Some(Status::Ok)).collect();
    let sample = args.sample.of(ok);
    if sample.is_empty() {
        return Err(RunnerError::Resume {
            folder: args.dir.clone(),
            problem: "no run of it has ended well, so there is nothing to repeat".to_owned(),
            remedy: "`runner resume` goes on with what was interrupted or ran out of time",
        });
    }
    let threads = threads(args.threads);
    let pool = Pool::new(threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
    let (mut same, mut exit) = (0, Exit::Ok);
    for run in &sample {
        let planned = recorded.planned(&args.dir, *run)?;
        let begun = fresh(&recorded.campaign, &planned, &pool)?;
        let found = again(&recorded.campaign, &planned, begun, threads, None, |_| {})?;
        if found.record.status == Status::Interrupted {
            return Ok(Exit::Interrupted);
        }
        let was = recorded.journal.record(*run)?.expect("its status was read");
        match describe(&was, &found.record, &fingerprints(&args.dir, *run)?, &found.ticks) {
            None => same += 1,
            Some(text) => {
                print(&format!("MOVED  run {run}, seed {}\n{text}", was.seed))?;
                exit = Exit::Mismatch;
            }
        }
    }
    print(&format!("{same} of {} repeated runs are the same as recorded\n", sample.len()))?;
    Ok(exit)
}

/// The recorded fingerprints of a run's ticks, if the series has them.
pub(super) fn fingerprints(dir: &Path, run: u32) -> Result<Vec<u64>, RunnerError> {
    for part in parts(dir)? {
        let series = Series::read(&part)?;
        let (Some(runs), Some(marks)) = (series.column("run_id"), series.column("fingerprint")) else {
            continue;
        };
        let from = runs.partition_point(|r| *r < i64::from(run));
        let to = runs.partition_point(|r| *r <= i64::from(run));
        if from < to {
            return Ok(marks[from..to].iter().map(|mark| *mark as u64).collect());
        }
    }
    Ok(Vec::new())
}

/// What differs between two records, and the first tick at which their fingerprints part.
fn describe(a: &RunRecord, b: &RunRecord, ticks_a: &[u64], ticks_b: &[u64]) -> Option<String> {
    let (a, b) = (flatten(a), flatten(b));
    let value = |cells: &[(String, Value)], path: &str| {
        cells.iter().find(|(p, _)| p == path).map_or(Value::Null, |(_, value)| value.clone())
    };
    let mut moved: Vec<String> = Vec::new();
    for path in
        a.iter().map(|(p, _)| p).chain(b.iter().map(|(p, _)| p).filter(|p| a.iter().all(|(q, _)| q != *p)))
    {
        let (x, y) = (value(&a, path), value(&b, path));
        if x != y && path != "run_id" {
            moved.push(format!("  {path}: {x} → {y}\n"));
        }
    }
    let parted = ticks_a.iter().zip(ticks_b).position(|(x, y)| x != y);
    if moved.is_empty() && parted.is_none() {
        return None;
    }
    let mut text = parted.map_or_else(String::new, |tick| format!("  first tick that differs: {tick}\n"));
    let more = moved.len().saturating_sub(NAMED);
    text.extend(moved.into_iter().take(NAMED));
    if more > 0 {
        text += &format!("  … and {more} more values\n");
    }
    Some(text)
}

/// Compares two folders run by run.
///
/// # Errors
/// If a folder cannot be read. What differs is reported, and exit code 4.
pub fn diff(args: &DiffArgs) -> Result<Exit, RunnerError> {
    let (a, b) = (Recorded::read(&args.a)?, Recorded::read(&args.b)?);
    let mut exit = Exit::Ok;
    let tree = |recorded: &Recorded| {
        let mut cells = Vec::new();
        walk("", &serde_json::to_value(&recorded.manifest).expect("a manifest is plain data"), &mut cells);
        cells.retain(|(path, _)| !path.starts_with("host.") && path != "file" && path != "plan_sha256");
        cells.into_iter().collect::<serde_json::Map<_, _>>()
    };
    let (mut left, mut right) = (Value::Object(tree(&a)), Value::Object(tree(&b)));
    let mut named = 0;
    while let Some((path, x, y)) = first_difference(&left, &right) {
        if named < NAMED {
            print(&format!("manifest  {path}: {x} → {y}\n"))?;
        }
        named += 1;
        for side in [&mut left, &mut right] {
            side.as_object_mut().expect("made above").remove(&path);
        }
    }
    if named > NAMED {
        print(&format!("manifest  … and {} more\n", named - NAMED))?;
    }
    // Runs are matched by what they are, not by their number: a plan with another level numbers them anew.
    let key = |record: &RunRecord| (serde_json::to_string(&record.params).unwrap_or_default(), record.rep);
    // A sampled design may have the same configuration more than once.
    let mut of_b: BTreeMap<_, VecDeque<u32>> = BTreeMap::new();
    let mut only_b = 0u64;
    for run in b.journal.runs() {
        if let Some(record) = b.journal.record(run)? {
            of_b.entry(key(&record)).or_default().push_back(run);
            only_b += 1;
        }
    }
    let (mut same, mut parted, mut only_a) = (0u64, 0u64, 0u64);
    for run in a.journal.runs() {
        let Some(record) = a.journal.record(run)? else { continue };
        let Some(other) = of_b.get_mut(&key(&record)).and_then(VecDeque::pop_front) else {
            only_a += 1;
            continue;
        };
        only_b -= 1;
        let theirs = b.journal.record(other)?.expect("read above");
        // The rows of the series are only needed where records differ: they end in the same fingerprint.
        if describe(&record, &theirs, &[], &[]).is_none() {
            same += 1;
            continue;
        }
        parted += 1;
        if parted <= NAMED as u64 {
            let text =
                describe(&record, &theirs, &fingerprints(&args.a, run)?, &fingerprints(&args.b, other)?);
            print(&format!("run {run} (in B {other}) {}\n{}", key(&record).0, text.unwrap_or_default()))?;
        }
    }
    if parted + only_a + only_b > 0 || named > 0 {
        exit = Exit::Mismatch;
    }
    print(&format!(
        "{same} runs are the same, {parted} differ, {only_a} are only in A, {only_b} only in B\n"
    ))?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_shares_or_counts() {
        assert_eq!("5%".parse(), Ok(Sample::Share(0.05)));
        assert_eq!("20".parse(), Ok(Sample::Count(20)));
        assert!("0%".parse::<Sample>().is_err() && "many".parse::<Sample>().is_err());
        let runs: Vec<u32> = (0..200).collect();
        let sample = Sample::Share(0.05).of(runs.clone());
        assert_eq!(sample.len(), 10);
        assert!(sample.is_sorted() && sample == Sample::Share(0.05).of(runs.clone()));
        assert_eq!(Sample::Share(0.001).of(runs).len(), 1);
    }
}
