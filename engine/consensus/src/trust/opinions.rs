//! Trust as a subjective opinion of every agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deed, TrustModel};
use crate::fusion::Opinion;
use crate::{BadSetting, setting};

/// Settings of trust by subjective logic (Jøsang 2001): Beta evidence, and a base rate for what is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Opinions {
    /// What a deed is still worth at the agent's next one (λ).
    pub forgetting: f64,
    /// Trust in a stranger.
    pub base_rate: f64,
}

impl Default for Opinions {
    fn default() -> Self {
        Self { forgetting: 0.95, base_rate: 0.5 }
    }
}

impl Opinions {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        setting::share("forgetting", self.forgetting)?;
        setting::share("base_rate", self.base_rate)
    }
}

/// Good and bad evidence of every agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpinionTrust {
    settings: Opinions,
    evidence: Vec<[f64; 2]>,
}

impl OpinionTrust {
    pub(super) fn new(settings: &Opinions, agents: u32, _: &[u32]) -> Self {
        Self { settings: *settings, evidence: vec![[0.0; 2]; agents as usize] }
    }

    /// The opinion of an agent.
    #[must_use]
    pub fn opinion(&self, agent: u32) -> Opinion {
        let [good, bad] = self.evidence[agent as usize];
        Opinion::of_evidence(good, bad, self.settings.base_rate)
    }
}

impl TrustModel for OpinionTrust {
    fn observe(&mut self, deed: &Deed) {
        let good = deed.satisfaction * deed.weight;
        let forgetting = self.settings.forgetting;
        let evidence = &mut self.evidence[deed.agent as usize];
        *evidence = [forgetting * evidence[0] + good, forgetting * evidence[1] + (deed.weight - good)];
    }

    fn trust(&self, agent: u32) -> f64 {
        self.opinion(agent).expectation()
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        self.opinion(agent).u
    }

    fn forget(&mut self, agent: u32) {
        self.evidence[agent as usize] = [0.0; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O7: (8, 2) is b = .6667, d = .1667, u = .1667, and expects .75.
    #[test]
    fn eight_good_two_bad() {
        let settings = Opinions { forgetting: 1.0, base_rate: 0.5 };
        let mut trust = OpinionTrust::new(&settings, 2, &[]);
        (0..10).for_each(|i| trust.observe(&Deed::public(1, i < 8)));
        let opinion = trust.opinion(1);
        assert!((opinion.b - 0.666_667).abs() < 1e-6 && (opinion.d - 0.166_667).abs() < 1e-6);
        assert!((trust.uncertainty(1) - 0.166_667).abs() < 1e-6);
        assert!((trust.trust(1) - 0.75).abs() < 1e-12);
        assert_eq!((trust.trust(0), trust.uncertainty(0)), (0.5, 1.0));
        trust.forget(1);
        assert_eq!(trust.trust(1), 0.5);
    }
}
