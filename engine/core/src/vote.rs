//! What agents say about a signature, and what comes of it.

use crate::{AgentId, SignatureId, Tick};

/// One agent's opinion of one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// The signature voted on.
    pub signature: SignatureId,
    /// Who votes.
    pub voter: AgentId,
    /// `true`: a threat.
    pub yes: bool,
}

/// How a proposal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The quorum said yes.
    Confirmed,
    /// The quorum can no longer be reached.
    Rejected,
    /// The deadline passed first.
    Undecided,
}

/// A final decision with its tally, as it is written to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The signature decided on.
    pub signature: SignatureId,
    /// How it ended.
    pub outcome: Outcome,
    /// Tick of the decision.
    pub tick: Tick,
    /// Votes for.
    pub yes: u32,
    /// Votes against.
    pub no: u32,
    /// Agents that were asked.
    pub eligible: u32,
    /// Digest over the votes counted, in voter order.
    pub votes_digest: [u8; 16],
}
