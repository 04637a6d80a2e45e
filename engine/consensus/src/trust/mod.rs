//! Trust models behind one trait, and their registry.
//!
//! A model holds all agents of a run in flat vectors, so that a million agents cost a few allocations; it is saved
//! and loaded whole. Settings ([`TrustKind`]) and state ([`Trust`]) are apart: the first is a word of a scenario.

use serde::{Deserialize, Serialize};

use crate::fusion::threat::Threat;
use crate::{BadSetting, Ballot, Standing, setting};

mod recommendation;
mod satisfaction;
mod track;

pub use recommendation::{Recommendation, reputation, worth_asking};
pub use satisfaction::Satisfaction;
pub use track::TrackRecord;

/// One experience with an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deed {
    /// Whom it is about.
    pub agent: u32,
    /// Who had it; `None` if it is everybody's (a vote set against the outcome).
    pub rater: Option<u32>,
    /// How good it was, from 0 to 1.
    pub satisfaction: f64,
    /// How much it counts, from 0 to 1.
    pub weight: f64,
}

impl Deed {
    /// An experience of everybody's, of full weight.
    #[must_use]
    pub fn public(agent: u32, good: bool) -> Self {
        Self { agent, rater: None, satisfaction: f64::from(u8::from(good)), weight: 1.0 }
    }
}

/// Trust in many agents, from what they did.
pub trait TrustModel {
    /// Takes in an experience.
    fn observe(&mut self, deed: &Deed);

    /// Ends a tick: the place of periodic work.
    fn end_tick(&mut self) {}

    /// Trust in the agent, from 0 to 1.
    fn trust(&self, agent: u32) -> f64;

    /// How little that trust rests on, from 0 (much evidence) to 1 (none).
    fn uncertainty(&self, agent: u32) -> f64;

    /// How satisfied the model is with what a peer said, if it looks closer than at right and wrong votes.
    fn satisfaction(&self) -> Option<Satisfaction> {
        None
    }

    /// Forgets everything about the agent: it has left, and its number returns as a newcomer.
    fn forget(&mut self, agent: u32);
}

/// Makes the modules and the enums of settings and states out of a list of `module::(Settings, State)` lines.
macro_rules! registry {
    ($($(#[doc = $doc:literal])+ $module:ident :: ($name:ident, $model:ident),)+) => {
        $(mod $module; pub use $module::*;)+

        /// A trust model by name, with its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum TrustKind {
            $($(#[doc = $doc])+ $name($name),)+
        }

        /// State of any of the models.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        enum Model { $($name($model),)+ }

        impl TrustKind {
            /// Names of all models, in the order of the registry.
            #[must_use]
            pub fn names() -> &'static [&'static str] {
                &[$(stringify!($name)),+]
            }

            /// Every model with its default settings.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$(Self::$name($name::default())),+]
            }

            /// The model's name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)+ }
            }

            /// Whether the settings can be right.
            ///
            /// # Errors
            /// Names the first field that cannot.
            pub fn check(&self) -> Result<(), BadSetting> {
                match self { $(Self::$name(settings) => settings.check(),)+ }
            }

            fn found(&self, agents: u32, pretrusted: &[u32]) -> Model {
                match self { $(Self::$name(settings) => Model::$name($model::new(settings, agents, pretrusted)),)+ }
            }
        }

        impl Model {
            fn model(&self) -> &dyn TrustModel {
                match self { $(Self::$name(model) => model,)+ }
            }

            fn model_mut(&mut self) -> &mut dyn TrustModel {
                match self { $(Self::$name(model) => model,)+ }
            }
        }
    };
}

registry! {
    /// Mean of the Beta posterior of good and bad deeds, which are worth less with every later one.
    beta::(Beta, BetaTrust),
    /// Beta evidence as an opinion of subjective logic, with a base rate for strangers.
    opinions::(Opinions, OpinionTrust),
    /// Mean of a Dirichlet posterior over levels of satisfaction (Fung et al. 2011).
    dirichlet::(Dirichlet, DirichletTrust),
    /// Trust that flows along ratings (Kamvar et al. 2003).
    eigen::(EigenTrust, EigenTrustModel),
    /// Competence, integrity and fading reputation (SORT, Fides).
    service::(ServiceTrust, ServiceTrustModel),
}

impl Default for TrustKind {
    fn default() -> Self {
        Self::Beta(Beta::default())
    }
}

/// Trust in all agents of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    model: Model,
    /// Ascending.
    pretrusted: Vec<u32>,
    fixed: f64,
}

impl Trust {
    /// Trust in so many agents of whom nothing is known yet.
    ///
    /// Agents in `pretrusted` are known to be good: their trust is fixed at `fixed`, whatever they do.
    ///
    /// # Errors
    /// Says which setting cannot be right.
    pub fn new(kind: &TrustKind, agents: u32, pretrusted: &[u32], fixed: f64) -> Result<Self, BadSetting> {
        kind.check()?;
        setting::share("pretrusted_trust", fixed)?;
        let mut pretrusted = pretrusted.to_vec();
        pretrusted.sort_unstable();
        pretrusted.dedup();
        if let Some(stranger) = pretrusted.last().filter(|last| **last >= agents) {
            let problem = format!("agent {stranger} does not exist: give numbers below {agents}");
            return Err(BadSetting::new("pretrusted", problem));
        }
        Ok(Self { model: kind.found(agents, &pretrusted), pretrusted, fixed })
    }

    fn is_pretrusted(&self, agent: u32) -> bool {
        !self.pretrusted.is_empty() && self.pretrusted.binary_search(&agent).is_ok()
    }

    /// What a ballot was worth, from 0 to 1: by the model's own rule of satisfaction, from the network's opinion and
    /// what was found locally, or else whether it said what came out.
    #[must_use]
    pub fn judge(&self, ballot: &Ballot, confirmed: bool, network: Threat, local: Option<Threat>) -> f64 {
        match self.model.model().satisfaction() {
            Some(rule) => {
                let said =
                    Threat { score: f64::from(ballot.score), confidence: f64::from(ballot.confidence) };
                rule.of(said, network, local)
            }
            None => f64::from(u8::from(ballot.yes == confirmed)),
        }
    }

    /// The agent's standing, with rates that follow from trust alone: a voter trusted to `t` says yes to a true
    /// report with probability `t`, and to a false one with `1 - t`. A [`TrackRecord`] knows better.
    #[must_use]
    pub fn standing(&self, agent: u32) -> Standing {
        let trust = self.trust(agent);
        Standing { trust, uncertainty: self.uncertainty(agent), tpr: trust, fpr: 1.0 - trust }
    }
}

impl TrustModel for Trust {
    fn observe(&mut self, deed: &Deed) {
        debug_assert!((0.0..=1.0).contains(&deed.satisfaction) && (0.0..=1.0).contains(&deed.weight));
        self.model.model_mut().observe(deed);
    }

    fn end_tick(&mut self) {
        self.model.model_mut().end_tick();
    }

    fn trust(&self, agent: u32) -> f64 {
        if self.is_pretrusted(agent) { self.fixed } else { self.model.model().trust(agent) }
    }

    fn uncertainty(&self, agent: u32) -> f64 {
        if self.is_pretrusted(agent) { 0.0 } else { self.model.model().uncertainty(agent) }
    }

    fn satisfaction(&self) -> Option<Satisfaction> {
        self.model.model().satisfaction()
    }

    fn forget(&mut self, agent: u32) {
        self.model.model_mut().forget(agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_written_by_name() {
        for (kind, name) in TrustKind::all().iter().zip(TrustKind::names()) {
            kind.check().unwrap();
            assert_eq!(kind.name(), *name);
            let text = ron::to_string(kind).unwrap();
            assert_eq!(&ron::from_str::<TrustKind>(&text).unwrap(), kind, "{text}");
        }
    }

    /// Every model: strangers are trusted alike and in range, good deeds raise trust above bad ones, state survives
    /// being saved, pre-trusted agents stay what they are, and who is forgotten is a stranger again.
    #[test]
    fn conformance() {
        for kind in TrustKind::all() {
            let mut trust = Trust::new(&kind, 4, &[3], 0.95).unwrap();
            let stranger = trust.trust(0);
            assert_eq!(stranger, trust.trust(1), "{kind:?}");
            for _ in 0..40 {
                trust.observe(&Deed::public(0, true));
                trust.observe(&Deed::public(1, false));
                trust.observe(&Deed::public(3, false));
                trust.end_tick();
            }
            assert!(trust.trust(0) > trust.trust(1), "{kind:?}: {trust:?}");
            assert!(trust.uncertainty(0) < trust.uncertainty(2), "{kind:?}");
            assert_eq!(trust.trust(3), 0.95, "{kind:?}");
            assert!((0..4).all(|agent| (0.0..=1.0).contains(&trust.trust(agent))), "{kind:?}");
            let saved = ron::to_string(&trust).unwrap();
            assert_eq!(ron::from_str::<Trust>(&saved).unwrap(), trust, "{kind:?}");
            trust.forget(1);
            assert_eq!(trust.uncertainty(1), trust.uncertainty(2), "{kind:?}");
        }
    }

    /// The default is today's reputation, bit for bit.
    #[test]
    fn beta_is_the_reputation_of_one_agent() {
        let mut trust = Trust::new(&TrustKind::default(), 2, &[], 0.95).unwrap();
        let mut alone = crate::BetaReputation::default();
        for i in 0..500 {
            let good = i % 3 != 0;
            trust.observe(&Deed::public(1, good));
            alone.observe(good, 0.95);
            assert_eq!(trust.trust(1).to_bits(), alone.trust().to_bits());
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        let field = |kind: TrustKind| Trust::new(&kind, 1, &[], 0.95).unwrap_err().field;
        assert_eq!(field(TrustKind::Beta(Beta { forgetting: 1.5 })), "forgetting");
        assert_eq!(field(TrustKind::Dirichlet(Dirichlet { levels: 1, ..Dirichlet::default() })), "levels");
        assert_eq!(
            field(TrustKind::EigenTrust(EigenTrust { pretrust: 0.0, ..EigenTrust::default() })),
            "pretrust"
        );
        let satisfaction = Satisfaction::Threshold(2.0);
        let service = ServiceTrust { satisfaction, ..ServiceTrust::default() };
        assert_eq!(field(TrustKind::ServiceTrust(service)), "satisfaction");
        let stranger = Trust::new(&TrustKind::default(), 3, &[1, 3], 0.95).unwrap_err();
        assert_eq!(stranger.to_string(), "pretrusted: agent 3 does not exist: give numbers below 3");
    }
}
