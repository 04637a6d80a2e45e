//! The store of a run that keeps nothing: the same pairs as on disk, in a map.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use crate::batch::{Record, StoredHead, TickBatch};
use crate::store::layout::{self, Bundle, HEAD_KEY};
use crate::store::{LedgerReader, LedgerStore, PairVisitor, StoreError};

/// Keeps a ledger in memory, in the layout of the disk; lost when dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    size: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What lies under the keys, for tests that tamper with it.
    #[cfg(test)]
    pub(crate) fn pairs_mut(&mut self) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        &mut self.pairs
    }
}

impl LedgerReader for MemoryStore {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        self.pairs.get(HEAD_KEY.as_slice()).map(|value| layout::decode_head(value)).transpose()
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (lowest, end) = layout::bundle_bounds();
        let (lowest, end) = (lowest.to_vec(), end.to_vec());
        // The first record asked for may lie inside a bundle that starts before it.
        let start = layout::bundle_key(range.start).to_vec();
        let start =
            self.pairs.range(lowest.clone()..=start).next_back().map_or(lowest, |(key, _)| key.clone());
        for (key, value) in self.pairs.range(start..end) {
            for record in Bundle::open(key, value)? {
                let record = record?;
                if record.index >= range.end {
                    return Ok(());
                }
                if record.index >= range.start && visit(record).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.pairs.get(key).cloned())
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        for (key, value) in self.pairs.range(from.to_vec()..to.to_vec()) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl LedgerStore for MemoryStore {
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError> {
        if batch.first() != self.size {
            return Err(StoreError::StaleBatch { batch: batch.first(), stored: self.size });
        }
        self.pairs.extend(batch.pairs().map(|(key, value)| (key.to_vec(), value.to_vec())));
        self.size = batch.stored_head().head.size;
        Ok(())
    }

    fn rewind(&mut self, to: &StoredHead) -> Result<(), StoreError> {
        self.size = to.head.size;
        self.pairs.retain(|key, _| !layout::lies_beyond(key, to.head.size));
        self.pairs.insert(HEAD_KEY.to_vec(), layout::encode_head(to));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
