//! One tick of the shipped scenarios: `cargo bench -p phalanx-sim`.
//!
//! Each bench builds its world once and then measures successive ticks on one thread; the counter is agent-ticks.

use std::cell::RefCell;

use divan::Bencher;
use divan::counter::ItemsCount;
use phalanx_sim::scenario::Scenario;
use phalanx_sim::{Simulation, TrafficInput};
use ron::extensions::Extensions;

fn main() {
    divan::main();
}

fn shipped(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
    ron::Options::default()
        .with_default_extension(extensions)
        .from_str(&text)
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn one_tick(bencher: Bencher<'_, '_>, name: &str, threads: usize) {
    let scenario = shipped(name);
    let build = || Simulation::new(&scenario, TrafficInput::Generated, threads).unwrap();
    let simulation = RefCell::new(build());
    bencher
        .counter(ItemsCount::new(scenario.agents.get()))
        .with_inputs(|| {
            // Ticks past the scenario's end are legal for generated traffic, but they would measure a world that has
            // nothing left to happen.
            if simulation.borrow().tick().0 >= u64::from(scenario.ticks.get()) {
                simulation.replace(build());
            }
        })
        .bench_local_values(|()| simulation.borrow_mut().step());
}

#[divan::bench(args = [1, 2])]
fn edge(bencher: Bencher<'_, '_>, threads: usize) {
    one_tick(bencher, "edge", threads);
}

#[divan::bench(args = [1, 2], sample_count = 20)]
fn classic(bencher: Bencher<'_, '_>, threads: usize) {
    one_tick(bencher, "classic", threads);
}

#[divan::bench(args = [1, 2])]
fn production(bencher: Bencher<'_, '_>, threads: usize) {
    one_tick(bencher, "production", threads);
}
