//! What can be wrong with a scenario, and how it is said: place, field, what was expected, what to do.

use std::fmt;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::path::nearest;

/// A mistake in a scenario, with its place.
#[derive(Debug)]
pub struct ScenarioError(Box<Located>);

#[derive(Debug)]
struct Located {
    origin: Origin,
    path: String,
    problem: Problem,
    default: Option<String>,
    snippet: Option<Snippet>,
}

#[derive(Debug)]
struct Snippet {
    source: NamedSource<String>,
    label: LabeledSpan,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// In a file; line and column count from 1, in characters.
    File {
        /// As it was named, or as the file that extends it names it.
        file: String,
        /// Line and column, unless the whole file is meant.
        position: Option<(usize, usize)>,
    },
    /// By `--set` or a dedicated flag: its text.
    Flag(String),
    /// By an environment variable: `NAME=value`.
    Environment(String),
}

impl Origin {
    /// A file as a whole.
    #[must_use]
    pub fn file(file: &Path) -> Self {
        Self::File { file: file.display().to_string(), position: None }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, position: Some((line, column)) } => write!(f, "{file}:{line}:{column}"),
            Self::File { file, position: None } => f.write_str(file),
            Self::Flag(text) => f.write_str(text),
            Self::Environment(text) => write!(f, "environment variable {text}"),
        }
    }
}

/// The kinds of mistake.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// No field of that name exists there.
    UnknownField {
        /// As written.
        found: String,
        /// The fields that exist.
        names: Vec<String>,
    },
    /// No variant of that name exists there.
    UnknownVariant {
        /// As written.
        found: String,
        /// The variants that exist.
        names: Vec<String>,
    },
    /// Text where a number belongs, and the like.
    WrongType {
        /// In words.
        expected: String,
        /// In words, or as written.
        found: String,
    },
    /// The value's own type refuses it.
    Refused {
        /// Value and bounds.
        message: String,
    },
    /// A field without default is not given.
    MissingField {
        /// Its name.
        field: String,
    },
    /// A field is given twice.
    DuplicateField {
        /// Its name.
        field: String,
    },
    /// Two values cannot both hold.
    Contradiction {
        /// What is wrong and what would be right.
        message: String,
    },
    /// Not RON.
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// No such file.
    NoSuchFile {
        /// The most alike of the folder's scenario files.
        nearest: Option<String>,
    },
    /// A folder, where a file belongs.
    Folder,
    /// The file exists and cannot be read.
    Unreadable {
        /// What the system says.
        reason: String,
    },
    /// Bytes that are no text.
    NotUtf8,
    /// A file extends itself.
    Cycle {
        /// The files on the way, the first one again at the end.
        chain: Vec<String>,
    },
    /// A list has no such element.
    NoSuchElement {
        /// As written.
        found: String,
        /// Elements that it has.
        length: usize,
    },
    /// A path that goes on below a single value.
    NoFields {
        /// What the value is.
        kind: &'static str,
    },
    /// An override without `=`, or without a path.
    NotAnOverride,
    /// A field that only a file may set.
    FileOnly,
    /// A study that gives no plan.
    Study {
        /// What is wrong.
        message: String,
        /// What to do.
        remedy: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { found, .. } => write!(f, "unknown field `{found}`"),
            Self::UnknownVariant { found, .. } => write!(f, "unknown variant `{found}`"),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Refused { message } | Self::Contradiction { message } | Self::Study { message, .. } => {
                f.write_str(message)
            }
            Self::MissingField { field } => write!(f, "field `{field}` is missing"),
            Self::DuplicateField { field } => write!(f, "field `{field}` is given twice"),
            Self::Syntax { message } => write!(f, "not valid RON: {message}"),
            Self::NoSuchFile { .. } => f.write_str("no such file"),
            Self::Folder => f.write_str("is a folder, expected a scenario file"),
            Self::Unreadable { reason } => write!(f, "cannot be read: {reason}"),
            Self::NotUtf8 => f.write_str("not UTF-8 text"),
            Self::Cycle { chain } => write!(f, "the file extends itself: {}", chain.join(" → ")),
            Self::NoSuchElement { found, length } => {
                write!(f, "`{found}` is no such element: the list has {length}")
            }
            Self::NoFields { kind } => write!(f, "is {kind}, there is nothing below it"),
            Self::NotAnOverride => f.write_str("expected path.to.field=value"),
            Self::FileOnly => f.write_str("can only be set in a file"),
        }
    }
}

impl Problem {
    fn remedy(&self, path: &str, default: Option<&str>) -> String {
        match self {
            Self::UnknownField { found, names } => alternatives(found, names, "fields"),
            Self::UnknownVariant { found, names } => alternatives(found, names, "variants"),
            Self::WrongType { .. } | Self::Refused { .. } => match default {
                Some(default) => format!("change `{path}`; its default is {default}"),
                None => format!("change `{path}`; `runner scenario show FILE` prints a complete scenario"),
            },
            Self::MissingField { field } => format!("add `{field}: …`; it has no default here"),
            Self::DuplicateField { .. } => "remove one of the two".to_owned(),
            Self::Contradiction { .. } => format!("change it in the file, or with --set {path}=…"),
            Self::Syntax { .. } => {
                "a scenario is `( field: value, … )` with commas between fields; `runner scenario show FILE` \
                 prints a complete one"
                    .to_owned()
            }
            Self::NoSuchFile { nearest: Some(nearest) } => format!("did you mean `{nearest}`?"),
            Self::NoSuchFile { nearest: None } => {
                "check the path; it is relative to the working folder, and in \
                                                   `extends` to the file"
                    .to_owned()
            }
            Self::Folder => "name a .ron file inside it".to_owned(),
            Self::Unreadable { .. } => "check its permissions".to_owned(),
            Self::NotUtf8 => "save the file as UTF-8".to_owned(),
            Self::Cycle { .. } => "remove one `extends` of the circle".to_owned(),
            Self::NoSuchElement { length: 0, .. } => {
                format!("element 0 would be the first; or give the whole list: --set {path}=[…]")
            }
            Self::NoSuchElement { length, .. } => format!(
                "elements count from 0: the last is {}, and {length} appends one",
                length.saturating_sub(1)
            ),
            Self::NoFields { .. } => format!("end the path at `{path}`"),
            Self::NotAnOverride => "for example: --set consensus.quorum=0.6".to_owned(),
            Self::FileOnly => "write it into a scenario file that extends the other".to_owned(),
            Self::Study { remedy, .. } => remedy.clone(),
        }
    }
}

fn alternatives(found: &str, names: &[String], what: &str) -> String {
    let list = names.join(", ");
    match nearest(found, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`? the {what} here are: {list}"),
        None => format!("the {what} here are: {list}"),
    }
}

impl ScenarioError {
    pub(super) fn new(origin: Origin, path: impl Into<String>, problem: Problem) -> Self {
        Self(Box::new(Located { origin, path: path.into(), problem, default: None, snippet: None }))
    }

    /// Adds the text around the place: `offset` and `length` in bytes.
    pub(super) fn with_snippet(mut self, file: &str, text: &str, offset: usize, length: usize) -> Self {
        let source = NamedSource::new(file, text.to_owned());
        let label = LabeledSpan::new(Some(self.0.problem.to_string()), offset, length);
        self.0.snippet = Some(Snippet { source, label });
        self
    }

    /// Adds the field's default to the remedy.
    pub(super) fn with_default(mut self, default: Option<String>) -> Self {
        self.0.default = default;
        self
    }

    /// Where the value was given.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Path of the field; empty if the whole file is meant.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Located { origin, path, problem, .. } = &*self.0;
        if path.is_empty() {
            write!(f, "{origin}: {problem}")
        } else {
            write!(f, "{origin}: {path}: {problem}")
        }
    }
}

impl std::error::Error for ScenarioError {}

impl Diagnostic for ScenarioError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.problem.remedy(&self.0.path, self.0.default.as_deref())))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.snippet.as_ref().map(|s| &s.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let snippet = self.0.snippet.as_ref()?;
        Some(Box::new(std::iter::once(snippet.label.clone())))
    }
}
