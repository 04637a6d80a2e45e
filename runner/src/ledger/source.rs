//! Where a ledger is: the folder of one, a sealed file, or an output folder with the ledgers of its runs.

use std::path::{Path, PathBuf};
use std::{fs, io};

use phalanx_ledger::{Durability, LedgerError, LedgerReader, SealedLedger, SledStore, StoreError};

use super::copy::{Copied, is_writable};
use crate::error::RunnerError;

/// The ledgers that a path names: itself, or those of an output folder, by run.
///
/// # Errors
/// If there is none.
pub fn ledgers(path: &Path) -> Result<Vec<PathBuf>, RunnerError> {
    let none = || RunnerError::NoLedger { path: path.to_owned() };
    if path.is_file() && SealedLedger::is_sealed(path) {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Err(none());
    }
    let inside = path.join("ledger");
    if !inside.is_dir() {
        return Ok(vec![path.to_owned()]);
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

/// Opens the one ledger that a path names.
///
/// # Errors
/// If there is none, there are several, or it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn LedgerReader>, RunnerError> {
    let found = ledgers(path)?;
    match found.as_slice() {
        [one] => open_one(one).map_err(|error| of_path(error, one)),
        [first, ..] => {
            Err(RunnerError::ManyLedgers { path: path.to_owned(), count: found.len(), first: first.clone() })
        }
        [] => Err(RunnerError::NoLedger { path: path.to_owned() }),
    }
}

/// Opens a ledger's folder or a sealed file. Of a folder that cannot be written, or is on a full disk, a copy is read.
///
/// # Errors
/// As the ledger's own.
pub fn open_one(path: &Path) -> Result<Box<dyn LedgerReader>, LedgerError> {
    if path.is_file() {
        return Ok(Box::new(SealedLedger::open(path)?));
    }
    if path.is_dir() && !is_writable(path) {
        return Ok(Box::new(Copied::open(path)?));
    }
    match SledStore::open(path, Durability::End) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
            Ok(Box::new(Copied::open(path)?))
        }
        store => Ok(Box::new(store?)),
    }
}

/// An error of reading: that there is no ledger is said in the runner's words.
pub fn of_path(error: LedgerError, path: &Path) -> RunnerError {
    match error {
        LedgerError::Store(StoreError::NotALedger { .. }) | LedgerError::Empty => {
            RunnerError::NoLedger { path: path.to_owned() }
        }
        error => RunnerError::ReadLedger(Box::new(error)),
    }
}
