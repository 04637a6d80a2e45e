//! Replays inputs without a fuzzer, and runs millions of mutations of them: what a target's binary does on stable.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::Target;
use crate::mutate::input;

/// Runs `target` over the files that the command line names; of a folder, over every file in it. A file is named
/// before it is run, so that the last name printed is the one that fails. After `--mutations N SEED`, over N mutations
/// of these files instead; of one that fails, the input is kept and named.
pub fn replay(target: Target) -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let outcome = match &arguments[..] {
        [flag, count, seed, paths @ ..] if flag == "--mutations" && !paths.is_empty() => {
            match (count.parse(), seed.parse()) {
                (Ok(count), Ok(seed)) => return mutations(target, count, seed, paths),
                _ => Err("--mutations takes two numbers: how many, and of which series".to_owned()),
            }
        }
        [] => Err("no input: name files or folders, such as fuzz/seeds/<target>".to_owned()),
        [flag, ..] if flag.starts_with("--") => {
            Err("usage: [--mutations COUNT SEED] FILE-OR-FOLDER…".to_owned())
        }
        paths => paths.iter().try_for_each(|path| {
            replay_path(target, path.as_ref()).map_err(|error| format!("{path}: {error}"))
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Runs `count` mutations of the files, with a line every hundredth of the way.
fn mutations(target: Target, count: u64, seed: u64, paths: &[String]) -> ExitCode {
    let mut seeds = Vec::new();
    for path in paths {
        let read = collect(path.as_ref(), &mut |file| {
            seeds.push(std::fs::read(file)?);
            Ok(())
        });
        if let Err(error) = read {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    }
    if seeds.is_empty() {
        eprintln!("there is no file in {}", paths.join(", "));
        return ExitCode::from(2);
    }
    for index in 0..count {
        let bytes = input(&seeds, seed, index);
        if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
            let kept = PathBuf::from(format!("failed-{seed}-{index}"));
            let outcome =
                std::fs::write(&kept, &bytes).map_or_else(|error| error.to_string(), |()| "kept".to_owned());
            eprintln!("mutation {index} of series {seed} failed; its input: {} ({outcome})", kept.display());
            return ExitCode::FAILURE;
        }
        if (index + 1) % count.div_ceil(100) == 0 {
            eprintln!("{} of {count}", index + 1);
        }
    }
    println!("{count} mutations of series {seed}, none failed");
    ExitCode::SUCCESS
}

/// Visits a file, or every file of a folder in the order of their names.
fn collect(path: &Path, visit: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    if !path.is_dir() {
        return visit(path);
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort_unstable();
    entries.iter().try_for_each(|entry| collect(entry, visit))
}

fn replay_path(target: Target, path: &Path) -> io::Result<()> {
    collect(path, &mut |file| {
        println!("{}", file.display());
        target(&std::fs::read(file)?);
        Ok(())
    })
}
