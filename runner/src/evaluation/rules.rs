//! Rules as they are written on a command line: `rules:dst_bytes=0 & serror_rate>0.5; port=4444`.

use phalanx_detect::{Clause, Comparison, DetectError, Rule, RuleDetector};

use super::EvaluationError;

/// Rules whose features are names still: `;` stands between rules, of which a row's score is the share that fire; `|`
/// and `&` between clauses of which any or all must hold. A clause compares a feature with a number by `<`, `<=`, `=`,
/// `!=`, `>=` or `>`; a name alone is a flag that must be 1, such as `proto=tcp` of a one-hot column.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenRules {
    text: String,
    rules: Vec<WrittenRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct WrittenRule {
    any: bool,
    clauses: Vec<WrittenClause>,
}

/// A clause can be read in two ways until the features are known: `port=80` may be a flag.
#[derive(Clone, Debug, PartialEq)]
struct WrittenClause {
    flag: String,
    comparison: Option<(String, Comparison, f32)>,
}

/// Longer ones first: `<=` is no `<`.
const OPERATORS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::Differs),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl WrittenRules {
    /// # Errors
    /// [`DetectError::ParameterText`] where there is no rule, an empty clause, or `|` beside `&`.
    pub(super) fn parse(text: &str) -> Result<Self, DetectError> {
        let refused = |value: &str, expected| DetectError::ParameterText {
            name: "rules".to_owned(),
            value: value.to_owned(),
            expected,
        };
        let rule = |text: &str| {
            let any = text.contains('|');
            if any && text.contains('&') {
                return Err(refused(
                    text,
                    "either | or & between the clauses of a rule, or two rules with ; between",
                ));
            }
            let clauses: Vec<WrittenClause> = text.split(['|', '&']).map(WrittenClause::parse).collect();
            match clauses.iter().any(|clause| clause.flag.is_empty()) {
                true => Err(refused(text, "clauses such as dst_bytes<=100, with | or & between them")),
                false => Ok(WrittenRule { any, clauses }),
            }
        };
        let rules = text.split(';').map(str::trim).filter(|rule| !rule.is_empty()).map(rule);
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err(refused(text, "rules such as dst_bytes<=100 & src_bytes>1e6; port=4444"));
        }
        Ok(Self { text: text.trim().to_owned(), rules })
    }

    /// As they were written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The detector over rows of these features.
    pub(super) fn resolve(&self, features: &[String]) -> Result<RuleDetector, EvaluationError> {
        let rule = |written: &WrittenRule| {
            let clauses: Result<Vec<Clause>, _> =
                written.clauses.iter().map(|clause| self.clause(clause, features)).collect();
            clauses.map(|clauses| if written.any { Rule::Any(clauses) } else { Rule::All(clauses) })
        };
        let rules = self.rules.iter().map(rule).collect::<Result<Vec<Rule>, _>>()?;
        Ok(RuleDetector::new(features.len(), rules).expect("clauses name features and finite limits"))
    }

    fn clause(&self, written: &WrittenClause, features: &[String]) -> Result<Clause, EvaluationError> {
        let place = |name: &str| features.iter().position(|feature| feature == name);
        if let Some(feature) = place(&written.flag) {
            return Ok(Clause { feature, comparison: Comparison::Equal, limit: 1.0 });
        }
        let name = written.comparison.as_ref().map_or(&written.flag, |(name, ..)| name);
        match (place(name), &written.comparison) {
            (Some(feature), Some((_, comparison, limit))) => {
                Ok(Clause { feature, comparison: *comparison, limit: *limit })
            }
            _ => Err(EvaluationError::NoFeature {
                rules: self.text.clone(),
                feature: name.clone(),
                known: features.to_vec(),
            }),
        }
    }
}

impl WrittenClause {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        // The operator before the number: names of flags contain `=`, too.
        let split = |(sign, comparison): &(&str, Comparison)| {
            let (name, limit) = text.rsplit_once(sign)?;
            let limit = limit.trim().parse::<f32>().ok().filter(|limit| limit.is_finite())?;
            Some((name.trim().to_owned(), *comparison, limit))
        };
        Self { flag: text.to_owned(), comparison: OPERATORS.iter().find_map(split) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_detect::Detector;

    fn scores(rules: &str, rows: &[f32]) -> Vec<f64> {
        let features = ["bytes", "proto=tcp", "port"].map(str::to_owned);
        let detector = WrittenRules::parse(rules).unwrap().resolve(&features).unwrap();
        let mut scores = Vec::new();
        detector.score(rows, &mut scores).unwrap();
        scores
    }

    #[test]
    fn clauses_and_rules() {
        let rows = [10.0, 1.0, 80.0, 5.0, 0.0, 22.0];
        let check = |rules: &str, expected: [f64; 2]| assert_eq!(scores(rules, &rows), expected, "{rules}");
        check("bytes>5", [1.0, 0.0]);
        check("bytes >= 5", [1.0, 1.0]);
        check("bytes<=5", [0.0, 1.0]);
        check("bytes!=1e1", [0.0, 1.0]);
        check("proto=tcp", [1.0, 0.0]);
        check("proto=tcp = 0", [0.0, 1.0]);
        check("proto=tcp & port=22", [0.0, 0.0]);
        check("proto=tcp | port=22", [1.0, 1.0]);
        check("proto=tcp; port=22 | port = 80;", [1.0, 0.5]);
    }

    #[test]
    fn what_is_no_rule() {
        for text in ["", " ; ", "a>1 & ", "a>1 | b>1 & c>1"] {
            assert!(WrittenRules::parse(text).is_err(), "{text}");
        }
        let error = WrittenRules::parse("byte>1").unwrap().resolve(&["bytes".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("did you mean `bytes`?"), "{error}");
        assert!(WrittenRules::parse("bytes>many").unwrap().resolve(&["bytes".to_owned()]).is_err());
    }
}
