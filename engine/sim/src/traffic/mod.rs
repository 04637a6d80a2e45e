//! Where an agent's flows come from.

mod address;
mod attack;
mod clock;
mod features;
mod gaussian;
mod generator;
mod host;
mod role;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Direction, FlowBatch, FlowKey, Purpose, Schema, Stream, Streams, Tick, Truth};

use crate::Replay;
use crate::agent::{Host, Region};
use crate::scenario;
pub(crate) use address::{Address, CAMPAIGNS_MAX, HOSTS_MAX, SOURCES_MAX};
pub(crate) use attack::{Probe, Siege};
pub(crate) use clock::Clock;
pub(crate) use features::{RawFlow, Scratch, finish, schema};
pub use generator::TrafficGenerator;
pub(crate) use role::Role;

/// Where flows are observed: an agent, its host, its region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) agent: AgentId,
    pub(crate) host: Host,
    pub(crate) region: Region,
}

/// The source of flows of a run.
#[derive(Resource, Debug)]
pub(crate) enum Source {
    /// Hosts with roles, attacked by campaigns.
    Synthetic(host::Hosts),
    /// Independent normal features.
    Gaussian(gaussian::Mixture),
    /// A divided capture.
    Replay { records: Replay, clock: Clock },
}

impl Source {
    /// A world of hosts.
    pub(crate) fn synthetic(scenario: &scenario::Synthetic) -> Self {
        Self::Synthetic(host::Hosts::new(scenario))
    }

    /// A mixture of normals.
    pub(crate) fn gaussian(scenario: &scenario::Gaussian) -> Self {
        Self::Gaussian(gaussian::Mixture::new(scenario))
    }

    /// The columns of all batches.
    pub(crate) fn schema(&self) -> Schema {
        match self {
            Self::Synthetic(_) => schema(),
            Self::Gaussian(mixture) => mixture.schema(),
            Self::Replay { records, .. } => records.schema.clone(),
        }
    }

    /// Fills the batch of one agent and tick: its own traffic, then what the attackers send it.
    pub(crate) fn observe(
        &self,
        site: Site,
        tick: Tick,
        probes: &[Probe],
        streams: &Streams,
        flows: &mut FlowBatch,
        scratch: &mut Scratch,
    ) {
        flows.clear();
        match self {
            Self::Synthetic(hosts) => {
                let mut stream = streams.stream(Purpose::Traffic, site.agent.0, tick);
                hosts.benign(site, tick.0, hosts.era(tick.0), &mut stream, flows);
                flows.reserve(probes.len());
                probes.iter().for_each(|probe| probe.flow.push_to(site.host.role, flows));
                finish(flows, scratch);
            }
            Self::Gaussian(mixture) => {
                let mut stream = streams.stream(Purpose::Traffic, site.agent.0, tick);
                mixture.batch(&mut stream, flows);
            }
            Self::Replay { records, clock } => {
                let agent = site.agent.index();
                flows.extend_from(&records.shards[agent], clock.rows(records, agent, tick.0));
            }
        }
    }

    /// When the flows of an agent's batch began, in microseconds, if they are replayed by time.
    pub(crate) fn starts_us(&self, agent: AgentId, tick: Tick) -> Option<&[i64]> {
        let Self::Replay { records, clock } = self else { return None };
        let starts = records.starts_us.get(agent.index())?;
        Some(&starts[clock.rows(records, agent.index(), tick.0)])
    }

    /// Names of the agents, if their capture gives them any.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Replay { records, .. } => &records.names,
            _ => &[],
        }
    }

    /// The flows an agent knows before tick 0: at least `count`, or its training records. A `brief` acquaintance need not
    /// have lasted for a day.
    pub(crate) fn warm_up(&self, site: Site, count: usize, brief: bool, streams: &Streams) -> FlowBatch {
        let mut all = FlowBatch::new(self.schema().width());
        let mut stream: Stream = streams.stream(Purpose::WarmUp, site.agent.0, Tick(0));
        match self {
            Self::Synthetic(hosts) => {
                // Tick by tick over as many days as it takes, so that the detector knows day and night.
                let mut batch = FlowBatch::new(all.width());
                let mut scratch = Scratch::default();
                for tick in 0.. {
                    batch.clear();
                    hosts.benign(site, tick, host::Era::FIRST, &mut stream, &mut batch);
                    finish(&mut batch, &mut scratch);
                    all.extend_from(&batch, 0..batch.rows());
                    let days = (tick + 1) / hosts.day_ticks();
                    if days >= 1 && (all.rows() >= count || days >= WARM_UP_DAYS_MAX)
                        || all.rows() >= 64 * count
                        || brief && all.rows() >= count
                    {
                        break;
                    }
                }
            }
            Self::Gaussian(mixture) => mixture.flows(count, &mut stream, &mut all),
            Self::Replay { records, .. } => {
                let train = &records.train[site.agent.index()];
                all.extend_from(train, 0..train.rows());
            }
        }
        all
    }
}

/// A host that is nearly silent learns from what these days bring, however little.
const WARM_UP_DAYS_MAX: u64 = 30;

/// A key of which nothing is known.
pub(crate) const UNKNOWN: FlowKey =
    FlowKey { remote: None, port: None, protocol: None, direction: Direction::Unknown };

/// The truth of an anomalous flow of the family or campaign with this index.
pub(crate) fn truth_of(index: usize) -> Truth {
    Truth::campaign(u16::try_from(index).expect("a scenario has fewer than 65,536 campaigns"))
}
