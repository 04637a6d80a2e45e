//! What agents say about a signature, and what comes of it.

use crate::{AgentId, SignatureId, Tick};
use serde::{Deserialize, Serialize};

/// One agent's opinion of one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// The signature voted on.
    pub signature: SignatureId,
    /// Who votes.
    pub voter: AgentId,
    /// `true`: a threat.
    pub yes: bool,
    /// How bad the voter finds it, from −1 (harmless) to 1 (an attack).
    pub score: Share16,
    /// How sure the voter is, from 0 to 1.
    pub confidence: Share16,
}

/// A number in `[-1, 1]` in steps of 1/32767, as votes carry it: with an order, and the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share16(i16);

impl Share16 {
    /// The nearest step; what lies outside is clipped.
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self((value.clamp(-1.0, 1.0) * 32_767.0).round() as i16)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / 32_767.0
    }
}

impl std::ops::Neg for Share16 {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// How a proposal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
