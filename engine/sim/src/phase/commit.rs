//! Commit: decisions go on record, ledger heads are compared, and the news of confirmed signatures leaves.
//!
//! The ledger itself is the caller's: it appends what the tick record holds, one atomic batch a tick.

use std::sync::Arc;

use bevy_ecs::system::{Res, ResMut};
use phalanx_core::{AgentId, Purpose};

use crate::adversary::{Moment, Populations};
use crate::board::Board;
use crate::mail::Mail;
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::scenario::AdversaryKind;
use crate::standing::Standings;
use crate::tally::Tally;

/// Bytes of a signed tree head: size, root, signature.
const HEAD_BYTES: u64 = 104;

/// Digests the tick's decisions and tells every agent of the confirmed ones.
pub(crate) fn commit(
    plan: Res<Plan>,
    now: Res<Now>,
    populations: Res<Populations>,
    mut standings: ResMut<Standings>,
    overlay: Res<Overlay>,
    mut board: ResMut<Board>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
) {
    tally.digest_decisions();
    audit(&plan, &now, &populations, &mut standings, &mut mail, &mut tally);
    remember(&plan, &now, &overlay, &mut board);
    if board.confirmed.is_empty() {
        return;
    }
    let Board { confirmed, news, .. } = &mut *board;
    match overlay.gossip {
        // Whoever was asked knows how it ended, and passes it on.
        Some(gossip) => confirmed.iter().for_each(|(signature, electors)| {
            news.start(signature, electors.list(), &gossip, plan.agents);
        }),
        None => {
            for to in (0..plan.agents).map(AgentId) {
                let mut stream = plan.streams.stream(Purpose::DecisionMail, to.0, now.0);
                confirmed.iter().for_each(|(signature, _)| mail.send_decision(to, signature, &mut stream));
            }
        }
    }
}

/// Keeps what agents that are away now will have to catch up with.
fn remember(plan: &Plan, now: &Now, overlay: &Overlay, board: &mut Board) {
    if overlay.presence.is_certain() {
        return;
    }
    let life = plan.scenario.blacklist.life_ticks();
    let Board { confirmed, history, .. } = board;
    while history.front().is_some_and(|(tick, _)| now.0.since(*tick) >= life) {
        history.pop_front();
    }
    history.extend(confirmed.iter().map(|(signature, _)| (now.0, Arc::clone(signature))));
}

/// Whoever shows an altered ledger is asked for its head by one other agent a tick. Any altered entry changes the root,
/// so the auditor, who holds the head of the same size, sees it, unless the head is lost on the way or the auditor
/// belongs to the same lie.
fn audit(
    plan: &Plan,
    now: &Now,
    populations: &Populations,
    standings: &mut Standings,
    mail: &mut Mail,
    tally: &mut Tally,
) {
    if !plan.scenario.network.enabled || plan.agents < 2 || !tally.has_decided() {
        return;
    }
    for (agent, words) in populations.members(|words| words.kind == AdversaryKind::TamperLedger) {
        let moment = Moment { now: now.0, trust: standings.trust(agent) };
        if !populations.lies(agent, words, moment, None) {
            continue;
        }
        let mut stream = plan.streams.stream(Purpose::Audit, agent.0, now.0);
        let auditor = AgentId((agent.0 + 1 + stream.below(plan.agents - 1)) % plan.agents);
        let accomplice =
            populations.words(auditor).is_some_and(|words| words.kind == AdversaryKind::TamperLedger);
        if mail.pass(agent, auditor, HEAD_BYTES, &mut stream) && !accomplice {
            standings.observe(agent, false);
            tally.two_faced(agent);
        }
    }
}
