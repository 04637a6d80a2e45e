//! Verification: reading a whole ledger and finding the first thing that is wrong with it.

mod failure;
#[cfg(test)]
mod forging;
mod hashing;
mod reading;
mod signatures;
#[cfg(test)]
mod tampering;

pub use failure::VerifyFailure;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use phalanx_core::Tick;

use crate::head::Head;
use crate::ledger::LedgerError;
use crate::store::layout::{Layout, Pair};
use crate::store::{Durability, LedgerReader, SledStore, StoreError};
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
    /// Entries by [`crate::Entry::label`], only of labels that occur.
    pub counts: BTreeMap<&'static str, u64>,
    /// Signatures of agents that were checked.
    pub statements: u64,
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
pub fn verify(reader: &dyn LedgerReader) -> Result<VerifyReport, LedgerError> {
    let noted = reader.noted_head().map_err(finding)?;
    verify_heads(reader, noted.as_slice())
}

/// As [`verify`], and checks that the entries grew out of those that `held` was signed for: the head of an
/// earlier time, kept outside of the ledger's reach. This is the check that finds a ledger rewritten as a
/// whole.
///
/// # Errors
/// As [`verify`].
pub fn verify_held(reader: &dyn LedgerReader, held: &Head) -> Result<VerifyReport, LedgerError> {
    let noted = reader.noted_head().map_err(finding)?;
    verify_heads(reader, &[noted.as_slice(), &[*held]].concat())
}

fn verify_heads(reader: &dyn LedgerReader, held: &[Head]) -> Result<VerifyReport, LedgerError> {
    let stored = match (reader.head().map_err(finding)?, held) {
        (Some(stored), _) => stored,
        (None, _) if reader.get(0).map_err(finding)?.is_some() => return Err(VerifyFailure::NoHead.into()),
        (None, []) => return Err(LedgerError::Empty),
        (None, [held, ..]) => return Err(VerifyFailure::RolledBack { size: 0, held: held.size }.into()),
    };
    let layout = Layout::of(reader).map_err(finding)?;
    let mut reading = Reading::new(stored.head, held, layout);
    let mut failure = None;
    let mut derived: Vec<Pair> = Vec::new();
    // Pairs that follow from the entries, and those that there are in the parts that were read.
    let (mut derived_count, mut other_count) = (0, 0);
    let mut trouble = None;
    let scanned = hashing::scan_hashed(reader, stored.head.size, &mut |record, leaf| {
        let read = check_joint(reader, record.index, &reading).and_then(|others| {
            other_count += others;
            Ok(reading.read(record, leaf, &mut derived)?)
        });
        if let Err(found) = read {
            failure = Some(found);
            return ControlFlow::Break(());
        }
        for (key, value) in derived.drain(..) {
            derived_count += 1;
            match reader.value(&key) {
                Ok(there) if there.as_ref() == Some(&value) => {}
                Ok(_) => failure = Some(VerifyFailure::Derived { index: record.index }.into()),
                Err(error) => trouble = Some(error),
            }
        }
        if failure.is_some() || trouble.is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(finding)?;
    if let Some(error) = trouble {
        return Err(finding(error));
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    let report = reading.conclude(&stored)?;
    other_count += reader.others(report.head.size - 1).map_err(finding)?;
    if other_count != derived_count {
        return Err(VerifyFailure::Derived { index: report.head.size }.into());
    }
    Ok(report)
}

/// Where a part begins with this entry, checks that it grew out of the entries before it. Gives the number of pairs beside
/// entries and heads in the part that ends there.
fn check_joint(reader: &dyn LedgerReader, index: u64, reading: &Reading<'_>) -> Result<u64, LedgerError> {
    let before = reading.frontier();
    match reader.joint(index).map_err(finding)? {
        // Another index than the next is found to be a gap.
        Some(joint) if index == before.size() => {
            if joint.before != *before {
                let problem = "does not continue the entries before it: one of the two is of another ledger";
                let problem = problem.to_owned();
                return Err(StoreError::Part { index, path: joint.path, problem }.into());
            }
            reader.others(index - 1).map_err(finding)
        }
        _ => Ok(0),
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

/// Broken framing is a finding about the ledger; everything else is the store's trouble.
fn finding(error: StoreError) -> LedgerError {
    match error {
        StoreError::MalformedHead { problem } => VerifyFailure::MalformedHead { problem }.into(),
        StoreError::MalformedBundle { index, problem } => VerifyFailure::Malformed { index, problem }.into(),
        other => other.into(),
    }
}
