//! Beta reputation with forgetting (Jøsang & Ismail 2002).

use serde::{Deserialize, Serialize};

/// Evidence about one agent: `r` good and `s` bad observations, each worth `λ` less at the next one.
///
/// Trust is the mean of the Beta posterior under a uniform prior, `T = (r + 1) / (r + s + 2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BetaReputation {
    good: f64,
    bad: f64,
}

impl BetaReputation {
    /// Evidence of so many good and bad observations.
    #[must_use]
    pub fn of(good: f64, bad: f64) -> Self {
        Self { good, bad }
    }

    /// Takes in an observation: `r ← λr + x`, `s ← λs + (1 − x)`.
    pub fn observe(&mut self, good: bool, forgetting: f64) {
        self.add(f64::from(u8::from(good)), f64::from(u8::from(!good)), forgetting);
    }

    /// Takes in an observation that speaks for both sides.
    pub fn add(&mut self, good: f64, bad: f64, forgetting: f64) {
        self.good = forgetting * self.good + good;
        self.bad = forgetting * self.bad + bad;
    }

    /// Trust in `(0, 1)`; 0.5 of nobody knows.
    #[must_use]
    pub fn trust(&self) -> f64 {
        (self.good + 1.0) / (self.good + self.bad + 2.0)
    }

    /// The `u` of the subjective opinion that this evidence amounts to, `2 / (r + s + 2)`.
    #[must_use]
    pub fn uncertainty(&self) -> f64 {
        2.0 / (self.good + self.bad + 2.0)
    }

    /// Variance of the Beta posterior.
    #[must_use]
    pub fn variance(&self) -> f64 {
        let (a, b) = (self.good + 1.0, self.bad + 1.0);
        a * b / ((a + b) * (a + b) * (a + b + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O7.
    #[test]
    fn beta_posterior() {
        let check = |good, bad, mean: f64, variance: f64| {
            let reputation = BetaReputation::of(good, bad);
            assert!((reputation.trust() - mean).abs() < 1e-12);
            assert!((reputation.variance() - variance).abs() < 5e-8);
        };
        check(8.0, 2.0, 0.75, 0.014_423_1);
        check(0.0, 0.0, 0.5, 0.083_333_3);
    }

    /// Oracle O7: with λ = 0.95 the cap is 21/22, and 14 bad reports bring it below one half (7 at λ = 0.9, 35 at
    /// 0.98, 69 at 0.99).
    #[test]
    fn forgetting_caps_trust_and_limits_grace() {
        for (forgetting, expected) in [(0.9, 7), (0.95, 14), (0.98, 35), (0.99, 69)] {
            let mut reputation = BetaReputation::default();
            (0..5000).for_each(|_| reputation.observe(true, forgetting));
            if forgetting == 0.95 {
                assert!((reputation.trust() - 21.0 / 22.0).abs() < 1e-12);
            }
            let mut reports = 0;
            while reputation.trust() >= 0.5 {
                reputation.observe(false, forgetting);
                reports += 1;
            }
            assert_eq!(reports, expected, "λ = {forgetting}");
        }
    }
}
