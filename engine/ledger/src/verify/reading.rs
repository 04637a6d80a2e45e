//! One pass over the records of a ledger, entry by entry, in O(log n) memory.

use std::collections::BTreeMap;

use phalanx_core::{Outcome, Tick};

use crate::batch::{Record, StoredHead, check_of};
use crate::edge::Edge;
use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::merkle::{Frontier, Hash};
use crate::store::layout::{Layout, Pair};
use crate::verify::signatures::Signatures;
use crate::verify::{VerifyFailure, VerifyReport};

/// What was read so far.
pub(super) struct Reading<'a> {
    held: &'a [Head],
    edge: Edge,
    signatures: Signatures,
    newest: Tick,
    counts: [u64; Entry::LABELS.len()],
    verifying_key: [u8; 32],
    report: VerifyReport,
}

impl<'a> Reading<'a> {
    pub(super) fn new(head: Head, held: &'a [Head], layout: Layout) -> Self {
        let report = VerifyReport {
            head,
            scenario_digest: [0; 32],
            engine_version: String::new(),
            seed: 0,
            key_from_seed: false,
            reported: 0,
            confirmed: 0,
            rejected: 0,
            undecided: 0,
            counts: BTreeMap::new(),
            statements: 0,
            fingerprint: None,
            entry_bytes: 0,
            compared: Vec::new(),
        };
        let (edge, signatures) = (Edge::empty(layout), Signatures::default());
        Self {
            held,
            edge,
            signatures,
            newest: Tick(0),
            counts: [0; Entry::LABELS.len()],
            verifying_key: [0; 32],
            report,
        }
    }

    /// Frontier of what was read so far.
    pub(super) fn frontier(&self) -> &Frontier {
        self.edge.frontier()
    }

    /// Takes in the next record; tiles and postings that it completes are added to `derived`.
    pub(super) fn read(
        &mut self,
        record: Record<'_>,
        leaf: &Hash,
        derived: &mut Vec<Pair>,
    ) -> Result<(), VerifyFailure> {
        let Record { index, check, bytes } = record;
        let (expected, size) = (self.edge.size(), self.report.head.size);
        if index != expected {
            return Err(VerifyFailure::Gap { expected, found: index });
        }
        if index >= size {
            return Err(VerifyFailure::Extra { index, size });
        }
        if check_of(leaf) != check {
            return Err(VerifyFailure::Altered { index });
        }
        let entry = Entry::decode(bytes).map_err(|reason| VerifyFailure::Undecodable { index, reason })?;
        self.check_tick(index, &entry)?;
        self.count(index, &entry)?;
        self.signatures.read(index, leaf, &entry)?;
        self.check_head(index, &entry)?;
        self.report.entry_bytes += bytes.len() as u64;
        self.edge.push(*leaf, &entry, derived);
        self.compare()
    }

    /// Compares with the heads that were signed for as many entries as were read.
    fn compare(&mut self) -> Result<(), VerifyFailure> {
        let size = self.edge.size();
        for head in self.held.iter().filter(|head| head.size == size) {
            if !head.is_signed_by(&self.verifying_key) {
                return Err(VerifyFailure::HeldSignature { held: size });
            }
            if head.root != self.edge.frontier().root() {
                return Err(VerifyFailure::Rewritten { held: size });
            }
            self.report.compared.push(size);
        }
        Ok(())
    }

    /// What can be said only when there are no more entries.
    pub(super) fn conclude(mut self, stored: &StoredHead) -> Result<VerifyReport, VerifyFailure> {
        let (read, size) = (self.edge.size(), stored.head.size);
        if read < size {
            return Err(VerifyFailure::Missing { index: read, size });
        }
        if !stored.head.is_signed_by(&self.verifying_key) {
            return Err(VerifyFailure::Signature);
        }
        if self.edge.frontier().root() != stored.head.root {
            return Err(VerifyFailure::Root { size });
        }
        if *self.edge.frontier() != stored.frontier {
            return Err(VerifyFailure::Frontier);
        }
        // Sizes up to the ledger's were compared on the way, but for 0, which no ledger has.
        if let Some(head) = self.held.iter().find(|head| head.size > size || head.size == 0) {
            // A damaged note may claim any size, so look at its signature first.
            let held = head.size;
            let is_signed = held > 0 && head.is_signed_by(&self.verifying_key);
            return Err(if is_signed {
                VerifyFailure::RolledBack { size, held }
            } else {
                VerifyFailure::HeldSignature { held }
            });
        }
        self.report.statements = self.signatures.conclude(size)?;
        let counts = Entry::LABELS.into_iter().zip(self.counts);
        self.report.counts = counts.filter(|(_, count)| *count > 0).collect();
        Ok(self.report)
    }

    /// Decisions and fingerprints are written in the tick that they name; a report may be written later.
    fn check_tick(&mut self, index: u64, entry: &Entry) -> Result<(), VerifyFailure> {
        let Some(tick) = entry.tick() else { return Ok(()) };
        let latest = self.report.head.tick;
        let written_late = matches!(entry, Entry::Reported { .. });
        if tick > latest || (tick < self.newest && !written_late) {
            return Err(VerifyFailure::TickOrder { index, tick, earliest: self.newest, latest });
        }
        self.newest = self.newest.max(tick);
        Ok(())
    }

    /// A head that stands in the ledger speaks of all entries before it, and its signer is the ledger or an agent that
    /// has a key.
    fn check_head(&self, index: u64, entry: &Entry) -> Result<(), VerifyFailure> {
        let Entry::SignedHead { tick, signer, head } = entry else { return Ok(()) };
        let key = match *signer {
            Entry::LEDGER => Some(&self.verifying_key),
            agent => self.signatures.key(agent),
        };
        let is_of_these = head.size == index
            && head.tick == *tick
            && head.root == self.edge.frontier().root()
            && key.is_some_and(|key| head.is_signed_by(key));
        if is_of_these { Ok(()) } else { Err(VerifyFailure::HeadEntry { index }) }
    }

    fn count(&mut self, index: u64, entry: &Entry) -> Result<(), VerifyFailure> {
        let report = &mut self.report;
        self.counts[entry.label_index()] += 1;
        match entry {
            Entry::Genesis { scenario_digest, engine_version, seed, verifying_key } if index == 0 => {
                report.scenario_digest = *scenario_digest;
                report.engine_version.clone_from(engine_version);
                report.seed = *seed;
                report.key_from_seed = LedgerKey::from_seed(*seed).verifying_key() == *verifying_key;
                self.verifying_key = *verifying_key;
            }
            _ if index == 0 => return Err(VerifyFailure::NoGenesis),
            Entry::Genesis { .. } => return Err(VerifyFailure::SecondGenesis { index }),
            Entry::Reported { .. } => report.reported += 1,
            Entry::Decided(decision) => match decision.outcome {
                Outcome::Confirmed => report.confirmed += 1,
                Outcome::Rejected => report.rejected += 1,
                Outcome::Undecided => report.undecided += 1,
            },
            Entry::Fingerprint { tick, fingerprint } => report.fingerprint = Some((*tick, *fingerprint)),
            _ => {}
        }
        Ok(())
    }
}
