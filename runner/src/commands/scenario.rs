//! `runner scenario check|show|schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{overrides, print};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::scenario::{load, schema};
use crate::terminal::{complain, render};

/// Scenario files.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Check scenario files and report what is wrong with each
    Check(CheckArgs),
    /// Print a scenario with everything resolved, as RON
    Show(ShowArgs),
    /// Print the JSON Schema of scenario files
    Schema,
}

/// Arguments of `scenario check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Override a field, as for `run`
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// Arguments of `scenario show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Override a field, as for `run`
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Override the seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// If the scenario to show is wrong. What is wrong with files to check is reported, and exit code 2.
pub fn scenario(command: &ScenarioCommand) -> Result<Exit, RunnerError> {
    match command {
        ScenarioCommand::Check(args) => check(args),
        ScenarioCommand::Show(args) => {
            let loaded = load(&args.file, &overrides(&args.set, args.seed)?)?;
            print(&loaded.to_ron())?;
            Ok(Exit::Ok)
        }
        ScenarioCommand::Schema => {
            let text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
            print(&(text + "\n"))?;
            Ok(Exit::Ok)
        }
    }
}

fn check(args: &CheckArgs) -> Result<Exit, RunnerError> {
    let overrides = overrides(&args.set, None)?;
    let mut exit = Exit::Ok;
    for file in &args.files {
        match load(file, &overrides) {
            Ok(_) => print(&format!("ok  {}\n", file.display()))?,
            Err(error) => {
                complain(&render(&error));
                exit = Exit::BadInput;
            }
        }
    }
    Ok(exit)
}
