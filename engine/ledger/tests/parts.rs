//! Ledgers of several parts: the same ledger as in one, and what is wrong with a part is said.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{all, append, create, found, grown, key, tick_of};
use phalanx_core::{AgentId, Indicator, Tick};
use phalanx_ledger::{
    Durability, Entry, Head, Ledger, LedgerError, LedgerReader, LedgerStore, MemoryStore, Prover, Query,
    SledStore, StoreError, Tail, import, seal, verify, verify_dir,
};
use proptest::prelude::*;
use tempfile::TempDir;

const REPORTS: u32 = 30;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    (folder, path)
}

fn open(path: &Path, entries: u64) -> SledStore {
    SledStore::open(path, Durability::Group { ticks: 4 }).unwrap().with_part_entries(entries)
}

/// Writes a ledger in parts of so many entries and gives its head.
fn finished(path: &Path, ticks: u64, reports: u32, entries: u64) -> Head {
    let store = SledStore::create(path, Durability::Group { ticks: 4 }).unwrap().with_part_entries(entries);
    let mut ledger = create(store);
    append(&mut ledger, 0..ticks, reports);
    ledger.finish().unwrap()
}

/// The parts behind the first, by their first entry.
fn parts(path: &Path) -> Vec<u64> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut firsts: Vec<u64> =
        names.filter_map(|name| Some(name.strip_prefix("part-")?.parse().unwrap())).collect();
    firsts.sort_unstable();
    firsts
}

fn part(path: &Path, first: u64) -> PathBuf {
    path.join(format!("part-{first}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn pairs(reader: &dyn LedgerReader, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    reader
        .values(from, to, &mut |key, value| {
            pairs.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    pairs
}

/// Asserts that both show the same, by every way of reading.
fn same(store: &dyn LedgerReader, memory: &dyn LedgerReader) {
    assert_eq!(store.head().unwrap(), memory.head().unwrap());
    assert_eq!(all(store), all(memory));
    let mut report = verify(store).unwrap();
    report.compared.clear();
    assert_eq!(report, verify(memory).unwrap());
    let size = report.head.size;
    for index in (0..size + 3).step_by(37).chain([size - 1, size, u64::MAX]) {
        assert_eq!(store.get(index).unwrap(), memory.get(index).unwrap(), "{index}");
    }
    let everything = pairs(memory, &[], &[0xff; 20]);
    for (key, value) in &everything {
        assert_eq!(store.value(key).unwrap().as_ref(), Some(value), "{key:?}");
    }
    // Heads and layouts of older parts are not shown as the ledger's; the order is that of the parts.
    let mut shown = pairs(store, &[], &[0xff; 20]);
    shown.retain(|(key, _)| key != b"h" && key != b"l");
    shown.sort();
    let mut expected = everything;
    expected.retain(|(key, _)| key != b"h" && key != b"l");
    assert_eq!(shown, expected);
    for query in [
        Query { agent: Some(AgentId(7)), ..Query::default() },
        Query { indicator: Some(Indicator { port: Some(21), ..Indicator::default() }), ..Query::default() },
        Query { from: size / 2, ..Query::default() },
        Query { ticks: Some((Tick(3), Tick(9))), ..Query::default() },
    ] {
        assert_eq!(found(store, &query), found(memory, &query), "{query:?}");
    }
    let (mut here, mut there) = (Prover::new(store, size), Prover::new(memory, size));
    for index in (0..size).step_by(3001) {
        assert_eq!(here.inclusion(index, size).unwrap(), there.inclusion(index, size).unwrap());
        assert_eq!(here.consistency(index + 1, size).unwrap(), there.consistency(index + 1, size).unwrap());
    }
}

#[test]
fn a_ledger_of_several_parts_is_the_same_ledger() {
    // Blocks of postings and tiles end within parts and reach over several of them.
    for (ticks, entries) in [(240, 3000), (30, 128), (12, 1)] {
        let (keep, path) = folder();
        let head = finished(&path, ticks, REPORTS, entries);
        let memory = grown(ticks, REPORTS);
        assert_eq!(head, *memory.head());
        let firsts = parts(&path);
        assert!(firsts.len() as u64 >= head.size / (entries + 100) - 1, "{firsts:?}");
        assert!(firsts.windows(2).all(|pair| pair[1] - pair[0] >= entries));
        let store = open(&path, entries);
        same(&store, memory.store());
        assert_eq!(
            seal(&store, &keep.path().join("a")).unwrap().sha256,
            seal(memory.store(), &keep.path().join("b")).unwrap().sha256
        );
        drop(store);
        assert_eq!(verify_dir(&path).unwrap().compared, [head.size], "the note is that of all parts");
    }
}

#[test]
fn what_is_imported_lies_in_parts_too() {
    let (_keep, path) = folder();
    let memory = grown(240, REPORTS);
    let bytes = |entry: &Entry| {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        Ok(bytes)
    };
    let entries: Vec<_> = all(memory.store()).iter().map(|(_, entry)| bytes(entry)).collect();
    let mut store = SledStore::create(&path, Durability::End).unwrap().with_part_entries(1);
    import(&mut store, memory.head(), entries).unwrap();
    assert_eq!(parts(&path), [4096, 8192]);
    drop(store);
    // In other bundles than ticks make.
    let store = open(&path, 1);
    assert_eq!(all(&store), all(memory.store()));
    assert_eq!(verify(&store).unwrap().head, *memory.head());
}

#[test]
fn a_ledger_below_the_bound_has_one_part() {
    let (_keep, path) = folder();
    finished(&path, 100, REPORTS, 1 << 20);
    assert_eq!(parts(&path), []);
    let store = open(&path, 1 << 20);
    assert_eq!(store.value(b"l").unwrap(), Some(vec![2]));
    assert_eq!(store.value(b"p").unwrap(), None);
}

#[test]
fn the_second_part_begins_behind_a_million_entries() {
    let (_keep, path) = folder();
    let mut ledger = create(SledStore::create(&path, Durability::End).unwrap());
    for tick in 0..17 {
        assert_eq!(parts(&path), []);
        let entry = Entry::Fingerprint { tick: Tick(tick), fingerprint: [tick as u8; 32] };
        ledger.append_tick(Tick(tick), &vec![entry; 1 << 16]).unwrap();
    }
    assert_eq!(parts(&path), [(1 << 20) + 1]);
    let head = ledger.finish().unwrap();
    assert_eq!(verify_dir(&path).unwrap().head, head);
}

#[test]
fn a_ledger_of_several_parts_is_continued_at_any_head() {
    let heads: Vec<Head> = (0..=30).map(|ticks| *grown(ticks, REPORTS).head()).collect();
    let memory = grown(30, REPORTS);
    for (at, entries) in [(1, 100), (4, 100), (11, 60), (12, 60), (19, 200), (20, 1), (20, 100)] {
        for tail in [Tail::Compare, Tail::Drop] {
            let (_keep, path) = folder();
            finished(&path, 20, REPORTS, entries);
            let store = open(&path, entries);
            let mut ledger = Ledger::resume_at(store, key(), &heads[at as usize], tail).unwrap();
            append(&mut ledger, at..24, REPORTS);
            drop(ledger);
            // In other parts than before.
            let mut ledger = Ledger::resume(open(&path, entries + 50), key()).unwrap();
            append(&mut ledger, 24..30, REPORTS);
            assert_eq!(ledger.finish().unwrap(), heads[30], "{tail:?} at {at}, {entries} to a part");
            same(&open(&path, entries), memory.store());
        }
    }
}

/// Puts another ledger's database in the place of the first part.
fn replace_first(root: &Path, other: &Path) {
    for file in ["db", "conf"] {
        fs::copy(other.join(file), root.join(file)).unwrap();
    }
    for snapshot in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if snapshot.file_name().unwrap().to_string_lossy().starts_with("snap") {
            fs::remove_file(snapshot).unwrap();
        }
    }
}

/// A finding: the first bad entry, and what it says.
fn finding(path: &Path) -> (u64, String) {
    let error = verify_dir(path).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    match error {
        LedgerError::Store(bad @ StoreError::Part { index, .. }) => (index, bad.to_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_wrong_with_a_part_is_found_at_its_first_entry() {
    let (_keep, path) = folder();
    finished(&path, 20, REPORTS, 150);
    let firsts = parts(&path);
    assert!(firsts.len() > 3, "{firsts:?}");
    let (foreign_keep, foreign) = folder();
    {
        // As long in every tick, with the same key.
        let store = SledStore::create(&foreign, Durability::End).unwrap().with_part_entries(150);
        let mut ledger = Ledger::create(store, key(), [9; 32], "0.1.0", common::SEED).unwrap();
        append(&mut ledger, 0..20, REPORTS);
        ledger.finish().unwrap();
    }
    assert_eq!(parts(&foreign), firsts);
    let last = *firsts.last().unwrap();
    type Spoil<'a> = &'a dyn Fn(&Path);
    let check = |spoil: Spoil<'_>, index: u64, problem: &str| {
        let copied = tempfile::tempdir().unwrap();
        copy(&path, copied.path());
        spoil(copied.path());
        let (found, said) = finding(copied.path());
        assert_eq!(found, index, "{problem}: {said}");
        let name = format!("part-{index}");
        assert!(said.contains(&name) && said.contains(problem) && said.contains("restore"), "{said}");
        assert!(verify_dir(copied.path()).is_err(), "and again");
    };
    for first in &firsts {
        check(&|root| fs::remove_dir_all(part(root, *first)).unwrap(), *first, "is missing");
        check(&|root| fs::remove_file(part(root, *first).join("db")).unwrap(), *first, "is not whole");
        let another = |root: &Path| {
            fs::remove_dir_all(part(root, *first)).unwrap();
            copy(&part(&foreign, *first), &part(root, *first));
        };
        check(&another, *first, "of another ledger");
        // sled takes damage in what it wrote last for a torn write: of the newest part there may be nothing left.
        let damaged = |root: &Path| {
            let db = part(root, *first).join("db");
            let bytes = fs::read(&db).unwrap().len();
            fs::write(db, vec![0xa5; bytes]).unwrap();
        };
        if *first < last {
            check(&damaged, *first, "");
        }
    }
    // The first part is another ledger's, so what follows does not continue it.
    let other_start = |root: &Path| {
        replace_first(root, &foreign);
    };
    check(&other_start, firsts[0], "of another ledger");
    let swapped = |a: u64, b: u64| {
        move |root: &Path| {
            fs::rename(part(root, a), root.join("aside")).unwrap();
            fs::rename(part(root, b), part(root, a)).unwrap();
            fs::rename(root.join("aside"), part(root, b)).unwrap();
        }
    };
    check(&swapped(firsts[0], firsts[1]), firsts[0], &format!("holds the entries from {} on", firsts[1]));
    check(&swapped(firsts[1], last), last, &format!("holds the entries from {} on", firsts[1]));
    let renamed = |root: &Path| fs::rename(part(root, last), part(root, last + 5)).unwrap();
    let (found, said) = {
        let copied = tempfile::tempdir().unwrap();
        copy(&path, copied.path());
        renamed(copied.path());
        finding(copied.path())
    };
    assert!(found == last + 5 && said.contains(&format!("from {last} on")), "{said}");
    // An older state of the first part, from before it was continued.
    let older = |root: &Path| {
        let (_keep, young) = folder();
        let mut ledger = create(SledStore::create(&young, Durability::End).unwrap());
        let mut tick = 0;
        while ledger.len() < firsts[0] {
            ledger.append_tick(Tick(tick), &tick_of(tick, REPORTS)).unwrap();
            tick += 1;
        }
        ledger.finish().unwrap();
        replace_first(root, &young);
    };
    check(&older, firsts[0], "does not follow");
    drop(foreign_keep);
}

#[test]
fn reading_tells_of_a_missing_part_too() {
    let (keep, path) = folder();
    finished(&path, 20, REPORTS, 150);
    let gone = parts(&path)[1];
    fs::remove_dir_all(part(&path, gone)).unwrap();
    let store = open(&path, 150);
    let error = Query::default().run(&store, |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, LedgerError::Store(StoreError::Part { index, .. }) if index == gone), "{error}");
    assert!(seal(&store, keep.path()).unwrap_err().is_mismatch());
    // What needs only other parts is still there.
    assert!(
        store.get(0).unwrap().is_some() && store.get(store.head().unwrap().unwrap().head.size - 1).is_ok()
    );
}

#[test]
fn a_part_that_holds_nothing_is_harmless_and_made_anew() {
    let heads = [12, 20].map(|ticks| *grown(ticks, REPORTS).head());
    type Leave<'a> = &'a dyn Fn(&Path, u64);
    let empty = |path: &Path| drop(SledStore::create(path, Durability::Tick).unwrap());
    let leavings: [(&str, Leave<'_>); 5] = [
        ("a folder", &|root, next| fs::create_dir(part(root, next)).unwrap()),
        ("a cut file", &|root, next| {
            fs::create_dir(part(root, next)).unwrap();
            fs::write(part(root, next).join("db"), [0; 100]).unwrap();
        }),
        ("torn files", &|root, next| {
            empty(&part(root, next));
            fs::write(part(root, next).join("conf"), [7; 30]).unwrap();
        }),
        ("an empty database", &|root, next| empty(&part(root, next))),
        ("an empty database of another number", &|root, next| empty(&part(root, next + 17))),
    ];
    for (name, leave) in leavings {
        let (_keep, path) = folder();
        let head = finished(&path, 12, REPORTS, 150);
        leave(&path, head.size);
        assert_eq!(verify_dir(&path).unwrap().head, heads[0], "{name}");
        let mut ledger = Ledger::resume(open(&path, 1), key()).unwrap();
        append(&mut ledger, 12..20, REPORTS);
        assert_eq!(ledger.finish().unwrap(), heads[1], "{name}");
        same(&open(&path, 1), grown(20, REPORTS).store());
    }
}

#[test]
fn the_second_of_two_stores_is_told_to_wait_whichever_part_is_open() {
    let (_keep, path) = folder();
    let store = SledStore::create(&path, Durability::End).unwrap().with_part_entries(1);
    let mut ledger = create(store);
    append(&mut ledger, 0..5, REPORTS);
    let error = SledStore::open(&path, Durability::End).unwrap_err();
    assert!(matches!(&error, StoreError::Locked { path: locked } if *locked == path), "{error}");
    ledger.store().get(0).unwrap();
    append(&mut ledger, 5..8, REPORTS);
    ledger.finish().unwrap();
    verify_dir(&path).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ticks of any size, closed and opened again, set back, in parts of changing size.
    #[test]
    fn any_history_is_that_of_a_ledger_in_memory(
        entries in 1u64..400,
        steps in prop::collection::vec((0u32..60, 0u8..8), 1..25),
    ) {
        let (_keep, path) = folder();
        let mut memory = create(MemoryStore::new());
        let mut ledger = create(SledStore::create(&path, Durability::End).unwrap().with_part_entries(entries));
        let mut heads = vec![*memory.head()];
        let mut tick = 0;
        for (reports, then) in steps {
            let brought = tick_of(tick, reports);
            memory.append_tick(Tick(tick), &brought).unwrap();
            ledger.append_tick(Tick(tick), &brought).unwrap();
            heads.push(*memory.head());
            tick += 1;
            match then {
                0 => {
                    drop(ledger);
                    ledger = Ledger::resume(open(&path, entries), key()).unwrap();
                }
                1 => {
                    drop(ledger);
                    let to = heads[heads.len() / 2];
                    heads.truncate(heads.len() / 2 + 1);
                    tick = to.tick.0 + 1;
                    ledger = Ledger::resume_at(open(&path, entries / 2 + 1), key(), &to, Tail::Drop).unwrap();
                    memory = Ledger::resume_at(memory.store().clone(), key(), &to, Tail::Drop).unwrap();
                }
                _ => {}
            }
        }
        ledger.sync().unwrap();
        same(ledger.store(), memory.store());
        let store: &dyn LedgerStore = ledger.store();
        prop_assert_eq!(store.head().unwrap(), memory.store().head().unwrap());
    }
}
