//! Measure: the only place where truth is opened. Counts, times to detect, fingerprint.

use bevy_ecs::system::{Local, Query, Res, ResMut};
use phalanx_core::{AgentMix, Tick};
use rayon::prelude::*;

use super::{Room, by_agent};
use crate::agent::{Batch, Blacklist, Blocked, Detector, Encounters, Identity, Inbox, Infection, Model};
use crate::evidence::Evidence;
use crate::mail::Mail;
use crate::opinion::Judge;
use crate::plan::{Now, Plan};
use crate::standing::Standings;
use crate::tally::Tally;
use crate::traffic::Source;
use crate::warning::Attacked;

/// Opens the truth of this tick's flows, and closes the tick.
pub(crate) fn measure(
    plan: Res<Plan>,
    now: Res<Now>,
    source: Res<Source>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
    standings: Res<Standings>,
    mut mixes: Local<Vec<u128>>,
    mut room: ResMut<Room>,
    mut agents: Query<(
        &Identity,
        &Batch,
        &Detector,
        &Model,
        &Blacklist,
        &Evidence,
        &Inbox,
        &Infection,
        &mut Encounters,
    )>,
    batches: Query<(&Batch, &Infection)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    let mix = || {
        rows.par_iter_mut()
            .map(|(identity, batch, detector, model, blacklist, evidence, inbox, infection, encounters)| {
                meet(batch, now.0, &plan, encounters);
                let mut mix = AgentMix::new(identity.0.0);
                mix_batch(batch, &mut mix);
                mix.word(detector.scorer.detector().digest());
                mix.float(detector.threshold.cut());
                if let Some(standby) = &detector.standby {
                    mix.word(standby.scorer.detector().digest());
                    mix.float(standby.threshold.cut());
                }
                mix.word(model.drift.as_ref().map_or(0, |drift| drift.digest()) ^ u64::from(model.relearn));
                mix.word((model.window.len() as u64) << 32 | model.window.position() as u64);
                blacklist.mix(&mut mix);
                mix.word((evidence.len() as u64) << 32 | inbox.heard.len() as u64);
                mix.float(standings.trust(identity.0));
                mix.word(
                    infection.0.map_or(0, |(campaign, since)| u64::from(campaign) << 40 | (since.0 + 1)),
                );
                mix.finish()
            })
            .collect_into_vec(&mut mixes);
    };
    // Counts are sums, so one task takes them in any order, while the others mix.
    let count = || {
        for (batch, infection) in &batches {
            tally.counts.infected += u64::from(infection.0.is_some());
            for i in 0..batch.flows.rows() {
                let truth = batch.flows.truth()[i].reveal();
                tally.flow(truth, batch.scores[i], batch.flagged[i], batch.blocked[i]);
            }
        }
    };
    rayon::join(count, mix);
    mixes.iter().for_each(|mix| tally.digest.add_agent(*mix));
    if let Some(plugin) = &plan.plugins.rule {
        tally.digest.event_word(plugin.digest());
        let mut events = plugin.take_events();
        events.append(&mut tally.plugins);
        tally.plugins = events;
    }
    let mut attacked = Vec::new();
    for (identity, batch, ..) in rows.iter() {
        let Some(starts) = source.starts_us(identity.0, now.0) else { break };
        // An agent that is down sees nothing of what its capture holds.
        for (i, start_us) in starts.iter().enumerate().take(batch.flows.rows()) {
            let attacker = batch.flows.truth()[i].reveal().and(batch.flows.keys()[i].accused());
            let stopped = batch.blocked[i] == Blocked::ByOther;
            let met = |remote| Attacked { start_us: *start_us, agent: identity.0, remote, stopped };
            attacked.extend(attacker.map(met));
        }
    }
    tally.warnings.add(now.0, &mut attacked);
    if let Some(opinions) = &mut tally.opinions {
        let (mut flows, mut anomalous) = (Vec::new(), Vec::new());
        for (_, batch, ..) in rows.iter() {
            flows.extend_from_slice(batch.flows.features());
            anomalous.extend(batch.flows.truth().iter().map(|truth| truth.reveal().is_some()));
        }
        let judges: Vec<Judge<'_>> = rows
            .iter()
            .map(|(_, _, detector, model, ..)| Judge {
                detector: detector.scorer.detector(),
                window: model.window.features(),
            })
            .collect();
        opinions.add(&judges, &flows, &anomalous);
    }
    tally.mail(&mail);
    mail.advance();
}

fn mix_batch(batch: &Batch, mix: &mut AgentMix) {
    let marks = |i: usize| u64::from(batch.flagged[i]) | u64::from(batch.blocked[i] != Blocked::No) << 1;
    for (i, score) in batch.scores.iter().enumerate() {
        mix.float(*score);
        mix.word(marks(i));
    }
}

/// Notes first contacts and first detections of every campaign.
///
/// Alone, an agent has detected a campaign when it has flagged as many of its flows, within the scenario's memory,
/// as a report takes. With the others' help it has also when a confirmed indicator blocked one.
fn meet(batch: &Batch, now: Tick, plan: &Plan, encounters: &mut Encounters) {
    let support = plan.scenario.signature.support_min.get();
    let memory = u64::from(plan.scenario.signature.memory_ticks.get());
    for (i, truth) in batch.flows.truth().iter().enumerate() {
        let Some(campaign) = truth.reveal() else { continue };
        let encounter = encounters.with(campaign, now);
        if batch.blocked[i] != Blocked::No {
            encounter.shared.get_or_insert(now);
        }
        if batch.flagged[i] && encounter.local.is_none() {
            encounter.recent.retain(|(tick, _)| now.since(*tick) < memory);
            match encounter.recent.last_mut() {
                Some((tick, count)) if *tick == now => *count += 1,
                _ => {
                    encounter.recent.reserve_exact(1);
                    encounter.recent.push((now, 1));
                }
            }
            if encounter.recent.iter().map(|(_, count)| count).sum::<u32>() >= support {
                encounter.local = Some(now);
                encounter.shared.get_or_insert(now);
                encounter.recent = Vec::new();
            }
        }
    }
}
