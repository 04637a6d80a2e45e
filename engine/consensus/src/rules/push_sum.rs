//! The share of yes votes, by gossip.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{majority_of, sampling};
use crate::setting::count;
use crate::{BadSetting, Exchange, Gathering, Letter, Poll, Said, Verdict, VotingRule};

/// Push-sum (Kempe, Dobra & Gehrke 2003): everybody holds a value and a weight, keeps half of each and sends the
/// other half to a random peer, round by round; the ratio tends to the mean of all. A participant settles on whether
/// the yes votes exceed the poll's quorum of all eligible voters.
///
/// Nobody counts, and nobody checks: one liar can inject any mass. What is lost on the way biases the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushSum {
    /// Rounds. The error shrinks by about 0.71 a round; 30 bring 1000 agents to 5e-4.
    pub rounds: u32,
}

impl Default for PushSum {
    fn default() -> Self {
        Self { rounds: 40 }
    }
}

impl VotingRule for PushSum {
    fn check(&self) -> Result<(), BadSetting> {
        count("rounds", self.rounds, 1, 1 << 16)
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        let mut sums: Vec<(f64, f64)> =
            poll.ballots.iter().map(|b| (f64::from(u8::from(b.yes)), 1.0)).collect();
        for round in 0..self.rounds {
            self::round(&mut sums, |i| poll.ballots[i].voter, round, exchange);
        }
        exchange.rounds(self.rounds);
        // The mean is over who takes part; the quorum is a share of all.
        let share = sums.len() as f64 / f64::from(poll.eligible.max(1));
        let settled: Vec<Option<bool>> = sums
            .iter()
            .map(|(value, weight)| (*weight > 0.0).then(|| value / weight * share > poll.quorum))
            .collect();
        for (ballot, answer) in poll.ballots.iter().zip(&settled) {
            if let Some(yes) = answer {
                exchange.settle(ballot.voter, *yes);
            }
        }
        majority_of(settled.into_iter(), poll)
    }
}

/// One round over values and weights. `name` gives the number of a participant.
pub(crate) fn round(
    sums: &mut [(f64, f64)],
    name: impl Fn(usize) -> u32,
    round: u32,
    exchange: &mut dyn Exchange,
) {
    if sums.len() < 2 {
        return;
    }
    sums.iter_mut().for_each(|(value, weight)| (*value, *weight) = (0.5 * *value, 0.5 * *weight));
    // Halves are all sent before any is received.
    let sent = sums.to_vec();
    for (from, (value, weight)) in sent.into_iter().enumerate() {
        let to = sampling::other(exchange, sums.len() as u32, from as u32) as usize;
        let said = Said::Mass { value, weight };
        let letter = Letter { from: name(from), to: name(to), round, said };
        // A message that is not a number of the right range would poison everybody's sum.
        if let Some(Said::Mass { value, weight }) = exchange.tell(&letter)
            && value.is_finite()
            && weight.is_finite()
            && weight >= 0.0
        {
            sums[to].0 += value;
            sums[to].1 += weight;
        }
    }
}
