//! Polls to put to rules, and worlds to run protocols in.

use phalanx_consensus::{
    Ballot, Exchange, Letter, Memory, Poll, Rule, Said, Silence, Standing, Verdict, VotingRule,
};
use phalanx_core::Stream;

/// What a rule says once all have voted; every voter is known to be right with `skill`.
pub(crate) fn decide(rule: &Rule, quorum: f64, votes: &[bool], skill: impl Fn(usize) -> f64) -> Verdict {
    let standing = |i| Standing { trust: skill(i), uncertainty: 0.0, tpr: skill(i), fpr: 1.0 - skill(i) };
    let standings: Vec<Standing> = (0..votes.len()).map(standing).collect();
    put(rule, quorum, votes, &standings, &mut Silence)
}

/// Puts a question to a rule: all votes are in, and nobody waits for more. The author is no voter.
pub(crate) fn put(
    rule: &Rule,
    quorum: f64,
    votes: &[bool],
    standings: &[Standing],
    exchange: &mut dyn Exchange,
) -> Verdict {
    let ballots: Vec<Ballot> = votes.iter().zip(0..).map(|(yes, voter)| Ballot::plain(voter, *yes)).collect();
    let poll = Poll {
        eligible: votes.len() as u32,
        eligible_trust: standings.iter().map(|s| s.trust).sum(),
        quorum,
        ballots: &ballots,
        standings,
        prior: 0.5,
        expired: true,
        author: votes.len() as u32,
        attempt: 0,
        memory: &Memory::default(),
    };
    rule.decide(&poll, exchange)
}

/// A world in which messages arrive, unless `drops` says otherwise of `(from, to)`; it hands every message that is one
/// to `hears`.
pub(crate) struct World<'s, D, H> {
    pub(crate) stream: &'s mut Stream,
    pub(crate) drops: D,
    pub(crate) hears: H,
    /// Messages sent.
    pub(crate) messages: u64,
    /// Participants that have settled, and on what.
    pub(crate) settled: Vec<(u32, bool)>,
}

impl<'s, D: FnMut(u32, u32) -> bool, H: FnMut(&Letter)> World<'s, D, H> {
    pub(crate) fn new(stream: &'s mut Stream, drops: D, hears: H) -> Self {
        Self { stream, drops, hears, messages: 0, settled: Vec::new() }
    }
}

impl<D: FnMut(u32, u32) -> bool, H: FnMut(&Letter)> Exchange for World<'_, D, H> {
    fn below(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }

    fn tell(&mut self, letter: &Letter) -> Option<Said> {
        if letter.said.is_silence() {
            return Some(letter.said);
        }
        self.messages += 1;
        (self.hears)(letter);
        (!(self.drops)(letter.from, letter.to)).then_some(letter.said)
    }

    fn rounds(&mut self, _: u32) {}

    fn settle(&mut self, voter: u32, yes: bool) {
        self.settled.push((voter, yes));
    }
}
