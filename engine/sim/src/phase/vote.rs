//! Vote: every agent that has received signatures judges them, and answers as it is minded to.

use bevy_ecs::system::{Query, Res, ResMut};
use phalanx_core::{Purpose, Signature, Stream, Vote};
use rayon::prelude::*;

use super::by_agent;
use crate::agent::{Behaviour, Detector, Evidence, Identity, Inbox, Matcher, Model, Outbox};
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::population::Coalition;
use crate::tally::Tally;

/// Judges inboxes in parallel, then posts the votes in the order of agents.
pub(crate) fn vote(
    plan: Res<Plan>,
    now: Res<Now>,
    coalition: Res<Coalition>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
    mut agents: Query<(&Identity, &Behaviour, &Detector, &Model, &Evidence, &Inbox, &mut Outbox)>,
) {
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each(|(identity, behaviour, detector, model, evidence, inbox, outbox)| {
        outbox.votes.clear();
        if inbox.reports.is_empty() {
            return;
        }
        let verdicts = judge(&inbox.reports, detector, model, evidence, plan.matcher);
        let mut stream = plan.streams.stream(Purpose::Adversary, identity.0.0, now.0);
        for (signature, verdict) in inbox.reports.iter().zip(verdicts) {
            let yes = say(**behaviour, verdict, signature, &coalition, &mut stream);
            outbox.votes.push(Vote { signature: signature.id, voter: identity.0, yes });
        }
    });
    for (identity, .., outbox) in &mut rows {
        let mut stream = plan.streams.stream(Purpose::VoteMail, identity.0.0, now.0);
        for vote in outbox.votes.drain(..) {
            tally.counts.votes += 1;
            mail.send_vote(vote, &mut stream);
        }
    }
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
    matcher: Matcher,
) -> Vec<bool> {
    let mut centroids = Vec::with_capacity(signatures.len() * detector.scorer.detector().width());
    signatures.iter().for_each(|s| centroids.extend_from_slice(&s.as_ref().centroid));
    let mut scores = Vec::new();
    detector.scorer.detector().score(&centroids, &mut scores).expect("centroids of finite flows are finite");
    signatures
        .iter()
        .zip(scores)
        .map(|(signature, score)| {
            let signature = signature.as_ref();
            first_hand(signature, model, evidence, matcher).unwrap_or(score > detector.threshold.cut())
        })
        .collect()
}

/// What the agent's own flows say of a signature, if it has seen any that it speaks of.
pub(crate) fn first_hand(
    signature: &Signature,
    model: &Model,
    evidence: &Evidence,
    matcher: Matcher,
) -> Option<bool> {
    let flagged = evidence.flagged.iter().filter(|f| matcher.matches(signature, &f.key, &f.row)).count();
    let fine = matcher.count_fine(signature, &model.window);
    (flagged + fine > 0).then_some(flagged >= fine)
}

/// What the agent says, given what it thinks.
fn say(
    behaviour: Behaviour,
    verdict: bool,
    signature: &Signature,
    coalition: &Coalition,
    stream: &mut Stream,
) -> bool {
    if behaviour.coordinated() {
        return coalition.contains(signature.id.author);
    }
    match behaviour {
        Behaviour::VoteFlip { rate, .. } if stream.bernoulli(rate) => !verdict,
        _ => verdict,
    }
}
