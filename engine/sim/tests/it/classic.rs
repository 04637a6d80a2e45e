//! `classic.ron` against the clean-room Python program of the same workload (Mesa 3.3 + scikit-learn 1.9).
//!
//! The peer's figures are those of 30 runs of its program, seeds 1 to 30, 20 agents and 5 steps, on 2026-11-21:
//! `for s in $(seq 30); do python mesa_baseline.py --agents 20 --steps 5 --seed $s; done`.

use crate::harness::{run, shipped};
use phalanx_sim::scenario::{Positive, Scenario};

const SEEDS: u64 = 30;

/// Mean and standard deviation over the peer's 30 runs.
struct Peer {
    mean: f64,
    sd: f64,
}

const F1: Peer = Peer { mean: 0.9070, sd: 0.0153 };
const CONFIRMED_SHARE: Peer = Peer { mean: 0.5790, sd: 0.0416 };
const PRECISION: Peer = Peer { mean: 0.8892, sd: 0.0246 };
const RECALL: Peer = Peer { mean: 0.9261, sd: 0.0228 };

fn compare(what: &str, ours: &[f64], peer: &Peer) {
    let n = SEEDS as f64;
    let mean = ours.iter().sum::<f64>() / n;
    let variance = ours.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let error = ((variance + peer.sd * peer.sd) / n).sqrt();
    println!(
        "{what}: {mean:.4} against the peer's {:.4}, standard error of the difference {error:.4}",
        peer.mean
    );
    assert!((mean - peer.mean).abs() < 4.0 * error, "{what}: {mean} against {} ± {error}", peer.mean);
}

#[test]
fn thirty_seeds_agree_with_the_peer() {
    let scenario = Scenario { agents: Positive::new(20), ..shipped("classic") };
    let summaries: Vec<_> =
        (1..=SEEDS).map(|seed| run(&Scenario { seed, ..scenario.clone() }, 2).1).collect();
    let column =
        |f: &dyn Fn(&phalanx_sim::summary::Summary) -> f64| summaries.iter().map(f).collect::<Vec<_>>();
    compare("F1", &column(&|s| s.detection.f1.unwrap()), &F1);
    compare("precision", &column(&|s| s.detection.precision.unwrap()), &PRECISION);
    compare("recall", &column(&|s| s.detection.recall.unwrap()), &RECALL);
    let share =
        |s: &phalanx_sim::summary::Summary| s.signatures.confirmed as f64 / s.signatures.reported as f64;
    compare("confirmed share", &column(&share), &CONFIRMED_SHARE);
    for summary in &summaries {
        let votes = summary.signatures.reported * 19;
        assert_eq!(summary.detection.flows, 20 * 5 * 100);
        assert_eq!(summary.signatures.undecided, 0, "everyone votes within the tick");
        // Reports and votes, 19 of each a signature, and 20 pieces of news a confirmed one.
        assert_eq!(summary.network.messages, 2 * votes + 20 * summary.signatures.confirmed);
    }
}

/// The old system's own traffic has a perfect detector, so an F1 below 1 is a bug.
#[test]
fn one_dimension_is_solved() {
    let scenario = crate::harness::parse(
        "(agents: 20, ticks: 40, detector: ZScore, threshold: Fixed(0.9),
          model: (warm_up_flows: 300, window_flows: 1000, refit_ticks: 1),
          traffic: Gaussian(columns: [(name: \"packet_bytes\", mean: 100, sd: 20)], anomalies: PerBatch(0.05),
                            families: [(name: \"outlier\", attack: Exactly([500]))]))",
    );
    let (_, summary) = run(&scenario, 2);
    assert!(summary.detection.anomalous > 10);
    assert_eq!(summary.detection.f1, Some(1.0));
    assert_eq!(summary.detection.roc_auc, Some(1.0));
}
