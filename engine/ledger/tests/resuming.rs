//! Continuing at the head of a checkpoint: with the surviving tail compared, or dropped.

mod common;

use common::{append, create, grown, key, tick_of};
use phalanx_core::Tick;
use phalanx_ledger::{
    Durability, Head, Ledger, LedgerError, LedgerKey, LedgerReader, LedgerStore, MemoryStore, SledStore,
    Tail, VerifyFailure, verify,
};

const REPORTS: u32 = 30;

fn head_after(ticks: u64) -> Head {
    *grown(ticks, REPORTS).head()
}

/// Interrupts a run after `survive` ticks, continues it at the checkpoint of tick `at`, and compares the end with
/// that of a run without interruption.
fn check(tail: Tail, at: u64, survive: u64, end: u64) {
    let expected = head_after(end);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut disk = create(SledStore::create(&path, Durability::End).unwrap());
    append(&mut disk, 0..survive, REPORTS);
    drop(disk);
    let stores: [Box<dyn LedgerStore>; 2] = [
        Box::new(grown(survive, REPORTS).store().clone()),
        Box::new(SledStore::open(&path, Durability::End).unwrap()),
    ];
    for store in stores {
        let mut ledger = Ledger::resume_at(store, key(), &head_after(at), tail).unwrap();
        assert_eq!(ledger.len(), head_after(at).size);
        append(&mut ledger, at..end, REPORTS);
        assert_eq!(*ledger.head(), expected, "{tail:?} at {at}, of {survive} to {end}");
        assert_eq!(verify(ledger.store()).unwrap().head, expected);
        assert_eq!(ledger.finish().unwrap(), expected);
    }
}

#[test]
fn a_resumed_run_ends_as_one_without_interruption() {
    for tail in [Tail::Compare, Tail::Drop] {
        // Tiles and blocks of postings are completed before, between and after the two heads.
        check(tail, 2, 5, 9);
        check(tail, 5, 5, 9);
        check(tail, 60, 130, 131);
        check(tail, 101, 240, 250);
    }
}

#[test]
fn another_run_is_noticed_at_its_first_other_entry() {
    let survived = grown(10, REPORTS);
    let resume =
        || Ledger::resume_at(survived.store().clone(), key(), &head_after(5), Tail::Compare).unwrap();
    let size = survived.len();
    let diverged = |error: LedgerError| match error {
        LedgerError::Diverged { index, size: stored } if stored == size => index,
        other => panic!("{other}"),
    };
    // One report less in tick 6.
    let mut ledger = resume();
    append(&mut ledger, 5..6, REPORTS);
    let first = ledger.len();
    let mut entries = tick_of(6, REPORTS);
    entries.remove(3);
    let error = ledger.append_tick(Tick(6), &entries).unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("does not come again"), "{error}");
    assert_eq!(diverged(error), first + 3);
    let error = ledger.append_tick(Tick(7), &entries).unwrap_err();
    assert!(matches!(error, LedgerError::Failed | LedgerError::WrongTick { .. }), "{error}");
    // The tail ends inside a batch.
    let mut ledger = resume();
    append(&mut ledger, 5..9, REPORTS);
    let mut entries = tick_of(9, REPORTS);
    entries.push(common::report(9, 1));
    diverged(ledger.append_tick(Tick(9), &entries).unwrap_err());
    // It ends early.
    let mut ledger = resume();
    append(&mut ledger, 5..7, REPORTS);
    let so_far = ledger.len();
    assert_eq!(diverged(ledger.finish().unwrap_err()), so_far);
}

#[test]
fn only_a_head_of_this_ledger_is_continued() {
    let survived = grown(5, REPORTS);
    let resume = |key: LedgerKey, head: &Head| match Ledger::resume_at(
        survived.store().clone(),
        key,
        head,
        Tail::Drop,
    )
    .unwrap_err()
    {
        LedgerError::Mismatch(failure) => failure,
        other => panic!("{other}"),
    };
    let longer = head_after(6);
    assert_eq!(resume(key(), &longer), VerifyFailure::RolledBack { size: survived.len(), held: longer.size });
    let mut other = create(MemoryStore::new());
    append(&mut other, 0..2, REPORTS - 1);
    assert_eq!(resume(key(), other.head()), VerifyFailure::Rewritten { held: other.len() });
    assert_eq!(resume(LedgerKey::from_seed(9), &head_after(2)), VerifyFailure::Signature);
    let unsigned = Head { tick: Tick(77), ..head_after(2) };
    assert_eq!(resume(key(), &unsigned), VerifyFailure::HeldSignature { held: unsigned.size });
}

#[test]
fn a_ledger_of_the_first_layout_is_read_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["db", "conf", "head"] {
        let from =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/layout-1").join(file);
        std::fs::copy(from, folder.path().join(file)).unwrap();
    }
    let store = SledStore::open(folder.path(), Durability::End).unwrap().with_part_entries(100);
    assert_eq!(store.value(b"l").unwrap(), None);
    let report = verify(&store).unwrap();
    assert_eq!((report.head.size, report.reported, report.seed, report.compared), (79, 40, 42, vec![79]));
    let size = report.head.size;
    let mut prover = phalanx_ledger::Prover::new(&store, size);
    assert_eq!(prover.root(size).unwrap(), report.head.root);
    prover.inclusion(7, size).unwrap();
    let mut ledger = Ledger::resume(store, LedgerKey::from_seed(42)).unwrap();
    append(&mut ledger, 60..200, REPORTS);
    let (size, layout) = (ledger.len(), ledger.store().value(b"l").unwrap());
    assert!(size > 4096 && layout.is_none(), "it goes on in the layout that it has");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(
        !names.iter().any(|name| name.to_string_lossy().starts_with("part-")),
        "and in one part: {names:?}"
    );
    verify(ledger.store()).unwrap();
}
