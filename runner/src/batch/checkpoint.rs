//! `checkpoints/<run>.bin`: where a run that did not end goes on.
//!
//! # Encoding, version 2
//! ```text
//! "PHXR"  version: u16, little-endian  body  checksum: the first 16 bytes of BLAKE3 of all before
//! ```
//! The body is [`Checkpoint`] in postcard's encoding. What it holds of the simulation says itself of which engine, scenario
//! and seed it is; see `phalanx_sim`. A file gets its name only when it is whole, and the ledger is on the disk before it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use phalanx_core::digest128;
use phalanx_sim::Simulation;
use serde::{Deserialize, Serialize};

use crate::chain::{Chain, Continued};
use crate::error::RunnerError;
use crate::output::Pending;

const MAGIC: &[u8] = b"PHXR";
const VERSION: u16 = 2;
const CHECKSUM: usize = 16;

/// A run between two of its ticks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Position in the plan.
    run: u32,
    /// How far its ledger was.
    pub(crate) ledger: Continued,
    /// Rows of the ticks so far, packed.
    pub(super) rows: Vec<u8>,
    /// What [`Simulation::save`] gave.
    simulation: Vec<u8>,
}

impl Checkpoint {
    /// The state of a run; its ledger is made durable first.
    pub(super) fn take(
        run: u32,
        simulation: &mut Simulation,
        chain: &mut Chain,
        rows: Vec<u8>,
    ) -> Result<Self, RunnerError> {
        Ok(Self { run, ledger: chain.pause()?, rows, simulation: simulation.save() })
    }

    /// Writes the file of the run.
    pub(super) fn write(&self, folder: &Path) -> Result<(), RunnerError> {
        let path = path(folder, self.run);
        let parent = path.parent().expect("the file lies in a folder");
        fs::create_dir_all(parent).map_err(RunnerError::io("create the folder", parent))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes = postcard::to_extend(self, bytes).expect("a checkpoint is plain data in memory");
        let checksum = digest128(&bytes);
        bytes.extend(checksum);
        let mut file = Pending::begin(path)?;
        file.write(&bytes)?;
        file.finish()
    }

    /// Reads a file, if there is one.
    ///
    /// # Errors
    /// If it is there and is no checkpoint of that run.
    pub(crate) fn read(path: &Path, run: u32) -> Result<Option<Self>, RunnerError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunnerError::io("read", path)(error)),
        };
        let bad = |problem: String| RunnerError::Checkpoint { path: path.to_owned(), problem };
        if !bytes.starts_with(MAGIC) {
            return Err(bad("this is no checkpoint of a run".to_owned()));
        }
        let damaged = || {
            bad(format!("the checksum of its {} bytes differs: they were changed or cut off", bytes.len()))
        };
        let (all, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM)
            .filter(|end| *end >= MAGIC.len() + 2)
            .map(|end| bytes.split_at(end))
            .ok_or_else(damaged)?;
        let version = u16::from_le_bytes([all[4], all[5]]);
        if version != VERSION {
            return Err(bad(format!("a checkpoint of format {version}, where format {VERSION} is read")));
        }
        if digest128(all) != checksum {
            return Err(damaged());
        }
        let checkpoint: Self = postcard::from_bytes(&all[MAGIC.len() + 2..])
            .map_err(|error| bad(format!("the checksum is right, but its fields cannot be read: {error}")))?;
        if checkpoint.run != run {
            return Err(bad(format!("a checkpoint of run {}, not of run {run}", checkpoint.run)));
        }
        Ok(Some(checkpoint))
    }

    /// The simulation as it was, out of one that was just built; `path` is where the checkpoint was read.
    ///
    /// # Errors
    /// If it is that of another scenario, seed or engine.
    pub(crate) fn restore(&self, path: &Path, built: Simulation) -> Result<Simulation, RunnerError> {
        built
            .restored(&self.simulation)
            .map_err(|error| RunnerError::Checkpoint { path: path.to_owned(), problem: error.to_string() })
    }
}

/// The file of a run.
pub(crate) fn path(folder: &Path, run: u32) -> PathBuf {
    folder.join("checkpoints").join(format!("{run}.bin"))
}

/// The file that a run leaves if it fails.
pub(crate) fn last_path(folder: &Path, run: u32) -> PathBuf {
    folder.join("failures").join(run.to_string()).join("last.ckpt")
}

/// Removes the folder of the files, if none is left. Only when nothing runs: a run may be about to write into it.
pub(super) fn tidy(folder: &Path) {
    // Refused while there are checkpoints in it.
    let _ = fs::remove_dir(folder.join("checkpoints"));
}

/// Removes the file of a run that has ended.
pub(super) fn remove(folder: &Path, run: u32) -> Result<(), RunnerError> {
    let path = path(folder, run);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RunnerError::io("remove", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let ledger = Continued::Root { size: 1, peaks: vec![[7; 32]] };
        Checkpoint { run: 3, ledger, rows: vec![1, 2], simulation: vec![9; 40] }
    }

    #[test]
    fn what_is_damaged_or_foreign_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(Checkpoint::read(&path(folder, 3), 3).unwrap().is_none());
        checkpoint().write(folder).unwrap();
        let read = Checkpoint::read(&path(folder, 3), 3).unwrap().unwrap();
        assert_eq!((read.rows, read.simulation), (vec![1, 2], vec![9; 40]));
        let file = path(folder, 3);
        let bytes = fs::read(&file).unwrap();
        let check = |bytes: &[u8], expected: &str| {
            fs::write(&file, bytes).unwrap();
            let error = Checkpoint::read(&path(folder, 3), 3).unwrap_err();
            assert_eq!(error.exit(), crate::exit::Exit::BadInput);
            let text = error.to_string();
            assert!(text.contains("3.bin") && text.contains(expected), "{text}");
        };
        check(b"", "no checkpoint");
        check(b"PHXR\x01", "cut off");
        check(&bytes[..bytes.len() - 1], "cut off");
        let mut changed = bytes.clone();
        changed[20] ^= 1;
        check(&changed, "changed");
        changed = bytes.clone();
        changed[4] = 9;
        check(&changed, "format 9");
        fs::rename(&file, path(folder, 4)).unwrap();
        fs::write(path(folder, 4), &bytes).unwrap();
        assert!(Checkpoint::read(&path(folder, 4), 4).unwrap_err().to_string().contains("of run 3"));
        tidy(folder);
        assert!(folder.join("checkpoints").exists(), "a run's checkpoint is in it");
        remove(folder, 4).unwrap();
        remove(folder, 4).unwrap();
        tidy(folder);
        assert!(!folder.join("checkpoints").exists());
    }
}
