//! Attacks on the synthetic world: campaigns of one kind, and scripts of several stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, Positive, PositiveReal};

/// One attack campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// What it is called in results; by default what its kind is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// The stages of a campaign of kind `Staged`, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Share of its flows that it forgoes so as not to be noticed; below 1.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub stealth: Fraction,
    /// Whether it adapts: after a tick in which some of its flows to a target were blocked it halves its rate there, down
    /// to a 64th, and doubles it again after a tick in which none was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back_off: bool,
    /// For beacons: a call every `1 / rate` ticks, moved by up to half this share of that time either way. Without it calls
    /// come at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Fraction>,
    /// How it hides.
    #[serde(default, skip_serializing_if = "Evasion::is_absent")]
    pub evasion: Evasion,
}

/// A stage of a campaign. What it does not say holds as the campaign says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What is done.
    pub kind: CampaignKind,
    /// First tick, counted from the campaign's start; when the stage before it ends, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// Number of ticks; to the end of the run if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks: Option<Positive>,
    /// As [`Campaign::rate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<PositiveReal>,
    /// As [`Campaign::sources`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Positive>,
    /// Share of all agents. The targets of a stage are among those of any stage that has more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Fraction>,
    /// As [`Campaign::stealth`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stealth: Option<Fraction>,
}

/// How attackers hide; each strength from 0 (not at all) to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evasion {
    /// How far a flow's duration, bytes and packets lie on the way (in logarithms) from the attack's own to what is usual
    /// for the watched host; also the probability that it uses one of the host's ports, and that it is answered.
    pub mimic: Fraction,
    /// Share of flows that come from an address never used before. Worms and lateral movement come from the hosts that
    /// they have, and cannot.
    pub rotate: Fraction,
    /// Poisons what the targets learn from: in the 24 ticks before it starts the campaign sends this share of its flows,
    /// at first entirely as mimics and then less and less so (Rubinstein et al. 2009: the frog is boiled slowly).
    pub poison: Fraction,
}

impl Default for Evasion {
    fn default() -> Self {
        Self { mimic: none(), rotate: none(), poison: none() }
    }
}

impl Evasion {
    fn is_absent(&self) -> bool {
        *self == Self::default()
    }
}

fn none() -> Fraction {
    Fraction::new(0.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(share: &Fraction) -> bool {
    share.get() == 0.0
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
    /// Sessions on ports 445 and 3389 from hosts that the attacker has: the first `sources` of the targets.
    LateralMovement,
    /// A flood of large unasked answers from many reflectors (UDP, port 123), at all targets all the time.
    Reflection,
    /// A script: the `stages` say what.
    Staged,
}

impl CampaignKind {
    /// Flows a targeted agent and tick, if the scenario does not say.
    fn rate(self) -> f64 {
        match self {
            Self::PortScan | Self::Worm | Self::LateralMovement => 2.0,
            Self::SshBruteForce => 12.0,
            Self::SynFlood => 25.0,
            Self::Reflection => 40.0,
            Self::Exfiltration | Self::Staged => 1.0,
            Self::Beacon => 0.25,
        }
    }
}

impl Campaign {
    /// A campaign of this kind, with the default for everything else.
    #[must_use]
    pub fn of(kind: CampaignKind) -> Self {
        Self {
            name: None,
            kind,
            start: 0,
            ticks: None,
            rate: None,
            sources: two(),
            targets: all(),
            stages: Vec::new(),
            stealth: none(),
            back_off: false,
            jitter: None,
            evasion: Evasion::default(),
        }
    }

    /// Flows a targeted agent and tick: as given, or the kind's default.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate.map_or(self.kind.rate(), PositiveReal::get)
    }
}

/// What attackers do from one tick to another: a stage of a campaign, or a campaign of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Action {
    /// Index of the campaign.
    pub(crate) campaign: usize,
    /// `intrusion/PortScan`, or the name of the campaign.
    pub(crate) name: String,
    pub(crate) kind: CampaignKind,
    pub(crate) start: u64,
    /// The first tick after it, if it ends.
    pub(crate) end: Option<u64>,
    /// Flows a targeted agent and tick.
    pub(crate) rate: f64,
    pub(crate) sources: u32,
    /// Share of all agents.
    pub(crate) targets: f64,
    pub(crate) back_off: bool,
    pub(crate) jitter: Option<f64>,
    pub(crate) evasion: Evasion,
}

impl Action {
    /// Whether it is under way at `tick`.
    pub(crate) fn is_active(&self, tick: u64) -> bool {
        tick >= self.start && self.end.is_none_or(|end| tick < end)
    }
}

/// Everything the attackers do, in the order of campaigns and their stages. Truths count in it.
pub(crate) fn actions(campaigns: &[Campaign]) -> Vec<Action> {
    let mut actions = Vec::new();
    for ((index, campaign), name) in campaigns.iter().enumerate().zip(names(campaigns)) {
        let whole = Action {
            campaign: index,
            name,
            kind: campaign.kind,
            start: campaign.start,
            end: campaign.ticks.map(|ticks| campaign.start.saturating_add(u64::from(ticks.get()))),
            rate: campaign.rate() * (1.0 - campaign.stealth.get()),
            sources: campaign.sources.get(),
            targets: campaign.targets.get(),
            back_off: campaign.back_off,
            jitter: campaign.jitter.map(Fraction::get),
            evasion: campaign.evasion,
        };
        if campaign.kind != CampaignKind::Staged {
            actions.push(whole);
            continue;
        }
        let kinds = campaign.stages.iter().map(|stage| format!("{:?}", stage.kind));
        let kinds = numbered(&kinds.collect::<Vec<_>>());
        let mut before = campaign.start;
        for (stage, kind) in campaign.stages.iter().zip(kinds) {
            let start = stage.start.map_or(before, |start| campaign.start.saturating_add(start));
            let end = stage.ticks.map(|ticks| start.saturating_add(u64::from(ticks.get())));
            before = end.unwrap_or(start);
            let rate = stage.rate.map_or(stage.kind.rate(), PositiveReal::get);
            let stealth = stage.stealth.unwrap_or(campaign.stealth).get();
            actions.push(Action {
                name: format!("{}/{kind}", whole.name),
                kind: stage.kind,
                start,
                end,
                rate: rate * (1.0 - stealth),
                sources: stage.sources.map_or(whole.sources, Positive::get),
                targets: stage.targets.map_or(whole.targets, Fraction::get),
                ..whole.clone()
            });
        }
    }
    actions
}

/// Names of campaigns, as results show them: `PortScan`, `Worm`, `PortScan#2` …: kinds, numbered where one recurs.
pub(crate) fn names(campaigns: &[Campaign]) -> Vec<String> {
    let name = |c: &Campaign| c.name.clone().unwrap_or_else(|| format!("{:?}", c.kind));
    numbered(&campaigns.iter().map(name).collect::<Vec<_>>())
}

fn numbered(names: &[String]) -> Vec<String> {
    let numbered = |i: usize| match names[..i].iter().filter(|name| **name == names[i]).count() {
        0 => names[i].clone(),
        earlier => format!("{}#{}", names[i], earlier + 1),
    };
    (0..names.len()).map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_each_other_and_inherit() {
        let stage = |kind, start, ticks: Option<u32>| Stage {
            kind,
            start,
            ticks: ticks.map(Positive::new),
            rate: None,
            sources: None,
            targets: None,
            stealth: None,
        };
        let script = Campaign {
            start: 10,
            targets: Fraction::new(0.4),
            stealth: Fraction::new(0.5),
            stages: vec![
                stage(CampaignKind::PortScan, None, Some(5)),
                stage(CampaignKind::SshBruteForce, None, Some(4)),
                Stage { targets: Some(Fraction::new(0.1)), ..stage(CampaignKind::PortScan, Some(20), None) },
            ],
            ..Campaign::of(CampaignKind::Staged)
        };
        let found = actions(&[Campaign::of(CampaignKind::Worm), script]);
        let times: Vec<(&str, u64, Option<u64>, f64, f64)> =
            found.iter().map(|a| (a.name.as_str(), a.start, a.end, a.rate, a.targets)).collect();
        let expected = [
            ("Worm", 0, None, 2.0, 1.0),
            ("Staged/PortScan", 10, Some(15), 1.0, 0.4),
            ("Staged/SshBruteForce", 15, Some(19), 6.0, 0.4),
            ("Staged/PortScan#2", 30, None, 1.0, 0.1),
        ];
        assert_eq!(times, expected);
        assert_eq!(found[3].campaign, 1);
    }
}
