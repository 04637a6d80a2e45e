//! Where a run's flows come from, opened: nothing, or the files of a capture.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use phalanx_capture::{
    CaptureError, CaptureMap, Concentration, FileProblem, FlowLoadOptions, LoadOptions, Partition,
    ReadOptions,
};
use phalanx_sim::scenario::{Capture, Scenario, Split, Traffic};
use phalanx_sim::{Replay, TrafficInput};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::error::RunnerError;

/// Traffic that is ready to be divided over agents.
#[derive(Debug)]
pub enum Source {
    /// The simulation makes it.
    Generated,
    /// Files.
    Capture(Box<CaptureSource>),
}

/// The files of a capture.
#[derive(Debug)]
pub struct CaptureSource {
    options: Options,
    data: Vec<DataFile>,
}

/// How its files are read.
#[derive(Debug)]
enum Options {
    /// Rows by a map.
    Rows(LoadOptions),
    /// Flows of sensors' logs.
    Flows(FlowLoadOptions),
}

/// A file that results depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// SHA-256 of its bytes as they are stored.
    pub sha256: [u8; 32],
}

impl Source {
    /// Finds the scenario's files and takes their digests.
    ///
    /// # Errors
    /// If a file is missing or the map is wrong.
    pub fn open(scenario: &Scenario) -> Result<Self, RunnerError> {
        let Traffic::Capture(capture) = &scenario.traffic else { return Ok(Self::Generated) };
        let Capture { path, train, map, .. } = capture;
        let replay_path = at_hand(Path::new(path));
        let partition = partition(&capture.split)?;
        if !capture.files.is_empty() {
            return Self::open_flows(scenario, capture, &replay_path, partition);
        }
        let train_path = replay_path.parent().unwrap_or(Path::new("")).join(train);
        let mut data = vec![
            DataFile::read(&replay_path).map_err(refuse("traffic.capture.path", &replay_path))?,
            DataFile::read(&train_path).map_err(refuse("traffic.capture.train", &train_path))?,
        ];
        let map = match CaptureMap::builtin(map) {
            Some(map) => map,
            None => {
                let file = Path::new(map);
                data.push(DataFile::read(file).map_err(refuse("traffic.capture.map", file))?);
                let text = fs::read_to_string(file).map_err(refuse("traffic.capture.map", file))?;
                CaptureMap::from_ron(&text).map_err(|error| RunnerError::Capture {
                    field: "traffic.capture.map",
                    problem: Box::new(error.into()),
                })?
            }
        };
        let options =
            LoadOptions { train_path, replay_path, map, partition, agents: scenario.agents.get(), seed: 0 };
        Ok(Self::Capture(Box::new(CaptureSource { options: Options::Rows(options), data })))
    }

    fn open_flows(
        scenario: &Scenario,
        capture: &Capture,
        folder: &Path,
        partition: Partition,
    ) -> Result<Self, RunnerError> {
        if !folder.is_dir() {
            return Err(refuse("traffic.capture.path", folder)(io::ErrorKind::NotFound.into()));
        }
        let paths: Vec<PathBuf> = capture.files.iter().map(|file| folder.join(file)).collect();
        let read = |path: &PathBuf| DataFile::read(path).map_err(refuse("traffic.capture.files", path));
        let data = paths.iter().map(read).collect::<Result<_, _>>()?;
        let options = FlowLoadOptions {
            paths,
            read: ReadOptions { exports_both_ways: capture.both_ways, ..ReadOptions::default() },
            keep_background: false,
            hold_out: true,
            partition,
            agents: scenario.agents.get(),
            seed: 0,
        };
        Ok(Self::Capture(Box::new(CaptureSource { options: Options::Flows(options), data })))
    }

    /// Files that results depend on.
    #[must_use]
    pub fn data(&self) -> &[DataFile] {
        match self {
            Self::Generated => &[],
            Self::Capture(capture) => &capture.data,
        }
    }

    /// Their digests, in a fixed order.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; 32]> {
        self.data().iter().map(|file| file.sha256).collect()
    }

    /// The traffic of the run with this seed.
    ///
    /// # Errors
    /// Whatever is wrong with the files.
    pub fn input(&self, seed: u64) -> Result<TrafficInput, RunnerError> {
        let Self::Capture(capture) = self else { return Ok(TrafficInput::Generated) };
        let options = match &capture.options {
            Options::Rows(options) => LoadOptions { seed, ..options.clone() },
            Options::Flows(options) => return flows(&FlowLoadOptions { seed, ..options.clone() }),
        };
        let data = phalanx_capture::load(&options).map_err(|source| {
            let in_training = matches!(&source,
                CaptureError::File { file, .. } | CaptureError::Line { file, .. } | CaptureError::Cell { file, .. }
                if *file == options.train_path);
            let field = match &source {
                CaptureError::Map(_) => "traffic.capture.map",
                CaptureError::Partition(_) => "traffic.capture.split",
                _ if in_training => "traffic.capture.train",
                _ => "traffic.capture.path",
            };
            RunnerError::Capture { field, problem: Box::new(source) }
        })?;
        let flows: usize = data.replay.iter().map(phalanx_core::FlowBatch::rows).sum();
        info!(flows, features = data.schema.width(), "capture read");
        let phalanx_capture::Dataset { schema, labels, train, replay, .. } = data;
        Ok(TrafficInput::Replay(Replay {
            schema,
            labels,
            train,
            shards: replay,
            starts_us: Vec::new(),
            names: Vec::new(),
        }))
    }
}

/// The flows of logs; an agent that one file is for has its name.
fn flows(options: &FlowLoadOptions) -> Result<TrafficInput, RunnerError> {
    let data = phalanx_capture::load_flows(options).map_err(|source| {
        let field = match &source {
            CaptureError::Partition(_) => "traffic.capture.split",
            _ => "traffic.capture.files",
        };
        RunnerError::Capture { field, problem: Box::new(source) }
    })?;
    let flows: usize = data.flows.iter().map(phalanx_core::FlowBatch::rows).sum();
    info!(flows, background = data.background, "flow logs read");
    // A flow without a start is replayed at the very beginning.
    let all = data.starts_us.iter().flatten().flatten();
    let first = all.min().copied().unwrap_or(0);
    let starts = |starts: Vec<Option<i64>>| starts.into_iter().map(|s| s.unwrap_or(first)).collect();
    let names = match options.partition {
        Partition::ByFile if options.paths.len() == options.agents as usize => {
            let name = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.split('.').next().unwrap_or_default().to_owned()
            };
            options.paths.iter().map(name).collect()
        }
        _ => Vec::new(),
    };
    Ok(TrafficInput::Replay(Replay {
        schema: data.schema,
        labels: data.labels,
        train: data.train,
        shards: data.flows,
        starts_us: data.starts_us.into_iter().map(starts).collect(),
        names,
    }))
}

fn partition(split: &Split) -> Result<Partition, RunnerError> {
    Ok(match split {
        Split::Iid => Partition::Iid,
        Split::RoundRobin => Partition::RoundRobin,
        Split::ByColumn(column) => Partition::ByColumn(column.clone()),
        Split::SortedBy(column) => Partition::SortedBy(column.clone()),
        Split::ByFile => Partition::ByFile,
        Split::ByHost => Partition::ByHost,
        Split::BySubnet { bits } => Partition::BySubnet(*bits),
        Split::ByTime => Partition::ByTime,
        Split::Dirichlet { alpha } => {
            let alpha = Concentration::try_from(alpha.get()).map_err(|problem| RunnerError::Capture {
                field: "traffic.capture.split.dirichlet.alpha",
                problem: Box::new(problem.into()),
            })?;
            Partition::Dirichlet(alpha)
        }
    })
}

/// The path, if something is there. A path through a folder `data` that leads nowhere is looked for in the folder that
/// `PHALANX_DATA` names: of `…/data/zeek/a.log`, `$PHALANX_DATA/zeek/a.log`.
fn at_hand(path: &Path) -> PathBuf {
    let Some(folder) = std::env::var_os("PHALANX_DATA").filter(|_| !path.exists()) else {
        return path.to_owned();
    };
    let parts: Vec<_> = path.components().collect();
    let data = parts.iter().rposition(|part| part.as_os_str() == "data");
    let moved = data.map(|at| Path::new(&folder).join(parts[at + 1..].iter().collect::<PathBuf>()));
    moved.filter(|moved| moved.exists()).unwrap_or_else(|| path.to_owned())
}

impl DataFile {
    fn read(path: &Path) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = io::Read::read(&mut file, &mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        Ok(Self { path: path.to_owned(), sha256: hasher.finalize().into() })
    }
}

fn refuse(field: &'static str, file: &Path) -> impl FnOnce(io::Error) -> RunnerError {
    move |error| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => FileProblem::Missing,
            _ => FileProblem::Io(error),
        };
        let source = CaptureError::File { file: file.to_owned(), problem };
        RunnerError::Capture { field, problem: Box::new(source) }
    }
}
