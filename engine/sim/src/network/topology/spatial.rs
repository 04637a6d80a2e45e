//! Graphs of nodes that are somewhere: sensors in a field, regions with gateways.

use std::f64::consts::PI;

use phalanx_core::Stream;

use super::regular;
use crate::network::Graph;

/// Points drawn uniformly in the unit square; those at most `radius` apart are neighbours (Gilbert 1961). May fall
/// apart.
///
/// # Panics
/// If `radius` is not positive.
#[must_use]
pub fn geometric(nodes: u32, radius: f64, stream: &mut Stream) -> Graph {
    assert!(radius > 0.0, "a radius is positive");
    let points: Vec<(f64, f64)> = (0..nodes).map(|_| (stream.uniform(), stream.uniform())).collect();
    // Cells at least a radius wide, so that neighbours lie in adjoining ones; no more cells than points.
    let side = (1.0 / radius).min(f64::from(nodes).sqrt()).max(1.0) as usize;
    let cell = |x: f64| ((x * side as f64) as usize).min(side - 1);
    let mut first = vec![0u32; side * side + 1];
    points.iter().for_each(|(x, y)| first[cell(*y) * side + cell(*x) + 1] += 1);
    (0..side * side).for_each(|c| first[c + 1] += first[c]);
    let mut next = first.clone();
    let mut members = vec![0u32; nodes as usize];
    for (v, (x, y)) in points.iter().enumerate() {
        let place = &mut next[cell(*y) * side + cell(*x)];
        members[*place as usize] = v as u32;
        *place += 1;
    }
    let mut edges = Vec::new();
    for (v, (x, y)) in points.iter().enumerate() {
        for row in cell(*y).saturating_sub(1)..=(cell(*y) + 1).min(side - 1) {
            let columns = cell(*x).saturating_sub(1)..=(cell(*x) + 1).min(side - 1);
            let start = first[row * side + columns.start()] as usize;
            let end = first[row * side + columns.end() + 1] as usize;
            for other in &members[start..end] {
                let (dx, dy) = (points[*other as usize].0 - x, points[*other as usize].1 - y);
                if (v as u32) < *other && dx * dx + dy * dy <= radius * radius {
                    edges.push((v as u32, *other));
                }
            }
        }
    }
    Graph::from_edges(nodes, &edges)
}

/// The radius at which `nodes` points of the unit square have `mean_degree` neighbours on average. Two points lie
/// within r ≤ 1 with probability πr² − 8r³/3 + r⁴/2 (the border takes the rest); capped at 1.
///
/// ```
/// let r = phalanx_sim::network::topology::geometric_radius(1001, 8.0);
/// let within = std::f64::consts::PI * r * r - 8.0 * r * r * r / 3.0 + r * r * r * r / 2.0;
/// assert!((1000.0 * within - 8.0).abs() < 1e-9);
/// ```
#[must_use]
pub fn geometric_radius(nodes: u32, mean_degree: f64) -> f64 {
    let others = f64::from(nodes.max(2) - 1);
    let degree = |r: f64| others * (PI * r * r - 8.0 * r * r * r / 3.0 + r * r * r * r / 2.0);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..64 {
        let middle = 0.5 * (low + high);
        if degree(middle) < mean_degree { low = middle } else { high = middle }
    }
    high
}

/// Regions whose members form a random regular graph of `neighbours` each (the full graph where there are fewer), and
/// in each of which `gateways` members link it to the others: the i-th gateway of every region is next to the i-th of
/// every other.
///
/// `region_of` names every node's region. Connected.
///
/// # Panics
/// If `neighbours` is odd or 0, or there are no gateways.
#[must_use]
pub fn clusters(region_of: &[u8], neighbours: u32, gateways: u32, stream: &mut Stream) -> Graph {
    assert!(
        neighbours >= 2 && neighbours.is_multiple_of(2),
        "an even number of neighbours exists in every region"
    );
    assert!(gateways >= 1, "regions without gateways never hear of each other");
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (v, region) in region_of.iter().enumerate() {
        let region = usize::from(*region);
        if members.len() <= region {
            members.resize(region + 1, Vec::new());
        }
        members[region].push(v as u32);
    }
    members.retain(|region| !region.is_empty());
    let mut edges = Vec::new();
    for region in &mut members {
        let size = region.len() as u32;
        let inside = match size > neighbours {
            true => regular(size, neighbours, stream),
            false => Graph::full(size),
        };
        for v in 0..size {
            let later = inside.neighbours(v).filter(|other| v < *other);
            edges.extend(later.map(|other| (region[v as usize], region[other as usize])));
        }
        // From here on its first members are the gateways.
        stream.partial_shuffle(region, (gateways as usize).min(size as usize));
    }
    for (i, region) in members.iter().enumerate() {
        for other in &members[i + 1..] {
            let pairs = region.iter().zip(other).take(gateways as usize);
            edges.extend(pairs.map(|(a, b)| (*a, *b)));
        }
    }
    Graph::from_edges(region_of.len() as u32, &edges)
}
