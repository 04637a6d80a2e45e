//! Optimal weights for voters of unequal skill.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{inner_share, positive, share};
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Weighs each vote by the log-odds of its voter being right, `ln(p / (1 - p))` with `p` the voter's trust: the
/// rule that errs least among all if voters err independently (Nitzan & Paroush 1982).
///
/// Decides at the deadline, or once all have voted: confirms iff `Σ ±ln(p / (1 - p)) + ln(prior odds)` reaches
/// `ln(cost of a false positive / cost of a false negative)`. A voter trusted less than one half counts against its
/// own vote, and of one about whom little is known `stranger` stands in for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogOdds {
    /// Cost of confirming a false report.
    pub cost_false_positive: f64,
    /// Cost of rejecting a true one.
    pub cost_false_negative: f64,
    /// Probability that a voter of whom nothing is known is right: the base rate of the trust in it. One half would
    /// make votes of strangers worthless, and nobody could ever earn trust.
    pub stranger: f64,
    /// Trust counts as at least this, and at most one minus this, so that nobody decides alone for good.
    pub trust_min: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for LogOdds {
    fn default() -> Self {
        Self {
            cost_false_positive: 1.0,
            cost_false_negative: 1.0,
            stranger: 0.7,
            trust_min: 0.01,
            turnout: 0.5,
        }
    }
}

impl VotingRule for LogOdds {
    fn check(&self) -> Result<(), BadSetting> {
        positive("cost_false_positive", self.cost_false_positive)?;
        positive("cost_false_negative", self.cost_false_negative)?;
        inner_share("stranger", self.stranger)?;
        inner_share("trust_min", self.trust_min)?;
        if self.trust_min > 0.5 {
            return Err(BadSetting::new(
                "trust_min",
                format!("{} exceeds one half: give less", self.trust_min),
            ));
        }
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let bar = libm::log(self.cost_false_positive / self.cost_false_negative);
        Verdict::of(self.evidence(poll) >= bar)
    }
}

impl LogOdds {
    /// Log-odds of the report being true.
    fn evidence(&self, poll: &Poll) -> f64 {
        let votes = poll.votes().fold(0.0, |sum, (ballot, standing)| {
            let skill = standing.trust + (self.stranger - 0.5) * standing.uncertainty;
            let p = skill.clamp(self.trust_min, 1.0 - self.trust_min);
            let weight = libm::log(p / (1.0 - p));
            if ballot.yes { sum + weight } else { sum - weight }
        });
        votes + poll.prior_log_odds()
    }
}
