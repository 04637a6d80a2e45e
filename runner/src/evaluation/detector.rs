//! A detector as it was asked for on the command line.

use std::str::FromStr;

use phalanx_core::{Purpose, Streams, Tick};
use phalanx_detect::{DetectError, Detector, DetectorKind, FitScratch, StreamingDetector};
use serde_json::{Map, Value};

use super::{EvaluationError, Split, WrittenRules};

/// Name of the detector that is rules written by hand.
const RULES: &str = "rules";

/// A kind of detector with the parameters that were given: `knn:neighbours=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedDetector {
    /// What it is, parameters included.
    pub method: Method,
    /// Only the parameters that were given, numbers as numbers.
    pub parameters: Map<String, Value>,
    /// Whether it learns from each row after it has scored it, in their order. Control charts always do.
    streams: bool,
}

/// What scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// A detector that learns from rows.
    Learnt(DetectorKind),
    /// Rules written by hand.
    Rules(WrittenRules),
}

/// A detector that is ready for rows.
#[derive(Debug)]
pub(super) enum Fitted {
    Still(Box<dyn Detector>),
    Streaming(Box<dyn StreamingDetector>),
}

impl Fitted {
    pub(super) fn digest(&self) -> u64 {
        match self {
            Self::Still(detector) => detector.digest(),
            Self::Streaming(detector) => detector.digest(),
        }
    }

    /// Scores the rows, or each before it is learnt from.
    pub(super) fn score(&mut self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        match self {
            Self::Still(detector) => detector.score(rows, scores),
            Self::Streaming(detector) => detector.score_then_update(rows, scores),
        }
    }
}

impl NamedDetector {
    /// All kinds with default parameters; rules have none.
    #[must_use]
    pub fn all() -> Vec<Self> {
        DetectorKind::all().into_iter().map(|kind| Self::of(Method::Learnt(kind), Map::new())).collect()
    }

    fn of(method: Method, parameters: Map<String, Value>) -> Self {
        let streams = matches!(&method, Method::Learnt(kind) if kind.is_chart());
        Self { method, parameters, streams }
    }

    /// The same, learning from each row after it has scored it if it can.
    #[must_use]
    pub fn streaming(self) -> Self {
        use DetectorKind::{HalfSpaceTrees, RandomCutForest};
        let able = matches!(self.method, Method::Learnt(HalfSpaceTrees(_) | RandomCutForest(_)));
        Self { streams: self.streams || able, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.method {
            Method::Learnt(kind) => kind.name(),
            Method::Rules(_) => RULES,
        }
    }

    /// The name, and the parameters that were given.
    #[must_use]
    pub fn text(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        match &self.method {
            Method::Rules(rules) => format!("{RULES}:{}", rules.text()),
            Method::Learnt(kind) if pairs.is_empty() => kind.name().to_owned(),
            Method::Learnt(kind) => format!("{}:{}", kind.name(), pairs.join(",")),
        }
    }

    /// Fits it to the rows to learn from, with the randomness of this seed.
    ///
    /// Where the rows to score are those to learn from, what learns from each row as it comes begins with none; but a
    /// chart needs its baselines.
    pub(super) fn fit(&self, split: &Split, seed: u64) -> Result<Fitted, EvaluationError> {
        let kind = match &self.method {
            Method::Rules(rules) => return Ok(Fitted::Still(Box::new(rules.resolve(&split.features)?))),
            Method::Learnt(kind) => kind,
        };
        let mut draws = Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0));
        let width = split.features.len();
        if self.streams {
            let begins_empty = split.is_unsupervised() && !kind.is_chart();
            let rows = if begins_empty { &[] } else { split.train() };
            let fitted = kind.fit_streaming(rows, width, &mut draws).map_err(|e| self.refused(e))?;
            return Ok(Fitted::Streaming(fitted.expect("only what can learn from a stream is told to")));
        }
        let fitted = kind.fit(split.train(), width, &mut draws, &mut FitScratch::default());
        fitted.map(Fitted::Still).map_err(|e| self.refused(e))
    }

    /// The detector's error, with its name.
    pub(super) fn refused(&self, problem: DetectError) -> EvaluationError {
        EvaluationError::Detector {
            detector: self.text(),
            name: self.name(),
            known: match &self.method {
                Method::Learnt(kind) => kind.parameters(),
                Method::Rules(_) => &[],
            },
            problem: Box::new(problem),
        }
    }
}

impl FromStr for NamedDetector {
    type Err = DetectError;

    fn from_str(text: &str) -> Result<Self, DetectError> {
        if let Some((RULES, rules)) = text.split_once(':').map(|(name, rules)| (name.trim(), rules)) {
            let rules = WrittenRules::parse(rules)?;
            let parameters = [(RULES.to_owned(), rules.text().into())].into_iter().collect();
            return Ok(Self::of(Method::Rules(rules), parameters));
        }
        let kind = text.parse()?;
        let given = text.split_once(':').map_or("", |(_, given)| given);
        let pairs = given.split(',').filter_map(|pair| pair.split_once('='));
        let value =
            |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let parameters = pairs.map(|(name, text)| (name.trim().to_owned(), value(text.trim()))).collect();
        Ok(Self::of(Method::Learnt(kind), parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_parameters_are_those_given() {
        let check = |text: &str, canonical: &str, parameters: &str| {
            let detector: NamedDetector = text.parse().unwrap();
            assert_eq!(detector.text(), canonical);
            assert_eq!(Value::Object(detector.parameters).to_string(), parameters);
        };
        check("ecod", "ecod", "{}");
        check("Knn".to_lowercase().as_str(), "knn", "{}");
        check(
            " knn : neighbours = 1, scaling=standard",
            "knn:neighbours=1,scaling=standard",
            r#"{"neighbours":1,"scaling":"standard"}"#,
        );
        check("rules: bytes>1;port=22 ", "rules:bytes>1;port=22", r#"{"rules":"bytes>1;port=22"}"#);
        assert!("knn:k=1".parse::<NamedDetector>().is_err());
        assert!("rules:".parse::<NamedDetector>().is_err());
    }
}
