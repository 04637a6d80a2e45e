//! Entries: the typed lines of a ledger and their one canonical encoding.
//!
//! An entry is `kind: u8, version: u8`, then its fields in the order of the type below. Integers are
//! big-endian, floats are their bits (`-0.0` and NaN made canonical), texts and lists have a `u32` count
//! before them. Each value has exactly one encoding, so equal entries have equal leaf hashes, and `decode`
//! refuses every other spelling. `docs/ledger-format.md` draws the bytes.

mod decode;
mod encode;
mod part;
#[cfg(test)]
mod tests;

pub use part::{Ballot, FaultAnswer, MembershipChange};
pub(crate) use part::{ID_BYTES, indicator_flags, put_id};

use phalanx_core::{AgentId, Decision, Indicator, Outcome, SignatureId, Tick};

use crate::head::Head;

/// One line of a ledger; each is a leaf of the tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What the run is. Always entry 0, and only entry 0.
    Genesis {
        /// Digest of the resolved scenario.
        scenario_digest: [u8; 32],
        /// Version of the engine that wrote the ledger.
        engine_version: String,
        /// Seed of the run.
        seed: u64,
        /// Ed25519 key that the heads of this ledger are signed for.
        verifying_key: [u8; 32],
    },
    /// An agent reported a threat signature.
    Reported {
        /// Identity of the signature.
        id: SignatureId,
        /// Which flows are meant.
        indicator: Indicator,
        /// Number of supporting flows.
        support: u32,
        /// Mean margin of their scores over the author's threshold, in `[0, 1]`.
        confidence: f32,
        /// Their mean feature vector.
        centroid: Box<[f32]>,
        /// Digest of the supporting flows.
        evidence: [u8; 16],
    },
    /// A signature was confirmed, rejected, or left undecided at its deadline.
    Decided(Decision),
    /// The fingerprint chain after a tick.
    Fingerprint {
        /// The tick that ended.
        tick: Tick,
        /// The chain's link after it.
        fingerprint: [u8; 32],
    },
    /// A confirmed signature is no longer acted on.
    Expired {
        /// The signature.
        id: SignatureId,
        /// When it ended.
        tick: Tick,
    },
    /// The ballots that a decision counted, in voter order; a long list takes several entries.
    Ballots {
        /// The signature voted on.
        id: SignatureId,
        /// Tick of the decision.
        tick: Tick,
        /// Number of ballots of the same decision in the entries before.
        first: u32,
        /// The ballots.
        ballots: Box<[Ballot]>,
        /// A signature of each voter, as [`crate::AgentKeys`] makes them; none, or as many as ballots.
        signatures: Box<[[u8; 64]]>,
    },
    /// The trust in an agent changed.
    Trust {
        /// When.
        tick: Tick,
        /// In whom.
        agent: AgentId,
        /// Before, in `[0, 1]`.
        before: f32,
        /// After, in `[0, 1]`.
        after: f32,
    },
    /// An agent came, went or was shut out.
    Membership {
        /// When.
        tick: Tick,
        /// Who.
        agent: AgentId,
        /// What happened.
        change: MembershipChange,
    },
    /// A round of federated learning ended.
    ModelRound {
        /// When.
        tick: Tick,
        /// Number of the round, from 0.
        round: u32,
        /// Agents that sent an update.
        updates: u32,
        /// Updates that went into the new model.
        accepted: u32,
        /// Digest of the new model.
        model: [u8; 32],
    },
    /// Data left the region that it has to stay in, or was kept from leaving.
    Egress {
        /// When.
        tick: Tick,
        /// Whose data.
        agent: AgentId,
        /// Region it was in.
        from: String,
        /// Region it was sent to.
        to: String,
        /// Number of bytes.
        bytes: u64,
        /// Digest of the data.
        digest: [u8; 16],
        /// Whether it left.
        allowed: bool,
    },
    /// What the whole state was: whoever repeats the run can compare.
    Checkpoint {
        /// The tick that it was taken after.
        tick: Tick,
        /// Digest of the snapshot.
        state: [u8; 32],
        /// The fingerprint chain at that time.
        fingerprint: [u8; 32],
    },
    /// A head of all entries before this one, so that whoever holds any later head holds this one as well.
    SignedHead {
        /// When.
        tick: Tick,
        /// Who signed it: [`Entry::LEDGER`], or an agent whose key stands in the ledger.
        signer: AgentId,
        /// The head, with the signer's signature.
        head: Head,
    },
    /// A plugin trapped, ran out of fuel or gave a bad answer.
    PluginFault {
        /// When.
        tick: Tick,
        /// The agent that it ran for.
        agent: AgentId,
        /// SHA-256 of the plugin.
        plugin: [u8; 32],
        /// What went wrong.
        fault: String,
        /// What was done instead.
        answer: FaultAnswer,
    },
    /// Public keys of agents, of consecutive numbers. They stand at the start of a ledger whose reports are
    /// signed.
    Keys {
        /// Whose the first key is.
        first: AgentId,
        /// Ed25519 keys.
        keys: Box<[[u8; 32]]>,
    },
    /// An agent's signature under the entry directly before this one.
    Statement {
        /// When.
        tick: Tick,
        /// Who signs.
        agent: AgentId,
        /// Ed25519 signature, as [`crate::AgentKeys`] makes it.
        signature: [u8; 64],
    },
}

impl Entry {
    /// Signs heads for the ledger itself, with the key that genesis names.
    pub const LEDGER: AgentId = AgentId(u32::MAX);

    /// Every [`Entry::label`] there is, in the order of kinds.
    pub const LABELS: [&str; 17] = [
        "genesis",
        "reported",
        "confirmed",
        "rejected",
        "undecided",
        "fingerprint",
        "expired",
        "ballots",
        "trust",
        "membership",
        "model-round",
        "egress",
        "checkpoint",
        "signed-head",
        "plugin-fault",
        "keys",
        "statement",
    ];

    /// A short name of what happened; decisions are named after their outcome.
    #[must_use]
    pub fn label(&self) -> &'static str {
        Self::LABELS[self.label_index()]
    }

    /// Where the label stands in [`Entry::LABELS`].
    pub(crate) fn label_index(&self) -> usize {
        match self {
            Self::Genesis { .. } => 0,
            Self::Reported { .. } => 1,
            Self::Decided(decision) => match decision.outcome {
                Outcome::Confirmed => 2,
                Outcome::Rejected => 3,
                Outcome::Undecided => 4,
            },
            Self::Fingerprint { .. } => 5,
            Self::Expired { .. } => 6,
            Self::Ballots { .. } => 7,
            Self::Trust { .. } => 8,
            Self::Membership { .. } => 9,
            Self::ModelRound { .. } => 10,
            Self::Egress { .. } => 11,
            Self::Checkpoint { .. } => 12,
            Self::SignedHead { .. } => 13,
            Self::PluginFault { .. } => 14,
            Self::Keys { .. } => 15,
            Self::Statement { .. } => 16,
        }
    }

    /// The tick that the entry says it happened at; of a report, the report's own.
    #[must_use]
    pub fn tick(&self) -> Option<Tick> {
        match self {
            Self::Genesis { .. } | Self::Keys { .. } => None,
            Self::Reported { id, .. } => Some(id.tick),
            Self::Decided(decision) => Some(decision.tick),
            Self::Fingerprint { tick, .. }
            | Self::Expired { tick, .. }
            | Self::Ballots { tick, .. }
            | Self::Trust { tick, .. }
            | Self::Membership { tick, .. }
            | Self::ModelRound { tick, .. }
            | Self::Egress { tick, .. }
            | Self::Checkpoint { tick, .. }
            | Self::SignedHead { tick, .. }
            | Self::PluginFault { tick, .. }
            | Self::Statement { tick, .. } => Some(*tick),
        }
    }

    /// The threat signature that the entry speaks of.
    #[must_use]
    pub fn signature_id(&self) -> Option<SignatureId> {
        match self {
            Self::Reported { id, .. } | Self::Expired { id, .. } | Self::Ballots { id, .. } => Some(*id),
            Self::Decided(decision) => Some(decision.signature),
            _ => None,
        }
    }

    /// Shows the agents that the entry is about: authors, voters, whoever something happened to.
    pub fn agents(&self, mut visit: impl FnMut(AgentId)) {
        match self {
            Self::Reported { id, .. } | Self::Expired { id, .. } => visit(id.author),
            Self::Decided(decision) => visit(decision.signature.author),
            Self::Ballots { ballots, .. } => ballots.iter().for_each(|ballot| visit(ballot.voter)),
            Self::SignedHead { signer, .. } if *signer != Self::LEDGER => visit(*signer),
            Self::Trust { agent, .. }
            | Self::Membership { agent, .. }
            | Self::Egress { agent, .. }
            | Self::PluginFault { agent, .. }
            | Self::Statement { agent, .. } => visit(*agent),
            Self::Genesis { .. }
            | Self::Fingerprint { .. }
            | Self::ModelRound { .. }
            | Self::Checkpoint { .. }
            | Self::SignedHead { .. }
            | Self::Keys { .. } => {}
        }
    }

    /// The ballots of a decision, in voter order, as entries that are not too large even when they are signed.
    #[must_use]
    pub fn ballots(id: SignatureId, tick: Tick, ballots: &[Ballot]) -> Vec<Self> {
        let parts = ballots.chunks(BALLOTS_PER_ENTRY).enumerate();
        parts
            .map(|(part, ballots)| Self::Ballots {
                id,
                tick,
                first: (part * BALLOTS_PER_ENTRY) as u32,
                ballots: ballots.into(),
                signatures: [].into(),
            })
            .collect()
    }

    /// The indicator that the entry holds: a report's.
    #[must_use]
    pub fn indicator(&self) -> Option<&Indicator> {
        match self {
            Self::Reported { indicator, .. } => Some(indicator),
            _ => None,
        }
    }
}

/// Ballots that one entry holds: 33 bytes, and 69 for each when it is signed, stay below 4,000.
const BALLOTS_PER_ENTRY: usize = 57;

const GENESIS: u8 = 1;
const REPORTED: u8 = 2;
const DECIDED: u8 = 3;
const FINGERPRINT: u8 = 4;
const EXPIRED: u8 = 5;
const BALLOTS: u8 = 6;
const TRUST: u8 = 7;
const MEMBERSHIP: u8 = 8;
const MODEL_ROUND: u8 = 9;
const EGRESS: u8 = 10;
const CHECKPOINT: u8 = 11;
const SIGNED_HEAD: u8 = 12;
const PLUGIN_FAULT: u8 = 13;
const KEYS: u8 = 14;
const STATEMENT: u8 = 15;

/// The only version so far of each layout.
const VERSION: u8 = 1;
