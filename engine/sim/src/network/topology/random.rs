//! The classical random graphs: independent edges, rewired rings, preferential attachment.

use phalanx_core::Stream;

use crate::network::Graph;

/// Every pair is an edge with probability `p`, independently (Gilbert 1959; drawn by skipping, Batagelj & Brandes
/// 2005). May fall apart: below a mean degree of ln n it usually leaves somebody alone.
///
/// # Panics
/// If `p` lies outside `[0, 1]`.
#[must_use]
pub fn erdos_renyi(nodes: u32, p: f64, stream: &mut Stream) -> Graph {
    assert!((0.0..=1.0).contains(&p), "a probability lies in [0, 1]");
    if p >= 1.0 {
        return Graph::full(nodes);
    }
    let mut edges = Vec::new();
    // Pairs (v, w) with w < v in order of v; the gap to the next edge is geometric.
    let log_miss = libm::log1p(-p);
    let (mut v, mut w) = (1u64, -1i64);
    while p > 0.0 && v < u64::from(nodes) {
        let skipped = (libm::log(stream.uniform_open()) / log_miss).floor();
        if skipped >= 9e15 {
            break;
        }
        w += 1 + skipped as i64;
        while v < u64::from(nodes) && w >= v as i64 {
            w -= v as i64;
            v += 1;
        }
        if v < u64::from(nodes) {
            edges.push((v as u32, w as u32));
        }
    }
    Graph::from_edges(nodes, &edges)
}

/// A ring in which everyone is next to the `neighbours / 2` on either side, each of whose edges is then rewired at one
/// end with probability `p` (Watts & Strogatz 1998). `p` = 0 is the ring lattice, 1 nearly random.
///
/// # Panics
/// If `neighbours` is odd, 0 or not below `nodes`, or `p` lies outside `[0, 1]`.
#[must_use]
pub fn watts_strogatz(nodes: u32, neighbours: u32, p: f64, stream: &mut Stream) -> Graph {
    assert!((0.0..=1.0).contains(&p), "a probability lies in [0, 1]");
    assert!(
        neighbours >= 2 && neighbours.is_multiple_of(2) && neighbours < nodes,
        "neighbours on both sides: an even number below the number of nodes"
    );
    let half = neighbours / 2;
    // Node v owns the edges to its next `half` nodes: row v of `ends`.
    let mut ends: Vec<u32> =
        (0..nodes).flat_map(|v| (1..=half).map(move |step| (v + step) % nodes)).collect();
    let mut degree = vec![neighbours; nodes as usize];
    let row =
        |ends: &[u32], v: u32, end: u32| ends[(v * half) as usize..((v + 1) * half) as usize].contains(&end);
    // As in the paper, first everyone's edge to the next node, then to the one after it, and so on.
    for step in 0..half {
        for v in 0..nodes {
            if !stream.bernoulli(p) || degree[v as usize] == nodes - 1 {
                continue;
            }
            let end = loop {
                let end = stream.below(nodes);
                if end != v && !row(&ends, v, end) && !row(&ends, end, v) {
                    break end;
                }
            };
            let place = &mut ends[(v * half + step) as usize];
            degree[*place as usize] -= 1;
            degree[end as usize] += 1;
            *place = end;
        }
    }
    let edges: Vec<_> = ends.iter().enumerate().map(|(i, end)| (i as u32 / half, *end)).collect();
    Graph::from_edges(nodes, &edges)
}

/// Nodes come one by one and join `each` others, chosen in proportion to their neighbours so far (Barabási & Albert
/// 1999), beginning with a star of `each` + 1. Few have very many neighbours: P(k) → 2m(m+1)/(k(k+1)(k+2)).
///
/// # Panics
/// If `each` is 0 or not below `nodes`.
#[must_use]
pub fn barabasi_albert(nodes: u32, each: u32, stream: &mut Stream) -> Graph {
    assert!(each >= 1 && each < nodes, "everyone joins 1 to {nodes} - 1 others");
    let mut edges: Vec<(u32, u32)> = (1..=each).map(|v| (0, v)).collect();
    let mut chosen: Vec<u32> = Vec::with_capacity(each as usize);
    for v in each + 1..nodes {
        chosen.clear();
        while chosen.len() < each as usize {
            // A random end of a random edge is a node in proportion to its neighbours.
            let end = stream.below(2 * edges.len() as u32);
            let (a, b) = edges[(end / 2) as usize];
            let node = if end.is_multiple_of(2) { a } else { b };
            if !chosen.contains(&node) {
                chosen.push(node);
            }
        }
        edges.extend(chosen.iter().map(|node| (*node, v)));
    }
    Graph::from_edges(nodes, &edges)
}
