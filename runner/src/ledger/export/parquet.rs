//! Ledgers as Parquet, by the low-level writer: the columns of [`Row`], row groups of 100,000 rows.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use phalanx_ledger::LedgerReader;

use super::{Row, each, output_error};
use crate::error::RunnerError;

const ROWS_PER_GROUP: usize = 100_000;

const SCHEMA: &str = "
message ledger {
    REQUIRED INT64 index;
    REQUIRED BINARY kind (UTF8);
    OPTIONAL INT64 tick;
    OPTIONAL INT64 agent;
    OPTIONAL BINARY signature (UTF8);
    OPTIONAL BINARY indicator (UTF8);
    OPTIONAL INT64 support;
    OPTIONAL FLOAT confidence;
    OPTIONAL INT64 yes;
    OPTIONAL INT64 no;
    OPTIONAL INT64 eligible;
    OPTIONAL BINARY digest (UTF8);
    REQUIRED BINARY entry (UTF8);
}";

/// Writes all entries as Parquet.
///
/// # Errors
/// If the ledger cannot be read or the output not be written.
pub fn write_parquet(
    reader: &dyn LedgerReader,
    path: &Path,
    out: &mut (dyn Write + Send),
) -> Result<(), RunnerError> {
    let failed = |error: ParquetError| output_error(std::io::Error::other(error));
    let schema = Arc::new(parse_message_type(SCHEMA).expect("the schema is well formed"));
    let properties = WriterProperties::builder().set_created_by("phalanx".to_owned()).build();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
    let mut rows = Vec::with_capacity(ROWS_PER_GROUP);
    let mut result = Ok(());
    each(reader, path, |index, entry| {
        rows.push(Row::of(index, entry));
        if rows.len() == ROWS_PER_GROUP {
            result = group(&mut writer, &rows);
            rows.clear();
        }
        result.is_ok()
    })?;
    result.map_err(failed)?;
    if !rows.is_empty() {
        group(&mut writer, &rows).map_err(failed)?;
    }
    writer.close().map(|_| ()).map_err(failed)
}

fn group<W: Write + Send>(writer: &mut SerializedFileWriter<W>, rows: &[Row]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    integers(&mut group, rows, |row| Some(row.index), true)?;
    texts(&mut group, rows, |row| Some(row.kind), true)?;
    integers(&mut group, rows, |row| row.tick, false)?;
    integers(&mut group, rows, |row| row.agent.map(u64::from), false)?;
    texts(&mut group, rows, |row| row.signature.as_deref(), false)?;
    texts(&mut group, rows, |row| row.indicator.as_deref(), false)?;
    integers(&mut group, rows, |row| row.support.map(u64::from), false)?;
    floats(&mut group, rows, |row| row.confidence)?;
    integers(&mut group, rows, |row| row.yes.map(u64::from), false)?;
    integers(&mut group, rows, |row| row.no.map(u64::from), false)?;
    integers(&mut group, rows, |row| row.eligible.map(u64::from), false)?;
    texts(&mut group, rows, |row| row.digest.as_deref(), false)?;
    texts(&mut group, rows, |row| Some(&row.entry), true)?;
    group.close().map(|_| ())
}

/// 1 where there is a value, 0 where there is none.
fn levels<T>(rows: &[Row], cell: impl Fn(&Row) -> Option<T>) -> Vec<i16> {
    rows.iter().map(|row| i16::from(cell(row).is_some())).collect()
}

fn integers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    cell: impl Fn(&Row) -> Option<u64>,
    required: bool,
) -> Result<(), ParquetError> {
    let values: Vec<i64> = rows.iter().filter_map(&cell).map(|x| x as i64).collect();
    let levels = (!required).then(|| levels(rows, cell));
    let mut column = group.next_column()?.expect("a column for every field of the schema");
    column.typed::<Int64Type>().write_batch(&values, levels.as_deref(), None)?;
    column.close()
}

fn floats<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    cell: impl Fn(&Row) -> Option<f32>,
) -> Result<(), ParquetError> {
    let values: Vec<f32> = rows.iter().filter_map(&cell).collect();
    let levels = levels(rows, cell);
    let mut column = group.next_column()?.expect("a column for every field of the schema");
    column.typed::<FloatType>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

fn texts<'a, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &'a [Row],
    cell: impl Fn(&'a Row) -> Option<&'a str>,
    required: bool,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = rows.iter().filter_map(&cell).map(ByteArray::from).collect();
    let levels: Option<Vec<i16>> =
        (!required).then(|| rows.iter().map(|row| i16::from(cell(row).is_some())).collect());
    let mut column = group.next_column()?.expect("a column for every field of the schema");
    column.typed::<ByteArrayType>().write_batch(&values, levels.as_deref(), None)?;
    column.close()
}
