//! Ledgers as lines of JSON, and the way back: the first line is the head, each other one an entry with its bytes.

use std::io::{BufRead, Write};
use std::path::Path;

use phalanx_ledger::{Head, LedgerError, LedgerReader};
use serde::Deserialize;
use serde_json::json;

use super::{each, output_error};
use crate::error::RunnerError;
use crate::ledger::head_file::{self, HeadJson, unhex_any};
use crate::ledger::json;
use crate::record::hex;

/// Writes the head and all entries.
///
/// # Errors
/// If the ledger cannot be read or the output not be written.
pub fn write_jsonl(reader: &dyn LedgerReader, path: &Path, out: &mut dyn Write) -> Result<(), RunnerError> {
    let (head, key) = head_file::of_ledger(reader, path)?;
    let mut result = writeln!(out, "{}", json!({ "head": HeadJson::new(&head, key) }));
    let mut bytes = Vec::new();
    if result.is_ok() {
        each(reader, path, |index, entry| {
            bytes.clear();
            entry.encode(&mut bytes);
            let mut line = json::entry(index, entry);
            line["bytes"] = hex(&bytes).into();
            result = writeln!(out, "{line}");
            result.is_ok()
        })?;
    }
    result.map_err(output_error)
}

#[derive(Deserialize)]
struct First {
    head: HeadJson,
}

/// All that an import needs of a line; the rest is for people.
#[derive(Deserialize)]
struct Line {
    bytes: String,
}

/// The head in the first line.
///
/// # Errors
/// If the line is something else.
pub fn read_head(reader: &mut dyn BufRead, path: &Path) -> Result<Head, RunnerError> {
    let bad = |reason: String| RunnerError::LedgerFile { what: "export", path: path.to_owned(), reason };
    let mut line = String::new();
    reader.read_line(&mut line).map_err(RunnerError::io("read", path))?;
    let First { head } = serde_json::from_str(&line).map_err(|error| {
        bad(format!("line 1 is not the head that `export --format jsonl` writes: {error}"))
    })?;
    Ok(head.parse().map_err(bad)?.0)
}

/// The entries' bytes in the lines behind the first. What is wrong with a line is left in `trouble`.
pub fn read_entries<'a>(
    reader: &'a mut dyn BufRead,
    trouble: &'a mut Option<String>,
) -> impl Iterator<Item = Result<Vec<u8>, LedgerError>> + 'a {
    let mut number = 1;
    std::iter::from_fn(move || {
        let mut line = String::new();
        number += 1;
        let problem = match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {
                let parsed = serde_json::from_str(&line).map_err(|error| error.to_string());
                match parsed.and_then(|line: Line| unhex_any("bytes", &line.bytes)) {
                    Ok(bytes) => return Some(Ok(bytes)),
                    Err(problem) => problem,
                }
            }
            Err(error) => error.to_string(),
        };
        *trouble = Some(format!("line {number}: {problem}"));
        Some(Err(LedgerError::Empty))
    })
}
