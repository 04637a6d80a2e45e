//! How messages travel: who is whose neighbour, how reports spread, delays and faults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Contradiction, Fraction, Positive, PositiveReal, Scenario, Traffic};

/// Bounds that keep tables small; far beyond what a scenario can mean.
const LATENCY_MAX: u32 = 10_000;
const LIST_MAX: usize = 1000;
const FAN_OUT_MAX: u32 = 1000;
const TTL_MAX: u32 = 254;
const TICKS_MEAN_MAX: f64 = 1e9;
/// Ends of edges are counted in 32 bits.
const EDGES_MAX: f64 = 2e9;
/// Regions that the Internet's delays are known between.
const INTERNET_REGIONS: u32 = crate::network::region::REGIONS.len() as u32;

/// How messages travel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Whether anything is shared at all; `false` isolates every agent.
    pub enabled: bool,
    /// Who is whose neighbour. Reports go to neighbours, answers to whoever asked.
    pub topology: Topology,
    /// How a report gets further than to the neighbours of its author.
    pub gossip: Spread,
    /// Which region an agent is in.
    pub regions: Regions,
    /// Delay of a message.
    pub latency: Latency,
    /// Delay between regions as on the Internet of 2019, on top of `latency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet: Option<Internet>,
    /// Probability that a message is lost, independently.
    pub loss: Fraction,
    /// Losses in bursts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bursts: Option<BurstLoss>,
    /// Probability that a message that arrives does so a second time, with a delay of its own.
    pub duplication: Fraction,
    /// Times during which regions are cut off.
    pub partitions: Vec<Partition>,
    /// Agents that come and go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// Agents that fail together.
    pub crashes: Vec<Crash>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            enabled: true,
            topology: Topology::FullMesh,
            gossip: Spread::Direct,
            regions: Regions::OfTraffic,
            latency: Latency { min_ticks: 0, max_ticks: 1 },
            internet: None,
            loss: Fraction::new(0.01),
            bursts: None,
            duplication: Fraction::new(0.0),
            partitions: Vec::new(),
            churn: None,
            crashes: Vec::new(),
        }
    }
}

/// Who is whose neighbour. All graphs are undirected and drawn from the seed; `docs/network.md` has their sources.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Topology {
    /// Everyone hears everyone.
    FullMesh,
    /// Everyone hears the agents before and after it.
    Ring,
    /// Agent 0 hears everyone, and they hear it alone.
    Star,
    /// A random connected graph in which everyone has the same number of neighbours.
    KRegular {
        /// Neighbours of an agent, at least 2.
        k: Positive,
    },
    /// Every pair is an edge with the same probability. May fall apart.
    ErdosRenyi {
        /// Neighbours of an agent, on average.
        mean_degree: PositiveReal,
    },
    /// A ring in which some edges are rewired at random: a small world.
    WattsStrogatz {
        /// Neighbours of an agent on the ring, half of them on either side: even.
        k: Positive,
        /// Probability that an edge is rewired.
        rewire: Fraction,
    },
    /// Agents join those who have many neighbours: few hubs, many leaves.
    BarabasiAlbert {
        /// Neighbours that an agent comes with.
        m: Positive,
    },
    /// Agents lie at random in a square and hear those within a radius. May fall apart.
    Geometric {
        /// Neighbours of an agent, on average.
        mean_degree: PositiveReal,
    },
    /// A random graph in every region, and gateways between them.
    Clusters {
        /// Neighbours of an agent within its region: even.
        k: Positive,
        /// Agents of a region that are linked to the other regions' gateways.
        gateways: Positive,
    },
}

/// How a report gets further than to its author's neighbours. An agent calls up to `fan_out` neighbours a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Spread {
    /// It does not: the author sends it to all its neighbours, and nobody passes it on.
    Direct,
    /// Who knows of it tells those it calls.
    Push {
        /// Neighbours called in a tick.
        #[serde(default = "three")]
        fan_out: Positive,
        /// Hops that a report travels at most; 0 sets no limit.
        #[serde(default)]
        ttl: u32,
        /// Whether an agent tells a report in one tick only ("infect and die").
        #[serde(default)]
        forward_once: bool,
    },
    /// Who does not know of it asks those it calls.
    Pull {
        /// Neighbours called in a tick.
        #[serde(default = "one")]
        fan_out: Positive,
        /// Hops that a report travels at most; 0 sets no limit.
        #[serde(default)]
        ttl: u32,
    },
    /// Both at once.
    PushPull {
        /// Neighbours called in a tick.
        #[serde(default = "one")]
        fan_out: Positive,
        /// Hops that a report travels at most; 0 sets no limit.
        #[serde(default)]
        ttl: u32,
    },
}

fn one() -> Positive {
    Positive::new(1)
}

fn three() -> Positive {
    Positive::new(3)
}

/// Which region an agent is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Regions {
    /// That of its synthetic traffic; other traffic has one region.
    OfTraffic,
    /// Agent i is in region i modulo the count.
    Even {
        /// Number of regions, at most 256.
        count: Positive,
    },
    /// By the share of Internet hosts in 2019: North America 33 %, Europe 50 %, South America 1 %, Asia Pacific 12 %,
    /// Japan 2 %, Australia 2 %, numbered from 0 in this order.
    Internet,
}

/// Delay of a message: uniform over whole ticks. 0 arrives within the tick in which it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Shortest delay.
    pub min_ticks: u32,
    /// Longest delay, at least `min_ticks`.
    pub max_ticks: u32,
}

/// Delay between the six regions of [`Regions::Internet`], Pareto distributed around a table of means (SimBlock 2019).
/// Other regions are read as the first of the six.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Internet {
    /// Length of a tick in ms, at least 1.
    pub tick_ms: PositiveReal,
}

/// Losses in bursts (Gilbert, Elliott): an agent's way out is good or bad and stays so for a while. While it is good
/// `network.loss` holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BurstLoss {
    /// Probability that a good way turns bad, a tick.
    pub enter: Fraction,
    /// Probability that a bad way turns good, a tick.
    pub leave: Fraction,
    /// Probability that a message is lost on a bad way.
    pub loss: Fraction,
}

impl Default for BurstLoss {
    fn default() -> Self {
        Self { enter: Fraction::new(0.02), leave: Fraction::new(0.2), loss: Fraction::new(0.8) }
    }
}

/// A time during which some regions are cut off from all others: what is sent or would arrive across is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// First tick of it.
    pub from: u64,
    /// First tick after it.
    pub until: u64,
    /// The regions that are cut off, from 0; among each other they still speak.
    pub regions: Vec<u8>,
}

/// Agents that come and go, each by itself, up and down for exponential times. Up for the share
/// `mttf / (mttf + mttr)` of the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Mean time to failure.
    pub mttf_ticks: PositiveReal,
    /// Mean time to repair.
    pub mttr_ticks: PositiveReal,
}

/// Agents that fail together, drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Tick at which they stop.
    pub at: u64,
    /// Share of all agents.
    pub fraction: Fraction,
    /// Tick at which they are back and catch up from the ledger; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<u64>,
}

impl Scenario {
    /// Number of regions of the network.
    #[must_use]
    pub fn region_count(&self) -> u32 {
        match (&self.network.regions, &self.traffic) {
            (Regions::Even { count }, _) => count.get(),
            (Regions::Internet, _) => INTERNET_REGIONS,
            (Regions::OfTraffic, Traffic::Synthetic(synthetic)) => synthetic.regions.get(),
            (Regions::OfTraffic, _) => 1,
        }
    }

    /// Estimate of the edges of the network's graph; 0 for the full mesh, which is not stored.
    pub(super) fn edges(&self) -> f64 {
        let agents = f64::from(self.agents.get());
        let most = agents * (agents - 1.0) / 2.0;
        let edges = match self.network.topology {
            Topology::FullMesh => 0.0,
            Topology::Ring | Topology::Star => agents,
            Topology::KRegular { k } | Topology::WattsStrogatz { k, .. } => agents * f64::from(k.get()) / 2.0,
            Topology::ErdosRenyi { mean_degree } | Topology::Geometric { mean_degree } => {
                agents * mean_degree.get() / 2.0
            }
            Topology::BarabasiAlbert { m } => agents * f64::from(m.get()),
            Topology::Clusters { k, gateways } => {
                let regions = f64::from(self.region_count());
                let links = f64::from(gateways.get()) * regions * regions / 2.0;
                agents * f64::from(k.get()) / 2.0 + links
            }
        };
        edges.min(most)
    }

    pub(super) fn check_network(&self) -> Result<(), Contradiction> {
        self.check_topology()?;
        self.check_links()?;
        self.check_faults()
    }

    fn check_topology(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(contradiction("topology", path, message));
        let agents = self.agents.get();
        let even = |k: Positive| k.get().is_multiple_of(2);
        match self.network.topology {
            Topology::KRegular { k } if k.get() < 2 || k.get() >= agents => {
                return fail(
                    "k_regular.k",
                    format!("{} neighbours among {agents} agents: give 2 to {agents} - 1", k.get()),
                );
            }
            Topology::KRegular { k } if !even(k) && agents % 2 == 1 => {
                return fail(
                    "k_regular.k",
                    format!(
                        "no graph of {agents} agents has {} neighbours each, since both are odd: change one",
                        k.get()
                    ),
                );
            }
            Topology::WattsStrogatz { k, .. } if !even(k) || k.get() >= agents => {
                return fail(
                    "watts_strogatz.k",
                    format!("{} neighbours among {agents} agents: give an even number below that", k.get()),
                );
            }
            Topology::BarabasiAlbert { m } if m.get() >= agents => {
                return fail(
                    "barabasi_albert.m",
                    format!("{} neighbours among {agents} agents: give fewer", m.get()),
                );
            }
            Topology::Clusters { k, .. } if !even(k) => {
                return fail(
                    "clusters.k",
                    format!(
                        "{} neighbours: give an even number, which exists in regions of every size",
                        k.get()
                    ),
                );
            }
            _ => {}
        }
        if self.edges() > EDGES_MAX {
            return fail(
                "",
                format!("about {:.0} edges: give fewer neighbours than add up to {EDGES_MAX}", self.edges()),
            );
        }
        let (name, fan_out, ttl) = match self.network.gossip {
            Spread::Direct => return Ok(()),
            Spread::Push { fan_out, ttl, .. } => ("push", fan_out, ttl),
            Spread::Pull { fan_out, ttl } => ("pull", fan_out, ttl),
            Spread::PushPull { fan_out, ttl } => ("push_pull", fan_out, ttl),
        };
        if fan_out.get() > FAN_OUT_MAX {
            let message = format!("{} calls a tick: give at most {FAN_OUT_MAX}", fan_out.get());
            return Err(contradiction("gossip", &format!("{name}.fan_out"), message));
        }
        if ttl > TTL_MAX {
            let message = format!("{ttl} hops: give at most {TTL_MAX}, or 0 for no limit");
            return Err(contradiction("gossip", &format!("{name}.ttl"), message));
        }
        Ok(())
    }

    fn check_links(&self) -> Result<(), Contradiction> {
        let fail = |block: &str, path: &str, message: String| Err(contradiction(block, path, message));
        let Network { latency, internet, .. } = &self.network;
        if latency.max_ticks < latency.min_ticks {
            let (least, most) = (latency.min_ticks, latency.max_ticks);
            return fail(
                "latency",
                "max_ticks",
                format!("{most} is below min_ticks ({least}): give at least that"),
            );
        }
        if latency.max_ticks > LATENCY_MAX {
            return fail(
                "latency",
                "max_ticks",
                format!("{} ticks: give at most {LATENCY_MAX}", latency.max_ticks),
            );
        }
        let regions = self.region_count();
        if regions > 256 {
            return fail("regions", "even.count", format!("{regions} regions: give at most 256"));
        }
        let Some(internet) = internet else { return Ok(()) };
        if internet.tick_ms.get() < 1.0 {
            return fail("internet", "tick_ms", format!("{} ms: give at least 1", internet.tick_ms.get()));
        }
        if regions > INTERNET_REGIONS {
            let message = format!(
                "delays are known between {INTERNET_REGIONS} regions, and there are {regions}: give regions: Internet, or fewer"
            );
            return fail("regions", "", message);
        }
        Ok(())
    }

    fn check_faults(&self) -> Result<(), Contradiction> {
        let fail = |block: &str, path: &str, message: String| Err(contradiction(block, path, message));
        let Network { partitions, churn, crashes, .. } = &self.network;
        for (block, length) in [("partitions", partitions.len()), ("crashes", crashes.len())] {
            if length > LIST_MAX {
                return fail(block, "", format!("{length} of them: give at most {LIST_MAX}"));
            }
        }
        let regions = self.region_count();
        for (i, partition) in partitions.iter().enumerate() {
            if partition.until <= partition.from {
                let message =
                    format!("{} is not after from ({}): give a later tick", partition.until, partition.from);
                return fail("partitions", &format!("{i}.until"), message);
            }
            if let Some(region) = partition.regions.iter().find(|r| u32::from(**r) >= regions) {
                let message = format!("there is no region {region}: the {regions} are numbered from 0");
                return fail("partitions", &format!("{i}.regions"), message);
            }
            if partition.regions.is_empty() {
                let message = "nobody is cut off: name at least one region".to_owned();
                return fail("partitions", &format!("{i}.regions"), message);
            }
        }
        for (i, crash) in crashes.iter().enumerate() {
            if crash.back.is_some_and(|back| back <= crash.at) {
                let message = format!("they are back before they stop at {}: give a later tick", crash.at);
                return fail("crashes", &format!("{i}.back"), message);
            }
        }
        if let Some(churn) = churn {
            for (path, ticks) in [("mttf_ticks", churn.mttf_ticks), ("mttr_ticks", churn.mttr_ticks)] {
                if ticks.get() > TICKS_MEAN_MAX || ticks.get() < 1e-3 {
                    let message = format!("{} ticks: give 0.001 to {TICKS_MEAN_MAX}", ticks.get());
                    return fail("churn", path, message);
                }
            }
        }
        Ok(())
    }
}

fn contradiction(block: &str, below: &str, message: String) -> Contradiction {
    let separator = if below.is_empty() { "" } else { "." };
    Contradiction { path: format!("network.{block}{separator}{below}"), message }
}
