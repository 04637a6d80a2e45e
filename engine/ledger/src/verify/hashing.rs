//! Reading all records with their leaf hashes, which a second thread makes: half of the work of verification.

use std::ops::ControlFlow;
use std::sync::mpsc::{channel, sync_channel};

use crate::batch::Record;
use crate::merkle::{Hash, leaf_hash};
use crate::store::{LedgerReader, StoreError};

/// A ledger of no more records is hashed without a second thread.
const ALONE_MAX: u64 = 1024;
/// Records that change hands at a time: few enough to stay in a processor's cache on their way.
const CHUNK_RECORDS: usize = 256;
/// Chunks that may wait for the second thread, so that memory stays small whatever the ledger's size.
const CHUNKS_AHEAD: usize = 4;

/// Some records, copied, with their leaf hashes once the second thread has seen them.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Index, check, and where the entry ends in `bytes`.
    records: Vec<(u64, [u8; 8], usize)>,
    leaves: Vec<Hash>,
}

impl Chunk {
    fn push(&mut self, record: Record<'_>) {
        self.bytes.extend_from_slice(record.bytes);
        self.records.push((record.index, record.check, self.bytes.len()));
    }

    fn hash(&mut self) {
        let mut leaves = std::mem::take(&mut self.leaves);
        leaves.extend(self.records().map(|record| leaf_hash(record.bytes)));
        self.leaves = leaves;
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut start = 0;
        self.records.iter().map(move |(index, check, end)| {
            let bytes = &self.bytes[start..*end];
            start = *end;
            Record { index: *index, check: *check, bytes }
        })
    }

    /// Makes room for others, in the same memory.
    fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.leaves.clear();
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
    if size <= ALONE_MAX {
        return reader.scan(0..u64::MAX, &mut |record| visit(record, &leaf_hash(record.bytes)));
    }
    let mut show = |chunk: &Chunk| {
        for (record, leaf) in chunk.records().zip(&chunk.leaves) {
            visit(record, leaf)?;
        }
        ControlFlow::Continue(())
    };
    std::thread::scope(|scope| {
        let (to_hash, waiting) = sync_channel::<Chunk>(CHUNKS_AHEAD);
        let (hashed, ready) = channel::<Chunk>();
        scope.spawn(move || {
            for mut chunk in waiting {
                chunk.hash();
                if hashed.send(chunk).is_err() {
                    break;
                }
            }
        });
        let mut chunk = Chunk::default();
        let mut spare = None;
        let mut under_way = 0;
        let mut flow = ControlFlow::Continue(());
        let scanned = reader.scan(0..u64::MAX, &mut |record| {
            chunk.push(record);
            if chunk.records.len() == CHUNK_RECORDS {
                let next = spare.take().unwrap_or_default();
                to_hash
                    .send(std::mem::replace(&mut chunk, next))
                    .expect("the second thread lives as long as this one");
                under_way += 1;
                if under_way == CHUNKS_AHEAD {
                    let mut chunk = ready.recv().expect("each chunk comes back");
                    under_way -= 1;
                    flow = show(&chunk);
                    chunk.clear();
                    spare = Some(chunk);
                }
            }
            flow
        });
        drop(to_hash);
        for chunk in ready {
            if flow.is_continue() {
                flow = show(&chunk);
            }
        }
        if flow.is_continue() {
            chunk.hash();
            flow = show(&chunk);
        }
        if flow.is_break() { Ok(()) } else { scanned }
    })
}
