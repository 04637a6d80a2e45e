//! Opinions about opinions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::Opinion;
use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Takes each ballot as an opinion of its voter, discounts it by the trust in the voter, and fuses what remains
/// (Jøsang 2016). Confirms iff the expectation exceeds the threshold; the poll's prior is the base rate.
///
/// Decides at the deadline, or once all have voted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SubjectiveLogic {
    /// Expectation that has to be exceeded.
    pub threshold: f64,
    /// What a doubtful voter's opinion is worth.
    pub discount: Discount,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

/// What a voter's opinion is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Discount {
    /// As much as is expected of the voter, so that strangers count a little.
    #[default]
    Expectation,
    /// As much as is believed of the voter, so that strangers count nothing: uncertainty-favouring discounting.
    Belief,
}

impl Default for SubjectiveLogic {
    fn default() -> Self {
        Self { threshold: 0.5, discount: Discount::Expectation, turnout: 0.5 }
    }
}

/// Nobody is surer than this, or one voter's certainty would silence all others.
const CERTAINTY_MAX: f64 = 0.99;

impl VotingRule for SubjectiveLogic {
    fn check(&self) -> Result<(), BadSetting> {
        share("threshold", self.threshold)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let (mut good, mut bad) = (0.0, 0.0);
        for (ballot, standing) in poll.votes() {
            let certainty = f64::from(ballot.confidence).min(CERTAINTY_MAX);
            let malicious = 0.5 * (1.0 + f64::from(ballot.score));
            let said = Opinion {
                b: certainty * malicious,
                d: certainty * (1.0 - malicious),
                u: 1.0 - certainty,
                base_rate: poll.prior,
            };
            let of_voter = match self.discount {
                Discount::Expectation => Opinion::of_trust(standing.trust, 0.0),
                Discount::Belief => Opinion::of_trust(standing.trust, standing.uncertainty),
            };
            let (r, s) = of_voter.discount(&said).evidence();
            good += r;
            bad += s;
        }
        Verdict::of(Opinion::of_evidence(good, bad, poll.prior).expectation() > self.threshold)
    }
}
