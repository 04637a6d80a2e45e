//! Votes that weigh as much as their voter is trusted.

use crate::{Exchange, Poll, Quorum, Tally, Verdict, VotingRule};

/// Confirms once the trust behind yes exceeds the poll's quorum of the trust of all eligible voters; ties reject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustWeighted;

impl VotingRule for TrustWeighted {
    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        let mut tally = Tally::new(poll.eligible_trust);
        poll.votes().for_each(|(ballot, standing)| tally.add(ballot.yes, standing.trust));
        Quorum::new(poll.quorum).verdict(&tally)
    }
}
