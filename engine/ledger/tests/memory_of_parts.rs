//! Memory of a process that appends to a ledger and verifies it. One test, in a process of its own: others would add to
//! what it measures.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;

use common::{SEED, key, resident, wide_report};
use phalanx_core::Tick;
use phalanx_ledger::{Durability, Entry, Ledger, LedgerStore, SledStore, verify_dir};

const REPORTS: u16 = 100;
/// Parts of ten ticks.
const PART_ENTRIES: u64 = 1000;

/// Number of parts of which this process has the database open.
fn open_parts(ledger: &Path) -> usize {
    let mut open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|file| file.starts_with(ledger) && file.ends_with("db"))
        .collect();
    open.sort();
    open.dedup();
    open.len()
}

fn parts(ledger: &Path) -> usize {
    let names = fs::read_dir(ledger).unwrap().map(|entry| entry.unwrap().file_name());
    1 + names.filter(|name| name.to_string_lossy().starts_with("part-")).count()
}

fn append(ledger: &mut Ledger<impl LedgerStore>, ticks: std::ops::Range<u64>) {
    for tick in ticks {
        let reports: Vec<Entry> = (0..REPORTS).map(|sequence| wide_report(tick, sequence)).collect();
        ledger.append_tick(Tick(tick), &reports).unwrap();
    }
}

/// A part that stayed open would keep some MB.
#[test]
fn memory_does_not_grow_with_the_number_of_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let store = SledStore::create(&path, Durability::End).unwrap().with_part_entries(PART_ENTRIES);
    let mut ledger = Ledger::create(store, key(), [8; 32], "0.1.0", SEED).unwrap();
    append(&mut ledger, 0..100);
    let (before, parts_before) = (resident(), parts(&path));
    append(&mut ledger, 100..500);
    let grown = resident().saturating_sub(before);
    assert!(parts(&path) >= parts_before + 35, "{} parts", parts(&path));
    assert_eq!(open_parts(&path), 1, "only the newest is open");
    // Measured: 0 to 13, and 426 if parts stayed open.
    assert!(grown < 30, "memory grew by {grown} MB in {} parts", parts(&path) - parts_before);
    ledger.finish().unwrap();
    let before = resident();
    assert_eq!(verify_dir(&path).unwrap().head.size, 1 + 500 * u64::from(REPORTS));
    let grown = resident().saturating_sub(before);
    // Measured: 0, and 269 if those read stayed open.
    assert!(grown < 40, "verifying {} parts, memory grew by {grown} MB", parts(&path));
}
