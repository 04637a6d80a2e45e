//! Decide: votes that have arrived are tallied under the scenario's rule; reputation follows.

use bevy_ecs::system::{Query, Res, ResMut};
use phalanx_consensus::{Tally as Ballots, Verdict};
use phalanx_core::{AgentId, Decision, Outcome, digest128};

use super::by_agent;
use crate::agent::{Identity, Trust};
use crate::board::{Board, Proposal};
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::scenario::Rule;
use crate::tally::Tally;

/// Takes in the votes due now and decides every proposal that can be decided, in the order of signature ids.
pub(crate) fn decide(
    plan: Res<Plan>,
    now: Res<Now>,
    mut mail: ResMut<Mail>,
    mut board: ResMut<Board>,
    mut tally: ResMut<Tally>,
    mut agents: Query<(&Identity, &mut Trust)>,
) {
    for vote in mail.take_votes() {
        board.vote(vote.signature, vote.voter, vote.yes);
    }
    board.confirmed.clear();
    if board.open.is_empty() {
        return;
    }
    let mut trust = by_agent(agents.iter_mut(), |row| *row.0);
    let deadline = u64::from(plan.scenario.consensus.deadline_ticks);
    // Weights are those at the beginning of the tick, so that the order of proposals does not weigh.
    let weights: Vec<f64> = match plan.scenario.consensus.rule {
        Rule::Majority => vec![1.0; plan.agents as usize],
        Rule::TrustWeighted => trust.iter().map(|(_, trust)| trust.0.trust()).collect(),
    };
    let total = phalanx_core::maths::sum(&weights);
    let mut decided = Vec::new();
    for (id, proposal) in &mut board.open {
        proposal.votes.sort_unstable();
        let mut ballots = Ballots::new(total - weights[id.author.index()]);
        proposal.votes.iter().for_each(|(voter, yes)| ballots.add(*yes, weights[voter.index()]));
        let outcome = match plan.quorum.verdict(&ballots) {
            Verdict::Confirm => Outcome::Confirmed,
            Verdict::Reject => Outcome::Rejected,
            Verdict::Open if now.0.since(id.tick) >= deadline => Outcome::Undecided,
            Verdict::Open => continue,
        };
        decided.push((*id, outcome));
    }
    let forgetting = plan.scenario.trust.forgetting.get();
    for (id, outcome) in decided {
        let proposal = board.open.remove(&id).expect("decided proposals are open ones");
        if outcome != Outcome::Undecided {
            let confirmed = outcome == Outcome::Confirmed;
            trust[id.author.index()].1.0.observe(confirmed, forgetting);
            for (voter, yes) in &proposal.votes {
                trust[voter.index()].1.0.observe(*yes == confirmed, forgetting);
            }
        }
        tally.decisions.push(decision(&proposal, outcome, &now, plan.agents - 1));
        if outcome == Outcome::Confirmed {
            board.confirmed.push(proposal.signature);
        }
    }
}

fn decision(proposal: &Proposal, outcome: Outcome, now: &Now, eligible: u32) -> Decision {
    let yes = proposal.votes.iter().filter(|(_, yes)| *yes).count() as u32;
    let bytes: Vec<u8> = proposal.votes.iter().flat_map(ballot_bytes).collect();
    Decision {
        signature: proposal.signature.id,
        outcome,
        tick: now.0,
        yes,
        no: proposal.votes.len() as u32 - yes,
        eligible,
        votes_digest: digest128(&bytes),
    }
}

fn ballot_bytes((voter, yes): &(AgentId, bool)) -> [u8; 5] {
    let [a, b, c, d] = voter.0.to_be_bytes();
    [a, b, c, d, u8::from(*yes)]
}
