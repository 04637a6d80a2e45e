//! `runner resume|extend|merge|status`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use phalanx_sim::scenario::Positive;

use super::print;
use super::run::{BatchArgs, finish};
use crate::batch::journal::Journal;
use crate::batch::{Batch, results};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::manifest::{Manifest, keep_table, write_plan};
use crate::output::OutFolder;
use crate::plan::Numbering;
use crate::progress::about;
use crate::record::Status;
use crate::report::count;
use crate::run::INTERRUPTED;
use crate::series::SeriesWriter;

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Output folder of a campaign that was interrupted or killed
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    batch: BatchArgs,
}

/// Arguments of `extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// Output folder of a campaign
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Replicates to add to every configuration: +10
    #[arg(long, value_name = "+K", value_parser = more)]
    reps: u32,
    #[command(flatten)]
    batch: BatchArgs,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Output folders of all shards of a campaign
    #[arg(value_name = "DIR", required = true, num_args = 1..)]
    dirs: Vec<PathBuf>,
    /// Output folder, absent or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Output folder of a campaign
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Look again every second until all runs have ended
    #[arg(long)]
    watch: bool,
}

/// Between two looks of `status --watch`.
const WATCH: Duration = Duration::from_secs(1);

fn more(text: &str) -> Result<u32, String> {
    let count = text.strip_prefix('+').unwrap_or(text).parse().ok().filter(|n| (1..1 << 30).contains(n));
    count.ok_or_else(|| "expected a number of replicates to add, such as +10".to_owned())
}

/// Goes on with a campaign.
///
/// # Errors
/// If it cannot go on as it began, or the output cannot be written.
pub fn resume(args: &ResumeArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let manifest = Manifest::read(&args.dir)?;
    go_on(&args.dir, &manifest, None, &args.batch, quiet)
}

/// Adds replicates to a campaign.
///
/// # Errors
/// As [`resume`]; and for a campaign that decides by itself how many replicates it needs.
pub fn extend(args: &ExtendArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let manifest = Manifest::read(&args.dir)?;
    let refuse =
        |problem: String, remedy| Err(RunnerError::Resume { folder: args.dir.clone(), problem, remedy });
    if let Some(until) = &manifest.study.until {
        let problem = format!("decides by itself how many replicates it needs: {until}");
        return refuse(problem, "begin anew with a tighter --until");
    }
    let reps = manifest.study.replicates.get().saturating_add(args.reps);
    if reps > 1 << 30 {
        return refuse(format!("{reps} replicates are too many"), "add fewer");
    }
    go_on(&args.dir, &manifest, Some(reps), &args.batch, quiet)
}

/// Goes on with a campaign, which gets so many replicates if a number is given.
fn go_on(
    dir: &Path,
    manifest: &Manifest,
    reps: Option<u32>,
    batch: &BatchArgs,
    quiet: bool,
) -> Result<Exit, RunnerError> {
    let mut campaign = manifest.campaign(dir)?;
    manifest.check_unchanged(dir, &campaign)?;
    manifest.check_plan(dir, &campaign)?;
    let mut manifest = manifest.clone();
    if let Some(reps) = reps {
        manifest.study.replicates = Positive::new(reps);
        campaign = manifest.campaign(dir)?;
    }
    batch.refuse_beyond_memory(&campaign)?;
    let folder = OutFolder::reopen(dir)?;
    let numbering = campaign.numbering()?;
    let plan_sha256 = write_plan(&folder, &campaign, &numbering, manifest.shard)?;
    manifest.plan_sha256 = plan_sha256;
    manifest.write(dir)?;
    let journal = Journal::resume(dir)?;
    let mut options = batch.options(numbering.len(), quiet);
    options.checkpoint_every = options.checkpoint_every.or(manifest.checkpoint_every());
    let campaign = Arc::new(campaign);
    let batch_of = Batch::new(Arc::clone(&campaign), folder, journal, manifest.shard, options)?;
    finish(batch_of, &campaign, manifest.shard, None, batch.json())
}

/// Puts the shards of a campaign together.
///
/// # Errors
/// If they are not shards of one campaign, a run is missing or there twice, or the output cannot be written.
pub fn merge(args: &MergeArgs) -> Result<Exit, RunnerError> {
    let manifests: Vec<Manifest> =
        args.dirs.iter().map(|dir| Manifest::read(dir)).collect::<Result<_, _>>()?;
    let mut first = manifests[0].clone();
    first.shard = None;
    for (dir, manifest) in args.dirs.iter().zip(&manifests) {
        if manifest.scenario_digest != first.scenario_digest || manifest.study != first.study {
            return Err(RunnerError::Resume {
                folder: dir.clone(),
                problem: format!("holds another campaign than {}", args.dirs[0].display()),
                remedy: "merge shards of one scenario, seed and study",
            });
        }
    }
    let campaign = first.campaign(&args.dirs[0])?;
    for (dir, manifest) in args.dirs.iter().zip(&manifests) {
        manifest.check_plan(dir, &campaign)?;
    }
    let numbering = campaign.numbering()?;
    let journals: Vec<Journal> = args.dirs.iter().map(|dir| Journal::read(dir)).collect::<Result<_, _>>()?;
    let mut holder: Vec<Option<usize>> = vec![None; numbering.len() as usize];
    for (index, journal) in journals.iter().enumerate() {
        for run in journal.runs().filter(|run| journal.status(*run) != Some(Status::Interrupted)) {
            let Some(slot) = holder.get_mut(run as usize) else { continue };
            if let Some(other) = slot.replace(index) {
                return Err(RunnerError::Resume {
                    folder: args.dirs[index].clone(),
                    problem: format!("holds run {run}, as does {}", args.dirs[other].display()),
                    remedy: "name every shard once",
                });
            }
        }
    }
    if let Some(run) = holder.iter().position(Option::is_none) {
        let missing = holder.iter().filter(|h| h.is_none()).count();
        return Err(RunnerError::Resume {
            folder: args.out.clone(),
            problem: format!("{missing} runs are in none of the folders, the first is run {run}"),
            remedy: "name all shards, and resume those that were interrupted",
        });
    }
    let folder = OutFolder::create(&args.out)?;
    let plan_sha256 = write_plan(&folder, &campaign, &numbering, None)?;
    first.plan_sha256 = plan_sha256;
    keep_table(&campaign, Path::new(""), folder.path())?;
    first.write(folder.path())?;
    let mut journal = Journal::create(folder.path())?;
    for (run, index) in holder.iter().enumerate() {
        let line = journals[index.expect("none is missing")].line(run as u32)?.expect("its status was read");
        journal.run(&crate::batch::journal::RunLine { rows: None, ..line })?;
    }
    if campaign.kept().series {
        let mut series = SeriesWriter::open(folder.path(), campaign.loaded().scenario.ticks.get())?;
        for dir in &args.dirs {
            series.take_over(dir)?;
        }
        series.finish()?;
    }
    for dir in &args.dirs {
        for what in ["ledger", "failures"] {
            copy_folders(&dir.join(what), &folder.path().join(what))?;
        }
    }
    results::write(&folder, &journal, &numbering, campaign.len())?;
    print(&format!("{} runs of {} shards in {}\n", numbering.len(), args.dirs.len(), args.out.display()))?;
    let failed = holder.iter().enumerate().any(|(run, _)| journal.status(run as u32) != Some(Status::Ok));
    Ok(if failed { Exit::RunFailed } else { Exit::Ok })
}

/// Copies what is inside a folder, if there is one.
fn copy_folders(from: &Path, to: &Path) -> Result<(), RunnerError> {
    if !from.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(to).map_err(RunnerError::io("create the folder", to))?;
    for entry in std::fs::read_dir(from).map_err(RunnerError::io("read the folder", from))? {
        let path = entry.map_err(RunnerError::io("read the folder", from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folders(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(RunnerError::io("copy to", &target))?;
        }
    }
    Ok(())
}

/// Says how far a campaign is.
///
/// # Errors
/// If the folder is none of a campaign.
pub fn status(args: &StatusArgs) -> Result<Exit, RunnerError> {
    let manifest = Manifest::read(&args.dir)?;
    let campaign = manifest.campaign(&args.dir)?;
    let planned = campaign.numbering()?;
    let mut journal = Journal::read(&args.dir)?;
    let (text, first, all) = describe(&args.dir, &manifest, &journal, &planned);
    if !args.watch || first >= all {
        print(&(text + "\n"))?;
        return Ok(Exit::Ok);
    }
    // On a terminal one line is drawn over and over; elsewhere a line is for what changed.
    let line = std::io::stdout().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{bar:32} {msg}").expect("the template is valid");
        ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stdout())
            .with_style(style.progress_chars("━╸─"))
    });
    let begin = Instant::now();
    let mut said = String::new();
    loop {
        let (text, ended, all) = describe(&args.dir, &manifest, &journal, &planned);
        let rate = (ended.saturating_sub(first)) as f64 / begin.elapsed().as_secs_f64();
        let left = match rate > 0.0 && ended < all {
            true => format!(" · {} left", about((all - ended) as f64 / rate)),
            false => String::new(),
        };
        let over = ended >= all || INTERRUPTED.load(Ordering::Relaxed);
        match &line {
            Some(line) if over => line.finish_and_clear(),
            Some(line) => {
                line.set_length(all as u64);
                line.set_position(ended as u64);
                line.set_message(format!("{text}{left}"));
            }
            None => {}
        }
        if text != said && (line.is_none() || over) {
            print(&format!("{text}{left}\n"))?;
            said = text;
        }
        if over {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(WATCH);
        journal.follow()?;
    }
}

fn describe(
    dir: &Path,
    manifest: &Manifest,
    journal: &Journal,
    planned: &Numbering,
) -> (String, usize, usize) {
    let mine = |run: &u32| manifest.shard.is_none_or(|s| s.has(*run));
    // A campaign with a rule for stopping may have planned more since.
    let last = journal.runs().last().map_or(0, |run| run + 1).max(planned.len());
    let all = (0..last).filter(mine).count();
    let of = |status| (0..last).filter(|run| journal.status(*run) == Some(status)).count();
    let (ok, failed, timeout) = (of(Status::Ok), of(Status::Failed), of(Status::Timeout));
    let ended = ok + failed + timeout;
    let mut text = format!("{} · {} of {} runs ended", manifest.name, count(ended as u64), count(all as u64));
    for (n, what) in [(failed, "failed"), (timeout, "out of time")] {
        if n > 0 {
            text += &format!(" · {} {what}", count(n as u64));
        }
    }
    text += match (ended == all, OutFolder::is_locked(dir)) {
        (true, false) if timeout > 0 => " · complete: `runner resume` gives those out of time another try",
        (true, false) => " · complete",
        (_, true) => " · running",
        (false, false) => " · not running: go on with `runner resume`",
    };
    (text, ended, all)
}
