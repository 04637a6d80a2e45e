//! How agents stand with each other: the trust in all of them, and how often each has voted right.

use bevy_ecs::resource::Resource;
use phalanx_consensus::{BadSetting, Deed, Standing, TrackRecord, Trust, TrustModel};
use phalanx_core::AgentId;

use crate::adversary::Populations;
use crate::checkpoint::state;
use crate::scenario;

/// Trust and track record of all agents.
#[derive(Resource, Debug)]
pub(crate) struct Standings {
    trust: Trust,
    record: TrackRecord,
}

impl Standings {
    /// Nobody knows anybody, but for those that are trusted from the start: a share of the honest, the lowest numbers
    /// first, since adversaries are drawn at random anyway.
    pub(crate) fn new(
        words: &scenario::Trust,
        populations: &Populations,
        agents: u32,
    ) -> Result<Self, BadSetting> {
        let honest = (0..agents).filter(|agent| populations.of(AgentId(*agent)).is_honest());
        let count = (words.pretrusted.get() * f64::from(agents)).round() as usize;
        let pretrusted: Vec<u32> = honest.take(count).collect();
        let forgetting = words.forgetting.get();
        Ok(Self {
            trust: Trust::new(&words.kind(), agents, &pretrusted, words.pretrusted_trust.get())?,
            record: TrackRecord::new(
                agents,
                words.tpr.get(),
                words.fpr.get(),
                words.strength.get(),
                forgetting,
            )?,
        })
    }

    /// Trust in an agent, in `[0, 1]`.
    pub(crate) fn trust(&self, agent: AgentId) -> f64 {
        self.trust.trust(agent.0)
    }

    /// Trust in every agent, by id.
    pub(crate) fn all_trust(&self, agents: u32) -> Vec<f64> {
        (0..agents).map(|agent| self.trust(AgentId(agent))).collect()
    }

    /// All that a voting rule may know of an agent.
    pub(crate) fn of(&self, agent: AgentId) -> Standing {
        self.record.rated(agent.0, self.trust.standing(agent.0))
    }

    /// Takes in whether an agent turned out right, for everybody to see.
    pub(crate) fn observe(&mut self, agent: AgentId, right: bool) {
        self.trust.observe(&Deed::public(agent.0, right));
    }

    /// Takes in a vote and how its proposal ended.
    pub(crate) fn observe_vote(&mut self, agent: AgentId, yes: bool, confirmed: bool) {
        self.observe(agent, yes == confirmed);
        self.record.observe(agent.0, yes, confirmed);
    }

    /// Ends the tick.
    pub(crate) fn end_tick(&mut self) {
        self.trust.end_tick();
    }

    /// Forgets an agent: whoever stands behind it comes back as somebody nobody knows.
    pub(crate) fn forget(&mut self, agent: AgentId) {
        self.trust.forget(agent.0);
        self.record.forget(agent.0);
    }
}

state!(Standings { kept: [trust, record], found: [] });
