//! Ledgers in the formats of other programs.

pub mod jsonl;
mod parquet;
mod row;
pub mod stix;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use phalanx_ledger::{Entry, LedgerError, LedgerReader, Query};

use crate::error::RunnerError;
use crate::ledger::source;

pub use parquet::write_parquet;
pub use row::{COLUMNS, Row};

/// Writes all entries as CSV, with a header line.
///
/// # Errors
/// If the ledger cannot be read or the output not be written.
pub fn write_csv(reader: &dyn LedgerReader, path: &Path, out: &mut dyn Write) -> Result<(), RunnerError> {
    let mut csv = csv::Writer::from_writer(out);
    let mut result = csv.write_record(COLUMNS).map_err(io::Error::from);
    each(reader, path, |index, entry| {
        result = csv.write_record(Row::of(index, entry).cells()).map_err(io::Error::from);
        result.is_ok()
    })?;
    result.and_then(|()| csv.flush()).map_err(output_error)
}

/// Shows all entries until the visitor says no.
fn each(
    reader: &dyn LedgerReader,
    path: &Path,
    mut visit: impl FnMut(u64, &Entry) -> bool,
) -> Result<(), RunnerError> {
    let shown: Result<(), LedgerError> = Query::default().run(reader, |index, entry| {
        if visit(index, &entry) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    shown.map_err(|error| source::of_path(error, path))
}

fn output_error(source: io::Error) -> RunnerError {
    RunnerError::Io { action: "write", path: "the export".into(), source }
}
