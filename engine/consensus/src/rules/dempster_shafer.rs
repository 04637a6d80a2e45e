//! Dempster's rule over what the voters say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::Mass;
use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Takes each ballot as evidence of mass confidence × trust, split by its score, and combines all by Dempster's rule.
/// Confirms iff the probability of malicious (what says nothing counts half) exceeds the threshold.
///
/// Decides at the deadline, or once all have voted. Where voters contradict each other badly, see `Yager`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DempsterShafer {
    /// Probability that has to be exceeded.
    pub threshold: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for DempsterShafer {
    fn default() -> Self {
        Self { threshold: 0.5, turnout: 0.5 }
    }
}

/// Nobody is surer than this, or two voters could contradict each other totally.
const CERTAINTY_MAX: f64 = 0.99;

impl VotingRule for DempsterShafer {
    fn check(&self) -> Result<(), BadSetting> {
        share("threshold", self.threshold)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        // What remains after normalising is the same whenever it is done; doing it at every step keeps the masses
        // from underflowing under thousands of voters.
        let combined = evidence(poll).fold(Mass::vacuous(), |sum, mass| sum.conjunction(&mass).dempster());
        Verdict::of(combined.pignistic() > self.threshold)
    }
}

/// The ballots as masses.
pub(super) fn evidence(poll: &Poll) -> impl Iterator<Item = Mass<4>> {
    poll.votes().map(|(ballot, standing)| {
        let certainty = (f64::from(ballot.confidence) * standing.trust).min(CERTAINTY_MAX);
        Mass::evidence(certainty, 0.5 * (1.0 + f64::from(ballot.score)))
    })
}
