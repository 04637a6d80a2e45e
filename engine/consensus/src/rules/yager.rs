//! Yager's rule over what the voters say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dempster_shafer::evidence;
use crate::fusion::Mass;
use crate::fusion::mass::{BENIGN, MALICIOUS};
use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// As `DempsterShafer`, but contradiction becomes ignorance instead of being argued away. Confirms iff more than
/// `belief_min` is believed malicious and more than is believed benign; what is torn stays undecided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Yager {
    /// Belief that has to be exceeded to confirm or to reject.
    pub belief_min: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for Yager {
    fn default() -> Self {
        Self { belief_min: 0.05, turnout: 0.5 }
    }
}

impl VotingRule for Yager {
    fn check(&self) -> Result<(), BadSetting> {
        share("belief_min", self.belief_min)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let combined = evidence(poll).fold(Mass::vacuous(), |sum, mass| sum.conjunction(&mass)).yager();
        let (malicious, benign) = (combined.0[MALICIOUS], combined.0[BENIGN]);
        if malicious.max(benign) <= self.belief_min || malicious == benign {
            Verdict::Open
        } else {
            Verdict::of(malicious > benign)
        }
    }
}
