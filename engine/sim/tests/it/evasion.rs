//! Attackers that hide: the harder they try, the less is found.

use crate::harness::{parse, run};
use phalanx_sim::scenario::Scenario;

/// Share of the attack's flows, from its start on and for so many ticks, that are found.
fn found(scenario: &Scenario, ticks: u64) -> f64 {
    let start = scenario.campaigns[0].start;
    let (records, _) = run(scenario, 1);
    let counts =
        records.iter().filter(|r| (start..start + ticks).contains(&r.tick.0)).map(|record| &record.counts);
    let (hits, all) = counts.fold((0, 0), |(hits, all), c| (hits + c.true_positive, all + c.anomalous));
    assert!(all > 100, "{all} flows tell little");
    hits as f64 / all as f64
}

/// That share for five strengths of an evasion, over two seeds.
fn curve(campaign: &str, knob: &str, rest: &str, ticks: u64) -> Vec<f64> {
    let strength = |strength: f64| {
        let seed = |seed: u64| {
            found(
                &parse(&format!(
                    "(agents: 16, ticks: 70, seed: {seed}, traffic: Synthetic(flows: 20),
                      campaigns: [({campaign}, start: 30, evasion: ({knob}: {strength:?}))],
                      detector: IsolationForest(trees: 50, sample: 128), {rest})"
                )),
                ticks,
            )
        };
        (seed(4) + seed(5)) / 2.0
    };
    [0.0, 0.25, 0.5, 0.75, 1.0].map(strength).to_vec()
}

const ALONE: &str = "blacklist: (enabled: false)";

/// Falls from step to step but for noise, and by at least so much in all.
#[track_caller]
fn falls(curve: &[f64], least: f64) {
    assert!(curve.windows(2).all(|pair| pair[1] < pair[0] + 0.05), "{curve:?}");
    assert!(curve[0] - curve[curve.len() - 1] > least, "{curve:?}");
}

#[test]
fn mimics_are_found_less() {
    falls(&curve("kind: PortScan", "mimic", ALONE, 40), 0.9);
    falls(&curve("kind: Exfiltration, rate: 3", "mimic", ALONE, 40), 0.5);
}

#[test]
fn fresh_addresses_escape_the_blacklist() {
    // Alone, the detector does not know addresses, but counts flows of the same one: what is lost without the blacklist is
    // what the blacklist cannot give back.
    falls(&curve("kind: SshBruteForce, rate: 6, sources: 1", "rotate", "", 40), 0.25);
}

#[test]
fn whoever_learns_from_everything_can_be_poisoned() {
    let everything =
        "model: (refit_ticks: 4, window_flows: 400, learn_from: All), blacklist: (enabled: false)";
    let everything = curve("kind: PortScan", "poison", everything, 12);
    falls(&everything, 0.2);
    // Who leaves out what it finds suspicious is hardly moved.
    let screened = "model: (refit_ticks: 4, window_flows: 400), blacklist: (enabled: false)";
    let screened = curve("kind: PortScan", "poison", screened, 12);
    assert!(screened[0] - screened[4] < 0.1, "{screened:?}");
}
