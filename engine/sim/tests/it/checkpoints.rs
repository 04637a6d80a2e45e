//! A run that was saved and went on elsewhere is the run that was never interrupted.

use phalanx_sim::scenario::{Positive, Scenario};
use phalanx_sim::{CheckpointError, Simulation, TrafficInput};

use crate::harness::{parse, run, shipped};

fn build(scenario: &Scenario, threads: usize) -> Simulation {
    Simulation::new(scenario, TrafficInput::Generated, threads).unwrap()
}

fn saved_at(scenario: &Scenario, tick: u32, threads: usize) -> Vec<u8> {
    let mut simulation = build(scenario, threads);
    (0..tick).for_each(|_| drop(simulation.step()));
    simulation.save()
}

/// Saves with one number of threads, goes on with another, and compares with a run that did neither.
fn check(name: &str, scenario: &Scenario, at: &[u32]) {
    let (records, summary) = run(scenario, 2);
    for tick in at {
        let bytes = saved_at(scenario, *tick, 2);
        let mut simulation = build(scenario, 1).restored(&bytes).unwrap();
        assert_eq!(simulation.tick().0, u64::from(*tick), "{name}");
        assert!(simulation.save() == bytes, "{name}: what is restored at tick {tick} saves the same bytes");
        for record in &records[*tick as usize..] {
            let other = simulation.step();
            assert_eq!(
                record.fingerprint, other.fingerprint,
                "{name}: saved before tick {tick}, it parts at {}",
                record.tick
            );
            assert_eq!(format!("{record:?}"), format!("{other:?}"), "{name}: record of tick {}", record.tick);
        }
        assert_eq!(simulation.summary(), summary, "{name}: summary after a checkpoint at {tick}");
    }
}

#[test]
fn shipped_scenarios_go_on_as_they_would_have() {
    check("edge", &shipped("edge"), &[0, 1, 17, 49, 50]);
    check("development", &Scenario { ticks: Positive::new(40), ..shipped("development") }, &[23]);
    let classic = Scenario { agents: Positive::new(8), ticks: Positive::new(3), ..shipped("classic") };
    check("classic", &classic, &[2]);
}

#[test]
fn whatever_remembers_is_saved() {
    for (name, text) in [
        (
            "gossip under loss and churn",
            "network: (topology: KRegular(k: 4), gossip: PushPull(fan_out: 2), latency: (min_ticks: 1, max_ticks: 3), loss: 0.2, duplication: 0.1, churn: (mttf_ticks: 9, mttr_ticks: 3), bursts: (enter: 0.1, leave: 0.3, loss: 0.9))",
        ),
        ("a shared model", "model: (owner: Role, refit_ticks: 4)"),
        (
            "drift",
            "model: (drift: Adwin(delta: 0.3), warm_up_flows: 64), detector: HalfSpaceTrees(trees: 5, window: 32)",
        ),
        (
            "page-hinkley",
            "model: (drift: PageHinkley(slack: 0.0, threshold: 0.1), warm_up_flows: 64), detector: Ewma",
        ),
        (
            "refreshed forests",
            "detector: IsolationForest(trees: 20, sample: 64, refresh: 4), model: (refit_ticks: 3)",
        ),
        ("a random cut forest", "detector: RandomCutForest(trees: 8, window: 64)"),
        ("attackers that adapt", "adaptive"),
        ("a worm", "worm"),
        (
            "late votes",
            "adversaries: [(kind: Withhold, fraction: 0.3), (kind: Whitewash(below: 0.4), fraction: 0.2)]",
        ),
    ] {
        let campaigns = match text {
            "adaptive" => {
                "[(kind: SshBruteForce, start: 2, ticks: 20, back_off: true), (kind: PortScan, start: 2, ticks: 20)]"
            }
            "worm" => "[(kind: Worm, start: 2, ticks: 24)]",
            _ => "[(kind: PortScan, start: 2, ticks: 20), (kind: SshBruteForce, start: 4, ticks: 20)]",
        };
        let rest = if text.contains(':') { format!(", {text}") } else { String::new() };
        let scenario = parse(&format!("(agents: 24, ticks: 26, seed: 7, campaigns: {campaigns}{rest})"));
        check(name, &scenario, &[3, 11, 19]);
    }
}

#[test]
fn other_bytes_are_refused() {
    let scenario = parse("(agents: 5, ticks: 8)");
    let bytes = saved_at(&scenario, 4, 1);
    let refusal = |scenario: &Scenario, bytes: &[u8]| build(scenario, 1).restored(bytes).err().unwrap();
    let other = Scenario { seed: 9, ..scenario.clone() };
    assert_eq!(refusal(&other, &bytes), CheckpointError::OtherRun);
    assert_eq!(refusal(&scenario, b"PNG"), CheckpointError::NotACheckpoint);
    assert_eq!(refusal(&scenario, b""), CheckpointError::NotACheckpoint);
    let mut newer = bytes.clone();
    newer[4] = 9;
    assert_eq!(refusal(&scenario, &newer), CheckpointError::Version { found: 9 });
    for cut in [7, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(refusal(&scenario, &bytes[..cut]), CheckpointError::Damaged { length: cut });
    }
    for place in (6..bytes.len()).step_by(bytes.len() / 50) {
        let mut changed = bytes.clone();
        changed[place] ^= 4;
        assert_eq!(refusal(&scenario, &changed), CheckpointError::Damaged { length: bytes.len() });
    }
}
