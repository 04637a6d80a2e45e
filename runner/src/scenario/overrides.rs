//! The layers above the files: environment variables, then `--set`.

use phalanx_sim::scenario::Scenario;
use serde_json::{Map, Value};

use super::error::{Origin, Problem, ScenarioError};
use super::file::{default_of, to_value};
use super::path::is_within;
use super::probe::{self, Step, Target};
use super::track::Track;
use super::tracker::Tracked;

/// Variables that begin like overrides and are none.
const RESERVED: [&str; 1] = ["PHALANX_DATA"];

/// A value for one field, from outside the files.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    origin: Origin,
    path: String,
    raw: String,
}

impl Override {
    /// From the text after `--set`: `path.to.field=value`.
    ///
    /// # Errors
    /// If there is no `=`, or nothing in front of it.
    pub fn from_flag(text: &str) -> Result<Self, ScenarioError> {
        let origin = Origin::Flag(format!("--set {text}"));
        match text.split_once('=') {
            Some((path, raw)) if !path.trim().is_empty() => {
                Ok(Self { origin, path: path.trim().to_owned(), raw: raw.trim().to_owned() })
            }
            _ => Err(ScenarioError::new(origin, "", Problem::NotAnOverride)),
        }
    }

    /// From a dedicated flag, such as `--seed 7`, which stands for `seed=7`.
    #[must_use]
    pub fn from_dedicated(flag: &str, path: &str, value: &impl ToString) -> Self {
        let raw = value.to_string();
        Self { origin: Origin::Flag(format!("{flag} {raw}")), path: path.to_owned(), raw }
    }

    /// A level of a factor, which stands for `path=level`; `place` says where it is written.
    #[must_use]
    pub fn from_factor(place: &str, path: &str, level: String) -> Self {
        Self { origin: Origin::Flag(format!("{place} {path}={level}")), path: path.to_owned(), raw: level }
    }

    /// Whether an error is about this value.
    #[must_use]
    pub fn is_origin_of(&self, error: &ScenarioError) -> bool {
        *error.origin() == self.origin
    }

    /// From the environment: every `PHALANX_PATH__TO__FIELD`, by name.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Self> {
        let mut found: Vec<(String, String)> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with("PHALANX_") && !RESERVED.contains(&name.as_str()))
            .collect();
        found.sort();
        found
            .into_iter()
            .map(|(name, raw)| Self {
                path: name["PHALANX_".len()..].to_ascii_lowercase().replace("__", "."),
                origin: Origin::Environment(format!("{name}={raw}")),
                raw,
            })
            .collect()
    }
}

/// An override that found its field.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) origin: Origin,
    /// The path in the scenario's own spelling.
    pub(super) path: String,
    pub(super) raw: String,
    pub(super) value: Value,
}

impl Applied {
    /// Whether it gave `path`, or something inside or around it.
    pub(super) fn concerns(&self, path: &str) -> bool {
        is_within(path, &self.path) || is_within(&self.path, path)
    }

    pub(super) fn is_flag(&self) -> bool {
        matches!(self.origin, Origin::Flag(_))
    }
}

/// Applies overrides in order, later ones over earlier ones.
pub(super) fn apply(
    scenario: Scenario,
    overrides: &[Override],
) -> Result<(Scenario, Vec<Applied>), ScenarioError> {
    if overrides.is_empty() {
        return Ok((scenario, Vec::new()));
    }
    let mut tree = to_value(&scenario);
    let mut applied = Vec::with_capacity(overrides.len());
    for Override { origin, path, raw } in overrides {
        let error = |path: String, problem| {
            let default = default_of(&path);
            ScenarioError::new(origin.clone(), path, problem).with_default(default)
        };
        let Target { steps, value } =
            probe::follow::<Scenario>(path, raw, &tree).map_err(|(path, problem)| error(path, problem))?;
        let path = steps.iter().map(Step::segment).collect::<Vec<_>>().join(".");
        if path == "extends" {
            return Err(error(path, Problem::FileOnly));
        }
        let created = !(is_plain(&value) && find(&tree, &steps).is_some_and(is_plain));
        set(&mut tree, &steps, value.clone());
        // Fills in the defaults of what this override created, for the next one to build on.
        if created && let Ok(complete) = serde_json::from_value::<Scenario>(tree.clone()) {
            tree = to_value(&complete);
        }
        applied.push(Applied { origin: origin.clone(), path, raw: raw.clone(), value });
    }
    let track = Track::new();
    let mut out = Value::Null;
    let read =
        serde::Deserialize::deserialize(Tracked { inner: tree, track: &track, lower: None, out: &mut out });
    match read {
        Ok(scenario) => Ok((scenario, applied)),
        Err(error) => {
            // The values are of the right kind; a bound that is broken, or a field that nobody gave, shows here.
            let path = track.path();
            let culprit = applied.iter().rev().find(|a| a.concerns(&path)).or(applied.last());
            let origin = culprit.map_or(Origin::Flag("--set".to_owned()), |a| a.origin.clone());
            let default = default_of(&path);
            Err(ScenarioError::new(origin, path, missing(&error)).with_default(default))
        }
    }
}

fn missing(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    match message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(field) => Problem::MissingField { field: field.to_owned() },
        None => Problem::Refused { message },
    }
}

/// Whether a value has no parts.
fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// What stands where the steps lead, if anything does.
fn find<'t>(tree: &'t Value, steps: &[Step]) -> Option<&'t Value> {
    steps.iter().try_fold(tree, |target, step| match step {
        Step::Field(name) | Step::Variant(name) => target.get(name),
        Step::Key(name) => target.get(name),
        Step::Element(index) => target.get(index),
    })
}

fn set(tree: &mut Value, steps: &[Step], value: Value) {
    let mut target = tree;
    for step in steps {
        target = match step {
            Step::Field(name) => object(target).entry(*name).or_insert(Value::Null),
            Step::Key(name) => object(target).entry(name.clone()).or_insert(Value::Null),
            Step::Variant(name) => {
                let variant = object(target);
                if !variant.contains_key(*name) {
                    variant.clear();
                }
                variant.entry(*name).or_insert_with(|| Value::Object(Map::new()))
            }
            Step::Element(index) => {
                if !target.is_array() {
                    *target = Value::Array(Vec::new());
                }
                let items = target.as_array_mut().expect("made an array above");
                if *index >= items.len() {
                    items.push(Value::Null);
                }
                let last = items.len() - 1;
                &mut items[(*index).min(last)]
            }
        };
    }
    merge(target, value);
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}

/// Objects merge field by field; everything else, and another variant of an enum, replaces.
fn merge(lower: &mut Value, upper: Value) {
    match (lower, upper) {
        (Value::Object(lower), Value::Object(upper)) => {
            if variant(&upper).is_some() && variant(lower) != variant(&upper) {
                lower.clear();
            }
            for (name, value) in upper {
                merge(lower.entry(name).or_insert(Value::Null), value);
            }
        }
        (lower, upper) => *lower = upper,
    }
}

/// The variant's name, if the object is an externally tagged enum. Fields are in snake case, variants are not.
fn variant(object: &Map<String, Value>) -> Option<&str> {
    let (name, _) = object.iter().next()?;
    (object.len() == 1 && name.starts_with(char::is_uppercase)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(overrides: &[&str]) -> Result<Value, String> {
        let overrides: Vec<_> = overrides
            .iter()
            .map(|o| Override::from_flag(o))
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        apply(Scenario::default(), &overrides).map(|(s, _)| to_value(&s)).map_err(|e| e.to_string())
    }

    fn check(overrides: &[&str], pointer: &str, expected: impl Into<Value>) {
        let tree = after(overrides).unwrap();
        assert_eq!(tree.pointer(pointer), Some(&expected.into()), "{overrides:?}");
    }

    fn refused(overrides: &[&str], part: &str) {
        let error = after(overrides).unwrap_err();
        assert!(error.contains(part), "{overrides:?} gave {error:?}, expected {part:?}");
    }

    #[test]
    fn values_are_read_by_the_type_of_their_field() {
        check(&["agents=7"], "/agents", 7);
        check(&["consensus.quorum=0.75"], "/consensus/quorum", 0.75);
        check(&["consensus.quorum=1"], "/consensus/quorum", 1.0);
        check(&["network.enabled=false"], "/network/enabled", false);
        check(&["detector=ZScore"], "/detector", "ZScore");
        check(&["detector=\"ZScore\""], "/detector", "ZScore");
        check(&["traffic.capture.path=42"], "/traffic/Capture/path", "42");
        check(&["traffic.capture.split.by_column=proto"], "/traffic/Capture/split/ByColumn", "proto");
        check(&["blacklist.radius=3"], "/blacklist/radius", 3.0);
        check(&["ledger.durability=Group(5)"], "/ledger/durability/Group", 5);
        check(&["traffic=Gaussian(flows: 3)"], "/traffic/Gaussian/flows", 3);
        check(&["detector.isolation_forest=(trees: 9)"], "/detector/IsolationForest/trees", 9);
        check(&["campaigns=[(kind: Worm, start: 4)]"], "/campaigns/0/start", 4);
        check(&[r#"campaigns=[{"kind":"Worm","start":4}]"#], "/campaigns/0/start", 4);
    }

    #[test]
    fn variants_are_entered_switched_and_kept() {
        check(&["detector.isolation_forest.trees=50"], "/detector/IsolationForest/sample", 256);
        check(
            &["detector=ZScore", "detector.IsolationForest.trees=50"],
            "/detector/IsolationForest/trees",
            50,
        );
        check(&["threshold.quantile.contamination=0.1"], "/threshold/Quantile/contamination", 0.1);
        check(&["threshold.fixed=0.6"], "/threshold/Fixed", 0.6);
        check(&["network.latency.max_ticks=4"], "/network/latency/min_ticks", 0);
        check(&["network.latency=(max_ticks: 4)"], "/network/latency/min_ticks", 0);
    }

    #[test]
    fn later_overrides_win_and_elements_append() {
        check(&["agents=7", "agents=9"], "/agents", 9);
        let adversary = ["adversaries.0.kind=VoteFlip", "adversaries.0.fraction=0.3"];
        check(&adversary, "/adversaries/0/fraction", 0.3);
        let column = ["traffic=Gaussian()", "traffic.gaussian.columns.1.sd=5"];
        check(&column, "/traffic/Gaussian/columns/1/name", "rate");
        check(&column, "/traffic/Gaussian/columns/3/name", "port_entropy");
    }

    #[test]
    fn mistakes_name_the_flag_the_path_and_the_alternative() {
        refused(&["agents"], "--set agents: expected path.to.field=value");
        refused(&["agnets=3"], "--set agnets=3: agnets: unknown field `agnets`");
        refused(&["agents=ten"], "--set agents=ten: agents: expected a whole number, found `ten`");
        refused(&["agents=2.5"], "agents: expected a whole number, found `2.5`");
        refused(&["agents=-5"], "agents: -5 is out of range");
        refused(&["agents.size=5"], "agents: is a number, there is nothing below it");
        refused(&["detector=Isolation"], "detector: unknown variant `Isolation`");
        refused(&["detector.forest.trees=3"], "detector.forest: unknown variant `forest`");
        refused(&["network.topology.full_mesh=1"], "a plain name");
        refused(&["campaigns.3.start=1"], "`3` is no such element: the list has 0");
        refused(&["campaigns.0.start=1"], "campaigns.0: field `kind` is missing");
        refused(&["extends=base.ron"], "can only be set in a file");
        refused(&["consensus.quorum=1.5"], "consensus.quorum: 1.5 is out of range");
        refused(&["consensus=(quorum: 1.5)"], "consensus.quorum: 1.5 is out of range");
        refused(&["agents=3)"], "not valid RON");
    }
}
