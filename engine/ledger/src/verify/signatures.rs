//! Agents' signatures in a ledger: who has to sign what, and whether they did.

use phalanx_core::AgentId;

use crate::entry::Entry;
use crate::merkle::Hash;
use crate::statement::{PendingStatements, ballot_message, entry_message};
use crate::verify::VerifyFailure;

/// What was read of the agents' signatures.
#[derive(Default)]
pub(super) struct Signatures {
    genesis: Hash,
    /// By agent; none in a ledger without signing.
    keys: Vec<[u8; 32]>,
    key_entries: u64,
    /// The report before the entry in hand, which its author has to sign next.
    report: Option<(AgentId, Hash)>,
    pending: PendingStatements,
    count: u64,
}

impl Signatures {
    /// Takes in an entry and its leaf hash.
    pub(super) fn read(&mut self, index: u64, leaf: &Hash, entry: &Entry) -> Result<(), VerifyFailure> {
        if index == 0 {
            self.genesis = *leaf;
        }
        let report = self.report.take();
        if let Some((agent, report)) = report {
            return match entry {
                Entry::Statement { agent: signer, signature, .. } if *signer == agent => {
                    let message = entry_message(&self.genesis, &report);
                    self.push(index, agent, message, signature)
                }
                _ => Err(VerifyFailure::Unsigned { index: index - 1, agent }),
            };
        }
        match entry {
            Entry::Keys { first, keys } => {
                self.key_entries += 1;
                if index != self.key_entries || first.index() != self.keys.len() || keys.is_empty() {
                    return Err(VerifyFailure::Keys { index });
                }
                self.keys.extend_from_slice(keys);
            }
            Entry::Reported { id, .. } if !self.keys.is_empty() => self.report = Some((id.author, *leaf)),
            Entry::Ballots { id, ballots, signatures, .. } if !self.keys.is_empty() => {
                for (i, ballot) in ballots.iter().enumerate() {
                    let agent = ballot.voter;
                    let signature = signatures.get(i).ok_or(VerifyFailure::Unsigned { index, agent })?;
                    self.push(index, agent, ballot_message(&self.genesis, id, ballot), signature)?;
                }
            }
            // A statement under anything but a report, or in a ledger without keys.
            Entry::Statement { .. } => return Err(VerifyFailure::Statement { index }),
            _ => {}
        }
        Ok(())
    }

    /// Key of an agent, if it stands in the ledger.
    pub(super) fn key(&self, agent: AgentId) -> Option<&[u8; 32]> {
        self.keys.get(agent.index())
    }

    fn push(
        &mut self,
        index: u64,
        agent: AgentId,
        message: Vec<u8>,
        signature: &[u8; 64],
    ) -> Result<(), VerifyFailure> {
        let key = self.keys.get(agent.index()).ok_or(VerifyFailure::Unsigned { index, agent })?;
        self.count += 1;
        self.pending.push(index, message, signature, key).map_err(|index| VerifyFailure::Statement { index })
    }

    /// Checks what is left, and says how many signatures there were.
    pub(super) fn conclude(&mut self, size: u64) -> Result<u64, VerifyFailure> {
        if let Some((agent, _)) = self.report {
            return Err(VerifyFailure::Unsigned { index: size - 1, agent });
        }
        self.pending.check().map_err(|index| VerifyFailure::Statement { index })?;
        Ok(self.count)
    }
}
