//! A random scenario, drawn along the schema of scenario files, so that a new option takes part by being there.

use std::sync::OnceLock;

use phalanx_sim::scenario::{Positive, Scenario, Traffic};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::plugins;
use crate::scenario::schema;

/// Blocks that say nothing about a run, or name files.
const LEFT_OUT: [&str; 7] = ["extends", "agents", "ticks", "seed", "study", "studies", "record"];
/// Variants that name files. Plugins do too, but the program carries some.
const NEED_FILES: [&str; 1] = ["Capture"];
const AGENTS_MAX: u64 = 24;
const TICKS_MAX: u64 = 16;
/// The largest whole number drawn for an option.
const WHOLE_MAX: u64 = 12;
/// The deepest nesting of blocks.
const DEPTH_MAX: u32 = 14;

/// How often something is drawn anew that contradicts what was drawn before.
const TRIES: u32 = 12;

/// The scenario of a case. It grows option by option, so that those with many conditions are not rare: what contradicts
/// the rest is drawn again, not all of it.
///
/// # Panics
/// Never: a scenario of three numbers is valid, and it only grows while it stays so.
#[must_use]
pub fn scenario(case: u64) -> Scenario {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let root = SCHEMA.get_or_init(schema);
    let mut draws = Draws::new(case);
    let mut tree = json!({
        "agents": 1 + draws.below(AGENTS_MAX),
        "ticks": 1 + draws.below(TICKS_MAX),
        "seed": draws.word(),
    });
    let fields = root["properties"].as_object().expect("a scenario is a block");
    for (name, field) in fields.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
        // Half of the options stay at their defaults, so that the others meet in ever new company.
        if draws.below(2) == 0 {
            draws.grow(&mut tree, "", name, field, root);
        }
    }
    valid(&tree).expect("it was after every step")
}

/// The scenario, if it is one.
fn valid(tree: &Value) -> Option<Scenario> {
    let mut scenario: Scenario = Scenario::deserialize(tree).ok()?;
    bound(&mut scenario);
    plugins::pin(&mut scenario);
    scenario.check().is_ok().then_some(scenario)
}

/// Keeps a case short: what is drawn freely may ask for much work.
fn bound(scenario: &mut Scenario) {
    if let Traffic::Synthetic(synthetic) = &mut scenario.traffic {
        let flows = synthetic.flows.get().clamp(0.5, 12.0);
        synthetic.flows = phalanx_sim::scenario::PositiveReal::new(flows);
    }
    if let Traffic::Gaussian(gaussian) = &mut scenario.traffic {
        gaussian.flows = Positive::new(gaussian.flows.get().min(20));
    }
    for campaign in &mut scenario.campaigns {
        campaign.start = campaign.start.min(TICKS_MAX);
    }
}

struct Draws(blake3::OutputReader);

impl Draws {
    fn new(case: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("phalanx 2026 swarm");
        hasher.update(&case.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(n)) >> 64) as u64
    }

    /// Adds a field to the block at `parent`: a block field by field, a list element by element.
    fn grow(&mut self, tree: &mut Value, parent: &str, name: &str, schema: &Value, root: &Value) {
        let schema = target(schema, root);
        let inside = format!("{parent}/{name}");
        // A block whose fields only make sense together is drawn as a whole.
        let whole = schema.get("oneOf").is_some() || schema.get("required").is_some();
        let fields = schema["properties"].as_object().filter(|_| !whole);
        if let Some(fields) = fields {
            self.settle(tree, |tree, _| put(tree, parent, name, json!({})));
            // Twice, since a field may need one that comes after it.
            for chances in [2, 4] {
                for (field, schema) in fields {
                    if tree.pointer(&format!("{inside}/{field}")).is_none() && self.below(chances) == 0 {
                        self.grow(tree, &inside, field, schema, root);
                    }
                }
            }
        } else if schema["type"] == "array" && schema.get("prefixItems").is_none() {
            self.settle(tree, |tree, _| put(tree, parent, name, json!([])));
            for _ in 0..self.below(4) {
                self.settle(tree, |tree, draws| {
                    let list = tree.pointer_mut(&inside)?.as_array_mut()?;
                    list.push(draws.value(&schema["items"], root, 0)?);
                    Some(())
                });
            }
        } else {
            self.settle(tree, |tree, draws| put(tree, parent, name, draws.value(schema, root, 0)?));
        }
    }

    /// Changes the scenario so that it stays valid, if a few tries find how.
    fn settle(&mut self, tree: &mut Value, change: impl Fn(&mut Value, &mut Self) -> Option<()>) {
        for _ in 0..TRIES {
            let mut changed = tree.clone();
            if change(&mut changed, self).is_some() && valid(&changed).is_some() {
                *tree = changed;
                return;
            }
        }
    }

    /// A value that fits a schema, or none where only a file would do.
    fn value(&mut self, schema: &Value, root: &Value, depth: u32) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = root.pointer(reference.trim_start_matches('#'))?;
            return self.value(target, root, depth + 1);
        }
        if let Some(constant) = schema.get("const") {
            return (!NEED_FILES.contains(&constant.as_str().unwrap_or(""))).then(|| constant.clone());
        }
        if let Some(values) = schema["enum"].as_array() {
            return Some(values[self.below(values.len() as u64) as usize].clone());
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(variants) = schema[choice].as_array() {
                let mut open: Vec<&Value> = variants.iter().filter(|v| !needs_file(v)).collect();
                while !open.is_empty() {
                    let variant = open.swap_remove(self.below(open.len() as u64) as usize);
                    if let Some(value) = self.value(variant, root, depth + 1) {
                        return Some(value);
                    }
                }
                return None;
            }
        }
        let kind = match &schema["type"] {
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => kinds[self.below(kinds.len() as u64) as usize].as_str()?.to_owned(),
            _ => return None,
        };
        match kind.as_str() {
            "null" => Some(Value::Null),
            "boolean" => Some((self.below(2) == 0).into()),
            "integer" => {
                let low = schema["minimum"].as_i64().unwrap_or(0).max(0) as u64;
                let high = schema["maximum"].as_u64().unwrap_or(u64::MAX).min(low + WHOLE_MAX);
                Some((low + self.below(high - low + 1)).into())
            }
            "number" => Some(self.number(schema).into()),
            "array" => {
                let items = &schema["items"];
                let low = schema["minItems"].as_u64().unwrap_or(0);
                let count = low.max(self.below(4)).min(schema["maxItems"].as_u64().unwrap_or(u64::MAX));
                if let Some(each) = schema["prefixItems"].as_array() {
                    return each.iter().map(|item| self.value(item, root, depth + 1)).collect();
                }
                (0..count).map(|_| self.value(items, root, depth + 1)).collect()
            }
            "object" => self.block(schema, root, depth),
            // Names and paths mean something to somebody else.
            _ => None,
        }
    }

    fn block(&mut self, schema: &Value, root: &Value, depth: u32) -> Option<Value> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fields = Map::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let must = required.contains(&name.as_str());
            if must && name == "path" {
                // Which plugin it is, is decided later.
                fields.insert(name.clone(), "".into());
            } else if must || self.below(2) == 0 {
                match self.value(field, root, depth + 1) {
                    Some(value) => {
                        fields.insert(name.clone(), value);
                    }
                    None if must => return None,
                    None => {}
                }
            }
        }
        Some(Value::Object(fields))
    }

    /// The ends of the range, or something between.
    fn number(&mut self, schema: &Value) -> f64 {
        let low = schema["minimum"].as_f64().or(schema["exclusiveMinimum"].as_f64()).unwrap_or(0.0);
        let high = schema["maximum"].as_f64().unwrap_or(low + 4.0);
        let inside = (self.below(998) + 1) as f64 / 1000.0;
        match self.below(6) {
            0 if schema["minimum"].is_number() => low,
            1 if schema["maximum"].is_number() => high,
            _ => low + inside * (high - low),
        }
    }
}

/// The schema that is meant, if this one only names it.
fn target<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let named = schema["$ref"].as_str().and_then(|name| root.pointer(name.trim_start_matches('#')));
    named.unwrap_or(schema)
}

fn put(tree: &mut Value, parent: &str, name: &str, value: Value) -> Option<()> {
    tree.pointer_mut(parent)?.as_object_mut()?.insert(name.to_owned(), value);
    Some(())
}

/// Whether a variant is one that names a file.
fn needs_file(variant: &Value) -> bool {
    let names = variant["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    names.chain(variant["const"].as_str()).any(|name| NEED_FILES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_sim::scenario::{Detector, Signing};

    #[test]
    fn cases_are_many_and_repeat() {
        assert_eq!(scenario(5), scenario(5));
        let cases: Vec<Scenario> = (0..150).map(scenario).collect();
        let different = |of: fn(&Scenario) -> String| {
            let mut seen: Vec<String> = cases.iter().map(of).collect();
            seen.sort();
            seen.dedup();
            seen.len()
        };
        assert!(different(|s| format!("{:?}", std::mem::discriminant(&s.detector))) > 5, "detectors vary");
        assert!(different(|s| format!("{:?}", s.consensus)) > 10, "so does how agents decide");
        for (what, drawn) in [
            ("liars", cases.iter().any(|s| !s.adversaries.is_empty())),
            ("campaigns", cases.iter().any(|s| !s.campaigns.is_empty())),
            ("a detector that is a plugin", cases.iter().any(|s| matches!(s.detector, Detector::Plugin(_)))),
            ("a voting rule that is a plugin", cases.iter().any(|s| s.consensus.plugin.is_some())),
            ("signatures", cases.iter().any(|s| s.ledger.signing == Signing::Ed25519)),
            ("checkpoints in the ledger", cases.iter().any(|s| s.ledger.checkpoint_ticks > 0)),
            ("churn", cases.iter().any(|s| s.network.churn.is_some())),
            ("partitions", cases.iter().any(|s| !s.network.partitions.is_empty())),
        ] {
            assert!(drawn, "{what} is never drawn");
        }
    }
}
