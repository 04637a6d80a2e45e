//! A share above one half, with abstention and a deadline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Quorum, Tally, Verdict, VotingRule};

/// Confirms once more than `share` of the electorate say yes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Supermajority {
    /// Share that the yes votes have to exceed.
    pub share: f64,
    /// Of whom the share is taken.
    pub of: Electorate,
    /// Share of the eligible voters that have to take part before `Voting` decides anything at the deadline.
    pub turnout: f64,
}

/// Of whom a share is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Electorate {
    /// Of all who may vote; abstaining weighs like a no.
    #[default]
    Eligible,
    /// Of those who have voted by the deadline, if they are enough.
    Voting,
}

impl Default for Supermajority {
    fn default() -> Self {
        Self { share: 2.0 / 3.0, of: Electorate::Eligible, turnout: 0.5 }
    }
}

impl VotingRule for Supermajority {
    fn check(&self) -> Result<(), BadSetting> {
        share("share", self.share)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        let yes = poll.yes();
        let cast = poll.ballots.len() as u32;
        let electorate = match self.of {
            Electorate::Voting if poll.expired && poll.attended(self.turnout) => cast,
            Electorate::Voting if poll.expired => return Verdict::Open,
            _ => poll.eligible,
        };
        let tally = Tally { eligible: f64::from(electorate), yes: f64::from(yes), no: f64::from(cast - yes) };
        Quorum::new(self.share).verdict(&tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ballot, Memory, Silence, Standing};

    #[test]
    fn abstention_and_deadline() {
        let check = |of, eligible, yes: u32, no: u32, expired, expected| {
            let ballots: Vec<Ballot> = (0..yes + no).map(|i| Ballot::plain(i, i < yes)).collect();
            let standings = vec![Standing::default(); ballots.len()];
            let poll = Poll {
                eligible,
                eligible_trust: 0.5 * f64::from(eligible),
                quorum: 0.5,
                ballots: &ballots,
                standings: &standings,
                prior: 0.5,
                expired,
                author: eligible,
                attempt: 0,
                memory: &Memory::default(),
            };
            let rule = Supermajority { of, ..Supermajority::default() };
            assert_eq!(rule.decide(&poll, &mut Silence), expected, "{of:?} {yes}:{no} of {eligible}");
        };
        check(Electorate::Eligible, 30, 20, 0, true, Verdict::Open); // exactly 2/3 is not more than 2/3
        check(Electorate::Eligible, 30, 21, 0, false, Verdict::Confirm);
        check(Electorate::Eligible, 30, 0, 10, false, Verdict::Reject);
        check(Electorate::Voting, 30, 12, 3, false, Verdict::Open); // more may come
        check(Electorate::Voting, 30, 12, 3, true, Verdict::Confirm); // 12 of 15, half took part
        check(Electorate::Voting, 30, 12, 2, true, Verdict::Open); // too few took part
        check(Electorate::Voting, 30, 10, 5, true, Verdict::Reject);
        check(Electorate::Voting, 30, 0, 0, true, Verdict::Open);
    }
}
