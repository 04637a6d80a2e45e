//! Messages on their way. What is sent at tick t with delay d arrives at tick t + d, in the order of
//! (destination, source, sequence), whatever order it was sent in.
//!
//! Sizes, by the canonical encoding that a wire format would use: a report is 64 bytes of ids, indicator, counts
//! and digest plus 8 bytes a feature (centroid and spread); a vote is 24 bytes; the news of a decision is 56.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Signature, SignatureId, Stream, Vote};

use crate::checkpoint::{saved, state};
use crate::network::{Fate, Links};
use crate::overlay::Eclipsed;

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
    /// What becomes of a message.
    pub(crate) links: Links,
    eclipsed: Eclipsed,
    /// Messages sent this tick.
    pub(crate) sent: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Messages lost this tick.
    pub(crate) lost: u64,
}

impl Mail {
    pub(crate) fn new(links: Links, eclipsed: Eclipsed) -> Self {
        Self {
            due: (0..=links.delay_ticks_max()).map(|_| Due::default()).collect(),
            links,
            eclipsed,
            sent: 0,
            bytes: 0,
            lost: 0,
        }
    }

    /// What becomes of a message that is sent now. Counts nothing.
    pub(crate) fn fate(&self, from: AgentId, to: AgentId, stream: &mut Stream) -> Fate {
        let fate = self.links.fate(from, to, stream);
        if self.eclipsed.between(from, to) { Fate::default() } else { fate }
    }

    /// Counts messages.
    pub(crate) fn account(&mut self, sent: u64, bytes: u64, lost: u64) {
        self.sent += sent;
        self.bytes += bytes;
        self.lost += lost;
    }

    /// Draws a message's fate and counts it.
    fn post(&mut self, from: AgentId, to: AgentId, bytes: u64, stream: &mut Stream) -> Fate {
        let fate = self.fate(from, to, stream);
        self.account(1, bytes, u64::from(fate.delay.is_none()));
        fate
    }

    /// Counts a message of a protocol whose rounds are not spread over ticks; whether it arrives.
    pub(crate) fn pass(&mut self, from: AgentId, to: AgentId, bytes: u64, stream: &mut Stream) -> bool {
        self.post(from, to, bytes, stream).delay.is_some()
    }

    /// What is due in that many ticks.
    fn due_in(&mut self, delay: u32) -> &mut Due {
        if self.due.len() <= delay as usize {
            self.due.resize_with(delay as usize + 1, Due::default);
        }
        &mut self.due[delay as usize]
    }

    /// Sends a report.
    pub(crate) fn send_report(&mut self, to: AgentId, signature: &Arc<Signature>, stream: &mut Stream) {
        let fate = self.post(signature.id.author, to, report_bytes(signature.centroid.len()), stream);
        for delay in fate.delay.into_iter().chain(fate.copy) {
            self.due_in(delay).reports.push(Letter { to, signature: Arc::clone(signature) });
        }
    }

    /// Sends a vote to whoever asked. It arrives in `earliest` ticks at the earliest.
    pub(crate) fn send_vote(&mut self, vote: Vote, earliest: u32, stream: &mut Stream) {
        let fate = self.post(vote.voter, vote.signature.author, VOTE_BYTES, stream);
        for delay in fate.delay.into_iter().chain(fate.copy) {
            self.due_in(delay.max(earliest)).votes.push(vote);
        }
    }

    /// Sends the news that a signature was confirmed.
    pub(crate) fn send_decision(&mut self, to: AgentId, signature: &Arc<Signature>, stream: &mut Stream) {
        let fate = self.post(signature.id.author, to, DECISION_BYTES, stream);
        for delay in fate.delay.into_iter().chain(fate.copy) {
            self.due_in(delay).decisions.push(Letter { to, signature: Arc::clone(signature) });
        }
    }

    /// Takes the reports that are due now, in delivery order. What arrives twice at once counts once.
    pub(crate) fn take_reports(&mut self) -> Vec<Letter> {
        in_order(std::mem::take(&mut self.due[0].reports))
    }

    /// Takes the votes that are due now, by (signature, voter).
    pub(crate) fn take_votes(&mut self) -> Vec<Vote> {
        let mut votes = std::mem::take(&mut self.due[0].votes);
        votes.sort_unstable();
        votes
    }

    /// Takes the news that is due now, in delivery order. What arrives twice at once counts once.
    pub(crate) fn take_decisions(&mut self) -> Vec<Letter> {
        in_order(std::mem::take(&mut self.due[0].decisions))
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

fn in_order(mut letters: Vec<Letter>) -> Vec<Letter> {
    letters.sort_unstable_by_key(Letter::order);
    letters.dedup_by_key(|letter| letter.order());
    letters
}

saved!(Letter { to, signature });
saved!(Due { reports, votes, decisions });

// Links follow from the tick, and a tick begins with nothing sent.
state!(Mail { kept: [due], found: [links, eclipsed, sent, bytes, lost] });

#[cfg(test)]
mod tests {
    use phalanx_core::{Purpose, Share16, Streams, Tick};

    use super::*;
    use crate::network::LinkPlan;

    fn mail(min_ticks: u32, max_ticks: u32, loss: f64) -> Mail {
        let plan = LinkPlan {
            delay_ticks: (min_ticks, max_ticks),
            tick_ms: None,
            loss,
            bursts: None,
            duplication: 0.0,
            cuts: Vec::new(),
            regions: Vec::new(),
        };
        Mail::new(Links::new(plan, 1), Eclipsed::default())
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
