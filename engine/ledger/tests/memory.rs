//! Memory of a process that reads a ledger. One test, in a process of its own: others would add to what it measures.
#![cfg(target_os = "linux")]

mod common;

use std::ops::ControlFlow;

use common::{resident, wide_report};
use phalanx_core::Tick;
use phalanx_ledger::{Durability, Entry, Ledger, LedgerKey, LedgerReader, SledStore};

const TICKS: u64 = 200;
const REPORTS: u16 = 100;

/// 14 MB; before pairs were looked up again, sled's cache of 4 MiB took 55 MB here, and 569 MB of larger ledgers.
#[test]
fn a_scan_keeps_few_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let store = SledStore::create(&path, Durability::End).unwrap();
    let mut ledger = Ledger::create(store, LedgerKey::from_seed(3), [8; 32], "0.1.0", 3).unwrap();
    for tick in 0..TICKS {
        let reports: Vec<Entry> = (0..REPORTS).map(|sequence| wide_report(tick, sequence)).collect();
        ledger.append_tick(Tick(tick), &reports).unwrap();
    }
    ledger.finish().unwrap();
    let store = SledStore::open(&path, Durability::End).unwrap();
    let before = resident();
    let (mut entries, mut bytes) = (0, 0);
    store
        .scan(0..u64::MAX, &mut |record| {
            (entries, bytes) = (entries + 1, bytes + record.bytes.len());
            ControlFlow::Continue(())
        })
        .unwrap();
    let grown = resident().saturating_sub(before);
    assert_eq!(entries, 1 + TICKS * u64::from(REPORTS));
    assert!(bytes > 79_000_000 && grown < 30, "{bytes} bytes read, memory grew by {grown} MB");
}
