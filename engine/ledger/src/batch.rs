//! Batches: what one tick adds to a ledger, encoded, hashed and signed, ready to be stored as a whole.

use phalanx_core::Tick;

use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::merkle::{Frontier, Hash, leaf_hash};

/// A head together with what is needed to append behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHead {
    /// The signed head.
    pub head: Head,
    /// The frontier of the tree that it is the head of.
    pub frontier: Frontier,
}

/// One entry as it lies in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Number of the entry, from 0.
    pub index: u64,
    /// The first bytes of the entry's leaf hash when it was written. Proves nothing; it lets a verifier name
    /// the entry that was changed where the root alone says only that one was.
    pub check: [u8; 8],
    /// The entry's encoding.
    pub bytes: &'a [u8],
}

/// What one tick appends: all of it is stored or none.
#[derive(Clone, Debug)]
pub struct TickBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    checks: Vec<[u8; 8]>,
    first: u64,
    stored: StoredHead,
}

impl TickBatch {
    /// Encodes the entries, appends their leaves to the tree that `frontier` stands for and signs its new
    /// head.
    #[must_use]
    pub fn new(frontier: &Frontier, tick: Tick, entries: &[Entry], key: &LedgerKey) -> Self {
        let first = frontier.size();
        let mut frontier = frontier.clone();
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(entries.len());
        let mut checks = Vec::with_capacity(entries.len());
        for entry in entries {
            let start = bytes.len();
            entry.encode(&mut bytes);
            let leaf = leaf_hash(&bytes[start..]);
            ends.push(bytes.len());
            checks.push(check_of(&leaf));
            frontier.push(leaf);
        }
        let head = key.sign(&frontier, tick);
        Self { bytes, ends, checks, first, stored: StoredHead { head, frontier } }
    }

    /// Number of entries that must be in the store already.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The entries, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).zip(&self.checks).zip(self.first..).map(|(((start, end), check), index)| {
            Record { index, check: *check, bytes: &self.bytes[*start..*end] }
        })
    }

    /// The head after the batch.
    #[must_use]
    pub fn stored_head(&self) -> &StoredHead {
        &self.stored
    }

    /// The head after the batch, to append the next one behind.
    #[must_use]
    pub fn into_stored_head(self) -> StoredHead {
        self.stored
    }
}

/// The part of a leaf's hash that is kept beside its entry.
pub(crate) fn check_of(leaf: &Hash) -> [u8; 8] {
    leaf[..8].try_into().expect("a hash has more than eight bytes")
}
