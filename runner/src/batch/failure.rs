//! `failures/<run>/`: why a run failed, and a script that replays just that run.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, Once};

use crate::error::RunnerError;
use crate::output::write_whole;
use crate::record::{RunRecord, Status};

/// Panics that are remembered until their run asks; more than run at once.
const REMEMBERED: usize = 256;

/// Message and place of the last panics. A payload tells the message alone.
static PANICS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Keeps panics of runs off the screen and remembers where they happened.
pub(super) fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The program's own threads are no runs.
            if std::thread::current().name() == Some("main") {
                return before(info);
            }
            let text = crate::run::text_of(info.payload());
            let place = info.location().map_or_else(String::new, |l| format!(" at {l}"));
            if let Ok(mut panics) = PANICS.lock() {
                if panics.len() == REMEMBERED {
                    panics.remove(0);
                }
                panics.push((text, place));
            }
        }));
    });
}

/// The message with its place, if the place is known.
pub(super) fn describe_panic(text: &str) -> String {
    let place = PANICS.lock().ok().and_then(|mut panics| {
        let index = panics.iter().position(|(message, _)| message == text)?;
        Some(panics.remove(index).1)
    });
    format!("panicked{}: {text}", place.unwrap_or_default())
}

/// Writes the files of a run that failed.
pub(super) fn write(folder: &Path, record: &RunRecord, error: &str) -> Result<(), RunnerError> {
    let run = record.run_id;
    let inside = folder.join("failures").join(run.to_string());
    fs::create_dir_all(&inside).map_err(RunnerError::io("create the folder", &inside))?;
    let what = match record.status {
        Status::Timeout => "ran out of time",
        _ => "failed",
    };
    let text = format!(
        "run {run} of {} {what}\nseed {} · replicate {}\nparameters {}\n{error}\n",
        record.scenario,
        record.seed,
        record.rep,
        serde_json::to_string(&record.params).expect("parameters are JSON"),
    );
    write_whole(&inside.join("error.txt"), &text)?;
    let checkpoint = super::checkpoint::path(folder, run);
    let has_checkpoint = checkpoint.exists();
    if has_checkpoint {
        let last = super::checkpoint::last_path(folder, run);
        fs::copy(&checkpoint, &last).map_err(RunnerError::io("copy to", &last))?;
    }
    let script = inside.join("repro.sh");
    let runner = std::env::current_exe().map_or_else(|_| "runner".to_owned(), |p| p.display().to_string());
    let from = match has_checkpoint {
        true => "from last.ckpt beside this file; --from-start begins at tick 0",
        false => "from tick 0",
    };
    let text = format!(
        "#!/bin/sh\n# Replays run {run} alone, {from}. RUNNER names another build of the runner.\n\
         exec \"${{RUNNER:-{runner}}}\" replay \"$(dirname \"$0\")/../..\" --run {run} \"$@\"\n"
    );
    write_whole(&script, &text)?;
    executable(&script)
}

/// Removes what earlier tries of runs left that have ended well since, and the folder if nothing is left in it.
pub(super) fn tidy(folder: &Path, ended_well: impl Fn(u32) -> bool) -> Result<(), RunnerError> {
    let all = folder.join("failures");
    let Ok(entries) = fs::read_dir(&all) else { return Ok(()) };
    for entry in entries.filter_map(Result::ok) {
        let run = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if run.is_some_and(&ended_well) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(RunnerError::io("remove the folder", &path))?;
        }
    }
    // Refused while there are failures in it.
    let _ = fs::remove_dir(&all);
    Ok(())
}

#[cfg(unix)]
fn executable(script: &Path) -> Result<(), RunnerError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
        .map_err(RunnerError::io("make executable", script))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<(), RunnerError> {
    Ok(())
}
