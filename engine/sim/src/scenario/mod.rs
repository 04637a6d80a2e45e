//! What a scenario file says: plain data with a default for everything, so that a useful file has ten lines.
//!
//! The loader (in the runner) turns RON into these types and reports mistakes by file, line and field; this
//! module owns the words, their defaults and bounds. A value that cannot be right by itself (a share above 1) is
//! refused while it is read, by its own type; what only contradicts another value is found by [`Scenario::check`].

mod adversary;
mod bound;
mod campaign;
mod check;
mod collective;
mod detector;
mod identity;
mod learning;
mod memory;
mod network;
mod plugin;
mod staging;
mod study;
mod traffic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use adversary::{Adversary, AdversaryKind, Placement, When};
pub use bound::{Fraction, NonNegative, Positive, PositiveReal};
pub(crate) use campaign::{Action, actions, names};
pub use campaign::{Campaign, CampaignKind, Evasion, Stage};
pub use check::Contradiction;
pub use collective::{Blacklist, Consensus, Decay, Durability, Electorate, Ledger, Signing, Trust};
pub use detector::{Clause, Comparison, Detector, Rule as DetectionRule, Threshold};
pub use learning::{Drift, Grouping, LearnFrom, Model, Owner, Signatures};
pub use network::{
    BurstLoss, Churn, Crash, Internet, Latency, Network, Partition, Regions, Spread, Topology,
};
pub use phalanx_consensus::{Rule, TrustKind};
pub use plugin::{Breaker, DetectorFault, Isolation, Nan, Plugin, PluginLimits, RuleFault, Setting};
pub use study::{Design, Factor, Keep, Level, Levels, Record, SeedScheme, Study};
pub use traffic::{
    AnomalyRate, Attack, BaselineShift, Capture, Column, Family, Gaussian, LongFlows, Roles, Rollout, Season,
    Split, Synthetic, Traffic, WorkingHours,
};

/// A whole scenario. Every field has a default; `runner scenario show FILE` prints them all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Another scenario file, relative to this one, whose values hold where this file says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Number of agents: sensors that watch traffic and vote.
    pub agents: Positive,
    /// Number of ticks to run.
    pub ticks: Positive,
    /// Root of all randomness of the run.
    pub seed: u64,
    /// Where flows come from.
    pub traffic: Traffic,
    /// Attacks on the synthetic world.
    pub campaigns: Vec<Campaign>,
    /// How an agent scores flows.
    pub detector: Detector,
    /// From which score on a flow is flagged.
    pub threshold: Threshold,
    /// What an agent's detector learns from, and when.
    pub model: Model,
    /// How flagged flows become signatures.
    pub signature: Signatures,
    /// How messages travel.
    pub network: Network,
    /// Who lies, and how.
    pub adversaries: Vec<Adversary>,
    /// How agents decide on signatures.
    pub consensus: Consensus,
    /// How agents' reputation follows from their votes.
    pub trust: Trust,
    /// What agents do with confirmed signatures.
    pub blacklist: Blacklist,
    /// How decisions are made durable.
    pub ledger: Ledger,
    /// Which runs the scenario stands for.
    pub study: Study,
    /// Studies that `--study NAME` chooses among.
    pub studies: Vec<Study>,
    /// What runs leave behind.
    pub record: Record,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            extends: None,
            agents: Positive::new(25),
            ticks: Positive::new(50),
            seed: 42,
            traffic: Traffic::default(),
            campaigns: Vec::new(),
            detector: Detector::default(),
            threshold: Threshold::default(),
            model: Model::default(),
            signature: Signatures::default(),
            network: Network::default(),
            adversaries: Vec::new(),
            consensus: Consensus::default(),
            trust: Trust::default(),
            blacklist: Blacklist::default(),
            ledger: Ledger::default(),
            study: Study::default(),
            studies: Vec::new(),
            record: Record::default(),
        }
    }
}
