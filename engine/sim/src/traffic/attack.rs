//! What the attackers do in a tick: which agents they reach, with what flows.
//!
//! Attackers act on the whole world, so this runs once a tick, ahead of the agents. Every campaign draws from its
//! own stream and every infected host from its own, so that no campaign shifts another.

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Protocol, Purpose, Stream, Streams, Tick};

use super::host::{exchange, key};
use super::{Address, RawFlow, truth_of};
use crate::scenario::{Campaign, CampaignKind};

/// A malicious flow on its way to the agent that will see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Whose host sends or receives it.
    pub(crate) agent: AgentId,
    /// The campaign's index.
    pub(crate) campaign: u16,
    /// The flow.
    pub(crate) flow: RawFlow,
}

/// The attackers' plan and this tick's probes.
#[derive(Resource, Debug)]
pub(crate) struct Siege {
    campaigns: Vec<Campaign>,
    /// By campaign: the agents it attacks, in the order in which it gets to them.
    targets: Vec<Vec<AgentId>>,
    /// By campaign: the rank of every agent in `targets`, `u32::MAX` for the spared.
    rank: Vec<Vec<u32>>,
    /// This tick's malicious flows, by agent.
    pub(crate) probes: Vec<Probe>,
    /// The same in the order in which they were drawn; kept for its memory.
    drawn: Vec<Probe>,
    /// Where each agent's probes start, one entry more than there are agents.
    starts: Vec<u32>,
}

/// Placement streams from this subject on draw campaigns' targets; those below belong to agents.
const TARGETS: u32 = 1 << 31;
/// Ticks over which scans, password guessing, uploads and beacons reach all their targets, one after the other.
const SPREAD_TICKS: u64 = 24;
/// Ticks that a flood stays on one target.
const FLOOD_TICKS: u64 = 3;

impl Siege {
    /// Draws every campaign's targets.
    pub(crate) fn new(campaigns: &[Campaign], agents: u32, streams: &Streams) -> Self {
        let mut targets = Vec::new();
        let mut rank = Vec::new();
        for (index, campaign) in campaigns.iter().enumerate() {
            let mut order: Vec<AgentId> = (0..agents).map(AgentId).collect();
            streams.stream(Purpose::Placement, TARGETS + index as u32, Tick(0)).shuffle(&mut order);
            let count = (campaign.targets.get() * f64::from(agents)).ceil() as usize;
            order.truncate(count);
            let mut ranks = vec![u32::MAX; agents as usize];
            order.iter().enumerate().for_each(|(i, agent)| ranks[agent.index()] = i as u32);
            targets.push(order);
            rank.push(ranks);
        }
        Self {
            campaigns: campaigns.to_vec(),
            targets,
            rank,
            probes: Vec::new(),
            drawn: Vec::new(),
            starts: vec![0; agents as usize + 1],
        }
    }

    /// Whether a probe of a worm can infect this agent's host.
    pub(crate) fn vulnerable(&self, campaign: u16, agent: AgentId) -> bool {
        let index = usize::from(campaign);
        self.campaigns[index].kind == CampaignKind::Worm && self.rank[index][agent.index()] != u32::MAX
    }

    /// The hosts that a worm has at its start, if it starts at this tick.
    pub(crate) fn outbreak(&self, tick: Tick) -> impl Iterator<Item = (u16, AgentId)> {
        let starting = self
            .campaigns
            .iter()
            .enumerate()
            .filter(move |(_, c)| c.kind == CampaignKind::Worm && c.start == tick.0);
        starting.flat_map(|(index, campaign)| {
            self.targets[index]
                .iter()
                .take(campaign.sources.get() as usize)
                .map(move |agent| (index as u16, *agent))
        })
    }

    /// This agent's probes.
    pub(crate) fn probes_of(&self, agent: AgentId) -> &[Probe] {
        &self.probes[self.starts[agent.index()] as usize..self.starts[agent.index() + 1] as usize]
    }

    /// Draws this tick's malicious flows. `infected` lists (campaign, agent, address) of infected hosts by agent.
    pub(crate) fn advance(&mut self, tick: Tick, infected: &[(u16, AgentId, u32)], streams: &Streams) {
        self.drawn.clear();
        for (index, campaign) in self.campaigns.iter().enumerate() {
            if !campaign.active(tick.0) {
                continue;
            }
            if campaign.kind == CampaignKind::Worm {
                let agents = self.starts.len() as u32 - 1;
                for (_, host, address) in infected.iter().filter(|(c, ..)| usize::from(*c) == index) {
                    let mut stream = streams.stream(Purpose::Worm, host.0, tick);
                    for _ in 0..stream.poisson(campaign.rate()) {
                        // Blind scanning: any host but itself, vulnerable or not.
                        let step = 1 + if agents > 1 { stream.below(agents - 1) } else { 0 };
                        let agent = AgentId((host.0 + step) % agents);
                        let hit = self.rank[index][agent.index()] != u32::MAX;
                        self.drawn.push(probe(index, agent, worm_flow(*address, hit, &mut stream)));
                    }
                }
                continue;
            }
            let mut stream = streams.stream(Purpose::Campaign, index as u32, tick);
            let count = self.targets[index].len() as u64;
            for (rank, agent) in self.targets[index].iter().enumerate() {
                if under_attack(campaign, rank as u64, count, tick.0) {
                    for _ in 0..stream.poisson(campaign.rate()) {
                        self.drawn.push(probe(index, *agent, attack_flow(campaign, index, &mut stream)));
                    }
                }
            }
        }
        self.index();
    }

    /// Puts the drawn probes into the order of agents, keeping that of their draws (a counting sort).
    fn index(&mut self) {
        let Self { probes, drawn, starts, .. } = self;
        starts.fill(0);
        // While placing, `starts[agent + 1]` is where the agent's next probe goes; in the end, where the next agent's
        // begin.
        for probe in drawn.iter() {
            if let Some(later) = starts.get_mut(probe.agent.index() + 2) {
                *later += 1;
            }
        }
        let mut before = 0;
        for start in starts.iter_mut() {
            before += *start;
            *start = before;
        }
        probes.clear();
        probes.resize(drawn.len(), BLANK);
        for probe in drawn.iter() {
            let place = &mut starts[probe.agent.index() + 1];
            probes[*place as usize] = *probe;
            *place += 1;
        }
    }
}

/// What a probe's place holds until it is filled.
const BLANK: Probe = Probe {
    agent: AgentId(0),
    campaign: 0,
    flow: RawFlow {
        duration_s: 0.0,
        sent_bytes: 0.0,
        received_bytes: 0.0,
        packets: 0.0,
        answered: false,
        key: super::UNKNOWN,
        truth: phalanx_core::Truth::BENIGN,
    },
};

fn probe(campaign: usize, agent: AgentId, mut flow: RawFlow) -> Probe {
    flow.truth = truth_of(campaign);
    Probe { agent, campaign: campaign as u16, flow }
}

/// Whether the campaign is busy with its `rank`-th of `count` targets.
fn under_attack(campaign: &Campaign, rank: u64, count: u64, tick: u64) -> bool {
    let age = tick - campaign.start;
    match campaign.kind {
        CampaignKind::SynFlood => {
            // Round after round, each target for FLOOD_TICKS; as many at once as it takes to visit all in SPREAD_TICKS.
            let slots = (SPREAD_TICKS / FLOOD_TICKS).min(count.max(1));
            age / FLOOD_TICKS % slots == rank % slots
        }
        // Host after host; whoever has been reached stays under attack.
        _ => age * count >= rank * SPREAD_TICKS.min(count),
    }
}

fn attack_flow(campaign: &Campaign, index: usize, stream: &mut Stream) -> RawFlow {
    let source = Address::attacker(index, stream.below(campaign.sources.get()));
    match campaign.kind {
        CampaignKind::PortScan => {
            let port = 1 + stream.below(10_000) as u16;
            let answered = stream.bernoulli(0.05);
            unanswered(key(source, port, Protocol::TCP), 1.0 + f64::from(stream.below(2)), answered)
        }
        CampaignKind::SshBruteForce => {
            let key = key(source, 22, Protocol::TCP);
            exchange(stream, key, [0.9, 0.15], [7.3, 0.08], [7.6, 0.08])
        }
        CampaignKind::SynFlood => unanswered(key(source, 80, Protocol::TCP), 1.0, false),
        CampaignKind::Exfiltration => {
            let key = key(source, 443, Protocol::TCP);
            exchange(stream, key, [4.0, 0.8], [17.0, 1.0], [9.0, 0.5])
        }
        CampaignKind::Beacon => {
            let key = key(source, 443, Protocol::TCP);
            exchange(stream, key, [-1.0, 0.4], [5.6, 0.1], [5.2, 0.1])
        }
        CampaignKind::Worm => unreachable!("a worm spreads from its infected hosts"),
    }
}

/// A worm's probe: an exploit that goes through where the service is vulnerable, else a refused connection.
fn worm_flow(source: u32, hit: bool, stream: &mut Stream) -> RawFlow {
    let key = key(source, 445, Protocol::TCP);
    if hit { exchange(stream, key, [0.2, 0.3], [10.2, 0.1], [6.0, 0.3]) } else { unanswered(key, 2.0, false) }
}

fn unanswered(key: phalanx_core::FlowKey, packets: f64, answered: bool) -> RawFlow {
    let received_bytes = if answered { 120.0 } else { 0.0 };
    RawFlow {
        duration_s: 0.0,
        sent_bytes: 0.0,
        received_bytes,
        packets,
        answered,
        key,
        truth: phalanx_core::Truth::BENIGN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Fraction, Positive};

    fn campaign(kind: CampaignKind) -> Campaign {
        Campaign {
            kind,
            start: 2,
            ticks: Some(Positive::new(40)),
            rate: None,
            sources: Positive::new(2),
            targets: Fraction::new(0.5),
        }
    }

    fn flows_of(kind: CampaignKind, ticks: u64) -> Vec<(u64, Probe)> {
        let streams = Streams::from_seed(5);
        let mut siege = Siege::new(&[campaign(kind)], 20, &streams);
        let infected: Vec<(u16, AgentId, u32)> =
            siege.outbreak(Tick(2)).map(|(c, a)| (c, a, Address::host(0, 1, a.0))).collect();
        let mut all = Vec::new();
        for tick in 0..ticks {
            siege.advance(Tick(tick), &infected, &streams);
            let by_agent: usize = (0..20).map(|a| siege.probes_of(AgentId(a)).len()).sum();
            assert_eq!(by_agent, siege.probes.len(), "the index covers every probe");
            all.extend(siege.probes.iter().map(|p| (tick, *p)));
        }
        all
    }

    #[test]
    fn campaigns_keep_their_time_targets_and_rate() {
        use CampaignKind::{Beacon, Exfiltration, PortScan, SshBruteForce, SynFlood, Worm};
        for kind in [PortScan, SshBruteForce, SynFlood, Exfiltration, Beacon, Worm] {
            let flows = flows_of(kind, 60);
            assert!(flows.iter().all(|(tick, _)| (2..42).contains(tick)), "{kind:?} outside its time");
            let mut agents: Vec<u32> = flows.iter().map(|(_, p)| p.agent.0).collect();
            agents.sort_unstable();
            agents.dedup();
            match kind {
                // Blind: any host is probed, only ten are vulnerable.
                Worm => assert!(agents.len() > 15),
                _ => assert_eq!(agents.len(), 10, "{kind:?} attacks half of 20"),
            }
            assert!(flows.iter().all(|(_, p)| p.flow.truth == truth_of(0)));
        }
        // From the tick at which everyone is under attack: 10 targets × 2 flows × 20 ticks = 400 ± 4·20.
        let late =
            flows_of(CampaignKind::PortScan, 60).iter().filter(|(tick, _)| (20..40).contains(tick)).count();
        assert!((320..=480).contains(&late), "{late}");
    }

    #[test]
    fn a_scan_goes_from_host_to_host() {
        let flows = flows_of(CampaignKind::PortScan, 60);
        let first = |agent| flows.iter().find(|(_, p)| p.agent.0 == agent).map(|(tick, _)| *tick);
        let mut firsts: Vec<u64> = (0..20).filter_map(first).collect();
        firsts.sort_unstable();
        assert!(firsts[0] <= 4 && firsts[9] >= 8, "{firsts:?}");
    }
}
