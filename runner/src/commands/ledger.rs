//! `runner ledger verify`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use phalanx_ledger::{LedgerError, StoreError, VerifyReport, verify_dir};

use super::print;
use crate::error::{RunnerError, chain};
use crate::exit::Exit;
use crate::record::hex;
use crate::terminal::complain;

/// Ledgers of finished runs.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Read ledgers back from the first entry and check them against their signed heads
    Verify(VerifyArgs),
}

/// Arguments of `ledger verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// An output folder (all its ledgers), or the folder of one ledger
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If there is no ledger, or one cannot be read. One that does not verify is reported, and exit code 4.
pub fn ledger(command: &LedgerCommand) -> Result<Exit, RunnerError> {
    let LedgerCommand::Verify(VerifyArgs { dir }) = command;
    let mut exit = Exit::Ok;
    for folder in ledgers(dir)? {
        match verify_dir(&folder) {
            Ok(report) => print(&describe(&folder, &report))?,
            Err(error) if error.is_mismatch() => {
                complain(&format!("FAILED  {}\n  {}\n", folder.display(), chain(&error)));
                exit = Exit::Mismatch;
            }
            Err(LedgerError::Store(StoreError::NotALedger { .. }) | LedgerError::Empty) => {
                return Err(RunnerError::NoLedger { path: folder });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// The ledgers of an output folder, by run; or the folder itself.
fn ledgers(dir: &Path) -> Result<Vec<PathBuf>, RunnerError> {
    let none = || RunnerError::NoLedger { path: dir.to_owned() };
    if !dir.is_dir() {
        return Err(none());
    }
    let inside = dir.join("ledger");
    if !inside.is_dir() {
        return Ok(vec![dir.to_owned()]);
    }
    let entries = fs::read_dir(&inside).map_err(RunnerError::io("read the folder", &inside))?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    // Runs are numbered: 2 comes before 10.
    folders.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    if folders.is_empty() { Err(none()) } else { Ok(folders) }
}

fn describe(folder: &Path, report: &VerifyReport) -> String {
    let head = &report.head;
    let key = if report.key_from_seed { "" } else { ", by a key that is not the seed's" };
    format!(
        "ok  {}\n    {} entries, head of tick {}, signature ok{key}\n    root {}\n",
        folder.display(),
        head.size,
        head.tick,
        hex(&head.root),
    )
}
