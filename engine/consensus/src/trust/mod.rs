//! Trust models behind one trait, and their registry.
//!
//! A model holds all agents of a run in flat vectors, so that a million agents cost a few allocations; it is saved
//! and loaded whole. Settings ([`TrustKind`]) and state ([`Trust`]) are apart: the first is a word of a scenario.

use serde::{Deserialize, Serialize};

use crate::{BadSetting, Standing, setting};

mod track;

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

    /// Forgets everything about the agent: it has left, and its number returns as a newcomer.
    fn forget(&mut self, agent: u32);
}

/// Makes the modules and the enums of settings and states out of a list of `module::(Settings, State)` lines.
macro_rules! registry {
    ($($(#[doc = $doc:literal])+ $module:ident :: ($name:ident, $model:ident),)+) => {
        $(mod $module; pub use $module::{$name, $model};)+

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

    fn forget(&mut self, agent: u32) {
        self.model.model_mut().forget(agent);
    }
}
