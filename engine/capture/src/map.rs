//! Maps: what the columns of a data set mean, written once per data set as RON.
//!
//! A map lists every column of the file in order with its kind, and says which columns an indicator can name.
//! One that the crate ships is asked for by name, a user's own is parsed from text; both are checked before
//! the first byte of data is read.

use std::collections::BTreeSet;

use phalanx_core::Unit;
use serde::{Deserialize, Serialize};

/// Text of the maps that the crate ships, by name.
const BUILTIN: [(&str, &str); 6] = [
    ("cicids2017", include_str!("../maps/cicids2017.ron")),
    ("cicids2017_x", include_str!("../maps/cicids2017_x.ron")),
    ("kdd99", include_str!("../maps/kdd99.ron")),
    ("nsl_kdd", include_str!("../maps/nsl_kdd.ron")),
    ("unsw_nb15", include_str!("../maps/unsw_nb15.ron")),
    ("unsw_nb15_raw", include_str!("../maps/unsw_nb15_raw.ron")),
];

/// How to read one data set's CSV files.
///
/// ```
/// use phalanx_capture::CaptureMap;
///
/// let map = CaptureMap::from_ron(
///     r#"(
///         name: "mine",
///         header: true,
///         columns: [
///             ("bytes", Numeric(unit: Bytes, log1p: true)),
///             ("proto", Categorical),
///             ("port", Drop),
///             ("class", Label(benign: ["ok"])),
///         ],
///         protocol: "proto",
///         port: Number("port"),
///     )"#,
/// )?;
/// assert_eq!(map.columns.len(), 4);
/// assert!(CaptureMap::builtin("nsl_kdd").is_some());
/// # Ok::<(), phalanx_capture::MapError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureMap {
    /// Name of the data set, for messages.
    pub name: String,
    /// Character between fields, ASCII; a comma unless said.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Whether the first line names the columns. It must then name them as `columns` does.
    pub header: bool,
    /// Every column of the file, in order.
    pub columns: Vec<(String, ColumnKind)>,
    /// Column that holds the transport protocol: tcp, udp, icmp in any case, or an IANA number; an empty value or
    /// `-` is none.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Column that holds the destination port, or the service that stands for it.
    #[serde(default)]
    pub port: Option<PortColumn>,
    /// Column that holds the other side's address; an empty value, `-` or an IPv6 address is none.
    #[serde(default)]
    pub remote: Option<String>,
    /// Whether columns are found by the names in the header rather than by their place, for data sets whose copies
    /// differ. Columns of kind `Drop` may then be missing (and a key that one of them holds is none), a name that
    /// comes several times must be listed as often, and every name in the header must be listed.
    #[serde(default)]
    pub columns_by_name: bool,
    /// What to do with numbers that are NaN, infinite or beyond the range of `f32`.
    #[serde(default)]
    pub not_finite: NotFinite,
    /// What to do with empty fields of numeric columns.
    #[serde(default)]
    pub empty: EmptyNumber,
    /// What to do with a protocol that has no number.
    #[serde(default)]
    pub unknown_protocol: UnknownProtocol,
    /// How names are written.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What to do with a number that is not finite in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotFinite {
    /// The file is refused.
    #[default]
    Error,
    /// The row is left out and counted ([`crate::Records::dropped`]).
    Drop,
    /// The value becomes the largest (or smallest) finite one of its column in the file, NaN becomes 0, and it is
    /// counted ([`crate::Records::clipped`]).
    Clip,
}

/// What to do with an empty field of a numeric column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyNumber {
    /// The file is refused.
    #[default]
    Error,
    /// It is 0: for data sets that leave counts empty where they do not apply. A row of empty fields alone is left out
    /// and counted.
    Zero,
}

/// What to do with a protocol that has no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownProtocol {
    /// The file is refused.
    #[default]
    Error,
    /// The flow's key has no protocol.
    Absent,
}

/// How names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8; anything else is refused.
    #[default]
    Utf8,
    /// UTF-8 where the bytes are that, else Windows-1252 (the five bytes that it leaves undefined become U+FFFD).
    Windows1252,
}

fn comma() -> char {
    ','
}

/// What a column is to a detector. A column of any kind may also serve as `protocol`, `port` or `remote`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ColumnKind {
    /// One feature.
    Numeric {
        /// Unit of the value in the file.
        #[serde(default = "no_unit", with = "UnitName")]
        unit: Unit,
        /// Whether the feature is `sign(x) · ln(1 + |x|)` instead of `x`: for heavy tails.
        #[serde(default)]
        log1p: bool,
    },
    /// One 0/1 feature per category that the encoder has learned.
    Categorical,
    /// The ground truth: a name, benign if it is one of these.
    Label {
        /// Names that mean "no attack".
        benign: Vec<String>,
    },
    /// No feature.
    Drop,
}

fn no_unit() -> Unit {
    Unit::None
}

/// Names of [`Unit`] in map files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Unit")]
enum UnitName {
    Seconds,
    Bytes,
    Count,
    PerSecond,
    Bits,
    Share,
    Flag,
    None,
}

/// The column behind [`phalanx_core::FlowKey::port`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum PortColumn {
    /// A number from 0 to 65535; an empty value or `-` is none.
    Number(String),
    /// A service name, coded by its position in a closed list, so that codes do not depend on the data.
    Names {
        /// The column.
        column: String,
        /// Every name that may occur. Append, never insert: positions are part of recorded results.
        names: Vec<String>,
    },
}

impl PortColumn {
    /// Name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Number(column) | Self::Names { column, .. } => column,
        }
    }
}

impl CaptureMap {
    /// A map that the crate ships, `None` if there is none of that name.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
        Some(Self::from_ron(text).unwrap_or_else(|error| panic!("shipped map {name}: {error}")))
    }

    /// Names of the maps that the crate ships, ascending.
    #[must_use]
    pub fn builtin_names() -> Vec<&'static str> {
        BUILTIN.iter().map(|(name, _)| *name).collect()
    }

    /// Parses and checks a map. `Some(…)` may be left out around optional values.
    ///
    /// # Errors
    /// If the text is not a map, or the map contradicts itself.
    pub fn from_ron(text: &str) -> Result<Self, MapError> {
        let options =
            ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let map: Self = options.from_str(text).map_err(|error| MapError::Syntax {
            line: error.span.start.line,
            column: error.span.start.col,
            message: error.code.to_string(),
        })?;
        map.check()?;
        Ok(map)
    }

    /// Checks what serde cannot. [`crate::read_csv`] does it too, for maps that were built in code.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), MapError> {
        let fail = |problem| Err(MapError::Content { map: self.name.clone(), problem });
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\n' | '\r') {
            return fail(MapProblem::Delimiter(self.delimiter));
        }
        if self.columns_by_name && !self.header {
            return fail(MapProblem::NamesWithoutHeader);
        }
        let (mut names, mut labels, mut features) = (BTreeSet::new(), 0, 0);
        for (name, kind) in &self.columns {
            if name.is_empty() || name.contains('=') {
                return fail(MapProblem::ColumnName(name.clone()));
            }
            // Files may repeat a name (CICIDS2017 does), but only columns that nothing refers to can share one.
            if *kind != ColumnKind::Drop && !names.insert(name.as_str()) {
                return fail(MapProblem::Duplicate(name.clone()));
            }
            match kind {
                ColumnKind::Numeric { .. } | ColumnKind::Categorical => features += 1,
                ColumnKind::Label { benign } if benign.is_empty() => {
                    return fail(MapProblem::NoBenign(name.clone()));
                }
                ColumnKind::Label { .. } => labels += 1,
                ColumnKind::Drop => {}
            }
        }
        if features == 0 {
            return fail(MapProblem::NoFeatures);
        }
        if labels > 1 {
            return fail(MapProblem::TwoLabels);
        }
        let keys = [
            ("protocol", self.protocol.as_deref()),
            ("port", self.port.as_ref().map(PortColumn::column)),
            ("remote", self.remote.as_deref()),
        ];
        for (key, column) in keys {
            let Some(column) = column else { continue };
            match self.columns.iter().filter(|(name, _)| name == column).count() {
                0 => return fail(MapProblem::UnknownKeyColumn { key, column: column.to_owned() }),
                1 => {}
                _ => return fail(MapProblem::Duplicate(column.to_owned())),
            }
        }
        if let Some(PortColumn::Names { names, .. }) = &self.port {
            let distinct: BTreeSet<&String> = names.iter().collect();
            if distinct.len() < names.len() || names.len() > usize::from(u16::MAX) {
                return fail(MapProblem::PortNames);
            }
        }
        Ok(())
    }

    /// Position of a column in the file.
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| name == column)
    }
}

/// A map that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not RON, or not the shape of a map.
    #[error("capture map, line {line} column {column}: {message}")]
    Syntax {
        /// Line in the text, from 1.
        line: usize,
        /// Column in the line, from 1.
        column: usize,
        /// The parser's words.
        message: String,
    },
    /// A map that contradicts itself.
    #[error("capture map {map:?}: {problem}")]
    Content {
        /// The map's name.
        map: String,
        /// What is wrong.
        problem: MapProblem,
    },
}

/// How a map contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapProblem {
    /// Not one ASCII character, or one with another meaning.
    #[error("delimiter {0:?} cannot be used; take another ASCII character, such as ',' or '\\t'")]
    Delimiter(char),
    /// A name that a feature cannot have.
    #[error("column name {0:?} is empty or contains '='; rename it")]
    ColumnName(String),
    /// Two columns of one name.
    #[error("column {0:?} is there twice; rename one, or make it Drop")]
    Duplicate(String),
    /// Names to go by, but no line that has them.
    #[error("`columns_by_name` needs names to go by; set `header: true`")]
    NamesWithoutHeader,
    /// A label that is never benign.
    #[error("label column {0:?} has no benign name; list those that mean \"no attack\"")]
    NoBenign(String),
    /// Nothing for a detector.
    #[error("no column is Numeric or Categorical; a detector needs at least one feature")]
    NoFeatures,
    /// Two ground truths.
    #[error("two columns are Label; make one of them Drop")]
    TwoLabels,
    /// A key that refers to nothing.
    #[error("`{key}` names column {column:?}, which is not among the columns; correct the name")]
    UnknownKeyColumn {
        /// Which key.
        key: &'static str,
        /// The name it gives.
        column: String,
    },
    /// Codes would not be unique.
    #[error("port names must be distinct and at most 65535")]
    PortNames,
}
