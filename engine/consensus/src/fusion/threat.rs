//! Threat intelligence of many peers as one score and one confidence: Fides and its forerunner Dovecot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A score from -1 (benign) to 1 (malicious), and how sure its author is of it, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Threat {
    /// Score.
    pub score: f64,
    /// Confidence.
    pub confidence: f64,
}

/// How Fides makes one confidence out of those of the peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Aggregation {
    /// Mean of confidence times trust.
    #[default]
    Average,
    /// Confidence weighted by trust.
    WeightedAverage,
    /// One minus the deviation of what the peers say, `S C w` with `w` their share of trust.
    Deviation,
}

/// The opinion of peers whose service trust is given beside what they say: the score is their mean score by trust.
/// Without any trust there is no opinion: score and confidence 0.
#[must_use]
pub fn aggregate(rule: Aggregation, reports: impl Iterator<Item = (Threat, f64)> + Clone) -> Threat {
    let (mut score, mut confidence, mut trust, mut count) = (0.0, 0.0, 0.0, 0u32);
    for (report, weight) in reports.clone() {
        score += report.score * weight;
        confidence += report.confidence * weight;
        trust += weight;
        count += 1;
    }
    if trust <= 0.0 {
        return Threat::default();
    }
    let confidence = match rule {
        Aggregation::Average => confidence / f64::from(count),
        Aggregation::WeightedAverage => confidence / trust,
        Aggregation::Deviation => {
            let said = reports.map(|(report, weight)| report.score * report.confidence * weight / trust);
            let mean = said.clone().sum::<f64>() / f64::from(count);
            let variance = said.map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(count);
            1.0 - variance.sqrt()
        }
    };
    Threat { score: score / trust, confidence }
}

/// Dovecot's trust in a peer, from its reliability and from what is held of the peer itself.
#[must_use]
pub fn dovecot_trust(reliability: f64, of_peer: Threat) -> f64 {
    0.5 * (0.7 * reliability + of_peer.score * of_peer.confidence)
}

/// Dovecot's opinion: scores weighted by `(trust + 1) / 2`, confidence the mean of confidence times trust. Nobody's
/// opinion is score and confidence 0.
#[must_use]
pub fn dovecot_opinion(reports: impl Iterator<Item = (Threat, f64)>) -> Threat {
    let (mut score, mut confidence, mut weights, mut count) = (0.0, 0.0, 0.0, 0u32);
    for (report, trust) in reports {
        let weight = 0.5 * (trust + 1.0);
        score += report.score * weight;
        confidence += report.confidence * trust;
        weights += weight;
        count += 1;
    }
    if weights <= 0.0 {
        return Threat::default();
    }
    Threat { score: score / weights, confidence: confidence / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threat(score: f64, confidence: f64) -> Threat {
        Threat { score, confidence }
    }

    /// Oracle O8.
    #[test]
    fn dovecot() {
        assert!((dovecot_trust(0.8, threat(0.9, 0.7)) - 0.595).abs() < 1e-12);
        assert!((dovecot_trust(1.0, threat(1.0, 1.0)) - 0.85).abs() < 1e-12);
        // Scores 1, 0, 0 tell the normalised weight of each peer in turn.
        for (at, expected) in [0.447_368, 0.342_105, 0.210_526].into_iter().enumerate() {
            let trusts = [0.7, 0.3, -0.2].into_iter().enumerate();
            let opinion = dovecot_opinion(trusts.map(|(i, trust)| (threat(f64::from(i == at), 0.0), trust)));
            assert!((opinion.score - expected).abs() < 1e-6);
        }
        let reports = [(threat(0.6, 0.7), 0.8, threat(0.7, 0.8)), (threat(0.7, 0.8), 0.9, threat(0.8, 0.9))];
        let opinion = dovecot_opinion(
            reports.into_iter().map(|(said, rel, of_peer)| (said, dovecot_trust(rel, of_peer))),
        );
        assert!((opinion.score - 0.651_777).abs() < 1e-6);
        assert!((opinion.confidence - 0.466).abs() < 1e-12);
    }

    /// By hand: trusts 0.5 and 0.25.
    #[test]
    fn fides_aggregations() {
        let check = |rule, confidence: f64| {
            let reports = [(threat(1.0, 0.8), 0.5), (threat(-1.0, 0.4), 0.25)];
            let opinion = aggregate(rule, reports.into_iter());
            assert!((opinion.score - 1.0 / 3.0).abs() < 1e-12);
            assert!((opinion.confidence - confidence).abs() < 1e-12, "{rule:?}: {opinion:?}");
        };
        check(Aggregation::Average, 0.25);
        check(Aggregation::WeightedAverage, 2.0 / 3.0);
        check(Aggregation::Deviation, 1.0 - 0.5 * (1.6 / 3.0 + 0.4 / 3.0));
        let nobody = aggregate(Aggregation::Average, [(threat(1.0, 1.0), 0.0)].into_iter());
        assert_eq!(nobody, Threat::default());
    }
}
