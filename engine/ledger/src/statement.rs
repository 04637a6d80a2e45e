//! Statements: what agents sign, with which keys, and how many signatures are checked at once.
//!
//! A statement signs the leaf hash of an entry, or a ballot, together with the genesis entry of the ledger, so
//! that it means nothing in another ledger. As the heads' key, an agent's key follows from the run's seed:
//! within the simulation an agent cannot speak for another one; outside of it, whoever knows the seed can.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey, verify_batch};
use phalanx_core::{AgentId, SignatureId, Tick};
use sha2::{Digest, Sha256};

use crate::entry::{Ballot, Entry, ID_BYTES, put_id};
use crate::head::Head;
use crate::merkle::{Hash, leaf_hash};

/// First bytes of what an agent's key is derived from.
const KEY_DOMAIN: &[u8; 21] = b"phalanx agent key v1\n";
/// First bytes of a signed entry.
const ENTRY_DOMAIN: &[u8; 21] = b"phalanx statement v1\n";
/// First bytes of a signed ballot.
const BALLOT_DOMAIN: &[u8; 18] = b"phalanx ballot v1\n";
/// Keys of agents that one entry holds.
const KEYS_PER_ENTRY: u32 = 120;
/// Signatures that are checked together: twice as fast a signature as one by one (measured).
const BATCH: usize = 256;

/// The keys of a run's agents, made when they are first needed.
#[derive(Clone, Debug)]
pub struct AgentKeys {
    seed: u64,
    genesis: Hash,
    keys: BTreeMap<AgentId, SigningKey>,
}

impl AgentKeys {
    /// The keys of the agents of a run; `genesis` is the leaf hash of its ledger's entry 0.
    #[must_use]
    pub fn new(seed: u64, genesis: Hash) -> Self {
        Self { seed, genesis, keys: BTreeMap::new() }
    }

    fn key(&mut self, agent: AgentId) -> &SigningKey {
        let seed = self.seed;
        self.keys.entry(agent).or_insert_with(|| {
            let secret = Sha256::new().chain_update(KEY_DOMAIN).chain_update(seed.to_be_bytes());
            SigningKey::from_bytes(&secret.chain_update(agent.0.to_be_bytes()).finalize().into())
        })
    }

    /// The public half of an agent's key.
    pub fn verifying_key(&mut self, agent: AgentId) -> [u8; 32] {
        self.key(agent).verifying_key().to_bytes()
    }

    /// The agent's signature under the entry with this leaf hash.
    pub fn sign_entry(&mut self, agent: AgentId, leaf: &Hash) -> [u8; 64] {
        let message = entry_message(&self.genesis, leaf);
        self.key(agent).sign(&message).to_bytes()
    }

    /// The same head with an agent's signature, for an agent that says what it saw.
    #[must_use]
    pub fn cosign(&mut self, agent: AgentId, head: &Head) -> Head {
        Head { signature: self.key(agent).sign(&head.message()).to_bytes(), ..*head }
    }

    /// What a ledger with signing appends instead of these entries: each report followed by its author's
    /// statement, each ballot with its voter's signature.
    #[must_use]
    pub fn sign_all(&mut self, tick: Tick, entries: &[Entry]) -> Vec<Entry> {
        let (mut signed, mut bytes) = (Vec::with_capacity(2 * entries.len()), Vec::new());
        for entry in entries {
            match entry {
                Entry::Reported { id, .. } => {
                    bytes.clear();
                    entry.encode(&mut bytes);
                    let signature = self.sign_entry(id.author, &leaf_hash(&bytes));
                    signed.push(entry.clone());
                    signed.push(Entry::Statement { tick, agent: id.author, signature });
                }
                Entry::Ballots { id, tick, first, ballots, signatures } if signatures.is_empty() => {
                    let signatures = ballots.iter().map(|ballot| self.sign_ballot(id, ballot)).collect();
                    let (id, tick, first, ballots) = (*id, *tick, *first, ballots.clone());
                    signed.push(Entry::Ballots { id, tick, first, ballots, signatures });
                }
                other => signed.push(other.clone()),
            }
        }
        signed
    }

    /// The public keys of agents `0..agents`, as entries to stand behind genesis.
    #[must_use]
    pub fn entries(&mut self, agents: u32) -> Vec<Entry> {
        let firsts = (0..agents).step_by(KEYS_PER_ENTRY as usize);
        let parts = firsts.map(|first| (first, agents.min(first + KEYS_PER_ENTRY)));
        parts
            .map(|(first, end)| {
                let keys = (first..end).map(|agent| self.verifying_key(AgentId(agent))).collect();
                Entry::Keys { first: AgentId(first), keys }
            })
            .collect()
    }

    /// The voter's signature under its ballot.
    pub fn sign_ballot(&mut self, id: &SignatureId, ballot: &Ballot) -> [u8; 64] {
        let message = ballot_message(&self.genesis, id, ballot);
        self.key(ballot.voter).sign(&message).to_bytes()
    }
}

/// What an agent signs of an entry: domain, leaf hash of genesis, leaf hash of the entry.
pub(crate) fn entry_message(genesis: &Hash, leaf: &Hash) -> Vec<u8> {
    [ENTRY_DOMAIN.as_slice(), genesis, leaf].concat()
}

/// What a voter signs: domain, leaf hash of genesis, id of the threat signature, voter, vote.
pub(crate) fn ballot_message(genesis: &Hash, id: &SignatureId, ballot: &Ballot) -> Vec<u8> {
    let mut message = Vec::with_capacity(BALLOT_DOMAIN.len() + 32 + ID_BYTES + 5);
    message.extend_from_slice(BALLOT_DOMAIN);
    message.extend_from_slice(genesis);
    put_id(&mut message, id);
    message.extend_from_slice(&ballot.voter.0.to_be_bytes());
    message.push(u8::from(ballot.yes));
    message
}

/// Signatures that were read and not checked yet.
#[derive(Debug, Default)]
pub(crate) struct PendingStatements {
    messages: Vec<Vec<u8>>,
    signatures: Vec<Signature>,
    keys: Vec<VerifyingKey>,
    /// Index of the entry that each one stands in.
    entries: Vec<u64>,
}

impl PendingStatements {
    /// Adds a signature.
    ///
    /// # Errors
    /// The index of the first entry with a signature that does not hold, among those that were checked now.
    pub(crate) fn push(
        &mut self,
        index: u64,
        message: Vec<u8>,
        signature: &[u8; 64],
        key: &[u8; 32],
    ) -> Result<(), u64> {
        // A key that is no point on the curve, or a weak one, signs nothing. Earlier entries come first.
        let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak());
        let Some(key) = key else { return self.check().and(Err(index)) };
        self.messages.push(message);
        self.signatures.push(Signature::from_bytes(signature));
        self.keys.push(key);
        self.entries.push(index);
        if self.entries.len() >= BATCH { self.check() } else { Ok(()) }
    }

    /// Checks all of them.
    ///
    /// # Errors
    /// The index of the first entry with a signature that does not hold.
    pub(crate) fn check(&mut self) -> Result<(), u64> {
        let Self { messages, signatures, keys, entries } = std::mem::take(self);
        let views: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        if views.is_empty() || verify_batch(&views, &signatures, &keys).is_ok() {
            return Ok(());
        }
        // The batch says only that one is wrong. Single checks are strict, the batch is not: what the batch
        // refuses and no single check does cannot occur, as strict acceptance implies the batch's.
        let bad = (0..entries.len()).find(|i| keys[*i].verify_strict(views[*i], &signatures[*i]).is_err());
        bad.map_or(Ok(()), |i| Err(entries[i]))
    }
}
