//! Killed processes, full disks, folders that cannot be written, two writers at once.

mod common;
mod process;

use std::fs;
use std::process::Command;
use std::time::Duration;

use common::key;
use phalanx_ledger::{Durability, Ledger, LedgerError, SledStore, StoreError, verify, verify_dir};
use process::{Choices, Expected, Running, arguments, last_ack, program, writer as writer_command};

/// No test: what the tests here start.
#[test]
fn writer() {
    process::write_if_asked();
}

/// Kills a writer at a random moment, `rounds` times; every time the ledger has all acknowledged ticks, and only whole
/// ones.
fn kill(policy: &str, rounds: u64, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::new();
    let mut choices = Choices(seed);
    // Making another part takes some milliseconds.
    let micros = if policy.contains('/') { 80_000 } else { 25_000 };
    let (mut path, mut grown, mut least) = (folder.path().join("0"), 0, 0);
    for round in 0..rounds {
        // Some are killed before they have opened the ledger, some after many ticks.
        if round % 20 == 0 {
            (path, least) = (folder.path().join(round.to_string()), 0);
        }
        let running = Running::start(writer_command(&path, policy, 100_000));
        assert_eq!(running.line().as_deref(), Some("begin"));
        std::thread::sleep(Duration::from_micros(choices.below(micros)));
        let lines = running.kill();
        let errors: Vec<&String> = lines.iter().filter(|line| line.starts_with("error")).collect();
        assert!(errors.is_empty(), "round {round}: {errors:?}");
        let acked = last_ack(lines.iter().map(String::as_str)).max(least);
        let report = match verify_dir(&path) {
            Ok(report) => report,
            // Nothing was promised before the ledger was made; a folder without a ledger is made anew.
            Err(LedgerError::Store(StoreError::NotALedger { .. }) | LedgerError::Empty)
                if acked == 0 && !lines.iter().any(|line| line == "made") =>
            {
                std::fs::remove_dir_all(&path).ok();
                continue;
            }
            Err(error) => panic!("round {round} after {acked} entries: {error}"),
        };
        assert!(expected.has(&report.head), "round {round}: {} entries are no whole tick", report.head.size);
        if policy.starts_with("tick") {
            assert!(report.head.size >= acked, "round {round}: {} of {acked} entries", report.head.size);
        }
        least = report.head.size;
        grown = grown.max(least);
    }
    assert!(grown > if policy.contains('/') { 50 } else { 1000 }, "the writers came to write: {grown}");
}

#[test]
fn a_killed_writer_loses_no_tick_that_it_acknowledged() {
    kill("tick", 200, 1);
}

#[test]
fn a_killed_writer_of_groups_leaves_whole_ticks() {
    kill("16", 40, 2);
    kill("end", 40, 3);
}

/// Most of these are killed while they begin another part, which takes longer than appending.
#[test]
fn a_writer_killed_between_two_parts_loses_nothing_either() {
    kill("tick/1", 60, 4);
    kill("tick/100", 100, 5);
    kill("16/60", 40, 6);
}

/// Asserts that the ledger is whole, holds what was acknowledged, and can be continued.
fn continues(path: &std::path::Path, lines: &[String]) {
    let mut expected = Expected::new();
    let acked = last_ack(lines.iter().map(String::as_str));
    let report = verify_dir(path).unwrap();
    assert!(expected.has(&report.head) && report.head.size >= acked, "{} of {acked}", report.head.size);
    let running = Running::start(writer_command(path, "tick", 3));
    let said = running.wait();
    assert_eq!(said.last().map(String::as_str), Some("done"), "{said:?}");
    assert!(expected.has(&verify_dir(path).unwrap().head));
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for blocks in [40u64, 700, 2000] {
        let path = folder.path().join(blocks.to_string());
        // The shell's blocks are of 512 bytes; without the signal a write beyond them fails, as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
        arguments(&mut command, &path, "tick", 100_000);
        let lines = Running::start(command).wait();
        let last = lines.last().unwrap();
        assert!(last.starts_with("error") && last.contains("free space"), "{blocks} blocks: {last}");
        if last_ack(lines.iter().map(String::as_str)) > 0 {
            continues(&path, &lines);
        }
    }
}

/// A disk that is full at any moment of a ledger of many parts.
#[test]
fn a_full_disk_between_two_parts_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Vec::new();
    for kibibytes in [700u32, 1600, 2300, 3100, 3800, 4500, 5200, 5900] {
        let path = folder.path().join(kibibytes.to_string());
        // In a namespace of its own, so that the mount goes with the shell, to which the ledger is copied from it.
        let script = format!(
            "mkdir $0 && mount -t tmpfs -o size={kibibytes}k tmpfs $0 || exit 77
             \"$@\"; umount_copy() {{ cp -r $0/ledger $0.copy; }}; umount_copy"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]).arg(script).arg(&path).arg(std::env::current_exe().unwrap());
        arguments(&mut command, &path.join("ledger"), "tick/50", 100_000);
        let lines = Running::start(command).wait();
        let Some(last) = lines.last() else {
            eprintln!("SKIPPED: only root may mount a small disk, with `unshare`");
            return;
        };
        assert!(last.starts_with("error") && last.contains("free space"), "{kibibytes} KiB: {last}");
        if last_ack(lines.iter().map(String::as_str)) > 0 {
            let copy = folder.path().join(format!("{kibibytes}.copy"));
            parts.push(fs::read_dir(&copy).unwrap().count());
            continues(&copy, &lines);
        }
    }
    assert!(parts.iter().max() > parts.iter().min(), "some have more parts: {parts:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    Running::start(writer_command(&path, "tick", 3)).wait();
    // Root may write everywhere, so the writer is somebody else.
    let Some(setpriv) = program("setpriv") else {
        eprintln!("SKIPPED: no `setpriv` to become another user with");
        return;
    };
    let as_nobody = |path: &std::path::Path| {
        let mut command = Command::new(&setpriv);
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(std::env::current_exe().unwrap());
        arguments(&mut command, path, "tick", 3);
        Running::start(command).wait()
    };
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for path in [&path, &folder.path().join("new")] {
        let lines = as_nobody(path);
        if lines.is_empty() {
            eprintln!("SKIPPED: only root may become another user, or that user may not run the test");
            return;
        }
        let last = lines.last().unwrap();
        assert!(last.starts_with("error") && last.contains("its permissions"), "{}: {last}", path.display());
    }
    continues(&path, &[]);
}

#[test]
fn the_second_of_two_processes_is_told_to_wait() {
    second_of_two("tick");
    // The other one is between two parts most of the time.
    second_of_two("tick/1");
}

fn second_of_two(policy: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let first = Running::start(writer_command(&path, policy, 1_000_000));
    while !first.line().unwrap().starts_with("ack") {}
    let error = SledStore::open(&path, Durability::Tick).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let second = Running::start(writer_command(&path, policy, 3)).wait();
    assert!(second.last().unwrap().contains("in use by another writer"), "{second:?}");
    let lines = first.kill();
    let store = SledStore::open(&path, Durability::Tick).unwrap();
    let ledger = Ledger::resume(store, key()).unwrap();
    assert!(ledger.len() >= last_ack(lines.iter().map(String::as_str)));
    verify(ledger.store()).unwrap();
}
