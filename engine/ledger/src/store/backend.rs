//! What a store of one's own needs: the keys and values of a batch are given, this reads them back.
//!
//! A backend is any ordered map from bytes to bytes that takes a batch of pairs ([`crate::TickBatch::pairs`]) whole or
//! not at all. `tests/redb_store` is one in a hundred lines, run by the same suite as the two that are shipped.

use std::ops::{ControlFlow, Range};

use crate::batch::{Record, StoredHead};
use crate::store::StoreError;
use crate::store::layout::{self, Bundle};

/// Key of the head.
pub const HEAD_KEY: [u8; 1] = layout::HEAD_KEY;

/// Reads the value under [`HEAD_KEY`].
///
/// # Errors
/// [`StoreError::MalformedHead`] if a batch wrote no such value.
pub fn read_head(value: &[u8]) -> Result<StoredHead, StoreError> {
    layout::decode_head(value)
}

/// The value that [`read_head`] reads.
#[must_use]
pub fn head_value(head: &StoredHead) -> Vec<u8> {
    layout::encode_head(head)
}

/// Where entries lie: a scan from entry `first` starts at the last key that is not above the second of these, or at the
/// first, and ends before the third.
#[must_use]
pub fn entry_keys(first: u64) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (lowest, end) = layout::bundle_bounds();
    (lowest.to_vec(), layout::bundle_key(first).to_vec(), end.to_vec())
}

/// Shows the records in a value whose index lies in `range`. It breaks when the visitor did, or there can be no more.
///
/// # Errors
/// [`StoreError::MalformedBundle`] if a batch wrote no such pair.
pub fn records(
    key: &[u8],
    value: &[u8],
    range: &Range<u64>,
    visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    for record in Bundle::open(key, value)? {
        let record = record?;
        if record.index >= range.end || (record.index >= range.start && visit(record).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether the pair under this key has to go when the ledger is set back to `size` entries.
#[must_use]
pub fn lies_beyond(key: &[u8], size: u64) -> bool {
    layout::lies_beyond(key, size)
}
