//! What a rule is given: who may vote, what was said, and what is known of those who said it.

use crate::Memory;

/// What one voter says about the question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ballot {
    /// Number of the voter.
    pub voter: u32,
    /// `true`: a threat.
    pub yes: bool,
    /// How malicious the voter finds it, from -1 (surely benign) to 1 (surely malicious).
    pub score: f32,
    /// How sure the voter is of its score, from 0 to 1.
    pub confidence: f32,
}

impl Ballot {
    /// A plain yes or no: score 1 or -1, confidence 1.
    #[must_use]
    pub fn plain(voter: u32, yes: bool) -> Self {
        Self { voter, yes, score: if yes { 1.0 } else { -1.0 }, confidence: 1.0 }
    }

    /// Whether score and confidence lie in their ranges (NaN does not).
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (-1.0..=1.0).contains(&self.score) && (0.0..=1.0).contains(&self.confidence)
    }
}

/// What is known of a voter when its ballot is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Trust in the voter, from 0 to 1.
    pub trust: f64,
    /// How little the trust rests on, from 0 (much evidence) to 1 (none): the `u` of a subjective opinion.
    pub uncertainty: f64,
    /// Estimated probability that the voter says yes to a true report.
    pub tpr: f64,
    /// Estimated probability that the voter says yes to a false report.
    pub fpr: f64,
}

impl Default for Standing {
    /// A stranger: trust one half, of no evidence, and rates of a vote that says nothing.
    fn default() -> Self {
        Self { trust: 0.5, uncertainty: 1.0, tpr: 0.5, fpr: 0.5 }
    }
}

/// One question put to the vote, as far as it has come.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// How many may vote.
    pub eligible: u32,
    /// Sum of the trust of all that may vote.
    pub eligible_trust: f64,
    /// Share of the eligible weight that has to be exceeded, for the rules that have no share of their own.
    pub quorum: f64,
    /// Ballots received, in ascending order of voters, each voter once. For the rules that
    /// [gather](crate::Gathering) nothing: every participant's own judgement, which has not been sent to anybody.
    pub ballots: &'a [Ballot],
    /// Standing of each ballot's voter, in the same order.
    pub standings: &'a [Standing],
    /// Probability, before any vote, that a report is true.
    pub prior: f64,
    /// Whether the deadline has passed, so that no further ballot will count.
    pub expired: bool,
    /// Who asks; it does not vote.
    pub author: u32,
    /// How often this question was decided before and stayed open: rotates leaders, moves on views.
    pub attempt: u32,
    /// What the rule has learned from earlier polls.
    pub memory: &'a Memory,
}

impl Poll<'_> {
    /// Whether all have voted, or enough have and no further vote will count.
    #[must_use]
    pub fn ready(&self, turnout: f64) -> bool {
        (self.expired || self.ballots.len() >= self.eligible as usize) && self.attended(turnout)
    }

    /// Whether at least this share of the eligible voters, and anybody at all, has voted.
    #[must_use]
    pub fn attended(&self, share: f64) -> bool {
        !self.ballots.is_empty() && self.ballots.len() as f64 >= share * f64::from(self.eligible)
    }

    /// Ballots with the standings of their voters.
    pub fn votes(&self) -> impl Iterator<Item = (&Ballot, &Standing)> {
        self.ballots.iter().zip(self.standings)
    }

    /// `ln(prior / (1 - prior))`, with the prior kept off 0 and 1.
    #[must_use]
    pub fn prior_log_odds(&self) -> f64 {
        let prior = self.prior.clamp(1e-9, 1.0 - 1e-9);
        libm::log(prior / (1.0 - prior))
    }

    /// Number of yes ballots.
    #[must_use]
    pub fn yes(&self) -> u32 {
        self.ballots.iter().map(|b| u32::from(b.yes)).sum()
    }
}
