//! From a scenario's words to the network they mean.

use phalanx_core::{AgentId, Purpose, Streams, Tick};

use super::{
    Bursts, Chain, CrashPlan, Cut, Gossip, Graph, LinkPlan, Links, Mode, Presence, region, topology,
};
use crate::scenario::{self, Network, Scenario, Spread, Topology};

/// The network of a run.
#[derive(Clone, Debug)]
pub struct Fabric {
    /// Who may speak to whom.
    pub graph: Graph,
    /// What becomes of messages.
    pub links: Links,
    /// Who is up.
    pub presence: Presence,
    /// How reports spread; `None` if their author sends them to its neighbours and nobody passes them on.
    pub gossip: Option<Gossip>,
    /// Every agent's region.
    pub regions: Vec<u8>,
}

impl Fabric {
    /// The network of a scenario that has been checked.
    #[must_use]
    pub fn new(scenario: &Scenario, streams: &Streams) -> Self {
        let agents = scenario.agents.get();
        let network = &scenario.network;
        let regions = regions(scenario);
        let links = Links::new(link_plan(network, regions.clone()), agents);
        Self {
            graph: graph(network.topology, agents, &regions, streams),
            links,
            presence: presence(network, agents, streams),
            gossip: gossip(network.gossip),
            regions,
        }
    }

    /// Goes to a tick: bursts and presence are then those of that tick.
    pub fn go_to(&mut self, streams: &Streams, tick: Tick) {
        self.links.go_to(streams, tick);
        self.presence.go_to(streams, tick);
    }

    /// An agent's region.
    #[must_use]
    pub fn region(&self, agent: AgentId) -> u8 {
        self.regions[agent.index()]
    }
}

fn regions(scenario: &Scenario) -> Vec<u8> {
    let agents = scenario.agents.get();
    match &scenario.network.regions {
        scenario::Regions::Even { count } => region::in_turn(agents, count.get()),
        scenario::Regions::Internet => region::by_shares(agents, &region::SHARES),
        scenario::Regions::OfTraffic => region::in_turn(agents, scenario.region_count()),
    }
}

fn graph(topology: Topology, agents: u32, regions: &[u8], streams: &Streams) -> Graph {
    let mut stream = streams.stream(Purpose::Topology, 0, Tick(0));
    match topology {
        Topology::FullMesh => Graph::full(agents),
        Topology::Ring => topology::ring(agents),
        Topology::Star => topology::star(agents),
        Topology::KRegular { k } => topology::regular(agents, k.get(), &mut stream),
        Topology::ErdosRenyi { mean_degree } => {
            let p = mean_degree.get() / f64::from(agents.max(2) - 1);
            topology::erdos_renyi(agents, p.min(1.0), &mut stream)
        }
        Topology::WattsStrogatz { k, rewire } => {
            topology::watts_strogatz(agents, k.get(), rewire.get(), &mut stream)
        }
        Topology::BarabasiAlbert { m } => topology::barabasi_albert(agents, m.get(), &mut stream),
        Topology::Geometric { mean_degree } => {
            let radius = topology::geometric_radius(agents, mean_degree.get());
            topology::geometric(agents, radius, &mut stream)
        }
        Topology::Clusters { k, gateways } => {
            topology::clusters(regions, k.get(), gateways.get(), &mut stream)
        }
    }
}

fn link_plan(network: &Network, regions: Vec<u8>) -> LinkPlan {
    let cut = |p: &scenario::Partition| Cut { from: p.from, until: p.until, regions: p.regions.clone() };
    LinkPlan {
        delay_ticks: (network.latency.min_ticks, network.latency.max_ticks),
        tick_ms: network.internet.map(|internet| internet.tick_ms.get()),
        loss: network.loss.get(),
        bursts: network
            .bursts
            .map(|b| Bursts { chain: Chain::new(b.enter.get(), b.leave.get()), loss: b.loss.get() }),
        duplication: network.duplication.get(),
        cuts: network.partitions.iter().map(cut).collect(),
        regions,
    }
}

fn presence(network: &Network, agents: u32, streams: &Streams) -> Presence {
    let churn = network.churn.map(|churn| Chain::of_means(churn.mttf_ticks.get(), churn.mttr_ticks.get()));
    let crash = |crash: &scenario::Crash| CrashPlan {
        at: crash.at,
        fraction: crash.fraction.get(),
        back: crash.back,
    };
    let crashes: Vec<CrashPlan> = network.crashes.iter().map(crash).collect();
    Presence::new(agents, churn, &crashes, streams)
}

fn gossip(spread: Spread) -> Option<Gossip> {
    let hops = |ttl: u32| (ttl > 0).then_some(ttl as u8);
    match spread {
        Spread::Direct => None,
        Spread::Push { fan_out, ttl, forward_once } => {
            Some(Gossip { mode: Mode::Push, fan_out: fan_out.get(), hops: hops(ttl), forward_once })
        }
        Spread::Pull { fan_out, ttl } => {
            Some(Gossip { mode: Mode::Pull, fan_out: fan_out.get(), hops: hops(ttl), forward_once: false })
        }
        Spread::PushPull { fan_out, ttl } => Some(Gossip {
            mode: Mode::PushPull,
            fan_out: fan_out.get(),
            hops: hops(ttl),
            forward_once: false,
        }),
    }
}
