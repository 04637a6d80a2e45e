//! Benign traffic of a host: what its role does, when its users are awake.

use phalanx_core::{Direction, FlowBatch, FlowKey, Protocol, Stream, Truth, Zipf};

use super::{RawFlow, Site};
use crate::agent::{Host, Region};
use crate::scenario::{BaselineShift, Roles, Synthetic};

/// What a host serves or uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Inbound HTTPS and HTTP.
    Web,
    /// Inbound name queries.
    Dns,
    /// Outbound browsing, mail and name queries.
    Workstation,
    /// Outbound telemetry and clock.
    Iot,
}

/// Hosts that the world has room for: the addresses of 10/8.
pub(crate) const HOSTS_MAX: u32 = 1 << 24;

impl Role {
    /// The ports that such a host offers or visits on an ordinary day.
    pub(crate) fn ports(self) -> &'static [u16] {
        match self {
            Self::Web => &[80, 443],
            Self::Dns => &[53],
            Self::Workstation => &[53, 80, 443, 993],
            Self::Iot => &[53, 123, 8883],
        }
    }

    /// The centre of what such a host mostly sees: logarithms of duration (s), bytes sent and bytes received.
    fn usual(self) -> [f64; 3] {
        match self {
            Self::Web => [-1.0, 6.5, 9.5],
            Self::Dns => [-4.0, 3.8, 4.9],
            Self::Workstation => [0.5, 7.0, 10.0],
            Self::Iot => [0.7, 5.5, 4.8],
        }
    }

    /// Moves a flow towards what is usual: numbers by this share of the way, in logarithms; port and answer with this
    /// probability.
    pub(super) fn disguise(self, flow: &mut RawFlow, share: f64, stream: &mut Stream) {
        let [duration, sent, received] = self.usual().map(libm::exp);
        let packets = 6.0 + (sent / 1400.0).ceil() + (received / 1400.0).ceil();
        let towards = |x: &mut f64, usual: f64| {
            *x = libm::expm1((1.0 - share) * libm::log1p(*x) + share * libm::log1p(usual));
        };
        towards(&mut flow.duration_s, duration);
        towards(&mut flow.sent_bytes, sent);
        towards(&mut flow.received_bytes, received);
        towards(&mut flow.packets, packets);
        flow.answered |= stream.bernoulli(share);
        let ports = self.ports();
        let port = ports[stream.below(ports.len() as u32) as usize];
        if stream.bernoulli(share) {
            flow.key.port = Some(port);
        }
    }
}

/// Campaigns, and addresses of one campaign, that 198.18/15 has room for.
pub(crate) const CAMPAIGNS_MAX: usize = 32;
pub(crate) const SOURCES_MAX: u32 = 4096;

/// Addresses of the world: agents in 10/8 by region, their resolver at 9.9.9.9, outside clients and servers in 64/6, attackers in 198.18/15.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address;

impl Address {
    /// The address of the `index`-th host of one of `regions` regions, which share 10/8 equally.
    pub(crate) fn host(region: u16, regions: u32, index: u32) -> u32 {
        let size = HOSTS_MAX / regions;
        assert!(index < size, "the scenario was checked to fit its address plan");
        (10 << 24) + u32::from(region) * size + index
    }

    /// The outside client or server of that popularity rank. The multiplication scatters ranks over the space, so
    /// that popular addresses are not neighbours.
    pub(super) fn outside(rank: u32) -> u32 {
        64 << 24 | rank.wrapping_mul(2_654_435_761) >> 6
    }

    /// The `index`-th address of an attacking campaign.
    pub(crate) fn attacker(campaign: usize, index: u32) -> u32 {
        (198 << 24 | 18 << 16) + campaign as u32 * SOURCES_MAX + index
    }
}

/// Generates the benign flows of hosts.
#[derive(Debug)]
pub(crate) struct Hosts {
    flows: f64,
    day_ticks: u64,
    diurnal: f64,
    shift: Option<BaselineShift>,
    regions: u32,
    roles: Roles,
    /// By which outside clients are drawn.
    clients: Zipf,
    /// By which servers that workstations visit are drawn.
    servers: Zipf,
}

/// Outside clients, and servers that workstations visit; visits follow Zipf's law.
const CLIENTS: u32 = 1 << 16;
const SERVERS: u32 = 1 << 12;
/// Share of a host's flows that is background noise: single connections to odd ports that nobody answers.
const NOISE: f64 = 0.01;

impl Hosts {
    pub(crate) fn new(scenario: &Synthetic) -> Self {
        Self {
            flows: scenario.flows.get(),
            day_ticks: u64::from(scenario.day_ticks.get()),
            diurnal: scenario.diurnal.get(),
            shift: scenario.shift,
            regions: scenario.regions.get(),
            roles: scenario.roles.clone(),
            clients: Zipf::new(CLIENTS, 1.05),
            servers: Zipf::new(SERVERS, 1.1),
        }
    }

    pub(crate) fn day_ticks(&self) -> u64 {
        self.day_ticks
    }

    /// Draws the role of a host from the scenario's weights.
    pub(crate) fn draw_role(&self, stream: &mut Stream) -> Role {
        let weights = [
            (Role::Web, self.roles.web.get()),
            (Role::Dns, self.roles.dns.get()),
            (Role::Workstation, self.roles.workstation.get()),
            (Role::Iot, self.roles.iot.get()),
        ];
        let total = weights.iter().map(|(_, w)| w).fold(0.0, |a, b| a + b);
        let mut left = stream.uniform() * total;
        for (role, weight) in weights {
            left -= weight;
            if left < 0.0 {
                return role;
            }
        }
        weights.iter().rev().find(|(_, w)| *w > 0.0).expect("some role has a weight").0
    }

    /// Expected flows of a host at a tick: a sine over the region's day; things never sleep.
    fn load(&self, role: Role, region: Region, tick: u64) -> f64 {
        let (scale, swing) = match role {
            Role::Web => (1.4, self.diurnal),
            Role::Dns => (1.6, self.diurnal),
            Role::Workstation => (0.8, self.diurnal),
            Role::Iot => (0.4, 0.0),
        };
        let hour = tick as f64 / self.day_ticks as f64 + f64::from(region.0) / f64::from(self.regions);
        scale * self.flows * (1.0 + swing * libm::sin(std::f64::consts::TAU * hour))
    }

    /// What bytes are multiplied by at a tick.
    pub(crate) fn bytes_factor(&self, tick: u64) -> f64 {
        self.shift.filter(|shift| tick >= shift.start).map_or(1.0, |shift| shift.factor.get())
    }

    /// Appends one tick's benign flows of a host, their bytes multiplied by a factor.
    pub(crate) fn benign(
        &self,
        site: Site,
        tick: u64,
        factor: f64,
        stream: &mut Stream,
        flows: &mut FlowBatch,
    ) {
        let Site { host, region, .. } = site;
        let count = stream.poisson(self.load(host.role, region, tick));
        for _ in 0..count {
            let mut raw =
                if stream.bernoulli(NOISE) { noise(stream) } else { self.benign_flow(host, stream) };
            raw.sent_bytes *= factor;
            raw.received_bytes *= factor;
            raw.packets = (raw.packets * factor).max(1.0);
            raw.push_to(host.role, flows);
        }
    }

    /// A flow of what the host's role does.
    fn benign_flow(&self, host: Host, stream: &mut Stream) -> RawFlow {
        match host.role {
            Role::Web => {
                let port = if stream.bernoulli(0.8) { 443 } else { 80 };
                let client = Address::outside(self.clients.draw(stream));
                exchange(stream, key(client, port, Protocol::TCP), [-1.0, 1.0], [6.5, 0.7], [9.5, 1.4])
            }
            Role::Dns => {
                let client = Address::outside(self.clients.draw(stream));
                exchange(stream, key(client, 53, Protocol::UDP), [-4.0, 0.6], [3.8, 0.25], [4.9, 0.5])
            }
            Role::Workstation => {
                let server = Address::outside(SERVERS + self.servers.draw(stream));
                match stream.below(10) {
                    0..=5 => {
                        exchange(stream, key(server, 443, Protocol::TCP), [0.5, 1.3], [7.0, 1.0], [10.0, 1.6])
                    }
                    6 => exchange(stream, key(server, 80, Protocol::TCP), [0.0, 1.2], [6.2, 0.6], [9.5, 1.5]),
                    7 => {
                        exchange(stream, key(server, 993, Protocol::TCP), [2.0, 1.0], [6.8, 0.8], [8.5, 1.5])
                    }
                    _ => exchange(
                        stream,
                        key(RESOLVER, 53, Protocol::UDP),
                        [-4.0, 0.6],
                        [3.8, 0.25],
                        [4.9, 0.5],
                    ),
                }
            }
            Role::Iot => {
                // Every device talks to one of a few clouds, which its address picks.
                let cloud = Address::outside(3 * SERVERS + host.address % 5);
                match stream.below(10) {
                    0..=7 => {
                        exchange(stream, key(cloud, 8883, Protocol::TCP), [0.7, 0.3], [5.5, 0.3], [4.8, 0.3])
                    }
                    8 => exchange(
                        stream,
                        key(RESOLVER, 53, Protocol::UDP),
                        [-4.0, 0.6],
                        [3.8, 0.25],
                        [4.9, 0.5],
                    ),
                    _ => exchange(
                        stream,
                        key(cloud, 123, Protocol::UDP),
                        [-3.5, 0.3],
                        [3.9, 0.01],
                        [3.9, 0.01],
                    ),
                }
            }
        }
    }
}

fn noise(stream: &mut Stream) -> RawFlow {
    let port = 1024 + stream.below(64_512) as u16;
    let key = key(Address::outside(stream.bits32()), port, Protocol::TCP);
    RawFlow {
        duration_s: 0.0,
        sent_bytes: 0.0,
        received_bytes: 0.0,
        packets: 1.0,
        answered: false,
        key,
        truth: Truth::BENIGN,
    }
}

/// The resolver that all inside hosts ask, 9.9.9.9.
const RESOLVER: u32 = 0x0909_0909;

/// The key of a flow of which everything is known.
pub(super) fn key(remote: u32, port: u16, protocol: Protocol) -> FlowKey {
    FlowKey {
        remote: Some(remote),
        port: Some(port),
        protocol: Some(protocol),
        direction: Direction::Unknown,
    }
}

/// An answered flow: duration (s), bytes sent and bytes received are log-normal with these `[mu, sigma]`; packets
/// follow from the bytes at 1,400 a packet, with acknowledgements.
pub(super) fn exchange(
    stream: &mut Stream,
    key: FlowKey,
    duration: [f64; 2],
    sent: [f64; 2],
    received: [f64; 2],
) -> RawFlow {
    let mut draw = |[mu, sigma]: [f64; 2]| stream.log_normal(mu, sigma);
    let (duration_s, sent_bytes, received_bytes) = (draw(duration), draw(sent), draw(received));
    let handshake = if key.protocol == Some(Protocol::TCP) { 6.0 } else { 0.0 };
    let packets = handshake + (sent_bytes / 1400.0).ceil() + (received_bytes / 1400.0).ceil();
    RawFlow { duration_s, sent_bytes, received_bytes, packets, answered: true, key, truth: Truth::BENIGN }
}

#[cfg(test)]
mod tests {
    use phalanx_core::{AgentId, Purpose, Streams, Tick};

    use super::*;

    #[test]
    fn load_follows_the_day_and_the_role() {
        let hosts = Hosts::new(&Synthetic::default());
        let mean_flows = |role, tick| {
            let host = Host { role, address: 0x0a00_0001 };
            let site = Site { agent: AgentId(0), host, region: Region(0) };
            let mut stream = Streams::from_seed(3).stream(Purpose::Traffic, 0, Tick(0));
            let mut flows = FlowBatch::new(9);
            (0..400).for_each(|_| hosts.benign(site, tick, 1.0, &mut stream, &mut flows));
            flows.rows() as f64 / 400.0
        };
        // Mean 30·scale·(1 ± 0.5) at the quarter points of a day of 48 ticks; 4·sqrt(mean / 400) of sampling.
        for (role, tick, expected) in [
            (Role::Web, 12, 63.0),
            (Role::Web, 36, 21.0),
            (Role::Workstation, 0, 24.0),
            (Role::Iot, 12, 12.0),
        ] {
            let measured = mean_flows(role, tick);
            let sampling = 4.0 * (expected / 400.0f64).sqrt();
            assert!(
                (measured - expected).abs() < sampling,
                "{role:?} at {tick}: {measured} against {expected}"
            );
        }
    }

    #[test]
    fn addresses_do_not_overlap() {
        for (regions, per_region) in [(1, HOSTS_MAX), (3, HOSTS_MAX / 3), (255, HOSTS_MAX / 255)] {
            let last = Address::host((regions - 1) as u16, regions, per_region - 1);
            assert!(last >> 24 == 10 && Address::host(0, regions, 0) >> 24 == 10);
        }
        assert!(Address::host(0, 3, HOSTS_MAX / 3 - 1) < Address::host(1, 3, 0));
        assert!((0..1000).all(|rank| (64..128).contains(&(Address::outside(rank) >> 24))));
        assert_eq!(Address::attacker(0, 0) >> 16, 198 << 8 | 18);
    }
}
