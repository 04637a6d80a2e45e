//! Votes of independent voters under any rule that counts ballots.

use super::{Measured, World, stream};
use crate::theory::sprt::Course;
use crate::{Ballot, Memory, Poll, Rule, Silence, Sprt, Standing, Verdict, VotingRule};

/// Share of runs in which a rule confirms, if voter i says yes with probability `yes[i]`.
#[must_use]
pub fn confirmed(
    rule: &Rule,
    quorum: f64,
    yes: &[f64],
    standings: &[Standing],
    runs: u32,
    seed: u64,
) -> Measured {
    let mut stream = stream(seed, 0);
    let memory = Memory::default();
    let mut ballots: Vec<Ballot> = (0..yes.len() as u32).map(|voter| Ballot::plain(voter, false)).collect();
    let mut hits = 0;
    for _ in 0..runs {
        for (ballot, p) in ballots.iter_mut().zip(yes) {
            *ballot = Ballot::plain(ballot.voter, stream.bernoulli(*p));
        }
        let poll = poll(&ballots, standings, quorum, &memory);
        hits += u32::from(rule.decide(&poll, &mut Silence) == Verdict::Confirm);
    }
    Measured::share(hits, runs)
}

/// Share of runs in which a rule that knows the voters' skills is right: voter i is so with probability `skills[i]`,
/// about reports of which half are true.
#[must_use]
pub fn right(rule: &Rule, skills: &[f64], runs: u32, seed: u64) -> Measured {
    let mut stream = stream(seed, 0);
    let memory = Memory::default();
    let known = |p: &f64| Standing { trust: *p, uncertainty: 0.0, tpr: *p, fpr: 1.0 - p };
    let standings: Vec<Standing> = skills.iter().map(known).collect();
    let mut ballots: Vec<Ballot> =
        (0..skills.len() as u32).map(|voter| Ballot::plain(voter, false)).collect();
    let mut hits = 0;
    for _ in 0..runs {
        let truth = stream.bernoulli(0.5);
        for (ballot, p) in ballots.iter_mut().zip(skills) {
            *ballot = Ballot::plain(ballot.voter, stream.bernoulli(*p) == truth);
        }
        let verdict = rule.decide(&poll(&ballots, &standings, 0.5, &memory), &mut Silence);
        hits += u32::from(verdict == Verdict::of(truth));
    }
    Measured::share(hits, runs)
}

/// The sequential test over voters who all say yes with probability `p`: voters asked, share confirmed, share
/// rejected.
#[must_use]
pub fn sequential(
    rule: &Sprt,
    tpr: f64,
    fpr: f64,
    p: f64,
    runs: u32,
    seed: u64,
) -> (Measured, Measured, Measured) {
    const VOTERS: u32 = 150;
    let mut stream = stream(seed, 0);
    let memory = Memory::default();
    let standings = vec![Standing { tpr, fpr, ..Standing::default() }; VOTERS as usize];
    let mut world = World::honest(seed, VOTERS + 1);
    let mut asked = Vec::with_capacity(runs as usize);
    let (mut confirm, mut reject) = (0, 0);
    for _ in 0..runs {
        let ballots: Vec<Ballot> =
            (0..VOTERS).map(|voter| Ballot::plain(voter, stream.bernoulli(p))).collect();
        world.messages = 0;
        match rule.decide(&poll(&ballots, &standings, 0.5, &memory), &mut world) {
            Verdict::Confirm => confirm += 1,
            Verdict::Reject => reject += 1,
            Verdict::Open => {}
        }
        asked.push(world.messages as f64 / 2.0);
    }
    (Measured::of(&asked), Measured::share(confirm, runs), Measured::share(reject, runs))
}

/// Whether a sequential test went as the exact course says.
#[must_use]
pub fn follows(measured: &(Measured, Measured, Measured), exact: &Course) -> bool {
    measured.0.is_mean(exact.asked) && measured.1.is_share(exact.confirm) && measured.2.is_share(exact.reject)
}

/// All have voted, and no one is the author.
pub(crate) fn poll<'a>(
    ballots: &'a [Ballot],
    standings: &'a [Standing],
    quorum: f64,
    memory: &'a Memory,
) -> Poll<'a> {
    Poll {
        eligible: ballots.len() as u32,
        eligible_trust: standings.iter().map(|s| s.trust).sum(),
        quorum,
        ballots,
        standings,
        prior: 0.5,
        expired: false,
        author: ballots.len() as u32,
        attempt: 0,
        memory,
    }
}
