//! Messages on their way. What is sent at tick t with delay d arrives at tick t + d, in the order of
//! (destination, source, sequence), whatever order it was sent in.
//!
//! Sizes, by the canonical encoding that a wire format would use: a report is 64 bytes of ids, indicator, counts
//! and digest plus 8 bytes a feature (centroid and spread); a vote is 24 bytes; the news of a decision is 56.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Signature, SignatureId, Stream, Vote};

use crate::scenario::Network;

/// Bytes of a report of a signature with that many features.
pub(crate) fn report_bytes(width: usize) -> u64 {
    64 + 8 * width as u64
}

/// Bytes of a vote.
pub(crate) const VOTE_BYTES: u64 = 24;

/// Bytes of the news that a signature was confirmed.
pub(crate) const DECISION_BYTES: u64 = 56;

/// A signature under way to one agent.
#[derive(Debug)]
pub(crate) struct Letter {
    /// Destination.
    pub(crate) to: AgentId,
    /// What is said.
    pub(crate) signature: Arc<Signature>,
}

impl Letter {
    /// Delivery order: destination, then source and sequence (both are in the id).
    pub(crate) fn order(&self) -> (AgentId, AgentId, SignatureId) {
        (self.to, self.signature.id.author, self.signature.id)
    }
}

/// Messages that are due at one tick.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Reports to be voted on.
    pub(crate) reports: Vec<Letter>,
    /// Votes, which go to the board.
    pub(crate) votes: Vec<Vote>,
    /// News of confirmed signatures.
    pub(crate) decisions: Vec<Letter>,
}

/// Everything under way, and what has been sent so far this tick.
#[derive(Resource, Debug)]
pub(crate) struct Mail {
    /// Entry d holds what arrives d ticks from now.
    due: VecDeque<Due>,
    latency_min: u32,
    latency_span: u32,
    loss: f64,
    /// Messages sent this tick.
    pub(crate) sent: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Messages lost this tick.
    pub(crate) lost: u64,
}

impl Mail {
    pub(crate) fn new(network: &Network) -> Self {
        let latency = network.latency;
        Self {
            due: (0..=latency.max_ticks).map(|_| Due::default()).collect(),
            latency_min: latency.min_ticks,
            latency_span: latency.max_ticks - latency.min_ticks,
            loss: network.loss.get(),
            sent: 0,
            bytes: 0,
            lost: 0,
        }
    }

    /// Accounts for a message of a protocol whose rounds are not spread over ticks; whether it arrives.
    pub(crate) fn pass(&mut self, bytes: u64, stream: &mut Stream) -> bool {
        self.sent += 1;
        self.bytes += bytes;
        let lost = self.loss > 0.0 && stream.bernoulli(self.loss);
        self.lost += u64::from(lost);
        !lost
    }

    /// Mean delay of a message, in ticks.
    pub(crate) fn latency_mean(&self) -> f64 {
        f64::from(self.latency_min) + 0.5 * f64::from(self.latency_span)
    }

    /// Accounts for a message and draws its fate: the delay, or `None` if it is lost. Draws nothing that the
    /// scenario has made certain.
    fn post(&mut self, bytes: u64, stream: &mut Stream) -> Option<usize> {
        self.sent += 1;
        self.bytes += bytes;
        let lost = self.loss > 0.0 && stream.bernoulli(self.loss);
        let extra = if self.latency_span > 0 { stream.below(self.latency_span + 1) } else { 0 };
        self.lost += u64::from(lost);
        (!lost).then_some((self.latency_min + extra) as usize)
    }

    /// Sends a report.
    pub(crate) fn send_report(&mut self, to: AgentId, signature: &Arc<Signature>, stream: &mut Stream) {
        if let Some(delay) = self.post(report_bytes(signature.centroid.len()), stream) {
            self.due[delay].reports.push(Letter { to, signature: Arc::clone(signature) });
        }
    }

    /// Sends a vote to the board. It arrives in `earliest` ticks at the earliest.
    pub(crate) fn send_vote(&mut self, vote: Vote, earliest: u64, stream: &mut Stream) {
        if let Some(delay) = self.post(VOTE_BYTES, stream) {
            let delay = delay.max(earliest as usize);
            if self.due.len() <= delay {
                self.due.resize_with(delay + 1, Due::default);
            }
            self.due[delay].votes.push(vote);
        }
    }

    /// Sends the news that a signature was confirmed.
    pub(crate) fn send_decision(&mut self, to: AgentId, signature: &Arc<Signature>, stream: &mut Stream) {
        if let Some(delay) = self.post(DECISION_BYTES, stream) {
            self.due[delay].decisions.push(Letter { to, signature: Arc::clone(signature) });
        }
    }

    /// Takes the reports that are due now, in delivery order.
    pub(crate) fn take_reports(&mut self) -> Vec<Letter> {
        let mut letters = std::mem::take(&mut self.due[0].reports);
        letters.sort_unstable_by_key(Letter::order);
        letters
    }

    /// Takes the votes that are due now, by (signature, voter).
    pub(crate) fn take_votes(&mut self) -> Vec<Vote> {
        let mut votes = std::mem::take(&mut self.due[0].votes);
        votes.sort_unstable();
        votes
    }

    /// Takes the news that is due now, in delivery order.
    pub(crate) fn take_decisions(&mut self) -> Vec<Letter> {
        let mut letters = std::mem::take(&mut self.due[0].decisions);
        letters.sort_unstable_by_key(Letter::order);
        letters
    }

    /// Ends the tick: what was due in d ticks is now due in d − 1.
    pub(crate) fn advance(&mut self) {
        let first = self.due.pop_front().expect("there is always a current tick");
        assert!(
            first.reports.is_empty() && first.votes.is_empty() && first.decisions.is_empty(),
            "every message due in a tick is taken in that tick"
        );
        self.due.push_back(first);
        (self.sent, self.bytes, self.lost) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use phalanx_core::{Purpose, Share16, Streams, Tick};

    use super::*;
    use crate::scenario::{Fraction, Latency};

    fn mail(min_ticks: u32, max_ticks: u32, loss: f64) -> Mail {
        let latency = Latency { min_ticks, max_ticks };
        Mail::new(&Network { latency, loss: Fraction::new(loss), ..Network::default() })
    }

    fn vote(voter: u32) -> Vote {
        let signature = SignatureId { tick: Tick(0), author: AgentId(0), sequence: 0 };
        Vote {
            signature,
            voter: AgentId(voter),
            yes: true,
            score: Share16::new(1.0),
            confidence: Share16::new(1.0),
        }
    }

    #[test]
    fn nothing_arrives_early_twice_or_not_at_all() {
        let mut mail = mail(1, 3, 0.0);
        let mut stream = Streams::from_seed(1).stream(Purpose::VoteMail, 0, Tick(0));
        (0..3000).rev().for_each(|voter| mail.send_vote(vote(voter), 0, &mut stream));
        let mut arrived = Vec::new();
        let mut by_delay = Vec::new();
        for _ in 0..=3 {
            let votes = mail.take_votes();
            assert!(votes.is_sorted());
            by_delay.push(votes.len());
            arrived.extend(votes.iter().map(|v| v.voter.0));
            mail.advance();
        }
        assert_eq!(by_delay[0], 0, "nothing before its latency");
        // Each delay has probability 1/3: 1000 ± 4·sqrt(3000·2/9).
        assert!(by_delay[1..].iter().all(|n| (897..=1103).contains(n)), "{by_delay:?}");
        arrived.sort_unstable();
        assert_eq!(arrived, (0..3000).collect::<Vec<_>>());
    }

    #[test]
    fn loss_is_counted_and_has_its_rate() {
        let mut mail = mail(0, 0, 0.25);
        let mut stream = Streams::from_seed(2).stream(Purpose::VoteMail, 0, Tick(0));
        (0..10_000).for_each(|voter| mail.send_vote(vote(voter), 0, &mut stream));
        let arrived = mail.take_votes().len() as u64;
        assert_eq!((mail.sent, mail.bytes, mail.lost), (10_000, 10_000 * VOTE_BYTES, 10_000 - arrived));
        assert!((2327..=2673).contains(&mail.lost), "2500 ± 4·sqrt(10000·.25·.75), got {}", mail.lost);
    }
}
