//! The loop has to matter: sharing detects earlier than isolation, and liars in the majority undo it.

use crate::harness::{parse, run};
use phalanx_sim::scenario::Scenario;
use phalanx_sim::summary::Summary;

const SEEDS: u64 = 10;

/// A scan and a worm against 40 hosts; `extra` adds fields to the scenario.
fn world(extra: &str) -> Scenario {
    parse(&format!(
        "(agents: 40, ticks: 60, detector: IsolationForest(trees: 50, sample: 128),
          campaigns: [(kind: PortScan, start: 5), (kind: Worm, start: 10, rate: 1, targets: 0.5)], {extra})"
    ))
}

/// Summaries over the seeds.
fn runs(scenario: &Scenario) -> Vec<Summary> {
    (0..SEEDS).map(|seed| run(&Scenario { seed, ..scenario.clone() }, 2).1).collect()
}

/// Mean and standard error over the runs of a figure that is defined in all of them.
fn mean(summaries: &[Summary], figure: impl Fn(&Summary) -> Option<f64>) -> (f64, f64) {
    let values: Vec<f64> =
        summaries.iter().map(|s| figure(s).expect("both campaigns reach somebody")).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn sharing_detects_earlier_on_scan_and_worm() {
    let shared = runs(&world(""));
    for campaign in 0..2 {
        let (gain, error) = mean(&shared, |s| s.campaigns[campaign].time_to_detect.gain);
        let name = &shared[0].campaigns[campaign].name;
        println!("{name}: gain {gain:.2} ± {error:.2} ticks over {SEEDS} seeds");
        assert!(gain > 4.0 * error && gain > 0.2, "{name}: gain {gain} ± {error}");
    }
    let caught: u64 = shared.iter().map(|s| s.sharing.caught).sum();
    assert!(caught > 0, "some flows are caught by others' indicators alone");
}

/// The gain above compares two detections within one run. This compares runs: the same seeds, isolated and shared.
#[test]
fn sharing_beats_isolation_run_against_run() {
    let isolated = runs(&world("network: (enabled: false)"));
    let shared = runs(&world(""));
    for alone in &isolated {
        assert_eq!(alone.network.messages, 0);
        assert_eq!(alone.signatures.confirmed, 0);
        assert_eq!(alone.time_to_detect.gain, Some(0.0), "isolated agents gain nothing from each other");
    }
    let (alone, _) = mean(&isolated, |s| s.time_to_detect.local_p95);
    let (together, _) = mean(&shared, |s| s.time_to_detect.shared_p95);
    assert!(together < alone, "p95 of the time to detect: {together} shared, {alone} isolated");
}

#[test]
fn sixty_percent_colluders_undo_it() {
    for kind in ["VoteFlip", "FalseReport"] {
        let colluded =
            runs(&world(&format!("adversaries: [(kind: {kind}, fraction: 0.6, coordinated: true)]")));
        for summary in &colluded {
            let gain = summary.time_to_detect.gain.unwrap();
            assert!(gain <= 0.0, "{kind}: gain {gain} against a lying majority");
            let confirmed_true = summary.signatures.confirmed - summary.consensus.safety_failures;
            assert_eq!(confirmed_true, 0, "{kind}: nothing true is confirmed against a lying majority");
        }
        if kind == "FalseReport" {
            let false_ones: u64 = colluded.iter().map(|s| s.consensus.safety_failures).sum();
            assert!(false_ones > 0, "a lying majority confirms its lies");
        }
    }
}

#[test]
fn a_lying_minority_is_outvoted_and_loses_its_standing() {
    let summaries = runs(&world("adversaries: [(kind: VoteFlip, fraction: 0.2)]"));
    let (separation, error) = mean(&summaries, |s| s.trust.separation);
    assert!(separation > 4.0 * error && separation > 0.2, "trust separation {separation} ± {error}");
    assert!(summaries.iter().any(|s| s.signatures.confirmed > 0));
}
