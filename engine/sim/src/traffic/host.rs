//! Benign traffic of a host: what its role does, when its users are awake.

use std::sync::LazyLock;

use phalanx_core::{AliasTable, Direction, FlowBatch, FlowKey, Protocol, Stream, Truth};

use super::{Address, RawFlow, Role, Site};
use crate::agent::{Host, Region};
use crate::scenario::{BaselineShift, LongFlows, Roles, Rollout, Season, Synthetic, WorkingHours};

/// Generates the benign flows of hosts.
#[derive(Debug)]
pub(crate) struct Hosts {
    flows: f64,
    day_ticks: u64,
    diurnal: f64,
    shift: Option<BaselineShift>,
    rollout: Option<Rollout>,
    season: Option<Season>,
    working_hours: Option<WorkingHours>,
    long_flows: Option<LongFlows>,
    scanning: f64,
    regions: u32,
    roles: Roles,
}

/// What has changed by now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Era {
    /// What bytes are multiplied by.
    bytes_factor: f64,
    /// The new service's port, and its share of all flows.
    service: Option<(u16, f64)>,
}

impl Era {
    /// Before anything does.
    pub(crate) const FIRST: Self = Self { bytes_factor: 1.0, service: None };
}

/// Outside clients, and servers that workstations visit; visits follow Zipf's law.
const CLIENTS: u32 = 1 << 16;
const SERVERS: u32 = 1 << 12;
/// Scanners of the Internet, few of which send most of its noise, and the ports that they probe, the most popular first.
const SCANNERS: u32 = 1 << 14;
static CLIENT_LAW: LazyLock<AliasTable> = LazyLock::new(|| AliasTable::zipf(CLIENTS, 1.05));
static SERVER_LAW: LazyLock<AliasTable> = LazyLock::new(|| AliasTable::zipf(SERVERS, 1.1));
static SCANNER_LAW: LazyLock<AliasTable> = LazyLock::new(|| AliasTable::zipf(SCANNERS, 1.2));
const SCANNED: [u16; 12] = [23, 22, 445, 3389, 8080, 80, 443, 5060, 2323, 8443, 3306, 6379];
/// No flow lasts longer, in seconds.
const DURATION_MAX_S: f64 = 86_400.0;
/// Share of a host's flows that is background noise: single connections to odd ports that nobody answers.
const NOISE: f64 = 0.01;

impl Hosts {
    pub(crate) fn new(scenario: &Synthetic) -> Self {
        Self {
            flows: scenario.flows.get(),
            day_ticks: u64::from(scenario.day_ticks.get()),
            diurnal: scenario.diurnal.get(),
            shift: scenario.shift,
            rollout: scenario.rollout,
            season: scenario.season,
            working_hours: scenario.working_hours,
            long_flows: scenario.long_flows,
            scanning: scenario.scanning.get(),
            regions: scenario.regions.get(),
            roles: scenario.roles.clone(),
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
        let day = match self.working_hours {
            Some(hours) if role == Role::Workstation => at_work(hours, hour),
            _ => 1.0 + swing * libm::sin(std::f64::consts::TAU * hour),
        };
        let season = self.season.map_or(1.0, |season| {
            let turn = tick as f64 / f64::from(season.period_ticks.get());
            1.0 + season.swing.get() * libm::sin(std::f64::consts::TAU * turn)
        });
        scale * self.flows * day * season
    }

    /// What has changed at a tick.
    pub(crate) fn era(&self, tick: u64) -> Era {
        let shifted = self.shift.filter(|shift| tick >= shift.start);
        let service = self.rollout.filter(|rollout| tick >= rollout.start).map(|rollout| {
            let grown = (tick - rollout.start + 1) as f64 / f64::from(rollout.ramp_ticks.max(1));
            (rollout.port, rollout.share.get() * grown.min(1.0))
        });
        Era { bytes_factor: shifted.map_or(1.0, |shift| shift.factor.get()), service }
    }

    /// Appends one tick's benign flows of a host.
    pub(crate) fn benign(&self, site: Site, tick: u64, era: Era, stream: &mut Stream, flows: &mut FlowBatch) {
        let Site { host, region, .. } = site;
        let count = stream.poisson(self.load(host.role, region, tick));
        flows.reserve(count as usize);
        for _ in 0..count {
            let mut raw =
                if stream.bernoulli(NOISE) { noise(stream) } else { self.wanted(host, era, stream) };
            raw.sent_bytes *= era.bytes_factor;
            raw.received_bytes *= era.bytes_factor;
            raw.packets = (raw.packets * era.bytes_factor).max(1.0);
            raw.push_to(host.role, flows);
        }
        if self.scanning > 0.0 {
            for _ in 0..stream.poisson(self.scanning) {
                self.scan(stream).push_to(host.role, flows);
            }
        }
    }

    /// A flow of what the host's role does, or of a service that is new in this era.
    fn wanted(&self, host: Host, era: Era, stream: &mut Stream) -> RawFlow {
        let service = era.service.filter(|(_, share)| stream.bernoulli(*share));
        let mut raw = match service {
            Some((port, _)) => {
                let server = Address::outside(4 * SERVERS + stream.below(4));
                exchange(stream, key(server, port, Protocol::TCP), [1.0, 0.5], [8.0, 0.5], [11.0, 0.8])
            }
            None => self.benign_flow(host, stream),
        };
        if let Some(long) = self.long_flows
            && stream.bernoulli(long.share.get())
        {
            let stretch = libm::pow(stream.uniform_open(), -1.0 / long.shape.get());
            raw.duration_s = (raw.duration_s * stretch).min(DURATION_MAX_S);
        }
        raw
    }

    /// A probe of one of the Internet's scanners.
    fn scan(&self, stream: &mut Stream) -> RawFlow {
        let scanner = Address::outside(2 * CLIENTS + 1 + SCANNER_LAW.draw(stream));
        // Places follow a geometric law of mean 2.5: half of the probes go to the first two or three ports.
        let place = (stream.exponential(3.0) as usize).min(SCANNED.len() - 1);
        RawFlow { key: key(scanner, SCANNED[place], Protocol::TCP), ..noise(stream) }
    }

    /// A flow of what the host's role does.
    fn benign_flow(&self, host: Host, stream: &mut Stream) -> RawFlow {
        match host.role {
            Role::Web => {
                let port = if stream.bernoulli(0.8) { 443 } else { 80 };
                let client = Address::outside(1 + CLIENT_LAW.draw(stream));
                exchange(stream, key(client, port, Protocol::TCP), [-1.0, 1.0], [6.5, 0.7], [9.5, 1.4])
            }
            Role::Dns => {
                let client = Address::outside(1 + CLIENT_LAW.draw(stream));
                exchange(stream, key(client, 53, Protocol::UDP), [-4.0, 0.6], [3.8, 0.25], [4.9, 0.5])
            }
            Role::Workstation => {
                let server = Address::outside(SERVERS + 1 + SERVER_LAW.draw(stream));
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

/// Load at an hour of the days since the beginning, in shares of the mean over a week.
fn at_work(hours: WorkingHours, days: f64) -> f64 {
    let (from, to, idle) = (hours.from.get(), hours.to.get(), hours.idle.get());
    let work = (to - from) * f64::from(hours.days) / 7.0;
    let mean = work + (1.0 - work) * idle;
    let is_working_day = days.rem_euclid(7.0) < f64::from(hours.days);
    let works = is_working_day && (from..to).contains(&days.rem_euclid(1.0));
    if works { 1.0 / mean } else { idle / mean }
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
    let packets = handshake + full_packets(sent_bytes) + full_packets(received_bytes);
    RawFlow { duration_s, sent_bytes, received_bytes, packets, answered: true, key, truth: Truth::BENIGN }
}

/// Packets of up to 1,400 bytes that so many bytes, which are no fewer than 0, fill.
fn full_packets(bytes: f64) -> f64 {
    let packets = bytes / 1400.0;
    let whole = packets as i64 as f64;
    whole + f64::from(u8::from(whole < packets))
}

#[cfg(test)]
mod tests {
    use phalanx_core::{AgentId, Purpose, Streams, Tick};

    use super::*;
    use crate::scenario::{Fraction, NonNegative, Positive, PositiveReal};

    #[test]
    fn load_follows_the_day_and_the_role() {
        let hosts = Hosts::new(&Synthetic::default());
        let mean_flows = |role, tick| {
            let host = Host { role, address: 0x0a00_0001 };
            let site = Site { agent: AgentId(0), host, region: Region(0) };
            let mut stream = Streams::from_seed(3).stream(Purpose::Traffic, 0, Tick(0));
            let mut flows = FlowBatch::new(9);
            (0..400).for_each(|_| hosts.benign(site, tick, Era::FIRST, &mut stream, &mut flows));
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

    /// Flows of `ticks` ticks of a host, from tick `first` on.
    fn seen(world: &Synthetic, role: Role, first: u64, ticks: u64) -> FlowBatch {
        let hosts = Hosts::new(world);
        let host = Host { role, address: 0x0a00_0001 };
        let site = Site { agent: AgentId(0), host, region: Region(0) };
        let mut stream = Streams::from_seed(3).stream(Purpose::Traffic, 0, Tick(first));
        let mut flows = FlowBatch::new(9);
        for tick in first..first + ticks {
            hosts.benign(site, tick, hosts.era(tick), &mut stream, &mut flows);
        }
        flows
    }

    fn on_port(flows: &FlowBatch, port: u16) -> f64 {
        flows.keys().iter().filter(|key| key.port == Some(port)).count() as f64 / flows.rows() as f64
    }

    #[test]
    fn workstations_keep_their_hours() {
        let world = Synthetic { working_hours: Some(WorkingHours::default()), ..Synthetic::default() };
        let rows = |first, ticks| seen(&world, Role::Workstation, first, ticks).rows() as f64;
        // A day has 48 ticks: work from 16 to 36. Monday at work, Monday night, Saturday.
        let (work, night, weekend) = (rows(17, 19) / 19.0, rows(37, 10) / 10.0, rows(5 * 48, 48) / 48.0);
        assert!((night / work - 0.05).abs() < 0.03, "{night} against {work}");
        assert!((weekend / work - 0.05).abs() < 0.03, "{weekend} against {work}");
        // Over a week the mean is that of a world without hours: 0.8 · 30 flows a tick, ± 4 · sqrt(24 / 336).
        let mean = rows(0, 7 * 48) / (7.0 * 48.0);
        assert!((mean - 24.0).abs() < 1.1, "{mean}");
        let things = seen(&world, Role::Iot, 5 * 48, 48).rows() as f64 / 48.0;
        assert!((things - 12.0).abs() < 2.0, "things do not rest: {things}");
    }

    #[test]
    fn seasons_swing() {
        let season = Season { period_ticks: Positive::new(4800), swing: Fraction::new(0.5) };
        let world = Synthetic { season: Some(season), ..Synthetic::default() };
        let rows = |first| seen(&world, Role::Iot, first, 100).rows() as f64 / 100.0;
        assert!((rows(1150) - 18.0).abs() < 1.7 && (rows(3550) - 6.0).abs() < 1.0);
    }

    #[test]
    fn long_flows_have_a_pareto_tail() {
        let world = |share| {
            let shape = PositiveReal::new(1.1);
            let long_flows = Some(LongFlows { share: Fraction::new(share), shape });
            Synthetic { flows: PositiveReal::new(2000.0), long_flows, ..Synthetic::default() }
        };
        let durations = |share| -> Vec<f64> {
            let flows = seen(&world(share), Role::Web, 0, 10);
            (0..flows.rows()).map(|i| f64::from(flows.row(i)[0])).collect()
        };
        // Web flows last exp(N(-1, 1)) s, so that one beyond 60 s is 5 deviations out. With a Pareto factor of shape a,
        // P(D > d) = d^-a · E[own^a] = d^-a · exp(-a + a²/2).
        let beyond = |durations: &[f64], s: f64| {
            durations.iter().filter(|d| **d > s).count() as f64 / durations.len() as f64
        };
        assert_eq!(beyond(&durations(0.0), 60.0), 0.0);
        let all = durations(1.0);
        for s in [60.0, 300.0] {
            let law = 0.99 * libm::exp(-1.1 + 0.605) * libm::pow(s, -1.1);
            let found = beyond(&all, s);
            let error = 4.0 * (law / all.len() as f64).sqrt();
            assert!((found - law).abs() < error, "beyond {s} s: {found} against {law}");
        }
        assert!(all.iter().all(|d| *d <= DURATION_MAX_S * 1.001));
    }

    #[test]
    fn scanners_knock_at_the_usual_ports() {
        let world = Synthetic { scanning: NonNegative::new(40.0), ..Synthetic::default() };
        let flows = seen(&world, Role::Dns, 0, 400);
        let quiet = seen(&Synthetic::default(), Role::Dns, 0, 400).rows() as f64;
        let scans = flows.rows() as f64 - quiet;
        assert!((scans / 400.0 - 40.0).abs() < 3.0, "{scans}");
        let (telnet, ssh) = (on_port(&flows, 23), on_port(&flows, 22));
        // 1 - e^(-1/3) of the probes go to the first port, and e^(-1/3) times as many to the next.
        let share = scans / flows.rows() as f64;
        assert!((telnet - 0.283 * share).abs() < 0.02, "{telnet}");
        assert!((ssh / telnet - 0.717).abs() < 0.08, "{ssh}");
        assert!(flows.truth().iter().all(|truth| *truth == Truth::BENIGN), "noise is no attack");
    }

    #[test]
    fn a_service_is_rolled_out() {
        let rollout = Rollout { start: 100, ramp_ticks: 100, share: Fraction::new(0.4), port: 9443 };
        let world = Synthetic { rollout: Some(rollout), ..Synthetic::default() };
        let share = |first, ticks| on_port(&seen(&world, Role::Web, first, ticks), 9443);
        assert_eq!(share(0, 100), 0.0);
        // Halfway up the ramp, and at its end; one flow in a hundred is noise.
        assert!((share(125, 50) - 0.2).abs() < 0.04 && (share(200, 100) - 0.396).abs() < 0.04);
    }
}
