//! Reading all records with their leaf hashes, which a second thread makes: half of the work of verification.

use std::ops::ControlFlow;
use std::sync::mpsc::{channel, sync_channel};

use crate::batch::Record;
use crate::merkle::{Hash, leaf_hash};
use crate::store::{LedgerReader, StoreError};

/// Records that change hands at a time. A ledger of no more is hashed without a second thread.
const CHUNK_RECORDS: usize = 1024;
/// Chunks that may wait for the second thread, so that memory stays small whatever the ledger's size.
const CHUNKS_AHEAD: usize = 4;

/// Some records, copied.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Index, check, and where the entry ends in `bytes`.
    records: Vec<(u64, [u8; 8], usize)>,
}

impl Chunk {
    fn push(&mut self, record: Record<'_>) {
        self.bytes.extend_from_slice(record.bytes);
        self.records.push((record.index, record.check, self.bytes.len()));
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut start = 0;
        self.records.iter().map(move |(index, check, end)| {
            let bytes = &self.bytes[start..*end];
            start = *end;
            Record { index: *index, check: *check, bytes }
        })
    }

    fn leaves(&self) -> Vec<Hash> {
        self.records().map(|record| leaf_hash(record.bytes)).collect()
    }
}

/// Shows every record of a ledger of about `size` entries with its leaf hash, in order, until the visitor breaks.
///
/// # Errors
/// As [`LedgerReader::scan`], after the records before the trouble were shown.
pub(super) fn scan_hashed(
    reader: &dyn LedgerReader,
    size: u64,
    visit: &mut dyn FnMut(Record<'_>, &Hash) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    if size <= CHUNK_RECORDS as u64 {
        return reader.scan(0..u64::MAX, &mut |record| visit(record, &leaf_hash(record.bytes)));
    }
    let mut show = |chunk: &Chunk, leaves: &[Hash]| {
        for (record, leaf) in chunk.records().zip(leaves) {
            visit(record, leaf)?;
        }
        ControlFlow::Continue(())
    };
    std::thread::scope(|scope| {
        let (to_hash, waiting) = sync_channel::<Chunk>(CHUNKS_AHEAD);
        let (hashed, ready) = channel::<(Chunk, Vec<Hash>)>();
        scope.spawn(move || {
            for chunk in waiting {
                let leaves = chunk.leaves();
                if hashed.send((chunk, leaves)).is_err() {
                    break;
                }
            }
        });
        let mut chunk = Chunk::default();
        let mut under_way = 0;
        let mut flow = ControlFlow::Continue(());
        let scanned = reader.scan(0..u64::MAX, &mut |record| {
            chunk.push(record);
            if chunk.records.len() == CHUNK_RECORDS {
                to_hash
                    .send(std::mem::take(&mut chunk))
                    .expect("the second thread lives as long as this one");
                under_way += 1;
                if under_way == CHUNKS_AHEAD {
                    let (chunk, leaves) = ready.recv().expect("each chunk comes back");
                    under_way -= 1;
                    flow = show(&chunk, &leaves);
                }
            }
            flow
        });
        drop(to_hash);
        for (chunk, leaves) in ready {
            if flow.is_continue() {
                flow = show(&chunk, &leaves);
            }
        }
        if flow.is_continue() {
            flow = show(&chunk, &chunk.leaves());
        }
        if flow.is_break() { Ok(()) } else { scanned }
    })
}
