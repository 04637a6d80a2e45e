//! Continuing a ledger: behind its newest head, or behind an older one that a checkpoint names.

use crate::batch::{StoredHead, TickBatch};
use crate::edge::Edge;
use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::ledger::{Ledger, LedgerError};
use crate::merkle::leaf_hash;
use crate::prove::Prover;
use crate::statement::AgentKeys;
use crate::store::layout::Bundle;
use crate::store::{LedgerReader, LedgerStore, StoreError};
use crate::verify::VerifyFailure;

/// What becomes of the entries behind the head that a run continues at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They stay. The run appends them once more, each batch is compared with them, and writing begins behind
    /// the last: the way for a run that is repeatable.
    Compare,
    /// They are removed.
    Drop,
}

impl<S: LedgerStore> Ledger<S> {
    /// Continues the ledger in a store, behind its newest head.
    ///
    /// It checks the head, not the entries before it: that is [`crate::verify`]'s work.
    ///
    /// # Errors
    /// If the store holds no ledger, its head does not hold together, another key signed it, or a later head
    /// was noted when the ledger was finished.
    pub fn resume(store: S, key: LedgerKey) -> Result<Self, LedgerError> {
        let stored = checked_head(&store, &key)?;
        let edge = Edge::load(&store, &stored)?;
        Self::over(store, key, stored.head, edge).with_signers()
    }

    /// Continues the ledger behind `head`, an earlier head of it, such as a checkpoint names.
    ///
    /// # Errors
    /// As [`Ledger::resume`]; [`VerifyFailure::RolledBack`] if the store holds fewer entries than `head`
    /// counts, [`VerifyFailure::Rewritten`] if they are others.
    pub fn resume_at(mut store: S, key: LedgerKey, head: &Head, tail: Tail) -> Result<Self, LedgerError> {
        let newest = checked_head(&store, &key)?;
        let (size, held) = (newest.head.size, head.size);
        if held == 0 || !head.is_signed_by(&key.verifying_key()) {
            return Err(VerifyFailure::HeldSignature { held }.into());
        }
        if size < held {
            return Err(VerifyFailure::RolledBack { size, held }.into());
        }
        let frontier = Prover::new(&store, size).frontier(held)?;
        if frontier.root() != head.root {
            return Err(VerifyFailure::Rewritten { held }.into());
        }
        let stored = StoredHead { head: *head, frontier };
        let edge = Edge::load(&store, &stored)?;
        let surviving = (size > held).then_some(newest);
        if surviving.is_some() && tail == Tail::Drop {
            store.rewind(&stored)?;
        }
        let mut ledger = Self::over(store, key, *head, edge);
        ledger.surviving = surviving.filter(|_| tail == Tail::Compare);
        ledger.with_signers()
    }

    /// Takes up signing again where the ledger's keys say that reports are signed.
    fn with_signers(mut self) -> Result<Self, LedgerError> {
        let entry = |index| {
            let bytes = self.store.get(index)?;
            let entry = bytes.as_deref().map(Entry::decode).transpose();
            let entry = entry.map_err(|source| LedgerError::Decode { index, source })?;
            Ok::<_, LedgerError>(bytes.zip(entry))
        };
        if let Some((genesis, Entry::Genesis { seed, .. })) = entry(0)?
            && let Some((_, Entry::Keys { .. })) = entry(1)?
        {
            self.signers = Some(AgentKeys::new(seed, leaf_hash(&genesis)));
        }
        Ok(self)
    }
}

/// The newest head, if this key signed it and nothing was lost behind it.
fn checked_head(store: &dyn LedgerStore, key: &LedgerKey) -> Result<StoredHead, LedgerError> {
    let stored = store.head()?.ok_or(LedgerError::Empty)?;
    if !stored.head.is_signed_by(&key.verifying_key()) {
        return Err(VerifyFailure::Signature.into());
    }
    if stored.frontier.root() != stored.head.root {
        return Err(VerifyFailure::Frontier.into());
    }
    if let Some(noted) = store.noted_head()?.filter(|noted| noted.size > stored.head.size) {
        return Err(VerifyFailure::RolledBack { size: stored.head.size, held: noted.size }.into());
    }
    Ok(stored)
}

/// Compares a batch with what survived of the run that wrote it first.
pub(crate) fn compare(
    store: &dyn LedgerReader,
    surviving: &StoredHead,
    batch: &TickBatch,
) -> Result<(), LedgerError> {
    let size = surviving.head.size;
    let end = batch.stored_head().head.size;
    for (key, value) in batch.bundles() {
        let there = store.value(key)?;
        if there.as_deref() != Some(value) {
            let index = first_difference(key, value, there.as_deref())?;
            return Err(LedgerError::Diverged { index, size });
        }
    }
    // A batch is stored whole, so one that reaches over the end is another one than was stored.
    if end > size || (end == size && batch.stored_head() != surviving) {
        return Err(LedgerError::Diverged { index: size.min(end), size });
    }
    Ok(())
}

fn first_difference(key: &[u8], ours: &[u8], theirs: Option<&[u8]>) -> Result<u64, StoreError> {
    let mut theirs = theirs.map(|value| Bundle::open(key, value)).transpose()?;
    let mut index = 0;
    for record in Bundle::open(key, ours)? {
        let record = record?;
        index = record.index;
        let other = theirs.as_mut().and_then(Iterator::next).transpose()?;
        if other != Some(record) {
            break;
        }
        index += 1;
    }
    Ok(index)
}
