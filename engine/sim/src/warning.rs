//! Early warning: which attacking flows come from where another agent was attacked before.
//!
//! It is counted on the truth and in the order of the flows' own times, so it says what sharing could give at best:
//! an agent that heard of every attacker from everybody else at once would be warned of these flows. What the agents'
//! signatures really blocked is counted beside it.

use std::collections::{BTreeMap, BTreeSet};

use phalanx_core::{AgentId, Tick};

use crate::checkpoint::saved;
use crate::distribution::Distribution;
use crate::summary;

/// An attacking flow that an address has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attacked {
    /// Its start, in microseconds.
    pub(crate) start_us: i64,
    /// Whose host it met.
    pub(crate) agent: AgentId,
    /// Who began it.
    pub(crate) remote: u32,
    /// Whether another agent's signature blocked it.
    pub(crate) stopped: bool,
}

/// The first two agents that an address has attacked.
#[derive(Clone, Copy, Debug)]
struct Attacker {
    first: (AgentId, Tick),
    second: Option<(AgentId, Tick)>,
}

impl Attacker {
    /// When this agent could first have heard of it from another.
    fn known_since(&self, agent: AgentId) -> Option<Tick> {
        let others = std::iter::once(self.first).chain(self.second).filter(|(other, _)| *other != agent);
        others.map(|(_, tick)| tick).next()
    }
}

/// What is counted of early warnings.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    attackers: BTreeMap<u32, Attacker>,
    met: BTreeSet<(AgentId, u32)>,
    agents: BTreeMap<AgentId, summary::HostWarnings>,
    leads: Distribution,
}

impl Warnings {
    /// Counts a tick's attacking flows of all agents, in any order.
    pub(crate) fn add(&mut self, tick: Tick, flows: &mut [Attacked]) {
        flows.sort_unstable();
        for flow in flows {
            let attacker = self
                .attackers
                .entry(flow.remote)
                .or_insert(Attacker { first: (flow.agent, tick), second: None });
            let known_since = attacker.known_since(flow.agent);
            if attacker.first.0 != flow.agent {
                attacker.second.get_or_insert((flow.agent, tick));
            }
            let counts = self.agents.entry(flow.agent).or_default();
            counts.flows += 1;
            counts.prewarned_flows += u64::from(known_since.is_some());
            counts.stopped_flows += u64::from(flow.stopped);
            if self.met.insert((flow.agent, flow.remote)) {
                counts.contacts += 1;
                counts.prewarned_contacts += u64::from(known_since.is_some());
                if let Some(since) = known_since {
                    self.leads.add(tick.since(since));
                }
            }
        }
    }

    /// The figures so far; `names` are those of the agents, as far as they have any.
    pub(crate) fn summary(&self, names: &[String]) -> summary::Warnings {
        let mut total = summary::HostWarnings::default();
        let mut hosts = Vec::new();
        for (agent, counts) in &self.agents {
            total.flows += counts.flows;
            total.prewarned_flows += counts.prewarned_flows;
            total.stopped_flows += counts.stopped_flows;
            total.contacts += counts.contacts;
            total.prewarned_contacts += counts.prewarned_contacts;
            let name = names.get(agent.index()).cloned().unwrap_or_else(|| agent.0.to_string());
            hosts.push(summary::HostWarnings { name, ..counts.clone() });
        }
        summary::Warnings {
            flows: total.flows,
            prewarned_flows: total.prewarned_flows,
            stopped_flows: total.stopped_flows,
            contacts: total.contacts,
            prewarned_contacts: total.prewarned_contacts,
            lead_p10: self.leads.quantile(0.1),
            lead_p50: self.leads.quantile(0.5),
            hosts,
        }
    }
}

saved!(Attacker { first, second });
saved!(Warnings { attackers, met, agents, leads });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_earlier_sightings_elsewhere_warn() {
        let mut warnings = Warnings::default();
        let flow =
            |start_us, agent, remote| Attacked { start_us, agent: AgentId(agent), remote, stopped: false };
        // Agent 0 meets 7 twice before agent 1 does; then 0 has been warned by 1. The order of the slice is no order.
        warnings.add(Tick(4), &mut [flow(30, 1, 7), flow(10, 0, 7), flow(20, 0, 7)]);
        warnings.add(Tick(9), &mut [flow(50, 0, 7), flow(60, 2, 7), flow(70, 2, 8)]);
        let found = warnings.summary(&["a".to_owned()]);
        let rows: Vec<_> = found
            .hosts
            .iter()
            .map(|h| (h.name.as_str(), h.flows, h.prewarned_flows, h.contacts, h.prewarned_contacts))
            .collect();
        assert_eq!(rows, [("a", 3, 1, 1, 0), ("1", 1, 1, 1, 1), ("2", 2, 1, 2, 1)]);
        assert_eq!((found.flows, found.prewarned_flows, found.lead_p50), (6, 3, Some(2.5)));
    }
}
