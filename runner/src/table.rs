//! Records as rows: nested fields become columns `detection.f1`, `campaigns.0.name`.

use phalanx_sim::summary::Summary;
use serde_json::{Map, Value};

use crate::record::{LedgerRecord, RunRecord, Status};

/// Columns in the order of the run record, of one record after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(Vec<String>);

impl Columns {
    /// Adds what a record has that those before it had not.
    pub fn add(&mut self, record: &RunRecord) {
        if self.0.is_empty() {
            self.0 = template(record);
        }
        for (column, _) in flatten(record) {
            // The block of a run that failed is a single empty cell; the columns are those of one that did not fail.
            if !self.0.contains(&column) && !self.has_block(&column) {
                self.0.push(column);
            }
        }
    }

    fn has_block(&self, name: &str) -> bool {
        self.0.iter().any(|c| c.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Adds what a record has that those before it had not; its values by column.
    pub fn take(&mut self, record: &RunRecord) -> Vec<Value> {
        let cells = flatten(record);
        if !self.is_of(&cells) {
            self.add(record);
        }
        self.sort_in(cells)
    }

    /// Names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// A record's values by column. An undefined value is null.
    #[must_use]
    pub fn row(&self, record: &RunRecord) -> Vec<Value> {
        self.sort_in(flatten(record))
    }

    fn is_of(&self, cells: &[(String, Value)]) -> bool {
        cells.len() == self.0.len() && cells.iter().zip(&self.0).all(|((name, _), column)| name == column)
    }

    fn sort_in(&self, cells: Vec<(String, Value)>) -> Vec<Value> {
        if self.is_of(&cells) {
            return cells.into_iter().map(|(_, value)| value).collect();
        }
        let mut by_name: std::collections::BTreeMap<String, Value> = cells.into_iter().collect();
        self.0.iter().map(|column| by_name.remove(column).unwrap_or(Value::Null)).collect()
    }
}

/// Rows as CSV text.
pub fn csv_text(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).expect("rows of one width fit in memory");
    }
    let bytes = writer.into_inner().expect("memory can be flushed");
    String::from_utf8(bytes).expect("CSV of text is text")
}

/// A value as a cell of a CSV file.
#[must_use]
pub fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn template(record: &RunRecord) -> Vec<String> {
    let mut whole = record.without_timing();
    if whole.status != Status::Ok {
        whole.complete(Summary::default(), String::new(), LedgerRecord::default());
    }
    flatten(&whole).into_iter().map(|(column, _)| column).collect()
}

/// Every scalar of a record with its path; parameters are one cell.
#[must_use]
pub fn flatten(record: &RunRecord) -> Vec<(String, Value)> {
    let mut tree =
        serde_json::to_value(record.without_timing()).expect("a record is plain data with text keys");
    // Paths and values of parameters are whatever the user gave: one cell holds them all.
    let params = tree.get_mut("params").map(Value::take).unwrap_or(Value::Object(Map::new()));
    tree["params"] = Value::String(params.to_string());
    let mut cells = Vec::new();
    walk("", &tree, &mut cells);
    cells
}

/// Every scalar of a tree with its path, depth first.
pub(crate) fn walk(path: &str, value: &Value, cells: &mut Vec<(String, Value)>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(&below(name), value, cells)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| walk(&below(&i.to_string()), value, cells));
        }
        scalar => cells.push((path.to_owned(), scalar.clone())),
    }
}
