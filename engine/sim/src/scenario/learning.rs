//! What one agent learns from, and the signatures it makes of what it flags.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Positive;

/// What a detector learns from, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Flows an agent sees before tick 0 and first fits its detector to (synthetic and Gaussian traffic).
    pub warm_up_flows: Positive,
    /// The most recent flows that are kept for refitting.
    pub window_flows: Positive,
    /// Ticks between refits; 0 never refits. Agents take turns unless it is 1.
    pub refit_ticks: u32,
    /// Which flows enter the window.
    pub learn_from: LearnFrom,
    /// Whose model it is.
    pub owner: Owner,
    /// What counts as a change in how often flows are flagged. After one, an agent learns `warm_up_flows` flows, flagged
    /// or not, and then refits. It cannot tell a new service from an attack that nobody blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            warm_up_flows: Positive::new(400),
            window_flows: Positive::new(800),
            refit_ticks: 16,
            learn_from: LearnFrom::Unreported,
            owner: Owner::Agent,
            drift: None,
        }
    }
}

/// Whose model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Owner {
    /// Every agent fits its own.
    Agent,
    /// Agents of one role share the model of the first of them: one copy in memory, one fit.
    Role,
}

/// How a change in how often flows are flagged is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Drift {
    /// An adaptive window (Bifet & Gavaldà 2007).
    Adwin {
        /// Chance that a window without change is cut.
        delta: super::PositiveReal,
    },
    /// Cumulative deviations from the running mean (Page 1954, Hinkley 1971).
    PageHinkley {
        /// Deviation that is forgiven at each flow.
        slack: super::NonNegative,
        /// Sum of deviations that is a change.
        threshold: super::PositiveReal,
    },
}

/// Which flows enter the training window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LearnFrom {
    /// All of them.
    All,
    /// Those that neither the detector nor the blacklist flagged. What is rare but benign is then never learned, so that
    /// thresholds creep down from refit to refit.
    Unflagged,
    /// Those that are not blocked and that no recent report, the agent's own or another's, speaks of: flagged single
    /// flows are learned, so that thresholds hold, and a reported attacker's unflagged ones are not.
    Unreported,
}

/// How flagged flows become signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signatures {
    /// Which flagged flows belong together.
    pub grouping: Grouping,
    /// Length of the address prefix that an indicator names, in bits.
    pub prefix_bits: u8,
    /// Flagged flows of one group that are needed for a report.
    pub support_min: Positive,
    /// Ticks over which the support may accumulate; 1 means within one tick.
    pub memory_ticks: Positive,
    /// Reports that an agent may make in a tick; the best supported go first.
    pub per_tick_max: Positive,
}

impl Default for Signatures {
    fn default() -> Self {
        Self {
            grouping: Grouping::ByRemote,
            prefix_bits: 32,
            support_min: Positive::new(3),
            memory_ticks: Positive::new(8),
            per_tick_max: Positive::new(4),
        }
    }
}

/// Which flagged flows make one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Grouping {
    /// Flows of the same remote prefix; the indicator also names port and protocol where they all agree.
    ByRemote,
    /// Flows of the same port (or service) and protocol.
    ByService,
    /// All flagged flows of the tick together, without an indicator.
    All,
}
