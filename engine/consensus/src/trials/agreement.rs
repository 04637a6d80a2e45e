//! Byzantine agreement among `n`, the first of whom lie.

use super::jury::poll;
use super::{Lie, World};
use crate::{Ballot, Memory, Pbft, Standing, Verdict, VotingRule};

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// What an observer concludes.
    pub verdict: Verdict,
    /// What passed between the participants, and what they settled on.
    pub world: World,
}

/// One attempt in a world, with these judgements.
#[must_use]
pub fn attempt(mut world: World, judgements: &[bool], views_max: u32) -> Agreement {
    let ballots: Vec<Ballot> =
        judgements.iter().zip(0..).map(|(yes, voter)| Ballot::plain(voter, *yes)).collect();
    let standings = vec![Standing::default(); ballots.len()];
    let memory = Memory::default();
    // The author's number makes participant 0 the first leader.
    let poll = poll(&ballots, &standings, 0.5, &memory);
    let verdict = Pbft { views_max }.decide(&poll, &mut world);
    Agreement { verdict, world }
}

/// `liars` of `n` lie; everybody judges alike.
#[must_use]
pub fn unanimous(n: u32, liars: u32, lie: Lie, seed: u64) -> Agreement {
    attempt(World::with_liars(seed, n, liars, lie), &vec![true; n as usize], n)
}

/// Equivocators face honest participants who judge as they are told: even numbers yes, odd ones no.
#[must_use]
pub fn divided(n: u32, liars: u32, seed: u64) -> Agreement {
    let judgements: Vec<bool> = (0..n).map(|i| i.is_multiple_of(2)).collect();
    attempt(World::with_liars(seed, n, liars, Lie::Equivocate), &judgements, n)
}
