//! Plugins of drawn scenarios: two examples that the program carries, so that a swarm needs no files.

use std::path::Path;

use phalanx_sim::Plugins;
use phalanx_sim::scenario::{Detector, Plugin, PluginLimits, Positive, Scenario, Setting};
use sha2::{Digest, Sha256};

use crate::error::RunnerError;
use crate::plugins::{PluginProblem, load_by};
use crate::record::hex;

/// A detector, and its path from the repository's folder, where a scenario that `--show` prints finds it.
const DETECTOR: (&str, &[u8]) =
    ("plugins/built/ewma.wasm", include_bytes!("../../../plugins/built/ewma.wasm"));
/// A voting rule.
const RULE: (&str, &[u8]) =
    ("plugins/built/reputation.wasm", include_bytes!("../../../plugins/built/reputation.wasm"));

/// Fuel of a call that lets the detector begin and score a few rows, but fail at many.
const SCARCE_CALL_FUEL: u32 = 20_000;

/// Names the plugins that the program carries wherever a drawn scenario has one. How long instances live, what is done at
/// a fault and when a plugin is left alone stay as drawn; every third detector is short of fuel, so that it fails at times.
pub(super) fn pin(scenario: &mut Scenario) {
    let scarce = scenario.seed.is_multiple_of(3);
    if let Detector::Plugin(words) = &mut scenario.detector {
        name(words, DETECTOR, ("lambda", 0.5));
        if scarce {
            words.limits.call_fuel = Positive::new(SCARCE_CALL_FUEL);
            words.limits.row_fuel = Positive::new(1);
        }
    }
    if let Some(words) = &mut scenario.consensus.plugin {
        name(words, RULE, ("forgetting", 0.95));
    }
}

fn name<F: Default>(words: &mut Plugin<F>, (path, bytes): (&str, &[u8]), (setting, value): (&str, f64)) {
    path.clone_into(&mut words.path);
    words.sha256 = hex(&Sha256::digest(bytes));
    words.config = [(setting.to_owned(), Setting::Number(value))].into();
    words.limits = PluginLimits::default();
}

/// The plugins of a drawn scenario.
pub(super) fn load(scenario: &Scenario) -> Result<Plugins, RunnerError> {
    load_by(scenario, scenario.seed, |path| {
        let of = |(name, bytes): (&str, &[u8])| (path == Path::new(name)).then(|| bytes.to_vec());
        of(DETECTOR)
            .or_else(|| of(RULE))
            .ok_or_else(|| PluginProblem::Read(std::io::Error::other("no plugin of the swarm")))
    })
}
