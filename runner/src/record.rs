//! The run record: what a run was and what came of it, the same in `--json`, `runs.csv` and goldens.

use phalanx_sim::summary::{
    CampaignSummary, Consensus, Detection, Network, Opinions, Plugins, Sharing, Signatures, Summary,
    TimeToDetect, Trust, Warnings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::plan::PlannedRun;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It reached its last tick.
    Ok,
    /// It panicked; its figures are missing.
    Failed,
    /// It took longer than `--timeout`; its figures are missing.
    Timeout,
    /// It was stopped by Ctrl-C; its figures are missing.
    Interrupted,
}

/// What a run was and what came of it. The order of fields is the order in every file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Position in the plan.
    pub run_id: u32,
    /// Name of the scenario: the file's name without folder and ending.
    pub scenario: String,
    /// Seed of the run.
    pub seed: u64,
    /// Number of the replicate.
    pub rep: u32,
    /// What `--set` and factors changed: path → value.
    pub params: Map<String, Value>,
    /// How it ended.
    pub status: Status,
    /// Number of agents.
    pub agents: u32,
    /// Number of ticks.
    pub ticks: u32,
    /// Fingerprint after the last tick.
    pub fingerprint: Option<String>,
    /// Size and root of the ledger.
    pub ledger: LedgerRecord,
    /// How well flows were told apart.
    pub detection: Option<Detection>,
    /// What became of reports.
    pub signatures: Option<Signatures>,
    /// How long attacks went unseen, in ticks.
    pub time_to_detect: Option<TimeToDetect>,
    /// How long decisions took, in ticks.
    pub consensus: Option<Consensus>,
    /// What it cost.
    pub network: Option<Network>,
    /// Whether liars stand out.
    pub trust: Option<Trust>,
    /// What confirmed signatures did for others.
    pub sharing: Option<Sharing>,
    /// How plugins did; left out where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Plugins>,
    /// Who could have warned whom, where flow logs are replayed by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Warnings>,
    /// What all agents together think of all flows, where the scenario asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinions: Option<Opinions>,
    /// The same by campaign.
    pub campaigns: Vec<CampaignSummary>,
    /// Speed and size. Not part of the result: goldens and `runs.csv` leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// The ledger of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// Number of entries, genesis included.
    pub entries: Option<u64>,
    /// Root of the Merkle tree, 64 hex digits.
    pub root: Option<String>,
}

/// What a run took on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds from the first tick to the last.
    pub wall_s: f64,
    /// Agents times ticks per second.
    pub agent_ticks_per_s: Option<f64>,
    /// Largest resident set of the process so far.
    pub peak_rss_bytes: Option<u64>,
    /// Threads of the run's pool.
    pub threads: usize,
}

impl RunRecord {
    /// The record of a run of which nothing is known but what was planned.
    #[must_use]
    pub fn blank(scenario: &str, run: &PlannedRun, seed: u64, status: Status) -> Self {
        Self {
            run_id: run.run_id,
            scenario: scenario.to_owned(),
            seed,
            rep: run.rep,
            params: Map::new(),
            status,
            agents: 0,
            ticks: 0,
            fingerprint: None,
            ledger: LedgerRecord::default(),
            detection: None,
            signatures: None,
            time_to_detect: None,
            consensus: None,
            network: None,
            trust: None,
            sharing: None,
            plugins: None,
            warnings: None,
            opinions: None,
            campaigns: Vec::new(),
            timing: None,
        }
    }

    /// Fills in the figures of a run that ended well.
    pub fn complete(&mut self, summary: Summary, fingerprint: String, ledger: LedgerRecord) {
        let Summary {
            detection,
            signatures,
            time_to_detect,
            consensus,
            network,
            trust,
            sharing,
            plugins,
            warnings,
            opinions,
            campaigns,
        } = summary;
        self.status = Status::Ok;
        self.fingerprint = Some(fingerprint);
        self.ledger = ledger;
        self.detection = Some(detection);
        self.signatures = Some(signatures);
        self.time_to_detect = Some(time_to_detect);
        self.consensus = Some(consensus);
        self.network = Some(network);
        self.trust = Some(trust);
        self.sharing = Some(sharing);
        self.plugins = plugins;
        self.warnings = warnings;
        self.opinions = opinions;
        self.campaigns = campaigns;
    }

    /// The record without what depends on the machine.
    #[must_use]
    pub fn without_timing(&self) -> Self {
        Self { timing: None, ..self.clone() }
    }
}

/// Hex digits of a digest.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    })
}
