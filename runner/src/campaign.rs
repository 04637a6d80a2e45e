//! A campaign: a scenario, its study, and from them every run's job.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use miette::Diagnostic;
use phalanx_sim::scenario::{Design, Keep, Scenario, Study, Traffic};

use crate::error::RunnerError;
use crate::plan::condition::Condition;
use crate::plan::until::Until;
use crate::plan::{Configurations, Numbering, PlanError, PlannedRun, design, replicate_seed};
use crate::run::Job;
use crate::scenario::{Loaded, Override, same_name};
use crate::statistics::check_metric;
use crate::traffic::Source;

/// Jobs that are kept ready. A job is a few kilobytes.
const JOBS_KEPT: usize = 1024;
/// Campaigns that begin with at most so many runs keep ledgers and events, unless the scenario says otherwise.
const SMALL: u32 = 16;

/// What runs leave behind, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// A row a tick in `series/`.
    pub series: bool,
    /// A ledger on disk.
    pub ledger: bool,
    /// A line a tick in `events.jsonl`.
    pub events: bool,
}

/// What is known of a configuration without making it again.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Parameters as JSON, as in `runs.csv`.
    pub params: Box<str>,
    /// Number of agents.
    pub agents: u32,
    /// Number of ticks.
    pub ticks: u32,
    /// Root of the seeds.
    pub root: u64,
    /// Work of a run, in a unit that only compares: agents × ticks × flows.
    pub work: f64,
    /// Memory of a run, estimated.
    pub bytes: u64,
}

/// A scenario and its study, checked.
#[derive(Debug)]
pub struct Campaign {
    loaded: Loaded,
    study: Study,
    configurations: Configurations,
    // Numbers of the design's configurations that fulfil the conditions.
    chosen: Vec<u32>,
    outlines: Vec<Outline>,
    until: Option<Until>,
    kept: Kept,
    sources: Mutex<BTreeMap<String, Arc<Source>>>,
    jobs: Mutex<BTreeMap<u32, Arc<Job>>>,
}

impl Campaign {
    /// Makes all configurations once, to check them and their conditions. `folder` is what the study's table is
    /// relative to.
    ///
    /// # Errors
    /// If study and scenario do not fit, or a configuration is wrong; at its place, if a file says it.
    pub fn new(loaded: Loaded, study: Study, folder: &Path) -> Result<Self, RunnerError> {
        let (of, meant) = (loaded.clone(), study.clone());
        Self::checked(loaded, study, folder).map_err(|error| match error {
            RunnerError::Plan(error) => placed(&of, &meant, error),
            other => other,
        })
    }

    fn checked(loaded: Loaded, study: Study, folder: &Path) -> Result<Self, RunnerError> {
        let until = study.until.as_deref().map(Until::parse).transpose()?;
        if let (Some(until), Some(text)) = (&until, &study.until) {
            check_metric(until, text)?;
        }
        let configurations =
            Configurations::new(&study.factors, &study.design, loaded.scenario.seed, folder)?;
        let mut conditions: Vec<Condition> =
            study.conditions.iter().map(|text| Condition::parse(text)).collect::<Result<_, _>>()?;
        if !conditions.is_empty() && matches!(study.design, Design::Morris { .. } | Design::Saltelli { .. }) {
            let problem = "conditions would tear its rows apart: remove them".to_owned();
            return Err(PlanError::Design { design: design::name(&study.design).to_owned(), problem }.into());
        }
        if let Some(path) = configurations.paths().iter().find(|path| is_of_the_campaign(path)) {
            let problem = "belongs to the campaign, not to a run: only what a run does can vary".to_owned();
            return Err(PlanError::Levels { path: path.clone(), problem }.into());
        }
        let (mut chosen, mut outlines) = (Vec::new(), Vec::new());
        for index in 0..configurations.len() {
            let varied = vary(&loaded, &study, &configurations, index)?;
            if index == 0
                && let Some((path, other)) = varied.given_twice(configurations.paths().len())
            {
                let problem = format!("is given by `{other}` too: remove one of the two");
                return Err(PlanError::Levels { path, problem }.into());
            }
            if !conditions.is_empty() {
                let value = varied.to_value();
                let mut all = true;
                for condition in &mut conditions {
                    all &= condition.holds(&value)?;
                }
                if !all {
                    continue;
                }
            }
            chosen.push(index as u32);
            outlines.push(outline(&varied));
        }
        let plain = loaded.to_value();
        for condition in &conditions {
            condition.check_names(&plain)?;
        }
        if chosen.is_empty() {
            return Err(PlanError::Nothing { total: configurations.len() }.into());
        }
        let mut campaign = Self {
            loaded,
            study,
            configurations,
            chosen,
            outlines,
            until,
            kept: Kept { series: false, ledger: false, events: false },
            sources: Mutex::default(),
            jobs: Mutex::default(),
        };
        let small = campaign.numbering()?.len() <= SMALL;
        let decide = |keep, auto| match keep {
            Keep::Auto => auto,
            Keep::Always => true,
            Keep::Never => false,
        };
        let record = &campaign.loaded.scenario.record;
        campaign.kept = Kept {
            series: decide(record.series, true),
            ledger: decide(record.ledger, small),
            events: decide(record.events, small),
        };
        Ok(campaign)
    }

    /// With what was decided when the campaign began.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// The scenario without factors.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The study.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The design's configurations, before conditions.
    #[must_use]
    pub fn configurations(&self) -> &Configurations {
        &self.configurations
    }

    /// When a configuration has had enough replicates.
    #[must_use]
    pub fn until(&self) -> Option<&Until> {
        self.until.as_ref()
    }

    /// What runs leave behind.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// How many configurations are run.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.chosen.len() as u32
    }

    /// Whether none is run: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// What is known of a configuration.
    #[must_use]
    pub fn outline(&self, configuration: u32) -> &Outline {
        &self.outlines[configuration as usize]
    }

    /// The runs to begin with.
    ///
    /// # Errors
    /// If they are too many.
    pub fn numbering(&self) -> Result<Numbering, PlanError> {
        let reps = self.until.as_ref().map_or(self.study.replicates.get(), |until| until.min);
        Numbering::new(self.len(), reps)
    }

    /// Levels of a configuration as text, by factor.
    #[must_use]
    pub fn levels(&self, configuration: u32) -> Vec<String> {
        self.configurations.levels(self.chosen[configuration as usize] as usize)
    }

    /// The resolved scenario of a configuration, its traffic open.
    ///
    /// # Errors
    /// If its files cannot be read.
    pub fn job(&self, configuration: u32) -> Result<Arc<Job>, RunnerError> {
        if let Some(job) = self.jobs.lock().expect("no panic while it is held").get(&configuration) {
            return Ok(Arc::clone(job));
        }
        let index = self.chosen[configuration as usize] as usize;
        let varied = vary(&self.loaded, &self.study, &self.configurations, index)?;
        let job = Arc::new(match varied.scenario.traffic {
            Traffic::Capture(_) => {
                let key = serde_json::to_string(&(&varied.scenario.traffic, varied.scenario.agents));
                let key = key.expect("traffic is plain data");
                let mut sources = self.sources.lock().expect("no panic while it is held");
                let source = match sources.get(&key) {
                    Some(source) => Arc::clone(source),
                    None => Arc::new(Source::open(&varied.scenario)?),
                };
                sources.insert(key, Arc::clone(&source));
                Job::with_source(varied, source)
            }
            _ => Job::open(varied)?,
        });
        let mut jobs = self.jobs.lock().expect("no panic while it is held");
        if jobs.len() < JOBS_KEPT {
            jobs.insert(configuration, Arc::clone(&job));
        }
        Ok(job)
    }

    /// The seed of a run.
    #[must_use]
    pub fn seed(&self, run: &PlannedRun) -> u64 {
        let outline = self.outline(run.configuration);
        replicate_seed(self.study.seeds, outline.root, run.rep, &outline.params)
    }
}

fn vary(
    loaded: &Loaded,
    study: &Study,
    configurations: &Configurations,
    index: usize,
) -> Result<Loaded, RunnerError> {
    let levels = configurations.levels(index);
    let place = configurations.place(index);
    let overrides: Vec<Override> = configurations
        .paths()
        .iter()
        .zip(&levels)
        .map(|(path, level)| Override::from_factor(&place, path, level.clone()))
        .collect();
    loaded.vary(&overrides).map_err(|error| {
        let culprit = overrides.iter().position(|level| level.is_origin_of(&error));
        let factor = culprit.and_then(|i| Some((study.factors.get(i)?, &levels[i])));
        let located = factor.and_then(|(factor, level)| {
            let path = find(loaded, study, |s| {
                let index = s.factors.iter().position(|f| f == factor)?;
                Some(format!("factors.{index}"))
            })?;
            let message = format!("with {}={level}: {}: {}", factor.path, error.path(), error.problem());
            let remedy = error.help().map_or_else(String::new, |help| help.to_string());
            loaded.error_in_study(&path, &message, &remedy)
        });
        located.unwrap_or(error).into()
    })
}

/// Whether a path belongs to a scenario's words about all of its runs.
fn is_of_the_campaign(path: &str) -> bool {
    let block = path.split('.').next().unwrap_or(path);
    ["study", "studies", "record"].iter().any(|name| same_name(name, block))
}

/// An error of a plan at the place where a file says what is wrong.
fn placed(loaded: &Loaded, study: &Study, error: PlanError) -> RunnerError {
    let path = match &error {
        PlanError::Levels { path, .. } => {
            let factor = study.factors.iter().find(|f| f.path == *path);
            find(loaded, study, |s| {
                let index = s.factors.iter().position(|f| Some(f) == factor)?;
                Some(format!("factors.{index}"))
            })
        }
        PlanError::Condition { text, .. } => find(loaded, study, |s| {
            let index = s.conditions.iter().position(|c| c == text)?;
            Some(format!("conditions.{index}"))
        }),
        PlanError::Design { .. } => {
            find(loaded, study, |s| (s.design == study.design).then(|| "design".to_owned()))
        }
        PlanError::Until { text, .. } => {
            find(loaded, study, |s| (s.until.as_ref() == Some(text)).then(|| "until".to_owned()))
        }
        _ => None,
    };
    let located = path.and_then(|path| {
        let remedy = error.help().map_or_else(String::new, |help| help.to_string());
        loaded.error_in_study(&path, &error.to_string(), &remedy)
    });
    located.map_or_else(|| error.into(), RunnerError::from)
}

/// The path of a part of the scenario's studies: of the one that is meant, or one that it extends.
fn find(loaded: &Loaded, meant: &Study, of: impl Fn(&Study) -> Option<String>) -> Option<String> {
    let Scenario { study, studies, .. } = &loaded.scenario;
    let named = studies.iter().enumerate().map(|(index, study)| (format!("studies.{index}"), study));
    let mut all: Vec<(String, &Study)> = [("study".to_owned(), study)].into_iter().chain(named).collect();
    all.sort_by_key(|(_, study)| study.name != meant.name);
    all.iter().find_map(|(path, study)| Some(format!("{path}.{}", of(study)?)))
}

fn outline(loaded: &Loaded) -> Outline {
    let scenario = &loaded.scenario;
    let flows = match &scenario.traffic {
        Traffic::Synthetic(synthetic) => synthetic.flows.get(),
        Traffic::Gaussian(gaussian) => f64::from(gaussian.flows.get()),
        Traffic::Capture(_) => 100.0,
    };
    let (agents, ticks) = (scenario.agents.get(), scenario.ticks.get());
    Outline {
        params: serde_json::to_string(&loaded.params).expect("parameters are JSON").into(),
        agents,
        ticks,
        root: scenario.seed,
        work: f64::from(agents) * f64::from(ticks) * (flows + 1.0),
        bytes: scenario.memory_bytes(),
    }
}
