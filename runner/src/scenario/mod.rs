//! From a scenario file to a checked [`Scenario`], in layers.
//!
//! Lowest first: the defaults, the file that is extended (and what it extends), the file, environment variables
//! `PHALANX_PATH__TO__FIELD=value`, and flags (`--set path.to.field=value`, `--seed`). Blocks merge field by field
//! across layers, lists and single values replace. Every mistake is a [`ScenarioError`] that names the layer's
//! place, the field, what was expected and what to do.

mod error;
mod file;
mod overrides;
mod path;
mod probe;
mod text;
mod track;
mod tracker;

use std::path::Path;
use std::sync::Arc;

use phalanx_sim::scenario::{Capture, Contradiction, Detector, Ledger, Scenario, Traffic};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use error::{Origin, Problem, ScenarioError};
pub(crate) use file::source;
pub use overrides::Override;
pub(crate) use path::{nearest, same_name, snake_case};
pub(crate) use text::options as ron_options;

use crate::record::hex;
use file::{Stack, rebase};
use overrides::Applied;

/// A scenario, ready to run, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// All values; `extends` is resolved, and paths are absolute.
    pub scenario: Scenario,
    /// The file's name without folder and ending.
    pub name: String,
    /// What `--set` changed: path → value.
    pub params: Map<String, Value>,
    stack: Arc<Stack>,
    applied: Vec<Applied>,
}

/// Reads a scenario file and puts overrides over it, lowest first.
///
/// # Errors
/// The first mistake, with its place; see [`Problem`].
pub fn load(file: &Path, overrides: &[Override]) -> Result<Loaded, ScenarioError> {
    let stack = file::read(file)?;
    let (mut scenario, applied) = overrides::apply(stack.scenario.clone(), overrides)?;
    // A path given by flag is relative to the working folder, which is where relative paths start anyway.
    rebase(&mut scenario, Path::new(""), |path| applied.iter().any(|a| path::is_within(path, &a.path)));
    let name = file.file_stem().map_or_else(|| "scenario".to_owned(), |s| s.to_string_lossy().into_owned());
    let flags = applied.iter().filter(|a| a.is_flag() && a.path != "seed");
    let params = flags.map(|a| (a.path.clone(), a.value.clone())).collect();
    Loaded { scenario, name, params, stack: Arc::new(stack), applied }.checked()
}

/// A scenario as the manifest of an output folder keeps it: paths are absolute, everything is resolved.
///
/// # Errors
/// If it contradicts itself, which a manifest that was not edited does not.
pub fn restore(
    manifest: &Path,
    scenario: Scenario,
    name: String,
    params: Map<String, Value>,
) -> Result<Loaded, ScenarioError> {
    let stack = Stack::without_text(manifest, scenario.clone());
    Loaded { scenario, name, params, stack: Arc::new(stack), applied: Vec::new() }.checked()
}

impl Loaded {
    fn checked(self) -> Result<Self, ScenarioError> {
        match self.scenario.check() {
            Ok(()) => Ok(self),
            Err(contradiction) => Err(self.contradiction(contradiction)),
        }
    }

    /// The scenario with the levels of a configuration over it, which count as parameters.
    ///
    /// # Errors
    /// If a factor's path or level is wrong, or the levels contradict each other or the scenario.
    pub fn vary(&self, levels: &[Override]) -> Result<Self, ScenarioError> {
        if levels.is_empty() {
            return Ok(self.clone());
        }
        let (mut scenario, applied) = overrides::apply(self.scenario.clone(), levels)?;
        rebase(&mut scenario, Path::new(""), |path| applied.iter().any(|a| path::is_within(path, &a.path)));
        let mut params = self.params.clone();
        params.extend(applied.iter().map(|a| (a.path.clone(), a.value.clone())));
        let applied = self.applied.iter().cloned().chain(applied).collect();
        Self { scenario, params, name: self.name.clone(), stack: Arc::clone(&self.stack), applied }.checked()
    }

    /// A field that one of the topmost `levels` overrides gives although another override below it does: its path, and
    /// the other's words.
    #[must_use]
    pub(crate) fn given_twice(&self, levels: usize) -> Option<(String, String)> {
        let first = self.applied.len().saturating_sub(levels);
        (first..self.applied.len()).find_map(|index| {
            let path = &self.applied[index].path;
            let other = self.applied[..index].iter().find(|a| a.path == *path)?;
            Some((path.clone(), other.origin.to_string()))
        })
    }

    /// The overrides as after `--set`, so that the same scenario can be loaded again.
    #[must_use]
    pub fn overrides(&self) -> Vec<String> {
        self.applied.iter().map(|a| format!("{}={}", a.path, a.raw)).collect()
    }

    /// The scenario as JSON, all fields present.
    #[must_use]
    pub fn to_value(&self) -> Value {
        file::to_value(&self.scenario)
    }

    /// The error at the place of the value that has to change: the topmost layer that gave it.
    #[must_use]
    pub fn contradiction(&self, contradiction: Contradiction) -> ScenarioError {
        let Contradiction { path, message } = contradiction;
        let problem = Problem::Contradiction { message };
        let layers = &self.stack.layers;
        if let Some(by) = self.applied.iter().rev().find(|a| a.concerns(&path)) {
            return ScenarioError::new(by.origin.clone(), path, problem);
        }
        if let Some(layer) = layers.iter().find(|l| l.gives(&path)) {
            return layer.error_at(&path, problem);
        }
        // Nobody gave the value itself, so its default clashes with a neighbour that somebody gave.
        let neighbours = path::parent(&path);
        if let Some(by) = self.applied.iter().rev().find(|a| path::is_within(&a.path, neighbours)) {
            return ScenarioError::new(by.origin.clone(), path, problem);
        }
        layers.iter().find(|l| l.touches(&path)).unwrap_or(&layers[0]).error_at(&path, problem)
    }

    /// The error at the place where a file gives `path`, a part of a study, if a file does and nothing was put over it.
    #[must_use]
    pub(crate) fn error_in_study(&self, path: &str, message: &str, remedy: &str) -> Option<ScenarioError> {
        if self.applied.iter().any(|a| a.concerns(path)) {
            return None;
        }
        let problem = Problem::Study { message: message.to_owned(), remedy: remedy.to_owned() };
        self.stack.layers.iter().find(|l| l.gives(path)).map(|layer| layer.error_at(path, problem))
    }

    /// The scenario as a result may depend on it: files are named by the digests of their bytes instead of by their
    /// place; how often the ledger is synced, which other runs there are and what runs leave behind are left at
    /// their defaults. `data` holds the digests of the capture's
    /// `path`, `train` and, if it is a file, `map`, or of its `files`.
    #[must_use]
    pub fn portable(&self, data: &[[u8; 32]]) -> Scenario {
        let mut scenario = self.scenario.clone();
        let Scenario { ledger, study, studies, record, .. } = Scenario::default();
        // What is written to the ledger is part of what the run leaves; when it is synced is not.
        let ledger = Ledger { durability: ledger.durability, ..scenario.ledger };
        scenario = Scenario { ledger, study, studies, record, ..scenario };
        if let Traffic::Capture(capture) = &mut scenario.traffic {
            if capture.files.is_empty() {
                for (name, digest) in
                    [&mut capture.path, &mut capture.train, &mut capture.map].into_iter().zip(data)
                {
                    *name = format!("sha256:{}", hex(digest));
                }
            } else {
                // Names of files name agents in the results; where they lie, and what is not used, changes nothing.
                let unused = Capture::default();
                (capture.path, capture.train, capture.map) = ("logs".to_owned(), unused.train, unused.map);
                for (name, digest) in capture.files.iter_mut().zip(data) {
                    *name = format!("{name} sha256:{}", hex(digest));
                }
            }
        }
        if let Detector::Plugin(plugin) = &mut scenario.detector {
            plugin.path = format!("sha256:{}", plugin.sha256);
        }
        if let Some(plugin) = &mut scenario.consensus.plugin {
            plugin.path = format!("sha256:{}", plugin.sha256);
        }
        scenario
    }

    /// Identity of everything that a result depends on but the seed, which the run names itself: the SHA-256 of
    /// identity of [`Self::portable`].
    #[must_use]
    pub fn digest(&self, data: &[[u8; 32]]) -> [u8; 32] {
        let scenario = Scenario { seed: 0, ..self.portable(data) };
        Sha256::digest(scenario.identity()).into()
    }

    /// The scenario as RON that loads to the same scenario.
    #[must_use]
    pub fn to_ron(&self) -> String {
        let layout = ron::ser::PrettyConfig::new().indentor("    ");
        ron_options().to_string_pretty(&self.scenario, layout).expect("a scenario is plain data") + "\n"
    }
}

/// JSON Schema of scenario files, after RON is turned to JSON.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(Scenario).to_value()
}
