//! The simplest of the Snow family.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::snow::{Member, Snow};
use crate::{BadSetting, Exchange, Gathering, Poll, Verdict, VotingRule};

/// Slush (Team Rocket 2018): for some rounds everybody asks `k` random others and adopts what at least `alpha` of
/// them say. Memoryless: it falls into one camp quickly, but a few liars can keep it from staying there.
///
/// The verdict is what more than half of the eligible voters hold in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slush {
    /// Peers asked in a round; where there are fewer others, all of them, and `alpha` shrinks with it.
    pub k: u32,
    /// Equal answers that are adopted; more than half of `k`.
    pub alpha: u32,
    /// Rounds.
    pub rounds: u32,
}

impl Default for Slush {
    fn default() -> Self {
        Self { k: 10, alpha: 8, rounds: 20 }
    }
}

impl VotingRule for Slush {
    fn check(&self) -> Result<(), BadSetting> {
        crate::setting::count("alpha", self.alpha, self.k / 2 + 1, self.k)?;
        crate::setting::count("rounds", self.rounds, 1, 1 << 20)?;
        self.snow().check()
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        self.snow().run(poll, exchange)
    }
}

impl Slush {
    fn snow(&self) -> Snow {
        Snow {
            member: Member::Slush,
            k: self.k,
            alpha_preference: self.alpha,
            alpha_confidence: self.alpha,
            beta: self.rounds,
            rounds_max: self.rounds,
        }
    }
}
