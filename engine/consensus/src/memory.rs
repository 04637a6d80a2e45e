//! What a rule remembers of earlier polls. The caller owns it, saves it and hands it back.

use serde::{Deserialize, Serialize};

/// Ballots of the latest polls, and what a rule has estimated from them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Votes of the latest polls, the oldest first.
    pub polls: Vec<PastPoll>,
    /// Estimates of voters, in ascending order of voters.
    pub estimates: Vec<Estimate>,
    /// Estimated share of true reports; meaningless while there are no estimates.
    pub prevalence: f64,
    /// Polls taken in since the estimates were made.
    pub since: u32,
}

/// Who voted what, in ascending order of voters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPoll(pub Vec<(u32, bool)>);

/// What is estimated of a voter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Number of the voter.
    pub voter: u32,
    /// Probability of a yes to a true report.
    pub tpr: f64,
    /// Probability of a yes to a false report.
    pub fpr: f64,
}
