//! Campaigns as scripts: what is refused, what is counted, how they feel resistance, and how a worm spreads.

use crate::harness::{parse, run};
use phalanx_sim::TrafficGenerator;
use phalanx_sim::scenario::Scenario;

#[test]
fn contradictions_are_named() {
    let cases = [
        ("kind: Staged", "stages"),
        ("kind: Worm, stages: [(kind: Beacon)]", "stages"),
        ("kind: Staged, ticks: 4, stages: [(kind: Beacon)]", "ticks"),
        ("kind: Staged, rate: 4, stages: [(kind: Beacon)]", "rate"),
        ("kind: Staged, stages: [(kind: Staged)]", "stages.0.kind"),
        ("kind: Staged, stages: [(kind: PortScan), (kind: Beacon)]", "stages.0.ticks"),
        ("kind: Staged, stages: [(kind: PortScan, stealth: 1.0)]", "stages.0.stealth"),
        ("kind: Staged, stages: [(kind: PortScan, sources: 5000)]", "stages.0.sources"),
        ("kind: Staged, stages: [(kind: PortScan, rate: 1e7)]", "stages.0.rate"),
        ("kind: PortScan, stealth: 1.0", "stealth"),
        ("kind: PortScan, jitter: 0.5", "jitter"),
        ("kind: PortScan, name: \"a/b\"", "name"),
        ("kind: Worm, back_off: true", "back_off"),
        ("kind: Worm, evasion: (rotate: 0.5)", "evasion.rotate"),
        ("kind: Worm, evasion: (poison: 0.5)", "evasion.poison"),
    ];
    for (campaign, path) in cases {
        let scenario: Scenario = parse(&format!("(campaigns: [({campaign})])"));
        let wrong = scenario.check().expect_err(campaign);
        assert_eq!(wrong.path, format!("campaigns.0.{path}"), "{campaign}: {}", wrong.message);
    }
    parse("(campaigns: [(kind: Staged, stages: [(kind: PortScan), (kind: Beacon, start: 9)], jitter: 1.0)])")
        .check()
        .expect("the second stage has a start of its own");
}

#[test]
fn a_campaign_is_its_stages() {
    let scenario = parse(
        "(agents: 20, ticks: 40, campaigns: [(kind: PortScan), (name: \"apt\", kind: Staged, start: 5, stages: [
            (kind: PortScan, ticks: 10, targets: 0.5), (kind: SshBruteForce, ticks: 10, targets: 0.2)])])",
    );
    let (_, summary) = run(&scenario, 1);
    let [scan, apt] = &summary.campaigns[..] else { panic!("{:?}", summary.campaigns) };
    assert!(scan.stages.is_empty() && scan.name == "PortScan" && apt.name == "apt");
    let names: Vec<&str> = apt.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["apt/PortScan", "apt/SshBruteForce"]);
    assert_eq!(apt.flows, apt.stages.iter().map(|stage| stage.flows).sum::<u64>());
    assert_eq!(apt.flows + scan.flows, summary.detection.anomalous);
    // The second stage goes on where the first has been: nobody new is met.
    assert!(apt.stages[0].agents > 0 && apt.stages[1].agents > 0);
    assert!(apt.agents <= 10 && apt.stages[1].agents <= 4, "{apt:?}");
}

#[test]
fn adaptive_attackers_slow_down_where_they_are_blocked() {
    let flows_of = |adapts: bool, blacklist: bool, seed: u64| {
        let (_, summary) = run(
            &parse(&format!(
                "(agents: 20, ticks: 60, seed: {seed}, campaigns: [(kind: SshBruteForce, sources: 1, back_off: {adapts})],
                  blacklist: (enabled: {blacklist}))"
            )),
            1,
        );
        summary.campaigns[0].flows as f64
    };
    // How soon it is blocked is a matter of luck: several worlds together.
    let flows =
        |adapts, blacklist| (1..=4).map(|seed| flows_of(adapts, blacklist, seed)).fold(0.0, |a, b| a + b);
    let (bold, careful) = (flows(false, true), flows(true, true));
    assert!(careful < 0.6 * bold, "{careful} against {bold}");
    assert_eq!(flows(true, false), flows(false, false), "nothing is blocked, so nothing slows it down");
}

/// Oracle O18: a worm spreads as `i' = b·i·(1 − i)`, so that from a share `i0` it has half of the hosts after
/// `ln((1 − i0) / i0) / b` ticks and nine tenths after `ln(9·(1 − i0) / i0) / b`.
#[test]
fn an_undefended_worm_spreads_by_the_logistic_law() {
    const HOSTS: usize = 1000;
    const FIRST: usize = 20;
    const RATE: f64 = 0.05;
    let seeds = 1..=6_u64;
    let runs = seeds.clone().count() as f64;
    let mut reached = [0.0; 2];
    for seed in seeds {
        let mut traffic = TrafficGenerator::new(&parse(&format!(
            "(agents: {HOSTS}, seed: {seed}, traffic: Synthetic(flows: 0.1),
              campaigns: [(kind: Worm, rate: {RATE}, sources: {FIRST})])"
        )))
        .unwrap();
        for (share, sum) in [0.5, 0.9].into_iter().zip(&mut reached) {
            while (traffic.infected(0) as f64) < share * HOSTS as f64 {
                assert!(traffic.tick().0 < 1000, "it never gets there");
                traffic.step(|_, _| ());
            }
            *sum += traffic.tick().0 as f64 / runs;
        }
    }
    let odds = (HOSTS - FIRST) as f64 / FIRST as f64;
    // A tick is a step of the law of growth 1 + b instead of e^b, and the start is a lottery: together below 6 %.
    for (found, law) in reached.into_iter().zip([libm::log(odds) / RATE, libm::log(9.0 * odds) / RATE]) {
        assert!((found - law).abs() < 0.06 * law, "{found} ticks against {law}");
    }
}
