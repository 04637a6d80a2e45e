//! What a run amounts to: the numbers of the run record, in the words and shapes of the JSON contract.
//!
//! A value that is undefined (no anomaly, no confirmation) is `None`, which is written as `null`.

use serde::{Deserialize, Serialize};

/// All figures of a run but its identity and its timing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How well flows were told apart.
    pub detection: Detection,
    /// What became of reports.
    pub signatures: Signatures,
    /// How long attacks went unseen, in ticks.
    pub time_to_detect: TimeToDetect,
    /// How long decisions took, in ticks.
    pub consensus: Consensus,
    /// What it cost.
    pub network: Network,
    /// Whether liars stand out.
    pub trust: Trust,
    /// What confirmed signatures did for those who had not made them.
    pub sharing: Sharing,
    /// How plugins did, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Plugins>,
    /// Who could have warned whom, if flows are replayed by time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warnings: Option<Warnings>,
    /// What all agents together think of all flows, if the scenario asks for second opinions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opinions: Option<Opinions>,
    /// The same by campaign (or attack family, or label of a capture), in the scenario's order.
    pub campaigns: Vec<CampaignSummary>,
}

/// How plugins did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugins {
    /// Calls that failed.
    pub faults: u64,
    /// Agents and ticks whose flows were not scored by the plugin.
    pub fallbacks: u64,
    /// Breakers that opened.
    pub opened: u64,
}

/// Confusion of flows, flagged by the own detector or by a confirmed indicator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Flows seen.
    pub flows: u64,
    /// Of these, anomalous in truth.
    pub anomalous: u64,
    /// Of all, flagged.
    pub flagged: u64,
    /// Share of the flagged that are anomalous.
    pub precision: Option<f64>,
    /// Share of the anomalous that are flagged.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Share of the benign that are flagged.
    pub fpr: Option<f64>,
    /// Area under the ROC curve of the detectors' scores, all agents pooled, at a score resolution of 2^-16.
    pub roc_auc: Option<f64>,
    /// Average precision of the same scores.
    pub average_precision: Option<f64>,
}

/// What became of reported signatures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signatures {
    /// Reports made.
    pub reported: u64,
    /// Confirmed.
    pub confirmed: u64,
    /// Rejected.
    pub rejected: u64,
    /// Given up at their deadline, or still open when the run ended.
    pub undecided: u64,
    /// Reports that only supported an open proposal of the same indicator (`consensus.merge`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub merged: u64,
    /// Share of the confirmed that are true.
    pub precision: Option<f64>,
    /// Share of the true reports that were confirmed.
    pub recall: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Ticks from an agent's first flow of a campaign to the first that is flagged, over all (agent, campaign) pairs
/// with contact. A pair without detection counts as the ticks that were left (censored at the end of the run).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeToDetect {
    /// Median by the own detector alone.
    pub local_median: Option<f64>,
    /// 95th percentile by the own detector alone.
    pub local_p95: Option<f64>,
    /// Median by the own detector or a confirmed indicator.
    pub shared_median: Option<f64>,
    /// 95th percentile by either.
    pub shared_p95: Option<f64>,
    /// Mean of local minus shared over the pairs: what sharing gained, in ticks.
    pub gain: Option<f64>,
}

/// Decisions' latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consensus {
    /// Median ticks from report to confirmation or rejection.
    pub latency_p50: Option<f64>,
    /// 95th percentile of the same.
    pub latency_p95: Option<f64>,
    /// Confirmed signatures that are false: the rule accepted what it should not have.
    pub safety_failures: u64,
}

/// Messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Messages sent: reports, votes and decisions, one for each receiver.
    pub messages: u64,
    /// Their size: 64 bytes and 8 a feature for a report, 24 for a vote, 56 for the news of a decision.
    pub bytes: u64,
    /// Messages that the network lost.
    pub lost: u64,
}

/// Reputation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Mean reputation of the honest minus that of the adversaries.
    pub separation: Option<f64>,
}

/// What confirmed signatures did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sharing {
    /// Anomalous flows that matched a confirmed indicator of somebody else's report and that the own detector
    /// had missed.
    pub caught: u64,
    /// Flows blocked because they matched a confirmed indicator.
    pub blocked: u64,
    /// Benign ones among the blocked.
    pub blocked_benign: u64,
    /// Precision of the own detectors alone.
    pub local_precision: Option<f64>,
    /// Recall of the own detectors alone.
    pub local_recall: Option<f64>,
    /// F1 of the own detectors alone.
    pub local_f1: Option<f64>,
}

/// How many attacking flows came from an address that had attacked another agent before: what sharing can give at
/// best. Flows that the watched host began itself are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Warnings {
    /// Attacking flows.
    pub flows: u64,
    /// Of these, from an address that another agent saw attacking earlier.
    pub prewarned_flows: u64,
    /// Of all, blocked by another agent's confirmed signature.
    pub stopped_flows: u64,
    /// First attacking flows of an address at an agent.
    pub contacts: u64,
    /// Of these, after another agent saw the address attacking.
    pub prewarned_contacts: u64,
    /// Ticks between the other agent's sighting and the first contact: 10th percentile.
    pub lead_p10: Option<f64>,
    /// Their median.
    pub lead_p50: Option<f64>,
    /// The same by agent, in their order; agents without attacking flows are left out.
    pub hosts: Vec<HostWarnings>,
}

/// All agents' detectors on all flows: what exchanging scores is worth over any one of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opinions {
    /// Area under the ROC curve of the mean of all agents' scores, each calibrated to mean 0 and deviation 1 over what
    /// its agent learned from.
    pub together_roc_auc: Option<f64>,
    /// Average precision of the same.
    pub together_average_precision: Option<f64>,
    /// Mean over agents of the area under the ROC curve of one detector alone.
    pub alone_mean_roc_auc: Option<f64>,
    /// The least of these.
    pub alone_worst_roc_auc: Option<f64>,
}

/// One agent's share of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostWarnings {
    /// Its name.
    pub name: String,
    /// Attacking flows.
    pub flows: u64,
    /// Of these, from an address that another agent saw attacking earlier.
    pub prewarned_flows: u64,
    /// Of all, blocked by another agent's confirmed signature.
    pub stopped_flows: u64,
    /// First attacking flows of an address.
    pub contacts: u64,
    /// Of these, after another agent saw the address attacking.
    pub prewarned_contacts: u64,
}

/// One campaign's share of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CampaignSummary {
    /// Its name.
    pub name: String,
    /// Flows it caused.
    pub flows: u64,
    /// Of these, flagged by detector or indicator.
    pub flagged: u64,
    /// Agents that it reached.
    pub agents: u64,
    /// Hosts infected at the end, for a worm.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub infected: Option<u64>,
    /// Time to detect it.
    pub time_to_detect: TimeToDetect,
    /// The same by stage, for a staged campaign. The campaign as a whole is met at the first stage that reaches an agent,
    /// and detected with any of them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stages: Vec<CampaignSummary>,
}
