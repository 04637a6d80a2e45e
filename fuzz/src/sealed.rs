//! Bytes against the reader of sealed ledgers.

use std::io::Write;
use std::ops::ControlFlow;

use phalanx_ledger::{LedgerReader, MemoryStore, SealedLedger, StoreError, entries, import, seal, verify};

/// Longest file.
const FILE_BYTES_MAX: usize = 64 << 10;

/// Bytes against [`SealedLedger`].
///
/// Oracle: a file that opens and verifies is the only spelling of its ledger: imported into a store and sealed again
/// it has the same bytes, and so the same name. Every other file is refused alike each time, and whatever can be read
/// of it ends.
pub fn sealed(data: &[u8]) {
    if data.len() > FILE_BYTES_MAX {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("fuzz.ledger");
    std::fs::File::create(&path).and_then(|mut file| file.write_all(data)).expect("a file can be written");
    let ledger = match SealedLedger::open(&path) {
        Ok(ledger) => ledger,
        Err(error) => {
            let again = SealedLedger::open(&path).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(again, Err(error.to_string()));
            assert!(error.is_damage() || matches!(error, StoreError::NotALedger { .. }), "{error}");
            return;
        }
    };
    let head = ledger.head().expect("it opened").expect("a sealed ledger has a head").head;
    let mut seen = 0u64;
    let scanned = entries(&ledger, 0..u64::MAX, |index, _| {
        assert_eq!(index, seen);
        seen += 1;
        ControlFlow::Continue(())
    });
    assert!(seen as usize <= data.len() / 10, "more entries than bytes");
    let report = verify(&ledger);
    let Ok(report) = report else {
        let again = verify(&ledger).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(again, report.map(|_| ()).map_err(|error| error.to_string()));
        return;
    };
    scanned.expect("what verifies can be read");
    assert_eq!((report.head, head.size), (head, seen));
    let mut store = MemoryStore::new();
    let mut bytes = Vec::new();
    ledger
        .scan(0..u64::MAX, &mut |record| {
            bytes.push(Ok(record.bytes.to_vec()));
            ControlFlow::Continue(())
        })
        .expect("what verifies can be read");
    import(&mut store, &head, bytes).expect("what verifies can be imported");
    let again = seal(&store, folder.path()).expect("what verifies can be sealed");
    assert_eq!(std::fs::read(again.path).expect("just written"), data, "one ledger has two spellings");
}
