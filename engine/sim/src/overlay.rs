//! Who is next to whom and who is there: the network as the phases see it.

use std::collections::BTreeMap;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Purpose, Streams, Tick};

use crate::adversary::{Behaviour, Populations};
use crate::network::{Gossip, Graph, Presence};
use crate::scenario::AdversaryKind;

/// Neighbours, presence and gossip of a run; what becomes of a message is [`crate::mail::Mail`]'s business.
#[derive(Resource, Debug)]
pub(crate) struct Overlay {
    pub(crate) graph: Graph,
    pub(crate) presence: Presence,
    /// How reports and news spread; `None` if nobody passes them on.
    pub(crate) gossip: Option<Gossip>,
}

/// Agents all of whose neighbours are held by adversaries: they hear nobody else, and nobody else hears them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eclipsed {
    /// Victim → the population that holds it.
    victims: BTreeMap<AgentId, u16>,
    /// Everybody's population; empty if there is no victim.
    populations: Vec<Behaviour>,
}

impl Eclipsed {
    /// Fills the victims' neighbour tables. A slot is filled by any other agent with the same probability, so that an
    /// adversary of share `a` holds all of `d` slots with probability `a^d`.
    pub(crate) fn draw(populations: &Populations, agents: u32, streams: &Streams) -> Self {
        let mut victims = BTreeMap::new();
        for (index, words, targets) in populations.targets() {
            let AdversaryKind::Eclipse { slots, .. } = words.kind else { continue };
            for victim in targets {
                let mut stream = streams.stream(Purpose::Eclipse, victim.0, Tick(0));
                let held = (0..slots.get()).filter(|_| {
                    let other = AgentId((victim.0 + 1 + stream.below(agents.max(2) - 1)) % agents);
                    populations.of(other).0.is_some_and(|member| member.population == index)
                });
                if held.count() == slots.get() as usize {
                    victims.insert(*victim, index);
                }
            }
        }
        let everybody = if victims.is_empty() { 0 } else { agents };
        Self { victims, populations: (0..everybody).map(|agent| populations.of(AgentId(agent))).collect() }
    }

    /// Whether somebody stands between these two.
    pub(crate) fn between(&self, from: AgentId, to: AgentId) -> bool {
        let held_from = |victim: AgentId, other: AgentId| {
            self.victims.get(&victim).is_some_and(|holder| {
                self.populations[other.index()].0.is_none_or(|member| member.population != *holder)
            })
        };
        !self.victims.is_empty() && from != to && (held_from(from, to) || held_from(to, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::Member;
    use crate::scenario::{Adversary, Fraction, Positive};

    /// A share of 0.5 of the agents holds both slots of a victim's table with probability 0.25.
    #[test]
    fn victims_are_cut_off_with_the_probability_of_holding_every_slot() {
        let agents = 4000;
        let kind = AdversaryKind::Eclipse { victims: Positive::new(2000), slots: Positive::new(2) };
        let words = Adversary {
            kind,
            fraction: Fraction::new(0.5),
            coordinated: false,
            placement: Default::default(),
            rate: None,
            when: Default::default(),
            identities: Positive::new(1),
        };
        let (liar, honest) = (AgentId(1), AgentId(3998));
        let of = |agent: u32| {
            let member = Member { population: 0, controller: AgentId(agent) };
            Behaviour((agent % 2 == 1).then_some(member))
        };
        let victims = |_: &Adversary| (0..agents - 2).filter(|agent| agent % 2 == 0).map(AgentId).collect();
        let populations = Populations::new(1, &[words], (0..agents).map(of).collect(), victims);
        let eclipsed = Eclipsed::draw(&populations, agents, &Streams::from_seed(3));
        let cut: Vec<AgentId> = (0..agents - 2)
            .step_by(2)
            .map(AgentId)
            .filter(|victim| eclipsed.between(*victim, honest))
            .collect();
        // 1999 victims: 500 ± 4·sqrt(1999·3/16).
        assert!((423..=577).contains(&cut.len()), "{}", cut.len());
        for victim in cut {
            assert!(
                eclipsed.between(honest, victim) && !eclipsed.between(victim, liar),
                "both ways, but for liars"
            );
        }
    }
}
