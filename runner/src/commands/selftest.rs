//! `runner selftest`.

use std::io::{IsTerminal, stderr};
use std::num::NonZeroUsize;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{print, threads};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::selftest::{Effort, Report, run, table};
use crate::terminal::{Style, complain};

/// Arguments of `selftest`.
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// Repeat ten times as often, and measure what takes long too
    #[arg(long)]
    full: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Root of all random draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads; they change no result [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Runs the command. `quiet` shows no progress.
///
/// # Errors
/// If standard output cannot be written. What misses is shown, and exit code 4.
pub fn selftest(args: &SelftestArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let effort = if args.full { Effort::Full } else { Effort::Quick };
    let start = Instant::now();
    let bar = (!quiet && stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("selftest {bar:32} {pos}/{len} checks · {eta} left")
            .expect("the template is valid")
            .progress_chars("━╸─");
        ProgressBar::new(1).with_style(style)
    });
    let report = run(args.seed, effort, threads(args.threads), |done, all| {
        if let Some(bar) = &bar {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        }
    });
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    if args.json {
        let text = serde_json::to_string(&report).expect("a report is plain data");
        print(&(text + "\n"))?;
    } else {
        print(&table(&report, Style::of_stdout()))?;
    }
    if !quiet {
        complain(&format!("selftest took {:.1} s\n", start.elapsed().as_secs_f64()));
    }
    Ok(exit_of(&report))
}

/// 0, or 4 if a check misses.
pub(crate) fn exit_of(report: &Report) -> Exit {
    if report.missed == 0 { Exit::Ok } else { Exit::Mismatch }
}
