//! Service trust of SORT and Fides: competence, integrity, and a reputation that fades as experience grows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deed, Recommendation, Satisfaction, TrustModel};
use crate::{BadSetting, setting};

/// Settings of service trust (Can & Bhargava 2013; Fides 2022):
/// `st = h (cb - ib / 2) + (1 - h) rep`, clipped to `[0, 1]`, with `h` the history's length over its maximum, `cb` the
/// weighted mean of satisfactions and `ib` their spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceTrust {
    /// Deeds that are remembered of an agent; older ones are forgotten one by one.
    pub history_max: u32,
    /// Reputation of a stranger.
    pub reputation: f64,
    /// How satisfied one is with what a peer said.
    pub satisfaction: Satisfaction,
}

impl Default for ServiceTrust {
    fn default() -> Self {
        Self { history_max: 100, reputation: 0.5, satisfaction: Satisfaction::Distance }
    }
}

impl ServiceTrust {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        setting::count("history_max", self.history_max, 1, 1 << 16)?;
        setting::share("reputation", self.reputation)?;
        self.satisfaction.check()
    }
}

/// How much an interaction counts: SORT's weights as Fides sets them.
pub mod weight {
    /// The first meeting.
    pub const FIRST_ENCOUNTER: f64 = 0.1;
    /// A sign of life.
    pub const PING: f64 = 0.2;
    /// An answer without data.
    pub const NO_DATA: f64 = 0.3;
    /// A request for data.
    pub const REQUEST: f64 = 0.5;
    /// An alert.
    pub const ALERT: f64 = 0.7;
    /// An answer with data.
    pub const DATA: f64 = 1.0;
}

/// Histories and service trust of every agent. Memory grows with deeds, up to `history_max` an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceTrustModel {
    settings: ServiceTrust,
    /// Satisfaction and weight of the latest deeds of every agent, the oldest first.
    histories: Vec<Vec<(f64, f64)>>,
    reputations: Vec<f64>,
    beliefs: Vec<Belief>,
}

/// What the history of an agent says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Mean satisfaction, by weight.
    pub competence: f64,
    /// Spread of the satisfaction. As in Fides each satisfaction is multiplied by the mean weight first, so that it
    /// is the deviation only while all weights are 1.
    pub integrity: f64,
    /// Service trust.
    pub trust: f64,
}

impl ServiceTrustModel {
    /// Everybody has just been met: the first record of every history.
    pub(super) fn new(settings: &ServiceTrust, agents: u32, _: &[u32]) -> Self {
        let mut model = Self {
            settings: *settings,
            histories: vec![Vec::new(); agents as usize],
            reputations: vec![settings.reputation; agents as usize],
            beliefs: vec![Belief::default(); agents as usize],
        };
        (0..agents).for_each(|agent| model.forget(agent));
        model
    }

    /// What the agent's history says.
    #[must_use]
    pub fn belief(&self, agent: u32) -> Belief {
        self.beliefs[agent as usize]
    }

    /// What one would tell somebody who asks about the agent.
    #[must_use]
    pub fn recommend(&self, agent: u32) -> Recommendation {
        let belief = self.beliefs[agent as usize];
        Recommendation {
            competence: belief.competence,
            integrity: belief.integrity,
            history: self.histories[agent as usize].len() as u32,
            reputation: self.reputations[agent as usize],
            recommenders: 1,
        }
    }

    /// Sets the reputation that stands in for missing experience, for instance from recommendations.
    pub fn set_reputation(&mut self, agent: u32, reputation: f64) {
        self.reputations[agent as usize] = reputation;
        self.update(agent as usize);
    }

    fn update(&mut self, agent: usize) {
        let history = &self.histories[agent];
        let share = history.len() as f64 / f64::from(self.settings.history_max);
        let (mut satisfied, mut weights) = (0.0, 0.0);
        for (satisfaction, weight) in history {
            satisfied += satisfaction * weight;
            weights += weight;
        }
        let competence = if weights > 0.0 { satisfied / weights } else { 0.0 };
        let count = history.len().max(1) as f64;
        let mean_weight = weights / count;
        let spread = history.iter().fold(0.0, |sum, (satisfaction, _)| {
            let off = satisfaction * mean_weight - competence;
            sum + off * off
        });
        let integrity = (spread / count).sqrt();
        let own = share * (competence - 0.5 * integrity);
        let trust = (own + (1.0 - share) * self.reputations[agent]).clamp(0.0, 1.0);
        self.beliefs[agent] = Belief { competence, integrity, trust };
    }
}

impl TrustModel for ServiceTrustModel {
    fn observe(&mut self, deed: &Deed) {
        let history = &mut self.histories[deed.agent as usize];
        if history.len() == self.settings.history_max as usize {
            history.remove(0);
        }
        history.push((deed.satisfaction, deed.weight));
        self.update(deed.agent as usize);
    }

    fn trust(&self, agent: u32) -> f64 {
        self.beliefs[agent as usize].trust
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        1.0 - self.histories[agent as usize].len() as f64 / f64::from(self.settings.history_max)
    }

    fn satisfaction(&self) -> Option<Satisfaction> {
        Some(self.settings.satisfaction)
    }

    fn forget(&mut self, agent: u32) {
        let at = agent as usize;
        self.reputations[at] = self.settings.reputation;
        self.histories[at].clear();
        self.histories[at].push((1.0, weight::FIRST_ENCOUNTER));
        self.update(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(history_max: u32, reputation: f64) -> ServiceTrustModel {
        let settings = ServiceTrust { history_max, reputation, ..ServiceTrust::default() };
        ServiceTrustModel::new(&settings, 1, &[])
    }

    /// By hand: a history of four, the first meeting (1, .1) and deeds of .8 and .4.
    #[test]
    fn competence_integrity_reputation() {
        let mut model = model(4, 0.5);
        // One record: competence 1, integrity |1 · .1 - 1| = .9.
        assert!((model.trust(0) - (0.25 * (1.0 - 0.45) + 0.75 * 0.5)).abs() < 1e-12);
        model.observe(&Deed { satisfaction: 0.8, ..Deed::public(0, true) });
        model.observe(&Deed { satisfaction: 0.4, ..Deed::public(0, true) });
        let competence = (0.1 + 0.8 + 0.4) / 2.1;
        let off = |s: f64| s * 0.7 - competence;
        let integrity = ((off(1.0) * off(1.0) + off(0.8) * off(0.8) + off(0.4) * off(0.4)) / 3.0f64).sqrt();
        let expected = 0.75 * (competence - 0.5 * integrity) + 0.25 * 0.5;
        assert!((model.trust(0) - expected).abs() < 1e-12);
        assert!((model.uncertainty(0) - 0.25).abs() < 1e-12);
    }

    /// Once the first meeting is forgotten and the history full, reputation no longer counts, and steady deeds leave
    /// no doubt of integrity.
    #[test]
    fn experience_replaces_reputation() {
        let mut model = model(5, 0.0);
        (0..5).for_each(|_| model.observe(&Deed { satisfaction: 0.6, ..Deed::public(0, true) }));
        assert!((model.trust(0) - 0.6).abs() < 1e-12);
        model.set_reputation(0, 1.0);
        assert!((model.trust(0) - 0.6).abs() < 1e-12);
        model.forget(0);
        assert!(model.trust(0) < 0.2);
    }

    /// Nobody is trusted and everybody's deeds are worthless: trust is clipped at 0, not below.
    #[test]
    fn trust_stays_in_range() {
        let mut model = model(10, 0.0);
        for i in 0..40 {
            model.observe(&Deed { satisfaction: f64::from(u8::from(i % 3 == 0)), ..Deed::public(0, true) });
            assert!((0.0..=1.0).contains(&model.trust(0)));
        }
    }
}
