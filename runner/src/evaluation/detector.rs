//! A detector as it was asked for on the command line.

use std::str::FromStr;

use phalanx_core::{Purpose, Streams, Tick};
use phalanx_detect::{DetectError, Detector, DetectorKind, FitScratch};
use serde_json::{Map, Value};

use super::EvaluationError;

/// A kind of detector with the parameters that were given: `knn:neighbours=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedDetector {
    /// What it is, parameters included.
    pub kind: DetectorKind,
    /// Only the parameters that were given, numbers as numbers.
    pub parameters: Map<String, Value>,
}

impl NamedDetector {
    /// All kinds with default parameters.
    #[must_use]
    pub fn all() -> Vec<Self> {
        DetectorKind::all().into_iter().map(|kind| Self { kind, parameters: Map::new() }).collect()
    }

    /// The name, and the parameters that were given.
    #[must_use]
    pub fn text(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        match pairs.is_empty() {
            true => self.kind.name().to_owned(),
            false => format!("{}:{}", self.kind.name(), pairs.join(",")),
        }
    }

    /// Fits it to rows with the randomness of this seed.
    pub(super) fn fit(
        &self,
        rows: &[f32],
        width: usize,
        seed: u64,
    ) -> Result<Box<dyn Detector>, EvaluationError> {
        let mut draws = Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0));
        self.kind.fit(rows, width, &mut draws, &mut FitScratch::default()).map_err(|e| self.refused(e))
    }

    /// The detector's error, with its name.
    pub(super) fn refused(&self, problem: DetectError) -> EvaluationError {
        EvaluationError::Detector {
            detector: self.text(),
            name: self.kind.name(),
            known: self.kind.parameters(),
            problem: Box::new(problem),
        }
    }
}

impl FromStr for NamedDetector {
    type Err = DetectError;

    fn from_str(text: &str) -> Result<Self, DetectError> {
        let kind = text.parse()?;
        let given = text.split_once(':').map_or("", |(_, given)| given);
        let pairs = given.split(',').filter_map(|pair| pair.split_once('='));
        let value =
            |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let parameters = pairs.map(|(name, text)| (name.trim().to_owned(), value(text.trim()))).collect();
        Ok(Self { kind, parameters })
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
        assert!("knn:k=1".parse::<NamedDetector>().is_err());
    }
}
