//! Where a run's flows come from, opened: nothing, or the files of a capture.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use phalanx_capture::{CaptureError, CaptureMap, FileProblem, LoadOptions, Partition};
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
    options: LoadOptions,
    data: Vec<DataFile>,
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
        let Capture { path, train, map, split } = capture;
        let replay_path = PathBuf::from(path);
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
        let partition = match split {
            Split::Iid => Partition::Iid,
            Split::RoundRobin => Partition::RoundRobin,
            Split::ByColumn(column) => Partition::ByColumn(column.clone()),
        };
        let options =
            LoadOptions { train_path, replay_path, map, partition, agents: scenario.agents.get(), seed: 0 };
        Ok(Self::Capture(Box::new(CaptureSource { options, data })))
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
        let options = LoadOptions { seed, ..capture.options.clone() };
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
        Ok(TrafficInput::Replay(Replay { schema, labels, train, shards: replay }))
    }
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
