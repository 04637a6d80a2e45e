//! The network between the participants of a protocol of several rounds: losses and lies.

use phalanx_consensus::{Ballot, Exchange, Letter, Said};
use phalanx_core::{AgentId, Stream};

use crate::adversary::Populations;
use crate::mail::Mail;
use crate::network::Presence;
use crate::scenario::AdversaryKind;

/// Bytes of a protocol message beside what it says: two agents, proposal, round.
const HEADER_BYTES: u64 = 26;

/// One proposal's conversation.
pub(crate) struct Conversation<'a> {
    pub(crate) mail: &'a mut Mail,
    pub(crate) populations: &'a Populations,
    pub(crate) presence: &'a Presence,
    /// What every participant claims to think, by voter.
    pub(crate) ballots: &'a [Ballot],
    /// Loss and sampling.
    pub(crate) stream: Stream,
    /// Rounds it took.
    pub(crate) rounds: u32,
    /// Participants that have settled on yes and on no.
    pub(crate) settled: [u32; 2],
}

impl Conversation<'_> {
    /// What a liar makes of what it would say if it were honest.
    fn twist(&self, letter: &Letter) -> Said {
        let from = AgentId(letter.from);
        let Some(words) = self.populations.words(from) else { return letter.said };
        let claim = || {
            let at = self.ballots.binary_search_by_key(&letter.from, |ballot| ballot.voter).ok()?;
            Some(self.ballots[at].yes)
        };
        match (letter.said, words.kind) {
            // It tells half of the others one thing and half of them the other.
            (Said::Vote(_), AdversaryKind::Equivocate) => Said::Vote(letter.to.is_multiple_of(2)),
            (Said::Propose(_), AdversaryKind::Equivocate) => Said::Propose(letter.to.is_multiple_of(2)),
            (Said::Prepare(_), AdversaryKind::Equivocate) => Said::Prepare(Some(letter.to.is_multiple_of(2))),
            (Said::Commit(_), AdversaryKind::Equivocate) => Said::Commit(Some(letter.to.is_multiple_of(2))),
            // Whatever the others have convinced an honest one of, a liar keeps to its claim.
            (Said::Vote(held), _) => Said::Vote(claim().unwrap_or(held)),
            (said, _) => said,
        }
    }
}

impl Exchange for Conversation<'_> {
    fn below(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }

    fn tell(&mut self, letter: &Letter) -> Option<Said> {
        let said = self.twist(letter);
        if said.is_silence() {
            return None;
        }
        let withheld = matches!(
            self.populations.words(AgentId(letter.from)).map(|words| words.kind),
            Some(AdversaryKind::Withhold)
        );
        let silent = withheld || !self.presence.is_up(AgentId(letter.from));
        let (from, to) = (AgentId(letter.from), AgentId(letter.to));
        let bytes = HEADER_BYTES + u64::from(said.bytes());
        if silent || !self.mail.pass(from, to, bytes, &mut self.stream) || !self.presence.is_up(to) {
            return None;
        }
        Some(said)
    }

    fn rounds(&mut self, rounds: u32) {
        self.rounds += rounds;
    }

    fn settle(&mut self, _: u32, yes: bool) {
        self.settled[usize::from(!yes)] += 1;
    }
}
