//! Belief masses (Dempster 1967; Shafer 1976) over a small frame, and two ways to combine them.

/// Masses of the subsets of a frame, indexed by the subset as a bit set: `Mass<4>` is the frame of two answers
/// (1: malicious, 2: benign, 3: either), `Mass<8>` one of three. Index 0 holds the conflict, and is 0 in a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mass<const SUBSETS: usize>(pub [f64; SUBSETS]);

/// The subset "malicious" of a frame of two.
pub const MALICIOUS: usize = 1;
/// The subset "benign" of a frame of two.
pub const BENIGN: usize = 2;

impl Mass<4> {
    /// Evidence of strength `certainty` that speaks with share `malicious` for malicious and else for benign; both
    /// from 0 to 1. What is left of the mass says nothing.
    #[must_use]
    pub fn evidence(certainty: f64, malicious: f64) -> Self {
        Self([0.0, certainty * malicious, certainty * (1.0 - malicious), 1.0 - certainty])
    }

    /// Probability of malicious that a bet should use: what says nothing counts half (Smets 1990).
    #[must_use]
    pub fn pignistic(&self) -> f64 {
        let [_, malicious, _, either] = self.0;
        malicious + 0.5 * either
    }
}

impl<const SUBSETS: usize> Default for Mass<SUBSETS> {
    fn default() -> Self {
        Self::vacuous()
    }
}

impl<const SUBSETS: usize> Mass<SUBSETS> {
    /// Knows nothing: all mass on the whole frame.
    #[must_use]
    pub fn vacuous() -> Self {
        let mut mass = [0.0; SUBSETS];
        mass[SUBSETS - 1] = 1.0;
        Self(mass)
    }

    /// Products of masses go to the intersections; contradictions pile up as conflict. Combining many sources this
    /// way is associative and commutative; Dempster's and Yager's rules differ only in what becomes of the conflict
    /// in the end.
    #[must_use]
    pub fn conjunction(&self, other: &Self) -> Self {
        let mut combined = [0.0; SUBSETS];
        for (a, x) in self.0.iter().enumerate() {
            for (b, y) in other.0.iter().enumerate() {
                combined[a & b] += x * y;
            }
        }
        Self(combined)
    }

    /// Mass that the sources contradict each other with, `K`.
    #[must_use]
    pub fn conflict(&self) -> f64 {
        self.0[0]
    }

    /// Dempster's rule: the conflict is left out and the rest scaled up by `1 / (1 - K)`. Total conflict knows
    /// nothing.
    #[must_use]
    pub fn dempster(mut self) -> Self {
        let agreed = 1.0 - std::mem::take(&mut self.0[0]);
        if agreed <= 0.0 {
            return Self::vacuous();
        }
        self.0.iter_mut().for_each(|mass| *mass /= agreed);
        self
    }

    /// Yager's rule: the conflict becomes ignorance.
    #[must_use]
    pub fn yager(mut self) -> Self {
        let conflict = std::mem::take(&mut self.0[0]);
        self.0[SUBSETS - 1] += conflict;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(measured: &[f64], expected: &[f64]) {
        assert!(
            measured.iter().zip(expected).all(|(m, e)| (m - e).abs() < 1e-6),
            "{measured:?} {expected:?}"
        );
    }

    /// Oracle O7.
    #[test]
    fn hand_worked_combinations() {
        let malicious = |m| Mass::evidence(m, 1.0);
        let benign = |m| Mass::evidence(m, 0.0);
        close(&malicious(0.6).conjunction(&malicious(0.7)).dempster().0, &[0.0, 0.88, 0.0, 0.12]);
        let torn = malicious(0.6).conjunction(&benign(0.5));
        assert!((torn.conflict() - 0.3).abs() < 1e-12);
        close(&torn.dempster().0, &[0.0, 0.428_571, 0.285_714, 0.285_714]);
        close(&torn.yager().0, &[0.0, 0.3, 0.2, 0.5]);
    }

    /// Oracle O7, Zadeh 1979: two doctors who agree only that b is unlikely make Dempster's rule certain of it.
    #[test]
    fn zadeh() {
        let (a, b, c) = (1, 2, 4);
        let doctor = |likely: usize| {
            let mut mass = [0.0; 8];
            mass[likely] = 0.99;
            mass[b] = 0.01;
            Mass(mass)
        };
        let both = doctor(a).conjunction(&doctor(c));
        assert!((both.conflict() - 0.9999).abs() < 1e-12);
        assert!((both.dempster().0[b] - 1.0).abs() < 1e-12);
        assert!((both.yager().0[7] - 0.9999).abs() < 1e-12);
    }

    #[test]
    fn total_conflict_knows_nothing() {
        let torn = Mass::evidence(1.0, 1.0).conjunction(&Mass::evidence(1.0, 0.0));
        assert_eq!(torn.dempster(), Mass::vacuous());
        assert_eq!(torn.yager(), Mass::vacuous());
        assert_eq!(torn.dempster().pignistic(), 0.5);
    }
}
