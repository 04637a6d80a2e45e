//! Juries: how often many voters are right together.

use super::counts::{binomial, binomial_at_least};

/// Condorcet: probability that more than half of `n` voters, each right with probability `p`, are right; a tie is
/// settled by a fair coin.
#[must_use]
pub fn majority(n: u32, p: f64) -> f64 {
    let above = binomial_at_least(n, n / 2 + 1, p);
    if n.is_multiple_of(2) { above + 0.5 * binomial(n, n / 2, p) } else { above }
}

/// Probability that at least `needed` of `n` voters are right if `f` of them never are.
#[must_use]
pub fn with_colluders(n: u32, f: u32, p: f64, needed: u32) -> f64 {
    binomial_at_least(n - f, needed, p)
}

/// Probabilities that a true and that a false report are accepted by `needed` of `n` votes, if `f` colluders vote
/// no on true and yes on false ones.
#[must_use]
pub fn signature_vote(n: u32, f: u32, tpr: f64, fpr: f64, needed: u32) -> (f64, f64) {
    let honest = n - f;
    (binomial_at_least(honest, needed, tpr), binomial_at_least(honest, needed.saturating_sub(f), fpr))
}

/// Probability that a weighted vote is right, over all `2^n` outcomes; a tie is settled by a fair coin. Voter i is
/// right with probability `skills[i]` and weighs `weights[i]`.
///
/// # Panics
/// If there are more than 24 voters, or not one weight a voter.
#[must_use]
pub fn weighted_majority(skills: &[f64], weights: &[f64]) -> f64 {
    assert!(skills.len() == weights.len() && skills.len() <= 24, "one weight a voter, of at most 24");
    let mut right = 0.0;
    for outcome in 0..1u32 << skills.len() {
        let (mut probability, mut balance) = (1.0, 0.0);
        for (i, (p, w)) in skills.iter().zip(weights).enumerate() {
            let voter_is_right = outcome >> i & 1 == 1;
            probability *= if voter_is_right { *p } else { 1.0 - p };
            balance += if voter_is_right { *w } else { -w };
        }
        // Weights are logarithms: what differs by less is a tie.
        right += probability * if balance.abs() < 1e-12 { 0.5 } else { f64::from(u8::from(balance > 0.0)) };
    }
    right
}

/// Probability of a report being true after `yes` and `no` votes of voters with these rates.
#[must_use]
pub fn posterior(prior: f64, tpr: f64, fpr: f64, yes: u32, no: u32) -> f64 {
    let likelihood = |p: f64| (0..yes).map(|_| p).chain((0..no).map(|_| 1.0 - p)).product::<f64>();
    let (true_part, false_part) = (prior * likelihood(tpr), (1.0 - prior) * likelihood(fpr));
    true_part / (true_part + false_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O2.
    #[test]
    fn condorcet() {
        let check = |p, n, expected: f64| {
            let measured = majority(n, p);
            assert!((measured - expected).abs() < 1e-6, "p = {p}, n = {n}: {measured}");
        };
        check(0.8, 3, 0.896);
        check(0.7, 7, 0.873_964);
        check(0.7, 11, 0.921_775);
        check(0.6, 11, 0.753_498);
        check(0.6, 101, 0.979_103);
        check(0.55, 101, 0.843_755);
        check(0.51, 1001, 0.736_631);
        check(0.7, 10, 0.901_191);
        // To 1e-9 against the polynomial 3p² - 2p³, and an even jury against the odd one below it.
        assert!((majority(3, 0.8) - (3.0 * 0.64 - 2.0 * 0.512)).abs() < 1e-12);
        assert!((majority(10, 0.7) - majority(9, 0.7)).abs() < 1e-12);
        for (f, expected) in [(0, 0.999_03), (2, 0.993_34), (4, 0.962_34), (6, 0.835_77), (8, 0.501_65)] {
            assert!((with_colluders(21, f, 0.8, 11) - expected).abs() < 5.1e-6, "{f} colluders");
        }
    }

    /// Oracle O3.
    #[test]
    fn signature_votes() {
        let check = |f, q, on_true: f64, on_false: f64| {
            let (t, w) = signature_vote(30, f, 0.9, 0.05, q);
            assert!((t - on_true).abs() < 6e-7, "true, f = {f}, q = {q}: {t}");
            assert!((w - on_false).abs() <= 0.06 * on_false, "false, f = {f}, q = {q}: {w}");
        };
        check(0, 16, 1.0, 1.1e-13);
        check(0, 20, 0.999_911, 1.8e-19);
        check(6, 16, 0.999_679, 1.0e-7);
        check(6, 20, 0.914_925, 7.4e-13);
        check(10, 16, 0.956_826, 3.29e-4);
        check(10, 20, 0.121_577, 1.1e-8);
        check(15, 16, 0.0, 0.5367);
        check(15, 20, 0.0, 6.1e-4);
    }

    /// Oracle O7, Shapley & Grofman 1984: log-odds are the weights that err least.
    #[test]
    fn best_weights_are_log_odds() {
        let log_odds = |p: &f64| libm::log(p / (1.0 - p));
        let check = |skills: &[f64], majority: f64, raw: f64, best: f64| {
            let even = vec![1.0; skills.len()];
            let odds: Vec<f64> = skills.iter().map(log_odds).collect();
            for (weights, expected) in [(&even[..], majority), (skills, raw), (&odds, best)] {
                let measured = weighted_majority(skills, weights);
                assert!((measured - expected).abs() < 1e-6, "{weights:?}: {measured} against {expected}");
            }
        };
        check(&[0.9, 0.9, 0.6, 0.6, 0.6], 0.876_960, 0.901_800, 0.926_640);
        check(&[0.95, 0.7, 0.65, 0.6, 0.6, 0.55, 0.55], 0.820_171, 0.826_887, 0.95);
    }

    /// Oracle O7.
    #[test]
    fn posteriors() {
        assert!((posterior(0.01, 0.9, 0.05, 3, 2) - 0.394_941).abs() < 1e-6);
        assert!((posterior(0.01, 0.9, 0.05, 4, 1) - 0.991_120).abs() < 1e-6);
    }
}
