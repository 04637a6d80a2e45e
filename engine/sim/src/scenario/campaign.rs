//! Attacks on the synthetic world.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, Positive, PositiveReal};

/// One attack campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// What is done.
    pub kind: CampaignKind,
    /// First tick.
    #[serde(default)]
    pub start: u64,
    /// Number of ticks it lasts; to the end of the run if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks: Option<Positive>,
    /// Mean number of flows that it sends to (or from) a targeted agent in a tick. Each kind has a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<PositiveReal>,
    /// Number of attacking addresses. For a worm: of hosts infected at the start.
    #[serde(default = "two")]
    pub sources: Positive,
    /// Share of the agents whose host is attacked; for a worm, share of the hosts that are vulnerable.
    #[serde(default = "all")]
    pub targets: Fraction,
}

fn two() -> Positive {
    Positive::new(2)
}

fn all() -> Fraction {
    Fraction::new(1.0)
}

/// The kinds of campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CampaignKind {
    /// Few outside addresses probe many ports of host after host: short, mostly unanswered TCP.
    PortScan,
    /// Password guessing on port 22: repeated short sessions of nearly equal size.
    SshBruteForce,
    /// Half-open connections to port 80 from a botnet's addresses; the flood moves from target to target.
    SynFlood,
    /// Large uploads from compromised hosts to a drop server.
    Exfiltration,
    /// Low and slow: a small call home every few ticks, with jitter.
    Beacon,
    /// Infected hosts scan for vulnerable ones on port 445 and infect them; blocked probes infect nobody.
    Worm,
}

impl Campaign {
    /// Flows a targeted agent and tick: as given, or the kind's default.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate.map_or_else(
            || match self.kind {
                CampaignKind::PortScan | CampaignKind::Worm => 2.0,
                CampaignKind::SshBruteForce => 12.0,
                CampaignKind::SynFlood => 25.0,
                CampaignKind::Exfiltration => 1.0,
                CampaignKind::Beacon => 0.25,
            },
            PositiveReal::get,
        )
    }

    /// Whether the campaign is under way at `tick`.
    #[must_use]
    pub fn active(&self, tick: u64) -> bool {
        tick >= self.start && self.ticks.is_none_or(|n| tick - self.start < u64::from(n.get()))
    }
}
