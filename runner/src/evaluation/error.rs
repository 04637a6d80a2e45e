//! What can be wrong with the rows that detectors are to be compared on.

use std::path::PathBuf;

use miette::Diagnostic;
use phalanx_capture::CaptureError;
use phalanx_detect::DetectError;
use thiserror::Error;

use crate::scenario::nearest;

/// Why a file of labelled rows cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum EvaluationError {
    /// The file, or the map of its columns, is wrong.
    #[error("{0}")]
    #[diagnostic(help(
        "a file holds finite numbers and a label: npz with arrays X and y, CSV with a header, or a labelled log of flows; \
         --ignore COLUMN leaves a column of a CSV file out"
    ))]
    Capture(Box<CaptureError>),
    /// Neither a map that is shipped nor a file.
    #[error("there is no map and no file called `{name}`; maps are {}", known.join(", "))]
    #[diagnostic(help("name one of these with --map, or a file of your own"))]
    NoMap {
        /// As it was asked for.
        name: String,
        /// Names of maps that are shipped.
        known: Vec<&'static str>,
    },
    /// A CSV file, and no word on its label.
    #[error("{}: no word on which column is the label; there are {}", .file.display(), listed(known))]
    #[diagnostic(help("name it with --label COLUMN, or give --map"))]
    LabelNotNamed {
        /// Which file.
        file: PathBuf,
        /// Its columns.
        known: Vec<String>,
    },
    /// An option names a column that is not there.
    #[error(
        "{}:1: the header has no column `{column}`{}; there are {}",
        .file.display(),
        nearest(column, known.iter().map(String::as_str)).map_or_else(String::new, |n| format!(", did you mean `{n}`?")),
        listed(known)
    )]
    #[diagnostic(help("correct {option}"))]
    NoColumn {
        /// Which file.
        file: PathBuf,
        /// The option.
        option: &'static str,
        /// What it names.
        column: String,
        /// The file's columns.
        known: Vec<String>,
    },
    /// A header and nothing below it.
    #[error("{} has a header and no rows", .file.display())]
    #[diagnostic(help("fetch it again, or name another file"))]
    NoRows {
        /// Which file.
        file: PathBuf,
    },
    /// Rows without a truth.
    #[error("{} has no labels", .file.display())]
    #[diagnostic(help(
        "npz needs an array y with 0 for benign rows; a map needs a column of kind Label; a log of flows needs labels \
         such as Malicious and Benign, unless it is what --train names"
    ))]
    NoLabels {
        /// Which file.
        file: PathBuf,
    },
    /// Nothing that is known to be benign, though nobody said what is.
    #[error(
        "{}: no value of the label column `{column}` is known to mean benign; there are {}",
        .file.display(),
        listed(values)
    )]
    #[diagnostic(help("name those that do with --benign VALUE…"))]
    BenignNotNamed {
        /// Which file.
        file: PathBuf,
        /// Its label column.
        column: String,
        /// Its labels.
        values: Vec<String>,
    },
    /// Semi-supervised learning without rows to learn from.
    #[error("{} has {found} benign rows; to learn from benign rows takes at least {needed}", .file.display())]
    #[diagnostic(help("check --benign, give other rows with --train FILE, or use --mode unsup"))]
    NoBenignRows {
        /// Which file.
        file: PathBuf,
        /// Benign rows that it has.
        found: usize,
        /// Benign rows that it would take.
        needed: usize,
    },
    /// Training and test rows of different columns.
    #[error("{} has {expected} columns of features, {} has {actual} or others", .file.display(), .train.display())]
    #[diagnostic(help("--train must hold the same columns in the same order"))]
    TrainDiffers {
        /// The file that is scored.
        file: PathBuf,
        /// The file that is learnt from.
        train: PathBuf,
        /// Columns of `file`.
        expected: usize,
        /// Columns of `train`.
        actual: usize,
    },
    /// A rule about a feature that is not there.
    #[error(
        "rules `{rules}`: there is no feature `{feature}`{}; there are {}",
        nearest(feature, known.iter().map(String::as_str)).map_or_else(String::new, |n| format!(", did you mean `{n}`?")),
        listed(known)
    )]
    #[diagnostic(help(
        "a clause is FEATURE<LIMIT with < <= = != >= or >, or the name of a flag alone: proto=tcp"
    ))]
    NoFeature {
        /// All rules.
        rules: String,
        /// The name.
        feature: String,
        /// Names that there are.
        known: Vec<String>,
    },
    /// Options of CSV for a file that is none.
    #[error("{} is {is} no {option}", .file.display())]
    #[diagnostic(help("leave {option} out"))]
    OnlyForCsv {
        /// Which file.
        file: PathBuf,
        /// What it is, up to the verb.
        is: &'static str,
        /// The option.
        option: &'static str,
    },
    /// A detector refuses its parameters or rows.
    #[error("{detector}: {problem}")]
    #[diagnostic(help(
        "parameters are given as --detector {name}:PARAMETER=VALUE,…; it has {}",
        listed(known)
    ))]
    Detector {
        /// Name and parameters.
        detector: String,
        /// Its name.
        name: &'static str,
        /// Its parameters.
        known: &'static [&'static str],
        /// What is wrong.
        problem: Box<DetectError>,
    },
}

impl From<CaptureError> for EvaluationError {
    fn from(error: CaptureError) -> Self {
        Self::Capture(Box::new(error))
    }
}

/// At most twelve names: a file may have thousands of columns.
fn listed(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 12;
    if names.is_empty() {
        return "none".to_owned();
    }
    let head = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{head} and {more} more"),
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..14).map(|i| i.to_string()).collect();
        assert_eq!(listed(&names[..2]), "0, 1");
        assert_eq!(listed(&names[..12]), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11");
        assert_eq!(listed(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more");
        assert_eq!(listed(&[""; 0]), "none");
    }
}
