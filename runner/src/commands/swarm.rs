//! `runner swarm`.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::output::write_whole;
use crate::run::INTERRUPTED;
use crate::scenario::ron_options;
use crate::swarm::{Failure, check, scenario};

/// Arguments of `swarm`.
#[derive(Debug, Args)]
pub struct SwarmArgs {
    /// How long to go on: 60s, 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = budget)]
    budget: Duration,
    /// The first case; the others count up from it
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Only this case, which a failure named
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    case: Option<u64>,
    /// Print the case's scenario instead of running it
    #[arg(long, requires = "case")]
    show: bool,
    /// Cases that failed once: they run first, and new failures are added
    #[arg(long, value_name = "FILE")]
    seeds_file: Option<PathBuf>,
}

/// First line of the file of seeds.
const HEADING: &str = "# Cases of `runner swarm` that failed once.\n";

fn budget(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().ok().map(|n| n * unit);
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|budget| !budget.is_zero())
        .ok_or_else(|| "expected a time above 0, such as 60s or 5m".to_owned())
}

/// Checks random scenarios until the budget is spent.
///
/// # Errors
/// If the file of seeds cannot be used. A broken invariant is reported, and exit code 4.
pub fn swarm(args: &SwarmArgs, quiet: bool) -> Result<Exit, RunnerError> {
    if let Some(case) = args.case {
        if args.show {
            print(&ron(&scenario(case)))?;
            return Ok(Exit::Ok);
        }
        return Ok(match check(case) {
            Ok(()) => {
                print(&format!("ok  case {case}\n"))?;
                Exit::Ok
            }
            Err(failure) => {
                describe(&failure)?;
                Exit::Mismatch
            }
        });
    }
    let mut known = match &args.seeds_file {
        Some(file) if file.exists() => {
            let text = fs::read_to_string(file).map_err(RunnerError::io("read", file))?;
            let cases =
                text.lines().map(|l| l.split('#').next().unwrap_or("").trim()).filter(|l| !l.is_empty());
            cases
                .map(str::parse::<u64>)
                .collect::<Result<Vec<u64>, _>>()
                .map_err(|error| RunnerError::BadFolder { path: file.clone(), problem: error.to_string() })?
        }
        Some(file) => {
            // A failure that cannot be written down at the end would have to be found once more.
            write_whole(file, HEADING)?;
            Vec::new()
        }
        None => Vec::new(),
    };
    let start = Instant::now();
    let (mut cases, mut failed) = (0u64, 0u64);
    let bar = bar(args.budget, quiet);
    let before = known.clone();
    for case in before.iter().copied().chain(args.seed..) {
        if start.elapsed() >= args.budget || INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
        cases += 1;
        bar.set_position(start.elapsed().as_secs());
        bar.set_message(format!("{cases} cases, {failed} failed"));
        if let Err(failure) = check(case) {
            failed += 1;
            bar.suspend(|| describe(&failure))?;
            if !known.contains(&case) {
                known.push(case);
            }
        }
    }
    bar.finish_and_clear();
    if let Some(file) = &args.seeds_file
        && known != before
    {
        let text: String = known.iter().map(|case| format!("{case}\n")).collect();
        write_whole(file, &(HEADING.to_owned() + &text))?;
    }
    print(&format!("{cases} cases in {:.0} s, {failed} failed\n", start.elapsed().as_secs_f64()))?;
    Ok(match failed {
        _ if INTERRUPTED.load(Ordering::Relaxed) => Exit::Interrupted,
        0 => Exit::Ok,
        _ => Exit::Mismatch,
    })
}

/// Drawn on a terminal only.
fn bar(budget: Duration, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("swarm {bar:32} {pos}/{len} s · {msg}");
    let style = style.expect("the template is valid").progress_chars("━╸─");
    ProgressBar::new(budget.as_secs()).with_style(style)
}

fn describe(failure: &Failure) -> Result<(), RunnerError> {
    let Failure { case, broken, scenario } = failure;
    print(&format!(
        "FAILED  case {case}: {broken}\n  {} agents, {} ticks\n  replay it: runner swarm --case {case}\n",
        scenario.agents.get(),
        scenario.ticks.get()
    ))
}

fn ron(scenario: &phalanx_sim::scenario::Scenario) -> String {
    let layout = ron::ser::PrettyConfig::new().indentor("    ");
    ron_options().to_string_pretty(scenario, layout).expect("a scenario is plain data") + "\n"
}
