//! Trust that flows along trust.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deed, TrustModel};
use crate::{BadSetting, setting};

/// Settings of EigenTrust (Kamvar, Schlosser & Garcia-Molina 2003): every agent's ratings of others are scaled to
/// add up to 1, and trust is what a walker along them collects who now and then returns to a pre-trusted agent.
///
/// An agent whose share is the even one is trusted 1/2; `x` times that share is trusted `x / (1 + x)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EigenTrust {
    /// Probability of returning to a pre-trusted agent (a).
    pub pretrust: f64,
    /// Ticks between two computations.
    pub every_ticks: u32,
    /// Others that an agent keeps ratings of; the weakest rating goes first.
    pub peers_max: u32,
}

impl Default for EigenTrust {
    fn default() -> Self {
        Self { pretrust: 0.15, every_ticks: 10, peers_max: 64 }
    }
}

impl EigenTrust {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        setting::inner_share("pretrust", self.pretrust)?;
        setting::count("every_ticks", self.every_ticks, 1, 1 << 30)?;
        setting::count("peers_max", self.peers_max, 1, 1 << 20)
    }
}

/// Ratings by every agent, and the trust that follows from them.
///
/// What everybody experienced (a deed without a rater) is a rating by the public, an agent of its own that is
/// pre-trusted as much as all others are together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EigenTrustModel {
    settings: EigenTrust,
    /// Satisfying minus unsatisfying deeds, by rater (the public is the last) and then by agent.
    ratings: Vec<Vec<(u32, f64)>>,
    pretrusted: Vec<u32>,
    /// Share of every agent; they add up to 1.
    shares: Vec<f64>,
    /// Deeds of every agent.
    deeds: Vec<f64>,
    ticks: u32,
}

/// Iterations stop once the shares move by less than this in total.
const PRECISION: f64 = 1e-10;

impl EigenTrustModel {
    pub(super) fn new(settings: &EigenTrust, agents: u32, pretrusted: &[u32]) -> Self {
        let agents = agents as usize;
        Self {
            settings: *settings,
            ratings: vec![Vec::new(); agents + 1],
            pretrusted: pretrusted.to_vec(),
            shares: vec![1.0 / agents.max(1) as f64; agents],
            deeds: vec![0.0; agents],
            ticks: 0,
        }
    }

    /// Computes all shares now.
    pub fn settle(&mut self) {
        let agents = self.shares.len();
        let mut pretrust = vec![0.0; agents + 1];
        let has_public = !self.ratings[agents].is_empty();
        let rest = if has_public { 0.5 } else { 1.0 };
        pretrust[agents] = 1.0 - rest;
        if self.pretrusted.is_empty() {
            pretrust[..agents].fill(rest / agents.max(1) as f64);
        } else {
            let each = rest / self.pretrusted.len() as f64;
            self.pretrusted.iter().for_each(|agent| pretrust[*agent as usize] = each);
        }
        let all = eigen_trust(&self.ratings, &pretrust, self.settings.pretrust, PRECISION);
        let of_agents = 1.0 - all[agents];
        self.shares.copy_from_slice(&all[..agents]);
        if of_agents > 0.0 {
            self.shares.iter_mut().for_each(|share| *share /= of_agents);
        }
    }
}

impl TrustModel for EigenTrustModel {
    fn observe(&mut self, deed: &Deed) {
        let rater = deed.rater.map_or(self.shares.len(), |rater| rater as usize);
        let row = &mut self.ratings[rater];
        let change = (2.0 * deed.satisfaction - 1.0) * deed.weight;
        match row.binary_search_by_key(&deed.agent, |(agent, _)| *agent) {
            Ok(at) => row[at].1 += change,
            Err(at) => row.insert(at, (deed.agent, change)),
        }
        // The public knows everybody; an agent only so many.
        if rater < self.shares.len() && row.len() > self.settings.peers_max as usize {
            let weaker = |a: &usize, b: &usize| row[*a].1.abs().total_cmp(&row[*b].1.abs());
            let weakest = (0..row.len()).min_by(weaker).expect("the row is not empty");
            row.remove(weakest);
        }
        self.deeds[deed.agent as usize] += deed.weight;
    }

    fn end_tick(&mut self) {
        self.ticks += 1;
        if self.ticks >= self.settings.every_ticks {
            self.ticks = 0;
            self.settle();
        }
    }

    fn trust(&self, agent: u32) -> f64 {
        let times_even = self.shares[agent as usize] * self.shares.len() as f64;
        times_even / (1.0 + times_even)
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        2.0 / (self.deeds[agent as usize] + 2.0)
    }

    fn forget(&mut self, agent: u32) {
        self.ratings[agent as usize].clear();
        for row in &mut self.ratings {
            row.retain(|(rated, _)| *rated != agent);
        }
        // Until the next computation a newcomer has what pre-trust alone would give it.
        self.deeds[agent as usize] = 0.0;
        let agents = self.shares.len() as f64;
        self.shares[agent as usize] = if self.pretrusted.is_empty() { 1.0 / agents } else { 0.0 };
    }
}

/// The stationary shares `t = (1 - a) Cᵀ t + a p`, with `C` the ratings scaled by row; negative ratings count as
/// none, and who rates nobody well is taken to trust `p`. Stops once `t` moves by less than `precision` in total.
///
/// # Panics
/// If there is not one pre-trust a row.
#[must_use]
pub fn eigen_trust(ratings: &[Vec<(u32, f64)>], pretrust: &[f64], a: f64, precision: f64) -> Vec<f64> {
    assert_eq!(ratings.len(), pretrust.len(), "one pre-trust an agent");
    let sums: Vec<f64> = ratings.iter().map(|row| row.iter().map(|(_, r)| r.max(0.0)).sum()).collect();
    let mut trust = pretrust.to_vec();
    loop {
        let mut next: Vec<f64> = pretrust.iter().map(|p| a * p).collect();
        let mut idle = 0.0;
        for ((row, sum), held) in ratings.iter().zip(&sums).zip(&trust) {
            if *sum <= 0.0 {
                idle += held;
                continue;
            }
            let scale = (1.0 - a) * held / sum;
            row.iter().for_each(|(agent, rating)| next[*agent as usize] += scale * rating.max(0.0));
        }
        next.iter_mut().zip(pretrust).for_each(|(share, p)| *share += (1.0 - a) * idle * p);
        let moved: f64 = next.iter().zip(&trust).map(|(new, old)| (new - old).abs()).sum();
        trust = next;
        // The map contracts by 1 - a, so this is reached after ln(precision) / ln(1 - a) iterations.
        if moved < precision {
            return trust;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::trust::collective_mass;

    /// Oracle O6 (i): the example of go-eigentrust's README.
    #[test]
    fn published_example() {
        let (ek, sd, vm) = (0, 1, 2);
        let ratings = [vec![(sd, 100.0), (vm, 75.0)], vec![], vec![(sd, 100.0)]];
        let pretrust = [50.0 / 150.0, 0.0, 100.0 / 150.0];
        for (a, expected) in
            [(0.5, [0.217_054, 0.302_326, 0.480_620]), (0.1, [0.165_367, 0.440_113, 0.394_519])]
        {
            let trust = eigen_trust(&ratings, &pretrust, a, 1e-12);
            for (agent, expected) in [ek, sd, vm].into_iter().zip(expected) {
                assert!((trust[agent as usize] - expected).abs() < 1e-6, "a = {a}: {trust:?}");
            }
        }
    }

    /// Oracle O6 (ii): a clique that keeps all trust it gets has what the closed form says, to 1e-9.
    #[test]
    fn closed_collective() {
        for (leak, a) in [(0.05, 0.1), (0.05, 0.2), (0.05, 0.15), (0.0, 0.1)] {
            // Agents 0 to 7 are honest and pre-trusted, 8 and 9 rate only each other.
            let honest = |me: u32| {
                let mut row: Vec<(u32, f64)> =
                    (0..8).filter(|other| *other != me).map(|other| (other, (1.0 - leak) / 7.0)).collect();
                row.extend([(8, leak / 2.0), (9, leak / 2.0)]);
                row
            };
            let mut ratings: Vec<Vec<(u32, f64)>> = (0..8).map(honest).collect();
            ratings.extend([vec![(9, 1.0)], vec![(8, 1.0)]]);
            let mut pretrust = vec![0.125; 8];
            pretrust.extend([0.0, 0.0]);
            let trust = eigen_trust(&ratings, &pretrust, a, 1e-12);
            let mass = trust[8] + trust[9];
            assert!((mass - collective_mass(a, leak)).abs() < 1e-9, "leak {leak}, a {a}: {mass}");
            assert!((trust.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_model_follows_ratings_and_forgets() {
        let settings = EigenTrust { every_ticks: 2, peers_max: 3, ..EigenTrust::default() };
        let mut model = EigenTrustModel::new(&settings, 4, &[]);
        assert_eq!(model.trust(2), 0.5);
        let rate = |rater, agent, satisfaction| Deed {
            rater: Some(rater),
            satisfaction,
            ..Deed::public(agent, true)
        };
        for rater in 0..3 {
            model.observe(&rate(rater, 3, 0.0));
            (0..3).filter(|agent| *agent != rater).for_each(|agent| model.observe(&rate(rater, agent, 1.0)));
        }
        model.end_tick();
        assert_eq!(model.trust(3), 0.5, "not yet computed");
        model.end_tick();
        assert!(model.trust(3) < 0.3 && model.trust(0) > 0.5, "{model:?}");
        assert!(model.ratings.iter().all(|row| row.len() <= 3));
        // The public speaks up for the one whom nobody rates.
        let before = model.trust(3);
        (0..9).for_each(|_| model.observe(&Deed::public(3, true)));
        model.settle();
        assert!(model.trust(3) > 1.5 * before, "{} after {before}", model.trust(3));
        model.forget(3);
        assert_eq!((model.trust(3), model.uncertainty(3)), (0.5, 1.0));
    }
}
