//! The conformance suite: whether a plugin keeps the promises of the contract.
//!
//! What the contract says of one call is asked directly. What it says of repetition is asked by a *story*: a fixed run
//! of calls whose answers have one digest, however instances come and go ([`Isolation`]), whatever way the code was
//! compiled ([`NanMode`], [`CodeMode`]) and on however many threads the story is told.

mod detector;
mod story;
mod voting;

use crate::cache::CodeCache;
use crate::contract::Kind;
use crate::engine::{CodeMode, NanMode, PluginEngine};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::plugin::{LoadError, Plugin};
use crate::setup::Config;

use story::{Mode, Story, Told};

/// What a plugin is checked with.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Its settings.
    pub config: Config,
    /// Features of the rows that it is given.
    pub columns: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// Where compiled code is kept, if it is.
    pub cache: Option<CodeCache>,
}

impl Default for CheckOptions {
    /// No settings, eight columns.
    fn default() -> Self {
        let columns = (0..8).map(|i| format!("column{i}")).collect();
        Self { config: Config::new(), columns, limits: Limits::default(), cache: None }
    }
}

/// How one promise was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The promise.
    pub promise: &'static str,
    /// Nothing if it was kept, else what happened instead.
    pub broken: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The promises, in the order in which they were checked.
    pub findings: Vec<Finding>,
    /// Figures: what, how much.
    pub figures: Vec<(&'static str, String)>,
}

impl CheckReport {
    /// Whether all promises were kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.broken.is_none())
    }

    fn find(&mut self, promise: &'static str, kept: Result<(), String>) {
        self.findings.push(Finding { promise, broken: kept.err() });
    }
}

/// Checks a plugin. A component that is none of this contract has broken its first promise.
///
/// # Errors
/// If the bytes are no component, which promises nothing.
pub fn check(bytes: &[u8], options: &CheckOptions) -> Result<CheckReport, LoadError> {
    let mut report = CheckReport::default();
    let load = |nan, code| {
        let engine = PluginEngine::with_code(nan, code).with_cache(options.cache.clone());
        Plugin::load(&engine, bytes, None, options.limits)
    };
    let plugin = load(NanMode::Canonical, CodeMode::Native);
    if let Err(error) = &plugin
        && error.is_no_component()
    {
        return Err(error.clone());
    }
    let says = |error: &LoadError| error.to_string();
    report.find("is a component of this contract without imports", plugin.as_ref().map(|_| ()).map_err(says));
    let Ok(plugin) = plugin else { return Ok(report) };
    let others: Result<Vec<_>, LoadError> = [
        ("nan: reject", NanMode::Reject, CodeMode::Native),
        ("an older processor", NanMode::Canonical, CodeMode::Baseline),
        ("no optimisation", NanMode::Canonical, CodeMode::Unoptimised),
    ]
    .into_iter()
    .map(|(name, nan, code)| Ok((name, load(nan, code)?)))
    .collect();
    let same =
        |others: &Vec<(&str, Plugin)>| match others.iter().find(|(_, other)| other.about() != plugin.about())
        {
            Some((name, other)) => Err(format!("{:?} with {name}, else {:?}", other.about(), plugin.about())),
            None => Ok(()),
        };
    report.find("describes itself alike every time", others.as_ref().map_err(says).and_then(same));
    let Ok(others) = others else { return Ok(report) };
    match plugin.kind() {
        Kind::Detector => {
            let story = detector::DetectorStory::new(&plugin, options);
            story.promises(&plugin, &mut report);
            repeat(&story, &plugin, &others, &mut report);
        }
        Kind::Voting => {
            let story = voting::VotingStory::new(options);
            story.promises(&plugin, &mut report);
            repeat(&story, &plugin, &others, &mut report);
        }
    }
    report.figures.insert(0, ("file", format!("{} bytes", plugin.about().bytes)));
    Ok(report)
}

/// Agents that tell a story on several threads.
const AGENTS: u32 = 6;

fn repeat<S: Story>(story: &S, plugin: &Plugin, others: &[(&str, Plugin)], report: &mut CheckReport) {
    let tell = |plugin: &Plugin, mode, agent| story::tell(story, plugin, mode, agent);
    let told = tell(plugin, Mode::Live, 0);
    let says = |fault: &Fault| fault.to_string();
    report.find("answers a run of calls without a fault", told.as_ref().map(|_| ()).map_err(says));
    let Ok(told) = told else { return };
    let like = |other: Result<Told, Fault>, how: &str| match other {
        Ok(other) if other.digest == told.digest => Ok(()),
        Ok(_) => Err(format!("other answers {how}")),
        Err(fault) => Err(format!("{fault} ({how})")),
    };
    report.find("gives the same answers again", like(tell(plugin, Mode::Live, 0), "the second time"));
    report.find(
        "keeps no state that it does not save",
        like(tell(plugin, Mode::Resumed, 0), "when it is resumed from its saved state at every step")
            .and_then(|()| like(tell(plugin, Mode::Hermetic, 0), "from a fresh instance for every call")),
    );
    report.find("does not depend on threads or on other instances", threads(story, plugin));
    for (promise, name) in [
        ("gives the same bits with and without canonical NaN", "nan: reject"),
        ("gives the same bits on an older processor", "an older processor"),
        ("gives the same bits without optimisation", "no optimisation"),
    ] {
        let other = &others.iter().find(|(other, _)| *other == name).expect("all were loaded").1;
        let other = tell(other, Mode::Live, 0);
        let fuel = other.as_ref().map_or(told.fuel, |other| other.fuel);
        let kept = like(other, "then").and_then(|()| {
            let differs = format!("{fuel} fuel instead of {}", told.fuel);
            (fuel == told.fuel).then_some(()).ok_or(differs)
        });
        report.find(promise, kept);
    }
    let kept = if told.memory_last > told.memory_first {
        Err(format!("{} bytes after the first step, {} after the last", told.memory_first, told.memory_last))
    } else {
        Ok(())
    };
    report.find("needs no more memory as time goes by", kept);
    report.figures.push((story.fuel_of(), format!("{:.0}", told.fuel as f64 / told.items as f64)));
    report.figures.push(("memory of an instance", format!("{} KiB", told.memory_last >> 10)));
    report.figures.push(("state", format!("{} bytes", told.state_bytes)));
}

/// Whether several agents on one thread and on eight have the same answers.
fn threads<S: Story>(story: &S, plugin: &Plugin) -> Result<(), String> {
    let tell = |agent| story::tell(story, plugin, Mode::Live, agent).map(|told| told.digest);
    let alone: Vec<_> = (0..AGENTS).rev().map(tell).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let spawn = |agent| {
            let builder = std::thread::Builder::new().stack_size(4 * Limits::STACK_BYTES);
            builder.spawn_scoped(scope, move || tell(agent)).expect("a thread can be started")
        };
        let handles: Vec<_> = (0..AGENTS).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().expect("telling a story does not panic")).collect()
    });
    if alone.iter().rev().eq(&together) { Ok(()) } else { Err("other answers on several threads".to_owned()) }
}
