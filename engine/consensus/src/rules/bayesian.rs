//! The posterior of an attack, from voters whose errors of both kinds are known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{inner_share, positive, share};
use crate::{BadSetting, Exchange, Poll, Standing, Verdict, VotingRule};

/// Bayesian aggregation (Fung, Zhu, Boutaba & Başar 2010): a yes adds `ln(TPR / FPR)` to the log-odds of the prior,
/// a no `ln((1 - TPR) / (1 - FPR))`. Confirms iff the posterior reaches `C_FP / (C_FP + C_FN)`, the least expected
/// cost.
///
/// Decides at the deadline, or once all have voted. It is as good as the rates in the voters' standings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bayesian {
    /// Cost of confirming a false report.
    pub cost_false_positive: f64,
    /// Cost of rejecting a true one.
    pub cost_false_negative: f64,
    /// Rates count as at least this, and at most one minus this.
    pub rate_min: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for Bayesian {
    fn default() -> Self {
        Self { cost_false_positive: 1.0, cost_false_negative: 1.0, rate_min: 0.01, turnout: 0.5 }
    }
}

impl VotingRule for Bayesian {
    fn check(&self) -> Result<(), BadSetting> {
        positive("cost_false_positive", self.cost_false_positive)?;
        positive("cost_false_negative", self.cost_false_negative)?;
        inner_share("rate_min", self.rate_min)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let evidence = poll.votes().fold(0.0, |sum, (ballot, standing)| {
            sum + log_likelihood_ratio(standing, ballot.yes, self.rate_min)
        });
        let bar = libm::log(self.cost_false_positive / self.cost_false_negative);
        Verdict::of(evidence + poll.prior_log_odds() >= bar)
    }
}

/// What a vote adds to the log-odds of a true report.
pub(super) fn log_likelihood_ratio(standing: &Standing, yes: bool, rate_min: f64) -> f64 {
    let tpr = standing.tpr.clamp(rate_min, 1.0 - rate_min);
    let fpr = standing.fpr.clamp(rate_min, 1.0 - rate_min);
    if yes { libm::log(tpr / fpr) } else { libm::log((1.0 - tpr) / (1.0 - fpr)) }
}
