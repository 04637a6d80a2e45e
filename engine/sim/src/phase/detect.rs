//! Detect: score, flag, block.

use bevy_ecs::change_detection::Mut;
use bevy_ecs::system::{Local, Query, Res, ResMut};
use phalanx_core::{AgentId, Tick};
use phalanx_detect::Threshold;
use rayon::prelude::*;

use super::{Room, by_agent};
use crate::agent::{Batch, Blacklist, Blocked, Detector, Identity};
use crate::evidence::{Evidence, Flagged};
use crate::known::Known;
use crate::plan::{Now, Plan};
use crate::population::Owners;
use crate::scenario;
use crate::spare::Spare;

/// Agents whose flows are scored together where they share models, at least and at most: enough that the rows of one
/// model fill vectors (from 320 rows on forests score faster, from 2,048 on twice as fast), few enough for the cache and the threads.
const BLOCK: (usize, usize) = (64, 2048);

/// What the phase reads and writes of an agent.
type Row<'r, 'w> = (&'r Identity, Mut<'w, Detector>, Mut<'w, Batch>, Mut<'w, Blacklist>, Mut<'w, Evidence>);

/// The detector scores every flow, also those that the blacklist blocks, so that what sharing adds can be told from
/// what the agent would have found alone. Flagged flows that are not on the blacklist yet become evidence.
pub(crate) fn detect(
    plan: Res<Plan>,
    now: Res<Now>,
    owners: Res<Owners>,
    known: Res<Known>,
    spare: Local<Spare<Together>>,
    mut room: ResMut<Room>,
    mut agents: Query<(&Identity, &mut Detector, &mut Batch, &mut Blacklist, &mut Evidence)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    let refreshed =
        matches!(plan.scenario.detector, scenario::Detector::IsolationForest { refresh: 1.., .. });
    if owners.is_shared() {
        let block = rows.len().div_ceil(8).clamp(BLOCK.0, BLOCK.1);
        rows.par_chunks_mut(block).for_each_init(
            || spare.lend(),
            |together, block| {
                together.score(block, &owners);
                block.iter_mut().for_each(|row| judge(row, &plan, &known, now.0));
            },
        );
    } else {
        rows.par_iter_mut().for_each(|row| {
            let (_, detector, batch, ..) = row;
            detector.observe(now.0, batch, refreshed);
            judge(row, &plan, &known, now.0);
        });
    }
}

/// Flows of several agents that one model scores in one go: its trees are fetched once for all of them. A row's score
/// depends on that row alone, so this changes no bit.
#[derive(Debug, Default)]
pub(crate) struct Together {
    by_owner: Vec<(AgentId, usize)>,
    rows: Vec<f32>,
    scores: Vec<f64>,
}

impl Together {
    fn score(&mut self, block: &mut [Row<'_, '_>], owners: &Owners) {
        let Self { by_owner, rows, scores } = self;
        by_owner.clear();
        by_owner.extend(block.iter().enumerate().map(|(index, row)| (owners.of(row.0.0), index)));
        by_owner.sort_unstable();
        for group in by_owner.chunk_by(|a, b| a.0 == b.0) {
            rows.clear();
            group.iter().for_each(|(_, index)| rows.extend_from_slice(block[*index].2.flows.features()));
            let scorer = block[group[0].1].1.scorer.detector();
            scorer.score(rows, scores).expect("flows are finite and as wide as the model, which is native");
            let mut left = &scores[..];
            for (_, index) in group {
                let batch = &mut *block[*index].2;
                let (own, rest) = left.split_at(batch.flows.rows());
                batch.scores.clear();
                batch.scores.reserve_exact(own.len());
                batch.scores.extend_from_slice(own);
                left = rest;
            }
        }
    }
}

/// Flags by the agent's threshold, blocks by its blacklist, keeps evidence.
fn judge(
    (identity, detector, batch, blacklist, evidence): &mut Row<'_, '_>,
    plan: &Plan,
    known: &Known,
    now: Tick,
) {
    let memory = u64::from(plan.scenario.signature.memory_ticks.get());
    let Batch { flows, scores, flagged, blocked, .. } = &mut **batch;
    let threshold = detector.threshold_of(!detector.fell_back);
    match threshold {
        Some(threshold) => threshold.flag(scores, flagged),
        None => {
            flagged.clear();
            flagged.resize(scores.len(), false);
        }
    }
    let cut = threshold.map_or(1.0, Threshold::cut);
    blocked.clear();
    let nothing_listed = blacklist.entries.is_empty();
    for (i, key) in flows.keys().iter().enumerate() {
        blocked.push(if nothing_listed || !known.concerns(key, plan.matcher) {
            Blocked::No
        } else {
            blacklist.block(key, flows.row(i), identity.0.0, now, plan.matcher)
        });
    }
    if evidence.len() > 0 {
        evidence.retain(|f| now.since(f.tick) < memory);
    }
    let fresh = || (0..flows.rows()).filter(|i| flagged[*i] && blocked[*i] == Blocked::No);
    evidence.reserve(fresh().count(), flows.width());
    for i in fresh() {
        let (key, truth) = (flows.keys()[i], flows.truth()[i]);
        evidence.push(Flagged { tick: now, key, margin: scores[i] - cut, truth }, flows.row(i));
    }
}
