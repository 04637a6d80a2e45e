//! Batches: what one tick adds to a ledger, encoded, hashed and signed, ready to be stored as a whole.

use phalanx_core::Tick;

use crate::edge::Edge;
use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::ledger::LedgerError;
use crate::merkle::{Frontier, Hash};
use crate::store::StoreError;
use crate::store::layout::{Bundles, HEAD_KEY, Pair, encode_head};

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
    pairs: Vec<Pair>,
    bundles: usize,
    first: u64,
    stored: StoredHead,
}

impl TickBatch {
    /// Encodes the entries, appends their leaves to the edge and signs the new head.
    ///
    /// # Errors
    /// [`StoreError::EntryTooLarge`]; the edge is as it was then.
    pub fn new(edge: &mut Edge, tick: Tick, entries: &[Entry], key: &LedgerKey) -> Result<Self, StoreError> {
        Self::build(edge, tick, entries, key, false)
    }

    /// As [`TickBatch::new`], with the signed head of all entries up to these as one more behind them.
    ///
    /// # Errors
    /// As [`TickBatch::new`].
    pub fn with_head(
        edge: &mut Edge,
        tick: Tick,
        entries: &[Entry],
        key: &LedgerKey,
    ) -> Result<Self, StoreError> {
        Self::build(edge, tick, entries, key, true)
    }

    fn build(
        edge: &mut Edge,
        tick: Tick,
        entries: &[Entry],
        key: &LedgerKey,
        with_head: bool,
    ) -> Result<Self, StoreError> {
        let first = edge.size();
        let mut bundles = Bundles::default();
        let leaves = (first..).zip(entries).map(|(index, entry)| bundles.push(index, entry));
        let leaves = leaves.collect::<Result<Vec<Hash>, _>>()?;
        let mut derived = Vec::new();
        for (leaf, entry) in leaves.iter().zip(entries) {
            edge.push(*leaf, entry, &mut derived);
        }
        if with_head {
            let entry = key.head_entry(edge.frontier(), tick);
            let leaf = bundles.push(edge.size(), &entry)?;
            edge.push(leaf, &entry, &mut derived);
        }
        let mut pairs = bundles.into_pairs();
        let bundles = pairs.len();
        pairs.append(&mut derived);
        let stored = StoredHead { head: key.sign(edge.frontier(), tick), frontier: edge.frontier().clone() };
        pairs.push((HEAD_KEY.to_vec(), encode_head(&stored)));
        Ok(Self { pairs, bundles, first, stored })
    }

    /// Entries of another ledger, byte for byte, and its head if they are the last of them. Until that comes,
    /// the store has entries and no head, and nobody takes it for a whole ledger.
    ///
    /// # Errors
    /// If one of them is no entry, or too large.
    pub(crate) fn imported(
        edge: &mut Edge,
        entries: &[Vec<u8>],
        head: &Head,
        is_last: bool,
    ) -> Result<Self, LedgerError> {
        let first = edge.size();
        let mut bundles = Bundles::default();
        let mut leaves = Vec::with_capacity(entries.len());
        for (index, bytes) in (first..).zip(entries) {
            let entry = Entry::decode(bytes).map_err(|source| LedgerError::Decode { index, source })?;
            leaves.push((bundles.push(index, &entry)?, entry));
        }
        let mut pairs = bundles.into_pairs();
        let bundles = pairs.len();
        leaves.iter().for_each(|(leaf, entry)| edge.push(*leaf, entry, &mut pairs));
        let frontier = edge.frontier().clone();
        let stored = StoredHead { head: Head { size: edge.size(), ..*head }, frontier };
        if is_last {
            pairs.push((HEAD_KEY.to_vec(), encode_head(&stored)));
        }
        Ok(Self { pairs, bundles, first, stored })
    }

    /// Number of entries that must be in the store already.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The keys and values to store, the head among them.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The keys and values that hold the entries.
    pub(crate) fn bundles(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.pairs().take(self.bundles)
    }

    /// The head after the batch.
    #[must_use]
    pub fn stored_head(&self) -> &StoredHead {
        &self.stored
    }
}

/// The part of a leaf's hash that is kept beside its entry.
pub(crate) fn check_of(leaf: &Hash) -> [u8; 8] {
    leaf[..8].try_into().expect("a hash has more than eight bytes")
}
