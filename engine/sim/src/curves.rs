//! What a run looks like when it is drawn: more than a figure, less than its ticks.

use serde::{Deserialize, Serialize};

/// Slices of either axis of an ROC curve.
pub(crate) const SLICES: u64 = 24;

/// Curves of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// `[benign, anomalous]` flows whose score is at or above a threshold, from the strictest on.
    pub operating: Vec<[u64; 2]>,
    /// `[ticks, pairs]`: pairs of agent and campaign whose first flow was that long before the agent's own detector
    /// had caught the campaign.
    pub alone: Vec<[u64; 2]>,
    /// The same by own detector or a confirmed indicator.
    pub shared: Vec<[u64; 2]>,
    /// Pairs of agent and campaign with contact.
    pub pairs: u64,
}
