//! Records as rows: nested fields become columns `detection.f1`, `campaigns.0.name`.

use phalanx_sim::summary::Summary;
use serde_json::{Map, Value};

use crate::record::{RunRecord, Status};

/// Columns in the order of the run record, and one row a run. An undefined value is an empty cell.
#[derive(Debug, PartialEq)]
pub struct Table {
    /// Names.
    pub columns: Vec<String>,
    /// Values by column.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// A row for every run.
    #[must_use]
    pub fn of(records: &[RunRecord]) -> Self {
        let flat: Vec<Vec<(String, Value)>> = records.iter().map(flatten).collect();
        // The columns of a run that failed are those of one that did not.
        let mut columns: Vec<String> = records.first().map(template).unwrap_or_default();
        for (column, _) in flat.iter().flatten() {
            let block_of_failed_run = columns.iter().any(|c| c.starts_with(&format!("{column}.")));
            if !columns.contains(column) && !block_of_failed_run {
                columns.push(column.clone());
            }
        }
        let cell = |row: &[(String, Value)], column: &String| {
            row.iter().find(|(name, _)| name == column).map_or(Value::Null, |(_, value)| value.clone())
        };
        let rows = flat.iter().map(|row| columns.iter().map(|c| cell(row, c)).collect()).collect();
        Self { columns, rows }
    }

    /// The table as CSV, with a header line.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().map(cell_text).collect());
        csv_text(std::iter::once(self.columns.clone()).chain(rows))
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

fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn template(record: &RunRecord) -> Vec<String> {
    let mut whole = record.without_timing();
    if whole.status != Status::Ok {
        whole.complete(Summary::default(), String::new(), whole.ledger.clone());
    }
    flatten(&whole).into_iter().map(|(column, _)| column).collect()
}

fn flatten(record: &RunRecord) -> Vec<(String, Value)> {
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
