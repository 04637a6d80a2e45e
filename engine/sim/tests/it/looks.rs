//! Flows of every kind of campaign look as docs/traffic.md says: port, protocol, answers, the law of each number.

use phalanx_core::{FlowKey, Protocol};
use phalanx_sim::TrafficGenerator;

use crate::harness::parse;

/// Features and keys of a campaign's flows, and on how many agents and ticks they were seen.
struct Seen {
    rows: Vec<Vec<f32>>,
    keys: Vec<FlowKey>,
    /// Flows by (tick, agent), of the agents that were reached.
    busy: f64,
}

fn seen(campaign: &str) -> Seen {
    let mut traffic = TrafficGenerator::new(&parse(&format!(
        "(agents: 40, seed: 8, traffic: Synthetic(flows: 1), campaigns: [({campaign})])"
    )))
    .unwrap();
    let mut found = Seen { rows: Vec::new(), keys: Vec::new(), busy: 0.0 };
    for tick in 0..90 {
        traffic.step(|_, batch| {
            let before = found.rows.len();
            for i in (0..batch.rows()).filter(|i| batch.truth()[*i].reveal().is_some()) {
                found.rows.push(batch.row(i).to_vec());
                found.keys.push(batch.keys()[i]);
            }
            // All targets are under attack from tick 24 on.
            if tick >= 30 {
                found.busy += (found.rows.len() - before) as f64;
            }
        });
    }
    found
}

impl Seen {
    /// The value that this share of flows does not exceed.
    fn quantile(&self, column: usize, share: f64) -> f64 {
        let mut values: Vec<f32> = self.rows.iter().map(|row| row[column]).collect();
        values.sort_by(f32::total_cmp);
        f64::from(values[(share * values.len() as f64) as usize])
    }

    fn share(&self, holds: impl Fn(&FlowKey) -> bool) -> f64 {
        self.keys.iter().filter(|key| holds(key)).count() as f64 / self.keys.len() as f64
    }

    /// Median and the point one deviation above it are those of a log-normal law `[mu, sigma]`; the feature is ln(1 + x).
    #[track_caller]
    fn log_normal(&self, column: usize, [mu, sigma]: [f64; 2]) {
        let tolerance = 8.0 * sigma / (self.rows.len() as f64).sqrt() + 0.01;
        for (share, z) in [(0.5, 0.0), (0.841_345, 1.0)] {
            let (found, law) = (self.quantile(column, share), libm::log1p(libm::exp(mu + sigma * z)));
            assert!((found - law).abs() < tolerance, "column {column} at {share}: {found} against {law}");
        }
    }

    #[track_caller]
    fn constant(&self, column: usize, value: f64) {
        let law = libm::log1p(value);
        assert!(self.rows.iter().all(|row| (f64::from(row[column]) - law).abs() < 1e-5), "column {column}");
    }

    /// Mean flows a targeted agent and tick, once all are under attack.
    #[track_caller]
    fn rate(&self, targets: f64, expected: f64) {
        let found = self.busy / (60.0 * targets);
        let error = 4.0 * (expected / (60.0 * targets)).sqrt();
        assert!((found - expected).abs() < error, "{found} flows against {expected}");
    }

    #[track_caller]
    fn service(&self, port: u16, protocol: Protocol) {
        assert_eq!(self.share(|key| key.port == Some(port) && key.protocol == Some(protocol)), 1.0);
    }

    /// Share of flows that nobody answers.
    fn unanswered(&self) -> f64 {
        self.rows.iter().map(|row| f64::from(row[4])).sum::<f64>() / self.rows.len() as f64
    }
}

const DURATION: usize = 0;
const SENT: usize = 1;
const RECEIVED: usize = 2;
const PACKETS: usize = 3;

#[test]
fn port_scans_knock_at_ports_that_do_not_answer() {
    let scan = seen("kind: PortScan");
    scan.rate(40.0, 2.0);
    scan.constant(DURATION, 0.0);
    scan.constant(SENT, 0.0);
    // 1 to 2 packets; ports uniform over 1 to 10,000; one in twenty answers.
    assert!((scan.unanswered() - 0.95).abs() < 0.015, "{}", scan.unanswered());
    assert!((scan.share(|key| key.port.unwrap() <= 5000) - 0.5).abs() < 0.04);
    assert_eq!(scan.share(|key| (1..=10_000).contains(&key.port.unwrap())), 1.0);
    let two = scan.rows.iter().filter(|row| f64::from(row[PACKETS]) > 0.9).count() as f64;
    assert!((two / scan.rows.len() as f64 - 0.5).abs() < 0.04);
}

#[test]
fn password_guesses_are_alike() {
    let guesses = seen("kind: SshBruteForce");
    guesses.rate(40.0, 12.0);
    guesses.service(22, Protocol::TCP);
    guesses.log_normal(DURATION, [0.9, 0.15]);
    guesses.log_normal(SENT, [7.3, 0.08]);
    guesses.log_normal(RECEIVED, [7.6, 0.08]);
    assert_eq!(guesses.unanswered(), 0.0);
}

#[test]
fn syn_floods_move_from_target_to_target() {
    let flood = seen("kind: SynFlood, sources: 50");
    // One of eight rounds at a time.
    flood.rate(40.0 / 8.0, 25.0);
    flood.service(80, Protocol::TCP);
    flood.constant(PACKETS, 1.0);
    assert_eq!(flood.unanswered(), 1.0);
    let mut sources: Vec<u32> = flood.keys.iter().map(|key| key.remote.unwrap()).collect();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len(), 50);
}

#[test]
fn uploads_are_large() {
    let uploads = seen("kind: Exfiltration");
    uploads.rate(40.0, 1.0);
    uploads.service(443, Protocol::TCP);
    uploads.log_normal(DURATION, [4.0, 0.8]);
    uploads.log_normal(SENT, [17.0, 1.0]);
    uploads.log_normal(RECEIVED, [9.0, 0.5]);
}

#[test]
fn beacons_are_small_and_seldom() {
    let beacon = seen("kind: Beacon");
    beacon.rate(40.0, 0.25);
    beacon.service(443, Protocol::TCP);
    beacon.log_normal(DURATION, [-1.0, 0.4]);
    beacon.log_normal(SENT, [5.6, 0.1]);
    beacon.log_normal(RECEIVED, [5.2, 0.1]);
}

#[test]
fn jitter_sets_how_regular_beacons_are() {
    // Gaps between the calls of one target, in ticks: 8 by the clock; with jitter j each call moves by up to ±j/2 periods,
    // so that the deviation of a gap is 8·j·sqrt(2/12), and reading whole ticks adds some.
    let deviation = |jitter: &str| {
        let mut traffic = TrafficGenerator::new(&parse(&format!(
            "(agents: 20, seed: 2, traffic: Synthetic(flows: 0.1), campaigns: [(kind: Beacon, rate: 0.125{jitter})])"
        )))
        .unwrap();
        let mut last = [None; 20];
        let mut gaps: Vec<f64> = Vec::new();
        for tick in 0..800_u32 {
            traffic.step(|agent, batch| {
                for _ in batch.truth().iter().filter(|truth| truth.reveal().is_some()) {
                    if let Some(before) = last[agent.index()].replace(tick) {
                        gaps.push(f64::from(tick - before));
                    }
                }
            });
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((mean - 8.0).abs() < 0.5, "{mean}");
        (gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / gaps.len() as f64).sqrt()
    };
    assert_eq!(deviation(", jitter: 0"), 0.0);
    let law = |jitter: f64| (64.0 * jitter * jitter / 6.0 + 1.0 / 6.0).sqrt();
    for jitter in [0.5, 1.0] {
        let found = deviation(&format!(", jitter: {jitter:?}"));
        assert!((found - law(jitter)).abs() < 0.1 * law(jitter), "{found} against {}", law(jitter));
    }
    // Without the word calls come at random: the deviation of exponential gaps is their mean.
    assert!((deviation("") - 8.0).abs() < 0.8);
}

#[test]
fn worms_knock_at_port_445_from_the_hosts_they_have() {
    let mut worm = seen("kind: Worm, rate: 1, targets: 0.5, sources: 2");
    worm.service(445, Protocol::TCP);
    assert_eq!(worm.share(|key| key.remote.unwrap() >> 24 == 10), 1.0);
    // Half of the hosts refuse.
    assert!((worm.unanswered() - 0.5).abs() < 0.05, "{}", worm.unanswered());
    worm.rows.retain(|row| row[4] == 0.0);
    worm.log_normal(SENT, [10.2, 0.1]);
}

#[test]
fn lateral_movement_comes_from_inside() {
    let moves = seen("kind: LateralMovement, sources: 3");
    moves.log_normal(DURATION, [1.5, 0.8]);
    moves.log_normal(SENT, [8.5, 0.6]);
    moves.log_normal(RECEIVED, [8.0, 0.6]);
    assert_eq!(moves.share(|key| key.remote.unwrap() >> 24 == 10), 1.0);
    assert!((moves.share(|key| key.port == Some(445)) - 0.7).abs() < 0.03);
    assert_eq!(moves.share(|key| matches!(key.port, Some(445 | 3389))), 1.0);
}

#[test]
fn reflections_are_large_answers_that_nobody_asked_for() {
    let flood = seen("kind: Reflection, sources: 300");
    flood.rate(40.0, 40.0);
    flood.service(123, Protocol::UDP);
    flood.log_normal(SENT, [8.0, 0.4]);
    flood.constant(RECEIVED, 0.0);
    assert_eq!(flood.unanswered(), 1.0);
}

#[test]
fn stealth_forgoes_flows() {
    seen("kind: SshBruteForce, stealth: 0.75").rate(40.0, 3.0);
}
