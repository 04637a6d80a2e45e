//! How the worth of an indicator fades since it was last seen.

/// MISP's polynomial decay: `score(t) = base · (1 − (t / tau)^(1 / delta))`, 0 from `tau` on (Mokaddem et al. 2018).
/// A sighting sets t back to 0. Units of `tau` and t are the caller's.
///
/// ```
/// // MISP's model for NIDS: 120 days, seen for 46.875 days after the last sighting.
/// let nids = phalanx_sim::ageing::Polynomial { base: 80.0, tau: 120.0, delta: 2.0, threshold: 30.0 };
/// assert!((nids.score(30.0) - 40.0).abs() < 1e-12);
/// assert!((nids.life() - 46.875).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    /// Score at the sighting.
    pub base: f64,
    /// Time until nothing is left of it, positive.
    pub tau: f64,
    /// 1 fades linearly; above 1 it fades fast at first, below 1 slowly. Positive.
    pub delta: f64,
    /// Score below which the indicator has decayed.
    pub threshold: f64,
}

impl Polynomial {
    /// Score so long after the last sighting; a time before it counts as the sighting itself.
    #[must_use]
    pub fn score(&self, since: f64) -> f64 {
        let part = (since / self.tau).clamp(0.0, 1.0);
        self.base * (1.0 - libm::pow(part, 1.0 / self.delta))
    }

    /// Whether the score has fallen below the threshold.
    #[must_use]
    pub fn is_decayed(&self, since: f64) -> bool {
        self.score(since) < self.threshold
    }

    /// Time at which the score reaches the threshold: `tau · (1 − threshold / base)^delta`, 0 if it never was above.
    #[must_use]
    pub fn life(&self) -> f64 {
        self.tau * libm::pow((1.0 - self.threshold / self.base).max(0.0), self.delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o18_misp_models() {
        let nids = Polynomial { base: 80.0, tau: 120.0, delta: 2.0, threshold: 30.0 };
        for (days, score) in
            [(0.0, 80.0), (10.0, 56.906), (30.0, 40.0), (60.0, 23.431), (120.0, 0.0), (200.0, 0.0)]
        {
            assert!((nids.score(days) - score).abs() < 5e-4, "{days} d: {}", nids.score(days));
        }
        assert!(!nids.is_decayed(46.8) && nids.is_decayed(46.9));
        let phishing = Polynomial { tau: 3.0, delta: 2.3, ..nids };
        assert!((phishing.score(phishing.life()) - 30.0).abs() < 1e-9);
        assert_eq!(Polynomial { threshold: 90.0, ..nids }.life(), 0.0);
        assert_eq!(Polynomial { threshold: 0.0, ..nids }.life(), 120.0);
    }
}
