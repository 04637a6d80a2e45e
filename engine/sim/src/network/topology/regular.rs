//! Random graphs in which everyone has the same number of neighbours.

use phalanx_core::Stream;

use crate::network::{Graph, measure};

/// A random connected graph in which every node has `degree` neighbours.
///
/// Ends of edges are paired at random; pairs that would make a loop or a double edge are torn up and paired again
/// (Steger & Wormald 1999, asymptotically uniform), the last few by switching with a random edge. A graph that falls
/// apart is drawn anew, which from degree 3 on is rare. Degree 2 is a random cycle. Above half of all nodes it is the
/// complement that is drawn.
///
/// # Panics
/// If no such graph exists: `degree` below 2 or not below `nodes`, or both odd.
#[must_use]
pub fn regular(nodes: u32, degree: u32, stream: &mut Stream) -> Graph {
    assert!(degree >= 2 && degree < nodes, "a connected graph needs 2 to {nodes} - 1 neighbours");
    assert!(u64::from(nodes) * u64::from(degree) % 2 == 0, "nodes and neighbours cannot both be odd");
    if degree == 2 {
        return cycle(nodes, stream);
    }
    let complement = nodes - 1 - degree;
    if complement < degree {
        // More than half of all are neighbours, so it is connected whatever the complement is.
        return inverted(nodes, complement, &pairing(nodes, complement, stream));
    }
    loop {
        let rows = pairing(nodes, degree, stream);
        let graph = Graph::from_regular_rows(nodes, degree, rows);
        if measure::components(&graph).len() == 1 {
            return graph;
        }
    }
}

fn cycle(nodes: u32, stream: &mut Stream) -> Graph {
    let mut order: Vec<u32> = (0..nodes).collect();
    stream.shuffle(&mut order);
    let edges: Vec<_> = (0..nodes as usize).map(|i| (order[i], order[(i + 1) % nodes as usize])).collect();
    Graph::from_edges(nodes, &edges)
}

/// All pairs that are not in these rows.
fn inverted(nodes: u32, degree: u32, rows: &[u32]) -> Graph {
    let mut edges = Vec::new();
    let mut next_to = vec![false; nodes as usize];
    for v in 0..nodes {
        let row = &rows[(v * degree) as usize..((v + 1) * degree) as usize];
        row.iter().for_each(|other| next_to[*other as usize] = true);
        edges.extend((v + 1..nodes).filter(|other| !next_to[*other as usize]).map(|other| (v, other)));
        row.iter().for_each(|other| next_to[*other as usize] = false);
    }
    Graph::from_edges(nodes, &edges)
}

/// Rows that are being filled: `degree` slots a node, of which `used` are.
struct Slots {
    degree: usize,
    slots: Vec<u32>,
    used: Vec<u32>,
}

impl Slots {
    fn row(&self, node: u32) -> &[u32] {
        let start = node as usize * self.degree;
        &self.slots[start..start + self.used[node as usize] as usize]
    }

    fn may_join(&self, a: u32, b: u32) -> bool {
        a != b && !self.row(a).contains(&b)
    }

    fn join(&mut self, a: u32, b: u32) {
        for (from, to) in [(a, b), (b, a)] {
            let used = &mut self.used[from as usize];
            self.slots[from as usize * self.degree + *used as usize] = to;
            *used += 1;
        }
    }

    fn part(&mut self, a: u32, b: u32) {
        for (from, to) in [(a, b), (b, a)] {
            let at = self.row(from).iter().position(|other| *other == to).expect("they are joined");
            let used = &mut self.used[from as usize];
            *used -= 1;
            let start = from as usize * self.degree;
            self.slots.swap(start + at, start + *used as usize);
        }
    }
}

/// Rows of a random regular graph, perhaps in several parts. At most half of the others are neighbours.
fn pairing(nodes: u32, degree: u32, stream: &mut Stream) -> Vec<u32> {
    /// Rounds without a new edge before switching starts.
    const PATIENCE: u32 = 8;
    /// Switches that are tried before all is drawn anew.
    const SWITCHES: u32 = 10_000;
    if degree == 0 {
        return Vec::new();
    }
    'anew: loop {
        let mut rows = Slots {
            degree: degree as usize,
            slots: vec![0; nodes as usize * degree as usize],
            used: vec![0; nodes as usize],
        };
        let mut ends: Vec<u32> = (0..nodes).flat_map(|v| std::iter::repeat_n(v, degree as usize)).collect();
        let mut stuck = 0;
        while !ends.is_empty() && stuck < PATIENCE {
            stream.shuffle(&mut ends);
            let mut left = 0;
            for i in (0..ends.len()).step_by(2) {
                let (a, b) = (ends[i], ends[i + 1]);
                if rows.may_join(a, b) {
                    rows.join(a, b);
                } else {
                    (ends[left], ends[left + 1]) = (a, b);
                    left += 2;
                }
            }
            stuck = if left == ends.len() { stuck + 1 } else { 0 };
            ends.truncate(left);
        }
        for pair in ends.chunks_exact(2) {
            if !(0..SWITCHES).any(|_| switch(&mut rows, pair[0], pair[1], nodes, stream)) {
                continue 'anew;
            }
        }
        return rows.slots;
    }
}

/// Replaces a random edge x–y by a–x and b–y, if that leaves the graph simple.
fn switch(rows: &mut Slots, a: u32, b: u32, nodes: u32, stream: &mut Stream) -> bool {
    let x = stream.below(nodes);
    let row = rows.row(x);
    if row.is_empty() {
        return false;
    }
    let y = row[stream.below(row.len() as u32) as usize];
    let possible = rows.may_join(a, x) && rows.may_join(b, y);
    if possible {
        rows.part(x, y);
        rows.join(a, x);
        rows.join(b, y);
    }
    possible
}
