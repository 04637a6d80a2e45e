//! `manifest.json`: everything that is needed to repeat the runs of a folder.

use phalanx_sim::scenario::Scenario;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::plan::{PlannedRun, SEED_FORMULA};
use crate::record::hex;
use crate::scenario::Loaded;
use crate::table::csv_text;
use crate::traffic::DataFile;

/// Version of the folder's layout.
const FORMAT: u32 = 1;

/// What a folder's results follow from.
#[derive(Debug, Serialize)]
pub struct Manifest<'a> {
    format: u32,
    engine: Engine,
    name: &'a str,
    params: &'a Map<String, Value>,
    scenario: &'a Scenario,
    scenario_digest: String,
    seed_formula: &'static str,
    plan_sha256: String,
    data: Vec<Data>,
    host: Host,
}

#[derive(Debug, Serialize)]
struct Engine {
    version: &'static str,
    commit: Option<&'static str>,
    rustc: Option<&'static str>,
    target: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Data {
    path: String,
    sha256: String,
}

/// Facts that no result depends on.
#[derive(Debug, Serialize)]
struct Host {
    threads: usize,
}

impl<'a> Manifest<'a> {
    /// The manifest of runs of one scenario; `plan` is the text of `plan.csv`.
    #[must_use]
    pub fn new(loaded: &'a Loaded, digest: [u8; 32], data: &[DataFile], plan: &str, threads: usize) -> Self {
        let engine = Engine {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("RUNNER_BUILD_COMMIT"),
            rustc: option_env!("RUNNER_BUILD_RUSTC"),
            target: option_env!("RUNNER_BUILD_TARGET"),
        };
        let data = data
            .iter()
            .map(|file| Data { path: file.path.display().to_string(), sha256: hex(&file.sha256) })
            .collect();
        Self {
            format: FORMAT,
            engine,
            name: &loaded.name,
            params: &loaded.params,
            scenario: &loaded.scenario,
            scenario_digest: hex(&digest),
            seed_formula: SEED_FORMULA,
            plan_sha256: hex(&Sha256::digest(plan)),
            data,
            host: Host { threads },
        }
    }

    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is plain data with text keys") + "\n"
    }
}

/// `plan.csv`.
#[must_use]
pub fn plan_csv(loaded: &Loaded, runs: &[PlannedRun]) -> String {
    let header = ["run_id", "scenario", "seed", "rep", "agents", "ticks", "params"];
    let params = Value::Object(loaded.params.clone()).to_string();
    let rows = runs.iter().map(|run| {
        vec![
            run.run_id.to_string(),
            loaded.name.clone(),
            run.seed.to_string(),
            run.rep.to_string(),
            loaded.scenario.agents.get().to_string(),
            loaded.scenario.ticks.get().to_string(),
            params.clone(),
        ]
    });
    csv_text(std::iter::once(header.map(str::to_owned).to_vec()).chain(rows))
}
