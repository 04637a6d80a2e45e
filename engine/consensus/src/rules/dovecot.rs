//! The network's opinion as Dovecot forms it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fides::{said, score};
use crate::fusion::threat::{Threat, dovecot_opinion, dovecot_trust};
use crate::setting::share;
use crate::{BadSetting, Exchange, Poll, Verdict, VotingRule};

/// Mean score of the voters, weighted by Dovecot's trust (p2p4slips): reliability and what is held of the voter
/// itself. Reliability is the voter's trust; what is held of it is that trust as a score, with the certainty of its
/// evidence. Confirms iff the score exceeds the threshold.
///
/// Decides at the deadline, or once all have voted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dovecot {
    /// Score, from -1 to 1, that has to be exceeded.
    pub threshold: f64,
    /// Confidence below which nothing is decided.
    pub confidence_min: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for Dovecot {
    fn default() -> Self {
        Self { threshold: 0.0, confidence_min: 0.0, turnout: 0.5 }
    }
}

impl VotingRule for Dovecot {
    fn check(&self) -> Result<(), BadSetting> {
        score("threshold", self.threshold)?;
        share("confidence_min", self.confidence_min)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        let opinion = dovecot_opinion(poll.votes().map(|(ballot, standing)| {
            let of_voter =
                Threat { score: 2.0 * standing.trust - 1.0, confidence: 1.0 - standing.uncertainty };
            (said(ballot), dovecot_trust(standing.trust, of_voter))
        }));
        if opinion.confidence < self.confidence_min {
            return Verdict::Open;
        }
        Verdict::of(opinion.score > self.threshold)
    }
}
