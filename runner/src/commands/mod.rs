//! One file a verb: arguments in, exit code out.

pub mod bench;
pub mod bisect;
pub mod capture;
pub mod detect;
pub mod golden;
pub mod ledger;
pub mod plan;
pub mod plugin;
pub mod replay;
pub mod report;
pub mod resume;
pub mod run;
pub mod scenario;
pub mod selftest;
pub mod swarm;

use std::num::NonZeroUsize;

use crate::error::RunnerError;
use crate::scenario::{Override, ScenarioError};

/// Threads as asked for, or as many as the machine offers.
fn threads(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// The layers above the files: environment, `--set`, dedicated flags.
fn overrides(set: &[String], seed: Option<u64>) -> Result<Vec<Override>, ScenarioError> {
    let mut overrides = Override::from_environment(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    for text in set {
        overrides.push(Override::from_flag(text)?);
    }
    overrides.extend(seed.map(|seed| Override::from_dedicated("--seed", "seed", &seed)));
    Ok(overrides)
}

fn print(text: &str) -> Result<(), RunnerError> {
    crate::terminal::print(text).map_err(RunnerError::io("write to", "standard output".as_ref()))
}
