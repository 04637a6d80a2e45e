//! Replays inputs without a fuzzer: what a target's binary does on stable.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::Target;

/// Runs `target` over the files that the command line names; of a folder, over every file in it. A file is named
/// before it is run, so that the last name printed is the one that fails.
pub fn replay(target: Target) -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        eprintln!("no input: name files or folders, such as fuzz/seeds/<target>");
        return ExitCode::from(2);
    }
    for path in &paths {
        if let Err(error) = replay_path(target, path) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn replay_path(target: Target, path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        println!("{}", path.display());
        target(&std::fs::read(path)?);
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort_unstable();
    entries.iter().try_for_each(|entry| replay_path(target, entry))
}
