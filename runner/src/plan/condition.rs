//! Conditions that choose configurations: small expressions over the fields of the resolved scenario.
//!
//! Names are paths, spelled as after `--set`. Numbers compare as numbers, a variant compares with its name in
//! quotes. A configuration that has no such field, because another variant was chosen, does not fulfil the condition.

use evalexpr::{
    ContextWithMutableVariables, EvalexprError, HashMapContext, Node, Operator, Value as Operand,
    build_operator_tree,
};
use serde_json::Value;

use super::error::PlanError;
use crate::scenario::{nearest, same_name};
use crate::table::walk;

/// Characters of a condition at most, so that nothing nests beyond the stack.
const LENGTH_MAX: usize = 2000;

/// A condition, parsed.
#[derive(Debug)]
pub struct Condition {
    text: String,
    tree: Node,
    names: Vec<String>,
    // Names that some configuration had.
    found: Vec<bool>,
}

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// If it is no expression, or assigns.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let fail = |problem: String| PlanError::Condition { text: text.to_owned(), problem };
        if text.len() > LENGTH_MAX {
            return Err(fail(format!("longer than {LENGTH_MAX} characters: split it into several -r")));
        }
        let mut tree = build_operator_tree(text).map_err(|error| fail(words(&error)))?;
        if tree.iter_write_variable_identifiers().next().is_some() {
            return Err(fail("`=` assigns: compare with `==`".to_owned()));
        }
        // Whole and real numbers never equal each other in this language; here a number is a number.
        for operator in tree.iter_operators_mut() {
            if let Operator::Const { value } = operator
                && let Operand::Int(whole) = *value
            {
                *value = Operand::Float(whole as f64);
            }
        }
        let mut names: Vec<String> = tree.iter_variable_identifiers().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let found = vec![false; names.len()];
        Ok(Self { text: text.to_owned(), tree, names, found })
    }

    /// Whether a resolved scenario fulfils it.
    ///
    /// # Errors
    /// If it compares what cannot be compared, or is no truth value.
    pub fn holds(&mut self, scenario: &Value) -> Result<bool, PlanError> {
        let fail = |problem: String| PlanError::Condition { text: self.text.clone(), problem };
        let mut context = HashMapContext::new();
        let mut complete = true;
        for (name, found) in self.names.iter().zip(&mut self.found) {
            match look_up(scenario, name) {
                Some(operand) => {
                    *found = true;
                    context.set_value(name.clone(), operand).map_err(|error| fail(words(&error)))?;
                }
                None => complete = false,
            }
        }
        if !complete {
            return Ok(false);
        }
        self.tree.eval_boolean_with_context(&context).map_err(|error| fail(words(&error)))
    }

    /// Whether every name was found in some scenario; `scenario` is one of them, for a proposal.
    ///
    /// # Errors
    /// The first name that is no path anywhere.
    pub fn check_names(&self, scenario: &Value) -> Result<(), PlanError> {
        let Some(unknown) = self.names.iter().zip(&self.found).find(|(_, found)| !**found) else {
            return Ok(());
        };
        let mut cells = Vec::new();
        walk("", scenario, &mut cells);
        let known: Vec<String> = cells.into_iter().map(|(path, _)| path).collect();
        let proposal = nearest(unknown.0, known.iter().map(String::as_str));
        let proposal = match proposal {
            Some(name) => format!("; did you mean `{name}`?"),
            None if unknown.0.starts_with(char::is_uppercase) => {
                format!("; a variant stands in quotes: \"{}\"", unknown.0)
            }
            None => String::new(),
        };
        let problem = format!("no field `{}`{proposal}", unknown.0);
        Err(PlanError::Condition { text: self.text.clone(), problem })
    }
}

/// What is wrong with an expression, where the library's words are not enough.
fn words(error: &EvalexprError) -> String {
    let is = |operand: &Operand| match operand {
        Operand::Float(number) => format!("{number}"),
        other => other.to_string(),
    };
    match error {
        EvalexprError::WrongOperatorArgumentAmount { .. } => {
            "an operator has nothing on one of its sides".to_owned()
        }
        EvalexprError::AppendedToLeafNode => {
            "two values without an operator between them: join by && or ||".to_owned()
        }
        EvalexprError::ExpectedBoolean { actual } => {
            format!("is {}, neither true nor false: compare it", is(actual))
        }
        EvalexprError::ExpectedNumber { actual } | EvalexprError::ExpectedNumberOrString { actual } => {
            format!("{} is no number", is(actual))
        }
        EvalexprError::FunctionIdentifierNotFound(name) => format!("there is no function `{name}`"),
        EvalexprError::UnmatchedLBrace | EvalexprError::UnmatchedRBrace => {
            "a bracket without its counterpart".to_owned()
        }
        EvalexprError::UnmatchedDoubleQuote => "a quote without its counterpart".to_owned(),
        other => other.to_string(),
    }
}

/// The value at a path, as an operand. A block is none, but a variant is its name.
fn look_up(scenario: &Value, path: &str) -> Option<Operand> {
    let mut value = scenario;
    for name in path.split('.') {
        value = match value {
            Value::Object(fields) => fields.iter().find(|(field, _)| same_name(field, name))?.1,
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Bool(truth) => Some(Operand::Boolean(*truth)),
        Value::Number(number) => number.as_f64().map(Operand::Float),
        Value::String(text) => Some(Operand::String(text.clone())),
        Value::Object(variant) if variant.len() == 1 => {
            let (name, _) = variant.iter().next()?;
            name.starts_with(char::is_uppercase).then(|| Operand::String(name.clone()))
        }
        Value::Array(items) => Some(Operand::Float(items.len() as f64)),
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: Result<bool, &str>) {
        let scenario = json!({
            "agents": 40, "consensus": {"quorum": 0.6, "rule": "Majority"},
            "adversaries": [{"fraction": 0.2}], "detector": {"IsolationForest": {"trees": 50}},
            "network": {"enabled": true},
        });
        let found = Condition::parse(text)
            .and_then(|mut condition| {
                let holds = condition.holds(&scenario)?;
                condition.check_names(&scenario)?;
                Ok(holds)
            })
            .map_err(|error| error.to_string());
        match (found, expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            (found, expected) => assert_eq!(found.ok(), expected.ok(), "{text}"),
        }
    }

    #[test]
    fn conditions_speak_of_fields() {
        check("consensus.quorum > 0.5 && adversaries.0.fraction < 0.3", Ok(true));
        check("agents == 40 && agents >= 39.5", Ok(true));
        check("agents * adversaries.0.fraction == 8", Ok(true));
        check("detector == \"IsolationForest\" && detector.isolation_forest.trees == 50", Ok(true));
        check("network.enabled && consensus.rule != \"Majority\"", Ok(false));
        check("adversaries == 1", Ok(true));
        check("consensus.quorom > 0.5", Err("no field `consensus.quorom`; did you mean `consensus.quorum`?"));
        check("agents = 40", Err("`=` assigns"));
        check("agents > \"many\"", Err("agents > "));
        check("agents", Err("agents"));
        check("agents > ", Err("nothing on one of its sides"));
        check("agents > 3 and ticks", Err("join by && or ||"));
        check("consensus.rule == Majority", Err("in quotes: \"Majority\""));
        check("agents + 1", Err("is 41, neither true nor false"));
        check("while(true)", Err("no function `while`"));
        check("(agents > 3", Err("a bracket without its counterpart"));
    }
}
