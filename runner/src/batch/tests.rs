//! Runs that panic or do not end, in a batch. Traps are planted by folder, since tests share a process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use phalanx_sim::scenario::{Positive, Study};

use super::journal::Journal;
use super::{Batch, OnError, Options, results};
use crate::campaign::Campaign;
use crate::output::OutFolder;
use crate::progress::ProgressMode;
use crate::record::Status;
use crate::scenario::load;

/// What waits for a run at a tick.
#[derive(Clone, Copy, Debug)]
enum Trap {
    Panic,
    Sleep(Duration),
}

/// Folder, run, tick.
static TRAPS: Mutex<Vec<(PathBuf, u32, u64, Trap)>> = Mutex::new(Vec::new());

/// Called by workers after every tick.
pub(super) fn trip(folder: &Path, run: u32, tick: u64) {
    let traps = TRAPS.lock().unwrap();
    let trap = traps.iter().find(|(f, r, t, _)| f == folder && (*r, *t) == (run, tick)).map(|trap| trap.3);
    drop(traps);
    match trap {
        Some(Trap::Panic) => panic!("a trap for run {run}"),
        Some(Trap::Sleep(time)) => thread::sleep(time),
        None => {}
    }
}

const SMALL: &str = "(agents: 4, ticks: 6, traffic: Synthetic(flows: 4), detector: ZScore, \
                     campaigns: [(kind: PortScan, start: 1)])";
const OPTIONS: Options = Options {
    jobs: 2,
    threads: 1,
    timeout: None,
    memory: None,
    checkpoint_every: Some(2),
    on_error: OnError::Continue,
    mode: Some(ProgressMode::None),
};

/// Five replicates into a folder, as far as they get.
fn batch(folder: &Path, options: Options) -> Batch {
    let file = folder.join("small.ron");
    std::fs::write(&file, SMALL).unwrap();
    let study = Study { replicates: Positive::new(5), ..Study::default() };
    let campaign = Campaign::new(load(&file, &[]).unwrap(), study, folder).unwrap();
    let out = OutFolder::create(&folder.join("out")).unwrap();
    let journal = Journal::create(out.path()).unwrap();
    let mut batch = Batch::new(Arc::new(campaign), out, journal, None, options).unwrap();
    batch.run(None).unwrap();
    results::write(batch.folder(), &batch.journal(), batch.numbering(), 1).unwrap();
    batch
}

fn statuses(batch: &Batch) -> Vec<Option<Status>> {
    (0..5).map(|run| batch.journal().status(run)).collect()
}

fn rows(folder: &Path, without: &[u32]) -> Vec<String> {
    let table = std::fs::read_to_string(folder.join("out/runs.csv")).unwrap();
    let other = |line: &&str| without.iter().all(|run| !line.starts_with(&format!("{run},")));
    table.lines().filter(other).map(str::to_owned).collect()
}

#[test]
fn runs_that_panic_or_hang_leave_the_others_alone() {
    let (fine, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    batch(fine.path(), OPTIONS);
    let out = bad.path().join("out");
    TRAPS.lock().unwrap().extend([
        (out.clone(), 1, 3, Trap::Panic),
        // Longer than the batch waits for a tick to end.
        (out.clone(), 2, 0, Trap::Sleep(Duration::from_secs(5))),
    ]);
    let timeout = Some(Duration::from_millis(400));
    let ended = batch(bad.path(), Options { timeout, ..OPTIONS });
    let ok = Some(Status::Ok);
    assert_eq!(statuses(&ended), [ok, Some(Status::Failed), Some(Status::Timeout), ok, ok]);
    assert_eq!(rows(fine.path(), &[1, 2]), rows(bad.path(), &[1, 2]));

    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let why = read("failures/1/error.txt");
    assert!(
        why.contains("panicked at runner/src/batch/tests.rs:") && why.ends_with("a trap for run 1\n"),
        "{why}"
    );
    assert!(read("failures/2/error.txt").contains("a tick had not ended"));
    assert!(read("failures/1/repro.sh").contains("from last.ckpt"), "it had been saved after two ticks");
    assert!(out.join("failures/1/last.ckpt").exists() && !out.join("checkpoints").exists());
}

#[test]
fn after_a_failure_no_more_runs_begin_if_so_wished() {
    let folder = tempfile::tempdir().unwrap();
    TRAPS.lock().unwrap().push((folder.path().join("out"), 0, 1, Trap::Panic));
    let ended = batch(folder.path(), Options { jobs: 1, on_error: OnError::Stop, ..OPTIONS });
    assert_eq!(statuses(&ended), [Some(Status::Failed), None, None, None, None]);
}
