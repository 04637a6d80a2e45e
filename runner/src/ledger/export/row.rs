//! An entry as a row of a table: the columns that most kinds share, and its bytes.

use phalanx_ledger::Entry;

use crate::ledger::{indicator, json};
use crate::record::hex;

/// Names of the columns. Cells are empty where a kind has no such field.
pub const COLUMNS: [&str; 13] = [
    "index",
    "kind",
    "tick",
    "agent",
    "signature",
    "indicator",
    "support",
    "confidence",
    "yes",
    "no",
    "eligible",
    "digest",
    "entry",
];

/// The cells of an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Number of the entry.
    pub index: u64,
    /// What happened.
    pub kind: &'static str,
    /// When.
    pub tick: Option<u64>,
    /// The agent that it is about, if it is one.
    pub agent: Option<u32>,
    /// The threat signature that it is about.
    pub signature: Option<String>,
    /// Of a report.
    pub indicator: Option<String>,
    /// Of a report.
    pub support: Option<u32>,
    /// Of a report.
    pub confidence: Option<f32>,
    /// Votes for, of a decision.
    pub yes: Option<u32>,
    /// Votes against, of a decision.
    pub no: Option<u32>,
    /// Agents asked, of a decision.
    pub eligible: Option<u32>,
    /// Evidence, votes, fingerprint, model or state, as hex digits.
    pub digest: Option<String>,
    /// The encoding, as hex digits: hashed, it is the leaf.
    pub entry: String,
}

impl Row {
    /// The row of an entry.
    #[must_use]
    pub fn of(index: u64, entry: &Entry) -> Self {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        let row = Self {
            index,
            kind: entry.label(),
            tick: entry.tick().map(|tick| tick.0),
            agent: json::agent(entry),
            signature: entry.signature_id().map(|id| json::id(&id)),
            entry: hex(&bytes),
            ..Self::default()
        };
        match entry {
            Entry::Reported { indicator: named, support, confidence, evidence, .. } => Self {
                indicator: Some(indicator::text(named)),
                support: Some(*support),
                confidence: Some(*confidence),
                digest: Some(hex(evidence)),
                ..row
            },
            Entry::Decided(decision) => Self {
                yes: Some(decision.yes),
                no: Some(decision.no),
                eligible: Some(decision.eligible),
                digest: Some(hex(&decision.votes_digest)),
                ..row
            },
            Entry::Genesis { scenario_digest: digest, .. }
            | Entry::Fingerprint { fingerprint: digest, .. }
            | Entry::ModelRound { model: digest, .. }
            | Entry::Checkpoint { state: digest, .. }
            | Entry::PluginFault { plugin: digest, .. } => Self { digest: Some(hex(digest)), ..row },
            Entry::Egress { digest, .. } => Self { digest: Some(hex(digest)), ..row },
            _ => row,
        }
    }

    /// The cells as text, in the order of [`COLUMNS`].
    #[must_use]
    pub fn cells(&self) -> [String; 13] {
        fn cell<T: ToString>(value: &Option<T>) -> String {
            value.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        [
            self.index.to_string(),
            self.kind.to_owned(),
            cell(&self.tick),
            cell(&self.agent),
            cell(&self.signature),
            cell(&self.indicator),
            cell(&self.support),
            cell(&self.confidence),
            cell(&self.yes),
            cell(&self.no),
            cell(&self.eligible),
            cell(&self.digest),
            self.entry.clone(),
        ]
    }
}
