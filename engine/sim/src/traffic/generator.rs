//! The traffic of a scenario with nobody who watches it: for benches, plots and tests of what is generated.

use phalanx_core::{AgentId, FlowBatch, Schema, Streams, Tick};

use super::{Scratch, Siege, Site, Source};
use crate::SimError;
use crate::plan::{Plan, Plugins};
use crate::population::draw_sites;
use crate::scenario::{Scenario, Traffic};

/// Generates what the agents of a scenario see, tick by tick, if nobody detects, reports or blocks anything: worms
/// spread without hindrance. The flows of a tick are those of a simulation of the same seed in which nothing was
/// blocked.
///
/// ```
/// use phalanx_sim::TrafficGenerator;
/// use phalanx_sim::scenario::Scenario;
///
/// let mut traffic = TrafficGenerator::new(&Scenario::default()).unwrap();
/// let mut flows = 0;
/// traffic.step(|_agent, batch| flows += batch.rows());
/// assert!(flows > 0 && traffic.schema().position("sent_bytes").is_some());
/// ```
#[derive(Debug)]
pub struct TrafficGenerator {
    source: Source,
    siege: Siege,
    streams: Streams,
    schema: Schema,
    campaigns: Vec<String>,
    sites: Vec<Site>,
    /// By agent: the worm that has its host.
    infected: Vec<Option<u16>>,
    batch: FlowBatch,
    scratch: Scratch,
    tick: Tick,
}

impl TrafficGenerator {
    /// The generated traffic of a scenario.
    ///
    /// # Errors
    /// If the scenario contradicts itself, or replays a capture.
    pub fn new(scenario: &Scenario) -> Result<Self, SimError> {
        scenario.check()?;
        let source = match &scenario.traffic {
            Traffic::Synthetic(synthetic) => Source::synthetic(synthetic),
            Traffic::Gaussian(gaussian) => Source::gaussian(gaussian),
            Traffic::Capture(_) => {
                let message = "a capture is not generated: name a scenario of synthetic or Gaussian traffic";
                return Err(SimError::Traffic(message.to_owned()));
            }
        };
        let plan = Plan::new(scenario, &source, Plugins::default());
        let sites = draw_sites(&plan, &source);
        let hosts = || sites.iter().map(|site| site.host).collect();
        Ok(Self {
            siege: Siege::new(&plan.actions, plan.agents, &plan.streams, hosts),
            sites,
            infected: vec![None; plan.agents as usize],
            batch: FlowBatch::new(plan.width),
            scratch: Scratch::default(),
            tick: Tick(0),
            source,
            streams: plan.streams,
            schema: plan.schema,
            campaigns: plan.campaigns,
        })
    }

    /// Columns of all batches.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Names of the campaigns (or attack families) that truths refer to.
    #[must_use]
    pub fn campaigns(&self) -> &[String] {
        &self.campaigns
    }

    /// The tick that the next [`Self::step`] generates.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// Hosts that this worm has.
    #[must_use]
    pub fn infected(&self, campaign: u16) -> usize {
        self.infected.iter().filter(|worm| **worm == Some(campaign)).count()
    }

    /// Generates a tick and shows every agent's batch, in the order of agents.
    pub fn step(&mut self, mut show: impl FnMut(AgentId, &FlowBatch)) {
        for (campaign, agent) in self.siege.outbreak(self.tick) {
            self.infected[agent.index()].get_or_insert(campaign);
        }
        let infected: Vec<(u16, AgentId, u32)> = self
            .sites
            .iter()
            .filter_map(|site| {
                self.infected[site.agent.index()].map(|worm| (worm, site.agent, site.host.address))
            })
            .collect();
        self.siege.advance(self.tick, &infected, &self.streams);
        for site in &self.sites {
            let probes = self.siege.probes_of(site.agent);
            let (batch, scratch) = (&mut self.batch, &mut self.scratch);
            self.source.observe(*site, self.tick, probes, &self.streams, batch, scratch);
            show(site.agent, &self.batch);
            let caught = probes.iter().find(|probe| self.siege.vulnerable(probe.campaign, site.agent));
            if let Some(probe) = caught {
                self.infected[site.agent.index()].get_or_insert(probe.campaign);
            }
        }
        self.tick = self.tick.after(1);
    }
}
