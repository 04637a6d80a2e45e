//! What can be wrong with a capture: where it is, what it is, and what to do about it.
//!
//! [`CaptureError`] says *where* (file, line, column), the `…Problem` enums say *what*. A later format reports
//! through the same type, so that a caller prints and maps all of them alike.

use std::{io, path::PathBuf};

use crate::MapError;

/// A capture that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file as a whole.
    #[error("{file}: {problem}")]
    File {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// What is wrong.
        problem: FileProblem,
    },
    /// One line of it.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What is wrong.
        problem: LineProblem,
    },
    /// One value.
    #[error("{file}:{line}: column {column:?}: {problem}")]
    Cell {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// The column's name in the map.
        column: String,
        /// What is wrong.
        problem: CellProblem,
    },
    /// One place in a binary file.
    #[error("{file}: byte {offset}: {problem}")]
    Byte {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// Offset from the start of the (uncompressed) file, from 0.
        offset: u64,
        /// What is wrong.
        problem: ByteProblem,
    },
    /// More unreadable records than [`crate::Lenience`] grants.
    #[error(
        "more than {skipped_max} records cannot be read, the last is {last}; raise the limit, or repair the file"
    )]
    TooManySkipped {
        /// The limit.
        skipped_max: u64,
        /// The first record beyond it.
        last: Box<CaptureError>,
    },
    /// The map that describes the file.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The division over agents.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

/// What is wrong with a whole file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// Nothing at that path.
    #[error("no such file; check the path, or fetch the data set first")]
    Missing,
    /// The operating system refuses.
    #[error("cannot be read ({0}); check that it is a file and that you may read it")]
    Io(#[source] io::Error),
    /// `.gz` by name only.
    #[error("is named .gz but is no gzip file; fetch it again, or rename it if it is plain text")]
    NotGzip,
    /// `.zst` by name only.
    #[error("is named .zst but is no zstd file; fetch it again, or rename it if it is plain text")]
    NotZstd,
    /// No format that starts like this.
    #[error("starts like no flow format that is known; name the format, or give a map if it is CSV")]
    UnknownFormat,
    /// A format that holds rows of features rather than flows, or the reverse.
    #[error("is {found}, which holds no {wanted}; read it by another function, or name another file")]
    OtherFormat {
        /// What it is.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// An archive that cannot be used.
    #[error("array {array:?}: {problem}")]
    Npz {
        /// Name of the array in the archive.
        array: String,
        /// What is wrong.
        problem: NpzProblem,
    },
    /// The files of nfcapd, which the reader leaves to nfdump.
    #[error(
        "is a file of nfcapd, whose format is nfdump's own; record the exports instead (`tcpdump -s 0 -w FILE udp \
         port 2055`), or run `nfdump -r FILE -o csv` and read that with a map"
    )]
    Nfcapd,
    /// No row at all.
    #[error("holds no rows; fetch it again, or name another file")]
    Empty,
    /// Rows, but none to learn from.
    #[error("holds no benign rows to train on; check `benign` of the label column in map {map:?}")]
    NoBenignRows {
        /// The map's name.
        map: String,
    },
}

/// What is wrong with an archive of arrays.
#[derive(Debug, thiserror::Error)]
pub enum NpzProblem {
    /// The archive does not have it, or is none.
    #[error("cannot be found in the archive ({0}); is this an npz file with arrays X and y?")]
    Missing(String),
    /// The bytes end early or do not match their checksum.
    #[error("cannot be read ({0}); fetch the file again")]
    Io(#[source] io::Error),
    /// No NumPy header, or one that is not understood.
    #[error("has the header {0:?}, which is not understood; save a numeric array of one or two dimensions")]
    Header(String),
    /// An element type that is no number.
    #[error("has elements of type {0:?}; convert to a float, an integer or bool of up to 64 bits")]
    Element(String),
    /// Sizes that cannot be.
    #[error("has {found} rows, expected {expected}; both arrays must have one row a sample")]
    Rows {
        /// Rows of `X`.
        expected: usize,
        /// Rows found.
        found: usize,
    },
    /// More than the reader grants.
    #[error("has {values} values, more than {values_max}; split the array")]
    TooLarge {
        /// The product of its dimensions.
        values: u64,
        /// The limit.
        values_max: u64,
    },
    /// NaN, an infinity, or beyond the range of `f32`.
    #[error("row {row}, column {column} is {value}, which is not a finite 32-bit number; repair the array")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// More kinds than a label can have.
    #[error("row {row} has the class {value}; classes must be whole numbers from 0 to 65534")]
    Class {
        /// Row, from 0.
        row: usize,
        /// The value.
        value: f64,
    },
}

/// What is wrong at a place of a binary file.
#[derive(Debug, thiserror::Error)]
pub enum ByteProblem {
    /// The operating system or the decompressor fails on the way.
    #[error("cannot be read ({0}); check the disk, or fetch the file again")]
    Io(#[source] io::Error),
    /// The file ends inside a record.
    #[error("the file ends inside a record; fetch it again")]
    Torn,
    /// A length that no packet has.
    #[error("a record claims more than {bytes_max} bytes; the file is damaged here, fetch it again")]
    TooLong {
        /// The limit.
        bytes_max: u64,
    },
    /// A block that makes no sense.
    #[error("a block cannot be read ({0}); the file is damaged here, fetch it again")]
    Block(String),
    /// A message of NetFlow or IPFIX that makes no sense.
    #[error(
        "this NetFlow or IPFIX message cannot be read ({0}); fetch the file again, or check the exporter"
    )]
    Export(String),
    /// What is no NetFlow v5, v9 or IPFIX.
    #[error("version {0} of NetFlow is not supported, or no message begins here; export v5, v9 or IPFIX")]
    ExportVersion(u16),
    /// A link type that is not supported.
    #[error("link type {0} is not supported; capture on Ethernet, Linux cooked, loopback or raw IP")]
    LinkType(i32),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// The operating system fails on the way.
    #[error("cannot be read ({0}); check the disk and read again")]
    Io(#[source] io::Error),
    /// The compressed stream ends before its trailer.
    #[error("the gzip stream ends early, at this line; fetch the file again")]
    GzipTruncated,
    /// The compressed stream is damaged, or followed by something else.
    #[error("the gzip stream is damaged ({0}) at or after this line; fetch the file again")]
    GzipCorrupt(#[source] io::Error),
    /// The compressed stream is damaged or ends early.
    #[error("the zstd stream is damaged or ends early ({0}) at or after this line; fetch the file again")]
    ZstdCorrupt(#[source] io::Error),
    /// Not JSON, or JSON of another shape.
    #[error("not a JSON record of this format ({0}); repair the line, or name another format")]
    Json(String),
    /// A Zeek log or binetflow without its header.
    #[error("data before any header line; fetch the file again, or put the header back")]
    NoHeader,
    /// A header line that contradicts itself.
    #[error("header line {0:?} cannot be used; restore the header that the sensor wrote")]
    BadHeader(String),
    /// A header without a column that every flow has.
    #[error("the header names no column {column:?}; is this a log of connections?")]
    HeaderLacks {
        /// The column.
        column: &'static str,
    },
    /// Another log of the same sensor.
    #[error("this is a {found:?} log of Zeek, not a conn log; name a conn.log, or allow any log")]
    OtherLog {
        /// Its `#path`.
        found: String,
    },
    /// A row with more or fewer fields than its header.
    #[error("expected {expected} fields, as the header names them, found {found}; repair the line")]
    FieldCount {
        /// Columns of the header.
        expected: usize,
        /// Fields of the line.
        found: usize,
    },
    /// No end of line in sight.
    #[error("longer than {bytes_max} bytes; is this a text file with one flow a line?")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// More rows than the limit.
    #[error("more than {rows_max} rows; split the file")]
    TooManyRows {
        /// The limit.
        rows_max: usize,
    },
    /// A header without a column of the map, where columns go by their names.
    #[error(
        "the header has no column {column:?}, which map {map:?} names; correct the map, or name another file"
    )]
    HeaderMissing {
        /// The map's name.
        map: String,
        /// The column.
        column: String,
    },
    /// A header with a column that the map does not know, where columns go by their names.
    #[error(
        "header column {position} is {found:?}, which map {map:?} does not name (so often); add it to the map as \
         Drop, or name another file"
    )]
    HeaderUnknown {
        /// The map's name.
        map: String,
        /// Column number, from 1.
        position: usize,
        /// Name in the file.
        found: String,
    },
    /// A row with more or fewer fields than its header, where columns go by their names.
    #[error("expected {expected} columns, as the header of this file has, found {found}; repair the line")]
    UnlikeHeader {
        /// Columns of the header.
        expected: usize,
        /// Fields of the line.
        found: usize,
    },
    /// Fewer fields than the map has columns.
    #[error(
        "expected {expected} columns, as map {map:?} names them, found {found}: the first missing is \
         {first_missing:?}; repair the line, or use a map with these columns"
    )]
    MissingColumns {
        /// The map's name.
        map: String,
        /// Columns of the map.
        expected: usize,
        /// Fields of the line.
        found: usize,
        /// Name of the first column without a field.
        first_missing: String,
    },
    /// More fields than the map has columns.
    #[error(
        "expected {expected} columns, as map {map:?} names them, found {found}: the last one named is \
         {last:?}; repair the line, or add the others to the map as Drop"
    )]
    ExtraColumns {
        /// The map's name.
        map: String,
        /// Columns of the map.
        expected: usize,
        /// Fields of the line.
        found: usize,
        /// Name of the map's last column.
        last: String,
    },
    /// The header names another column.
    #[error(
        "header column {position} is {found:?}, but map {map:?} names it {expected:?}; correct the map, or \
         set `header: false` if this line is data"
    )]
    Header {
        /// The map's name.
        map: String,
        /// Column number, from 1.
        position: usize,
        /// Name in the map.
        expected: String,
        /// Name in the file.
        found: String,
    },
    /// A quoted field that does not end on its line.
    #[error("a quoted field does not end on this line; close the quote (a row cannot span lines)")]
    UnclosedQuote,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellProblem {
    /// Not a decimal number.
    #[error("{0:?} is not a number; repair it, or make the column Categorical or Drop in the map")]
    NotANumber(String),
    /// NaN, an infinity, or beyond the range of `f32`.
    #[error("{0:?} is not a finite 32-bit number; repair it, or make the column Drop in the map")]
    NotFinite(String),
    /// Bytes in another encoding.
    #[error(
        "{0:?} is not valid UTF-8; convert the file (for example `iconv -f windows-1252 -t utf-8`), or make \
         the column Drop in the map"
    )]
    NotUtf8(String),
    /// A protocol without a number.
    #[error(
        "{0:?} is not a protocol; use tcp, udp, icmp or an IANA number, or set `protocol: None` in the map"
    )]
    UnknownProtocol(String),
    /// A service that the map's `port` does not list.
    #[error("{0:?} is not among the port names of the map; append it to them")]
    UnknownPortName(String),
    /// Not `0..=65535`.
    #[error("{0:?} is not a port from 0 to 65535; repair it, or set `port: None` in the map")]
    NotAPort(String),
    /// Neither IPv4 nor IPv6.
    #[error("{0:?} is not an IP address; repair it, or set `remote: None` in the map")]
    NotAnAddress(String),
    /// Not a time stamp.
    #[error("{0:?} is not a time; expected seconds since 1970, or year-month-day and a time of day")]
    NotATime(String),
    /// Not a duration.
    #[error("{0:?} is not a duration in seconds; repair it")]
    NotADuration(String),
    /// Not a count.
    #[error("{0:?} is not a whole number from 0 to 2^63; repair it")]
    NotACount(String),
    /// Not a truth value.
    #[error("{0:?} is neither T nor F; repair it")]
    NotABool(String),
    /// More categories than the limit: such a column does not name kinds.
    #[error(
        "{value:?} is one category more than the {categories_max} allowed; make the column Drop in the map"
    )]
    TooManyCategories {
        /// The first one too many.
        value: String,
        /// The limit.
        categories_max: usize,
    },
}

/// Why rows cannot be divided over agents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Nobody to give rows to.
    #[error("0 agents cannot share a capture; ask for at least one")]
    NoAgents,
    /// A column that does not exist or is not categorical.
    #[error("no categorical column {column:?} to divide by; {}", offered(known))]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// The names that would do.
        known: Vec<String>,
    },
    /// A concentration that is no positive number.
    #[error(
        "the concentration of a Dirichlet split must be positive, got {0}; 0.1 is very uneven, 100 nearly even"
    )]
    Concentration(String),
    /// Flows without the field that the division needs.
    #[error("no flow has {0}, so they cannot be divided by it; use another partition")]
    NoSuchField(&'static str),
    /// A prefix that no address has.
    #[error("a subnet of /{0} does not exist; use 0 to 32 bits")]
    PrefixBits(u8),
    /// Some agent would have nothing to learn from.
    #[error(
        "{agents} agents cannot divide the {categories} values of {column:?} that have benign training rows; \
         use at most {categories} agents, or the partition SortedBy or Iid"
    )]
    TooFewCategories {
        /// The dividing column.
        column: String,
        /// Its categories with benign training rows.
        categories: usize,
        /// Agents asked for.
        agents: u32,
    },
    /// Some agent would have no flows.
    #[error(
        "{agents} agents cannot divide {parts} {what}; use at most {parts} agents, or the partition SortedBy or Iid"
    )]
    TooFewParts {
        /// What belongs to one agent each, in the plural.
        what: String,
        /// How many there are.
        parts: usize,
        /// Agents asked for.
        agents: u32,
    },
}

fn offered(known: &[String]) -> String {
    if known.is_empty() {
        "the map has none, use Iid or RoundRobin".to_owned()
    } else {
        format!("the map has {}", known.join(", "))
    }
}

/// A value as an error may show it: lossily decoded, at most 40 characters.
pub(crate) fn shown(value: &[u8]) -> String {
    let head = &value[..value.len().min(160)];
    let text = String::from_utf8_lossy(head);
    if value.len() > 160 || text.chars().count() > 40 {
        text.chars().take(40).chain(['…']).collect()
    } else {
        text.into_owned()
    }
}
