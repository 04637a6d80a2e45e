//! `runner bisect`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::replay::Recorded;
use super::{overrides, print, threads};
use crate::bisect::{Parting, Side, part};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::run::Job;
use crate::scenario::load;

/// Arguments of `bisect`.
#[derive(Debug, Args)]
pub struct BisectArgs {
    /// Scenario file, or output folder
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another, or the same with other flags
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Run of an output folder
    #[arg(long, value_name = "ID", default_value = "0")]
    run: u32,
    /// Override a field of A
    #[arg(long, value_name = "PATH=VALUE")]
    set_a: Vec<String>,
    /// Override a field of B
    #[arg(long, value_name = "PATH=VALUE")]
    set_b: Vec<String>,
    /// Seed of A
    #[arg(long, value_name = "N")]
    seed_a: Option<u64>,
    /// Seed of B
    #[arg(long, value_name = "N")]
    seed_b: Option<u64>,
    /// Threads of A [default: 1]
    #[arg(long, value_name = "N")]
    threads_a: Option<NonZeroUsize>,
    /// Threads of B [default: all cores]
    #[arg(long, value_name = "N")]
    threads_b: Option<NonZeroUsize>,
}

/// A run of the command line: how to do it, and what was recorded of it.
struct Named {
    job: Arc<Job>,
    seed: u64,
    recorded: Vec<u64>,
}

impl Named {
    fn read(path: &Path, run: u32, set: &[String], seed: Option<u64>) -> Result<Self, RunnerError> {
        if path.is_dir() {
            let recorded = Recorded::read(path)?;
            let planned = recorded.planned(path, run)?;
            let job = recorded.campaign.job(planned.configuration)?;
            let series = super::replay::fingerprints(path, run)?;
            return Ok(Self { job, seed: recorded.campaign.seed(&planned), recorded: series });
        }
        let loaded = load(path, &overrides(set, seed)?)?;
        let seed = loaded.scenario.seed;
        Ok(Self { job: Arc::new(Job::open(loaded)?), seed, recorded: Vec::new() })
    }
}

/// Finds where two runs part.
///
/// # Errors
/// If a scenario or folder cannot be used. Where they part is reported, and exit code 4.
pub fn bisect(args: &BisectArgs) -> Result<Exit, RunnerError> {
    let a = Named::read(&args.a, args.run, &args.set_a, args.seed_a)?;
    let b = Named::read(&args.b, args.run, &args.set_b, args.seed_b)?;
    let parted = a.recorded.iter().zip(&b.recorded).position(|(x, y)| x != y);
    let both = !a.recorded.is_empty() && !b.recorded.is_empty();
    if both {
        print(&match parted {
            Some(tick) => format!("the recordings part in tick {tick}\n"),
            None => "the recordings are the same, tick by tick\n".to_owned(),
        })?;
    }
    let side = |named: &'_ Named, threads| -> (Arc<Job>, u64, usize) {
        (Arc::clone(&named.job), named.seed, threads)
    };
    let (job_a, seed_a, threads_a) = side(&a, args.threads_a.map_or(1, NonZeroUsize::get));
    let (job_b, seed_b, threads_b) = side(&b, threads(args.threads_b));
    let left = Side { job: &job_a, seed: seed_a, threads: threads_a, bug: None };
    let right = Side { job: &job_b, seed: seed_b, threads: threads_b, bug: None };
    match part(&left, &right)? {
        Some(Parting { tick, phase, agent, field, agents }) => {
            print(&match (phase, agent) {
                (Some(phase), Some(agent)) => format!(
                    "this build's runs part in tick {tick}, phase {phase}, agent {agent}, field {}; after that phase \
                     {agents} agents differ\n",
                    field.unwrap_or("(only one run has this agent)")
                ),
                _ => format!(
                    "this build's runs part in tick {tick}, in messages or decisions: no agent's state differs\n"
                ),
            })?;
            Ok(Exit::Mismatch)
        }
        None if parted.is_some() => {
            print(
                "this build computes the same for both, so the recordings are of different versions; run both \
                 versions' `runner replay --to-tick` on that tick\n",
            )?;
            Ok(Exit::Mismatch)
        }
        None => {
            print("the runs are the same, in every tick\n")?;
            Ok(Exit::Ok)
        }
    }
}
