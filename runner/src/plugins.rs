//! The plugins of a scenario: read, compared with their pinned hashes, compiled, and handed to the simulation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use phalanx_plugin_host::{
    BreakerConfig, CacheError, CacheNote, CodeCache, Config, Fallback, Fault, Isolation, Limits, LoadError,
    NanMode, Plugin, PluginEngine, PluginFactory, PluginRule, Value,
};
use phalanx_sim::Plugins;
use phalanx_sim::scenario::{self, Detector, RuleFault, Scenario, Setting};

use crate::error::RunnerError;

/// Why a plugin cannot be used. Its message names no file: whoever shows it does.
#[derive(Debug, thiserror::Error)]
pub enum PluginProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// It is not a plugin that this host can run.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// It refuses its configuration.
    #[error("{0}")]
    Init(#[from] Fault),
}

/// Reads a plugin's file, refusing one that is too large before it is in memory.
///
/// # Errors
/// If there is no such file, or it is too large.
pub fn read(path: &Path) -> Result<Vec<u8>, PluginProblem> {
    let bytes = std::fs::metadata(path).map_err(PluginProblem::Read)?.len();
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes > Limits::FILE_BYTES {
        return Err(LoadError::TooLarge { bytes }.into());
    }
    std::fs::read(path).map_err(PluginProblem::Read)
}

/// Where compiled plugins are kept, if the command line says so. No result depends on it.
static CACHE: OnceLock<CodeCache> = OnceLock::new();

/// Keeps compiled plugins in `folder` from now on; without one, where programs of this user keep what can be made again.
///
/// # Errors
/// If there is no such place, or others could write to it.
pub fn keep_compiled(folder: Option<&Path>) -> Result<(), RunnerError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder.map(Path::to_owned).or_else(|| {
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        Some(caches?.join("phalanx/plugins"))
    });
    let cache = CodeCache::open(&folder.ok_or(RunnerError::NoPluginCache)?)
        .map_err(|problem: CacheError| RunnerError::PluginCache { problem })?;
    CACHE.set(cache).expect("the command line is read once");
    Ok(())
}

/// Where compiled plugins are kept, if they are.
#[must_use]
pub fn cache() -> Option<CodeCache> {
    CACHE.get().cloned()
}

/// The engine that runs use, with the cache of compiled plugins if there is one.
#[must_use]
pub fn engine(nan: NanMode) -> PluginEngine {
    PluginEngine::new(nan).with_cache(cache())
}

/// Says what became of the compiled plugins that were asked for.
pub fn tell_of_cache() {
    for note in CACHE.get().map(CodeCache::take_notes).unwrap_or_default() {
        match note {
            CacheNote::Found { .. } | CacheNote::Kept { .. } => tracing::info!("{note}"),
            CacheNote::Spoilt { .. } | CacheNote::NotKept { .. } => tracing::warn!("{note}"),
        }
    }
}

/// Settings of the scenario in the host's words.
#[must_use]
pub fn config(settings: &BTreeMap<String, Setting>) -> Config {
    let value = |setting: &Setting| match setting {
        Setting::Flag(flag) => Value::Flag(*flag),
        Setting::Number(number) => Value::Number(*number),
        Setting::Text(text) => Value::Text(text.clone()),
    };
    settings.iter().map(|(name, setting)| (name.clone(), value(setting))).collect()
}

/// Loads what the scenario names, for the run with this seed.
///
/// # Errors
/// If a file is missing, is not the pinned one, or is no plugin of the kind that is needed.
pub fn load(scenario: &Scenario, seed: u64) -> Result<Plugins, RunnerError> {
    load_by(scenario, seed, read)
}

/// As [`load`], with `read` for what is at a path.
///
/// # Errors
/// As [`load`].
pub fn load_by(
    scenario: &Scenario,
    seed: u64,
    read: impl Fn(&Path) -> Result<Vec<u8>, PluginProblem>,
) -> Result<Plugins, RunnerError> {
    let mut plugins = Plugins::default();
    if let Detector::Plugin(words) = &scenario.detector {
        let factory = open(words, &read)
            .and_then(|plugin| {
                Ok(PluginFactory::new(plugin, config(&words.config), isolation(words), breaker(words))?)
            })
            .map_err(refuse("detector.plugin", &words.path))?;
        plugins.detector = Some(Arc::new(factory));
    }
    if let Some(words) = &scenario.consensus.plugin {
        let fallback = match words.on_fault {
            RuleFault::Abstain | RuleFault::Abort => Fallback::Open,
            RuleFault::Rule => Fallback::Native(scenario.consensus.rule.clone()),
        };
        let rule = open(words, &read)
            .and_then(|plugin| {
                let (isolation, breaker) = (isolation(words), breaker(words));
                let rule =
                    PluginRule::new(plugin, config(&words.config), seed, isolation, breaker, fallback)?;
                rule.try_init()?;
                Ok(rule)
            })
            .map_err(refuse("consensus.plugin", &words.path))?;
        plugins.rule = Some(Box::new(rule));
    }
    Ok(plugins)
}

/// Whether a run of the scenario is to fail at a fault of this place's plugin.
#[must_use]
pub fn aborts(scenario: &Scenario, slot: phalanx_core::PluginSlot) -> bool {
    match slot {
        phalanx_core::PluginSlot::Detector => matches!(
            &scenario.detector,
            Detector::Plugin(words) if words.on_fault == scenario::DetectorFault::Abort
        ),
        phalanx_core::PluginSlot::Voting => {
            scenario.consensus.plugin.as_ref().is_some_and(|words| words.on_fault == RuleFault::Abort)
        }
    }
}

/// The engine's version and settings, for manifests; nothing if the scenario names no plugin.
#[must_use]
pub fn settings(scenario: &Scenario) -> BTreeMap<String, String> {
    let nan = match (&scenario.detector, &scenario.consensus.plugin) {
        (Detector::Plugin(words), _) => words.nan,
        (_, Some(words)) => words.nan,
        _ => return BTreeMap::new(),
    };
    let settings = PluginEngine::new(nan_mode(nan)).settings();
    settings.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}

/// What distinguishes loaded plugins: file, hash, NaN mode, limits.
type Key = (PathBuf, [u8; 32], bool, [u32; 3]);

/// Compiled plugins of this process: runs of a batch share them.
static LOADED: Mutex<BTreeMap<Key, Plugin>> = Mutex::new(BTreeMap::new());

fn open<F: Default>(
    words: &scenario::Plugin<F>,
    read: impl Fn(&Path) -> Result<Vec<u8>, PluginProblem>,
) -> Result<Plugin, PluginProblem> {
    let pinned = words.pinned().expect("the scenario was checked");
    let limits = words.limits;
    let numbers = [limits.memory_mib.get(), limits.call_fuel.get(), limits.row_fuel.get()];
    let key = (PathBuf::from(&words.path), pinned, words.nan == scenario::Nan::Reject, numbers);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plugin) = loaded.get(&key) {
        return Ok(plugin.clone());
    }
    let limits = Limits {
        memory_bytes: u64::from(numbers[0]) << 20,
        call_fuel: u64::from(numbers[1]),
        row_fuel: u64::from(numbers[2]),
        ..Limits::default()
    };
    let plugin = Plugin::load(&engine(nan_mode(words.nan)), &read(&key.0)?, Some(pinned), limits);
    tell_of_cache();
    let plugin = plugin?;
    loaded.insert(key, plugin.clone());
    Ok(plugin)
}

fn nan_mode(nan: scenario::Nan) -> NanMode {
    match nan {
        scenario::Nan::Canonical => NanMode::Canonical,
        scenario::Nan::Reject => NanMode::Reject,
    }
}

fn isolation<F: Default>(words: &scenario::Plugin<F>) -> Isolation {
    match words.isolation {
        scenario::Isolation::Live => Isolation::Live,
        scenario::Isolation::Hermetic => Isolation::Hermetic,
    }
}

fn breaker<F: Default>(words: &scenario::Plugin<F>) -> BreakerConfig {
    BreakerConfig {
        faults_max: words.breaker.faults.get(),
        cooldown_ticks: words.breaker.cooldown_ticks.get(),
    }
}

fn refuse(field: &'static str, path: &str) -> impl FnOnce(PluginProblem) -> RunnerError {
    let file = PathBuf::from(path);
    move |problem| RunnerError::Plugin { field, file, problem: Box::new(problem) }
}
