//! `runner bench`.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::bench::{self, CAMPAIGNS, Figures, KERNELS, WORLDS};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::terminal::Style;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only what has this in its name
    #[arg(value_name = "NAME")]
    only: Option<String>,
    /// Rounds of each measurement; the table shows their median and the best
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Show how many times better the figures are than those in this file
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Also show which phases of a tick the time goes to
    #[arg(long)]
    phases: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Only do a kernel's work so many times, for a tool that counts instructions
    #[arg(long, value_name = "N", requires = "only", conflicts_with_all = ["save", "compare", "phases", "json"])]
    repeat: Option<u64>,
}

/// Runs the command. `quiet` shows no progress.
///
/// # Errors
/// If a file cannot be read or written, or nothing has such a name.
pub fn bench(args: &BenchArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let saved = args.compare.as_deref().map(Figures::read).transpose()?;
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| name.contains(only));
    let kernels: Vec<_> = KERNELS.iter().filter(|kernel| wanted(kernel.name)).collect();
    let worlds: Vec<_> = WORLDS.iter().filter(|world| wanted(world.name)).collect();
    let campaigns: Vec<_> = CAMPAIGNS.iter().filter(|campaign| wanted(campaign.name)).collect();
    if kernels.is_empty() && worlds.is_empty() && campaigns.is_empty() {
        let known = KERNELS.iter().map(|kernel| kernel.name).chain(WORLDS.iter().map(|world| world.name));
        let known = known.chain(CAMPAIGNS.iter().map(|campaign| campaign.name));
        return Err(RunnerError::UnknownBench {
            name: args.only.clone().unwrap_or_default(),
            known: known.collect::<Vec<_>>().join("; "),
        });
    }
    if let Some(times) = args.repeat {
        for kernel in kernels {
            let mut work = (kernel.prepare)();
            (0..times).for_each(|_| _ = work());
        }
        return Ok(Exit::Ok);
    }
    let twice = worlds.iter().filter(|world| world.threads).count()
        + campaigns.iter().filter(|campaign| campaign.jobs).count();
    let steps = kernels.len() + worlds.len() + campaigns.len() + twice;
    let bar = (!quiet && stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("bench {bar:32} {pos}/{len} · {msg}")
            .expect("the template is valid")
            .progress_chars("━╸─");
        ProgressBar::new(steps as u64).with_style(style)
    });
    let step = |name: &str| {
        if let Some(bar) = &bar {
            bar.inc(1);
            bar.set_message(name.to_owned());
        }
    };
    let rounds = args.rounds as usize;
    let mut figures = Vec::new();
    for kernel in kernels {
        step(kernel.name);
        figures.push(bench::measure_kernel(kernel, rounds));
    }
    for world in &worlds {
        step(world.name);
        figures.extend(world.measure(rounds));
        if world.threads {
            step(world.name);
            figures.push(world.measure_threads(rounds));
        }
    }
    for campaign in campaigns {
        step(campaign.name);
        figures.extend(campaign.measure(rounds)?);
        if campaign.jobs {
            step(campaign.name);
            figures.push(campaign.measure_jobs(rounds)?);
        }
    }
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let set = Figures { engine: env!("CARGO_PKG_VERSION").to_owned(), figures };
    let document = || serde_json::to_string_pretty(&set).expect("figures are plain data") + "\n";
    if let Some(file) = &args.save {
        std::fs::write(file, document()).map_err(RunnerError::io("write", file))?;
    }
    if args.json {
        print(&document())?;
        return Ok(Exit::Ok);
    }
    print(&bench::table(&set.figures, saved.as_ref(), Style::of_stdout()))?;
    if args.phases {
        let phases: Vec<_> = worlds.iter().map(|world| (world.name, world.phases())).collect();
        print(&format!("\n{}", bench::phase_table(&phases, Style::of_stdout())))?;
    }
    Ok(Exit::Ok)
}
