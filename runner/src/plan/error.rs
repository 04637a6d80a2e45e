//! What can be wrong with a study.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why there is no plan.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanError {
    /// Text after `--vary` that is no factor.
    #[error("--vary {text}: {problem}")]
    #[diagnostic(help(
        "for example: --vary consensus.quorum=0.5,0.6 · --vary network.loss=0:0.3:0.1 · --vary agents=10:1000:log3"
    ))]
    Vary {
        /// As written.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// Levels that cannot be.
    #[error("factor {path}: {problem}")]
    #[diagnostic(help("mend it in `study.factors`, or with --vary {path}=…"))]
    Levels {
        /// The factor.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A design that does not fit its factors or conditions.
    #[error("design {design}: {problem}")]
    #[diagnostic(help(
        "designs are factorial, zip, lhs:N, sobol:N, random:N, morris:N, saltelli:N and table:FILE.csv"
    ))]
    Design {
        /// Its name.
        design: String,
        /// What is wrong.
        problem: String,
    },
    /// The table of configurations cannot be read.
    #[error("{}: {problem}", .file.display())]
    #[diagnostic(help("the first line names paths of fields, every other line is a configuration"))]
    Table {
        /// The CSV file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A filter or condition that is no expression, or no condition.
    #[error("condition {text:?}: {problem}")]
    #[diagnostic(help(
        "for example: -r 'consensus.quorum > 0.5 && adversaries.0.fraction < 0.3'; names are paths of fields"
    ))]
    Condition {
        /// As written.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// A rule for stopping that is none.
    #[error("--until {text:?}: {problem}")]
    #[diagnostic(help(
        "for example: --until 'f1 rel<0.02 max 200', or 'network.bytes abs<1000 min 5 max 50'"
    ))]
    Until {
        /// As written.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// No study of that name.
    #[error("no study `{name}`{}", .nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    #[diagnostic(help("the scenario's `studies` are: {}", if .known.is_empty() { "none".to_owned() } else { .known.join(", ") }))]
    NoStudy {
        /// As asked for.
        name: String,
        /// The most alike.
        nearest: Option<String>,
        /// All.
        known: Vec<String>,
    },
    /// A study that cannot be told from others.
    #[error("study {index} of `studies` {problem}")]
    #[diagnostic(help("give it a `name` of its own, for --study NAME"))]
    StudyName {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with its name.
        problem: String,
    },
    /// A study that extends itself.
    #[error("study `{name}` extends itself")]
    #[diagnostic(help("remove one `extends` of the circle"))]
    Circle {
        /// One of the circle.
        name: String,
    },
    /// Conditions leave nothing.
    #[error("no configuration of {total} fulfils the conditions")]
    #[diagnostic(help("loosen -r or `study.conditions`"))]
    Nothing {
        /// Configurations before the conditions.
        total: usize,
    },
    /// More than can be numbered.
    #[error("{what}: at most {most} are possible")]
    #[diagnostic(help("fewer levels, samples or replicates"))]
    TooMany {
        /// What there are too many of.
        what: String,
        /// The bound.
        most: u64,
    },
}
