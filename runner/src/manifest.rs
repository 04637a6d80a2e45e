//! `manifest.json`: everything that is needed to repeat the runs of a folder, or to go on with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use phalanx_sim::scenario::{Design, Scenario, Study};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::batch::{Options, Shard};
use crate::campaign::{Campaign, Kept};
use crate::error::RunnerError;
use crate::output::{OutFolder, write_whole};
use crate::plan::{Numbering, SEED_FORMULA};
use crate::plugins;
use crate::record::hex;
use crate::run::Job;
use crate::scenario::{Loaded, load, restore};
use crate::table::csv_text;
use sha2::{Digest, Sha256};

/// Version of the folder's layout.
const FORMAT: u32 = 2;
/// Name of the file.
pub const FILE: &str = "manifest.json";
/// Copy of the CSV file of a study whose configurations are listed in one.
const TABLE: &str = "table.csv";

/// What a folder's results follow from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    engine: Engine,
    /// Name of the scenario.
    pub name: String,
    /// The scenario's file, absolute.
    pub file: PathBuf,
    /// What was put over it, as after `--set`, the environment's words included.
    pub overrides: Vec<String>,
    /// What `--set` changed: path → value.
    pub params: Map<String, Value>,
    /// The resolved scenario, before factors.
    pub scenario: Scenario,
    /// Identity of scenario and data, before factors.
    pub scenario_digest: String,
    /// The study that is run, flags included.
    pub study: Study,
    /// What runs leave behind.
    pub record: Kept,
    /// The part of the campaign that is in this folder.
    pub shard: Option<Shard>,
    seed_formula: String,
    /// SHA-256 of the plan's first round.
    pub plan_sha256: String,
    /// Files that results depend on.
    pub data: Vec<Data>,
    /// What runs the plugins: wasmtime's version and every setting that results could depend on; nothing without any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    plugins: BTreeMap<String, String>,
    host: Host,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Engine {
    version: String,
    commit: Option<String>,
    rustc: Option<String>,
    target: Option<String>,
}

/// A file that results depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Where it was.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// Facts that no result depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Host {
    threads: usize,
    jobs: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint_every: Option<u64>,
}

impl Engine {
    fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("RUNNER_BUILD_COMMIT").map(str::to_owned),
            rustc: option_env!("RUNNER_BUILD_RUSTC").map(str::to_owned),
            target: option_env!("RUNNER_BUILD_TARGET").map(str::to_owned),
        }
    }
}

impl Manifest {
    /// The manifest of a campaign that begins. `job` is that of its scenario before factors.
    #[must_use]
    pub fn new(
        campaign: &Campaign,
        file: &Path,
        job: &Job,
        shard: Option<Shard>,
        plan_sha256: String,
        options: &Options,
    ) -> Self {
        let loaded = campaign.loaded();
        Self {
            format: FORMAT,
            engine: Engine::this(),
            name: loaded.name.clone(),
            file: std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            overrides: loaded.overrides(),
            params: loaded.params.clone(),
            scenario: loaded.scenario.clone(),
            scenario_digest: hex(&job.digest()),
            study: campaign.study().clone(),
            record: campaign.kept(),
            shard,
            seed_formula: SEED_FORMULA.to_owned(),
            plan_sha256,
            data: data(job),
            plugins: plugins::settings(&loaded.scenario),
            host: Host {
                threads: options.threads,
                jobs: options.jobs,
                checkpoint_every: options.checkpoint_every,
            },
        }
    }

    /// Ticks between two checkpoints of a run, as the campaign began.
    #[must_use]
    pub fn checkpoint_every(&self) -> Option<u64> {
        self.host.checkpoint_every
    }

    /// The engine that wrote it: version and, if it is known, commit.
    #[must_use]
    pub fn engine_text(&self) -> String {
        let commit = self.engine.commit.as_deref().map(|c| format!(", commit {}", &c[..c.len().min(12)]));
        format!("version {}{}", self.engine.version, commit.unwrap_or_default())
    }

    /// Reads the manifest of an output folder.
    ///
    /// # Errors
    /// If there is none, or it is of another format.
    pub fn read(folder: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(FILE);
        let bad = |problem: String| RunnerError::BadFolder { path: path.clone(), problem };
        let text = fs::read_to_string(&path).map_err(|error| bad(format!("no manifest: {error}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            other => {
                let other = other.map_or_else(|| "none".to_owned(), |f| f.to_string());
                return Err(bad(format!("format {other} is not the {FORMAT} of this version")));
            }
        }
        serde_json::from_value(value).map_err(|error| bad(error.to_string()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), RunnerError> {
        let text = serde_json::to_string_pretty(self).expect("a manifest is plain data with text keys");
        write_whole(&folder.join(FILE), &(text + "\n"))
    }

    /// The campaign, as it began.
    ///
    /// # Errors
    /// If data are missing, or the manifest was edited.
    pub fn campaign(&self, folder: &Path) -> Result<Campaign, RunnerError> {
        let loaded =
            restore(&folder.join(FILE), self.scenario.clone(), self.name.clone(), self.params.clone())?;
        let mut study = self.study.clone();
        let table = self.file.parent().unwrap_or(Path::new(""));
        if let Design::Table { file } = &mut study.design {
            // The configurations are those of the day that the campaign began.
            let kept = folder.join(TABLE);
            *file = if kept.is_file() { kept } else { table.join(&*file) }.to_string_lossy().into_owned();
        }
        Ok(Campaign::new(loaded, study, Path::new(""))?.keeping(self.record))
    }

    /// Refuses to go on if the plan is not the one that the campaign began with.
    ///
    /// # Errors
    /// If runs would have other parameters or seeds.
    pub fn check_plan(&self, folder: &Path, campaign: &Campaign) -> Result<(), RunnerError> {
        let mut hasher = Sha256::new();
        plan(campaign, &campaign.numbering()?, self.shard, |line| {
            hasher.update(line);
            Ok(())
        })?;
        if hex(&hasher.finalize()) == self.plan_sha256 {
            return Ok(());
        }
        Err(RunnerError::Resume {
            folder: folder.to_owned(),
            problem: "its runs would have other parameters or seeds than the campaign began with".to_owned(),
            remedy: "restore manifest.json and table.csv, or begin anew in another folder",
        })
    }

    /// Refuses to go on if scenario, data or engine are not those that the campaign began with.
    ///
    /// # Errors
    /// What has changed, for a scenario with its line.
    pub fn check_unchanged(&self, folder: &Path, campaign: &Campaign) -> Result<(), RunnerError> {
        let refuse =
            |problem: String, remedy| Err(RunnerError::Resume { folder: folder.to_owned(), problem, remedy });
        let this = Engine::this();
        if this.version != self.engine.version {
            let problem = format!("was begun by version {}, this is {}", self.engine.version, this.version);
            return refuse(problem, "go on with the version that began it, or begin anew in another folder");
        }
        if self.engine.commit.is_some() && this.commit.is_some() && this.commit != self.engine.commit {
            let short = |c: &Option<String>| c.as_deref().map_or("", |c| &c[..c.len().min(12)]).to_owned();
            let problem = format!(
                "was begun by commit {}, this is {}",
                short(&self.engine.commit),
                short(&this.commit)
            );
            return refuse(problem, "go on with the build that began it, or begin anew in another folder");
        }
        let plugins = plugins::settings(&self.scenario);
        if let Some((what, was)) = self.plugins.iter().find(|(what, was)| plugins.get(*what) != Some(was)) {
            let is = plugins.get(what).map_or("not known", String::as_str);
            let problem = format!("ran its plugins with {what} {was}, which here is {is}");
            return refuse(problem, "go on with the build that began it, or begin anew in another folder");
        }
        if self.file.is_file() {
            self.check_file()?;
        }
        self.check_data(folder, campaign)
    }

    /// Refuses data that are not those the campaign ran on.
    ///
    /// # Errors
    /// The first file that has changed.
    pub fn check_data(&self, folder: &Path, campaign: &Campaign) -> Result<(), RunnerError> {
        let refuse =
            |problem: String, remedy| Err(RunnerError::Resume { folder: folder.to_owned(), problem, remedy });
        let job = Job::open(campaign.loaded().clone())?;
        for (was, is) in self.data.iter().zip(data(&job)) {
            if was.sha256 != is.sha256 {
                let problem = format!("{} is not the file that the campaign began with", was.path);
                return refuse(problem, "restore the file, or begin anew in another folder");
            }
        }
        Ok(())
    }

    /// Whether the scenario's file still says what it said.
    fn check_file(&self) -> Result<(), RunnerError> {
        let overrides: Vec<crate::scenario::Override> = self
            .overrides
            .iter()
            .map(|text| crate::scenario::Override::from_flag(text))
            .collect::<Result<_, _>>()?;
        let now = load(&self.file, &overrides)?;
        let was = serde_json::to_value(&self.scenario).expect("a scenario is plain data");
        let Some((path, before, after)) = first_difference(&was, &now.to_value()) else { return Ok(()) };
        Err(changed(&now, &path, &before, &after).into())
    }
}

fn changed(now: &Loaded, path: &str, before: &Value, after: &Value) -> crate::scenario::ScenarioError {
    let path = path.split('.').map(crate::scenario::snake_case).collect::<Vec<_>>().join(".");
    now.contradiction(phalanx_sim::scenario::Contradiction {
        message: format!("is {after}, and was {before} when the campaign began: restore it, or begin anew"),
        path,
    })
}

/// The first value that differs, by path.
pub(crate) fn first_difference(a: &Value, b: &Value) -> Option<(String, Value, Value)> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    crate::table::walk("", a, &mut left);
    crate::table::walk("", b, &mut right);
    let of = |cells: &[(String, Value)], path: &str| {
        cells.iter().find(|(p, _)| p == path).map_or(Value::Null, |(_, value)| value.clone())
    };
    left.iter().chain(&right).map(|(path, _)| path).find_map(|path| {
        let (before, after) = (of(&left, path), of(&right, path));
        (before != after).then(|| (path.clone(), before, after))
    })
}

fn data(job: &Job) -> Vec<Data> {
    let files = job.source().data().iter();
    files.map(|f| Data { path: f.path.display().to_string(), sha256: hex(&f.sha256) }).collect()
}

/// Keeps the file that lists a study's configurations, if one does.
///
/// # Errors
/// If it cannot be copied.
pub fn keep_table(campaign: &Campaign, beside: &Path, folder: &Path) -> Result<(), RunnerError> {
    if let Design::Table { file } = &campaign.study().design {
        let to = folder.join(TABLE);
        fs::copy(beside.join(file), &to).map_err(RunnerError::io("copy the table to", &to))?;
    }
    Ok(())
}

/// Writes `plan.csv`, and returns its SHA-256 in hex.
///
/// # Errors
/// If it cannot be written.
pub fn write_plan(
    folder: &OutFolder,
    campaign: &Campaign,
    numbering: &Numbering,
    shard: Option<Shard>,
) -> Result<String, RunnerError> {
    let mut hasher = Sha256::new();
    let mut file = folder.begin("plan.csv")?;
    plan(campaign, numbering, shard, |line| {
        hasher.update(line);
        file.write(line)
    })?;
    file.finish()?;
    Ok(hex(&hasher.finalize()))
}

/// The lines of `plan.csv`.
fn plan(
    campaign: &Campaign,
    numbering: &Numbering,
    shard: Option<Shard>,
    mut put: impl FnMut(&[u8]) -> Result<(), RunnerError>,
) -> Result<(), RunnerError> {
    let mut put = |cells: Vec<String>| put(csv_text([cells]).as_bytes());
    put(["run_id", "configuration", "scenario", "seed", "rep", "agents", "ticks", "params"]
        .map(str::to_owned)
        .to_vec())?;
    for run in (0..numbering.len()).filter(|run| shard.is_none_or(|s| s.has(*run))) {
        let run = numbering.run(run);
        let outline = campaign.outline(run.configuration);
        put(vec![
            run.run_id.to_string(),
            run.configuration.to_string(),
            campaign.loaded().name.clone(),
            campaign.seed(&run).to_string(),
            run.rep.to_string(),
            outline.agents.to_string(),
            outline.ticks.to_string(),
            outline.params.to_string(),
        ])?;
    }
    Ok(())
}
