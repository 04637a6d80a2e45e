//! `runner run`, and what `resume` and `extend` share with it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use phalanx_sim::Pool;

use super::{overrides, print};
use crate::batch::journal::Journal;
use crate::batch::{Batch, OnError, Options, Shard, results};
use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::manifest::{Manifest, keep_table, write_plan};
use crate::output::OutFolder;
use crate::plan::study::StudyArgs;
use crate::plan::{PlanError, PlannedRun};
use crate::progress::ProgressMode;
use crate::record::Status;
use crate::report;
use crate::run::Job;
use crate::scenario::load;
use crate::size::{Bytes, available_bytes};
use crate::statistics::Statistic;
use crate::terminal::Style;

/// Configurations that are summed up on the screen; `summary.csv` has all.
const SHOWN: u32 = 24;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Output folder, absent or empty [default: out/SCENARIO-SEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do only part I of N of the campaign, for `runner merge`
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    batch: BatchArgs,
}

/// What is run.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Scenario file
    #[arg(value_name = "FILE.ron")]
    scenario: PathBuf,
    /// Root of all randomness, over the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Override a field: consensus.quorum=0.6, detector=ZScore, traffic.capture.path=FILE (repeatable)
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    study: StudyArgs,
}

/// How it is run. Nothing here changes a result.
#[derive(Clone, Debug, Args)]
pub struct BatchArgs {
    /// Threads of a run [default: all cores for one run, 1 for several, what --jobs leaves if it is given]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Runs at once [default: as many as cores have room for]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Give a run up after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Memory for runs at once; scenarios that need more are refused: 536870912, 512MiB, 2G
    #[arg(long, value_name = "BYTES")]
    mem: Option<Bytes>,
    /// Save every run after so many ticks, so that a resume goes on from there [default: as the campaign began, or never]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: Option<u64>,
    /// What to do when a run fails
    #[arg(long, value_name = "WHAT", default_value = "continue")]
    on_error: OnError,
    /// Print one JSON document instead of a summary
    #[arg(long)]
    json: bool,
    /// How progress is shown on standard error [default: a bar on a terminal, lines elsewhere]
    #[arg(long, value_name = "HOW")]
    progress: Option<ProgressMode>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| !d.is_zero())
        .ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

impl SourceArgs {
    /// The campaign that is meant.
    ///
    /// # Errors
    /// If scenario or study is wrong.
    pub(super) fn campaign(&self) -> Result<Campaign, RunnerError> {
        let loaded = load(&self.scenario, &overrides(&self.set, self.seed)?)?;
        let study = self.study.resolve(&loaded.scenario)?;
        Campaign::new(loaded, study, self.folder())
    }

    /// What the study's table is relative to.
    fn folder(&self) -> &Path {
        self.scenario.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn file(&self) -> &Path {
        &self.scenario
    }
}

impl BatchArgs {
    /// The options for so many runs.
    pub(super) fn options(&self, runs: u32, quiet: bool) -> Options {
        let cores = super::threads(None);
        let (threads, jobs) = match (self.threads.map(NonZeroUsize::get), self.jobs.map(NonZeroUsize::get)) {
            (Some(threads), Some(jobs)) => (threads, jobs),
            (Some(threads), None) => (threads, (cores / threads).max(1)),
            (None, Some(jobs)) => ((cores / jobs).max(1), jobs),
            (None, None) if runs == 1 => (cores, 1),
            (None, None) => (1, cores),
        };
        Options {
            jobs: jobs.min(runs.max(1) as usize),
            threads,
            timeout: self.timeout,
            // Without a limit, what the machine has free, less a fifth.
            memory: self.mem.map(|m| m.0).or_else(|| available_bytes().map(|free| free / 5 * 4)),
            checkpoint_every: self.checkpoint_every,
            on_error: self.on_error,
            mode: self.progress.or(quiet.then_some(ProgressMode::None)),
        }
    }

    /// Whether a JSON document is wanted.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Refuses a campaign with a configuration that needs more than `--mem`.
    pub(super) fn refuse_beyond_memory(&self, campaign: &Campaign) -> Result<(), RunnerError> {
        let Some(limit) = self.mem else { return Ok(()) };
        match (0..campaign.len()).map(|c| campaign.outline(c)).find(|outline| outline.bytes > limit.0) {
            None => Ok(()),
            Some(outline) => {
                Err(RunnerError::Memory { estimate: Bytes(outline.bytes), limit, agents: outline.agents })
            }
        }
    }
}

/// Runs a scenario, or the campaign that it stands for. `quiet` shows no progress unless it was asked for.
///
/// # Errors
/// If scenario or data cannot be used (nothing is written then), or the output cannot be written.
pub fn run(args: &RunArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let campaign = args.source.campaign()?;
    args.batch.refuse_beyond_memory(&campaign)?;
    if args.shard.is_some() && campaign.until().is_some() {
        let text = campaign.study().until.clone().unwrap_or_default();
        let problem =
            "a shard cannot tell when all shards know enough: leave --shard or --until out".to_owned();
        return Err(PlanError::Until { text, problem }.into());
    }
    if let Some(out) = &args.out {
        OutFolder::check(out)?;
    }
    let numbering = campaign.numbering()?;
    let options = args.batch.options(numbering.len(), quiet);

    // The first world is built before anything is written: it finds what only the data can show.
    let start = Instant::now();
    let threads = |error| RunnerError::Simulation(Box::new(error));
    let first = campaign
        .job(0)?
        .build(campaign.seed(&PlannedRun::FIRST), &Pool::new(options.threads).map_err(threads)?)?;
    let loaded = campaign.loaded();
    let folder = match &args.out {
        Some(out) => OutFolder::create(out)?,
        None => OutFolder::create_numbered(
            Path::new("out"),
            &format!("{}-{}", loaded.name, loaded.scenario.seed),
        )?,
    };
    let plan = write_plan(&folder, &campaign, &numbering, args.shard)?;
    keep_table(&campaign, args.source.folder(), folder.path())?;
    let base = Job::open(loaded.clone())?;
    Manifest::new(&campaign, args.source.file(), &base, args.shard, plan, &options).write(folder.path())?;
    let journal = Journal::create(folder.path())?;
    let campaign = Arc::new(campaign);
    let batch = Batch::new(Arc::clone(&campaign), folder, journal, args.shard, options)?;
    finish(batch, &campaign, args.shard, Some((first, start)), args.batch.json)
}

/// Does the runs of a batch that have not ended, writes the results and shows them.
pub(super) fn finish(
    mut batch: Batch,
    campaign: &Arc<Campaign>,
    shard: Option<Shard>,
    first: Option<(phalanx_sim::Simulation, Instant)>,
    json: bool,
) -> Result<Exit, RunnerError> {
    let done = batch.run(first);
    // What has ended is worth having even if the tool failed.
    if campaign.until().is_some() {
        write_plan(batch.folder(), campaign, batch.numbering(), shard)?;
    }
    results::write(batch.folder(), &batch.journal(), batch.numbering(), campaign.len())?;
    done?;
    if json {
        print_json(&batch, campaign)?;
    } else {
        show(&batch, campaign, shard)?;
    }
    exit(&batch, shard)
}

/// One document, a record at a time.
fn print_json(batch: &Batch, campaign: &Campaign) -> Result<(), RunnerError> {
    let journal = batch.journal();
    let mut separator = "{\"runs\":[";
    results::each(&journal, |record| {
        let text = serde_json::to_string(record).expect("a record is plain data");
        print(&format!("{separator}{text}"))?;
        separator = ",";
        Ok(())
    })?;
    print(if separator == "," { "]" } else { "{\"runs\":[]" })?;
    let mut separator = ",\"summary\":[";
    for configuration in 0..campaign.len() {
        for statistic in results::statistics(&journal, batch.numbering(), configuration)? {
            let text = serde_json::to_string(&statistic).expect("a statistic is plain data");
            print(&format!("{separator}{text}"))?;
            separator = ",";
        }
    }
    print(if separator == "," { "]}\n" } else { ",\"summary\":[]}\n" })
}

fn show(batch: &Batch, campaign: &Campaign, shard: Option<Shard>) -> Result<(), RunnerError> {
    let style = Style::of_stdout();
    let folder = batch.folder().path();
    let journal = batch.journal();
    let text = if batch.numbering().len() == 1 {
        match journal.record(0)? {
            Some(record) => {
                let ledger = campaign.kept().ledger.then(|| folder.join("ledger/0"));
                report::run(&record, ledger.as_deref(), style)
            }
            None => String::new(),
        }
    } else {
        let mut records = Vec::new();
        if batch.numbering().len() <= SHOWN {
            results::each(&journal, |record| {
                records.push(record.clone());
                Ok(())
            })?;
        }
        let shown: Vec<Vec<Statistic>> = (0..campaign.len().min(SHOWN))
            .map(|c| results::statistics(&journal, batch.numbering(), c))
            .collect::<Result<_, _>>()?;
        let hidden = campaign.len() - shown.len() as u32;
        let name = &campaign.loaded().name;
        let name = shard.map_or_else(|| name.clone(), |shard| format!("{name} (shard {shard})"));
        report::campaign(&name, batch.len() as u32, &records, &shown, hidden, style)
    };
    print(&format!("{text}\n{} {}\n", style.dim("results in"), folder.display()))
}

fn exit(batch: &Batch, shard: Option<Shard>) -> Result<Exit, RunnerError> {
    let journal = batch.journal();
    let mine = (0..batch.numbering().len()).filter(|run| shard.is_none_or(|s| s.has(*run)));
    let mut exit = Exit::Ok;
    for status in mine.map(|run| journal.status(run)) {
        #[expect(clippy::match_same_arms, reason = "two different reasons, each with its condition")]
        match status {
            Some(Status::Ok) => {}
            Some(Status::Failed | Status::Timeout) if exit == Exit::Ok => exit = Exit::RunFailed,
            Some(Status::Failed | Status::Timeout) => {}
            // Not begun after a failure with `--on-error stop` is no interruption.
            None if !crate::run::INTERRUPTED.load(std::sync::atomic::Ordering::Relaxed) => {
                exit = Exit::RunFailed;
            }
            Some(Status::Interrupted) | None => return Ok(Exit::Interrupted),
        }
    }
    Ok(exit)
}
