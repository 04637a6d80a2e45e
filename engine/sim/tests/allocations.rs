//! A steady tick allocates nothing, whatever the native detector. A process of its own, since its allocator counts.

use phalanx_sim::scenario::Scenario;
use phalanx_sim::{Pool, Simulation, TrafficInput};

const DETECTORS: [&str; 17] = [
    "IsolationForest()",
    "ExtendedForest()",
    "KurtosisForest()",
    "HalfSpaceTrees()",
    "RandomCutForest(trees: 10, window: 64)",
    "ZScore",
    "Ecod",
    "Copod",
    "Hbos",
    "Loda",
    "Knn(neighbours: 3)",
    "Mahalanobis",
    "Pca",
    "Ensemble",
    "Ewma",
    "Cusum",
    "Rules([Any([(feature: \"unanswered\", is: AtLeast, limit: 2)])])",
];

/// Allocations in each of twenty ticks, when buffers have grown to what the world needs.
fn counts(scenario: &str, pool: &Pool) -> Vec<u64> {
    let scenario: Scenario = ron::from_str(scenario).unwrap();
    let mut simulation = Simulation::on(pool, &scenario, TrafficInput::Generated).unwrap();
    (0..60).for_each(|_| _ = simulation.step());
    (0..20).map(|_| allocation_counter::measure(|| _ = simulation.step()).count_total).collect()
}

/// One test, since a thread can have one pool, and what other threads allocate is not counted.
#[test]
fn a_steady_tick_allocates_nothing() {
    let pool = Pool::of_this_thread().unwrap();
    for detector in DETECTORS {
        let counts = counts(
            &format!(
                "(agents: 40, detector: {detector}, threshold: Fixed(1.0),
                  model: (warm_up_flows: 200, window_flows: 300, refit_ticks: 0))"
            ),
            &pool,
        );
        // Now and then an agent sees more flows than ever before, or a tree loses more nodes.
        let none = counts.iter().filter(|count| **count == 0).count();
        assert!(none >= 5 && counts.iter().sum::<u64>() <= 100, "{detector}: {counts:?}");
    }
    // Where flows are flagged they are kept as evidence, and what is reported, voted on and listed takes memory.
    let flagging = counts("(agents: 200, detector: ZScore, model: (refit_ticks: 0))", &pool);
    let an_agent = flagging.iter().sum::<u64>() as f64 / (20.0 * 200.0);
    println!("{an_agent:.2} allocations an agent-tick where two of a hundred flows are flagged");
    assert!(an_agent < 1.0, "{flagging:?}");
}
