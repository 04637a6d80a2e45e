//! Deliver: reports leave for those who are asked; those due now are put into inboxes.

use std::sync::Arc;

use bevy_ecs::system::{Query, Res, ResMut};
use phalanx_core::{AgentId, Purpose, Signature};

use super::{Room, by_agent};
use crate::agent::{Identity, Inbox, Outbox, empty};
use crate::board::{Board, Electors};
use crate::mail::{Mail, report_bytes};
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::scenario::Electorate;
use crate::tally::Tally;

/// Posts this tick's reports, opens their proposals, and fills inboxes by (source, sequence).
pub(crate) fn deliver(
    plan: Res<Plan>,
    now: Res<Now>,
    overlay: Res<Overlay>,
    mut mail: ResMut<Mail>,
    mut board: ResMut<Board>,
    mut tally: ResMut<Tally>,
    mut room: ResMut<Room>,
    mut agents: Query<(&Identity, &mut Outbox, &mut Inbox)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    let shared = plan.scenario.network.enabled;
    for (identity, outbox, _) in rows.iter_mut().filter(|row| !row.1.reports.is_empty()) {
        let mut stream = plan.streams.stream(Purpose::ReportMail, identity.0.0, now.0);
        for signature in std::mem::take(&mut outbox.reports) {
            tally.report(&signature);
            if plan.scenario.consensus.merge && board.supports(&signature) {
                tally.merged(&signature);
                continue;
            }
            let electors = electors(&plan, &overlay, &board, &signature);
            board.propose(&signature, electors.clone());
            if !shared {
                continue;
            }
            let mut send = |to| mail.send_report(to, &signature, &mut stream);
            match (electors, overlay.gossip) {
                (Electors::Some(list), _) => list.iter().for_each(|to| send(*to)),
                (Electors::All, Some(gossip)) => board.reports.start(&signature, &[], &gossip, plan.agents),
                // Nobody passes it on: it reaches the neighbours, which in a full mesh is everybody.
                (Electors::All, None) => {
                    overlay.graph.neighbours(identity.0.0).for_each(|to| send(AgentId(to)));
                }
            }
        }
    }
    for (_, _, inbox) in rows.iter_mut().filter(|row| !row.2.reports.is_empty()) {
        empty(&mut inbox.reports);
    }
    let mut letters = mail.take_reports();
    let Board { open, reports, .. } = &mut *board;
    reports.retain(plan.agents, |id| open.contains_key(&id));
    letters.extend(reports.round(&overlay, &mut mail, &plan.streams, now.0, report_bytes(plan.width)));
    let twice = plan.scenario.network.duplication.get() > 0.0;
    for letter in letters {
        if !overlay.presence.is_up(letter.to) || (twice && board.has_heard(&letter)) {
            continue;
        }
        tally.delivered(&letter);
        rows[letter.to.index()].2.reports.push(letter.signature);
    }
    let quiet = plan.quiet_ticks();
    for (_, _, inbox) in rows.iter_mut() {
        let Inbox { reports, heard, .. } = &mut **inbox;
        heard.retain(|(_, tick)| now.0.since(*tick) < quiet);
        if heard.is_empty() {
            empty(heard);
        }
        let said = || reports.iter().filter(|s| !s.indicator.is_empty());
        heard.reserve_exact(said().count());
        heard.extend(said().map(|s| (s.indicator, now.0)));
    }
}

/// Who is asked about a report.
fn electors(plan: &Plan, overlay: &Overlay, board: &Board, signature: &Arc<Signature>) -> Electors {
    let author = signature.id.author;
    match plan.scenario.consensus.electorate {
        Electorate::All => Electors::All,
        Electorate::Neighbours => Electors::Some(overlay.graph.neighbours(author.0).map(AgentId).collect()),
        Electorate::Committee { size } => {
            Electors::Some(board.committee(signature.id, size.get(), plan.agents))
        }
    }
}
