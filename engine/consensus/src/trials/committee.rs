//! Committees drawn from a population of which some are bad.

use super::Measured;
use crate::Lottery;

/// Share of committees of `m` out of `total`, of which the first `bad` are bad, with at least `t` bad members.
#[must_use]
pub fn failures(total: u32, bad: u32, m: u32, t: usize, runs: u32, seed: u64) -> Measured {
    let mut head = [0; 32];
    head[..8].copy_from_slice(&seed.to_le_bytes());
    let mut members = Vec::new();
    let mut hits = 0;
    for round in 0..runs {
        Lottery::new(&head, u64::from(round), 0).draw(total, m, None, &mut members);
        hits += u32::from(members.partition_point(|member| *member < bad) >= t);
    }
    Measured::share(hits, runs)
}
