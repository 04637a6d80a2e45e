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
    /// Some agent would have nothing to learn from.
    #[error(
        "{agents} agents cannot divide the {categories} values of {column:?} that have benign training rows; \
         use at most {categories} agents, or the Iid partition"
    )]
    TooFewCategories {
        /// The dividing column.
        column: String,
        /// Its categories with benign training rows.
        categories: usize,
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
