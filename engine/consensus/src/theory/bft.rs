//! Quorums that survive liars.

use super::counts::binomial_at_least;

/// Liars that `n` participants tolerate, `⌊(n - 1) / 3⌋`.
#[must_use]
pub fn faults(n: u32) -> u32 {
    n.saturating_sub(1) / 3
}

/// Votes that make two quorums share an honest participant: `⌊(n + f) / 2⌋ + 1`, which is `2f + 1` of `3f + 1`.
#[must_use]
pub fn quorum(n: u32) -> u32 {
    (n + faults(n)) / 2 + 1
}

/// Messages of one decision in a view without faults: pre-prepare to all others, prepare by all but the leader and
/// commit by all, each to all others; `2n(n - 1)` (Castro & Liskov 1999).
#[must_use]
pub fn messages(n: u64) -> u64 {
    (n - 1) + (n - 1) * (n - 1) + n * (n - 1)
}

/// Probability that a quorum is up if every participant is so with probability `availability`.
#[must_use]
pub fn quorum_available(n: u32, availability: f64) -> f64 {
    binomial_at_least(n, quorum(n), availability)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O15.
    #[test]
    fn published_counts() {
        for (n, expected) in [(4, 24), (7, 84), (10, 180), (31, 1860), (100, 19_800)] {
            assert_eq!(messages(n), expected);
        }
        assert!((quorum_available(4, 2.0 / 3.0) - 0.592_593).abs() < 1e-6);
    }

    #[test]
    fn two_quorums_share_an_honest_participant() {
        for n in 1..400 {
            let (f, q) = (faults(n), quorum(n));
            assert!(2 * q > n + f, "n = {n}: two quorums overlap in more than f");
            assert!(q <= n - f, "n = {n}: the honest ones are a quorum");
            if n % 3 == 1 {
                assert_eq!(q, 2 * f + 1);
            }
        }
    }
}
