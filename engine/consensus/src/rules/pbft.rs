//! Three phases and a change of leaders: agreement that no third of liars can break.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::count;
use crate::theory::bft::{faults, quorum};
use crate::{BadSetting, Exchange, Gathering, Letter, Poll, Said, Verdict, VotingRule};

/// Byzantine agreement in the manner of PBFT (Castro & Liskov 1999): a leader proposes its own answer, those who
/// judge alike prepare it, those who see a quorum prepare commit to it, and who sees a quorum commit has decided.
/// A view that decides nothing is followed by one under the next leader, who has to take up what a quorum may have
/// prepared before.
///
/// A participant prepares only what it would itself vote for, or what a quorum has prepared in a view later than the
/// one it is bound to (the rule of locks of Tendermint, which makes it unnecessary to check a new leader's papers). So
/// `n > 3f` participants never decide differently, whatever `f` of them do; and they decide nothing where neither
/// answer has `⌊(n + f) / 2⌋ + 1` supporters. The verdict is what more than `f` participants have decided.
///
/// Signatures are taken as given: nobody can forge the proof that a quorum has prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pbft {
    /// Views tried in one attempt; an attempt at a later tick goes on with the leaders after them.
    pub views_max: u32,
}

impl Default for Pbft {
    fn default() -> Self {
        Self { views_max: 4 }
    }
}

impl VotingRule for Pbft {
    fn check(&self) -> Result<(), BadSetting> {
        count("views_max", self.views_max, 1, 1 << 16)
    }

    fn gathering(&self) -> Gathering {
        Gathering::Rounds
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        if poll.ballots.is_empty() {
            return Verdict::Open;
        }
        let mut council = Council::new(poll);
        let first = poll.attempt.wrapping_mul(self.views_max).wrapping_add(poll.author);
        let mut rounds = 0;
        for view in 0..self.views_max {
            let leader = (first.wrapping_add(view) % poll.ballots.len() as u32) as usize;
            rounds += council.view(leader, view, rounds, exchange);
            if council.decided() >= council.quorum {
                break;
            }
        }
        exchange.rounds(rounds);
        council.verdict()
    }
}

/// A participant's state, kept from view to view.
#[derive(Clone, Copy, Debug)]
struct Member {
    voter: u32,
    judgement: bool,
    /// What it has seen a quorum prepare, and in which view.
    lock: Option<(bool, u32)>,
    decided: Option<bool>,
}

struct Council {
    members: Vec<Member>,
    eligible: u32,
    quorum: u32,
    /// Answers that a quorum has provably prepared, with their views.
    certificates: Vec<(bool, u32)>,
}

impl Council {
    fn new(poll: &Poll) -> Self {
        let member = |ballot: &crate::Ballot| Member {
            voter: ballot.voter,
            judgement: ballot.yes,
            lock: None,
            decided: None,
        };
        Self {
            members: poll.ballots.iter().map(member).collect(),
            eligible: poll.eligible,
            quorum: quorum(poll.eligible),
            certificates: Vec::new(),
        }
    }

    fn decided(&self) -> u32 {
        self.members.iter().map(|m| u32::from(m.decided.is_some())).sum()
    }

    fn verdict(&self) -> Verdict {
        let count = |yes| self.members.iter().filter(|m| m.decided == Some(yes)).count();
        let (yes, no) = (count(true), count(false));
        if yes.max(no) <= faults(self.eligible) as usize || yes == no {
            Verdict::Open
        } else {
            Verdict::of(yes > no)
        }
    }

    /// Runs a view; returns its rounds of messages.
    fn view(&mut self, leader: usize, view: u32, round: u32, exchange: &mut dyn Exchange) -> u32 {
        let change = u32::from(view > 0);
        let Some(proposal) = self.proposal(leader, view, round, exchange) else { return change };
        let accepted = self.propose(leader, proposal, view, round + change, exchange);
        let prepared = self.prepare(leader, &accepted, view, round + change + 1, exchange);
        self.commit(&prepared, round + change + 2, exchange);
        change + 3
    }

    /// What the leader proposes: after a failed view the latest answer that a quorum is known to have prepared. A
    /// leader without a quorum behind it proposes nothing.
    fn proposal(&self, leader: usize, view: u32, round: u32, exchange: &mut dyn Exchange) -> Option<bool> {
        let me = &self.members[leader];
        if view == 0 {
            return Some(me.judgement);
        }
        let mut heard = 1;
        let mut latest = me.lock;
        for member in self.members.iter().filter(|m| m.voter != me.voter) {
            let said = Said::ViewChange(member.lock);
            let letter = Letter { from: member.voter, to: me.voter, round, said };
            let Some(Said::ViewChange(lock)) = exchange.tell(&letter) else { continue };
            heard += 1;
            // A claim that no certificate proves is not believed.
            if let Some((_, seen)) = lock.filter(|lock| self.certificates.contains(lock))
                && latest.is_none_or(|(_, known)| seen > known)
            {
                latest = lock;
            }
        }
        (heard >= self.quorum).then(|| latest.map_or(me.judgement, |(value, _)| value))
    }

    /// Who accepts which proposal; a leader that lies may propose different answers to different members.
    fn propose(
        &self,
        leader: usize,
        proposal: bool,
        view: u32,
        round: u32,
        exchange: &mut dyn Exchange,
    ) -> Vec<Option<bool>> {
        let from = self.members[leader].voter;
        let receive = |(i, member): (usize, &Member)| {
            let value = if i == leader {
                proposal
            } else {
                match exchange.tell(&Letter { from, to: member.voter, round, said: Said::Propose(proposal) })
                {
                    Some(Said::Propose(value)) => value,
                    _ => return None,
                }
            };
            self.acceptable(member, value, view).then_some(value)
        };
        self.members.iter().enumerate().map(receive).collect()
    }

    fn acceptable(&self, member: &Member, value: bool, view: u32) -> bool {
        let proven_after = |bound: Option<u32>| {
            self.certificates.iter().any(|(v, w)| *v == value && *w < view && bound.is_none_or(|b| *w > b))
        };
        match member.lock {
            Some((locked, _)) if locked == value => true,
            Some((_, bound)) => proven_after(Some(bound)),
            None => member.judgement == value || proven_after(None),
        }
    }

    /// Who has seen a quorum prepare what it accepted. The proposal is the leader's prepare.
    fn prepare(
        &mut self,
        leader: usize,
        accepted: &[Option<bool>],
        view: u32,
        round: u32,
        exchange: &mut dyn Exchange,
    ) -> Vec<Option<bool>> {
        let counts = self.broadcast(accepted, Some(leader), round, exchange, Said::Prepare);
        let mut prepared = vec![None; self.members.len()];
        for (i, accepted) in accepted.iter().enumerate() {
            let Some(value) = *accepted else { continue };
            if counts[i][usize::from(value)] >= self.quorum {
                prepared[i] = Some(value);
                self.members[i].lock = Some((value, view));
                if !self.certificates.contains(&(value, view)) {
                    self.certificates.push((value, view));
                }
            }
        }
        prepared
    }

    /// Decides for everybody who sees a quorum commit.
    fn commit(&mut self, prepared: &[Option<bool>], round: u32, exchange: &mut dyn Exchange) {
        let counts = self.broadcast(prepared, None, round, exchange, Said::Commit);
        for (member, [no, yes]) in self.members.iter_mut().zip(counts) {
            if member.decided.is_some() || no.max(yes) < self.quorum {
                continue;
            }
            member.decided = Some(yes >= self.quorum);
            exchange.settle(member.voter, yes >= self.quorum);
        }
    }

    /// Everybody tells everybody; how many no and yes each member counts, its own included. `proposer` has spoken
    /// already: it counts for what the receiver accepted, and sends nothing.
    fn broadcast(
        &self,
        saying: &[Option<bool>],
        proposer: Option<usize>,
        round: u32,
        exchange: &mut dyn Exchange,
        word: impl Fn(Option<bool>) -> Said,
    ) -> Vec<[u32; 2]> {
        let mut counts = vec![[0u32; 2]; self.members.len()];
        for (from, sender) in self.members.iter().enumerate() {
            for (to, receiver) in self.members.iter().enumerate() {
                let heard = if from == to || Some(from) == proposer {
                    saying[to]
                } else {
                    let letter =
                        Letter { from: sender.voter, to: receiver.voter, round, said: word(saying[from]) };
                    match exchange.tell(&letter) {
                        Some(Said::Prepare(value) | Said::Commit(value)) => value,
                        _ => None,
                    }
                };
                if let Some(value) = heard {
                    counts[to][usize::from(value)] += 1;
                }
            }
        }
        counts
    }
}
