//! Adapt: news is acted on, old indicators go, worms get through or not, windows move on, models are refitted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bevy_ecs::change_detection::Mut;
use bevy_ecs::system::{Local, Query, Res, ResMut};
use phalanx_core::{AgentId, Signature, SignatureId, Tick};
use rayon::prelude::*;

use super::vote::first_hand;
use super::{Room, by_agent};
use crate::agent::{Batch, Blacklist, Blocked, Detector, Identity, Inbox, Infection, Model, empty};
use crate::board::Board;
use crate::evidence::Evidence;
use crate::known::Known;
use crate::learn::{self, Commons, Lesson};
use crate::mail::{DECISION_BYTES, Mail};
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::population::{Owners, pooled};
use crate::scenario::{CampaignKind, LearnFrom};
use crate::scorer::Scorer;
use crate::spare::Spare;
use crate::tally::Tally;
use crate::traffic::Siege;
use crate::window::Window;

/// What the phase reads and writes of an agent.
type Row<'r, 'w> = (
    &'r Identity,
    &'r Batch,
    &'r Evidence,
    Mut<'w, Inbox>,
    Mut<'w, Blacklist>,
    Mut<'w, Infection>,
    Mut<'w, Detector>,
    Mut<'w, Model>,
);

/// Ticks after which the table of known indicators forgets those that are on no list any more.
const TIDY_TICKS: u64 = 256;

/// See the module. Agents take turns to refit: agent i is due when `tick + 1 + i` is a multiple of the period.
pub(crate) fn adapt(
    plan: Res<Plan>,
    now: Res<Now>,
    siege: Res<Siege>,
    owners: Res<Owners>,
    commons: Res<Commons>,
    overlay: Res<Overlay>,
    mut known: ResMut<Known>,
    mut board: ResMut<Board>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
    spare: Local<Spare<(learn::Scratch, Vec<usize>)>>,
    mut room: ResMut<Room>,
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
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    let mut letters = mail.take_decisions();
    let (life, born) = (plan.scenario.blacklist.life_ticks(), |id: SignatureId| now.0.since(id.tick));
    board.news.retain(plan.agents, |id| born(id) <= life);
    letters.extend(board.news.round(&overlay, &mut mail, &plan.streams, now.0, DECISION_BYTES));
    for letter in letters.into_iter().filter(|letter| overlay.presence.is_up(letter.to)) {
        tally.delivered(&letter);
        rows[letter.to.index()].3.confirmed.push(letter.signature);
    }
    for agent in overlay.presence.returned() {
        let missed: Vec<_> = board.history.iter().map(|(_, signature)| Arc::clone(signature)).collect();
        mail.account(missed.len() as u64, missed.len() as u64 * DECISION_BYTES, 0);
        rows[agent.index()].3.confirmed.extend(missed);
    }
    let period = u64::from(plan.scenario.model.refit_ticks);
    let due = |agent: AgentId| {
        let turn = (now.0.0 + 1 + u64::from(agent.0)).checked_rem(period) == Some(0);
        turn && owners.of(agent) == agent
    };
    // A shared model is fitted to the flows of several agents, as far as they have come before this tick.
    let pools: BTreeMap<AgentId, Window> = (0..plan.agents)
        .map(AgentId)
        .filter(|agent| owners.is_shared() && due(*agent))
        .filter_map(|agent| {
            let windows = owners.pool(agent)?.iter().map(|member| &rows[member.index()].7.window);
            Some((agent, pooled(plan.width, windows.map(|w| (w.features(), w.keys())))))
        })
        .collect();
    let listed = plan.scenario.ledger.expiry.then(|| all_listed(rows));
    rows.par_iter_mut().for_each_init(
        || spare.lend(),
        |lent, (identity, batch, evidence, inbox, blacklist, infection, detector, model)| {
            let (scratch, learned) = &mut **lent;
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
                blacklist.age(now.0, list.life_ticks());
            }
            empty(&mut inbox.confirmed);
            infect(identity, batch, infection, &siege, &plan, &now);
            let fresh = model.watch(batch, plan.scenario.model.warm_up_flows.get());
            learnable(batch, inbox, plan.scenario.model.learn_from, fresh, learned);
            for i in &*learned {
                let Model { window, sums, .. } = &mut **model;
                let place = window.push(batch.flows.row(*i), batch.flows.keys()[*i], !batch.flagged[*i]);
                sums.put(place, batch.sums.get(*i).copied());
            }
            learn::follow(detector, batch, learned);
            model.relearn = model.relearn.saturating_sub(learned.len() as u32);
            let changed = fresh && model.relearn == 0;
            let Model { window, sums, relearn, .. } = &mut **model;
            let (window, sums) = match pools.get(&identity.0) {
                Some(pool) => (pool, None),
                None => (&*window, Some(sums)),
            };
            let (agent, since) = (identity.0, now.0.after(1));
            let lesson = Lesson { plan: &plan, commons: &commons, agent, since, window };
            if changed || (*relearn == 0 && due(agent)) {
                lesson
                    .renew(detector, sums, scratch)
                    .expect("a window that could be learned from only gains flows");
            } else if matches!(&detector.scorer, Scorer::Hosted(hosted) if !hosted.is_fitted()) {
                // A plugin that could not learn at first learns as soon as it can be asked.
                lesson.teach(detector, scratch).expect("the window is finite");
            }
        },
    );
    if let Some(before) = listed {
        tally.expired = before.difference(&all_listed(rows)).copied().collect();
    }
    share(&owners, now.0, rows);
    for row in rows.iter_mut() {
        let detector = &mut row.6;
        tally.counts.plugin_fallbacks += u64::from(detector.fell_back);
        if let Scorer::Hosted(hosted) = &mut detector.scorer {
            tally.plugins.extend(hosted.take_events());
        }
    }
    if now.0.0 % TIDY_TICKS == TIDY_TICKS - 1 && known.len() > 0 {
        known.replace(rows.iter().flat_map(|row| &row.4.entries).map(|entry| entry.signature.indicator));
    }
    let refitted =
        || rows.iter().filter(|row| row.6.since == now.0.after(1) && owners.of(row.0.0) == row.0.0);
    tally.counts.refits = refitted().count() as u64;
    if plan.scenario.ledger.models {
        tally.refitted = refitted().map(|row| (row.0.0, row.6.scorer.detector().digest())).collect();
    }
}

/// The signatures on all blacklists together.
fn all_listed(rows: &[Row<'_, '_>]) -> BTreeSet<SignatureId> {
    rows.iter().flat_map(|row| &row.4.entries).map(|entry| entry.signature.id).collect()
}

/// Whoever uses another agent's detector takes over its new one.
fn share(owners: &Owners, now: Tick, rows: &mut [Row<'_, '_>]) {
    let next = now.after(1);
    if !owners.is_shared() {
        return;
    }
    for index in 0..rows.len() {
        let owner = owners.of(rows[index].0.0).index();
        if owner != index && rows[owner].6.since == next {
            *rows[index].6 = rows[owner].6.share();
        }
    }
}

/// The flows of a batch that are learned from.
fn learnable(batch: &Batch, inbox: &Inbox, rule: LearnFrom, relearning: bool, flows: &mut Vec<usize>) {
    let open = |i: usize| batch.blocked[i] == Blocked::No;
    let reported = |i: usize| inbox.heard.iter().any(|(said, _)| said.matches(&batch.flows.keys()[i]));
    let learned = |i: &usize| match rule {
        LearnFrom::All => true,
        _ if relearning => open(*i),
        LearnFrom::Unflagged => open(*i) && !batch.flagged[*i],
        LearnFrom::Unreported => open(*i) && !reported(*i),
    };
    flows.clear();
    flows.extend((0..batch.flows.rows()).filter(learned));
}

impl Model {
    /// Watches how often flows are flagged. After a change, until `enough` flows have come, which this says, all of them
    /// are learned, since the old detector flags what has become normal; then a new one is due.
    fn watch(&mut self, batch: &Batch, enough: u32) -> bool {
        let Some(drift) = &mut self.drift else { return false };
        for i in (0..batch.flows.rows()).filter(|i| batch.blocked[*i] == Blocked::No) {
            let alarm = drift.update(f64::from(u8::from(batch.flagged[i])));
            if alarm && self.relearn == 0 {
                self.relearn = enough.min(self.window.capacity() as u32);
            }
        }
        self.relearn > 0
    }
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
    // Whoever is away receives nothing, probes included.
    let Some(first) = batch.flows.rows().checked_sub(probes.len()) else { return };
    for (i, probe) in probes.iter().enumerate() {
        let worm = plan.actions[usize::from(probe.campaign)].kind == CampaignKind::Worm;
        let through = batch.blocked[first + i] == Blocked::No;
        if worm && through && siege.vulnerable(probe.campaign, identity.0) {
            infection.0 = Some((probe.campaign, now.0));
            return;
        }
    }
}
