//! `runner scenario check|show|schema`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{overrides, print};
use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::plan::study::StudyArgs;
use crate::scenario::{Loaded, load, schema};
use crate::terminal::{complain, render};

/// Scenario files.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Check scenario files, with their studies, and report what is wrong with each
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
        let wrong = match load(file, &overrides) {
            Ok(loaded) => check_studies(&loaded, file),
            Err(error) => vec![render(&error)],
        };
        if wrong.is_empty() {
            print(&format!("ok  {}\n", file.display()))?;
            continue;
        }
        wrong.iter().for_each(|text| complain(text));
        exit = Exit::BadInput;
    }
    Ok(exit)
}

/// What is wrong with the scenario's studies, each mistake once.
fn check_studies(loaded: &Loaded, file: &Path) -> Vec<String> {
    let own = StudyArgs::default();
    let named = loaded.scenario.studies.iter().map(|study| StudyArgs::named(&study.name));
    let mut wrong: Vec<String> = Vec::new();
    for words in [own].into_iter().chain(named) {
        let planned = words.resolve(&loaded.scenario).map_err(RunnerError::from);
        let folder = file.parent().unwrap_or(Path::new(""));
        let planned = planned.and_then(|study| Campaign::new(loaded.clone(), study, folder));
        if let Err(error) = planned {
            let text = render(&error);
            if !wrong.contains(&text) {
                wrong.push(text);
            }
        }
    }
    wrong
}
