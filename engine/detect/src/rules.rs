//! Rules written by hand: the bar that a learning detector has to clear.
//!
//! On the four hosts of the CTU-50 captures the rule "the connection was never answered", `conn_state in S0, REJ,
//! RSTOS0`, has a ROC-AUC of .90 to .98: whoever claims to detect those attacks must beat it.

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use crate::detector::{check_finite, check_parameter, finish, row_count};
use crate::state;
use crate::{DetectError, Detector};

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Less than the limit.
    Less,
    /// The limit or less.
    AtMost,
    /// The limit exactly: flags and codes.
    Equal,
    /// Anything but the limit.
    Differs,
    /// The limit or more.
    AtLeast,
    /// Greater than the limit.
    Greater,
}

/// One condition on a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clause {
    /// The feature looked at, from 0.
    pub feature: usize,
    /// How it is compared.
    pub comparison: Comparison,
    /// What it is compared with.
    pub limit: f32,
}

impl Clause {
    fn holds(&self, row: &[f32]) -> bool {
        let value = row[self.feature];
        match self.comparison {
            Comparison::Less => value < self.limit,
            Comparison::AtMost => value <= self.limit,
            Comparison::Equal => value == self.limit,
            Comparison::Differs => value != self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::Greater => value > self.limit,
        }
    }
}

/// When a rule fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Rule {
    /// If at least one clause holds.
    Any(Vec<Clause>),
    /// If every clause holds.
    All(Vec<Clause>),
}

impl Rule {
    fn clauses(&self) -> &[Clause] {
        match self {
            Self::Any(clauses) | Self::All(clauses) => clauses,
        }
    }

    fn fires(&self, row: &[f32]) -> bool {
        match self {
            Self::Any(clauses) => clauses.iter().any(|clause| clause.holds(row)),
            Self::All(clauses) => clauses.iter().all(|clause| clause.holds(row)),
        }
    }
}

/// Scores a row by the share of rules that fire.
///
/// ```
/// use phalanx_detect::{Clause, Comparison, Detector, Rule, RuleDetector};
/// // Feature 2 is the flag "S0", feature 3 the flag "REJ".
/// let flag = |feature| Clause { feature, comparison: Comparison::Equal, limit: 1.0 };
/// let unanswered = RuleDetector::new(4, vec![Rule::Any(vec![flag(2), flag(3)])])?;
/// let mut scores = Vec::new();
/// unanswered.score(&[0.1, 7.0, 0.0, 1.0, 0.2, 9.0, 0.0, 0.0], &mut scores)?;
/// assert_eq!(scores, [1.0, 0.0]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleDetector {
    width: usize,
    rules: Vec<Rule>,
}

impl RuleDetector {
    /// A detector of rows of this width.
    ///
    /// # Errors
    /// No features, no rules, a rule of no clauses, a feature that is not there, or a limit that is not finite.
    pub fn new(width: usize, rules: Vec<Rule>) -> Result<Self, DetectError> {
        if width == 0 {
            return Err(DetectError::NoFeatures);
        }
        let clauses = || rules.iter().flat_map(Rule::clauses);
        check_parameter(!rules.is_empty(), "rules", "at least one")?;
        check_parameter(
            rules.iter().all(|rule| !rule.clauses().is_empty()),
            "clauses",
            "at least one in each rule",
        )?;
        check_parameter(clauses().all(|clause| clause.feature < width), "feature", "less than the width")?;
        check_parameter(clauses().all(|clause| clause.limit.is_finite()), "limit", "finite")?;
        Ok(Self { width, rules })
    }
}

impl Detector for RuleDetector {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        scores.extend(rows.chunks_exact(self.width).map(|row| {
            let fired = self.rules.iter().filter(|rule| rule.fires(row)).count();
            fired as f64 / self.rules.len() as f64
        }));
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.word(self.width as u64);
        for rule in &self.rules {
            mix.word((rule.clauses().len() as u64) << 1 | u64::from(matches!(rule, Rule::All(_))));
            for clause in rule.clauses() {
                mix.word((clause.feature as u64) << 3 | clause.comparison as u64);
                mix.float(f64::from(clause.limit));
            }
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl RuleDetector {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        Self::new(self.width, self.rules.clone()).is_ok()
    }
}

state::plain_state!(RuleDetector, Rules, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(feature: usize, comparison: Comparison, limit: f32) -> Clause {
        Clause { feature, comparison, limit }
    }

    #[test]
    fn comparisons() {
        let check = |comparison, expected: [f64; 3]| {
            let detector = RuleDetector::new(1, vec![Rule::All(vec![clause(0, comparison, 2.0)])]).unwrap();
            let mut scores = Vec::new();
            detector.score(&[1.0, 2.0, 3.0], &mut scores).unwrap();
            assert_eq!(scores, expected, "{comparison:?}");
        };
        check(Comparison::Less, [1.0, 0.0, 0.0]);
        check(Comparison::AtMost, [1.0, 1.0, 0.0]);
        check(Comparison::Equal, [0.0, 1.0, 0.0]);
        check(Comparison::Differs, [1.0, 0.0, 1.0]);
        check(Comparison::AtLeast, [0.0, 1.0, 1.0]);
        check(Comparison::Greater, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_score_is_the_share_that_fires() {
        let both = vec![clause(0, Comparison::Greater, 0.0), clause(1, Comparison::Greater, 0.0)];
        let rules = vec![Rule::Any(both.clone()), Rule::All(both.clone())];
        let detector = RuleDetector::new(2, rules).unwrap();
        let mut scores = vec![9.9];
        detector.score(&[0.0, 0.0, 1.0, 0.0, 1.0, 1.0], &mut scores).unwrap();
        assert_eq!(scores, [0.0, 0.5, 1.0]);
        let any = RuleDetector::new(2, vec![Rule::Any(both.clone())]).unwrap();
        assert_ne!(any.digest(), RuleDetector::new(2, vec![Rule::All(both)]).unwrap().digest());
    }

    #[test]
    fn broken_rules_are_errors() {
        let check = |rules: Vec<Rule>| {
            assert!(matches!(RuleDetector::new(2, rules), Err(DetectError::Parameter { .. })));
        };
        check(vec![]);
        check(vec![Rule::All(vec![])]);
        check(vec![Rule::All(vec![clause(2, Comparison::Less, 0.0)])]);
        check(vec![Rule::All(vec![clause(0, Comparison::Less, f32::NAN)])]);
        assert_eq!(RuleDetector::new(0, vec![]), Err(DetectError::NoFeatures));
    }
}
