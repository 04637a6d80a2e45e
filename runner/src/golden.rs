//! Goldens: the blessed outcome of a scenario, as a file that is pleasant to diff.
//!
//! `golden/<name>.ron` names a scenario (relative to the folder that holds `golden/`) and the `--set`s over it, and
//! holds the first 16 hex digits of every tick's fingerprint and the run record without timing. Environment
//! overrides do not reach golden runs.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use phalanx_sim::Pool;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::chain::Chain;
use crate::error::RunnerError;
use crate::output::write_whole;
use crate::plan::PlannedRun;
use crate::record::RunRecord;
use crate::run::{Ended, Job};
use crate::scenario::{Override, load, ron_options};
use crate::table::walk;

/// Version of the file's layout.
const FORMAT: u32 = 1;
/// Hex digits of a fingerprint that are kept for each tick.
const DIGITS: usize = 16;

/// A blessed outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    format: u32,
    /// The scenario, relative to the folder that holds the golden folder.
    pub scenario: String,
    /// Overrides, as after `--set`.
    pub set: Vec<String>,
    /// Beginning of the fingerprint after each tick.
    fingerprints: Vec<String>,
    /// The run record without timing.
    #[serde(serialize_with = "readable")]
    record: Value,
}

/// A value that is not what was blessed.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    path: String,
    from: Option<Value>,
    to: Option<Value>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// First tick whose fingerprints part, if both runs have it.
    pub first_tick: Option<usize>,
    /// Values of the record.
    pub moved: Vec<Moved>,
}

impl Golden {
    /// Runs a scenario in memory. `base` is the folder that `scenario` is relative to.
    ///
    /// # Errors
    /// If the scenario or its data cannot be used, the run panics, or Ctrl-C ends it.
    pub fn run(base: &Path, scenario: &str, set: &[String], threads: usize) -> Result<Self, RunnerError> {
        let overrides: Vec<Override> =
            set.iter().map(|s| Override::from_flag(s)).collect::<Result<_, _>>()?;
        let file = base.join(scenario);
        let loaded = load(&file, &overrides)?;
        let seed = loaded.scenario.seed;
        let job = Job::open(loaded)?;
        let pool = Pool::new(threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
        let simulation = job.build(seed, &pool)?;
        let mut fingerprints = Vec::new();
        let start = std::time::Instant::now();
        let ended = job.drive(simulation, Chain::root_only(job.digest(), seed), None, |tick| {
            fingerprints.push(tick.fingerprint.to_string()[..DIGITS].to_owned());
            Ok(())
        })?;
        if let Ended::Panicked(reason) | Ended::Aborted(reason) = &ended {
            return Err(RunnerError::BadGolden { path: file, reason: format!("the run failed: {reason}") });
        }
        if matches!(ended, Ended::Interrupted) {
            return Err(RunnerError::Interrupted);
        }
        let record: RunRecord = job.record(&PlannedRun::FIRST, seed, ended, start, threads).without_timing();
        let record = serde_json::to_value(&record).expect("a record is plain data with text keys");
        Ok(Self { format: FORMAT, scenario: scenario.to_owned(), set: set.to_vec(), fingerprints, record })
    }

    /// Reads a golden.
    ///
    /// # Errors
    /// If it cannot be read or is of another format.
    pub fn read(path: &Path) -> Result<Self, RunnerError> {
        let bad = |reason: String| RunnerError::BadGolden { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let golden: Self = ron_options().from_str(&text).map_err(|error| bad(error.to_string()))?;
        if golden.format != FORMAT {
            return Err(bad(format!("format {} is not the {FORMAT} of this version", golden.format)));
        }
        Ok(golden)
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RunnerError> {
        write_whole(path, &self.to_ron())
    }

    /// The file's text.
    #[must_use]
    pub fn to_ron(&self) -> String {
        let layout = ron::ser::PrettyConfig::new().indentor("    ");
        let body = ron_options().to_string_pretty(self, layout).expect("a golden is plain data");
        format!("// Written by `runner golden bless`, compared by `runner golden check`.\n{body}\n")
    }

    /// What moved from this golden to another run of it.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Difference {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        walk("", &self.record, &mut from);
        walk("", &other.record, &mut to);
        let value = |cells: &[(String, Value)], path: &str| {
            cells.iter().find(|(p, _)| p == path).map(|(_, value)| value.clone())
        };
        let mut paths: Vec<&String> = from.iter().map(|(path, _)| path).collect();
        paths.extend(to.iter().map(|(path, _)| path).filter(|p| value(&from, p).is_none()));
        let moved = paths
            .into_iter()
            .map(|path| Moved { path: path.clone(), from: value(&from, path), to: value(&to, path) })
            .filter(|m| m.from != m.to)
            .collect();
        let mut pairs = self.fingerprints.iter().zip(&other.fingerprints);
        Difference { first_tick: pairs.position(|(a, b)| a != b), moved }
    }
}

impl Difference {
    /// Whether nothing moved.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
        write!(f, "{}: {} → {}", self.path, shown(&self.from), shown(&self.to))?;
        // No tolerance: whatever moved is shown, with how far, so that a rounding is told from a change of behaviour.
        let whole = |value: &Option<Value>| value.as_ref().and_then(Value::as_i64);
        if let Some((from, to)) = whole(&self.from).zip(whole(&self.to)) {
            let share = (to as f64 / from as f64 - 1.0) * 100.0;
            return match from {
                0 => write!(f, "  (by {to:+})"),
                _ => write!(f, "  (by {:+}, {share:+.2} %)", to - from),
            };
        }
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
        match number(&self.from).zip(number(&self.to)) {
            Some((from, to)) if from != 0.0 => {
                write!(f, "  (by {:+.3e}, {:+.2} %)", to - from, (to / from - 1.0) * 100.0)
            }
            Some((from, to)) => write!(f, "  (by {:+.3e})", to - from),
            None => Ok(()),
        }
    }
}

/// Where a folder keeps the golden of that name.
#[must_use]
pub fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.ron"))
}

/// Where a check leaves what it found instead.
#[must_use]
pub fn updated_path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.updated.ron"))
}

/// Names of a folder's goldens, in order.
///
/// # Errors
/// If the folder cannot be read. One that does not exist holds no goldens.
pub fn names(folder: &Path) -> Result<Vec<String>, RunnerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RunnerError::io("read the folder", folder)(error)),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".ron").map(str::to_owned))
        .filter(|name| !name.ends_with(".updated"))
        .collect();
    names.sort();
    Ok(names)
}

fn readable<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    Readable(value).serialize(serializer)
}

/// JSON in RON's words: `None` for what is undefined.
struct Readable<'v>(&'v Value);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_none(),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Readable(item)))?;
                list.end()
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, &Readable(value)))?;
                map.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn golden(record: Value) -> Golden {
        let fingerprints = vec!["00ff".to_owned(), "11ee".to_owned()];
        Golden {
            format: FORMAT,
            scenario: "scenarios/a.ron".to_owned(),
            set: Vec::new(),
            fingerprints,
            record,
        }
    }

    #[test]
    fn floats_and_undefined_values_survive_the_file() {
        let record = json!({
            "seed": u64::MAX, "f1": 0.1 + 0.2, "tiny": 5e-324, "whole": 3.0, "none": null, "status": "ok",
            "list": [{"name": "a \"quoted\" one"}], "params": {"consensus.quorum": 0.6},
        });
        let folder = tempfile::tempdir().unwrap();
        let path = path_of(folder.path(), "a");
        golden(record.clone()).write(&path).unwrap();
        assert_eq!(Golden::read(&path).unwrap(), golden(record));
        assert_eq!(names(folder.path()).unwrap(), ["a"]);
    }

    #[test]
    fn every_value_that_moved_is_named() {
        let before = golden(json!({"a": {"b": 1, "c": null}, "gone": 2.5}));
        let mut after = golden(json!({"a": {"b": 2, "c": null}, "new": true}));
        after.fingerprints[1] = "22dd".to_owned();
        let difference = before.compare(&after);
        assert_eq!(difference.first_tick, Some(1));
        let moved: Vec<String> = difference.moved.iter().map(ToString::to_string).collect();
        assert_eq!(moved, ["a.b: 1 → 2  (by +1, +100.00 %)", "gone: 2.5 → absent", "new: absent → true"]);
        assert!(before.compare(&before).is_none());
    }
}
