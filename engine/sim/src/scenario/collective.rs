//! What agents do together: votes, lies, trust, blacklists and the ledger.

use phalanx_consensus::{Beta, Rule, TrustKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, NonNegative, Plugin, Positive, PositiveReal, RuleFault};
use crate::ageing::Polynomial;

/// How agents decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Consensus {
    /// How votes become a decision.
    pub rule: Rule,
    /// A rule of your own, as a WebAssembly component; `rule` then decides where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin<RuleFault>>,
    /// For the rules that have no share of their own: a signature is confirmed once the yes share of all eligible weight
    /// exceeds this; ties reject.
    pub quorum: Fraction,
    /// Ticks after the report at which an open proposal is given up as undecided. 0 decides within the tick.
    pub deadline_ticks: u32,
    /// Who is asked.
    pub electorate: Electorate,
    /// Probability, before any vote, that a report is true; for the rules that weigh evidence.
    pub prior: Fraction,
    /// Whether a report of an indicator that is being voted on already counts as support for that proposal instead of
    /// opening its own.
    pub merge: bool,
    /// A voter that has seen no such flows itself also says yes if some recent flow that it has flagged is at least this
    /// similar to the centroid: `1 / (1 + d)`, where d is the root mean square distance in standard deviations of its own
    /// window, so that equal flows have 1 and such that differ by a deviation in every feature 1/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<Fraction>,
    /// Whether such a voter also says yes to what is on its blacklist already.
    pub heed_blacklist: bool,
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            rule: Rule::Majority,
            plugin: None,
            quorum: Fraction::new(0.5),
            deadline_ticks: 6,
            electorate: Electorate::All,
            prior: Fraction::new(0.5),
            merge: false,
            similarity: None,
            heed_blacklist: false,
        }
    }
}

/// Who is asked to vote on a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Electorate {
    /// Everybody but its author.
    #[default]
    All,
    /// The author's neighbours in the network.
    Neighbours,
    /// A committee that anybody can recompute from the last tree head of the ledger and the report's number.
    Committee {
        /// Its members, without the author.
        size: Positive,
    },
}

/// What agents learn of each other from how their votes and reports turned out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// What an observation is still worth at the next one (λ): in Beta reputation, and in the rates below.
    pub forgetting: Fraction,
    /// Another trust model than Beta reputation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<TrustKind>,
    /// Share of all agents, taken from the honest, that are trusted from the start and for good.
    pub pretrusted: Fraction,
    /// Trust in these.
    pub pretrusted_trust: Fraction,
    /// Probability that a voter of whom nothing is known says yes to a true report; for calibrated rules.
    pub tpr: Fraction,
    /// The same for a false report.
    pub fpr: Fraction,
    /// Votes that these two are worth.
    pub strength: PositiveReal,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            forgetting: Fraction::new(0.95),
            model: None,
            pretrusted: Fraction::new(0.0),
            pretrusted_trust: Fraction::new(0.95),
            tpr: Fraction::new(0.8),
            fpr: Fraction::new(0.2),
            strength: PositiveReal::new(10.0),
        }
    }
}

impl Trust {
    /// The trust model: as given, or Beta reputation.
    #[must_use]
    pub fn kind(&self) -> TrustKind {
        self.model.clone().unwrap_or(TrustKind::Beta(Beta { forgetting: self.forgetting.get() }))
    }
}

/// What agents do with confirmed signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blacklist {
    /// Whether confirmed signatures are applied at all.
    pub enabled: bool,
    /// Whether an agent whose own flows contradict a confirmed signature leaves it alone.
    pub own_data_first: bool,
    /// Ticks after its last sighting at which an entry is dropped.
    pub ttl_ticks: Positive,
    /// If given, an entry's score decays from its last sighting on, and it is dropped below a threshold, whatever
    /// `ttl_ticks` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<Decay>,
    /// Entries an agent holds at most; the longest unseen goes first.
    pub capacity: Positive,
    /// If given, a flow matches only if it also lies within so many spreads of the signature's centroid, in every
    /// feature. For traffic without addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<PositiveReal>,
}

impl Default for Blacklist {
    fn default() -> Self {
        Self {
            enabled: true,
            own_data_first: true,
            ttl_ticks: Positive::new(200),
            decay: None,
            capacity: Positive::new(1024),
            radius: None,
        }
    }
}

impl Blacklist {
    /// Ticks after its last sighting at which an entry is dropped, however that is given.
    #[must_use]
    pub fn life_ticks(&self) -> u64 {
        match self.decay {
            None => u64::from(self.ttl_ticks.get()),
            // An entry at the threshold is still good.
            Some(decay) => decay.polynomial().life().floor() as u64 + 1,
        }
    }
}

/// How an indicator ages: `score(t) = base · (1 − (t / tau)^(1 / delta))`, t ticks after its last sighting (MISP's
/// polynomial model; defaults of its NIDS model, with one tick an hour).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decay {
    /// Score of an indicator that has just been seen, at most 100.
    pub base: PositiveReal,
    /// Ticks after which the score is 0.
    pub tau_ticks: Positive,
    /// Speed at first: 1 is linear, above 1 falls fast and then slowly.
    pub delta: PositiveReal,
    /// Score below which it is dropped.
    pub threshold: NonNegative,
}

impl Default for Decay {
    fn default() -> Self {
        Self {
            base: PositiveReal::new(80.0),
            tau_ticks: Positive::new(2880),
            delta: PositiveReal::new(2.0),
            threshold: NonNegative::new(30.0),
        }
    }
}

impl Decay {
    /// The law that these numbers mean.
    #[must_use]
    pub fn polynomial(self) -> Polynomial {
        Polynomial {
            base: self.base.get(),
            tau: f64::from(self.tau_ticks.get()),
            delta: self.delta.get(),
            threshold: self.threshold.get(),
        }
    }
}

/// What is written to the ledger, and when it is made durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// When a tick's entries are forced to the disk. It never changes which bytes these are.
    pub durability: Durability,
    /// Whether agents sign what they say: their reports, and their ballots if these are written.
    pub signing: Signing,
    /// Whether the ballots of every decision are written, beside their count and digest.
    pub votes: bool,
    /// Whether changes of trust are written, one for every agent and tick that has one.
    pub trust: bool,
    /// Whether it is written which agents go down and come back, by churn or crashes.
    pub presence: bool,
    /// Whether it is written when a confirmed signature has left the last blacklist that it was on.
    pub expiry: bool,
    /// Whether it is written how many models were fitted anew in a tick, with a digest of them all.
    pub models: bool,
    /// Ticks between the fingerprints that are written, each of everything up to its tick; 0 writes the last one only.
    pub fingerprint_ticks: u32,
    /// Ticks between the digests of the whole state that are written; 0 writes none.
    pub checkpoint_ticks: u32,
    /// Ticks between the signed heads that are written, each of all entries before it; 0 writes none.
    pub head_ticks: u32,
}

/// How agents sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Signing {
    /// Not at all.
    #[default]
    Off,
    /// Each with an Ed25519 key of its own, about 20 microseconds a signature.
    Ed25519,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            durability: Durability::Group(Positive::new(64)),
            signing: Signing::Off,
            votes: false,
            trust: false,
            presence: false,
            expiry: false,
            models: false,
            fingerprint_ticks: 0,
            checkpoint_ticks: 0,
            head_ticks: 0,
        }
    }
}

/// When entries are forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Durability {
    /// After every tick.
    Tick,
    /// After every so many ticks, and at the end.
    Group(Positive),
    /// At the end of the run.
    End,
}
