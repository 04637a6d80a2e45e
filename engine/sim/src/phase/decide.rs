//! Decide: votes that have arrived are tallied under the scenario's rule; trust follows.

use bevy_ecs::system::{Res, ResMut};
use phalanx_consensus::{Ballot, Gathering, Poll, Standing, Verdict};
use phalanx_core::{AgentId, Decision, Outcome, Purpose, SignatureId, Vote, digest128};

use crate::adversary::Populations;
use crate::board::{Board, Electors, Proposal};
use crate::known::Known;
use crate::mail::Mail;
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::protocol::Conversation;
use crate::record::TrustChange;
use crate::scenario::AdversaryKind;
use crate::standing::Standings;
use crate::tally::Tally;

/// Takes in the votes due now and decides every proposal that can be decided, in the order of signature ids.
pub(crate) fn decide(
    plan: Res<Plan>,
    now: Res<Now>,
    populations: Res<Populations>,
    overlay: Res<Overlay>,
    mut mail: ResMut<Mail>,
    mut board: ResMut<Board>,
    mut tally: ResMut<Tally>,
    mut standings: ResMut<Standings>,
    mut known: ResMut<Known>,
) {
    let votes = mail.take_votes();
    votes.chunk_by(|a, b| a.signature == b.signature).for_each(|votes| board.vote(votes));
    if let Some(plugin) = &plan.plugins.rule {
        plugin.begin(now.0);
    }
    let trust_before = plan.scenario.ledger.trust.then(|| standings.all_trust(plan.agents));
    board.confirmed.clear();
    let Board { open, memory, .. } = &mut *board;
    let mut two_faced = Vec::new();
    let mut decided = Vec::new();
    // What the rule may know is what was known at the beginning of the tick, so that the order of proposals does not
    // weigh.
    let mut electorate = Electorate::default();
    for (id, proposal) in open.iter_mut() {
        two_faced.extend(proposal.sort());
        electorate.poll(&plan, &standings, proposal);
        let mut conversation = Conversation {
            mail: &mut mail,
            populations: &populations,
            presence: &overlay.presence,
            ballots: &electorate.ballots,
            stream: plan.streams.stream(Purpose::Protocol, id.author.0, now.0),
            rounds: 0,
            settled: [0; 2],
        };
        if let Some(outcome) = verdict(&plan, &now, *id, proposal, &electorate, memory, &mut conversation) {
            decided.push((*id, outcome));
        }
    }
    for (id, outcome) in decided {
        let proposal = board.close(id);
        if outcome != Outcome::Undecided {
            let is_confirmed = outcome == Outcome::Confirmed;
            standings.observe(id.author, is_confirmed);
            for vote in &proposal.votes {
                standings.observe_vote(vote.voter, vote.yes, is_confirmed);
            }
        }
        electorate.poll(&plan, &standings, &proposal);
        plan.rule().learn(&electorate.ballots, &electorate.standings, &mut board.memory);
        tally.decisions.push(decision(&proposal, outcome, &now, plan.agents));
        if plan.scenario.ledger.votes {
            let ballots = proposal.votes.iter().map(|vote| (vote.voter, vote.yes)).collect();
            tally.ballots.push((id, ballots));
        }
        if outcome == Outcome::Confirmed {
            known.insert(proposal.signature.indicator);
            board.confirmed.push((proposal.signature, proposal.electors));
        }
    }
    for voter in two_faced {
        standings.observe(voter, false);
        tally.two_faced(voter);
    }
    whitewash(&populations, &mut standings, &mut tally);
    standings.end_tick();
    if let Some(before) = trust_before {
        let after = standings.all_trust(plan.agents);
        let changes = (0..plan.agents).map(AgentId).zip(before.into_iter().zip(after));
        tally.trust.extend(
            changes
                .filter(|(_, (before, after))| before.to_bits() != after.to_bits())
                .map(|(agent, (before, after))| TrustChange { agent, before, after }),
        );
    }
}

/// The ballots of one proposal with their voters' standings; buffers that are used for all of them in turn.
#[derive(Debug, Default)]
struct Electorate {
    ballots: Vec<Ballot>,
    standings: Vec<Standing>,
    /// Sum of the trust of all agents; taken when it is first needed.
    all_trust: Option<f64>,
    eligible: u32,
    eligible_trust: f64,
}

impl Electorate {
    fn poll(&mut self, plan: &Plan, standings: &Standings, proposal: &Proposal) {
        self.ballots.clear();
        self.standings.clear();
        for vote in &proposal.votes {
            self.ballots.push(Ballot {
                voter: vote.voter.0,
                yes: vote.yes,
                score: vote.score.get() as f32,
                confidence: vote.confidence.get() as f32,
            });
            self.standings.push(standings.of(vote.voter));
        }
        self.eligible = proposal.electors.count(plan.agents);
        self.eligible_trust = match &proposal.electors {
            Electors::All => {
                let all = self.all_trust.get_or_insert_with(|| {
                    let trust: Vec<f64> =
                        (0..plan.agents).map(|agent| standings.trust(AgentId(agent))).collect();
                    phalanx_core::maths::sum(&trust)
                });
                *all - standings.trust(proposal.signature.id.author)
            }
            Electors::Some(list) => list.iter().map(|agent| standings.trust(*agent)).fold(0.0, |a, b| a + b),
        };
    }
}

/// What becomes of a proposal now; `None` if it stays open.
fn verdict(
    plan: &Plan,
    now: &Now,
    id: SignatureId,
    proposal: &mut Proposal,
    electorate: &Electorate,
    memory: &phalanx_consensus::Memory,
    conversation: &mut Conversation<'_>,
) -> Option<Outcome> {
    let words = &plan.scenario.consensus;
    let age = now.0.since(id.tick);
    let expired = age >= u64::from(words.deadline_ticks);
    if let Some((outcome, due)) = proposal.settled {
        return (now.0 >= due).then_some(outcome);
    }
    let poll = Poll {
        author: id.author.0,
        eligible: electorate.eligible,
        eligible_trust: electorate.eligible_trust,
        quorum: words.quorum.get(),
        ballots: &electorate.ballots,
        standings: &electorate.standings,
        prior: words.prior.get(),
        expired,
        attempt: proposal.attempts,
        memory,
    };
    let rounds = plan.gathering() == Gathering::Rounds;
    // A protocol starts once everybody knows what it is about, or nobody else will.
    let all_know = expired || electorate.ballots.len() >= electorate.eligible as usize;
    if rounds && !all_know && age < u64::from(plan.scenario.network.latency.max_ticks) {
        return None;
    }
    let outcome = match plan.rule().decide(&poll, conversation) {
        Verdict::Confirm => Outcome::Confirmed,
        Verdict::Reject => Outcome::Rejected,
        Verdict::Open if expired => Outcome::Undecided,
        Verdict::Open => {
            proposal.attempts += 1;
            return None;
        }
    };
    let delay = (f64::from(conversation.rounds) * plan.latency_mean_ticks()).ceil() as u64;
    if delay > 0 && outcome != Outcome::Undecided {
        proposal.settled = Some((outcome, now.0.after(delay)));
        return None;
    }
    Some(outcome)
}

/// Whitewashers whose reputation has fallen below their mark leave and join anew.
fn whitewash(populations: &Populations, standings: &mut Standings, tally: &mut Tally) {
    for (agent, words) in populations.members(|words| matches!(words.kind, AdversaryKind::Whitewash { .. })) {
        let AdversaryKind::Whitewash { below } = words.kind else { continue };
        if standings.trust(agent) < below.get() {
            standings.forget(agent);
            tally.rejoined(agent);
        }
    }
}

fn decision(proposal: &Proposal, outcome: Outcome, now: &Now, agents: u32) -> Decision {
    let yes = proposal.votes.iter().filter(|vote| vote.yes).count() as u32;
    let bytes: Vec<u8> = proposal.votes.iter().flat_map(ballot_bytes).collect();
    Decision {
        signature: proposal.signature.id,
        outcome,
        tick: now.0,
        yes,
        no: proposal.votes.len() as u32 - yes,
        eligible: proposal.electors.count(agents),
        votes_digest: digest128(&bytes),
    }
}

fn ballot_bytes(vote: &Vote) -> [u8; 5] {
    let [a, b, c, d] = vote.voter.0.to_be_bytes();
    [a, b, c, d, u8::from(vote.yes)]
}
