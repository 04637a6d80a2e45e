//! Detect: score, flag, block.

use bevy_ecs::system::{Query, Res};
use rayon::prelude::*;

use super::by_agent;
use crate::agent::{Batch, Blacklist, Blocked, Detector, Evidence, Flagged, Identity};
use crate::plan::{Now, Plan};

/// The detector scores every flow, also those that the blacklist blocks, so that what sharing adds can be told from
/// what the agent would have found alone. Flagged flows that are not on the blacklist yet become evidence.
pub(crate) fn detect(
    plan: Res<Plan>,
    now: Res<Now>,
    mut agents: Query<(&Identity, &Detector, &mut Batch, &mut Blacklist, &mut Evidence)>,
) {
    let memory = u64::from(plan.scenario.signature.memory_ticks.get());
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each(|(identity, detector, batch, blacklist, evidence)| {
        let Batch { flows, scores, flagged, blocked } = &mut **batch;
        detector
            .scorer
            .detector()
            .score(flows.features(), scores)
            .expect("generated and checked flows are finite and as wide as the model");
        detector.threshold.flag(scores, flagged);
        blocked.clear();
        for (i, key) in flows.keys().iter().enumerate() {
            blocked.push(blacklist.block(key, flows.row(i), identity.0.0, now.0, plan.matcher));
        }
        evidence.flagged.retain(|f| now.0.since(f.tick) < memory);
        for i in (0..flows.rows()).filter(|i| flagged[*i] && blocked[*i] == Blocked::No) {
            evidence.flagged.push(Flagged {
                tick: now.0,
                key: flows.keys()[i],
                margin: scores[i] - detector.threshold.cut(),
                row: flows.row(i).into(),
                truth: flows.truth()[i],
            });
        }
    });
}
