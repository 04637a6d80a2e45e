//! Slush with a memory of one number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::snow::{Member, Snow};
use crate::{BadSetting, Exchange, Gathering, Poll, Verdict, VotingRule};

/// Snowflake (Team Rocket 2018): everybody asks `k` random others again and again, adopts what `alpha_preference` of
/// them say, and decides after `beta` polls in a row in which `alpha_confidence` said the same.
///
/// The verdict is what more than half of the eligible voters have settled on. Defaults are Avalanche's of today; the
/// paper's demonstration has k = 10 and both alphas 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Snowflake {
    /// Peers asked in a poll; where there are fewer others, all of them, and the alphas shrink with it.
    pub k: u32,
    /// Equal answers that make their colour preferred; more than half of `k`.
    pub alpha_preference: u32,
    /// Equal answers that let a poll count towards the decision; at least `alpha_preference`.
    pub alpha_confidence: u32,
    /// Successful polls in a row that decide.
    pub beta: u32,
    /// Rounds after which the undecided give up, until the next attempt.
    pub rounds_max: u32,
}

impl Default for Snowflake {
    fn default() -> Self {
        Self { k: 20, alpha_preference: 15, alpha_confidence: 15, beta: 20, rounds_max: 200 }
    }
}

impl VotingRule for Snowflake {
    fn check(&self) -> Result<(), BadSetting> {
        self.snow().check()
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        self.snow().run(poll, exchange)
    }
}

impl Snowflake {
    fn snow(&self) -> Snow {
        Snow {
            member: Member::Snowflake,
            k: self.k,
            alpha_preference: self.alpha_preference,
            alpha_confidence: self.alpha_confidence,
            beta: self.beta,
            rounds_max: self.rounds_max,
        }
    }
}
