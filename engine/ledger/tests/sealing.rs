//! Sealed files: the same bytes for the same ledger, every change noticed, the way back into a store.

mod common;

use std::fs;
use std::path::Path;

use common::{all, grown};
use phalanx_ledger::{
    Durability, LedgerError, LedgerReader, MemoryStore, Prover, Query, SealedLedger, SledStore, StoreError,
    VerifyFailure, import, seal, verify,
};

fn bytes_of(reader: &dyn LedgerReader) -> Vec<Result<Vec<u8>, LedgerError>> {
    let encoded = |entry: &phalanx_ledger::Entry| {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        Ok(bytes)
    };
    all(reader).iter().map(|(_, entry)| encoded(entry)).collect()
}

#[test]
fn a_sealed_ledger_is_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = grown(120, 30);
    let sealed = seal(ledger.store(), folder.path()).unwrap();
    assert_eq!(seal(ledger.store(), folder.path()).unwrap(), sealed, "the same bytes, under the same name");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let file = SealedLedger::open(&sealed.path).unwrap();
    let mut expected = verify(ledger.store()).unwrap();
    expected.compared.clear();
    assert_eq!(verify(&file).unwrap(), expected);
    assert_eq!(all(&file), all(ledger.store()));
    assert_eq!(file.get(4097).unwrap(), ledger.store().get(4097).unwrap());
    assert_eq!(file.get(ledger.len()).unwrap(), None);
    let size = ledger.len();
    let (mut ours, mut theirs) = (Prover::new(ledger.store(), size), Prover::new(&file, size));
    for index in [0, 127, 128, 4000, size - 1] {
        assert_eq!(ours.inclusion(index, size).unwrap(), theirs.inclusion(index, size).unwrap());
        assert_eq!(ours.consistency(index, size).unwrap(), theirs.consistency(index, size).unwrap());
    }
    let query = Query { agent: Some(phalanx_core::AgentId(7)), ..Query::default() };
    let found = |reader: &dyn LedgerReader| {
        let mut indices = Vec::new();
        query
            .run(reader, |index, _| {
                indices.push(index);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        indices
    };
    assert_eq!(found(&file), found(ledger.store()));
}

#[test]
fn every_changed_byte_of_a_sealed_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = seal(grown(2, 2).store(), folder.path()).unwrap();
    let whole = fs::read(&sealed.path).unwrap();
    let spoiled = folder.path().join("spoiled");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&spoiled, bytes).unwrap();
        let result = SealedLedger::open(&spoiled).map_err(LedgerError::from).and_then(|file| verify(&file));
        let error = result.expect_err(what);
        let no_seal = matches!(error, LedgerError::Store(StoreError::NotALedger { .. }));
        assert!(error.is_mismatch() || no_seal, "{what}: {error}");
    };
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, &format!("byte {at}"));
        if at % 5 == 0 {
            check(&whole[..at], &format!("cut to {at}"));
        }
    }
    check(&[&whole[..], &[0]].concat(), "one byte more");
}

#[test]
fn an_imported_ledger_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = grown(120, 30);
    let head = *ledger.head();
    let path = folder.path().join("ledger");
    let mut disk = SledStore::create(&path, Durability::End).unwrap();
    import(&mut disk, &head, bytes_of(ledger.store())).unwrap();
    assert_eq!(disk.noted_head().unwrap(), Some(head));
    drop(disk);
    let disk = SledStore::open(&path, Durability::End).unwrap();
    let mut report = verify(&disk).unwrap();
    assert_eq!(report.compared, [head.size]);
    report.compared.clear();
    assert_eq!(report, verify(ledger.store()).unwrap());
}

#[test]
fn entries_that_are_not_those_of_the_head_make_no_ledger() {
    let ledger = grown(4, 10);
    let size = ledger.len();
    let check = |entries: Vec<Result<Vec<u8>, LedgerError>>, expected: VerifyFailure| {
        let mut store = MemoryStore::new();
        match import(&mut store, ledger.head(), entries) {
            Err(LedgerError::Mismatch(failure)) => assert_eq!(failure, expected),
            other => panic!("{other:?}"),
        }
        assert!(store.head().unwrap().is_none());
    };
    let whole = || bytes_of(ledger.store());
    let mut shorter = whole();
    shorter.pop();
    check(shorter, VerifyFailure::Missing { index: size - 1, size });
    let mut longer = whole();
    longer.push(whole().pop().unwrap());
    check(longer, VerifyFailure::Extra { index: size, size });
    let mut swapped = whole();
    swapped.swap(3, 4);
    check(swapped, VerifyFailure::Root { size });
    let mut store = grown(1, 1).store().clone();
    let taken = import(&mut store, ledger.head(), whole()).unwrap_err();
    assert!(matches!(taken, LedgerError::NotEmpty { .. }), "{taken}");
}

#[test]
fn what_is_no_sealed_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    assert!(matches!(SealedLedger::open(&file), Err(StoreError::NotALedger { .. })));
    assert!(!SealedLedger::is_sealed(&file));
    assert!(matches!(SealedLedger::open(Path::new("/nowhere")), Err(StoreError::Io { .. })));
}
