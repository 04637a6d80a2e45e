//! Labelled rows out of a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use phalanx_capture::{
    CaptureError, CaptureMap, FileProblem, FlowReader, FlowRecord, Format, ReadOptions, Records, Transport,
    flow_rows, read_csv, read_npz,
};

use super::{EvaluationError, columns};

/// What a user says of the columns of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// Column of the label; CSV without a map needs it.
    pub label: Option<String>,
    /// Labels that mean benign; none for the usual ones.
    pub benign: Vec<String>,
    /// Columns to leave out.
    pub ignore: Vec<String>,
    /// Name of a map that is shipped, or a map file, in place of the three above.
    pub map: Option<String>,
    /// Whether the file may hold attacks alone: what is learned from does not depend on its labels.
    pub attacks_alone: bool,
}

/// The rows of one file, with the truth.
#[derive(Debug)]
pub struct Input {
    /// Where they are from.
    pub file: PathBuf,
    /// What they are.
    pub records: Records,
    /// What a user should know of how they were read.
    pub notes: Vec<String>,
    kind: Kind,
}

/// What a file is.
#[derive(Clone, Debug)]
enum Kind {
    Npz,
    Csv(Box<CaptureMap>),
    Flows,
}

impl Input {
    /// Reads npz, or CSV or a log of flows that may be packed.
    ///
    /// # Errors
    /// If the file cannot be read, or has no labels.
    pub fn read(file: &Path, options: &InputOptions) -> Result<Self, EvaluationError> {
        let own = |records, notes, kind| Self { file: file.to_owned(), records, notes, kind };
        let mut input = match Format::detect(Transport::open(file)?.head()) {
            Some(Format::Npz) => {
                refuse_csv_options(file, options, "an npz archive, whose arrays X and y need")?;
                own(read_npz(file)?, Vec::new(), Kind::Npz)
            }
            Some(_) => {
                refuse_csv_options(file, options, "a log of flows, whose features and labels need")?;
                let (records, notes) = read_flows(file)?;
                own(records, notes, Kind::Flows)
            }
            None => {
                let (map, notes) = match &options.map {
                    Some(name) => (named_map(name)?, Vec::new()),
                    None => columns::guess(file, options)?,
                };
                own(read_csv(file, &map)?, notes, Kind::Csv(Box::new(map)))
            }
        };
        if input.records.label(0).is_none() {
            return Err(EvaluationError::NoLabels { file: file.to_owned() });
        }
        match &options.label {
            Some(column) if options.benign.is_empty() && input.benign_rows().is_empty() => {
                let values: Vec<String> = input.records.attacks().into_iter().map(str::to_owned).collect();
                if options.attacks_alone {
                    input
                        .notes
                        .push(format!("no value of {column} says that a row is benign; --benign names them"));
                    return Ok(input);
                }
                Err(EvaluationError::BenignNotNamed { file: file.to_owned(), column: column.clone(), values })
            }
            _ => Ok(input),
        }
    }

    /// Reads a file of the same columns, to learn from. Without labels, all its rows are benign.
    ///
    /// # Errors
    /// If the file cannot be read, or has other columns.
    pub fn read_alike(&self, file: &Path) -> Result<Self, EvaluationError> {
        let format = Format::detect(Transport::open(file)?.head());
        let (records, notes) = match (&self.kind, format) {
            (_, Some(Format::Npz)) | (Kind::Npz, _) => (read_npz(file)?, Vec::new()),
            (Kind::Csv(map), None) => (read_csv(file, map)?, Vec::new()),
            (Kind::Flows, _) => read_flows(file)?,
            (Kind::Csv(_), Some(other)) => {
                let problem = FileProblem::OtherFormat { found: other.name(), wanted: "rows of CSV" };
                return Err(CaptureError::File { file: file.to_owned(), problem }.into());
            }
        };
        let names = |records: &Records| {
            let numeric = records.numeric().iter().map(|feature| feature.name.clone());
            numeric.chain(records.categorical().iter().cloned()).collect::<Vec<_>>()
        };
        let (expected, actual) = (names(&self.records), names(&records));
        if expected != actual {
            return Err(EvaluationError::TrainDiffers {
                file: self.file.clone(),
                train: file.to_owned(),
                expected: expected.len(),
                actual: actual.len(),
            });
        }
        Ok(Self { file: file.to_owned(), records, notes, kind: self.kind.clone() })
    }

    /// Whether the file is npz.
    #[must_use]
    pub fn is_npz(&self) -> bool {
        matches!(self.kind, Kind::Npz)
    }

    /// Whether the file is a log of flows, whose features are logarithms already.
    #[must_use]
    pub fn is_flows(&self) -> bool {
        matches!(self.kind, Kind::Flows)
    }

    /// Positions of the benign rows, ascending.
    #[must_use]
    pub fn benign_rows(&self) -> Vec<u32> {
        (0..self.records.rows()).filter(|row| self.records.is_benign(*row)).map(|row| row as u32).collect()
    }
}

/// The features of flows, without those whose label is no ground truth.
fn read_flows(file: &Path) -> Result<(Records, Vec<String>), EvaluationError> {
    let (mut flows, _) = FlowReader::open(file, &ReadOptions::default())?.read_all()?;
    let all = flows.len();
    flows.retain(FlowRecord::is_truth);
    let left_out = all - flows.len();
    if flows.is_empty() {
        return Err(EvaluationError::NoLabels { file: file.to_owned() });
    }
    let note = || format!("{left_out} flows are left out, whose label is no ground truth");
    Ok((flow_rows(&flows), (left_out > 0).then(note).into_iter().collect()))
}

fn refuse_csv_options(file: &Path, options: &InputOptions, is: &'static str) -> Result<(), EvaluationError> {
    let given = [
        ("--label", options.label.is_some()),
        ("--benign", !options.benign.is_empty()),
        ("--ignore", !options.ignore.is_empty()),
        ("--map", options.map.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(EvaluationError::OnlyForCsv { file: file.to_owned(), is, option }),
        None => Ok(()),
    }
}

fn named_map(name: &str) -> Result<CaptureMap, EvaluationError> {
    if let Some(map) = CaptureMap::builtin(name) {
        return Ok(map);
    }
    let file = Path::new(name);
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            EvaluationError::NoMap { name: name.to_owned(), known: CaptureMap::builtin_names() }
        }
        _ => CaptureError::File { file: file.to_owned(), problem: FileProblem::Io(error) }.into(),
    })?;
    Ok(CaptureMap::from_ron(&text).map_err(CaptureError::from)?)
}
