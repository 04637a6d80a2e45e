//! Adapt: news is acted on, old indicators go, worms get through or not, windows move on, models are refitted.

use bevy_ecs::system::{Query, Res, ResMut};
use phalanx_core::Signature;
use phalanx_detect::FitScratch;
use rayon::prelude::*;

use super::by_agent;
use super::vote::first_hand;
use crate::agent::{Batch, Blacklist, Blocked, Detector, Evidence, Identity, Inbox, Infection, Model};
use crate::learn;
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::scenario::{CampaignKind, LearnFrom};
use crate::tally::Tally;
use crate::traffic::Siege;

/// See the module. Agents take turns to refit: agent i is due when `tick + 1 + i` is a multiple of the period.
pub(crate) fn adapt(
    plan: Res<Plan>,
    now: Res<Now>,
    siege: Res<Siege>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
    mut agents: Query<(
        &Identity,
        &Batch,
        &Evidence,
        &mut Inbox,
        &mut Blacklist,
        &mut Infection,
        &mut Detector,
        &mut Model,
    )>,
) {
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    for letter in mail.take_decisions() {
        tally.delivered(&letter);
        rows[letter.to.index()].3.confirmed.push(letter.signature);
    }
    let period = u64::from(plan.scenario.model.refit_ticks);
    let due = |agent: u32| period > 0 && (now.0.0 + 1 + u64::from(agent)).is_multiple_of(period);
    tally.counts.refits = (0..plan.agents).filter(|agent| due(*agent)).count() as u64;
    rows.par_iter_mut().for_each_init(
        FitScratch::default,
        |scratch, (identity, batch, evidence, inbox, blacklist, infection, detector, model)| {
            let list = &plan.scenario.blacklist;
            if list.enabled {
                let contradicted =
                    |s: &Signature| first_hand(s, model, evidence, plan.matcher) == Some(false);
                for signature in &inbox.confirmed {
                    // Whoever sees good use of what was confirmed leaves it alone.
                    if list.own_data_first && contradicted(signature) {
                        continue;
                    }
                    blacklist.insert(signature, now.0, list.capacity.get() as usize, plan.matcher);
                }
                blacklist.age(now.0, u64::from(list.ttl_ticks.get()));
            }
            inbox.confirmed.clear();
            infect(identity, batch, infection, &siege, &plan, &now);
            for i in 0..batch.flows.rows() {
                let clean = !batch.flagged[i] && batch.blocked[i] == Blocked::No;
                if clean || plan.scenario.model.learn_from == LearnFrom::All {
                    model.window.push(batch.flows.row(i), batch.flows.keys()[i]);
                }
            }
            if due(identity.0.0) {
                let fitted = learn::fit(&plan, identity.0, now.0.after(1), &model.window, scratch);
                **detector = fitted.expect("a window that could be learned from only gains flows");
            }
        },
    );
}

/// A worm's probe that reached a vulnerable host and was not blocked infects it.
fn infect(
    identity: &Identity,
    batch: &Batch,
    infection: &mut Infection,
    siege: &Siege,
    plan: &Plan,
    now: &Now,
) {
    if infection.0.is_some() {
        return;
    }
    // Probes are the last flows of the batch, in order (see `Source::observe`).
    let probes = siege.probes_of(identity.0);
    let first = batch.flows.rows() - probes.len();
    for (i, probe) in probes.iter().enumerate() {
        let worm = plan.scenario.campaigns[usize::from(probe.campaign)].kind == CampaignKind::Worm;
        let through = batch.blocked[first + i] == Blocked::No;
        if worm && through && siege.vulnerable(probe.campaign, identity.0) {
            infection.0 = Some((probe.campaign, now.0));
            return;
        }
    }
}
