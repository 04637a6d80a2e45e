//! Records: the rows of a file as the map reads them, before any encoding.

use std::collections::BTreeMap;

use phalanx_core::{Feature, FlowKey};

use crate::{CellProblem, Encoding, error::shown};

/// Rows of one file in file order: numbers, categories, label and key of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    pub(crate) numeric: Vec<Feature>,
    pub(crate) numbers: Vec<f32>,
    pub(crate) categorical: Vec<String>,
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) codes: Vec<u16>,
    pub(crate) labels: Dictionary,
    pub(crate) label_codes: Vec<u16>,
    /// Per label code.
    pub(crate) benign: Vec<bool>,
    pub(crate) keys: Vec<FlowKey>,
    pub(crate) dropped: u64,
    pub(crate) clipped: u64,
    pub(crate) blank: u64,
}

impl Records {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// The numeric columns in file order; `log1p` says what the encoder will do, not what was done.
    #[must_use]
    pub fn numeric(&self) -> &[Feature] {
        &self.numeric
    }

    /// Numbers of a row as the file has them, one per numeric column.
    #[must_use]
    pub fn numbers(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.numeric.len()..(row + 1) * self.numeric.len()]
    }

    /// Names of the categorical columns in file order.
    #[must_use]
    pub fn categorical(&self) -> &[String] {
        &self.categorical
    }

    /// The categories of a categorical column, in order of first appearance.
    #[must_use]
    pub fn categories(&self, column: usize) -> &[String] {
        self.dictionaries[column].names()
    }

    /// Categories of a row, one per categorical column: positions in [`Records::categories`].
    #[must_use]
    pub fn codes(&self, row: usize) -> &[u16] {
        &self.codes[row * self.categorical.len()..(row + 1) * self.categorical.len()]
    }

    /// Label of a row, `None` if the map has no label column.
    #[must_use]
    pub fn label(&self, row: usize) -> Option<&str> {
        self.label_codes.get(row).map(|code| self.labels.names()[usize::from(*code)].as_str())
    }

    /// Whether a row is benign. All rows of a file without labels are.
    #[must_use]
    pub fn is_benign(&self, row: usize) -> bool {
        self.label_codes.get(row).is_none_or(|code| self.benign[usize::from(*code)])
    }

    /// Rows that were left out because of a number that is not finite, by [`crate::NotFinite::Drop`].
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Numbers that were not finite and were replaced, by [`crate::NotFinite::Clip`].
    #[must_use]
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Forgets what was read of a row that turned out to be unreadable.
    pub(crate) fn forget_unfinished_row(&mut self) {
        let rows = self.rows();
        self.numbers.truncate(rows * self.numeric.len());
        self.codes.truncate(rows * self.categorical.len());
        self.label_codes.truncate(rows);
    }

    /// Forgets all rows, not the names of their categories and labels.
    pub(crate) fn forget_rows(&mut self) {
        self.keys.clear();
        self.forget_unfinished_row();
    }

    /// Names of the attacks in the file, ascending.
    #[must_use]
    pub fn attacks(&self) -> Vec<&str> {
        let names = self.labels.names().iter().zip(&self.benign);
        let mut attacks: Vec<&str> =
            names.filter(|(_, benign)| !**benign).map(|(name, _)| name.as_str()).collect();
        attacks.sort_unstable();
        attacks
    }

    /// Keys, one a row.
    #[must_use]
    pub fn keys(&self) -> &[FlowKey] {
        &self.keys
    }
}

/// Names with codes in order of first appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dictionary {
    names: Vec<String>,
    codes: BTreeMap<Vec<u8>, u16>,
    /// The bytes of the code that was asked for last, since neighbouring rows tend to agree.
    last_name: Vec<u8>,
    last: u16,
    pub(crate) encoding: Encoding,
}

impl Dictionary {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The code of `name`, a new one if it has none yet.
    pub(crate) fn code(&mut self, name: &[u8], categories_max: usize) -> Result<u16, CellProblem> {
        if !self.names.is_empty() && self.last_name == name {
            return Ok(self.last);
        }
        self.last = match self.codes.get(name) {
            Some(code) => *code,
            None => self.add(name, categories_max)?,
        };
        self.last_name.clear();
        self.last_name.extend_from_slice(name);
        Ok(self.last)
    }

    fn add(&mut self, name: &[u8], categories_max: usize) -> Result<u16, CellProblem> {
        let text = match (std::str::from_utf8(name), self.encoding) {
            (Ok(text), _) => text.to_owned(),
            (Err(_), Encoding::Windows1252) => windows_1252(name),
            (Err(_), Encoding::Utf8) => return Err(CellProblem::NotUtf8(shown(name))),
        };
        if self.names.len() == categories_max {
            return Err(CellProblem::TooManyCategories { value: shown(name), categories_max });
        }
        let code = self.names.len() as u16;
        self.names.push(text);
        self.codes.insert(name.to_owned(), code);
        Ok(code)
    }
}

/// What Windows-1252 has in place of the control characters 0x80 to 0x9f.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}',
    '\u{fffd}', '\u{2018}', '\u{2019}', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž',
    'Ÿ',
];

fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}
