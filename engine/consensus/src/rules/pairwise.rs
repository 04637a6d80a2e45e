//! The share of yes votes, by averaging in pairs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{majority_of, sampling};
use crate::setting::count;
use crate::{BadSetting, Exchange, Gathering, Letter, Poll, Said, Verdict, VotingRule};

/// Pairwise averaging (Boyd, Ghosh, Prabhakar & Shah 2006): in every cycle each participant in turn meets a random
/// other one, and both take the mean of their values. A participant settles on whether the yes votes exceed the
/// poll's quorum of all eligible voters.
///
/// Nobody checks: a liar that sticks to its value drags everybody there in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PairwiseAveraging {
    /// Cycles. The variance shrinks by 1 / (2 √e) a cycle.
    pub cycles: u32,
}

impl Default for PairwiseAveraging {
    fn default() -> Self {
        Self { cycles: 20 }
    }
}

impl VotingRule for PairwiseAveraging {
    fn check(&self) -> Result<(), BadSetting> {
        count("cycles", self.cycles, 1, 1 << 16)
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        let mut values: Vec<f64> = poll.ballots.iter().map(|b| f64::from(u8::from(b.yes))).collect();
        for cycle in 0..self.cycles {
            self::cycle(&mut values, |i| poll.ballots[i].voter, cycle, exchange);
        }
        exchange.rounds(2 * self.cycles);
        let share = values.len() as f64 / f64::from(poll.eligible.max(1));
        let answers = values.iter().map(|value| value * share > poll.quorum);
        for (ballot, yes) in poll.ballots.iter().zip(answers.clone()) {
            exchange.settle(ballot.voter, yes);
        }
        majority_of(answers.map(Some), poll)
    }
}

/// One cycle: everybody in turn meets one other. A meeting of which either message is lost changes nothing.
pub(crate) fn cycle(
    values: &mut [f64],
    name: impl Fn(usize) -> u32,
    round: u32,
    exchange: &mut dyn Exchange,
) {
    if values.len() < 2 {
        return;
    }
    for from in 0..values.len() {
        let to = sampling::other(exchange, values.len() as u32, from as u32) as usize;
        let mut send = |from: usize, to: usize, value: f64| {
            let said = Said::Mass { value, weight: 1.0 };
            match exchange.tell(&Letter { from: name(from), to: name(to), round, said }) {
                // Values are shares, so that the worst a liar can say is 0 or 1.
                Some(Said::Mass { value, .. }) if (0.0..=1.0).contains(&value) => Some(value),
                _ => None,
            }
        };
        if let Some(there) = send(from, to, values[from])
            && let Some(back) = send(to, from, values[to])
        {
            values[to] = 0.5 * (values[to] + there);
            values[from] = 0.5 * (values[from] + back);
        }
    }
}
