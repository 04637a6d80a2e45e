//! The baseline without consensus: so many agents have seen it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::count;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Confirms as soon as `k` voters say yes, whatever the others say: sightings in a grow-only set, as MISP counts
/// them. Rejects once fewer than `k` could still do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sightings {
    /// Yes votes needed.
    pub k: u32,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { k: 3 }
    }
}

impl VotingRule for Sightings {
    fn check(&self) -> Result<(), BadSetting> {
        count("k", self.k, 1, 1 << 30)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        let yes = poll.yes();
        let no = poll.ballots.len() as u32 - yes;
        if yes >= self.k {
            Verdict::Confirm
        } else if poll.eligible - no.min(poll.eligible) < self.k {
            Verdict::Reject
        } else {
            Verdict::Open
        }
    }
}
