//! How fast gossip averages.

use super::{Measured, World, stream};
use crate::rules::{cycle, round};

/// Who meets whom in a cycle of `n` averagings of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Two perfect matchings after each other.
    Matchings,
    /// Pairs drawn at random, with replacement.
    RandomPairs,
    /// Everybody in turn meets a random other one: the rule `PairwiseAveraging`.
    Sequential,
}

/// Share of the variance that a cycle among `n` (even) participants leaves.
#[must_use]
pub fn variance_left(meeting: Meeting, n: u32, runs: u32, seed: u64) -> Measured {
    let mut world = World::honest(seed, n);
    let mut stream = stream(seed, 2);
    let samples: Vec<f64> = (0..runs)
        .map(|_| {
            let mut values: Vec<f64> = (0..n).map(|_| stream.uniform()).collect();
            let before = variance(&values);
            match meeting {
                Meeting::Sequential => cycle(&mut values, |i| i as u32, 0, &mut world),
                Meeting::RandomPairs => (0..n).for_each(|_| {
                    let a = stream.below(n) as usize;
                    let b = (a + 1 + stream.below(n - 1) as usize) % n as usize;
                    average(&mut values, a, b);
                }),
                Meeting::Matchings => (0..2).for_each(|_| {
                    stream.shuffle(&mut values);
                    (0..n as usize / 2).for_each(|pair| average(&mut values, 2 * pair, 2 * pair + 1));
                }),
            }
            variance(&values) / before
        })
        .collect();
    Measured::of(&samples)
}

/// Largest error of any estimate after each of `rounds` rounds of push-sum among `n` uniform values.
#[must_use]
pub fn push_sum_errors(n: u32, rounds: u32, seed: u64) -> Vec<f64> {
    let mut world = World::honest(seed, n);
    let mut stream = stream(seed, 2);
    let mut sums: Vec<(f64, f64)> = (0..n).map(|_| (stream.uniform(), 1.0)).collect();
    let mean = sums.iter().map(|(value, _)| value).sum::<f64>() / f64::from(n);
    (0..rounds)
        .map(|r| {
            round(&mut sums, |i| i as u32, r, &mut world);
            sums.iter().map(|(value, weight)| (value / weight - mean).abs()).fold(0.0, f64::max)
        })
        .collect()
}

fn average(values: &mut [f64], a: usize, b: usize) {
    let mean = 0.5 * (values[a] + values[b]);
    values[a] = mean;
    values[b] = mean;
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len() as f64
}
