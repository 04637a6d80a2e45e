//! `runner bisect`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use phalanx_sim::Pool;

use super::replay::Recorded;
use super::{overrides, print, threads};
use crate::bisect::{Parting, Side, part};
use crate::chain::Chain;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::run::{INTERRUPTED, Job};
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
    /// Version and commit that recorded it.
    by: String,
}

impl Named {
    fn read(path: &Path, run: u32, set: &[String], seed: Option<u64>) -> Result<Self, RunnerError> {
        if path.is_dir() {
            if !set.is_empty() || seed.is_some() {
                return Err(RunnerError::Resume {
                    folder: path.to_owned(),
                    problem: "its runs are recorded, so no field and no seed can be set".to_owned(),
                    remedy: "name the scenario's file instead",
                });
            }
            let recorded = Recorded::read(path)?;
            let planned = recorded.planned(path, run)?;
            let job = recorded.campaign.job(planned.configuration)?;
            let series = super::replay::fingerprints(path, run)?;
            let (seed, by) = (recorded.campaign.seed(&planned), recorded.recorded_by());
            return Ok(Self { job, seed, recorded: series, by });
        }
        let loaded = load(path, &overrides(set, seed)?)?;
        let seed = loaded.scenario.seed;
        Ok(Self { job: Arc::new(Job::open(loaded)?), seed, recorded: Vec::new(), by: String::new() })
    }

    /// The first tick in which this build does not compute what was recorded.
    fn moved(&self, threads: usize) -> Result<Option<usize>, RunnerError> {
        if self.recorded.is_empty() {
            return Ok(None);
        }
        let pool = Pool::new(threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
        let simulation = self.job.build(self.seed, &pool)?;
        let mut found = Vec::with_capacity(self.recorded.len());
        self.job.drive(simulation, Chain::root_only(self.job.digest(), self.seed), None, |tick| {
            let (head, _) = tick.fingerprint.0.split_first_chunk().expect("a fingerprint has 32 bytes");
            found.push(u64::from_be_bytes(*head));
            Ok(())
        })?;
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(RunnerError::Interrupted);
        }
        Ok(found.iter().zip(&self.recorded).position(|(found, recorded)| found != recorded))
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
    let (threads_a, threads_b) = (args.threads_a.map_or(1, NonZeroUsize::get), threads(args.threads_b));
    let mut moved = false;
    for (name, named, threads) in [("A", &a, threads_a), ("B", &b, threads_b)] {
        if let Some(tick) = named.moved(threads)? {
            moved = true;
            print(&format!(
                "{name}: from tick {tick} on, this build does not compute what {} recorded\n",
                named.by
            ))?;
        }
    }
    let left = Side { job: &a.job, seed: a.seed, threads: threads_a, bug: None };
    let right = Side { job: &b.job, seed: b.seed, threads: threads_b, bug: None };
    match part(&left, &right)? {
        Some(Parting { tick, phase, agent, field, agents }) => {
            print(&match (phase, agent) {
                (Some(phase), Some(agent)) => format!(
                    "this build's runs part in tick {tick}, phase {phase}, agent {agent}, {}; after that phase {}\n",
                    field.map_or("which only one of them has".to_owned(), |field| format!("field {field}")),
                    if agents == 1 {
                        "1 agent differs".to_owned()
                    } else {
                        format!("{agents} agents differ")
                    },
                ),
                _ => format!(
                    "this build's runs part in tick {tick}, in messages or decisions: no agent's state differs\n"
                ),
            })?;
            Ok(Exit::Mismatch)
        }
        None if moved || parted.is_some() => {
            print(
                "this build computes the same for both: to see what changed between versions, run both versions' \
                 `runner replay --to-tick` on that tick\n",
            )?;
            Ok(Exit::Mismatch)
        }
        None => {
            print("the runs are the same, in every tick\n")?;
            Ok(Exit::Ok)
        }
    }
}
