//! Labelled rows out of a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use phalanx_capture::{
    CaptureError, CaptureMap, FileProblem, Format, Records, Transport, read_csv, read_npz,
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
    /// `None` for npz.
    map: Option<CaptureMap>,
}

impl Input {
    /// Reads npz, or CSV that may be packed.
    ///
    /// # Errors
    /// If the file cannot be read, or has no labels.
    pub fn read(file: &Path, options: &InputOptions) -> Result<Self, EvaluationError> {
        let mut input = if is_npz(file)? {
            refuse_csv_options(file, options)?;
            Self { file: file.to_owned(), records: read_npz(file)?, notes: Vec::new(), map: None }
        } else {
            let (map, notes) = match &options.map {
                Some(name) => (named_map(name)?, Vec::new()),
                None => columns::guess(file, options)?,
            };
            Self { file: file.to_owned(), records: read_csv(file, &map)?, notes, map: Some(map) }
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
        let records = match &self.map {
            Some(map) if !is_npz(file)? => read_csv(file, map)?,
            _ => read_npz(file)?,
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
        Ok(Self { file: file.to_owned(), records, notes: Vec::new(), map: self.map.clone() })
    }

    /// Whether the file is npz.
    #[must_use]
    pub fn is_npz(&self) -> bool {
        self.map.is_none()
    }

    /// Positions of the benign rows, ascending.
    #[must_use]
    pub fn benign_rows(&self) -> Vec<u32> {
        (0..self.records.rows()).filter(|row| self.records.is_benign(*row)).map(|row| row as u32).collect()
    }
}

/// By the first bytes. Formats of flows are refused, since they hold no rows of features.
fn is_npz(file: &Path) -> Result<bool, EvaluationError> {
    match Format::detect(Transport::open(file)?.head()) {
        Some(Format::Npz) => Ok(true),
        None => Ok(false),
        Some(other) => {
            let problem = FileProblem::OtherFormat { found: other.name(), wanted: "rows of features" };
            Err(CaptureError::File { file: file.to_owned(), problem }.into())
        }
    }
}

fn refuse_csv_options(file: &Path, options: &InputOptions) -> Result<(), EvaluationError> {
    let given = [
        ("--label", options.label.is_some()),
        ("--benign", !options.benign.is_empty()),
        ("--ignore", !options.ignore.is_empty()),
        ("--map", options.map.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(EvaluationError::NotForNpz { file: file.to_owned(), option }),
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
