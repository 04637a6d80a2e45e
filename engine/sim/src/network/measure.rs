//! Measures of graphs, for tests and the selftest: what a family promises is checked here.

use std::collections::VecDeque;

use phalanx_core::{Stream, maths};

use super::Graph;

/// Sizes of the connected parts, the largest first.
#[must_use]
pub fn components(graph: &Graph) -> Vec<u32> {
    if graph.is_full() {
        return vec![graph.nodes()];
    }
    let mut seen = vec![false; graph.nodes() as usize];
    let mut todo = Vec::new();
    let mut sizes = Vec::new();
    for start in 0..graph.nodes() {
        if seen[start as usize] {
            continue;
        }
        seen[start as usize] = true;
        todo.push(start);
        let mut size = 0;
        while let Some(node) = todo.pop() {
            size += 1;
            for next in graph.neighbours(node) {
                if !std::mem::replace(&mut seen[next as usize], true) {
                    todo.push(next);
                }
            }
        }
        sizes.push(size);
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

/// How many nodes have 0, 1, 2 … neighbours.
#[must_use]
pub fn degree_counts(graph: &Graph) -> Vec<u32> {
    let mut counts = Vec::new();
    for node in 0..graph.nodes() {
        let degree = graph.degree(node) as usize;
        if counts.len() <= degree {
            counts.resize(degree + 1, 0);
        }
        counts[degree] += 1;
    }
    counts
}

/// Mean local clustering coefficient: the share of a node's pairs of neighbours that are neighbours themselves, 0 for
/// nodes with fewer than two (Watts & Strogatz 1998).
#[must_use]
pub fn clustering(graph: &Graph) -> f64 {
    let local = |node: u32| {
        let around: Vec<u32> = graph.neighbours(node).collect();
        let pairs = around.len() * around.len().saturating_sub(1) / 2;
        let closed: usize = around
            .iter()
            .enumerate()
            .map(|(i, a)| around[i + 1..].iter().filter(|b| graph.adjacent(*a, **b)).count())
            .sum();
        if pairs == 0 { 0.0 } else { closed as f64 / pairs as f64 }
    };
    let all: Vec<f64> = (0..graph.nodes()).map(local).collect();
    maths::mean(&all).unwrap_or(0.0)
}

/// Mean number of steps from `sources` random nodes (all of them if there are no more) to every node that they reach.
#[must_use]
pub fn path_length(graph: &Graph, sources: u32, stream: &mut Stream) -> f64 {
    let mut from: Vec<u32> = (0..graph.nodes()).collect();
    let sources = (sources as usize).min(from.len());
    stream.partial_shuffle(&mut from, sources);
    let (mut steps, mut pairs) = (0u64, 0u64);
    let mut distance = Vec::new();
    let mut queue = VecDeque::new();
    for source in &from[..sources] {
        distance.clear();
        distance.resize(graph.nodes() as usize, u32::MAX);
        distance[*source as usize] = 0;
        queue.push_back(*source);
        while let Some(node) = queue.pop_front() {
            let next_distance = distance[node as usize] + 1;
            for next in graph.neighbours(node) {
                if distance[next as usize] == u32::MAX {
                    distance[next as usize] = next_distance;
                    steps += u64::from(next_distance);
                    pairs += 1;
                    queue.push_back(next);
                }
            }
        }
    }
    steps as f64 / pairs.max(1) as f64
}

/// Second largest eigenvalue of `W = keep·I + (1 - keep)·D⁻¹A`, the averaging step in which every node keeps that share
/// of its value: what is left of disagreement after a step, in the long run. By power iteration on `(I + W) / 2`, whose
/// eigenvalues are not negative, away from the stationary vector; `steps` of 500 give three digits for expanders.
///
/// For connected graphs without isolated nodes. On regular graphs `W` is symmetric; elsewhere its symmetric form
/// `D^½ W D^-½` is iterated, which has the same eigenvalues.
#[must_use]
pub fn second_eigenvalue(graph: &Graph, keep: f64, steps: u32, stream: &mut Stream) -> f64 {
    let roots: Vec<f64> = (0..graph.nodes()).map(|v| f64::from(graph.degree(v)).sqrt()).collect();
    let total: f64 = maths::sum(&roots.iter().map(|r| r * r).collect::<Vec<_>>());
    let deflate = |x: &mut [f64]| {
        let products: Vec<f64> = x.iter().zip(&roots).map(|(x, r)| x * r).collect();
        let along = maths::sum(&products) / total;
        x.iter_mut().zip(&roots).for_each(|(x, r)| *x -= along * r);
    };
    let norm = |x: &[f64]| maths::sum(&x.iter().map(|x| x * x).collect::<Vec<_>>()).sqrt();
    let mut x: Vec<f64> = roots.iter().map(|_| stream.normal()).collect();
    let mut lambda = 0.0;
    for _ in 0..steps {
        deflate(&mut x);
        let length = norm(&x);
        x.iter_mut().for_each(|x| *x /= length);
        let apply = |v: u32| {
            let around =
                graph.neighbours(v).map(|w| x[w as usize] / roots[w as usize]).fold(0.0, |a, b| a + b);
            let next = keep * x[v as usize] + (1.0 - keep) * around / roots[v as usize];
            0.5 * (x[v as usize] + next)
        };
        let next: Vec<f64> = (0..graph.nodes()).map(apply).collect();
        // The Rayleigh quotient converges twice as fast as the vector.
        let products: Vec<f64> = x.iter().zip(&next).map(|(a, b)| a * b).collect();
        lambda = 2.0 * maths::sum(&products) - 1.0;
        x = next;
    }
    lambda
}
