//! Simple majority, or any other share of all who may vote.

use crate::{Exchange, Poll, Quorum, Tally, Verdict, VotingRule};

/// Confirms once the yes votes exceed the poll's quorum of all eligible voters; ties reject, abstaining weighs
/// like a no at the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Majority;

impl VotingRule for Majority {
    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        let yes = poll.yes();
        let no = poll.ballots.len() as u32 - yes;
        let tally = Tally { eligible: f64::from(poll.eligible), yes: f64::from(yes), no: f64::from(no) };
        Quorum::new(poll.quorum).verdict(&tally)
    }
}
