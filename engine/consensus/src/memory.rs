//! What a rule remembers of earlier polls. The caller owns it, saves it and hands it back.

use serde::{Deserialize, Serialize};

use crate::{Ballot, Standing};

/// Ballots of the latest polls, and what a rule has estimated from them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Votes of the latest polls, the oldest first.
    pub polls: Vec<PastPoll>,
    /// Rates in the latest standing of every voter, in ascending order of voters.
    pub priors: Vec<Estimate>,
    /// What is estimated of voters, in ascending order of voters.
    pub estimates: Vec<Estimate>,
    /// Estimated share of true reports; meaningless while there are no estimates.
    pub prevalence: f64,
    /// Polls taken in since the estimates were made.
    pub since: u32,
}

/// Who voted what, in ascending order of voters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPoll(pub Vec<(u32, bool)>);

/// What is held of a voter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Number of the voter.
    pub voter: u32,
    /// Probability of a yes to a true report.
    pub tpr: f64,
    /// Probability of a yes to a false report.
    pub fpr: f64,
}

impl Memory {
    /// Appends a poll; the oldest go once there are more than `window`.
    pub(crate) fn push(&mut self, ballots: &[Ballot], standings: &[Standing], window: usize) {
        self.polls.push(PastPoll(ballots.iter().map(|b| (b.voter, b.yes)).collect()));
        if self.polls.len() > window {
            self.polls.drain(..self.polls.len() - window);
        }
        for (ballot, standing) in ballots.iter().zip(standings) {
            let prior = Estimate { voter: ballot.voter, tpr: standing.tpr, fpr: standing.fpr };
            match self.priors.binary_search_by_key(&ballot.voter, |e| e.voter) {
                Ok(at) => self.priors[at] = prior,
                Err(at) => self.priors.insert(at, prior),
            }
        }
        self.since += 1;
    }

    /// Drops priors of voters that no remembered poll knows.
    pub(crate) fn forget_absent(&mut self) {
        let mut present: Vec<u32> =
            self.polls.iter().flat_map(|p| p.0.iter().map(|(voter, _)| *voter)).collect();
        present.sort_unstable();
        present.dedup();
        self.priors.retain(|e| present.binary_search(&e.voter).is_ok());
    }

    /// The estimate of a voter.
    pub(crate) fn estimate(&self, voter: u32) -> Option<&Estimate> {
        let at = self.estimates.binary_search_by_key(&voter, |e| e.voter).ok()?;
        Some(&self.estimates[at])
    }
}
