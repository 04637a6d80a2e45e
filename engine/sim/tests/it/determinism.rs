//! Same inputs, same bits: whatever the number of threads, whatever else the process does.

use crate::harness::{run, shipped};
use phalanx_sim::scenario::{Positive, Scenario};

fn small_development() -> Scenario {
    Scenario { ticks: Positive::new(60), ..shipped("development") }
}

fn small_classic() -> Scenario {
    Scenario { agents: Positive::new(8), ticks: Positive::new(3), ..shipped("classic") }
}

#[test]
fn threads_change_nothing() {
    for (name, scenario) in
        [("edge", shipped("edge")), ("development", small_development()), ("classic", small_classic())]
    {
        let (one, summary) = run(&scenario, 1);
        for threads in [2, 8] {
            let (many, other) = run(&scenario, threads);
            for (a, b) in one.iter().zip(&many) {
                assert_eq!(
                    a.fingerprint, b.fingerprint,
                    "{name}: 1 and {threads} threads part at tick {}",
                    a.tick
                );
                assert_eq!((a.counts, &a.decisions), (b.counts, &b.decisions), "{name} at tick {}", a.tick);
            }
            assert_eq!(summary, other, "{name}: the summary depends on the number of threads");
        }
    }
}

#[test]
fn the_seed_changes_everything() {
    let scenario = shipped("edge");
    let (one, _) = run(&scenario, 2);
    let (other, _) = run(&Scenario { seed: scenario.seed + 1, ..scenario }, 2);
    assert!(one.iter().zip(&other).all(|(a, b)| a.fingerprint != b.fingerprint));
}

/// Counter-based streams: what agents 0 to 9 see of the world does not depend on how many others there are. Isolated,
/// so that nobody's messages reach them; without campaigns, whose targets are drawn from all agents.
#[test]
fn more_agents_shift_nobodys_draws() {
    let text = "(agents: 10, ticks: 10, network: (enabled: false), signature: (support_min: 1), traffic: Synthetic(regions: 1))";
    let few = crate::harness::parse(text);
    let many = Scenario { agents: Positive::new(30), ..few.clone() };
    let reports = |scenario| {
        let (records, _) = run(scenario, 2);
        let reported = records.into_iter().flat_map(|r| r.reported).filter(|s| s.id.author.0 < 10);
        reported.collect::<Vec<_>>()
    };
    let (of_few, of_many) = (reports(&few), reports(&many));
    assert!(!of_few.is_empty(), "ten agents at 2 % false positives report something in ten ticks");
    assert_eq!(of_few, of_many);
}
