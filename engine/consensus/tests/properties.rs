//! What holds of every tally.

use phalanx_consensus::{Quorum, Tally, Verdict};
use proptest::prelude::*;

fn tally(eligible: usize, votes: &[bool]) -> Tally {
    let mut tally = Tally::new(eligible as f64);
    votes.iter().for_each(|v| tally.add(*v, 1.0));
    tally
}

proptest! {
    #[test]
    fn permuting_voters_changes_nothing(mut votes in prop::collection::vec(any::<bool>(), 0..60), extra in 0usize..20, share in 0.0..=1.0f64) {
        let eligible = votes.len() + extra;
        let before = Quorum::new(share).verdict(&tally(eligible, &votes));
        votes.reverse();
        prop_assert_eq!(before, Quorum::new(share).verdict(&tally(eligible, &votes)));
    }

    #[test]
    fn a_verdict_once_reached_stays(votes in prop::collection::vec(any::<bool>(), 1..60), share in 0.0..=1.0f64) {
        let quorum = Quorum::new(share);
        let mut reached = None;
        for end in 0..=votes.len() {
            let verdict = quorum.verdict(&tally(votes.len(), &votes[..end]));
            if let Some(earlier) = reached {
                prop_assert_eq!(verdict, earlier);
            } else if verdict != Verdict::Open {
                reached = Some(verdict);
            }
        }
        prop_assert!(reached.is_some(), "all votes are in, so nothing may stay open");
    }

    #[test]
    fn nothing_is_confirmed_without_its_quorum(votes in prop::collection::vec(any::<bool>(), 0..60), share in 0.0..=1.0f64) {
        let t = tally(votes.len(), &votes);
        if Quorum::new(share).verdict(&t) == Verdict::Confirm {
            prop_assert!(t.yes > share * t.eligible);
        }
    }
}
