//! Everything that ends a command, with the exit code it stands for.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use phalanx_capture::{CaptureError, MapError};
use phalanx_ledger::LedgerError;
use phalanx_plugin_host::CacheError;
use phalanx_plugin_pack::PackError;
use phalanx_sim::SimError;
use thiserror::Error;

use crate::bench::BenchError;
use crate::evaluation::EvaluationError;
use crate::exit::Exit;
use crate::plan::PlanError;
use crate::plugins::PluginProblem;
use crate::scenario::ScenarioError;
use crate::size::Bytes;

/// Why a command did not do what it was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum RunnerError {
    /// A scenario is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scenario(#[from] ScenarioError),
    /// A study is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] PlanError),
    /// A capture, or its map, is wrong.
    #[error("{field}: {problem}")]
    #[diagnostic(help("change `{field}` in the scenario or with --set {field}=…, or mend the file"))]
    Capture {
        /// The scenario's field that names the file.
        field: &'static str,
        /// What is wrong. Part of the message, so it is no `source` that a report would print a second time.
        problem: Box<CaptureError>,
    },
    /// A capture that the command line names is wrong.
    #[error("{0}")]
    #[diagnostic(help(
        "--format names a format, --map the columns of CSV; --any-zeek-log reads other logs than conn; \
         --lenient N skips up to N bad records"
    ))]
    CaptureFile(Box<CaptureError>),
    /// A map that the command line names is wrong.
    #[error("{}: {problem}", .file.display())]
    #[diagnostic(help("mend the map, or name another with --map"))]
    MapFile {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        problem: MapError,
    },
    /// Neither a map that is shipped nor a file.
    #[error("there is no map and no file called `{name}`; maps are {}", .known.join(", "))]
    #[diagnostic(help("name one of these with --map, or a file of your own"))]
    NoMap {
        /// As asked for.
        name: String,
        /// Names of maps that are shipped.
        known: Vec<&'static str>,
    },
    /// A saved set of measurements is none.
    #[error(transparent)]
    #[diagnostic(help("without --compare the figures are shown alone"))]
    Bench(#[from] BenchError),
    /// Nothing that is measured has such a name.
    #[error("nothing that is measured has `{name}` in its name; there are {known}")]
    #[diagnostic(help("name a part of one of these, or none for all"))]
    UnknownBench {
        /// As asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A file to write is there already.
    #[error("{} exists and is not overwritten", .path.display())]
    #[diagnostic(help("name another file with --output, or remove this one"))]
    OutputTaken {
        /// Which.
        path: PathBuf,
    },
    /// The simulation refuses its traffic, or could not start.
    #[error("{0}")]
    #[diagnostic(help(
        "the scenario is valid by itself; this concerns the traffic or the machine it runs on"
    ))]
    Simulation(Box<SimError>),
    /// The scenario needs more memory than allowed.
    #[error("the scenario needs about {estimate} of memory, more than the {limit} of --mem")]
    #[diagnostic(help("raise --mem, or lower `agents` ({agents} now) or `model.window_flows`"))]
    Memory {
        /// What it needs.
        estimate: Bytes,
        /// What is allowed.
        limit: Bytes,
        /// Agents of the scenario.
        agents: u32,
    },
    /// The output folder holds something.
    #[error("output folder {} is not empty", .folder.display())]
    #[diagnostic(help("name another folder with --out, or remove this one"))]
    FolderTaken {
        /// Which.
        folder: PathBuf,
    },
    /// The output folder is a file.
    #[error("output folder {} is a file", .folder.display())]
    #[diagnostic(help("name another folder with --out"))]
    FolderIsFile {
        /// Which.
        folder: PathBuf,
    },
    /// Another process writes to the output folder.
    #[error("output folder {} is being written by another process", .folder.display())]
    #[diagnostic(help("name another folder with --out, or wait until the other process ends"))]
    FolderLocked {
        /// Which.
        folder: PathBuf,
    },
    /// A folder that is no output folder, or one that was damaged.
    #[error("{}: {problem}", .path.display())]
    #[diagnostic(help("name an output folder of `runner run`; a damaged one has to be run anew"))]
    BadFolder {
        /// Folder or file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A campaign that cannot go on as it began.
    #[error("{}: {problem}", .folder.display())]
    #[diagnostic(help("{remedy}"))]
    Resume {
        /// Its folder.
        folder: PathBuf,
        /// What is in the way.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A checkpoint that a run cannot go on from.
    #[error("{}: {problem}", .path.display())]
    #[diagnostic(help("delete the file, and the run begins anew"))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    #[diagnostic(help("check that the disk has room and that you may write there"))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A ledger could not be written.
    #[error("ledger: {}", chain(&**.0))]
    #[diagnostic(help("the run's other results are not affected; remove the folder and run again"))]
    Ledger(Box<LedgerError>),
    /// No such ledger or output folder.
    #[error("{} holds no ledger", .path.display())]
    #[diagnostic(help("name an output folder of `runner run`, or one folder inside its `ledger/`"))]
    NoLedger {
        /// Which.
        path: PathBuf,
    },
    /// A ledger could not be read, or is not what was written.
    #[error("{}", chain(&**.0))]
    ReadLedger(Box<LedgerError>),
    /// Several ledgers where one is wanted.
    #[error("{} holds {count} ledgers and one is wanted", .path.display())]
    #[diagnostic(help("name one of them, for example {}", .first.display()))]
    ManyLedgers {
        /// The output folder.
        path: PathBuf,
        /// Number of its ledgers.
        count: usize,
        /// The first of them.
        first: PathBuf,
    },
    /// A file with a head, a proof or an export cannot be used.
    #[error("{what} {}: {reason}", .path.display())]
    #[diagnostic(help("`runner ledger head`, `prove` and `export --format jsonl` write such files"))]
    LedgerFile {
        /// What it should hold.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No such golden.
    #[error("no golden named `{name}` in {}{}", .folder.display(), .nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    #[diagnostic(help("make it with `runner golden bless SCENARIO.ron`"))]
    NoGolden {
        /// As asked for.
        name: String,
        /// Where goldens are looked for.
        folder: PathBuf,
        /// The most alike that exists.
        nearest: Option<String>,
    },
    /// Ctrl-C, before there was a result.
    #[error("interrupted: nothing was compared or written since")]
    #[diagnostic(help("run the same again"))]
    Interrupted,
    /// No goldens at all.
    #[error("there are no goldens in {}", .folder.display())]
    #[diagnostic(help(
        "make the first with `runner golden bless SCENARIO.ron`, or name their folder with --dir"
    ))]
    NoGoldens {
        /// Where they are looked for.
        folder: PathBuf,
    },
    /// A golden that is no golden.
    #[error("golden {}: {reason}", .path.display())]
    #[diagnostic(help("restore it from version control, or bless it anew"))]
    BadGolden {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Rows to compare detectors on, or a detector, cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A plugin of the scenario cannot be used.
    #[error("{field}: {}: {problem}", .file.display())]
    #[diagnostic(help("`runner plugin inspect` shows what the file is, `runner plugin check` what it does"))]
    Plugin {
        /// The scenario's field that names it.
        field: &'static str,
        /// Its file.
        file: PathBuf,
        /// What is wrong. Part of the message, so it is no `source` that a report would print a second time.
        problem: Box<PluginProblem>,
    },
    /// A plugin that the command line names cannot be used.
    #[error("{}: {problem}", .file.display())]
    #[diagnostic(help("docs/plugins.md says what a plugin is and how to build one"))]
    PluginFile {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        problem: Box<PluginProblem>,
    },
    /// A module that cannot be made a plugin.
    #[error("{}: {problem}", .file.display())]
    #[diagnostic(help("docs/plugins.md says what a module has to export"))]
    Pack {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        problem: PackError,
    },
    /// A name that is no name of a folder and a crate.
    #[error("`{name}` cannot be a plugin's name")]
    #[diagnostic(help("give letters, digits, - and _, and begin with a letter"))]
    PluginName {
        /// As given.
        name: String,
    },
    /// A folder of a new plugin is there already.
    #[error("{} exists and is not overwritten", .path.display())]
    #[diagnostic(help("give the plugin another name, or remove this"))]
    PluginTaken {
        /// Which.
        path: PathBuf,
    },
    /// A setting that is no setting.
    #[error("--config {text}: expected NAME=VALUE")]
    #[diagnostic(help("for example: --config lambda=0.2"))]
    PluginSetting {
        /// As given.
        text: String,
    },
    /// A scenario without plugins.
    #[error("{} names no plugin", .file.display())]
    #[diagnostic(help("name one by `path: \"….wasm\"`; only this file is looked at, not what it extends"))]
    NothingToPin {
        /// Which.
        file: PathBuf,
    },
    /// Compiled plugins cannot be kept where they should be.
    #[error("--plugin-cache: {problem}")]
    #[diagnostic(help("or leave --plugin-cache out: it saves time, and changes no result"))]
    PluginCache {
        /// Why not. Part of the message, so it is no `source` that a report would print a second time.
        problem: CacheError,
    },
    /// The system names no place for what can be made again.
    #[error("--plugin-cache: neither XDG_CACHE_HOME nor HOME is an absolute path")]
    #[diagnostic(help("name a folder: --plugin-cache=DIR"))]
    NoPluginCache,
    /// A golden would hold what no commit computes.
    #[error("{changed} has changes that are not committed")]
    #[diagnostic(help("commit first, so that a golden belongs to a commit; or give --force"))]
    DirtyEngine {
        /// The first such file.
        changed: String,
    },
    /// `--set` while refreshing all goldens.
    #[error("--set and --name concern one scenario: name it")]
    #[diagnostic(help(
        "for example: runner golden bless scenarios/edge.ron --name edge-small --set agents=5"
    ))]
    BlessNeedsScenario,
}

impl RunnerError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Simulation(error) if matches!(**error, SimError::Threads(_)) => Exit::Tool,
            Self::Ledger(error) | Self::ReadLedger(error) if error.is_mismatch() => Exit::Mismatch,
            Self::ReadLedger(error)
                if matches!(**error, LedgerError::OutOfRange { .. } | LedgerError::NoSuchSize { .. }) =>
            {
                Exit::BadInput
            }
            Self::Ledger(_) | Self::ReadLedger(_) | Self::Io { .. } => Exit::Tool,
            Self::Scenario(_)
            | Self::Plan(_)
            | Self::Capture { .. }
            | Self::CaptureFile(_)
            | Self::MapFile { .. }
            | Self::NoMap { .. }
            | Self::OutputTaken { .. }
            | Self::Bench(_)
            | Self::UnknownBench { .. }
            | Self::Simulation(_)
            | Self::Memory { .. }
            | Self::FolderTaken { .. }
            | Self::FolderIsFile { .. }
            | Self::FolderLocked { .. }
            | Self::BadFolder { .. }
            | Self::Resume { .. }
            | Self::Checkpoint { .. }
            | Self::NoLedger { .. }
            | Self::ManyLedgers { .. }
            | Self::LedgerFile { .. }
            | Self::NoGolden { .. }
            | Self::NoGoldens { .. }
            | Self::BadGolden { .. }
            | Self::Evaluation(_)
            | Self::Plugin { .. }
            | Self::PluginFile { .. }
            | Self::Pack { .. }
            | Self::PluginName { .. }
            | Self::PluginSetting { .. }
            | Self::PluginTaken { .. }
            | Self::NothingToPin { .. }
            | Self::PluginCache { .. }
            | Self::NoPluginCache
            | Self::DirtyEngine { .. }
            | Self::BlessNeedsScenario => Exit::BadInput,
        }
    }

    /// For `map_err`: names what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

impl From<CaptureError> for RunnerError {
    fn from(error: CaptureError) -> Self {
        Self::CaptureFile(Box::new(error))
    }
}

impl From<LedgerError> for RunnerError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(Box::new(error))
    }
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
