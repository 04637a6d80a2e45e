//! How fast gossip averages: what is left of the variance after a round (Boyd et al. 2006; Jelasity et al. 2005).

/// Variance left by a round in which all participants average twice in perfect matchings.
pub const PERFECT_MATCHINGS: f64 = 0.25;

/// Variance left by `n` averagings of random pairs, `1 / e`.
pub const RANDOM_PAIRS: f64 = 1.0 / std::f64::consts::E;

/// Variance left if every participant in turn averages with a random other one, `1 / (2 √e)`.
#[must_use]
pub fn sequential() -> f64 {
    0.5 * libm::exp(-0.5)
}
