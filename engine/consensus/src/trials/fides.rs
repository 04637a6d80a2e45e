//! The simulations of Fides (Forst 2022): one observer asks peers about targets, some of them lie after a while, and
//! its service trust has to find out.

use phalanx_core::Stream;

use super::{Measured, stream};
use crate::fusion::threat::{Aggregation, Threat, aggregate};
use crate::{Deed, Satisfaction, ServiceTrust, Trust, TrustKind, TrustModel};

/// How a peer answers about a target whose true score is 1 or -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Right and sure of it: N(.9, .1), confidence N(.9, .1).
    ConfidentCorrect,
    /// Anything, and unsure: N(0, .8), confidence N(.3, .2).
    Uncertain,
    /// Wrong in good faith: N(-.8, .2), confidence N(.8, .2).
    ConfidentIncorrect,
    /// As confident and correct until it starts to lie: N(-.9, .1), confidence N(.9, .1).
    Malicious,
}

impl Class {
    /// What a member says of a target of this true score.
    fn say(self, truth: f64, lying: bool, stream: &mut Stream) -> Threat {
        let (mean, deviation, sure, unsure) = match self {
            Self::Uncertain => (0.0, 0.8, 0.3, 0.2),
            Self::ConfidentIncorrect => (-0.8, 0.2, 0.8, 0.2),
            Self::Malicious if lying => (-0.9, 0.1, 0.9, 0.1),
            Self::ConfidentCorrect | Self::Malicious => (0.9, 0.1, 0.9, 0.1),
        };
        let score = (truth * mean + deviation * stream.normal()).clamp(-1.0, 1.0);
        let confidence = (sure + unsure * stream.normal()).clamp(0.0, 1.0);
        Threat { score, confidence }
    }
}

/// One of the published settings: one benign and one malicious target, 200 clicks, a history of 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Row of the table.
    pub name: &'static str,
    /// Peers.
    pub peers: Vec<Class>,
    /// Confident and correct peers whose trust is fixed at .95.
    pub pretrusted: u32,
    /// Reputation of a stranger.
    pub reputation: f64,
    /// How satisfied the observer is.
    pub satisfaction: Satisfaction,
    /// How confidences become one.
    pub aggregation: Aggregation,
    /// What the observer itself is.
    pub local: Class,
    /// Click from which on the malicious lie.
    pub lie_from: u32,
    /// Mean distance from the truth at the end, as published.
    pub distance: f64,
    /// How far the mean of ten seeds may be off.
    pub tolerance: f64,
}

const CLICKS: u32 = 200;
const FIXED_TRUST: f64 = 0.95;

/// What came out of one seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Mean distance of the network's opinion from the truth at the last click; below 1 is the right side.
    pub distance: f64,
    /// The same at its worst click.
    pub worst: f64,
    /// Mean trust in the liars at the end.
    pub trust_in_liars: f64,
}

/// Runs one seed.
#[must_use]
pub fn run(setting: &Setting, seed: u64) -> Outcome {
    let mut stream = stream(seed, 0);
    let service =
        ServiceTrust { history_max: 100, reputation: setting.reputation, satisfaction: setting.satisfaction };
    let honest = setting.peers.iter().zip(0u32..).filter(|(class, _)| **class == Class::ConfidentCorrect);
    let pretrusted: Vec<u32> = honest.map(|(_, peer)| peer).take(setting.pretrusted as usize).collect();
    let kind = TrustKind::ServiceTrust(service);
    let mut trust = Trust::new(&kind, setting.peers.len() as u32, &pretrusted, FIXED_TRUST)
        .expect("published settings are valid");
    let mut outcome = Outcome { distance: 0.0, worst: 0.0, trust_in_liars: 0.0 };
    for click in 0..CLICKS {
        let mut distance = 0.0;
        for truth in [1.0, -1.0] {
            let lying = click >= setting.lie_from;
            let said: Vec<Threat> =
                setting.peers.iter().map(|peer| peer.say(truth, lying, &mut stream)).collect();
            let reports = said.iter().zip(0u32..).map(|(threat, peer)| (*threat, trust.trust(peer)));
            let network = aggregate(setting.aggregation, reports);
            let local = setting.local.say(truth, false, &mut stream);
            for (threat, peer) in said.iter().zip(0u32..) {
                let satisfaction = setting.satisfaction.of(*threat, network, Some(local)).clamp(0.0, 1.0);
                trust.observe(&Deed { agent: peer, rater: None, satisfaction, weight: 1.0 });
            }
            distance += 0.5 * (truth - network.score).abs();
        }
        outcome.worst = outcome.worst.max(distance);
        outcome.distance = distance;
    }
    let liars = setting.peers.iter().zip(0u32..).filter(|(class, _)| **class == Class::Malicious);
    let (sum, count) = liars.fold((0.0, 0.0), |(sum, n), (_, peer)| (sum + trust.trust(peer), n + 1.0));
    outcome.trust_in_liars = sum / f64::max(count, 1.0);
    outcome
}

/// Mean distance over seeds `0..seeds` after `first`.
#[must_use]
pub fn distance(setting: &Setting, first: u64, seeds: u32) -> Measured {
    let samples: Vec<f64> = (0..seeds).map(|seed| run(setting, first + u64::from(seed)).distance).collect();
    Measured::of(&samples)
}

/// The ten published settings (oracle O1).
#[must_use]
pub fn published() -> Vec<Setting> {
    use Aggregation::{Average, WeightedAverage};
    let peers = |correct: usize, liars: usize| {
        let mut peers = vec![Class::ConfidentCorrect; correct];
        peers.extend(vec![Class::Malicious; liars]);
        peers
    };
    let row = |name, peers, pretrusted, reputation, satisfaction, aggregation, lie_from, distance| Setting {
        name,
        peers,
        pretrusted,
        reputation,
        satisfaction,
        aggregation,
        local: Class::Uncertain,
        lie_from,
        distance,
        tolerance: 0.05,
    };
    let threshold = Satisfaction::Threshold(0.5);
    let mut mixed = peers(2, 1);
    mixed.push(Class::Uncertain);
    let mut last =
        row("2 right, 1 unsure, 1 liar, max", mixed, 0, 0.0, Satisfaction::Max, Average, 25, 0.508);
    last.local = Class::ConfidentCorrect;
    last.tolerance = 0.12;
    let distance = Satisfaction::Distance;
    vec![
        row("2:6, 2 pre-trusted, rep 0, distance", peers(2, 6), 2, 0.0, distance, Average, 25, 0.541),
        row("2:6, 2 pre-trusted, rep .5, distance", peers(2, 6), 2, 0.5, distance, Average, 25, 0.604),
        row("2:6, 2 pre-trusted, rep .95, distance", peers(2, 6), 2, 0.95, distance, Average, 25, 0.643),
        row("2:6, 2 pre-trusted, rep .5, threshold", peers(2, 6), 2, 0.5, threshold, Average, 50, 1.139),
        row("2:6, 2 pre-trusted, rep .5, max", peers(2, 6), 2, 0.5, Satisfaction::Max, Average, 50, 1.095),
        row("2:6, rep .5, distance", peers(2, 6), 0, 0.5, distance, Average, 50, 1.743),
        row("6:2, rep .95, threshold", peers(6, 2), 0, 0.95, threshold, WeightedAverage, 50, 0.239),
        row("4:4, rep .95, threshold", peers(4, 4), 0, 0.95, threshold, WeightedAverage, 50, 0.999),
        row("4:4, 4 pre-trusted, rep .5, distance", peers(4, 4), 4, 0.5, distance, Average, 50, 0.314),
        last,
    ]
}
