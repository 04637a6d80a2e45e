//! How one agent tells good from bad: detector, threshold, model upkeep, and the signatures it makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, Positive};

/// How flows are scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Detector {
    /// Isolation forest (Liu, Ting & Zhou 2008).
    IsolationForest {
        /// Number of trees.
        #[serde(default = "hundred")]
        trees: Positive,
        /// Flows that each tree is grown on.
        #[serde(default = "sample")]
        sample: Positive,
    },
    /// The largest standardised deviation of any feature.
    ZScore,
}

fn hundred() -> Positive {
    Positive::new(100)
}

fn sample() -> Positive {
    Positive::new(256)
}

impl Default for Detector {
    fn default() -> Self {
        Self::IsolationForest { trees: hundred(), sample: sample() }
    }
}

/// From which score on a flow is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Threshold {
    /// Above this quantile's complement of the training scores: `contamination` of them lie above it.
    Quantile {
        /// Share of the training flows that is taken to be anomalous.
        contamination: Fraction,
    },
    /// Above this score.
    Fixed(Fraction),
}

impl Default for Threshold {
    fn default() -> Self {
        Self::Quantile { contamination: Fraction::new(0.02) }
    }
}

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
}

impl Default for Model {
    fn default() -> Self {
        Self {
            warm_up_flows: Positive::new(400),
            window_flows: Positive::new(800),
            refit_ticks: 16,
            learn_from: LearnFrom::Unflagged,
        }
    }
}

/// Which flows enter the training window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LearnFrom {
    /// All of them.
    All,
    /// Those that neither the detector nor the blacklist flagged, so that attacks do not become normal.
    Unflagged,
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
