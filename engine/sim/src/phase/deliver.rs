//! Deliver: reports leave for those who are asked; those due now are put into inboxes.

use bevy_ecs::system::{Query, Res, ResMut};
use phalanx_core::{AgentId, Purpose};

use super::by_agent;
use crate::agent::{Identity, Inbox, Outbox};
use crate::board::{Board, Electors};
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::scenario::Electorate;
use crate::tally::Tally;

/// Posts this tick's reports, opens their proposals, and fills inboxes by (source, sequence).
pub(crate) fn deliver(
    plan: Res<Plan>,
    now: Res<Now>,
    mut mail: ResMut<Mail>,
    mut board: ResMut<Board>,
    mut tally: ResMut<Tally>,
    mut agents: Query<(&Identity, &mut Outbox, &mut Inbox)>,
) {
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    let shared = plan.scenario.network.enabled;
    for (identity, outbox, _) in rows.iter_mut().filter(|row| !row.1.reports.is_empty()) {
        let mut stream = plan.streams.stream(Purpose::ReportMail, identity.0.0, now.0);
        for signature in std::mem::take(&mut outbox.reports) {
            tally.report(&signature);
            let electors = electors(&plan);
            board.propose(&signature, electors.clone());
            if !shared {
                continue;
            }
            match electors {
                Electors::All => {
                    for to in (0..plan.agents).map(AgentId).filter(|to| *to != identity.0) {
                        mail.send_report(to, &signature, &mut stream);
                    }
                }
                Electors::Some(list) => {
                    list.iter().for_each(|to| mail.send_report(*to, &signature, &mut stream));
                }
            }
        }
    }
    for (_, _, inbox) in &mut rows {
        inbox.reports.clear();
    }
    let quiet = plan.quiet_ticks();
    for letter in mail.take_reports() {
        tally.delivered(&letter);
        rows[letter.to.index()].2.reports.push(letter.signature);
    }
    for (_, _, inbox) in &mut rows {
        inbox.heard.retain(|(_, tick)| now.0.since(*tick) < quiet);
        let Inbox { reports, heard, .. } = &mut **inbox;
        heard.extend(reports.iter().filter(|s| !s.indicator.is_empty()).map(|s| (s.indicator, now.0)));
    }
}

/// Who is asked about a report.
fn electors(plan: &Plan) -> Electors {
    match plan.scenario.consensus.electorate {
        Electorate::All => Electors::All,
    }
}
