//! Who lies, how, when, and who they are: populations of adversaries.
//!
//! A population combines a way of lying ([`AdversaryKind`]), a schedule ([`When`]), a placement and a number of
//! identities a controller holds, so that a Sybil can be a sleeper. The ways follow Hoffman, Zage & Nita-Rotaru 2009
//! (self-promotion, whitewashing, slandering, orchestrated, denial of service) and the insiders of Fung et al. 2011
//! (betrayal, Sybil, newcomer, inconsistency, collusion, free-riding).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, Positive};

/// A population of lying agents. Populations are disjoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adversary {
    /// What they do.
    pub kind: AdversaryKind,
    /// Share of all agents.
    pub fraction: Fraction,
    /// Whether they know each other: they then withhold what they find, say yes to each other's reports and no to
    /// everybody else's, while they lie.
    #[serde(default)]
    pub coordinated: bool,
    /// Which agents they are.
    #[serde(default)]
    pub placement: Placement,
    /// How often they lie: false reports an agent and tick (`FalseReport`, `BallotStuff`: 0.2), or the probability of
    /// flipping a vote (`RandomFlip`: 0.3, all others 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Fraction>,
    /// When they lie; at other times they behave like honest agents.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// Identities that one controller holds. All of them vote as the first one does.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub identities: Positive,
}

fn one() -> Positive {
    Positive::new(1)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(identities: &Positive) -> bool {
    identities.get() == 1
}

impl Adversary {
    /// How often they lie: as given, or the kind's default.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate.map_or(
            match self.kind {
                AdversaryKind::FalseReport | AdversaryKind::BallotStuff => 0.2,
                AdversaryKind::RandomFlip => 0.3,
                _ => 1.0,
            },
            Fraction::get,
        )
    }
}

/// How an adversary lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum AdversaryKind {
    /// Reports signatures of benign flows with high confidence, and withholds true ones.
    FalseReport,
    /// Votes the opposite of what it finds.
    VoteFlip,
    /// Honest but faulty: votes the opposite of what it finds now and then.
    RandomFlip,
    /// Badmouths victims drawn at random: votes no on what they report, and judges honestly otherwise.
    Slander {
        /// Number of victims, the same for the whole population.
        victims: Positive,
    },
    /// Promotes its own: reports benign flows, votes yes on whatever its population reports, and judges others honestly.
    BallotStuff,
    /// Colludes on a shared list of targets: votes no on what outsiders report of them and yes on what members do. Honest
    /// elsewhere.
    Collude {
        /// Share of all indicators that is on the list.
        share: Fraction,
    },
    /// Never evaluates and never reports: votes with the majority so far, or yes where there is none yet.
    FreeRide,
    /// Judges honestly, but its votes arrive at the deadline only.
    Withhold,
    /// Floods the others with reports of benign flows.
    Spam {
        /// Reports an agent and tick.
        reports: Positive,
    },
    /// Votes yes to some and no to others. Whoever compares the two has a proof of it: both votes are void.
    Equivocate,
    /// Votes the opposite of what it finds; once its reputation falls below the mark it leaves and joins anew.
    Whitewash {
        /// The mark.
        below: Fraction,
    },
    /// Occupies the neighbour tables of victims: a victim all of whose slots are held hears nobody else, and nobody else
    /// hears it.
    Eclipse {
        /// Number of victims.
        victims: Positive,
        /// Slots of a neighbour table. Each is filled from all agents alike, so that a population of share `a` holds all
        /// of them with probability `a^slots`.
        slots: Positive,
    },
    /// Shows a ledger in which an old entry is altered. Every tick another agent, drawn at random, compares its head.
    TamperLedger,
}

/// When an adversary lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum When {
    /// From the first tick to the last.
    #[default]
    Always,
    /// A sleeper: honest before this tick (betrayal).
    From {
        /// First tick of lies.
        tick: u64,
    },
    /// Honest and lying by turns.
    OnOff {
        /// Ticks of honesty, which come first.
        honest_ticks: Positive,
        /// Ticks of lies.
        lying_ticks: Positive,
    },
    /// Lies while its own reputation is above the mark, and repairs it below.
    Adaptive {
        /// The mark.
        above: Fraction,
    },
    /// Lies about some targets only, each agent about others.
    Selective {
        /// Share of the indicators that it lies about.
        fraction: Fraction,
    },
}

impl When {
    fn is_always(&self) -> bool {
        *self == Self::Always
    }
}

/// Which agents an adversary population consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Placement {
    /// Drawn at random from the seed.
    #[default]
    Random,
    /// The agents with the lowest numbers.
    First,
    /// The agents with the most neighbours; the lowest numbers first among equals.
    Central,
    /// Drawn at random within one region.
    Region {
        /// Which.
        region: u16,
    },
}
