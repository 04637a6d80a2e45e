//! Verification: reading a whole ledger and finding the first thing that is wrong with it.

mod failure;
mod reading;
#[cfg(test)]
mod tampering;

pub use failure::VerifyFailure;

use std::ops::{ControlFlow, Range};
use std::path::Path;

use phalanx_core::Tick;

use crate::batch::Record;
use crate::entry::Entry;
use crate::head::Head;
use crate::ledger::LedgerError;
use crate::store::{Durability, LedgerStore, SledStore, StoreError};
use reading::Reading;

/// What a ledger that verified holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Its signed head. Compare it with one that was kept elsewhere: only that finds a ledger that was
    /// rewritten as a whole.
    pub head: Head,
    /// Digest of the scenario that genesis names.
    pub scenario_digest: [u8; 32],
    /// Engine version that genesis names.
    pub engine_version: String,
    /// Seed that genesis names.
    pub seed: u64,
    /// Whether the heads are signed by the key that everybody can derive from the seed.
    pub key_from_seed: bool,
    /// Signatures reported.
    pub reported: u64,
    /// Signatures confirmed.
    pub confirmed: u64,
    /// Signatures rejected.
    pub rejected: u64,
    /// Signatures left undecided.
    pub undecided: u64,
    /// Tick and value of the newest fingerprint.
    pub fingerprint: Option<(Tick, [u8; 32])>,
    /// Length of all entries' encodings together.
    pub entry_bytes: u64,
    /// Sizes of the other heads that the entries were compared with: the one noted when the ledger was
    /// finished, and the one that the caller holds.
    pub compared: Vec<u64>,
}

/// Reads all entries in order, with O(log n) memory, and checks that they are a ledger and the one that its
/// head was signed for: framing, order and number, encoding, genesis, ticks, signature, root.
///
/// ```
/// use phalanx_core::Tick;
/// use phalanx_ledger::{Entry, Ledger, LedgerKey, MemoryStore, verify};
/// let mut ledger = Ledger::create(MemoryStore::new(), LedgerKey::from_seed(1), [0; 32], "0.1.0", 1)?;
/// ledger.append_tick(Tick(0), &[Entry::Fingerprint { tick: Tick(0), fingerprint: [7; 32] }])?;
/// assert_eq!(verify(ledger.store())?.fingerprint, Some((Tick(0), [7; 32])));
/// # Ok::<(), phalanx_ledger::LedgerError>(())
/// ```
///
/// # Errors
/// [`LedgerError::Mismatch`] with the first finding; [`LedgerError::Store`] if the store cannot be read;
/// [`LedgerError::Empty`] if there is nothing in it.
pub fn verify(store: &dyn LedgerStore) -> Result<VerifyReport, LedgerError> {
    let noted = store.noted_head().map_err(finding)?;
    verify_heads(store, noted.as_slice())
}

/// As [`verify`], and checks that the entries grew out of those that `held` was signed for: the head of an
/// earlier time, kept outside of the ledger's reach. This is the check that finds a ledger rewritten as a
/// whole.
///
/// # Errors
/// As [`verify`].
pub fn verify_held(store: &dyn LedgerStore, held: &Head) -> Result<VerifyReport, LedgerError> {
    let noted = store.noted_head().map_err(finding)?;
    verify_heads(store, &[noted.as_slice(), &[*held]].concat())
}

fn verify_heads(store: &dyn LedgerStore, held: &[Head]) -> Result<VerifyReport, LedgerError> {
    let stored = match (store.head().map_err(finding)?, held) {
        (Some(stored), _) => stored,
        (None, _) if store.get(0).map_err(finding)?.is_some() => return Err(VerifyFailure::NoHead.into()),
        (None, []) => return Err(LedgerError::Empty),
        (None, [held, ..]) => return Err(VerifyFailure::RolledBack { size: 0, held: held.size }.into()),
    };
    let mut reading = Reading::new(stored.head, held);
    let mut failure = None;
    store
        .scan(0..u64::MAX, &mut |record| match reading.read(record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(found) => {
                failure = Some(found);
                ControlFlow::Break(())
            }
        })
        .map_err(finding)?;
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(reading.conclude(&stored)?),
    }
}

/// Verifies the ledger in a folder. Nothing is made where there is none; sled may tidy the files of one.
///
/// # Errors
/// As [`verify`]; and [`StoreError::NotALedger`] if there is no ledger in the folder.
pub fn verify_dir(path: &Path) -> Result<VerifyReport, LedgerError> {
    let store = SledStore::open(path, Durability::End).map_err(finding)?;
    verify(&store)
}

/// Shows the entries whose index lies in `range`, in order, until the visitor breaks. Verifies nothing else.
///
/// # Errors
/// If the store cannot be read or an entry does not decode.
pub fn entries(
    store: &dyn LedgerStore,
    range: Range<u64>,
    mut visit: impl FnMut(u64, Entry) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let mut failure = None;
    store.scan(range, &mut |Record { index, bytes, .. }| match Entry::decode(bytes) {
        Ok(entry) => visit(index, entry),
        Err(source) => {
            failure = Some(LedgerError::Decode { index, source });
            ControlFlow::Break(())
        }
    })?;
    failure.map_or(Ok(()), Err)
}

/// Broken framing is a finding about the ledger; everything else is the store's trouble.
fn finding(error: StoreError) -> LedgerError {
    match error {
        StoreError::MalformedHead { problem } => VerifyFailure::MalformedHead { problem }.into(),
        StoreError::MalformedBundle { index, problem } => VerifyFailure::Malformed { index, problem }.into(),
        other => other.into(),
    }
}
