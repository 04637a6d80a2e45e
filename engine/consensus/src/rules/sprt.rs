//! Asking one voter after the other, until it is clear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bayesian::log_likelihood_ratio;
use crate::setting::inner_share;
use crate::theory::sprt::bounds;
use crate::{BadSetting, Exchange, Gathering, Poll, Verdict, VotingRule};

/// Wald's sequential test over peers (Zhu, Fung, Boutaba & Başar, arXiv 1002.3190): the author asks voters in random
/// order and stops as soon as the likelihood ratio of their answers leaves the bounds, so that clear cases cost few
/// messages. If all are asked and nothing is clear, the question stays open.
///
/// It is as good as the rates in the voters' standings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sprt {
    /// Probability of confirming a false report that is accepted.
    pub alpha: f64,
    /// Probability of rejecting a true report that is accepted.
    pub beta: f64,
    /// Rates count as at least this, and at most one minus this.
    pub rate_min: f64,
}

impl Default for Sprt {
    fn default() -> Self {
        Self { alpha: 0.01, beta: 0.01, rate_min: 0.01 }
    }
}

impl VotingRule for Sprt {
    fn check(&self) -> Result<(), BadSetting> {
        inner_share("alpha", self.alpha)?;
        inner_share("beta", self.beta)?;
        if self.alpha + self.beta >= 1.0 {
            let problem =
                format!("{} and alpha's {} are 1 or more together: give less", self.beta, self.alpha);
            return Err(BadSetting::new("beta", problem));
        }
        inner_share("rate_min", self.rate_min)
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        let (upper, lower) = bounds(self.alpha, self.beta);
        let mut order: Vec<u32> = (0..poll.ballots.len() as u32).collect();
        let mut ratio = 0.0;
        for asked in 0..order.len() {
            let at = asked + exchange.below((order.len() - asked) as u32) as usize;
            order.swap(asked, at);
            let voter = order[asked] as usize;
            let ballot = &poll.ballots[voter];
            let Some(yes) = exchange.ask(poll.author, ballot.voter, asked as u32, ballot.yes) else {
                continue;
            };
            ratio += log_likelihood_ratio(&poll.standings[voter], yes, self.rate_min);
            if ratio >= upper || ratio <= lower {
                exchange.rounds(2 * (asked as u32 + 1));
                return Verdict::of(ratio >= upper);
            }
        }
        exchange.rounds(2 * order.len() as u32);
        Verdict::Open
    }
}
