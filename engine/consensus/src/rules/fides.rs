//! The network's opinion as Fides forms it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::threat::{Aggregation, Threat, aggregate};
use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Mean score of the voters, weighted by trust (Fides, after SORT). Confirms iff the score exceeds the threshold;
/// too little confidence leaves it undecided.
///
/// Decides at the deadline, or once all have voted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fides {
    /// How the confidences become one.
    pub aggregation: Aggregation,
    /// Score, from -1 to 1, that has to be exceeded.
    pub threshold: f64,
    /// Confidence below which nothing is decided.
    pub confidence_min: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for Fides {
    fn default() -> Self {
        Self { aggregation: Aggregation::Average, threshold: 0.0, confidence_min: 0.0, turnout: 0.5 }
    }
}

impl VotingRule for Fides {
    fn check(&self) -> Result<(), BadSetting> {
        score("threshold", self.threshold)?;
        share("confidence_min", self.confidence_min)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let reports = poll.ballots.iter().zip(poll.standings);
        let opinion =
            aggregate(self.aggregation, reports.map(|(ballot, standing)| (said(ballot), standing.trust)));
        if opinion.confidence < self.confidence_min {
            return Verdict::Open;
        }
        Verdict::of(opinion.score > self.threshold)
    }
}

/// A ballot as threat intelligence.
pub(super) fn said(ballot: &crate::Ballot) -> Threat {
    Threat { score: f64::from(ballot.score), confidence: f64::from(ballot.confidence) }
}

/// A number from -1 to 1.
pub(super) fn score(field: &'static str, value: f64) -> Result<(), BadSetting> {
    if (-1.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(BadSetting::new(field, format!("{value} is out of range: give a number from -1 to 1")))
}
