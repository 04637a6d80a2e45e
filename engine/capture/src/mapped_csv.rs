//! Mapped CSV: one row a line, its fields read as a [`CaptureMap`] says.
//!
//! A field may be quoted (`""` inside is one quote). White space around a field does not count, and neither do
//! blank lines; every other line is a row or an error. The parser works in one reused line buffer.

use std::{cmp::Ordering, io::Read, path::Path};

use phalanx_core::{Feature, FlowKey};

use crate::{
    CaptureError, CaptureMap, CellProblem, ColumnKind, EmptyNumber, FileProblem, Lenience, LineProblem,
    NotFinite, Records, Tally, Transport, UnknownProtocol,
    error::shown,
    field::{Field, bytes, split},
    key::{Port, protocol, protocol_named, remote},
    line::{LINE_BYTES_MAX, Lines},
    number::parse_f32,
    reader::is_of_one_record,
};

/// What a file may demand before it is refused.
#[derive(Clone, Copy, Debug)]
struct Limits {
    line_bytes: usize,
    rows: usize,
    categories: usize,
}

/// A column of 4,096 names is no category, and rows are counted in 32 bits.
const LIMITS: Limits = Limits { line_bytes: LINE_BYTES_MAX, rows: u32::MAX as usize, categories: 4096 };

/// Reads a CSV file, plain, gzip or zstd.
///
/// # Errors
/// If the map contradicts itself, or at the first byte, line or value that is not as the map says.
pub fn read_csv(path: &Path, map: &CaptureMap) -> Result<Records, CaptureError> {
    map.check()?;
    parse(Lines::open(path, LIMITS.line_bytes)?, map, LIMITS, Lenience::Strict).map(|(records, _)| records)
}

/// Reads CSV, plain or packed, from any reader. `name` stands for the file in messages; if it ends in `.gz` or
/// `.zst`, the bytes must be that.
///
/// # Errors
/// As [`read_csv`].
pub fn read_csv_from(reader: impl Read, name: &Path, map: &CaptureMap) -> Result<Records, CaptureError> {
    read_csv_with(reader, name, map, Lenience::Strict).map(|(records, _)| records)
}

/// Reads CSV as [`read_csv_from`] and skips rows that cannot be read, as far as `lenience` goes.
///
/// # Errors
/// As [`read_csv`], if the header is not as the map says, or if more rows cannot be read.
pub fn read_csv_with(
    reader: impl Read,
    name: &Path,
    map: &CaptureMap,
    lenience: Lenience,
) -> Result<(Records, Tally), CaptureError> {
    map.check()?;
    parse(Lines::new(reader, name, LIMITS.line_bytes)?, map, LIMITS, lenience)
}

fn parse(
    lines: Lines<'_>,
    map: &CaptureMap,
    limits: Limits,
    lenience: Lenience,
) -> Result<(Records, Tally), CaptureError> {
    CsvReader::new(lines, map, limits, lenience).take_rest()
}

/// A CSV file, read some rows at a time.
pub(crate) struct CsvReader<'a> {
    lines: Lines<'a>,
    parser: Parser<'a>,
    fields: Vec<Field>,
    header_due: bool,
    lenience: Lenience,
    tally: Tally,
}

impl<'a> CsvReader<'a> {
    /// Of a file that is open already.
    pub(crate) fn over(
        transport: Transport<'a>,
        name: &Path,
        map: &'a CaptureMap,
        lenience: Lenience,
    ) -> Result<Self, CaptureError> {
        map.check()?;
        Ok(Self::new(Lines::over(transport, name, LIMITS.line_bytes), map, LIMITS, lenience))
    }

    fn new(lines: Lines<'a>, map: &'a CaptureMap, limits: Limits, lenience: Lenience) -> Self {
        let parser = Parser::new(map, limits);
        let fields = Vec::with_capacity(map.columns.len());
        Self { lines, parser, fields, header_due: map.header, lenience, tally: Tally::default() }
    }

    /// What was met so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Reads up to so many rows in place of those read before; none is the end. Numbers that are to be clipped are as
    /// the file has them.
    pub(crate) fn next_rows(&mut self, rows_max: usize) -> Result<&mut Records, CaptureError> {
        self.parser.records.forget_rows();
        while self.parser.records.rows() < rows_max {
            let error = match self.parser.line(&mut self.lines, &mut self.fields, &mut self.header_due) {
                Ok(true) => continue,
                Ok(false) => break,
                Err(error) => error,
            };
            let Lenience::SkipUpTo(skipped_max) = self.lenience else { return Err(error) };
            if self.header_due || !is_of_one_record(&error) {
                return Err(error);
            }
            if self.tally.skipped == skipped_max {
                return Err(CaptureError::TooManySkipped { skipped_max, last: Box::new(error) });
            }
            self.parser.records.forget_unfinished_row();
            self.tally.skip(&error);
        }
        let records = &mut self.parser.records;
        self.tally.records += records.rows() as u64;
        if self.tally.records == 0 {
            let file = self.lines.file().to_owned();
            return Err(CaptureError::File { file, problem: FileProblem::Empty });
        }
        for (kind, count) in [
            ("rows with numbers that are not finite", records.dropped),
            ("rows of empty fields", records.blank),
        ] {
            if count > 0 {
                self.tally.left_out.insert(kind.to_owned(), count);
            }
        }
        Ok(records)
    }

    /// Reads all rows from here on, clipped.
    pub(crate) fn take_rest(&mut self) -> Result<(Records, Tally), CaptureError> {
        self.next_rows(usize::MAX)?;
        let mut records = std::mem::take(&mut self.parser.records);
        if records.clipped > 0 {
            let mut bounds = Bounds::new(self.parser.map);
            bounds.widen(&records);
            bounds.clip(&mut records);
        }
        Ok((records, self.tally.clone()))
    }
}

/// The smallest and largest finite number of every numeric column.
pub(crate) struct Bounds(Vec<Option<(f32, f32)>>);

impl Bounds {
    pub(crate) fn new(map: &CaptureMap) -> Self {
        let numeric = |(_, kind): &&(String, ColumnKind)| matches!(kind, ColumnKind::Numeric { .. });
        Self(vec![None; map.columns.iter().filter(numeric).count()])
    }

    pub(crate) fn widen(&mut self, records: &Records) {
        for row in 0..records.rows() {
            for (bounds, value) in self.0.iter_mut().zip(records.numbers(row)) {
                if value.is_finite() {
                    let (low, high) = bounds.unwrap_or((*value, *value));
                    *bounds = Some((low.min(*value), high.max(*value)));
                }
            }
        }
    }

    /// Replaces numbers that are not finite: NaN by 0, infinities by the bound on their side.
    pub(crate) fn clip(&self, records: &mut Records) {
        let width = self.0.len().max(1);
        for row in records.numbers.chunks_exact_mut(width) {
            for (value, bounds) in row.iter_mut().zip(&self.0) {
                if !value.is_finite() {
                    let (low, high) = bounds.unwrap_or_default();
                    *value = if value.is_nan() { 0.0 } else { value.clamp(low, high) };
                }
            }
        }
    }
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

/// Where every column of the map is in a file whose columns go by their names; [`ABSENT`] if it is not there.
fn places(line: &[u8], fields: &[Field], map: &CaptureMap) -> Result<Vec<usize>, LineProblem> {
    let mut places = vec![ABSENT; map.columns.len()];
    for (i, field) in fields.iter().enumerate() {
        let name = bytes(line, field);
        let mut columns = map.columns.iter().zip(&mut places);
        let free = columns.find(|((known, _), place)| known.as_bytes() == name && **place == ABSENT);
        match free {
            Some((_, place)) => *place = i,
            None => {
                let (map, found) = (map.name.clone(), shown(name));
                return Err(LineProblem::HeaderUnknown { map, position: i + 1, found });
            }
        }
    }
    let missing = map
        .columns
        .iter()
        .zip(&places)
        .find(|((_, kind), place)| **place == ABSENT && *kind != ColumnKind::Drop);
    match missing {
        Some(((column, _), _)) => {
            Err(LineProblem::HeaderMissing { map: map.name.clone(), column: column.clone() })
        }
        None => Ok(places),
    }
}

const ABSENT: usize = usize::MAX;

/// The map as a plan: which field goes where.
struct Parser<'a> {
    map: &'a CaptureMap,
    /// Fields of a line.
    width: usize,
    /// Places of the map's columns in the file, where they go by their names.
    places: Option<Vec<usize>>,
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
        records.labels.encoding = map.encoding;
        records.dictionaries.iter_mut().for_each(|dictionary| dictionary.encoding = map.encoding);
        let position = |column: &str| map.position(column).expect("a checked map names its own columns");
        let port = map.port.as_ref().map(|port| (position(port.column()), Port::new(port)));
        let protocol = map.protocol.as_deref().map(position);
        let remote = map.remote.as_deref().map(position);
        let width = map.columns.len();
        Self {
            map,
            width,
            places: None,
            records,
            limits,
            numeric,
            categorical,
            label,
            protocol,
            port,
            remote,
        }
    }

    /// Reads a line, `false` at the end of the file.
    fn line(
        &mut self,
        lines: &mut Lines<'_>,
        fields: &mut Vec<Field>,
        header_due: &mut bool,
    ) -> Result<bool, CaptureError> {
        let Some(line) = lines.next()? else { return Ok(false) };
        if line.is_empty() {
            return Ok(true);
        }
        let map = self.map;
        let result = split(line, map.delimiter as u8, fields).and_then(|()| {
            if *header_due && map.columns_by_name {
                self.go_by_names(places(line, fields, map)?, fields.len());
                return Ok(());
            }
            if map.columns_by_name && fields.len() != self.width {
                return Err(LineProblem::UnlikeHeader { expected: self.width, found: fields.len() });
            }
            if !map.columns_by_name {
                count(fields.len(), map)?;
            }
            if *header_due { header(line, fields, map) } else { self.room() }
        });
        if let Err(problem) = result {
            return Err(lines.fail(problem));
        }
        if std::mem::take(header_due) {
            return Ok(true);
        }
        // Spreadsheets save what they once held; zeros and a label of no name would be a row of nothing.
        if map.empty == EmptyNumber::Zero && fields.iter().all(|field| bytes(line, field).is_empty()) {
            self.records.blank += 1;
            return Ok(true);
        }
        match self.row(line, fields) {
            Ok(()) => Ok(true),
            Err((place, problem)) => Err(CaptureError::Cell {
                file: lines.file().to_owned(),
                line: lines.number(),
                column: self.name(place),
                problem,
            }),
        }
    }

    /// From columns of the map to those of the file.
    fn go_by_names(&mut self, places: Vec<usize>, width: usize) {
        let to_place = |column: &mut usize| *column = places[*column];
        self.width = width;
        self.numeric.iter_mut().for_each(to_place);
        self.categorical.iter_mut().for_each(to_place);
        self.label.iter_mut().for_each(|(column, _)| to_place(column));
        let present = |column: usize| Some(places[column]).filter(|place| *place != ABSENT);
        self.protocol = self.protocol.and_then(present);
        self.remote = self.remote.and_then(present);
        self.port = self.port.take().and_then(|(column, port)| Some((present(column)?, port)));
        self.places = Some(places);
    }

    /// Name of the column at a place of the file.
    fn name(&self, place: usize) -> String {
        let column = match &self.places {
            Some(places) => places.iter().position(|known| *known == place).unwrap_or(0),
            None => place,
        };
        self.map.columns[column].0.clone()
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
            let text = field(*column);
            let number = match parse_f32(text) {
                Ok(number) => number,
                Err(_) if text.is_empty() && self.map.empty == EmptyNumber::Zero => 0.0,
                Err(CellProblem::NotFinite(_)) if self.map.not_finite == NotFinite::Drop => {
                    records.forget_unfinished_row();
                    records.dropped += 1;
                    return Ok(());
                }
                Err(CellProblem::NotFinite(_)) if self.map.not_finite == NotFinite::Clip => {
                    records.clipped += 1;
                    not_finite(text)
                }
                Err(problem) => return Err((*column, problem)),
            };
            records.numbers.push(number);
        }
        let mut key = FlowKey::default();
        if let Some(column) = self.protocol {
            key.protocol = match self.map.unknown_protocol {
                UnknownProtocol::Error => protocol(field(column)).map_err(|problem| (column, problem))?,
                UnknownProtocol::Absent => protocol_named(field(column)),
            };
        }
        if let Some((column, port)) = &self.port {
            key.port = port.read(field(*column)).map_err(|problem| (*column, problem))?;
        }
        if let Some(column) = self.remote {
            key.remote = remote(field(column)).map_err(|problem| (column, problem))?;
        }
        for (column, dictionary) in self.categorical.iter().zip(&mut records.dictionaries) {
            let code = dictionary.code(field(*column), categories_max);
            records.codes.push(code.map_err(|problem| (*column, problem))?);
        }
        // Last, so that a row that is skipped does not leave a label without rows behind.
        if let Some((column, benign)) = self.label {
            let code = records.labels.code(field(column), categories_max);
            records.label_codes.push(code.map_err(|problem| (column, problem))?);
            if let Some(new) = records.labels.names().get(records.benign.len()) {
                records.benign.push(benign.contains(new));
            }
        }
        records.keys.push(key);
        Ok(())
    }
}

/// What a number that is no finite `f32` is: NaN or an infinity.
fn not_finite(text: &[u8]) -> f32 {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(f32::NAN)
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
            let found = parse(lines, &map, limits, Lenience::Strict)
                .map(|(records, _)| records.rows())
                .map_err(|error| error.to_string());
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
