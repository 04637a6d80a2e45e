//! Power cuts: what was written and not synced is gone, or half of it is.
//!
//! A writer runs with a shim in front of the C library (`power/shim.c`, compiled here) that journals everything it
//! does to its files, and what it told the world. Out of the journal the test rebuilds what a disk may hold after a
//! cut at a random point, in three models of a file system, opens that, and compares. The shim's syncs cost nothing,
//! so a hundred cuts take seconds.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod common;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use phalanx_ledger::{LedgerError, StoreError, verify_dir};
use process::{Choices, Expected, Running, last_ack, program, writer as writer_command};

/// No test: what the tests here start.
#[test]
fn writer() {
    process::write_if_asked();
}

/// What a cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Model {
    /// Nothing of the data; names are kept, as by a journalling file system, once anything was synced behind them.
    Ordered,
    /// As `Ordered`, and each unsynced page of 4 KiB survives or not by the toss of a coin.
    Torn,
    /// Nothing of the data, and no name whose folder was not synced.
    Strict,
}

#[derive(Debug)]
enum Step {
    Write { inode: u64, offset: u64, bytes: Vec<u8> },
    Resize { inode: u64, size: u64 },
    SyncFile { inode: u64 },
    SyncFolder { path: String },
    Create { inode: u64, path: String },
    Rename { from: String, to: String },
    Remove { path: String },
    Folder { path: String },
    Said { text: String },
}

fn read_journal(path: &Path) -> Vec<Step> {
    let bytes = fs::read(path).unwrap();
    let (mut at, mut steps) = (0, Vec::new());
    // A new file may get the number of one that was removed, which the disk may still hold: each gets one of its own.
    let (mut numbers, mut next) = (BTreeMap::new(), 1 << 60);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    while at < bytes.len() {
        let (kind, inode, value) = (bytes[at], number(at + 1), number(at + 9));
        if kind == b'C' {
            numbers.insert(inode, next);
            next += 1;
        }
        let inode = numbers.get(&inode).copied().unwrap_or(inode);
        let len = u32::from_le_bytes(bytes[at + 17..at + 21].try_into().unwrap()) as usize;
        let data = bytes[at + 21..at + 21 + len].to_vec();
        at += 21 + len;
        let text = String::from_utf8_lossy(&data).into_owned();
        steps.push(match kind {
            b'W' => Step::Write { inode, offset: value, bytes: data },
            b'T' => Step::Resize { inode, size: value },
            b'S' => Step::SyncFile { inode },
            b'N' => Step::SyncFolder { path: text },
            b'C' => Step::Create { inode, path: text },
            b'R' => {
                let (from, to) = text.split_once('\0').unwrap();
                Step::Rename { from: from.to_owned(), to: to.to_owned() }
            }
            b'U' => Step::Remove { path: text },
            b'D' => Step::Folder { path: text },
            b'A' => Step::Said { text },
            other => panic!("the journal has kind {other}"),
        });
    }
    steps
}

/// Where something was written, and what; `None` cuts the file off there.
type Written = (u64, Option<Vec<u8>>);

/// A disk: what it holds for sure, and what is on the way.
#[derive(Clone, Default)]
struct Disk {
    data: BTreeMap<u64, Vec<u8>>,
    unsynced: BTreeMap<u64, Vec<Written>>,
    /// Files by path, with their inode; folders with none.
    names: BTreeMap<String, Option<u64>>,
    durable_names: BTreeMap<String, Option<u64>>,
    said: String,
}

impl Disk {
    fn do_step(&mut self, step: &Step, model: Model) {
        match step {
            Step::Write { inode, offset, bytes } => {
                self.unsynced.entry(*inode).or_default().push((*offset, Some(bytes.clone())));
            }
            Step::Resize { inode, size } => self.unsynced.entry(*inode).or_default().push((*size, None)),
            Step::SyncFile { inode } => {
                let data = self.data.entry(*inode).or_default();
                for (at, bytes) in self.unsynced.remove(inode).unwrap_or_default() {
                    apply(data, at, bytes.as_deref());
                }
                self.sync_names(None, model);
            }
            Step::SyncFolder { path } => self.sync_names(Some(path), model),
            Step::Create { inode, path } => drop(self.names.insert(path.clone(), Some(*inode))),
            Step::Folder { path } => drop(self.names.insert(path.clone(), None)),
            Step::Rename { from, to } => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Step::Remove { path } => drop(self.names.remove(path)),
            Step::Said { text } => self.said += text,
        }
    }

    fn sync_names(&mut self, folder: Option<&String>, model: Model) {
        if model != Model::Strict {
            self.durable_names = self.names.clone();
            return;
        }
        let Some(folder) = folder else { return };
        let inside = |path: &String| Path::new(path).parent() == Some(Path::new(folder));
        self.durable_names.retain(|path, _| !inside(path));
        let now = self.names.iter().filter(|(path, _)| inside(path));
        self.durable_names.extend(now.map(|(path, inode)| (path.clone(), *inode)));
    }

    /// Writes what is left after a cut into a folder that takes the place of `root`.
    fn cut(&self, model: Model, choices: &mut Choices, root: &Path, target: &Path) {
        for (path, inode) in &self.durable_names {
            let path = target.join(Path::new(path).strip_prefix(root).unwrap());
            let Some(inode) = inode else {
                fs::create_dir_all(path).unwrap();
                continue;
            };
            let mut data = self.data.get(inode).cloned().unwrap_or_default();
            if model == Model::Torn {
                for (at, bytes) in self.unsynced.get(inode).into_iter().flatten() {
                    let Some(bytes) = bytes else {
                        if choices.below(2) == 0 {
                            apply(&mut data, *at, None);
                        }
                        continue;
                    };
                    let mut start = 0;
                    while start < bytes.len() {
                        let page_end = (*at as usize + start + 1).next_multiple_of(4096) - *at as usize;
                        let end = page_end.min(bytes.len());
                        if choices.below(2) == 0 {
                            apply(&mut data, *at + start as u64, Some(&bytes[start..end]));
                        }
                        start = end;
                    }
                }
            }
            // Under `Strict` a file can be there without a folder above it being so.
            if let Some(folder) = path.parent().filter(|folder| folder.exists() || model != Model::Strict) {
                fs::create_dir_all(folder).unwrap();
                fs::write(path, data).unwrap();
            }
        }
    }
}

fn apply(data: &mut Vec<u8>, at: u64, bytes: Option<&[u8]>) {
    let at = at as usize;
    match bytes {
        None => data.resize(at, 0),
        Some(bytes) => {
            data.resize(data.len().max(at + bytes.len()), 0);
            data[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// Compiles the shim, unless there is no compiler.
fn shim(folder: &Path) -> Option<PathBuf> {
    let Some(gcc) = program("gcc").or_else(|| program("cc")) else {
        eprintln!("SKIPPED: power cuts need a C compiler for their shim");
        return None;
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/shim.c");
    let shim = folder.join("shim.so");
    let status = Command::new(gcc)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&shim)
        .arg(source)
        .args(["-lpthread"])
        .status()
        .unwrap();
    assert!(status.success(), "the shim compiles");
    Some(shim)
}

/// Runs a writer under the shim in `root/ledger` and gives its journal.
fn journal(shim: &Path, root: &Path, policy: &str, ticks: u64) -> Vec<Step> {
    let journal = root.with_extension("journal");
    let mut command = writer_command(&root.join("ledger"), policy, ticks);
    command.env("LD_PRELOAD", shim).env("PHALANX_SHIM_ROOT", root).env("PHALANX_SHIM_JOURNAL", &journal);
    let lines = Running::start(command).wait();
    assert_eq!(lines.last().map(String::as_str), Some("done"), "{lines:?}");
    let steps = read_journal(&journal);
    fs::remove_file(journal).unwrap();
    steps
}

/// What there was before a writer started.
fn disk_of(root: &Path) -> Disk {
    use std::os::unix::fs::MetadataExt;
    fn walk(folder: &Path, disk: &mut Disk) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, status) = (entry.path(), entry.metadata().unwrap());
            let name = path.to_str().unwrap().to_owned();
            if status.is_dir() {
                disk.names.insert(name, None);
                walk(&path, disk);
            } else {
                disk.data.insert(status.ino(), fs::read(&path).unwrap());
                disk.names.insert(name, Some(status.ino()));
            }
        }
    }
    let mut disk = Disk::default();
    walk(root, &mut disk);
    disk.durable_names = disk.names.clone();
    disk
}

/// How a cut ended.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    /// There was no ledger yet, and none was promised.
    without: u64,
    /// The ledger ends before a tick that was acknowledged.
    lost: u64,
    /// The most batches that were lost so.
    batches_lost: usize,
    /// The ledger could not be opened or did not verify.
    broken: u64,
}

/// Whether the writer has said that there is a ledger: from then on there has to be one.
fn is_made(disk: &Disk, began: u64) -> bool {
    began > 0 || disk.said.lines().any(|line| line == "made" || line.starts_with("ack "))
}

/// Cuts the power `rounds` times at random steps of a writer's life.
fn cut(
    steps: &[Step],
    start: &Disk,
    root: &Path,
    model: Model,
    (rounds, seed, began): (u64, u64, u64),
    mut after: impl FnMut(&Path, u64),
) -> Tally {
    let mut choices = Choices(seed);
    let mut expected = Expected::new();
    let mut tally = Tally { rounds, ..Tally::default() };
    let mut points: Vec<u64> = (0..rounds).map(|_| choices.below(steps.len() as u64 + 1)).collect();
    points.sort_unstable();
    let (mut disk, mut done) = (start.clone(), 0);
    for point in points {
        for step in &steps[done..point as usize] {
            disk.do_step(step, model);
        }
        done = point as usize;
        let (target, same_again) = (tempfile::tempdir().unwrap(), Choices(choices.0));
        disk.cut(model, &mut choices, root, target.path());
        let acked = last_ack(disk.said.lines()).max(began);
        let ledger = target.path().join("ledger");
        match verify_dir(&ledger) {
            Ok(report) => {
                assert!(expected.has(&report.head), "{model:?} at {point}: no whole tick");
                let batches = expected.batches(acked).saturating_sub(expected.batches(report.head.size));
                tally.lost += u64::from(batches > 0);
                tally.batches_lost = tally.batches_lost.max(batches);
                // Verifying let sled recover; whoever goes on does so from what the cut left.
                let target = tempfile::tempdir().unwrap();
                disk.cut(model, &mut Choices(same_again.0), root, target.path());
                after(target.path(), report.head.size);
            }
            // Nothing is promised before the ledger is made; its first files may be torn until they are synced.
            Err(
                LedgerError::Store(StoreError::NotALedger { .. } | StoreError::Corrupt { .. })
                | LedgerError::Empty,
            ) if !is_made(&disk, began) => tally.without += 1,
            Err(error) => {
                eprintln!(
                    "{model:?} at step {point} of {}, {acked} entries acknowledged: {error}",
                    steps.len()
                );
                tally.broken += 1;
            }
        }
    }
    tally
}

#[test]
fn a_power_cut_loses_no_tick_that_was_acknowledged() {
    cut_every_tick("tick", 60, 60);
}

/// The writer is between two parts at most of the points.
#[test]
fn a_power_cut_between_two_parts_loses_no_tick_either() {
    cut_every_tick("tick/1", 14, 60);
    cut_every_tick("tick/100", 30, 60);
}

fn cut_every_tick(policy: &str, ticks: u64, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    let root = folder.path().join("disk");
    fs::create_dir(&root).unwrap();
    let steps = journal(&shim, &root, policy, ticks);
    let syncs = steps.iter().filter(|step| matches!(step, Step::SyncFile { .. })).count();
    // Every fifth tick is empty.
    assert!(syncs as u64 >= ticks * 4 / 5, "every tick is synced: {syncs}");
    let mut cut_again = 0;
    for (model, seed) in [(Model::Ordered, 1), (Model::Torn, 2), (Model::Strict, 3)] {
        let tally = cut(&steps, &Disk::default(), &root, model, (rounds, seed, 0), |image, size| {
            // A cut while the ledger recovers from a cut.
            if cut_again < 12 {
                cut_again += 1;
                let start = disk_of(image);
                let more = journal(&shim, image, policy, 4);
                let again = cut(&more, &start, image, model, (6, seed, size), |_, _| ());
                assert_eq!((again.lost, again.broken), (0, 0), "{model:?}: {again:?}");
            }
        });
        assert_eq!((tally.lost, tally.broken), (0, 0), "{model:?}: {tally:?}");
        assert!(tally.without < tally.rounds / 2, "most cuts came behind the first tick: {tally:?}");
    }
}

/// What is documented of the other policies: a group loses at most its own ticks, the end may lose all, and what is
/// left is whole ticks.
#[test]
fn a_power_cut_under_other_policies_leaves_whole_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    // Some segments long, so that the database writes between two syncs.
    for (policy, ticks, batches_max) in [("8", 300, 8), ("8/300", 40, 8), ("end", 60, usize::MAX)] {
        let root = folder.path().join(policy.replace('/', "-"));
        fs::create_dir(&root).unwrap();
        let steps = journal(&shim, &root, policy, ticks);
        for (model, seed) in [(Model::Ordered, 4), (Model::Torn, 5), (Model::Strict, 6)] {
            let tally = cut(&steps, &Disk::default(), &root, model, (30, seed, 0), |_, _| ());
            assert!(tally.batches_lost <= batches_max, "{policy} {model:?}: {tally:?}");
            assert!(tally.broken == 0 || policy == "end", "{policy} {model:?}: {tally:?}");
        }
    }
}
