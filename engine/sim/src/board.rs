//! Open proposals and the votes that have arrived for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_consensus::{Lottery, Memory};
use phalanx_core::{AgentId, Indicator, Outcome, Signature, SignatureId, Tick, Vote};

use crate::agent::signature_words;
use crate::checkpoint::{Malformed, Reader, Saved, Writer, saved, state};
use crate::mail::Letter;
use crate::rumours::Rumours;

/// A signature that is being voted on.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// What is proposed.
    pub(crate) signature: Arc<Signature>,
    /// Who is asked.
    pub(crate) electors: Electors,
    /// Votes that have arrived, sorted by voter when they are tallied.
    pub(crate) votes: Vec<Vote>,
    /// How often the rule was asked and had no answer.
    pub(crate) attempts: u32,
    /// What a protocol of several rounds has come to, and the tick in which the last of its messages arrives.
    pub(crate) settled: Option<(Outcome, Tick)>,
    /// Who has received it, where messages may arrive twice.
    heard: BTreeSet<AgentId>,
}

/// Who is asked about a proposal.
#[derive(Clone, Debug)]
pub(crate) enum Electors {
    /// Everybody but the author.
    All,
    /// These, in ascending order; the author is not among them.
    Some(Arc<[AgentId]>),
}

impl Electors {
    /// Those who are named.
    pub(crate) fn list(&self) -> &[AgentId] {
        match self {
            Self::All => &[],
            Self::Some(list) => list,
        }
    }

    /// How many they are among so many agents.
    pub(crate) fn count(&self, agents: u32) -> u32 {
        match self {
            Self::All => agents - 1,
            Self::Some(list) => list.len() as u32,
        }
    }
}

/// All open proposals, by id: that is by (tick, author, sequence).
#[derive(Resource, Debug, Default)]
pub(crate) struct Board {
    /// Proposals without a decision.
    pub(crate) open: BTreeMap<SignatureId, Proposal>,
    /// Proposals confirmed in this tick, for `adapt` and `measure`.
    pub(crate) confirmed: Vec<(Arc<Signature>, Electors)>,
    /// Confirmed proposals of the time that a blacklist remembers, the oldest first: what whoever returns catches up with.
    pub(crate) history: VecDeque<(Tick, Arc<Signature>)>,
    /// What the rule remembers of earlier polls.
    pub(crate) memory: Memory,
    /// Reports that are passed on.
    pub(crate) reports: Rumours,
    /// News of confirmed signatures that is passed on.
    pub(crate) news: Rumours,
    /// Root of the ledger after the last tick, which draws committees.
    pub(crate) head: [u8; 32],
    /// The open proposal of every indicator, where reports of the same are merged.
    by_indicator: BTreeMap<Indicator, SignatureId>,
}

impl Proposal {
    /// Sorts the votes and voids those of whoever has said both yes and no, which is returned: the two votes together
    /// are a proof against it. A vote that arrived twice counts once.
    pub(crate) fn sort(&mut self) -> Vec<AgentId> {
        self.votes.sort_unstable();
        self.votes.dedup();
        let mut two_faced: Vec<AgentId> = self
            .votes
            .windows(2)
            .filter(|pair| pair[0].voter == pair[1].voter)
            .map(|pair| pair[0].voter)
            .collect();
        two_faced.dedup();
        if !two_faced.is_empty() {
            self.votes.retain(|vote| two_faced.binary_search(&vote.voter).is_err());
        }
        two_faced
    }
}

impl Board {
    /// A board without proposals. The first committees are drawn from `head`.
    pub(crate) fn new(head: [u8; 32]) -> Self {
        Self { head, ..Self::default() }
    }

    /// Opens a proposal.
    pub(crate) fn propose(&mut self, signature: &Arc<Signature>, electors: Electors) {
        let proposal = Proposal {
            signature: Arc::clone(signature),
            electors,
            votes: Vec::new(),
            attempts: 0,
            settled: None,
            heard: BTreeSet::new(),
        };
        let earlier = self.open.insert(signature.id, proposal);
        assert!(earlier.is_none(), "signature ids are unique: {:?}", signature.id);
        self.by_indicator.insert(signature.indicator, signature.id);
    }

    /// Whether a report says what an open proposal of somebody else says already.
    pub(crate) fn supports(&self, signature: &Signature) -> bool {
        let same = self.by_indicator.get(&signature.indicator);
        !signature.indicator.is_empty() && same.is_some_and(|id| id.author != signature.id.author)
    }

    /// Takes a proposal that is decided off the board.
    pub(crate) fn close(&mut self, id: SignatureId) -> Proposal {
        let proposal = self.open.remove(&id).expect("decided proposals are open ones");
        let indicator = proposal.signature.indicator;
        if self.by_indicator.get(&indicator) == Some(&id) {
            self.by_indicator.remove(&indicator);
        }
        proposal
    }

    /// The committee of a report: drawn from the ledger's last root and the report's id, without its author, ascending.
    pub(crate) fn committee(&self, id: SignatureId, size: u32, agents: u32) -> Arc<[AgentId]> {
        let [tick, question] = signature_words(id);
        let members = Lottery::new(&self.head, tick, question).committee(agents, size, Some(id.author.0));
        members.into_iter().map(AgentId).collect()
    }

    /// Whether the receiver of this report has received it before; if not, it has now.
    pub(crate) fn has_heard(&mut self, letter: &Letter) -> bool {
        self.open.get_mut(&letter.signature.id).is_some_and(|proposal| !proposal.heard.insert(letter.to))
    }

    /// Counts votes for one proposal, unless it has been decided already.
    pub(crate) fn vote(&mut self, votes: &[Vote]) {
        if let Some(proposal) = votes.first().and_then(|vote| self.open.get_mut(&vote.signature)) {
            proposal.votes.extend_from_slice(votes);
        }
    }

    /// Notes what an agent thinks, which nobody is told; the first word counts.
    pub(crate) fn think(&mut self, vote: Vote) {
        if let Some(proposal) = self.open.get_mut(&vote.signature)
            && proposal.votes.last().is_none_or(|last| last.voter != vote.voter)
        {
            proposal.votes.push(vote);
        }
    }

    /// What most of the votes that have arrived for a proposal say, if any have.
    pub(crate) fn majority_so_far(&self, signature: SignatureId) -> Option<bool> {
        let votes = &self.open.get(&signature)?.votes;
        let yes = votes.iter().filter(|vote| vote.yes).count();
        (!votes.is_empty()).then_some(2 * yes > votes.len())
    }
}

saved!(Proposal { signature, electors, votes, attempts, settled, heard });

impl Saved for Electors {
    fn save(&self, out: &mut Writer) {
        match self {
            Self::All => None,
            Self::Some(list) => Some(Arc::clone(list)),
        }
        .save(out);
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Option::load(input)?.map_or(Self::All, Self::Some))
    }
}

state!(Board {
    kept: [open, history, memory, reports, news, head, by_indicator],
    // Emptied by `decide` before anybody looks.
    found: [confirmed]
});

#[cfg(test)]
mod tests {
    use phalanx_core::{Indicator, Share16, Truth};

    use super::*;

    #[test]
    fn whoever_says_both_is_void() {
        let id = SignatureId { tick: Tick(0), author: AgentId(9), sequence: 0 };
        let signature = Signature {
            id,
            indicator: Indicator::default(),
            centroid: [].into(),
            spread: [].into(),
            support: 1,
            confidence: 0.0,
            evidence: [0; 16],
            truth: Truth::BENIGN,
        };
        let mut board = Board::default();
        board.propose(&Arc::new(signature), Electors::All);
        for (voter, yes) in [(4, true), (1, true), (3, false), (4, false), (1, true), (4, true)] {
            let (score, confidence) = (Share16::new(1.0), Share16::new(1.0));
            board.vote(&[Vote { signature: id, voter: AgentId(voter), yes, score, confidence }]);
        }
        assert_eq!(board.majority_so_far(id), Some(true));
        let proposal = board.open.get_mut(&id).unwrap();
        assert_eq!(proposal.sort(), [AgentId(4)]);
        let left: Vec<(u32, bool)> = proposal.votes.iter().map(|v| (v.voter.0, v.yes)).collect();
        assert_eq!(left, [(1, true), (3, false)], "a repeated vote counts once");
    }
}
