//! What agents keep in memory.

use bevy_ecs::world::World;

use crate::agent::{
    Batch, Blacklist, Detector, Encounter, Encounters, Host, Identity, Inbox, Infection, Listed, Model,
    Outbox, Region,
};
use crate::evidence::Evidence;

/// Bytes that all agents together keep between two ticks, room for growth included. What several agents share, such as
/// models by role and signatures, and what belongs to no agent, such as messages under way, is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Agents.
    pub agents: u64,
    /// Components, evidence, blacklists, encounters, what was heard.
    pub state: u64,
    /// The flows of the last tick: features, keys, truths, scores and marks.
    pub flows: u64,
    /// The windows of flows that models learn from and agents judge by.
    pub windows: u64,
}

impl Footprint {
    pub(crate) fn of(world: &World) -> Self {
        let mut sum = Self::default();
        let mut agents = world
            .try_query::<(&Evidence, &Outbox, &Inbox, &Blacklist, &Encounters, &Batch, &Model)>()
            .expect("agents were spawned by `new`");
        for (evidence, outbox, inbox, blacklist, encounters, batch, model) in agents.iter(world) {
            let components = size_of::<(Identity, Host, Region, Detector, Model, Batch)>()
                + size_of::<(Evidence, Outbox, Inbox, Blacklist, Infection, Encounters)>();
            let met: usize = encounters.0.iter().map(|encounter| room(&encounter.recent)).sum();
            let lists = evidence.bytes()
                + room(&outbox.reports)
                + room(&outbox.votes)
                + room(&inbox.reports)
                + room(&inbox.confirmed)
                + room(&inbox.heard)
                + room::<Listed>(&blacklist.entries)
                + room::<Encounter>(&encounters.0)
                + met;
            let marks = room(&batch.scores) + room(&batch.sums) + room(&batch.flagged) + room(&batch.blocked);
            sum.agents += 1;
            sum.state += (components + lists) as u64;
            sum.flows += (batch.flows.bytes() + marks) as u64;
            sum.windows += model.window.bytes() as u64;
        }
        sum
    }
}

/// Bytes of a vector's items, and of its room for more.
pub(crate) fn room<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}
