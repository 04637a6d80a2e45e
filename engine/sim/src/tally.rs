//! What is counted on the way: this tick's record in the making, and the run's totals.

use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{
    AgentId, Decision, Fingerprint, Outcome, PluginEvent, PluginHappening, Signature, SignatureId, Tick,
    TickDigest,
};
use phalanx_detect::{Confusion, ScoreHistogram};

use crate::agent::{Blocked, signature_words};
use crate::checkpoint::{saved, state};
use crate::distribution::Distribution;
use crate::mail::{Letter, Mail};
use crate::opinion::Opinions;
use crate::record::{TickCounts, TickRecord, TrustChange};
use crate::summary;
use crate::warning::Warnings;

/// Marks of events that name nothing but an agent.
const REJOINED: u64 = 1 << 40;
const TWO_FACED: u64 = 2 << 40;

/// Filled by the phases, emptied into a [`TickRecord`] at the end of the tick.
#[derive(Resource, Debug)]
pub(crate) struct Tally {
    /// This tick's reports, by (author, sequence).
    reported: Vec<Arc<Signature>>,
    /// This tick's decisions, by signature.
    pub(crate) decisions: Vec<Decision>,
    /// The votes that they counted, if they are wanted.
    pub(crate) ballots: Vec<(SignatureId, Vec<(AgentId, bool)>)>,
    /// This tick's changes of trust, if they are wanted.
    pub(crate) trust: Vec<TrustChange>,
    /// Signatures that left the last blacklist in this tick, if they are wanted.
    pub(crate) expired: Vec<SignatureId>,
    /// This tick's new models with their digests, if they are wanted.
    pub(crate) refitted: Vec<(AgentId, u64)>,
    /// Who went down or came back with this tick, if that is wanted.
    pub(crate) presence: Vec<(AgentId, bool)>,
    /// Agents that have left and joined anew in this tick.
    rejoined: Vec<AgentId>,
    /// This tick's reports that were merged into an open proposal.
    merged: Vec<phalanx_core::SignatureId>,
    /// Agents caught in this tick.
    two_faced: Vec<AgentId>,
    pub(crate) plugins: Vec<PluginEvent>,
    /// This tick's counters.
    pub(crate) counts: TickCounts,
    /// This tick's digest.
    pub(crate) digest: TickDigest,
    /// What all agents think of all flows, if the scenario asks for it.
    pub(crate) opinions: Option<Opinions>,
    /// Who could have warned whom.
    pub(crate) warnings: Warnings,
    fingerprint: Fingerprint,
    totals: Totals,
}

/// Totals of the run so far.
#[derive(Debug)]
struct Totals {
    /// By detector or indicator.
    either: Confusion,
    /// By the own detector alone.
    local: Confusion,
    scores: ScoreHistogram,
    reported: u64,
    reported_true: u64,
    confirmed: u64,
    confirmed_true: u64,
    rejected: u64,
    undecided: u64,
    merged: u64,
    /// Reports whose truth is that of an attack and that are not decided yet.
    open_true: std::collections::BTreeMap<phalanx_core::SignatureId, bool>,
    latency: Distribution,
    messages: u64,
    bytes: u64,
    lost: u64,
    caught: u64,
    blocked: u64,
    blocked_benign: u64,
    plugins: summary::Plugins,
    /// By campaign: flows and flagged flows.
    campaigns: Vec<(u64, u64)>,
}

impl Tally {
    pub(crate) fn new(genesis: Fingerprint, campaigns: usize) -> Self {
        Self {
            reported: Vec::new(),
            decisions: Vec::new(),
            ballots: Vec::new(),
            trust: Vec::new(),
            expired: Vec::new(),
            refitted: Vec::new(),
            presence: Vec::new(),
            rejoined: Vec::new(),
            merged: Vec::new(),
            two_faced: Vec::new(),
            plugins: Vec::new(),
            counts: TickCounts::default(),
            digest: TickDigest::default(),
            opinions: None,
            warnings: Warnings::default(),
            fingerprint: genesis,
            totals: Totals {
                either: Confusion::default(),
                local: Confusion::default(),
                scores: ScoreHistogram::default(),
                reported: 0,
                reported_true: 0,
                confirmed: 0,
                confirmed_true: 0,
                rejected: 0,
                undecided: 0,
                merged: 0,
                open_true: std::collections::BTreeMap::new(),
                latency: Distribution::default(),
                messages: 0,
                bytes: 0,
                lost: 0,
                caught: 0,
                blocked: 0,
                blocked_benign: 0,
                plugins: summary::Plugins::default(),
                campaigns: vec![(0, 0); campaigns],
            },
        }
    }

    /// Counts a report.
    pub(crate) fn report(&mut self, signature: &Arc<Signature>) {
        signature_words(signature.id).into_iter().for_each(|w| self.digest.event_word(w));
        self.digest.event(&signature.evidence);
        self.reported.push(Arc::clone(signature));
    }

    /// Counts a delivery.
    pub(crate) fn delivered(&mut self, letter: &Letter) {
        self.digest.event_word(u64::from(letter.to.0));
        signature_words(letter.signature.id).into_iter().for_each(|w| self.digest.event_word(w));
    }

    /// Notes a report that only supports an open proposal, and will not be decided on its own.
    pub(crate) fn merged(&mut self, signature: &Signature) {
        self.totals.merged += 1;
        self.merged.push(signature.id);
    }

    /// Whether anything has been decided so far.
    pub(crate) fn has_decided(&self) -> bool {
        let totals = &self.totals;
        totals.confirmed + totals.rejected + totals.undecided > 0
    }

    /// Notes that an agent has left and joined anew.
    pub(crate) fn rejoined(&mut self, agent: AgentId) {
        self.digest.event_word(u64::from(agent.0) | REJOINED);
        self.rejoined.push(agent);
    }

    /// Notes who was caught saying two things to different agents: of a proposal, or of the ledger.
    pub(crate) fn two_faced(&mut self, agent: AgentId) {
        self.digest.event_word(u64::from(agent.0) | TWO_FACED);
        self.two_faced.push(agent);
    }

    /// Puts the tick's decisions into its digest.
    pub(crate) fn digest_decisions(&mut self) {
        for decision in &self.decisions {
            signature_words(decision.signature).into_iter().for_each(|w| self.digest.event_word(w));
            self.digest.event_word(u64::from(decision.yes) << 32 | u64::from(decision.no));
            self.digest.event_word(decision.outcome as u64);
            self.digest.event(&decision.votes_digest);
        }
    }

    /// Counts a flow, with its truth open.
    pub(crate) fn flow(&mut self, campaign: Option<u16>, score: f64, flagged: bool, blocked: Blocked) {
        let anomalous = campaign.is_some();
        let either = flagged || blocked != Blocked::No;
        let (counts, totals) = (&mut self.counts, &mut self.totals);
        totals.either.add(either, anomalous);
        totals.local.add(flagged, anomalous);
        totals.scores.add(score, anomalous);
        counts.flows += 1;
        counts.anomalous += u64::from(anomalous);
        counts.flagged += u64::from(either);
        counts.true_positive += u64::from(either && anomalous);
        if blocked != Blocked::No {
            counts.blocked += 1;
            totals.blocked += 1;
            totals.blocked_benign += u64::from(!anomalous);
        }
        totals.caught += u64::from(anomalous && !flagged && blocked == Blocked::ByOther);
        if let Some(campaign) = campaign {
            let (flows, caught) = &mut totals.campaigns[usize::from(campaign)];
            *flows += 1;
            *caught += u64::from(either);
        }
    }

    /// Takes over the tick's message counters.
    pub(crate) fn mail(&mut self, mail: &Mail) {
        (self.counts.messages, self.counts.lost) = (mail.sent, mail.lost);
        self.totals.messages += mail.sent;
        self.totals.bytes += mail.bytes;
        self.totals.lost += mail.lost;
    }

    /// Ends the tick: opens the truth of reports and decisions, chains the fingerprint, empties the record.
    pub(crate) fn close(&mut self, tick: Tick) -> TickRecord {
        for signature in &self.reported {
            let threat = signature.truth.reveal().is_some();
            self.totals.reported += 1;
            self.totals.reported_true += u64::from(threat);
            self.totals.open_true.insert(signature.id, threat);
        }
        for id in self.merged.drain(..) {
            // It shares the fate of the proposal that it supports, which counts.
            let threat = self.totals.open_true.remove(&id).expect("a merged report was reported");
            self.totals.reported_true -= u64::from(threat);
        }
        for decision in &self.decisions {
            let threat =
                self.totals.open_true.remove(&decision.signature).expect("a decision follows a report");
            match decision.outcome {
                Outcome::Confirmed => {
                    self.totals.confirmed += 1;
                    self.totals.confirmed_true += u64::from(threat);
                }
                Outcome::Rejected => self.totals.rejected += 1,
                Outcome::Undecided => self.totals.undecided += 1,
            }
            if decision.outcome != Outcome::Undecided {
                self.totals.latency.add(tick.since(decision.signature.tick));
            }
        }
        let faults =
            self.plugins.iter().filter(|e| matches!(e.happening, PluginHappening::Fault(_))).count() as u64;
        self.counts.plugin_faults = faults;
        self.totals.plugins.faults += faults;
        self.totals.plugins.fallbacks += self.counts.plugin_fallbacks;
        self.totals.plugins.opened +=
            self.plugins.iter().filter(|e| e.happening == PluginHappening::Opened).count() as u64;
        let digest = std::mem::take(&mut self.digest);
        self.fingerprint = self.fingerprint.chain(tick, &digest);
        TickRecord {
            tick,
            fingerprint: self.fingerprint,
            reported: std::mem::take(&mut self.reported),
            decisions: std::mem::take(&mut self.decisions),
            ballots: std::mem::take(&mut self.ballots),
            trust: std::mem::take(&mut self.trust),
            expired: std::mem::take(&mut self.expired),
            refitted: std::mem::take(&mut self.refitted),
            presence: std::mem::take(&mut self.presence),
            rejoined: std::mem::take(&mut self.rejoined),
            two_faced: std::mem::take(&mut self.two_faced),
            plugins: std::mem::take(&mut self.plugins),
            counts: std::mem::take(&mut self.counts),
        }
    }

    /// Points of the ROC curve of all scores so far.
    pub(crate) fn operating_points(&self, slices: u64) -> Vec<[u64; 2]> {
        self.totals.scores.operating_points(slices)
    }

    /// How plugins did.
    pub(crate) fn plugins(&self) -> summary::Plugins {
        self.totals.plugins
    }

    /// Fills in what is counted here; the rest of the summary is in the agents.
    pub(crate) fn summarise(&self, summary: &mut summary::Summary) {
        let totals = &self.totals;
        let (either, local) = (&totals.either, &totals.local);
        summary.detection = summary::Detection {
            flows: either.total(),
            anomalous: either.anomalous(),
            flagged: either.flagged(),
            precision: either.precision(),
            recall: either.recall(),
            f1: either.f1(),
            fpr: either.fpr(),
            roc_auc: totals.scores.roc_auc(),
            average_precision: totals.scores.average_precision(),
        };
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        summary.signatures = summary::Signatures {
            reported: totals.reported,
            confirmed: totals.confirmed,
            rejected: totals.rejected,
            undecided: totals.undecided + totals.open_true.len() as u64,
            merged: totals.merged,
            precision: share(totals.confirmed_true, totals.confirmed),
            recall: share(totals.confirmed_true, totals.reported_true),
        };
        summary.consensus = summary::Consensus {
            latency_p50: totals.latency.quantile(0.5),
            latency_p95: totals.latency.quantile(0.95),
            safety_failures: totals.confirmed - totals.confirmed_true,
        };
        summary.network =
            summary::Network { messages: totals.messages, bytes: totals.bytes, lost: totals.lost };
        summary.sharing = summary::Sharing {
            caught: totals.caught,
            blocked: totals.blocked,
            blocked_benign: totals.blocked_benign,
            local_precision: local.precision(),
            local_recall: local.recall(),
            local_f1: local.f1(),
        };
        for (campaign, (flows, flagged)) in summary.campaigns.iter_mut().zip(&totals.campaigns) {
            (campaign.flows, campaign.flagged) = (*flows, *flagged);
        }
    }
}

saved!(Totals {
    either,
    local,
    scores,
    reported,
    reported_true,
    confirmed,
    confirmed_true,
    rejected,
    undecided,
    merged,
    open_true,
    latency,
    messages,
    bytes,
    lost,
    caught,
    blocked,
    blocked_benign,
    plugins,
    campaigns,
});

// `close` empties all that belongs to one tick.
state!(Tally {
    kept: [opinions, warnings, fingerprint, totals],
    found: [
        reported, decisions, ballots, trust, expired, refitted, presence, rejoined, merged, two_faced,
        plugins, counts, digest
    ]
});
