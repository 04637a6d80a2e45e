//! How an agent scores flows, and from which score on it flags them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DetectorFault, Fraction, Plugin, Positive};

/// How flows are scored. All detectors give scores from 0 to 1, higher for what is more anomalous;
/// `phalanx_detect` documents each with its source.
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
        /// Trees that a refit replaces, the oldest first; 0 grows all of them anew.
        #[serde(default)]
        refresh: u32,
    },
    /// Extended isolation forest, cutting at any angle (Hariri, Carrasco Kind & Brunner 2018).
    ExtendedForest {
        /// Number of trees.
        #[serde(default = "hundred")]
        trees: Positive,
        /// Flows that each tree is grown on.
        #[serde(default = "sample")]
        sample: Positive,
    },
    /// Isolation forest whose cuts prefer features with heavy tails.
    KurtosisForest {
        /// Number of trees.
        #[serde(default = "hundred")]
        trees: Positive,
        /// Flows that each tree is grown on.
        #[serde(default = "sample")]
        sample: Positive,
    },
    /// Half-space trees, which learn from every flow as it passes (Tan, Ting & Liu 2011).
    HalfSpaceTrees {
        /// Number of trees.
        #[serde(default = "twenty_five")]
        trees: Positive,
        /// Flows between two turns of the reference window.
        #[serde(default = "window")]
        window: Positive,
    },
    /// Robust random cut forest, which learns from every flow and forgets the oldest (Guha et al. 2016).
    RandomCutForest {
        /// Number of trees.
        #[serde(default = "twenty_five")]
        trees: Positive,
        /// Latest flows that every tree holds.
        #[serde(default = "sample")]
        window: Positive,
    },
    /// The largest standardised deviation of any feature.
    ZScore,
    /// Empirical cumulative tails of all features, scored against the training flows alone (Li et al. 2022).
    Ecod,
    /// Copula-based tails, scored against the training flows alone (Li et al. 2020).
    Copod,
    /// Histograms of all features (Goldstein & Dengel 2012).
    Hbos,
    /// Histograms along random sparse directions (Pevný 2016).
    Loda,
    /// Distance to the k-th nearest of a sample of the training flows.
    Knn {
        /// k.
        #[serde(default = "five")]
        neighbours: Positive,
    },
    /// Distance from the mean in units of the covariance.
    Mahalanobis,
    /// What principal components fail to reconstruct.
    Pca,
    /// Mean calibrated tail of a few diverse detectors.
    Ensemble,
    /// Exponentially weighted moving averages of all features (Roberts 1959).
    Ewma,
    /// Cumulative sums of all features (Page 1954).
    Cusum,
    /// Rules written by hand; the score is the share of them that fire.
    Rules(Vec<Rule>),
    /// A detector of your own, as a WebAssembly component.
    Plugin(Plugin<DetectorFault>),
}

/// A rule written by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Rule {
    /// Fires if at least one clause holds.
    Any(Vec<Clause>),
    /// Fires if every clause holds.
    All(Vec<Clause>),
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Name of the feature, after its transform (a `log1p` feature is compared as such).
    pub feature: String,
    /// How it is compared.
    pub is: Comparison,
    /// What it is compared with.
    pub limit: f64,
}

/// How a value is compared with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Comparison {
    /// Less than it.
    Less,
    /// At most it.
    AtMost,
    /// It exactly.
    Equal,
    /// Anything else.
    Differs,
    /// At least it.
    AtLeast,
    /// Greater than it.
    Greater,
}

impl Detector {
    /// Whether it learns from every flow and so belongs to one agent alone.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        matches!(self, Self::HalfSpaceTrees { .. } | Self::RandomCutForest { .. } | Self::Ewma | Self::Cusum)
    }
}

fn hundred() -> Positive {
    Positive::new(100)
}

fn sample() -> Positive {
    Positive::new(256)
}

fn twenty_five() -> Positive {
    Positive::new(25)
}

fn window() -> Positive {
    Positive::new(250)
}

fn five() -> Positive {
    Positive::new(5)
}

impl Default for Detector {
    fn default() -> Self {
        Self::IsolationForest { trees: hundred(), sample: sample(), refresh: 0 }
    }
}

/// From which score on a flow is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Threshold {
    /// Above the score that this share of the agent's training flows exceeds.
    Quantile {
        /// Share of the training flows that is taken to be anomalous.
        contamination: Fraction,
    },
    /// The same over benign flows drawn from all agents, so that a flag means as much to one agent as to another.
    SharedQuantile {
        /// Share of everybody's benign flows that may be flagged.
        contamination: Fraction,
    },
    /// Split conformal: a quarter of the training flows calibrates, and at most this share of benign flows is flagged.
    Conformal {
        /// Highest false-positive rate.
        alpha: Fraction,
    },
    /// Benjamini–Hochberg over the conformal p-values of a tick's flows.
    FalseDiscovery {
        /// Highest expected share of false flags among the flags of a tick.
        alpha: Fraction,
    },
    /// Above what a generalised Pareto tail fitted to the training scores exceeds with this probability (SPOT).
    PeaksOverThreshold {
        /// False-positive rate to aim at.
        q: Fraction,
    },
    /// Above this score.
    Fixed(Fraction),
}

impl Default for Threshold {
    fn default() -> Self {
        Self::Quantile { contamination: Fraction::new(0.02) }
    }
}
