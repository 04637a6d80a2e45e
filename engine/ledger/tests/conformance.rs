//! One suite for every store: what a [`LedgerStore`] promises, run on memory, on sled and on redb.

mod redb_store;

use std::ops::{ControlFlow, Range};

use phalanx_core::{AgentId, Indicator, SignatureId, Tick};
use phalanx_ledger::merkle::leaf_hash;
use phalanx_ledger::{
    Durability, ENTRY_BYTES_MAX, Edge, Entry, Ledger, LedgerError, LedgerKey, LedgerReader, LedgerStore,
    MemoryStore, SledStore, StoreError, TickBatch, entries, verify,
};

/// Runs a check on a fresh store of each kind and policy.
fn on_every_store(check: impl Fn(Box<dyn LedgerStore>)) {
    check(Box::new(MemoryStore::new()));
    for durability in [Durability::Tick, Durability::Group { ticks: 3 }, Durability::End] {
        let folder = tempfile::tempdir().unwrap();
        check(Box::new(SledStore::create(&folder.path().join("ledger"), durability).unwrap()));
    }
    // Another part with every batch, with some, with few.
    for entries in [1, 20, 1000] {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::create(&folder.path().join("ledger"), Durability::Group { ticks: 3 }).unwrap();
        check(Box::new(store.with_part_entries(entries)));
    }
    let folder = tempfile::tempdir().unwrap();
    check(Box::new(redb_store::RedbStore::create(&folder.path().join("ledger.redb")).unwrap()));
}

fn key() -> LedgerKey {
    LedgerKey::from_seed(1)
}

fn report(tick: u64, author: u32, width: usize) -> Entry {
    Entry::Reported {
        id: SignatureId { tick: Tick(tick), author: AgentId(author), sequence: 0 },
        indicator: Indicator { port: Some(80), ..Indicator::default() },
        support: author,
        confidence: 0.5,
        centroid: vec![author as f32; width].into(),
        evidence: [4; 16],
    }
}

fn bytes_of(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    bytes
}

fn indices(store: &dyn LedgerReader, range: Range<u64>) -> Vec<u64> {
    let mut indices = Vec::new();
    store
        .scan(range, &mut |record| {
            indices.push(record.index);
            ControlFlow::Continue(())
        })
        .unwrap();
    indices
}

/// Commits a batch of `count` reports behind the edge.
fn commit(store: &mut dyn LedgerStore, edge: &mut Edge, tick: u64, count: u32) {
    let reports: Vec<Entry> = (0..count).map(|i| report(tick, i, 20)).collect();
    let batch = TickBatch::new(edge, Tick(tick), &reports, &key()).unwrap();
    store.commit(&batch).unwrap();
}

#[test]
fn a_fresh_store_is_empty() {
    on_every_store(|mut store| {
        assert_eq!(store.head().unwrap(), None);
        assert_eq!(store.get(0).unwrap(), None);
        assert_eq!(indices(&store, 0..u64::MAX), []);
        store.sync().unwrap();
    });
}

#[test]
fn what_is_committed_is_read_in_order() {
    on_every_store(|mut store| {
        let mut edge = Edge::new();
        let mut written = Vec::new();
        // 20 features: 138 bytes, so 100 of them take several bundles.
        for (tick, count) in [(0, 1), (1, 100), (2, 3), (9, 50), (9, 1)] {
            written.extend((0..count).map(|i| bytes_of(&report(tick, i, 20))));
            commit(&mut store, &mut edge, tick, count);
            let head = store.head().unwrap().unwrap();
            assert_eq!((head.head.size, head.head.tick), (written.len() as u64, Tick(tick)));
            assert_eq!(head.frontier, *edge.frontier());
        }
        let mut read = Vec::new();
        store
            .scan(0..u64::MAX, &mut |record| {
                assert_eq!(record.index, read.len() as u64);
                assert_eq!(record.check, leaf_hash(record.bytes)[..8]);
                read.push(record.bytes.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(read, written);
        for (index, bytes) in written.iter().enumerate() {
            assert_eq!(store.get(index as u64).unwrap().as_ref(), Some(bytes));
        }
        assert_eq!(store.get(written.len() as u64).unwrap(), None);
        assert_eq!(store.get(u64::MAX).unwrap(), None);
    });
}

#[test]
fn a_scan_shows_its_range_and_stops_when_told() {
    on_every_store(|mut store| {
        let mut edge = Edge::new();
        commit(&mut store, &mut edge, 0, 100);
        commit(&mut store, &mut edge, 1, 20);
        for range in [0..0, 0..1, 5..7, 28..31, 99..101, 119..500, 120..500] {
            let expected: Vec<u64> = (range.start..range.end.min(120)).collect();
            assert_eq!(indices(&store, range.clone()), expected, "{range:?}");
        }
        let mut seen = 0;
        store
            .scan(10..90, &mut |_| {
                seen += 1;
                if seen == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(seen, 7);
    });
}

#[test]
fn a_batch_that_does_not_continue_the_store_is_refused() {
    on_every_store(|mut store| {
        let mut edge = Edge::new();
        commit(&mut store, &mut edge, 0, 5);
        let before = store.head().unwrap();
        let mut ahead = edge.clone();
        TickBatch::new(&mut ahead, Tick(1), &[report(1, 7, 2)], &key()).unwrap();
        for mut stale in [Edge::new(), ahead] {
            let batch = TickBatch::new(&mut stale, Tick(1), &[report(1, 0, 2)], &key()).unwrap();
            let error = store.commit(&batch).unwrap_err();
            assert!(matches!(error, StoreError::StaleBatch { stored: 5, .. }), "{error}");
        }
        assert_eq!(store.head().unwrap(), before);
        commit(&mut store, &mut edge, 1, 1);
    });
}

#[test]
fn an_entry_that_is_too_large_is_refused_and_leaves_nothing() {
    on_every_store(|mut store| {
        let mut edge = Edge::new();
        commit(&mut store, &mut edge, 0, 5);
        let overhead = bytes_of(&report(0, 0, 0)).len();
        let widest = (ENTRY_BYTES_MAX - overhead) / 4;
        let too_wide = [report(1, 0, 3), report(1, 1, widest + 1)];
        let before = edge.clone();
        let error = TickBatch::new(&mut edge, Tick(1), &too_wide, &key()).unwrap_err();
        assert_eq!(edge, before);
        assert!(matches!(error, StoreError::EntryTooLarge { index: 6, .. }), "{error}");
        assert!(error.to_string().contains("4000"), "{error}");
        assert_eq!(store.head().unwrap().unwrap().head.size, 5);
        assert_eq!(store.get(5).unwrap(), None);
        let fits = [report(1, 1, widest)];
        store.commit(&TickBatch::new(&mut edge, Tick(1), &fits, &key()).unwrap()).unwrap();
        assert_eq!(store.get(5).unwrap(), Some(bytes_of(&report(1, 1, widest))));
    });
}

#[test]
fn a_ledger_grows_and_verifies() {
    let mut heads = Vec::new();
    let heads_of = std::cell::RefCell::new(&mut heads);
    on_every_store(|store| {
        let mut ledger = Ledger::create(store, key(), [8; 32], "0.1.0", 1).unwrap();
        assert_eq!((ledger.len(), ledger.is_empty()), (1, false));
        for tick in 0..20 {
            let before = *ledger.head();
            ledger.append_tick(Tick(tick), &[]).unwrap();
            assert_eq!(*ledger.head(), before, "an empty tick writes nothing");
            let reports: Vec<Entry> = (0..tick as u32 % 7).map(|i| report(tick, i, 8)).collect();
            ledger.append_tick(Tick(tick), &reports).unwrap();
        }
        let verified = verify(ledger.store()).unwrap();
        assert_eq!((verified.head, verified.head.root), (*ledger.head(), ledger.root()));
        let mut count = 0;
        entries(ledger.store(), 1..ledger.len(), |index, entry| {
            assert!(index > 0 && matches!(entry, Entry::Reported { .. }));
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(count, verified.reported);
        heads_of.borrow_mut().push(ledger.finish().unwrap());
    });
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "the head does not depend on the store");
}

#[test]
fn a_ledger_refuses_what_does_not_belong() {
    on_every_store(|store| {
        let mut ledger = Ledger::create(store, key(), [8; 32], "0.1.0", 1).unwrap();
        ledger.append_tick(Tick(5), &[report(5, 0, 2)]).unwrap();
        let head = *ledger.head();
        let genesis = Entry::Genesis {
            scenario_digest: [8; 32],
            engine_version: "0.1.0".to_owned(),
            seed: 1,
            verifying_key: key().verifying_key(),
        };
        let backwards = ledger.append_tick(Tick(4), &[report(4, 0, 2)]);
        assert!(matches!(backwards, Err(LedgerError::TickBackwards { .. })));
        let fingerprint = |tick| Entry::Fingerprint { tick: Tick(tick), fingerprint: [0; 32] };
        for entry in [report(7, 0, 2), fingerprint(7), fingerprint(5)] {
            let wrong = ledger.append_tick(Tick(6), &[entry]);
            assert!(matches!(wrong, Err(LedgerError::WrongTick { .. })));
        }
        assert!(matches!(ledger.append_tick(Tick(6), &[genesis]), Err(LedgerError::SecondGenesis)));
        let too_large = ledger.append_tick(Tick(6), &[report(6, 0, 2000)]);
        assert!(matches!(too_large, Err(LedgerError::Store(StoreError::EntryTooLarge { .. }))));
        assert_eq!(*ledger.head(), head);
        ledger.append_tick(Tick(6), &[report(2, 0, 2)]).unwrap();
        assert_eq!(verify(ledger.store()).unwrap().reported, 2);
    });
}

#[test]
fn a_store_is_set_back_to_an_earlier_head() {
    on_every_store(|mut store| {
        let mut edge = Edge::new();
        commit(&mut store, &mut edge, 0, 130);
        let earlier = (store.head().unwrap().unwrap(), edge.clone());
        commit(&mut store, &mut edge, 1, 5000);
        store.rewind(&earlier.0).unwrap();
        assert_eq!(store.head().unwrap(), Some(earlier.0));
        assert_eq!(indices(&store, 0..u64::MAX), (0..130).collect::<Vec<u64>>());
        let mut edge = earlier.1;
        commit(&mut store, &mut edge, 1, 2);
        assert_eq!(store.head().unwrap().unwrap().frontier, *edge.frontier());
        assert_eq!(indices(&store, 128..u64::MAX), [128, 129, 130, 131]);
    });
}

#[test]
fn a_second_ledger_in_one_store_is_refused() {
    on_every_store(|mut store| {
        commit(&mut store, &mut Edge::new(), 0, 5);
        let second = Ledger::create(store, key(), [8; 32], "0.1.0", 1);
        assert!(matches!(second, Err(LedgerError::NotEmpty { size: 5 })));
    });
}
