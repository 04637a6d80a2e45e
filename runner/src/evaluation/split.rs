//! Which rows a detector learns from, and which it is asked about.

use phalanx_capture::Encoder;
use phalanx_detect::{ColumnKind, Scaling, Transform};

use super::{EvaluationError, Input};

/// Where the rows to learn from come from, if they are in the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Fit to every second benign row, score the others and all attacks
    #[value(name = "semi")]
    SemiSupervised,
    /// Fit to all rows, labels unseen, and score the same rows
    #[value(name = "unsup")]
    Unsupervised,
}

/// Rows to learn from and rows to score, of one encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Names of the features.
    pub features: Vec<String>,
    /// Row-major; `None` where the rows to score are those to learn from.
    train: Option<Vec<f32>>,
    /// Row-major, at least one row.
    pub test: Vec<f32>,
    /// The truth of the rows to score.
    pub anomalous: Vec<bool>,
}

impl Split {
    /// Divides one file. Half of the benign rows is every second of them in the file's order, from the first: the
    /// same half for every seed, so that detectors without randomness have one figure.
    ///
    /// # Errors
    /// If there are no benign rows to divide.
    pub fn within(input: &Input, mode: Mode, log1p: bool) -> Result<Self, EvaluationError> {
        let all: Vec<u32> = (0..input.records.rows() as u32).collect();
        if mode == Mode::Unsupervised {
            return Ok(Self::of(input, None, &all, log1p));
        }
        let benign = input.benign_rows();
        if benign.is_empty() {
            return Err(EvaluationError::NoBenignRows { file: input.file.clone(), found: 0, needed: 1 });
        }
        let train: Vec<u32> = benign.into_iter().step_by(2).collect();
        let test: Vec<u32> = all.into_iter().filter(|row| train.binary_search(row).is_err()).collect();
        if test.is_empty() {
            return Err(EvaluationError::NoBenignRows { file: input.file.clone(), found: 1, needed: 2 });
        }
        Ok(Self::of(input, Some((input, &train)), &test, log1p))
    }

    /// The benign rows of one file to learn from, all rows of another to score.
    ///
    /// # Errors
    /// If there are no benign rows to learn from.
    pub fn between(train: &Input, test: &Input, log1p: bool) -> Result<Self, EvaluationError> {
        let benign = train.benign_rows();
        if benign.is_empty() {
            return Err(EvaluationError::NoBenignRows { file: train.file.clone(), found: 0, needed: 1 });
        }
        let all: Vec<u32> = (0..test.records.rows() as u32).collect();
        Ok(Self::of(test, Some((train, &benign)), &all, log1p))
    }

    fn of(input: &Input, train: Option<(&Input, &[u32])>, test: &[u32], log1p: bool) -> Self {
        let (learnt, rows) = train.unwrap_or((input, test));
        let mut encoder = Encoder::fit(&learnt.records, |row| rows.binary_search(&(row as u32)).is_ok());
        let width = encoder.schema().width();
        let numeric = encoder.schema().features()[..learnt.records.numeric().len()].to_vec();
        let mut encode = |input: &Input, rows: &[u32]| {
            let batch = encoder.encode_rows(&input.records, rows);
            if !log1p {
                return batch.features().to_vec();
            }
            // Flags of categories, and numbers that the map has as logarithms already, stay as they are.
            let kind = |i: usize| match numeric.get(i) {
                Some(feature) if !feature.log1p => ColumnKind::Log1p,
                _ => ColumnKind::Linear,
            };
            let kinds: Vec<ColumnKind> = (0..width).map(kind).collect();
            let fitted = Transform::fit(batch.features(), &kinds, Scaling::None);
            fitted.and_then(|t| t.apply(batch.features())).expect("records are whole rows of finite numbers")
        };
        let train = train.map(|(input, rows)| encode(input, rows));
        let test_rows = encode(input, test);
        Self {
            features: encoder.schema().features().iter().map(|feature| feature.name.clone()).collect(),
            train,
            test: test_rows,
            anomalous: test.iter().map(|row| !input.records.is_benign(*row as usize)).collect(),
        }
    }

    /// Rows that are both learnt from and scored.
    #[cfg(test)]
    pub(super) fn unsupervised(features: &[&str], test: &[f32], anomalous: &[bool]) -> Self {
        let features = features.iter().map(|&name| name.to_owned()).collect();
        Self { features, train: None, test: test.to_vec(), anomalous: anomalous.to_vec() }
    }

    /// The rows to learn from, row-major.
    #[must_use]
    pub fn train(&self) -> &[f32] {
        self.train.as_ref().unwrap_or(&self.test)
    }

    /// Number of rows to learn from.
    #[must_use]
    pub fn train_rows(&self) -> usize {
        self.train().len() / self.features.len()
    }

    /// Number of rows to score.
    #[must_use]
    pub fn test_rows(&self) -> usize {
        self.anomalous.len()
    }

    /// Whether the rows to score are those to learn from.
    #[must_use]
    pub fn is_unsupervised(&self) -> bool {
        self.train.is_none()
    }

    /// Share of the rows to score that are anomalous.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.anomalous.iter().filter(|anomalous| **anomalous).count() as f64 / self.test_rows() as f64
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::evaluation::InputOptions;

    /// A file of its own, and how to read it.
    fn input(folder: &tempfile::TempDir, name: &str, text: &str) -> Input {
        let file: PathBuf = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let options = InputOptions { label: Some("y".to_owned()), ..InputOptions::default() };
        Input::read(&file, &options).unwrap()
    }

    const FILE: &str = "a,p,y\n0,tcp,normal\n1,tcp,scan\n2,udp,normal\n3,icmp,normal\n";

    #[test]
    fn modes_divide_as_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let input = input(&folder, "f.csv", FILE);
        let split = Split::within(&input, Mode::Unsupervised, false).unwrap();
        assert_eq!(split.features, ["a", "p=icmp", "p=tcp", "p=udp"]);
        assert_eq!(split.test[4..8], [1.0, 0.0, 1.0, 0.0]);
        assert_eq!(split.train(), split.test);
        assert_eq!((split.prevalence(), split.anomalous), (0.25, vec![false, true, false, false]));

        // Rows 0 and 3 train, so `udp` is a category without a feature.
        let split = Split::within(&input, Mode::SemiSupervised, false).unwrap();
        assert_eq!(split.features, ["a", "p=icmp", "p=tcp"]);
        assert_eq!(split.train(), [0.0, 0.0, 1.0, 3.0, 1.0, 0.0]);
        assert_eq!(split.test, [1.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
        assert_eq!(split.anomalous, [true, false]);
    }

    #[test]
    fn another_file_gives_its_benign_rows() {
        let folder = tempfile::tempdir().unwrap();
        let test = input(&folder, "f.csv", FILE);
        let train = input(&folder, "t.csv", "a,p,y\n7,udp,normal\n9,tcp,scan\n");
        let split = Split::between(&train, &test, false).unwrap();
        assert_eq!(split.features, ["a", "p=udp"]);
        assert_eq!(split.train(), [7.0, 1.0]);
        assert_eq!((split.train_rows(), split.test_rows()), (1, 4));
    }

    #[test]
    fn logarithms_are_for_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let input = input(&folder, "f.csv", "a,p,y\n0,x,0\n-1,x,0\n1e6,z,1\n");
        let split = Split::within(&input, Mode::Unsupervised, true).unwrap();
        let ln = |x: f64| x.ln() as f32;
        assert_eq!(split.test, [0.0, 1.0, 0.0, -ln(2.0), 1.0, 0.0, ln(1_000_001.0), 0.0, 1.0]);
    }

    #[test]
    fn nothing_benign_is_nothing_to_learn_from() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f.csv");
        fs::write(&file, "a,y\n1,scan\n").unwrap();
        let options = InputOptions {
            label: Some("y".to_owned()),
            benign: vec!["ok".to_owned()],
            ..InputOptions::default()
        };
        let input = Input::read(&file, &options).unwrap();
        let error = Split::within(&input, Mode::SemiSupervised, false).unwrap_err();
        assert!(matches!(error, EvaluationError::NoBenignRows { found: 0, .. }), "{error}");
    }
}
