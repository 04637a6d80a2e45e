//! `runner golden check|bless`.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};

use super::{print, threads};
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::golden::{Difference, Golden, names, path_of, updated_path_of};
use crate::scenario::nearest;
use crate::terminal::{complain, render};

/// Blessed outcomes.
#[derive(Debug, Subcommand)]
pub enum GoldenCommand {
    /// Run the goldens' scenarios again and name every value that moved
    Check(GoldenCheckArgs),
    /// Run scenarios and keep their outcome as golden
    Bless(BlessArgs),
}

/// Arguments of `golden check`.
#[derive(Debug, Args)]
pub struct GoldenCheckArgs {
    /// Names of goldens, or scenario files; none means all
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Arguments of `golden bless`.
#[derive(Debug, Args)]
pub struct BlessArgs {
    /// Names of goldens to refresh, or scenario files; none refreshes all
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Override a field of the scenario, and keep that in the golden
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Bless although engine/ has changes that are not committed
    #[arg(long)]
    force: bool,
    /// Name of the golden, if not that of the scenario
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// What both have.
#[derive(Debug, Args)]
struct CommonArgs {
    /// Folder of the goldens; scenarios are relative to the folder that holds it
    #[arg(long, value_name = "DIR", default_value = "golden")]
    dir: PathBuf,
    /// Threads of a run; they change no result [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl CommonArgs {
    /// The folder that scenarios are relative to.
    fn base(&self) -> PathBuf {
        match self.dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// If a golden or scenario cannot be used. What moved is reported, and exit code 4.
pub fn golden(command: &GoldenCommand) -> Result<Exit, RunnerError> {
    match command {
        GoldenCommand::Check(args) => check(args),
        GoldenCommand::Bless(args) => bless(args),
    }
}

fn check(args: &GoldenCheckArgs) -> Result<Exit, RunnerError> {
    let CommonArgs { dir, threads: asked, .. } = &args.common;
    let names = chosen(dir, &args.scenarios)?;
    if names.is_empty() {
        return Err(RunnerError::NoGoldens { folder: dir.clone() });
    }
    let mut exit = Exit::Ok;
    for name in names {
        let compared = Golden::read(&path_of(dir, &name)).and_then(|blessed| {
            let found = Golden::run(&args.common.base(), &blessed.scenario, &blessed.set, threads(*asked))?;
            Ok((blessed.compare(&found), found))
        });
        let updated = updated_path_of(dir, &name);
        match compared {
            Ok((difference, _)) if difference.is_none() => {
                // What an earlier check left is out of date.
                let _ = fs::remove_file(&updated);
                print(&format!("ok  {name}\n"))?;
            }
            Ok((difference, found)) => {
                found.write(&updated)?;
                print(&describe(&name, &difference, &updated))?;
                exit = Exit::Mismatch;
            }
            Err(RunnerError::Interrupted) => return Err(RunnerError::Interrupted),
            // A golden that cannot be compared is no reason to leave the others unchecked.
            Err(error) => {
                print(&format!("FAILED  {name}\n"))?;
                complain(&render(&error));
                exit = if exit == Exit::Ok { error.exit() } else { exit };
            }
        }
    }
    Ok(exit)
}

fn describe(name: &str, difference: &Difference, updated: &Path) -> String {
    let mut text = format!("MOVED  {name}\n");
    if let Some(tick) = difference.first_tick {
        text += &format!("  first tick whose fingerprint differs: {tick}\n");
    }
    for moved in &difference.moved {
        text += &format!("  {moved}\n");
    }
    text + &format!("  found instead: {}\n", updated.display())
}

fn bless(args: &BlessArgs) -> Result<Exit, RunnerError> {
    let BlessArgs { scenarios, set, force, name, common } = args;
    if (name.is_some() || !set.is_empty()) && scenarios.len() != 1 {
        return Err(RunnerError::BlessNeedsScenario);
    }
    if !force && let Some(changed) = uncommitted(&common.base()) {
        return Err(RunnerError::DirtyEngine { changed });
    }
    let scenarios = if scenarios.is_empty() { names(&common.dir)? } else { scenarios.clone() };
    if scenarios.is_empty() {
        return Err(RunnerError::NoGoldens { folder: common.dir.clone() });
    }
    for scenario in &scenarios {
        let (name, file, set) = if Path::new(scenario).is_file() {
            let stem = Path::new(scenario).file_stem().unwrap_or(OsStr::new("scenario")).to_string_lossy();
            let name = name.clone().unwrap_or_else(|| stem.into_owned());
            (name, relative(Path::new(scenario), &common.base())?, set.clone())
        } else if is_file_name(scenario) {
            // Says what is missing, with the most alike that is not.
            crate::scenario::load(Path::new(scenario), &[])?;
            continue;
        } else {
            let existing = chosen(&common.dir, std::slice::from_ref(scenario))?.remove(0);
            let blessed = Golden::read(&path_of(&common.dir, &existing))?;
            let set = if set.is_empty() { blessed.set } else { set.clone() };
            (name.clone().unwrap_or(existing), blessed.scenario, set)
        };
        bless_one(&name, &file, &set, common)?;
    }
    Ok(Exit::Ok)
}

/// The first file of engine/ that differs from the last commit. Outside a repository, or without git, nobody knows.
fn uncommitted(base: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(base).args(["status", "--porcelain", "--", "engine"]);
    let output = git.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(|line| line.get(3..).unwrap_or(line).to_owned())
}

fn bless_one(name: &str, scenario: &str, set: &[String], common: &CommonArgs) -> Result<(), RunnerError> {
    let found = Golden::run(&common.base(), scenario, set, threads(common.threads))?;
    fs::create_dir_all(&common.dir).map_err(RunnerError::io("create the folder", &common.dir))?;
    let path = path_of(&common.dir, name);
    let what = match Golden::read(&path) {
        Ok(before) if before == found => "unchanged".to_owned(),
        Ok(before) => format!("{} values moved", before.compare(&found).moved.len()),
        Err(_) => "new".to_owned(),
    };
    found.write(&path)?;
    let _ = fs::remove_file(updated_path_of(&common.dir, name));
    print(&format!("blessed  {} ({what})\n", path.display()))
}

/// Names of the goldens meant: by name or by the scenario's file; all if none is given.
fn chosen(dir: &Path, wanted: &[String]) -> Result<Vec<String>, RunnerError> {
    let existing = names(dir)?;
    if wanted.is_empty() {
        return Ok(existing);
    }
    let find = |wanted: &String| {
        let stem = Path::new(wanted).file_stem().map(|s| s.to_string_lossy().into_owned());
        let name = if is_file_name(wanted) { stem.unwrap_or_default() } else { wanted.clone() };
        if existing.contains(&name) {
            return Ok(name);
        }
        let nearest = nearest(&name, existing.iter().map(String::as_str)).map(str::to_owned);
        Err(RunnerError::NoGolden { name, folder: dir.to_owned(), nearest })
    };
    wanted.iter().map(find).collect()
}

fn is_file_name(text: &str) -> bool {
    Path::new(text).extension() == Some(OsStr::new("ron"))
}

/// The scenario's path from `base`, with `/`, so that a golden reads the same on every machine.
fn relative(scenario: &Path, base: &Path) -> Result<String, RunnerError> {
    let absolute = |path: &Path| fs::canonicalize(path).map_err(RunnerError::io("find", path));
    let (file, base) = (absolute(scenario)?, absolute(base)?);
    let path = file.strip_prefix(&base).unwrap_or(&file);
    Ok(path.to_string_lossy().replace('\\', "/"))
}
