//! Trust over several levels of satisfaction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deed, TrustModel};
use crate::{BadSetting, setting};

/// Settings of Dirichlet trust (Fung, Zhang, Aib & Boutaba 2011): deeds fall into levels of satisfaction, and trust
/// is the mean level of the posterior.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dirichlet {
    /// Levels of satisfaction, evenly spaced from 0 to 1.
    pub levels: u32,
    /// What a deed is still worth at the agent's next one (λ).
    pub forgetting: f64,
    /// Deeds that the even prior is worth. Two levels and a prior of 2 are Beta reputation.
    pub prior: f64,
}

impl Default for Dirichlet {
    fn default() -> Self {
        Self { levels: 10, forgetting: 0.9, prior: 2.0 }
    }
}

impl Dirichlet {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        setting::count("levels", self.levels, 2, 64)?;
        setting::share("forgetting", self.forgetting)?;
        setting::positive("prior", self.prior)
    }
}

/// Weight of the deeds of every agent by level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirichletTrust {
    settings: Dirichlet,
    /// `agents × levels`.
    weights: Vec<f64>,
}

impl DirichletTrust {
    pub(super) fn new(settings: &Dirichlet, agents: u32, _: &[u32]) -> Self {
        Self { settings: *settings, weights: vec![0.0; agents as usize * settings.levels as usize] }
    }

    fn row(&self, agent: u32) -> &[f64] {
        let levels = self.settings.levels as usize;
        &self.weights[agent as usize * levels..(agent as usize + 1) * levels]
    }
}

impl TrustModel for DirichletTrust {
    fn observe(&mut self, deed: &Deed) {
        let levels = self.settings.levels as usize;
        let forgetting = self.settings.forgetting;
        let row = &mut self.weights[deed.agent as usize * levels..(deed.agent as usize + 1) * levels];
        row.iter_mut().for_each(|weight| *weight *= forgetting);
        let level = (deed.satisfaction * (levels - 1) as f64 + 0.5) as usize;
        row[level.min(levels - 1)] += deed.weight;
    }

    fn trust(&self, agent: u32) -> f64 {
        let row = self.row(agent);
        let top = (row.len() - 1) as f64;
        let (mut good, mut all) = (0.5 * self.settings.prior, self.settings.prior);
        for (level, weight) in row.iter().enumerate() {
            good += level as f64 / top * weight;
            all += weight;
        }
        good / all
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        let all = self.row(agent).iter().fold(self.settings.prior, |sum, weight| sum + weight);
        self.settings.prior / all
    }

    fn forget(&mut self, agent: u32) {
        let levels = self.settings.levels as usize;
        self.weights[agent as usize * levels..(agent as usize + 1) * levels].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BetaReputation;

    #[test]
    fn two_levels_are_beta_reputation() {
        let settings = Dirichlet { levels: 2, forgetting: 0.95, prior: 2.0 };
        let mut trust = DirichletTrust::new(&settings, 1, &[]);
        let mut beta = BetaReputation::default();
        for i in 0..200 {
            let good = i % 7 != 0;
            trust.observe(&Deed::public(0, good));
            beta.observe(good, 0.95);
            assert!((trust.trust(0) - beta.trust()).abs() < 1e-12);
            assert!((trust.uncertainty(0) - beta.uncertainty()).abs() < 1e-12);
        }
    }

    /// By hand: levels 0, 1/2, 1; deeds .5 and 1, the first worth 0.9 by then.
    #[test]
    fn levels_between() {
        let settings = Dirichlet { levels: 3, forgetting: 0.9, prior: 3.0 };
        let mut trust = DirichletTrust::new(&settings, 1, &[]);
        for satisfaction in [0.45, 1.0] {
            trust.observe(&Deed { satisfaction, ..Deed::public(0, true) });
        }
        assert!((trust.trust(0) - (1.5 + 0.45 + 1.0) / (3.0 + 0.9 + 1.0)).abs() < 1e-12);
    }
}
