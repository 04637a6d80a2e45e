//! `runner run`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use phalanx_ledger::{Durability, LedgerError, SledStore};
use phalanx_sim::{Simulation, TickCounts, TickRecord, scenario};
use serde::Serialize;
use tracing::{debug, error};

use super::{overrides, print, threads};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::manifest::{Manifest, plan_csv};
use crate::output::{OutFolder, Pending};
use crate::plan::{PlannedRun, replicates};
use crate::progress::{Progress, ProgressMode};
use crate::record::{RunRecord, Status};
use crate::report;
use crate::run::{Ended, Job};
use crate::scenario::{Loaded, load};
use crate::size::Bytes;
use crate::statistics::{self, Statistic, summarise};
use crate::table::{Table, csv_text};
use crate::terminal::Style;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario file
    #[arg(value_name = "FILE.ron")]
    scenario: PathBuf,
    /// Root of all randomness, over the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads of a run; they change no result [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Override a field: consensus.quorum=0.6, detector=ZScore, traffic.capture.path=FILE (repeatable)
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Runs of the scenario, each with a seed of its own
    #[arg(long, value_name = "N", default_value = "1")]
    reps: NonZeroU32,
    /// Output folder, absent or empty [default: out/SCENARIO-SEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of a summary
    #[arg(long)]
    json: bool,
    /// How progress is shown on standard error [default: a bar on a terminal, lines elsewhere]
    #[arg(long, value_name = "HOW")]
    progress: Option<ProgressMode>,
    /// Refuse scenarios that need more memory than this: 536870912, 512MiB, 2G
    #[arg(long, value_name = "BYTES")]
    mem: Option<Bytes>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    runs: &'a [RunRecord],
    summary: &'a [Statistic],
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

/// Runs a scenario. `quiet` shows no progress unless it was asked for.
///
/// # Errors
/// If scenario or data cannot be used (nothing is written then), or the output cannot be written.
pub fn run(args: &RunArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let loaded = load(&args.scenario, &overrides(&args.set, args.seed)?)?;
    if let Some(limit) = args.mem {
        refuse_beyond(limit, &loaded)?;
    }
    if let Some(out) = &args.out {
        OutFolder::check(out)?;
    }
    let job = Job::open(&loaded, threads(args.threads))?;
    let plan = replicates(loaded.scenario.seed, args.reps.get());

    // The first world is built before anything is written: it finds what only the data can show.
    let start = Instant::now();
    let first = job.build(&plan[0])?;
    let folder = match &args.out {
        Some(out) => OutFolder::create(out)?,
        None => OutFolder::create_numbered(
            Path::new("out"),
            &format!("{}-{}", loaded.name, loaded.scenario.seed),
        )?,
    };
    let plan_text = plan_csv(&loaded, &plan);
    let manifest = Manifest::new(&loaded, job.digest(), job.source().data(), &plan_text, job.threads());
    folder.write("manifest.json", &manifest.to_json())?;
    folder.write("plan.csv", &plan_text)?;

    let mode = args.progress.or(quiet.then_some(ProgressMode::None));
    let batch = Batch { loaded: &loaded, job: &job, folder: &folder, mode, runs: plan.len() };
    let records = batch.run(&plan, (first, start))?;
    let summary = summarise(&records);
    folder.write("runs.csv", &Table::of(&records).to_csv())?;
    folder.write("summary.csv", &statistics::to_csv(&summary))?;
    folder.write("timing.csv", &timing_csv(&records))?;
    show(args, &folder, &records, &summary)?;
    Ok(exit(&records))
}

/// The runs of a plan, one after another, into one folder.
struct Batch<'a> {
    loaded: &'a Loaded,
    job: &'a Job<'a>,
    folder: &'a OutFolder,
    mode: Option<ProgressMode>,
    runs: usize,
}

impl Batch<'_> {
    /// `first` is the world of the first run, and when its building began.
    fn run(&self, plan: &[PlannedRun], first: (Simulation, Instant)) -> Result<Vec<RunRecord>, RunnerError> {
        let mut events = self.folder.begin("events.jsonl")?;
        let mut records = Vec::with_capacity(plan.len());
        let mut first = Some(first);
        for planned in plan {
            let (simulation, start) = match first.take() {
                Some(built) => built,
                None => {
                    let start = Instant::now();
                    (self.job.build(planned)?, start)
                }
            };
            let ended = self.drive(planned, simulation, &mut events)?;
            if let Ended::Panicked(reason) = &ended {
                error!(run = planned.run_id, seed = planned.seed, reason, "run failed");
            }
            let interrupted = matches!(ended, Ended::Interrupted);
            records.push(self.job.record(planned, ended, start));
            if interrupted {
                break;
            }
        }
        events.finish()?;
        Ok(records)
    }

    fn drive(
        &self,
        planned: &PlannedRun,
        simulation: Simulation,
        events: &mut Pending,
    ) -> Result<Ended, RunnerError> {
        debug!(run = planned.run_id, seed = planned.seed, "run begins");
        let Self { loaded, folder, runs, .. } = self;
        let title = match runs {
            1 => loaded.name.clone(),
            _ => format!("{} {}/{runs}", loaded.name, planned.run_id + 1),
        };
        let ledger = folder.path().join("ledger").join(planned.run_id.to_string());
        let store = SledStore::create(&ledger, durability(loaded.scenario.ledger.durability))
            .map_err(|error| RunnerError::from(LedgerError::from(error)))?;
        let mut progress =
            Progress::begin(self.mode, planned.run_id, title, u64::from(loaded.scenario.ticks.get()));
        let ended = self.job.drive(planned, simulation, store, |tick| {
            progress.tick(tick.tick.0 + 1);
            log(events, planned, tick)
        });
        progress.end();
        ended
    }
}

fn refuse_beyond(limit: Bytes, loaded: &Loaded) -> Result<(), RunnerError> {
    let estimate = Bytes(loaded.scenario.memory_bytes());
    if estimate > limit {
        return Err(RunnerError::Memory { estimate, limit, agents: loaded.scenario.agents.get() });
    }
    Ok(())
}

fn durability(durability: scenario::Durability) -> Durability {
    match durability {
        scenario::Durability::Tick => Durability::Tick,
        scenario::Durability::Group(ticks) => Durability::Group { ticks: ticks.get() },
        scenario::Durability::End => Durability::End,
    }
}

fn log(events: &mut Pending, run: &PlannedRun, record: &TickRecord) -> Result<(), RunnerError> {
    let event = TickEvent {
        event: "tick",
        run: run.run_id,
        tick: record.tick.0,
        fingerprint: record.fingerprint.to_string(),
        counts: record.counts,
    };
    let mut line = serde_json::to_vec(&event).expect("an event is plain data");
    line.push(b'\n');
    events.write(&line)
}

/// `timing.csv`: the only file whose bytes differ between two runs of the same plan.
fn timing_csv(records: &[RunRecord]) -> String {
    let header = ["run_id", "wall_s", "agent_ticks_per_s", "peak_rss_bytes", "threads"];
    let rows = records.iter().filter_map(|record| {
        let t = record.timing?;
        let optional = |x: Option<String>| x.unwrap_or_default();
        Some(vec![
            record.run_id.to_string(),
            t.wall_s.to_string(),
            optional(t.agent_ticks_per_s.map(|x| x.to_string())),
            optional(t.peak_rss_bytes.map(|x| x.to_string())),
            t.threads.to_string(),
        ])
    });
    csv_text(std::iter::once(header.map(str::to_owned).to_vec()).chain(rows))
}

fn show(
    args: &RunArgs,
    folder: &OutFolder,
    records: &[RunRecord],
    summary: &[Statistic],
) -> Result<(), RunnerError> {
    if args.json {
        let document =
            serde_json::to_string(&Document { runs: records, summary }).expect("records are plain data");
        return print(&(document + "\n"));
    }
    let style = Style::of_stdout();
    let text = match records {
        [record] => report::run(record, &folder.path().join("ledger/0"), style),
        _ => report::replicates(records, summary, style),
    };
    print(&format!("{text}\n{} {}\n", style.dim("results in"), folder.path().display()))
}

fn exit(records: &[RunRecord]) -> Exit {
    let any = |status| records.iter().any(|r| r.status == status);
    if any(Status::Interrupted) {
        Exit::Interrupted
    } else if any(Status::Failed) {
        Exit::RunFailed
    } else {
        Exit::Ok
    }
}
