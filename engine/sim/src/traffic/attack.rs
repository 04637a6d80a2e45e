//! What the attackers do in a tick: which agents they reach, with what flows.
//!
//! Attackers act on the whole world, so this runs once a tick, ahead of the agents. Every campaign draws from its
//! own stream and every infected host from its own, so that no campaign shifts another.

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Protocol, Purpose, Stream, Streams, Tick};

use super::host::{exchange, key};
use super::{Address, RawFlow, truth_of};
use crate::agent::Host;
use crate::checkpoint::{Malformed, Reader, Saved, State, Writer};
use crate::scenario::{Action, CampaignKind, Evasion};

/// A malicious flow on its way to the agent that will see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Whose host sends or receives it.
    pub(crate) agent: AgentId,
    /// Index of the campaign, or of its stage, among all.
    pub(crate) campaign: u16,
    /// The flow.
    pub(crate) flow: RawFlow,
}

/// The attackers' plan and this tick's probes.
#[derive(Resource, Debug)]
pub(crate) struct Siege {
    actions: Vec<Action>,
    /// By action: the agents it attacks, in the order in which it gets to them.
    targets: Vec<Vec<AgentId>>,
    /// By action: the rank of every agent in `targets`, `u32::MAX` for the spared.
    rank: Vec<Vec<u32>>,
    /// By action: by how many halvings it has slowed down at each of its targets; empty where it does not adapt.
    pace: Vec<Vec<u8>>,
    /// All hosts by agent, if some action asks for them.
    hosts: Vec<Host>,
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
/// Ticks for which poisoners prepare their targets.
const POISON_TICKS: u64 = 24;
/// An adaptive attacker halves its rate so often at most.
const HALVINGS_MAX: u8 = 6;

impl Siege {
    /// Draws every campaign's targets. `hosts` is asked for only if somebody attacks from hosts or imitates them.
    pub(crate) fn new(
        actions: &[Action],
        agents: u32,
        streams: &Streams,
        hosts: impl FnOnce() -> Vec<Host>,
    ) -> Self {
        let mut targets = Vec::new();
        let mut rank = Vec::new();
        let mut pace = Vec::new();
        for action in actions {
            // The stages of a campaign have one order, so that later ones go on where earlier ones have been.
            let mut order: Vec<AgentId> = (0..agents).map(AgentId).collect();
            streams.stream(Purpose::Placement, TARGETS + action.campaign as u32, Tick(0)).shuffle(&mut order);
            let count = (action.targets * f64::from(agents)).ceil() as usize;
            order.truncate(count);
            let mut ranks = vec![u32::MAX; agents as usize];
            order.iter().enumerate().for_each(|(i, agent)| ranks[agent.index()] = i as u32);
            pace.push(if action.back_off { vec![0; order.len()] } else { Vec::new() });
            targets.push(order);
            rank.push(ranks);
        }
        let asked = |action: &Action| {
            let Evasion { mimic, poison, .. } = action.evasion;
            action.kind == CampaignKind::LateralMovement || mimic.get() > 0.0 || poison.get() > 0.0
        };
        Self {
            actions: actions.to_vec(),
            targets,
            rank,
            pace,
            hosts: if actions.iter().any(asked) { hosts() } else { Vec::new() },
            probes: Vec::new(),
            drawn: Vec::new(),
            starts: vec![0; agents as usize + 1],
        }
    }

    /// Whether a probe of a worm can infect this agent's host.
    pub(crate) fn vulnerable(&self, action: u16, agent: AgentId) -> bool {
        let index = usize::from(action);
        self.actions[index].kind == CampaignKind::Worm && self.rank[index][agent.index()] != u32::MAX
    }

    /// The hosts that a worm has at its start, if it starts at this tick.
    pub(crate) fn outbreak(&self, tick: Tick) -> impl Iterator<Item = (u16, AgentId)> {
        let starting = self
            .actions
            .iter()
            .enumerate()
            .filter(move |(_, a)| a.kind == CampaignKind::Worm && a.start == tick.0);
        starting.flat_map(|(index, action)| {
            self.targets[index].iter().take(action.sources as usize).map(move |agent| (index as u16, *agent))
        })
    }

    /// This agent's probes.
    pub(crate) fn probes_of(&self, agent: AgentId) -> &[Probe] {
        &self.probes[self.starts[agent.index()] as usize..self.starts[agent.index() + 1] as usize]
    }

    /// Whether some attacker wants to know which of its flows were blocked.
    pub(crate) fn adapts(&self) -> bool {
        self.actions.iter().any(|action| action.back_off)
    }

    /// Adaptive attackers slow down where flows of the last tick were blocked, given as (action, agent), and recover
    /// elsewhere.
    pub(crate) fn adapt(&mut self, blocked: &mut Vec<(u16, AgentId)>) {
        blocked.sort_unstable();
        blocked.dedup();
        for (index, pace) in self.pace.iter_mut().enumerate() {
            for (halvings, agent) in pace.iter_mut().zip(&self.targets[index]) {
                *halvings = match blocked.binary_search(&(index as u16, *agent)) {
                    Ok(_) => (*halvings + 1).min(HALVINGS_MAX),
                    Err(_) => halvings.saturating_sub(1),
                };
            }
        }
    }

    /// Draws this tick's malicious flows. `infected` lists (action, agent, address) of infected hosts by agent.
    pub(crate) fn advance(&mut self, tick: Tick, infected: &[(u16, AgentId, u32)], streams: &Streams) {
        let mut drawn = std::mem::take(&mut self.drawn);
        drawn.clear();
        for (index, action) in self.actions.iter().enumerate() {
            let lead = action.start.saturating_sub(POISON_TICKS);
            if action.is_active(tick.0) {
                if action.kind == CampaignKind::Worm {
                    self.spread(index, tick, infected, streams, &mut drawn);
                } else {
                    self.attack(index, tick, streams, &mut drawn);
                }
            } else if action.evasion.poison.get() > 0.0
                && action.kind != CampaignKind::Worm
                && (lead..action.start).contains(&tick.0)
            {
                self.poison(index, tick, streams, &mut drawn);
            }
        }
        self.drawn = drawn;
        self.index();
    }

    /// Infected hosts look for others.
    fn spread(
        &self,
        index: usize,
        tick: Tick,
        infected: &[(u16, AgentId, u32)],
        streams: &Streams,
        drawn: &mut Vec<Probe>,
    ) {
        let action = &self.actions[index];
        let agents = self.starts.len() as u32 - 1;
        for (_, host, address) in infected.iter().filter(|(a, ..)| usize::from(*a) == index) {
            let mut stream = streams.stream(Purpose::Worm, host.0, tick);
            for _ in 0..stream.poisson(action.rate) {
                // Blind scanning: any host but itself, vulnerable or not.
                let step = 1 + if agents > 1 { stream.below(agents - 1) } else { 0 };
                let agent = AgentId((host.0 + step) % agents);
                let hit = self.rank[index][agent.index()] != u32::MAX;
                let mut flow = worm_flow(*address, hit, &mut stream);
                self.disguise(&mut flow, agent, action.evasion.mimic.get(), &mut stream);
                drawn.push(probe(index, agent, flow));
            }
        }
    }

    /// Every target that it is the turn of gets its flows.
    fn attack(&self, index: usize, tick: Tick, streams: &Streams, drawn: &mut Vec<Probe>) {
        let action = &self.actions[index];
        let mut stream = streams.stream(Purpose::Campaign, index as u32, tick);
        let count = self.targets[index].len() as u64;
        for (rank, agent) in self.targets[index].iter().enumerate() {
            if !under_attack(action, rank as u64, count, tick.0) {
                continue;
            }
            let halvings = self.pace[index].get(rank).copied().unwrap_or(0);
            let flows = match action.jitter {
                Some(jitter) if action.kind == CampaignKind::Beacon => {
                    calls(action, jitter, halvings, rank as u32, index, tick, streams)
                }
                _ => stream.poisson(action.rate / f64::from(1_u32 << halvings)),
            };
            for _ in 0..flows {
                let mut flow = self.flow(index, *agent, &mut stream);
                self.disguise(&mut flow, *agent, action.evasion.mimic.get(), &mut stream);
                drawn.push(probe(index, *agent, flow));
            }
        }
    }

    /// Before the attack: its flows as mimics, less so from tick to tick.
    fn poison(&self, index: usize, tick: Tick, streams: &Streams, drawn: &mut Vec<Probe>) {
        let action = &self.actions[index];
        let left = (action.start - tick.0) as f64 / POISON_TICKS as f64;
        let mimic = left.max(action.evasion.mimic.get());
        let mut stream = streams.stream(Purpose::Campaign, index as u32, tick);
        for agent in &self.targets[index] {
            for _ in 0..stream.poisson(action.rate * action.evasion.poison.get()) {
                let mut flow = self.flow(index, *agent, &mut stream);
                self.disguise(&mut flow, *agent, mimic, &mut stream);
                drawn.push(probe(index, *agent, flow));
            }
        }
    }

    /// A flow to a target, from one of the attacker's addresses.
    fn flow(&self, index: usize, agent: AgentId, stream: &mut Stream) -> RawFlow {
        let action = &self.actions[index];
        if action.kind == CampaignKind::LateralMovement {
            let targets = &self.targets[index];
            let place = stream.below(action.sources.min(targets.len() as u32)) as usize;
            // A host does not visit itself.
            let from =
                if targets[place] == agent { targets[(place + 1) % targets.len()] } else { targets[place] };
            let port = if stream.bernoulli(0.7) { 445 } else { 3389 };
            let key = key(self.hosts[from.index()].address, port, Protocol::TCP);
            return exchange(stream, key, [1.5, 0.8], [8.5, 0.6], [8.0, 0.6]);
        }
        let source = Address::attacker(action.campaign, stream.below(action.sources));
        let mut flow = attack_flow(action.kind, source, stream);
        let rotate = action.evasion.rotate.get();
        if rotate > 0.0 && stream.bernoulli(rotate) {
            flow.key.remote = Some(Address::outside(stream.bits32()));
        }
        flow
    }

    /// Moves a flow towards what is usual for the target, by this strength.
    fn disguise(&self, flow: &mut RawFlow, agent: AgentId, mimic: f64, stream: &mut Stream) {
        if mimic > 0.0 {
            self.hosts[agent.index()].role.disguise(flow, mimic, stream);
        }
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
fn under_attack(action: &Action, rank: u64, count: u64, tick: u64) -> bool {
    let age = tick - action.start;
    match action.kind {
        CampaignKind::Reflection => true,
        CampaignKind::SynFlood => {
            // Round after round, each target for FLOOD_TICKS; as many at once as it takes to visit all in SPREAD_TICKS.
            let slots = (SPREAD_TICKS / FLOOD_TICKS).min(count.max(1));
            age / FLOOD_TICKS % slots == rank % slots
        }
        // Host after host; whoever has been reached stays under attack.
        _ => age * count >= rank * SPREAD_TICKS.min(count),
    }
}

/// How often a beacon calls in this tick: its n-th call is due at `(n + phase + jitter · u) / rate`, with u uniform in
/// ±1/2 and a phase of every target's own.
fn calls(
    action: &Action,
    jitter: f64,
    halvings: u8,
    rank: u32,
    index: usize,
    tick: Tick,
    streams: &Streams,
) -> u64 {
    // Ranks have 24 bits, as many as the world has hosts, and actions five.
    let draw = |n: u64| streams.stream(Purpose::Beacon, (index as u32) << 24 | rank, Tick(n)).uniform();
    let phase = draw(0);
    let age = (tick.0 - action.start) as f64;
    let (from, to) = (age * action.rate, (age + 1.0) * action.rate);
    let first = (from - phase - 0.5).floor().max(0.0) as u64;
    let last = (to - phase + 0.5).ceil().max(0.0) as u64;
    let due = |n: u64| n as f64 + phase + jitter * (draw(n + 1) - 0.5);
    let heeded = |n: &u64| n.is_multiple_of(1 << halvings);
    (first..=last).filter(heeded).filter(|n| (from..to).contains(&due(*n))).count() as u64
}

fn attack_flow(kind: CampaignKind, source: u32, stream: &mut Stream) -> RawFlow {
    match kind {
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
        CampaignKind::Reflection => {
            let sent_bytes = stream.log_normal(8.0, 0.4);
            let mut flow = unanswered(key(source, 123, Protocol::UDP), (sent_bytes / 468.0).ceil(), false);
            flow.sent_bytes = sent_bytes;
            flow
        }
        CampaignKind::Worm | CampaignKind::LateralMovement | CampaignKind::Staged => {
            unreachable!("these have no outside addresses")
        }
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

/// The state of attackers: the only part of generated or replayed traffic that is not a function of the tick. Whoever
/// adds an attacker that remembers something keeps it here.
impl State for Siege {
    fn save_state(&self, out: &mut Writer) {
        let Self { actions: _, targets: _, rank: _, pace, hosts: _, probes, drawn: _, starts: _ } = self;
        pace.save(out);
        // Whoever adapts looks at what became of the last probes: whose they were, and where they went.
        let felt: &[Probe] = if self.adapts() { probes } else { &[] };
        felt.iter().map(|probe| (probe.agent, probe.campaign)).collect::<Vec<_>>().save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        let pace = Vec::<Vec<u8>>::load(input)?;
        if !pace.iter().map(Vec::len).eq(self.pace.iter().map(Vec::len)) {
            return Err(Malformed("pace of attackers"));
        }
        self.pace = pace;
        let agents = self.starts.len() - 1;
        let felt = Vec::<(AgentId, u16)>::load(input)?;
        if felt
            .iter()
            .any(|(agent, campaign)| agent.index() >= agents || usize::from(*campaign) >= self.actions.len())
        {
            return Err(Malformed("last probes"));
        }
        self.drawn = felt.into_iter().map(|(agent, campaign)| Probe { agent, campaign, ..BLANK }).collect();
        self.index();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Host;
    use crate::scenario::{Campaign, Fraction, Positive, actions};
    use crate::traffic::Role;

    fn campaign(kind: CampaignKind) -> Campaign {
        Campaign {
            start: 2,
            ticks: Some(Positive::new(40)),
            targets: Fraction::new(0.5),
            ..Campaign::of(kind)
        }
    }

    fn hosts() -> Vec<Host> {
        (0..20).map(|i| Host { role: Role::Web, address: Address::host(0, 1, i) }).collect()
    }

    fn flows_of(kind: CampaignKind, ticks: u64) -> Vec<(u64, Probe)> {
        let streams = Streams::from_seed(5);
        let mut siege = Siege::new(&actions(&[campaign(kind)]), 20, &streams, hosts);
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
        use CampaignKind::{
            Beacon, Exfiltration, LateralMovement, PortScan, Reflection, SshBruteForce, SynFlood, Worm,
        };
        let all =
            [PortScan, SshBruteForce, SynFlood, Exfiltration, Beacon, Worm, LateralMovement, Reflection];
        for kind in all {
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
