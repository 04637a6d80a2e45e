//! Beta reputation of all agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deed, TrustModel};
use crate::{BadSetting, BetaReputation, setting};

/// Settings of Beta reputation (Jøsang & Ismail 2002).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Beta {
    /// What a deed is still worth at the agent's next one (λ).
    pub forgetting: f64,
}

impl Default for Beta {
    fn default() -> Self {
        Self { forgetting: 0.95 }
    }
}

impl Beta {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        setting::share("forgetting", self.forgetting)
    }
}

/// A [`BetaReputation`] an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BetaTrust {
    forgetting: f64,
    agents: Vec<BetaReputation>,
}

impl BetaTrust {
    pub(super) fn new(settings: &Beta, agents: u32, _: &[u32]) -> Self {
        Self { forgetting: settings.forgetting, agents: vec![BetaReputation::default(); agents as usize] }
    }
}

impl TrustModel for BetaTrust {
    fn observe(&mut self, deed: &Deed) {
        let good = deed.satisfaction * deed.weight;
        self.agents[deed.agent as usize].add(good, deed.weight - good, self.forgetting);
    }

    fn trust(&self, agent: u32) -> f64 {
        self.agents[agent as usize].trust()
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        self.agents[agent as usize].uncertainty()
    }

    fn forget(&mut self, agent: u32) {
        self.agents[agent as usize] = BetaReputation::default();
    }
}
