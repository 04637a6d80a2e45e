//! Vote: every agent that has received signatures judges them, and answers as it is minded to.

use std::collections::BTreeMap;

use bevy_ecs::system::{Local, Query, Res, ResMut};
use phalanx_consensus::Gathering;
use phalanx_core::{AgentId, Purpose, Share16, Signature, SignatureId, Vote};
use phalanx_detect::Threshold;
use rayon::prelude::*;

use super::{Room, by_agent};
use crate::adversary::{Moment, Populations, Saying};
use crate::agent::{Blacklist, Detector, Identity, Inbox, Matcher, Model, Outbox};
use crate::board::Board;
use crate::evidence::{Evidence, Flagged};
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::spare::Spare;
use crate::standing::Standings;
use crate::tally::Tally;

/// Judges inboxes in parallel, then posts the votes in the order of agents.
pub(crate) fn vote(
    plan: Res<Plan>,
    now: Res<Now>,
    populations: Res<Populations>,
    standings: Res<Standings>,
    spare: Local<Spare<Scratch>>,
    mut board: ResMut<Board>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
    mut room: ResMut<Room>,
    mut agents: Query<(&Identity, &Detector, &Model, &Evidence, &Blacklist, &Inbox, &mut Outbox)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each_init(
        || spare.lend(),
        |scratch, row| {
            let (identity, detector, model, evidence, blacklist, inbox, outbox) = row;
            outbox.votes.clear();
            if inbox.reports.is_empty() {
                return;
            }
            judge(&inbox.reports, detector, model, evidence, blacklist, &plan, scratch);
            let moment = Moment { now: now.0, trust: standings.trust(identity.0) };
            let mut stream = plan.streams.stream(Purpose::Adversary, identity.0.0, now.0);
            for (signature, opinion) in inbox.reports.iter().zip(&scratch.opinions) {
                let so_far = board.majority_so_far(signature.id);
                let said = populations.say(identity.0, moment, signature, opinion.yes, so_far, &mut stream);
                answer(said, *opinion, signature.id, identity.0, outbox);
            }
        },
    );
    // A protocol of several rounds starts from what everybody thinks, and sends its own messages.
    let rounds = plan.gathering() == Gathering::Rounds;
    let mut minds = BTreeMap::new();
    for (identity, .., outbox) in rows.iter_mut().filter(|row| !row.6.votes.is_empty()) {
        let mut stream = plan.streams.stream(Purpose::VoteMail, identity.0.0, now.0);
        let controller = populations.controller(identity.0);
        for (mut vote, late) in std::mem::take(&mut outbox.votes) {
            // The identities of one controller speak with one voice: that of the first of them.
            if let Some(controller) = controller
                && let Some(mind) = minds.get(&(controller, vote.signature))
            {
                vote = Vote { voter: vote.voter, ..*mind };
            } else if populations.speaks_for_others(identity.0) {
                minds.insert((identity.0, vote.signature), vote);
            }
            tally.counts.votes += 1;
            if rounds {
                board.think(vote);
                continue;
            }
            let deadline = u64::from(plan.scenario.consensus.deadline_ticks);
            let age = now.0.since(vote.signature.tick);
            mail.send_vote(vote, if late { deadline.saturating_sub(age) as u32 } else { 0 }, &mut stream);
        }
    }
}

/// Puts what is said into the outbox.
fn answer(said: Saying, opinion: Opinion, signature: SignatureId, voter: AgentId, outbox: &mut Outbox) {
    let opinion = |yes: bool| if yes == opinion.yes { opinion } else { opinion.opposite() };
    let ballot = |yes: bool| {
        let Opinion { yes, score, confidence } = opinion(yes);
        Vote { signature, voter, yes, score, confidence }
    };
    match said {
        Saying::Vote(yes) => outbox.votes.push((ballot(yes), false)),
        Saying::Late(yes) => outbox.votes.push((ballot(yes), true)),
        Saying::Both => outbox.votes.extend([false, true].map(|yes| (ballot(yes), false))),
    }
}

/// What an agent thinks of a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Opinion {
    /// Whether it is a threat.
    yes: bool,
    /// How bad, in `[-1, 1]`: by own flows, the share of flagged ones minus that of good ones; by the model, how far its
    /// score of the centroid lies from the threshold, relative to the range that is left on that side.
    score: Share16,
    /// How sure, in `[0, 1]`: n / (n + 2) after n own flows, the posterior weight of the evidence against a uniform prior;
    /// one half by the model alone.
    confidence: Share16,
}

impl Opinion {
    /// Of an agent that has neither seen such flows nor a model that could judge them.
    fn none() -> Self {
        Self { yes: false, score: Share16::new(0.0), confidence: Share16::new(0.0) }
    }

    fn opposite(self) -> Self {
        Self { yes: !self.yes, score: -self.score, confidence: self.confidence }
    }
}

/// What judging needs for a moment.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    centroids: Vec<f32>,
    scores: Vec<f64>,
    /// The opinions, one a signature.
    opinions: Vec<Opinion>,
}

/// What the agent honestly thinks of each signature.
///
/// If it has seen such flows itself, they decide: a threat if it flagged at least as many of them as it found
/// nothing wrong with. If it has seen none, its model decides: a threat if it would flag the centroid.
fn judge<S: AsRef<Signature>>(
    signatures: &[S],
    detector: &Detector,
    model: &Model,
    evidence: &Evidence,
    blacklist: &Blacklist,
    plan: &Plan,
    Scratch { centroids, scores, opinions }: &mut Scratch,
) {
    centroids.clear();
    signatures.iter().for_each(|s| centroids.extend_from_slice(&s.as_ref().centroid));
    let own = detector.score(centroids, scores);
    let threshold = detector.threshold_of(own);
    // Without a threshold the model has no opinion.
    let cut = threshold.map_or(1.0, Threshold::cut);
    let mut deviations = None;
    let judged = signatures.iter().zip(&*scores).map(|(signature, &score)| {
        match sightings(signature.as_ref(), model, evidence, plan.matcher) {
            (0, 0) => {
                let signature = signature.as_ref();
                let words = &plan.scenario.consensus;
                let flagged =
                    if score > cut { ratio(score - cut, 1.0 - cut) } else { -ratio(cut - score, cut) };
                let similar = words.similarity.and_then(|least| {
                    let most = similarity(
                        signature,
                        evidence,
                        deviations.get_or_insert_with(|| model.window.deviations()),
                    );
                    most.filter(|most| *most >= least.get())
                });
                let listed = words.heed_blacklist && blacklist.names(&signature.indicator);
                if threshold.is_none() && similar.is_none() && !listed {
                    return Opinion::none();
                }
                Opinion {
                    yes: score > cut || similar.is_some() || listed,
                    score: Share16::new(flagged.max(similar.unwrap_or(-1.0)).max(if listed {
                        1.0
                    } else {
                        -1.0
                    })),
                    confidence: Share16::new(0.5),
                }
            }
            (flagged, fine) => {
                let (flagged, fine) = (flagged as f64, fine as f64);
                Opinion {
                    yes: flagged >= fine,
                    score: Share16::new((flagged - fine) / (flagged + fine)),
                    confidence: Share16::new((flagged + fine) / (flagged + fine + 2.0)),
                }
            }
        }
    });
    opinions.clear();
    opinions.extend(judged);
}

/// The similarity of a signature to the most similar of the flows that the agent has flagged lately.
fn similarity(signature: &Signature, evidence: &Evidence, deviations: &[f64]) -> Option<f64> {
    let to = |(_, row): (&Flagged, &[f32])| {
        let columns = signature.centroid.iter().zip(row).zip(deviations);
        let squares = columns.map(|((a, b), sd)| {
            let z = (f64::from(*a) - f64::from(*b)) / sd;
            z * z
        });
        1.0 / (1.0 + (squares.fold(0.0, |a, b| a + b) / deviations.len() as f64).sqrt())
    };
    evidence.iter().map(to).max_by(f64::total_cmp)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}

/// How many of the agent's own flows, flagged and fine, a signature speaks of.
fn sightings(signature: &Signature, model: &Model, evidence: &Evidence, matcher: Matcher) -> (usize, usize) {
    let flagged = evidence.iter().filter(|(flow, row)| matcher.matches(signature, &flow.key, row)).count();
    (flagged, matcher.count_fine(signature, &model.window))
}

/// What the agent's own flows say of a signature, if it has seen any that it speaks of.
pub(crate) fn first_hand(
    signature: &Signature,
    model: &Model,
    evidence: &Evidence,
    matcher: Matcher,
) -> Option<bool> {
    let (flagged, fine) = sightings(signature, model, evidence, matcher);
    (flagged + fine > 0).then_some(flagged >= fine)
}
