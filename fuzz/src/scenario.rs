//! Text against the words of a scenario, and small scenarios against the promise that threads change nothing.

use phalanx_core::Fingerprint;
use phalanx_sim::scenario::{Detector, Positive, PositiveReal, Scenario, Topology, Traffic};
use phalanx_sim::{SimError, Simulation, TrafficInput};
use ron::extensions::Extensions;

/// Lists longer than this make a run slow without making it different.
const LIST_MAX: usize = 6;

/// Text, read as the runner reads it.
///
/// Oracle: what is accepted is written and read back as itself and has an estimate of its memory. If it also passes
/// its check, then, cut down by [`within_bounds`], it is simulated with the same fingerprints and the same summary
/// by one thread and by two, or refused by both with one message.
pub fn scenario(data: &[u8]) {
    let Some(scenario) = parse_scenario(data) else { return };
    let written = options().to_string(&scenario).expect("a scenario can be written");
    let again = parse_scenario(written.as_bytes()).unwrap_or_else(|| panic!("not read back: {written}"));
    // As text, because a NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{scenario:?}"), "written as {written}");
    if let Err(contradiction) = scenario.check() {
        assert!(!contradiction.path.is_empty() && !contradiction.message.is_empty());
        assert_eq!(scenario.check(), Err(contradiction));
        return;
    }
    assert!(scenario.memory_bytes() > 0);
    let Some(small) = within_bounds(scenario) else { return };
    match (run(&small, 1), run(&small, 2)) {
        (Ok(one), Ok(two)) => assert_eq!(one, two, "two threads give another run than one"),
        (Err(one), Err(two)) => {
            let message = one.to_string();
            assert!(!message.is_empty());
            assert_eq!(message, two.to_string());
        }
        (one, two) => panic!("one thread gives {one:?}, two give {two:?}"),
    }
}

fn options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// The scenario that the bytes are the text of.
#[must_use]
pub fn parse_scenario(data: &[u8]) -> Option<Scenario> {
    options().from_bytes(data).ok()
}

/// A checked scenario with every count that costs time or memory cut down, so that it runs in milliseconds; `None`
/// if its lists are too long for that. It still passes its check.
#[must_use]
pub fn within_bounds(mut scenario: Scenario) -> Option<Scenario> {
    if scenario.campaigns.len().max(scenario.adversaries.len()) > LIST_MAX {
        return None;
    }
    cut(&mut scenario.agents, 8);
    cut(&mut scenario.ticks, 3);
    cut(&mut scenario.model.warm_up_flows, 48);
    cut(&mut scenario.model.window_flows, 64);
    cut(&mut scenario.signature.per_tick_max, 8);
    match &mut scenario.detector {
        Detector::IsolationForest { trees, sample, .. }
        | Detector::ExtendedForest { trees, sample }
        | Detector::KurtosisForest { trees, sample }
        | Detector::HalfSpaceTrees { trees, window: sample }
        | Detector::RandomCutForest { trees, window: sample } => {
            cut(trees, 6);
            cut(sample, 32);
        }
        Detector::Knn { neighbours } => cut(neighbours, 32),
        _ => {}
    }
    let latency = &mut scenario.network.latency;
    latency.min_ticks = latency.min_ticks.min(4);
    latency.max_ticks = latency.max_ticks.min(4);
    match &mut scenario.traffic {
        Traffic::Synthetic(synthetic) => {
            // Warming up takes as many ticks as it takes to see the flows: few flows a tick are as slow as many.
            synthetic.flows = PositiveReal::new(synthetic.flows.get().clamp(1.0, 12.0));
            cut(&mut synthetic.day_ticks, 16);
        }
        Traffic::Gaussian(gaussian) => {
            let longest = gaussian.columns.len().max(gaussian.families.len());
            if longest > LIST_MAX {
                return None;
            }
            cut(&mut gaussian.flows, 24);
        }
        Traffic::Capture(_) => {}
    }
    for campaign in &mut scenario.campaigns {
        if campaign.rate() > 8.0 {
            campaign.rate = Some(PositiveReal::new(8.0));
        }
    }
    let network = &mut scenario.network;
    if network.partitions.len().max(network.crashes.len()) > LIST_MAX {
        return None;
    }
    // What fits many agents need not fit few.
    match &mut network.topology {
        Topology::KRegular { k } | Topology::WattsStrogatz { k, .. } => *k = Positive::new(2),
        Topology::BarabasiAlbert { m } => *m = Positive::new(1),
        _ => {}
    }
    if scenario.agents.get() < 3 {
        scenario.network.topology = Topology::FullMesh;
    }
    assert_eq!(scenario.check(), Ok(()), "a smaller scenario is no contradiction");
    Some(scenario)
}

fn cut(count: &mut Positive, most: u32) {
    *count = Positive::new(count.get().min(most));
}

/// Fingerprints of all ticks, and the summary as text.
fn run(scenario: &Scenario, threads: usize) -> Result<(Vec<Fingerprint>, String), SimError> {
    let mut simulation = Simulation::new(scenario, TrafficInput::Generated, threads)?;
    let prints = (0..scenario.ticks.get()).map(|_| simulation.step().fingerprint).collect();
    Ok((prints, format!("{:?}", simulation.summary())))
}
