//! Observe: attackers act, then every agent draws its batch.

use bevy_ecs::system::{Local, Query, Res, ResMut};
use rayon::prelude::*;

use super::{Room, by_agent};
use crate::agent::{Batch, Blocked, Host, Identity, Infection, Region};
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::spare::Spare;
use crate::traffic::{Scratch, Siege, Site, Source};

/// Agents that one thread takes at a time, at least: generating a small batch costs less than handing it over.
const AGENTS_A_TASK: usize = 16;

/// Attackers feel what was blocked, worms break out where they start, and all campaigns choose this tick's flows.
pub(crate) fn attack(
    plan: Res<Plan>,
    now: Res<Now>,
    mut siege: ResMut<Siege>,
    mut room: ResMut<Room>,
    mut hosts: Query<(&Identity, &Host, &mut Infection, &Batch)>,
) {
    let rows = by_agent(&mut room, hosts.iter_mut(), |row| *row.0);
    if siege.adapts() {
        let mut blocked = Vec::new();
        for (identity, _, _, batch) in rows.iter() {
            // The last tick's probes are the last flows of its batch, in order; whoever was away has none.
            let probes = siege.probes_of(identity.0);
            let Some(first) = batch.blocked.len().checked_sub(probes.len()) else { continue };
            let felt = probes.iter().zip(&batch.blocked[first..]).filter(|(_, how)| **how != Blocked::No);
            blocked.extend(felt.map(|(probe, _)| (probe.campaign, identity.0)));
        }
        siege.adapt(&mut blocked);
    }
    for (campaign, agent) in siege.outbreak(now.0) {
        rows[agent.index()].2.0.get_or_insert((campaign, now.0));
    }
    let infected: Vec<_> = rows
        .iter()
        .filter_map(|(identity, host, infection, _)| {
            infection.0.map(|(campaign, _)| (campaign, identity.0, host.address))
        })
        .collect();
    siege.advance(now.0, &infected, &plan.streams);
}

/// Every agent sees its own traffic and what the attackers sent it.
pub(crate) fn observe(
    plan: Res<Plan>,
    now: Res<Now>,
    source: Res<Source>,
    siege: Res<Siege>,
    overlay: Res<Overlay>,
    spare: Local<Spare<Scratch>>,
    mut room: ResMut<Room>,
    mut agents: Query<(&Identity, &Host, &Region, &mut Batch)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().with_min_len(AGENTS_A_TASK).for_each_init(
        || spare.lend(),
        |scratch, (identity, host, region, batch)| {
            if !overlay.presence.is_up(identity.0) {
                batch.flows.clear();
                return;
            }
            let site = Site { agent: identity.0, host: **host, region: **region };
            let probes = siege.probes_of(site.agent);
            source.observe(site, now.0, probes, &plan.streams, &mut batch.flows, scratch);
        },
    );
}
