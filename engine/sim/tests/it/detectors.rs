//! Every detector, threshold and way of keeping a model runs in the world, finds something, and depends on no thread.

use phalanx_sim::scenario::{Positive, Scenario};

use crate::harness::{parse, run, shipped};

fn world(extra: &str) -> Scenario {
    parse(&format!(
        "(agents: 12, ticks: 30, campaigns: [(kind: PortScan, start: 5), (kind: SynFlood, start: 10, sources: 20)],
          model: (warm_up_flows: 200, window_flows: 300, refit_ticks: 8), {extra})"
    ))
}

fn assert_works(what: &str, scenario: &Scenario, auc_min: f64) {
    let (one, summary) = run(scenario, 1);
    let (two, other) = run(scenario, 2);
    let last = |records: &[phalanx_sim::TickRecord]| records.last().unwrap().fingerprint;
    assert_eq!(last(&one), last(&two), "{what}: the fingerprint depends on the number of threads");
    assert_eq!(summary, other, "{what}");
    let auc = summary.detection.roc_auc.unwrap();
    println!("{what}: ROC-AUC {auc:.3}, FPR {:.4}", summary.detection.fpr.unwrap());
    assert!(auc > auc_min, "{what}: ROC-AUC {auc}");
}

#[test]
fn every_detector() {
    for (detector, auc_min) in [
        ("IsolationForest(trees: 50, sample: 128)", 0.9),
        ("IsolationForest(trees: 50, sample: 128, refresh: 10)", 0.9),
        ("ExtendedForest(trees: 50, sample: 128)", 0.9),
        ("KurtosisForest(trees: 50, sample: 128)", 0.9),
        ("HalfSpaceTrees()", 0.5),
        ("RandomCutForest(trees: 10, window: 64)", 0.5),
        ("ZScore", 0.9),
        ("Ecod", 0.9),
        ("Copod", 0.9),
        ("Hbos", 0.9),
        ("Loda", 0.9),
        ("Knn(neighbours: 3)", 0.9),
        ("Mahalanobis", 0.9),
        ("Pca", 0.5),
        ("Ensemble", 0.9),
        ("Ewma", 0.5),
        ("Cusum", 0.5),
        ("Rules([Any([(feature: \"unanswered\", is: AtLeast, limit: 1)])])", 0.9),
    ] {
        assert_works(detector, &world(&format!("detector: {detector}")), auc_min);
    }
}

#[test]
fn every_threshold() {
    for threshold in [
        "Quantile(contamination: 0.02)",
        "SharedQuantile(contamination: 0.02)",
        "Conformal(alpha: 0.02)",
        "FalseDiscovery(alpha: 0.1)",
        "PeaksOverThreshold(q: 0.005)",
        "Fixed(0.6)",
    ] {
        let detector = "detector: IsolationForest(trees: 50, sample: 128)";
        assert_works(threshold, &world(&format!("{detector}, threshold: {threshold}")), 0.9);
    }
}

#[test]
fn agents_of_a_role_share_a_model() {
    let own = world("detector: IsolationForest(trees: 50, sample: 128)");
    let mut shared = own.clone();
    shared.model.owner = phalanx_sim::scenario::Owner::Role;
    assert_works("one model a role", &shared, 0.9);
    let refits = |scenario| run(scenario, 2).0.iter().map(|r| r.counts.refits).sum::<u64>();
    assert!(refits(&shared) < refits(&own) / 2, "four roles refit, not twelve agents");
}

/// Incremental refresh loses nothing on the classic workload (the goal is 0.01 of F1).
#[test]
fn refreshed_forests_are_as_good() {
    let mean_f1 = |scenario: &Scenario| {
        let f1 = |seed| run(&Scenario { seed, ..scenario.clone() }, 2).1.detection.f1.unwrap();
        (0..10).map(f1).sum::<f64>() / 10.0
    };
    let full = Scenario { agents: Positive::new(10), ticks: Positive::new(10), ..shipped("classic") };
    let detector = parse("(detector: IsolationForest(trees: 100, sample: 256, refresh: 4))").detector;
    let (full_f1, refreshed_f1) = (mean_f1(&full), mean_f1(&Scenario { detector, ..full.clone() }));
    println!("F1: refit {full_f1:.4}, refreshed {refreshed_f1:.4}");
    assert!(refreshed_f1 > full_f1 - 0.01, "F1 {refreshed_f1} refreshed, {full_f1} refitted");
}

/// After the baseline has changed, agents that watch for drift return to their false-positive rate; others do not.
#[test]
fn drift_is_noticed_and_learned() {
    let watching = shipped("drift");
    let mut blind = watching.clone();
    blind.model.drift = None;
    // False-positive rate over the ticks: benign flows flagged, of all benign flows.
    let rate = |scenario: &Scenario, ticks: std::ops::Range<usize>| {
        let (records, _) = run(scenario, 2);
        let sum = |f: &dyn Fn(&phalanx_sim::TickCounts) -> u64| {
            records[ticks.clone()].iter().map(|r| f(&r.counts)).sum::<u64>() as f64
        };
        sum(&|c| c.flagged - c.true_positive) / sum(&|c| c.flows - c.anomalous)
    };
    let before = rate(&watching, 10..40);
    let (noticed, ignored) = (rate(&watching, 70..100), rate(&blind, 70..100));
    println!(
        "false-positive rate: {before:.3} before, {noticed:.3} with drift detection, {ignored:.3} without"
    );
    assert!(noticed < 2.0 * before + 0.02, "{noticed} after learning anew, {before} before the change");
    assert!(ignored > 2.0 * noticed, "{ignored} without drift detection, {noticed} with");
}
