//! Columns of a CSV file that has no map: what they hold is read off their values.
//!
//! The file is read twice. This first pass only decides what each column is; the second, by capture's strict reader,
//! takes the values, so that a broken one is an error with its line and column as in any other capture.

use std::collections::BTreeSet;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};
use phalanx_capture::{CaptureMap, ColumnKind, Transport};
use phalanx_core::Unit;

use super::{EvaluationError, InputOptions};

/// A column of more kinds is a name of things rather than a kind of them.
const CATEGORIES_MAX: usize = 256;

/// Labels that are benign where nobody says otherwise.
const BENIGN: [&str; 12] = [
    "0", "0.0", "normal", "Normal", "NORMAL", "normal.", "benign", "Benign", "BENIGN", "false", "False",
    "FALSE",
];

/// What a column has shown so far.
#[derive(Default)]
struct Column {
    filled: bool,
    /// The first value that is no number, and its line.
    text: Option<(u64, String)>,
    categories: BTreeSet<Vec<u8>>,
}

/// A map of the file's columns, and what a user should know of the choices that were made.
pub(super) fn guess(
    path: &Path,
    options: &InputOptions,
) -> Result<(CaptureMap, Vec<String>), EvaluationError> {
    let transport = Transport::open(path)?;
    let delimiter = delimiter(transport.head());
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(transport);
    // What cannot be read here cannot be read by the strict reader either, which says so better.
    let header = reader.byte_headers().cloned().unwrap_or_default();
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let label = label(path, &names, options)?;
    let ignored = ignored(path, &names, options)?;

    let mut columns: Vec<Column> = names.iter().map(|_| Column::default()).collect();
    let mut record = ByteRecord::new();
    // A record that cannot be read counts: the strict reader will say what is wrong with it.
    let mut has_rows = false;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) if !has_rows => return Err(EvaluationError::NoRows { file: path.to_owned() }),
            Ok(true) => has_rows = true,
            Ok(false) | Err(_) => break,
        }
        let line = record.position().map_or(0, csv::Position::line);
        for (column, value) in columns.iter_mut().zip(&record) {
            column.show(value, line);
        }
    }

    let benign = match options.benign.as_slice() {
        [] => BENIGN.map(str::to_owned).to_vec(),
        given => given.to_vec(),
    };
    let mut notes = Vec::new();
    let mut kinds = Vec::with_capacity(names.len());
    for (i, (name, column)) in names.iter().zip(&columns).enumerate() {
        let twin = names[..i].contains(name) && i != label;
        kinds.push(match i {
            _ if i == label => ColumnKind::Label { benign: benign.clone() },
            _ if ignored.contains(&i) => ColumnKind::Drop,
            // What pandas calls the index of its rows.
            _ if name.is_empty() => {
                notes.push(format!("column {} has no name: ignored", i + 1));
                ColumnKind::Drop
            }
            _ if twin => {
                notes.push(format!("column `{name}` is there twice: the second is ignored"));
                ColumnKind::Drop
            }
            _ => column.kind(name, &mut notes),
        });
    }
    let map = CaptureMap {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        delimiter: char::from(delimiter),
        header: true,
        columns: names.into_iter().zip(kinds).collect(),
        protocol: None,
        port: None,
        remote: None,
        columns_by_name: false,
        not_finite: Default::default(),
        empty: Default::default(),
        unknown_protocol: Default::default(),
        encoding: Default::default(),
    };
    Ok((map, notes))
}

impl Column {
    fn show(&mut self, value: &[u8], line: u64) {
        if value.is_empty() {
            return;
        }
        self.filled = true;
        let is_number = || std::str::from_utf8(value).is_ok_and(|text| text.parse::<f32>().is_ok());
        if self.text.is_none() && !is_number() {
            self.text = Some((line, String::from_utf8_lossy(value).chars().take(24).collect()));
        }
        if self.categories.len() <= CATEGORIES_MAX && !self.categories.contains(value) {
            self.categories.insert(value.to_owned());
        }
    }

    /// A number that is missing, NaN or infinite is for the strict reader to refuse.
    fn kind(&self, name: &str, notes: &mut Vec<String>) -> ColumnKind {
        let count = self.categories.len();
        match &self.text {
            None if self.filled => ColumnKind::Numeric { unit: Unit::None, log1p: false },
            None => {
                notes.push(format!("column `{name}` is empty: ignored"));
                ColumnKind::Drop
            }
            Some((line, text)) if count > CATEGORIES_MAX => {
                notes.push(format!(
                    "column `{name}` is text (line {line}: {text:?}) of more than {CATEGORIES_MAX} kinds: ignored"
                ));
                ColumnKind::Drop
            }
            Some((line, text)) => {
                notes.push(format!(
                    "column `{name}` is text (line {line}: {text:?}): a flag for each of {count} kinds"
                ));
                ColumnKind::Categorical
            }
        }
    }
}

/// Whichever of the usual ones the header has most of.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    // The last of equal ones is taken, so the comma where there is none of any.
    b"\t;,".iter().copied().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn label(path: &Path, names: &[String], options: &InputOptions) -> Result<usize, EvaluationError> {
    match &options.label {
        Some(column) => position(path, names, "--label", column),
        None => Err(EvaluationError::LabelNotNamed { file: path.to_owned(), known: names.to_vec() }),
    }
}

fn ignored(
    path: &Path,
    names: &[String],
    options: &InputOptions,
) -> Result<BTreeSet<usize>, EvaluationError> {
    options.ignore.iter().map(|column| position(path, names, "--ignore", column)).collect()
}

fn position(
    path: &Path,
    names: &[String],
    option: &'static str,
    column: &str,
) -> Result<usize, EvaluationError> {
    names.iter().position(|name| name == column).ok_or_else(|| EvaluationError::NoColumn {
        file: path.to_owned(),
        option,
        column: column.to_owned(),
        known: names.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(values: &[&str]) -> (ColumnKind, Vec<String>) {
        let (mut column, mut notes) = (Column::default(), Vec::new());
        for (i, value) in values.iter().enumerate() {
            column.show(value.as_bytes(), i as u64 + 2);
        }
        (column.kind("c", &mut notes), notes)
    }

    #[test]
    fn columns_are_what_their_values_are() {
        let number = ColumnKind::Numeric { unit: Unit::None, log1p: false };
        assert_eq!(kind_of(&["1", "-2e3", ".5"]), (number.clone(), vec![]));
        // Refused later, with line and column, rather than taken for text.
        assert_eq!(kind_of(&["1", "nan", ""]), (number, vec![]));
        let (kind, notes) = kind_of(&["1", "tcp", "udp"]);
        assert_eq!(kind, ColumnKind::Categorical);
        assert_eq!(notes, ["column `c` is text (line 3: \"tcp\"): a flag for each of 3 kinds"]);
        assert_eq!(kind_of(&["", ""]).0, ColumnKind::Drop);
        let many: Vec<String> = (0..=CATEGORIES_MAX).map(|i| format!("uid{i}")).collect();
        let (kind, notes) = kind_of(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(kind, ColumnKind::Drop);
        assert_eq!(notes, ["column `c` is text (line 2: \"uid0\") of more than 256 kinds: ignored"]);
    }

    #[test]
    fn delimiters_are_found_in_the_header() {
        let check = |head: &str, expected: u8| assert_eq!(delimiter(head.as_bytes()), expected, "{head:?}");
        check("a,b\n1;2;3;4", b',');
        check("a;b;c,d\n", b';');
        check("a\tb", b'\t');
        check("a", b',');
        check("", b',');
    }
}
