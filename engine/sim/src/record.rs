//! What one tick gives to the caller, who appends, records and shows it.

use std::sync::Arc;

use phalanx_core::{AgentId, Decision, Fingerprint, PluginEvent, Signature, SignatureId, Tick};
use serde::Serialize;

/// The outcome of one tick.
#[derive(Clone, Debug)]
pub struct TickRecord {
    /// Which tick.
    pub tick: Tick,
    /// Fingerprint of everything up to and including it.
    pub fingerprint: Fingerprint,
    /// Signatures reported, by (author, sequence).
    pub reported: Vec<Arc<Signature>>,
    /// Decisions made, by signature.
    pub decisions: Vec<Decision>,
    /// The votes that each decision counted, by signature and voter; empty unless `ledger.votes` asks for them.
    pub ballots: Vec<(SignatureId, Vec<(AgentId, bool)>)>,
    /// Agents whose trust changed, by id; empty unless `ledger.trust` asks for them.
    pub trust: Vec<TrustChange>,
    /// Confirmed signatures that were on some agent's blacklist before this tick's adapt phase and are on none after it,
    /// by id; empty unless `ledger.expiry` asks for them.
    pub expired: Vec<SignatureId>,
    /// Agents whose model was fitted anew, by id, with the digest of the new one; empty unless `ledger.models` asks for
    /// them. A shared model is its owner's.
    pub refitted: Vec<(AgentId, u64)>,
    /// Agents that went down or came back, by id, and whether they are up; empty unless `ledger.presence` asks for them.
    pub presence: Vec<(AgentId, bool)>,
    /// Agents that left and came back as newcomers, by id.
    pub rejoined: Vec<AgentId>,
    /// Agents caught saying two things: both yes and no to one proposal, or a ledger head that is not everybody's.
    pub two_faced: Vec<AgentId>,
    /// Faults of plugins and moves of their breakers: the voting rule's, then those of agents by id.
    pub plugins: Vec<PluginEvent>,
    /// What was counted in this tick.
    pub counts: TickCounts,
}

/// What a tick did to the trust in an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustChange {
    /// The agent.
    pub agent: AgentId,
    /// Trust before the tick, in `[0, 1]`.
    pub before: f64,
    /// Trust after it.
    pub after: f64,
}

/// Counters of one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TickCounts {
    /// Flows seen.
    pub flows: u64,
    /// Anomalous in truth.
    pub anomalous: u64,
    /// Flagged by detector or indicator.
    pub flagged: u64,
    /// Flagged and anomalous.
    pub true_positive: u64,
    /// Blocked by a confirmed indicator.
    pub blocked: u64,
    /// Votes cast.
    pub votes: u64,
    /// Messages sent.
    pub messages: u64,
    /// Messages lost.
    pub lost: u64,
    /// Hosts infected by worms.
    pub infected: u64,
    /// Models refitted.
    pub refits: u64,
    /// Calls of plugins that failed.
    pub plugin_faults: u64,
    /// Agents whose flows were not scored by their plugin.
    pub plugin_fallbacks: u64,
}
