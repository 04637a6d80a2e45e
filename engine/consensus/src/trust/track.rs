//! How often each agent's votes turned out right, apart for true and for false reports.

use serde::{Deserialize, Serialize};

use crate::{BadSetting, Standing, setting};

/// Tracked rates of all agents: what calibrated rules need to know of a voter.
///
/// Each rate is the mean of a Beta posterior with forgetting, whose prior is worth `strength` votes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackRecord {
    prior_tpr: f64,
    prior_fpr: f64,
    strength: f64,
    forgetting: f64,
    /// Per agent: yes and all votes on true reports, yes and all votes on false ones.
    counts: Vec<[f32; 4]>,
}

impl TrackRecord {
    /// A record of agents that have not voted yet.
    ///
    /// # Errors
    /// Says which setting cannot be right.
    pub fn new(
        agents: u32,
        prior_tpr: f64,
        prior_fpr: f64,
        strength: f64,
        forgetting: f64,
    ) -> Result<Self, BadSetting> {
        setting::share("prior_tpr", prior_tpr)?;
        setting::share("prior_fpr", prior_fpr)?;
        setting::positive("strength", strength)?;
        setting::share("forgetting", forgetting)?;
        Ok(Self { prior_tpr, prior_fpr, strength, forgetting, counts: vec![[0.0; 4]; agents as usize] })
    }

    /// Takes in a vote and whether the report turned out true.
    pub fn observe(&mut self, agent: u32, yes: bool, was_true: bool) {
        let counts = &mut self.counts[agent as usize];
        let at = if was_true { 0 } else { 2 };
        let forgetting = self.forgetting as f32;
        counts[at] = forgetting * counts[at] + f32::from(u8::from(yes));
        counts[at + 1] = forgetting * counts[at + 1] + 1.0;
    }

    /// Estimated probability of a yes to a true and to a false report.
    #[must_use]
    pub fn rates(&self, agent: u32) -> (f64, f64) {
        let [true_yes, true_all, false_yes, false_all] = self.counts[agent as usize].map(f64::from);
        let mean = |yes: f64, all: f64, prior: f64| (yes + self.strength * prior) / (all + self.strength);
        (mean(true_yes, true_all, self.prior_tpr), mean(false_yes, false_all, self.prior_fpr))
    }

    /// Puts the agent's rates into its standing.
    #[must_use]
    pub fn rated(&self, agent: u32, standing: Standing) -> Standing {
        let (tpr, fpr) = self.rates(agent);
        Standing { tpr, fpr, ..standing }
    }

    /// Forgets everything about the agent.
    pub fn forget(&mut self, agent: u32) {
        self.counts[agent as usize] = [0.0; 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_move_from_the_prior_to_what_was_seen() {
        let mut record = TrackRecord::new(1, 0.8, 0.1, 10.0, 1.0).unwrap();
        assert_eq!(record.rates(0), (0.8, 0.1));
        (0..10).for_each(|_| record.observe(0, true, true));
        (0..30).for_each(|_| record.observe(0, true, false));
        let (tpr, fpr) = record.rates(0);
        assert!((tpr - 18.0 / 20.0).abs() < 1e-12);
        assert!((fpr - 31.0 / 40.0).abs() < 1e-12);
        record.forget(0);
        assert_eq!(record.rates(0), (0.8, 0.1));
    }

    #[test]
    fn wrong_settings_are_named() {
        let field = |r: Result<TrackRecord, BadSetting>| r.unwrap_err().field;
        assert_eq!(field(TrackRecord::new(1, 1.5, 0.1, 1.0, 1.0)), "prior_tpr");
        assert_eq!(field(TrackRecord::new(1, 0.5, f64::NAN, 1.0, 1.0)), "prior_fpr");
        assert_eq!(field(TrackRecord::new(1, 0.5, 0.5, 0.0, 1.0)), "strength");
        assert_eq!(field(TrackRecord::new(1, 0.5, 0.5, 1.0, -0.1)), "forgetting");
    }
}
