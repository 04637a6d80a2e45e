//! Mapped CSV: one row a line, its fields read as a [`CaptureMap`] says.
//!
//! A field may be quoted (`""` inside is one quote). White space around a field does not count, and neither do
//! blank lines; every other line is a row or an error. The parser works in one reused line buffer.

use std::{cmp::Ordering, io::Read, path::Path};

use phalanx_core::{Feature, FlowKey};

use crate::{
    CaptureError, CaptureMap, CellProblem, ColumnKind, FileProblem, LineProblem, Records,
    error::shown,
    field::{Field, bytes, split},
    key::{Port, protocol, remote},
    line::Lines,
    number::parse_f32,
};

/// What a file may demand before it is refused.
#[derive(Clone, Copy, Debug)]
struct Limits {
    line_bytes: usize,
    rows: usize,
    categories: usize,
}

/// A line of 1 MiB is no flow, a column of 4,096 names is no category, and rows are counted in 32 bits.
const LIMITS: Limits = Limits { line_bytes: 1 << 20, rows: u32::MAX as usize, categories: 4096 };

/// Reads a CSV file, plain or gzip (of any number of members).
///
/// # Errors
/// If the map contradicts itself, or at the first byte, line or value that is not as the map says.
pub fn read_csv(path: &Path, map: &CaptureMap) -> Result<Records, CaptureError> {
    map.check()?;
    parse(Lines::open(path, LIMITS.line_bytes)?, map, LIMITS)
}

/// Reads CSV, plain or gzip, from any reader. `name` stands for the file in messages; if it ends in `.gz`, the
/// bytes must be gzip.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_from(reader: impl Read, name: &Path, map: &CaptureMap) -> Result<Records, CaptureError> {
    map.check()?;
    parse(Lines::new(reader, name, LIMITS.line_bytes)?, map, LIMITS)
}

fn parse(mut lines: Lines<'_>, map: &CaptureMap, limits: Limits) -> Result<Records, CaptureError> {
    let mut parser = Parser::new(map, limits);
    let mut fields = Vec::with_capacity(map.columns.len());
    let mut header_due = map.header;
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            continue;
        }
        let row = split(line, map.delimiter as u8, &mut fields)
            .and_then(|()| count(fields.len(), map))
            .and_then(|()| if header_due { header(line, &fields, map) } else { parser.room() });
        if let Err(problem) = row {
            return Err(lines.fail(problem));
        }
        if header_due {
            header_due = false;
        } else if let Err((column, problem)) = parser.row(line, &fields) {
            return Err(CaptureError::Cell {
                file: lines.file().to_owned(),
                line: lines.number(),
                column: map.columns[column].0.clone(),
                problem,
            });
        }
    }
    if parser.records.rows() == 0 {
        return Err(CaptureError::File { file: lines.file().to_owned(), problem: FileProblem::Empty });
    }
    Ok(parser.records)
}

fn count(found: usize, map: &CaptureMap) -> Result<(), LineProblem> {
    let expected = map.columns.len();
    let name = |column: usize| map.columns[column].0.clone();
    match found.cmp(&expected) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(LineProblem::MissingColumns {
            map: map.name.clone(),
            expected,
            found,
            first_missing: name(found),
        }),
        Ordering::Greater => Err(LineProblem::ExtraColumns {
            map: map.name.clone(),
            expected,
            found,
            last: name(expected - 1),
        }),
    }
}

fn header(line: &[u8], fields: &[Field], map: &CaptureMap) -> Result<(), LineProblem> {
    for (i, (field, (expected, _))) in fields.iter().zip(&map.columns).enumerate() {
        let found = bytes(line, field);
        if found != expected.as_bytes() {
            let (map, expected, found) = (map.name.clone(), expected.clone(), shown(found));
            return Err(LineProblem::Header { map, position: i + 1, expected, found });
        }
    }
    Ok(())
}

/// The map as a plan: which field goes where.
struct Parser<'a> {
    records: Records,
    limits: Limits,
    numeric: Vec<usize>,
    categorical: Vec<usize>,
    label: Option<(usize, &'a [String])>,
    protocol: Option<usize>,
    port: Option<(usize, Port<'a>)>,
    remote: Option<usize>,
}

impl<'a> Parser<'a> {
    fn new(map: &'a CaptureMap, limits: Limits) -> Self {
        let mut records = Records::default();
        let (mut numeric, mut categorical, mut label) = (Vec::new(), Vec::new(), None);
        for (i, (name, kind)) in map.columns.iter().enumerate() {
            match kind {
                ColumnKind::Numeric { unit, log1p } => {
                    numeric.push(i);
                    records.numeric.push(Feature { name: name.clone(), unit: *unit, log1p: *log1p });
                }
                ColumnKind::Categorical => {
                    categorical.push(i);
                    records.categorical.push(name.clone());
                }
                ColumnKind::Label { benign } => label = Some((i, benign.as_slice())),
                ColumnKind::Drop => {}
            }
        }
        records.dictionaries.resize_with(categorical.len(), Default::default);
        let position = |column: &str| map.position(column).expect("a checked map names its own columns");
        let port = map.port.as_ref().map(|port| (position(port.column()), Port::new(port)));
        let protocol = map.protocol.as_deref().map(position);
        let remote = map.remote.as_deref().map(position);
        Self { records, limits, numeric, categorical, label, protocol, port, remote }
    }

    fn room(&self) -> Result<(), LineProblem> {
        let rows_max = self.limits.rows;
        if self.records.rows() < rows_max { Ok(()) } else { Err(LineProblem::TooManyRows { rows_max }) }
    }

    /// Reads a row of as many fields as the map has columns; an error comes with its column.
    fn row(&mut self, line: &[u8], fields: &[Field]) -> Result<(), (usize, CellProblem)> {
        let field = |column: usize| bytes(line, &fields[column]);
        let records = &mut self.records;
        let categories_max = self.limits.categories;
        for column in &self.numeric {
            records.numbers.push(parse_f32(field(*column)).map_err(|problem| (*column, problem))?);
        }
        for (column, dictionary) in self.categorical.iter().zip(&mut records.dictionaries) {
            let code = dictionary.code(field(*column), categories_max);
            records.codes.push(code.map_err(|problem| (*column, problem))?);
        }
        if let Some((column, benign)) = self.label {
            let code = records.labels.code(field(column), categories_max);
            records.label_codes.push(code.map_err(|problem| (column, problem))?);
            if let Some(new) = records.labels.names().get(records.benign.len()) {
                records.benign.push(benign.contains(new));
            }
        }
        let mut key = FlowKey::default();
        if let Some(column) = self.protocol {
            key.protocol = protocol(field(column)).map_err(|problem| (column, problem))?;
        }
        if let Some((column, port)) = &self.port {
            key.port = port.read(field(*column)).map_err(|problem| (*column, problem))?;
        }
        if let Some(column) = self.remote {
            key.remote = remote(field(column)).map_err(|problem| (column, problem))?;
        }
        records.keys.push(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept() {
        let map = CaptureMap::from_ron(
            r#"(name: "m", header: false, columns: [("x", Numeric()), ("kind", Categorical)])"#,
        )
        .unwrap();
        let limits = Limits { line_bytes: 10, rows: 3, categories: 2 };
        let check = |text: &'static str, expected: &str| {
            let lines = Lines::new(text.as_bytes(), "f.csv".as_ref(), limits.line_bytes).unwrap();
            let found =
                parse(lines, &map, limits).map(|records| records.rows()).map_err(|error| error.to_string());
            assert_eq!(found, if expected.is_empty() { Ok(3) } else { Err(expected.to_owned()) }, "{text:?}");
        };
        check(
            "1,a\r\n2,b\r\n3,12345678\r\n",
            "f.csv:3: column \"kind\": \"12345678\" is one category more than the 2 \
               allowed; make the column Drop in the map",
        );
        check("1,a\n2,a\n\n3,a\n4,a\n", "f.csv:5: more than 3 rows; split the file");
        check(
            "1,a\n2,12345678\r\n2,123456789\n",
            "f.csv:3: longer than 10 bytes; is this a text file with one flow a line?",
        );
        check("1,a\n2,123456789", "f.csv:2: longer than 10 bytes; is this a text file with one flow a line?");
        check("\u{feff}1,a\r\n2,a\n3,12345678", "");
    }
}
