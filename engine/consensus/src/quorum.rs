//! One rule for majority, supermajority and weighted votes: the yes weight against a share of all eligible weight.

/// Votes received so far, by weight.
///
/// Add votes in voter order: float sums then give the same bits whatever order they arrived in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// Weight of all that may vote.
    pub eligible: f64,
    /// Weight of the yes votes.
    pub yes: f64,
    /// Weight of the no votes.
    pub no: f64,
}

impl Tally {
    /// No votes yet, of so much eligible weight.
    #[must_use]
    pub fn new(eligible: f64) -> Self {
        Self { eligible, yes: 0.0, no: 0.0 }
    }

    /// Counts a vote.
    pub fn add(&mut self, yes: bool, weight: f64) {
        if yes {
            self.yes += weight;
        } else {
            self.no += weight;
        }
    }
}

/// What a tally says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The quorum is reached; votes still out cannot undo it.
    Confirm,
    /// The quorum can no longer be reached.
    Reject,
    /// Votes still out decide.
    Open,
}

impl Verdict {
    /// Confirm or reject.
    #[must_use]
    pub fn of(confirmed: bool) -> Self {
        if confirmed { Self::Confirm } else { Self::Reject }
    }
}

/// Confirms once the yes weight is *more* than a share of all eligible weight; ties reject.
///
/// 0.5 is the simple majority, 2/3 the Byzantine supermajority (`> 2n/3`). Abstaining weighs like a no, but only
/// at the deadline, which the caller keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quorum {
    share: f64,
}

impl Quorum {
    /// A quorum of more than `share` of the eligible weight.
    ///
    /// # Panics
    /// If `share` lies outside `[0, 1]`.
    #[must_use]
    pub fn new(share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a quorum is a share from 0 to 1");
        Self { share }
    }

    /// What the tally says under this quorum.
    #[must_use]
    pub fn verdict(self, tally: &Tally) -> Verdict {
        let needed = self.share * tally.eligible;
        if tally.yes > needed {
            Verdict::Confirm
        } else if tally.eligible - tally.no <= needed {
            Verdict::Reject
        } else {
            Verdict::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_cases() {
        let check = |share, eligible, yes, no, expected| {
            let tally = Tally { eligible, yes, no };
            assert_eq!(Quorum::new(share).verdict(&tally), expected, "{share} {tally:?}");
        };
        check(0.5, 4.0, 2.0, 1.0, Verdict::Open);
        check(0.5, 4.0, 2.0, 2.0, Verdict::Reject); // a tie rejects
        check(0.5, 4.0, 3.0, 0.0, Verdict::Confirm);
        check(0.5, 5.0, 0.0, 3.0, Verdict::Reject);
        check(2.0 / 3.0, 30.0, 20.0, 10.0, Verdict::Reject); // more than 2n/3, not just as much
        check(2.0 / 3.0, 30.0, 21.0, 0.0, Verdict::Confirm);
        check(1.0, 3.0, 3.0, 0.0, Verdict::Reject); // nobody can exceed everybody
        check(0.0, 3.0, 1.0, 0.0, Verdict::Confirm);
        check(0.5, 0.0, 0.0, 0.0, Verdict::Reject); // an agent alone confirms nothing
    }
}
