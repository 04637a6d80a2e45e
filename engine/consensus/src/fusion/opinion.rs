//! Opinions of subjective logic (Jøsang 2001, 2016).

/// A binomial opinion: belief, disbelief and uncertainty, which add up to 1, and a base rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// Belief.
    pub b: f64,
    /// Disbelief.
    pub d: f64,
    /// Uncertainty.
    pub u: f64,
    /// Probability without any evidence.
    pub base_rate: f64,
}

impl Opinion {
    /// The opinion that `good` and `bad` observations amount to: `b = r / (r + s + 2)`.
    #[must_use]
    pub fn of_evidence(good: f64, bad: f64, base_rate: f64) -> Self {
        let all = good + bad + 2.0;
        Self { b: good / all, d: bad / all, u: 2.0 / all, base_rate }
    }

    /// An opinion of this expectation (at base rate one half) and uncertainty; the expectation gives way where the
    /// two do not fit together.
    #[must_use]
    pub fn of_trust(trust: f64, uncertainty: f64) -> Self {
        let u = uncertainty.clamp(0.0, 1.0);
        let b = (trust - 0.5 * u).clamp(0.0, 1.0 - u);
        Self { b, d: 1.0 - u - b, u, base_rate: 0.5 }
    }

    /// Expected probability, `E = b + a u`.
    #[must_use]
    pub fn expectation(&self) -> f64 {
        self.b + self.base_rate * self.u
    }

    /// What an advisor's opinion is worth to somebody who has `self` as opinion of the advisor: `b = b₁b₂`,
    /// `d = b₁d₂`, `u = d₁ + u₁ + b₁u₂`.
    #[must_use]
    pub fn discount(&self, advice: &Self) -> Self {
        Self {
            b: self.b * advice.b,
            d: self.b * advice.d,
            u: self.d + self.u + self.b * advice.u,
            base_rate: advice.base_rate,
        }
    }

    /// The evidence behind the opinion; certainty counts as that of uncertainty 1e-9.
    #[must_use]
    pub fn evidence(&self) -> (f64, f64) {
        let u = self.u.max(1e-9);
        (2.0 * self.b / u, 2.0 * self.d / u)
    }

    /// Cumulative fusion of independent opinions: their evidence adds up.
    #[must_use]
    pub fn fuse(&self, other: &Self) -> Self {
        let ((r1, s1), (r2, s2)) = (self.evidence(), other.evidence());
        Self::of_evidence(r1 + r2, s1 + s2, self.base_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O7.
    #[test]
    fn evidence_and_opinion() {
        let opinion = Opinion::of_evidence(8.0, 2.0, 0.5);
        assert!((opinion.b - 2.0 / 3.0).abs() < 1e-12);
        assert!((opinion.d - 1.0 / 6.0).abs() < 1e-12);
        assert!((opinion.u - 1.0 / 6.0).abs() < 1e-12);
        assert!((opinion.expectation() - 0.75).abs() < 1e-12, "the mean of Beta(9, 3)");
        let (good, bad) = opinion.evidence();
        assert!((good - 8.0).abs() < 1e-9 && (bad - 2.0).abs() < 1e-9);
        let back = Opinion::of_trust(0.75, 1.0 / 6.0);
        assert!((back.b - opinion.b).abs() < 1e-12 && (back.d - opinion.d).abs() < 1e-12);
    }

    /// Jøsang's formulas, by hand.
    #[test]
    fn discounting_and_fusion() {
        let advisor = Opinion { b: 0.6, d: 0.3, u: 0.1, base_rate: 0.5 };
        let advice = Opinion { b: 0.8, d: 0.1, u: 0.1, base_rate: 0.5 };
        let worth = advisor.discount(&advice);
        assert!((worth.b - 0.48).abs() < 1e-12 && (worth.d - 0.06).abs() < 1e-12);
        assert!((worth.u - 0.46).abs() < 1e-12);
        // b = (b₁u₂ + b₂u₁) / κ with κ = u₁ + u₂ - u₁u₂, the other way to write cumulative fusion.
        let fused = worth.fuse(&advice);
        let kappa = worth.u + advice.u - worth.u * advice.u;
        assert!((fused.b - (worth.b * advice.u + advice.b * worth.u) / kappa).abs() < 1e-12);
        assert!((fused.u - worth.u * advice.u / kappa).abs() < 1e-12);
        assert!((fused.b + fused.d + fused.u - 1.0).abs() < 1e-12);
    }
}
