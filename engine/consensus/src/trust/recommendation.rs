//! What others say of an agent that one does not know (SORT).

/// What a peer tells about an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recommendation {
    /// Competence belief, from 0 to 1.
    pub competence: f64,
    /// Integrity belief, from 0 to 1.
    pub integrity: f64,
    /// Deeds that both rest on.
    pub history: u32,
    /// The reputation that the peer itself was given once.
    pub reputation: f64,
    /// Of how many that reputation came.
    pub recommenders: u32,
}

/// Reputation out of recommendations, each with the trust in its author:
/// `rep = h (ecb - eib / 2) + (1 - h) er`, clipped to `[0, 1]`, where `ecb` and `eib` are means weighted by trust times
/// history, `er` is a mean weighted by trust times recommenders, and `h` is the mean history over its maximum. `None`
/// without any trust.
#[must_use]
pub fn reputation(recommendations: &[(f64, Recommendation)], history_max: u32) -> Option<f64> {
    let (mut competence, mut integrity, mut by_history) = (0.0, 0.0, 0.0);
    let (mut estimated, mut by_recommenders, mut history) = (0.0, 0.0, 0.0);
    for (trust, said) in recommendations {
        let weight = trust * f64::from(said.history);
        competence += weight * said.competence;
        integrity += weight * said.integrity;
        by_history += weight;
        let weight = trust * f64::from(said.recommenders);
        estimated += weight * said.reputation;
        by_recommenders += weight;
        history += f64::from(said.history);
    }
    if by_recommenders <= 0.0 {
        return None;
    }
    let share = (history / recommendations.len() as f64 / f64::from(history_max)).min(1.0);
    let experienced = if by_history > 0.0 { (competence - 0.5 * integrity) / by_history } else { 0.0 };
    Some((share * experienced + (1.0 - share) * estimated / by_recommenders).clamp(0.0, 1.0))
}

/// Who is worth asking: peers whose trust is at least the mean less one deviation.
pub fn worth_asking(trusts: &[f64]) -> impl Iterator<Item = usize> {
    let count = trusts.len().max(1) as f64;
    let mean = trusts.iter().sum::<f64>() / count;
    let variance = trusts.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / count;
    let least = mean - variance.sqrt();
    trusts.iter().enumerate().filter(move |(_, trust)| **trust >= least).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: trusts .8 and .2, histories 50 and 10 of 100.
    #[test]
    fn two_recommendations() {
        let good =
            Recommendation { competence: 0.9, integrity: 0.1, history: 50, reputation: 0.7, recommenders: 4 };
        let bad =
            Recommendation { competence: 0.1, integrity: 0.4, history: 10, reputation: 0.2, recommenders: 1 };
        let (a, b) = (40.0, 2.0);
        let experienced = ((a * 0.9 + b * 0.1) - 0.5 * (a * 0.1 + b * 0.4)) / (a + b);
        let estimated = (3.2 * 0.7 + 0.2 * 0.2) / 3.4;
        let expected = 0.3 * experienced + 0.7 * estimated;
        let measured = reputation(&[(0.8, good), (0.2, bad)], 100).unwrap();
        assert!((measured - expected).abs() < 1e-12);
        assert_eq!(reputation(&[(0.0, good)], 100), None);
        assert_eq!(reputation(&[], 100), None);
    }

    #[test]
    fn doubtful_peers_are_not_asked() {
        // Mean .6, deviation .3.
        assert_eq!(worth_asking(&[0.9, 0.3, 0.9, 0.3]).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(worth_asking(&[0.9, 0.9, 0.9, 0.1]).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
