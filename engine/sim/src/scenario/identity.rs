//! What tells one scenario from another, for fingerprints and ledgers.

use serde_json::Value;

use super::Scenario;

impl Scenario {
    /// Everything that differs from the defaults, one `path=value` a line, sorted by path.
    ///
    /// A field that a later version adds with a default leaves the identity of old scenarios, and with it every
    /// fingerprint and golden, as it was.
    #[must_use]
    pub fn identity(&self) -> String {
        let value = |scenario: &Self| serde_json::to_value(scenario).expect("a scenario is plain data");
        let mut lines = Vec::new();
        differences("", &value(self), Some(&value(&Self::default())), &mut lines);
        // Whether an object keeps its fields' order depends on who else uses serde_json; the order of paths does not.
        lines.sort_unstable();
        lines.join("\n")
    }
}

fn differences(path: &str, value: &Value, default: Option<&Value>, lines: &mut Vec<String>) {
    if default == Some(value) {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                differences(&below(name), field, default.and_then(|d| d.get(name)), lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                differences(&below(&index.to_string()), item, None, lines);
            }
        }
        plain => lines.push(format!("{path}={plain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Fraction, Positive};

    #[test]
    fn only_what_differs_counts() {
        assert_eq!(Scenario::default().identity(), "");
        let mut scenario = Scenario { agents: Positive::new(9), seed: 7, ..Scenario::default() };
        scenario.consensus.quorum = Fraction::new(0.6);
        assert_eq!(scenario.identity(), "agents=9\nconsensus.quorum=0.6\nseed=7");
    }
}
