//! Loads shipped scenarios (one file, no layers) and runs them.

use phalanx_sim::scenario::Scenario;
use phalanx_sim::summary::Summary;
use phalanx_sim::{Simulation, TickRecord, TrafficInput};
use ron::extensions::Extensions;

/// A shipped scenario by name. `extends` is the loader's business; tests do without.
pub(crate) fn shipped(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    parse(&text)
}

/// A scenario from text, with the extensions that the loader switches on.
pub(crate) fn parse(text: &str) -> Scenario {
    let options = ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES);
    options.from_str(text).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a whole scenario.
pub(crate) fn run(scenario: &Scenario, threads: usize) -> (Vec<TickRecord>, Summary) {
    let mut simulation = Simulation::new(scenario, TrafficInput::Generated, threads).unwrap();
    let records = (0..scenario.ticks.get()).map(|_| simulation.step()).collect();
    (records, simulation.summary())
}
