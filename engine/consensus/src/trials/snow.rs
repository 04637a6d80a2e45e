//! The parts of the Snow family whose course is known exactly.

use super::{Measured, World};
use crate::protocol::sampling;
use crate::protocol::snow::{Member, Node, Snow};

/// Share of polls of `k` out of `total` that find at least `alpha` of the `holders`.
#[must_use]
pub fn poll_success(total: u32, holders: u32, k: u32, alpha: usize, runs: u32, seed: u64) -> Measured {
    let mut world = World::honest(seed, 0);
    let mut sample = Vec::new();
    let mut hits = 0;
    for _ in 0..runs {
        sampling::others(&mut world, total + 1, total, k, &mut sample);
        hits += u32::from(sample.iter().filter(|peer| **peer < holders).count() >= alpha);
    }
    Measured::share(hits, runs)
}

/// Polls that a Snowflake node takes to decide, if each succeeds with probability `success`.
#[must_use]
pub fn polls_to_run(success: f64, beta: u32, runs: u32, seed: u64) -> Measured {
    let snow = settings(Member::Snowflake, 2, 2, beta);
    let mut stream = super::stream(seed, 0);
    let samples: Vec<f64> = (0..runs)
        .map(|_| {
            let mut node = Node::new(true);
            let mut polls = 0.0;
            while node.settled.is_none() {
                let yes = if stream.bernoulli(success) { 2 } else { 0 };
                // A failed poll finds neither colour often enough.
                node.poll(&snow, yes, 0);
                polls += 1.0;
            }
            polls
        })
        .collect();
    Measured::of(&samples)
}

/// Slush with one random node at a time, from `start` of `n` nodes holding the colour until all agree: share of runs
/// in which all hold it, and single steps taken.
#[must_use]
pub fn slush(n: u32, k: u32, alpha: u32, start: u32, runs: u32, seed: u64) -> (Measured, Measured) {
    let snow = settings(Member::Slush, k, alpha, 1);
    let mut world = World::honest(seed, n);
    let mut sample = Vec::new();
    let mut hits = 0;
    let mut steps = Vec::with_capacity(runs as usize);
    for _ in 0..runs {
        let mut nodes: Vec<Node> = (0..n).map(|i| Node::new(i < start)).collect();
        let mut holders = start;
        let mut taken = 0.0;
        while holders != 0 && holders != n {
            let me = crate::Exchange::below(&mut world, n);
            sampling::others(&mut world, n, me, k, &mut sample);
            let yes = sample.iter().filter(|peer| nodes[**peer as usize].colour).count() as u32;
            let node = &mut nodes[me as usize];
            let before = node.colour;
            node.poll(&snow, yes, k - yes);
            holders = holders + u32::from(node.colour) - u32::from(before);
            taken += 1.0;
        }
        hits += u32::from(holders == n);
        steps.push(taken);
    }
    (Measured::share(hits, runs), Measured::of(&steps))
}

fn settings(member: Member, k: u32, alpha: u32, beta: u32) -> Snow {
    Snow { member, k, alpha_preference: alpha, alpha_confidence: alpha, beta, rounds_max: 1 }
}
