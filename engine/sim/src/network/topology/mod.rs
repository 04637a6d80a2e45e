//! Families of graphs. Each is a pure function of its numbers and a stream; time and memory are linear in the edges.

mod random;
mod regular;
mod spatial;

pub use random::{barabasi_albert, erdos_renyi, watts_strogatz};
pub use regular::regular;
pub use spatial::{clusters, geometric, geometric_radius};

use super::Graph;

/// Node i is next to i - 1 and i + 1, the last to the first.
#[must_use]
pub fn ring(nodes: u32) -> Graph {
    let edges: Vec<_> = match nodes {
        0 | 1 => Vec::new(),
        2 => vec![(0, 1)],
        _ => (0..nodes).map(|v| (v, (v + 1) % nodes)).collect(),
    };
    Graph::from_edges(nodes, &edges)
}

/// Node 0 is next to all others, and they to nobody else.
#[must_use]
pub fn star(nodes: u32) -> Graph {
    let edges: Vec<_> = (1..nodes).map(|v| (0, v)).collect();
    Graph::from_edges(nodes, &edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_and_star_worked_out() {
        let rows = |graph: &Graph| -> Vec<Vec<u32>> {
            (0..graph.nodes()).map(|v| graph.neighbours(v).collect()).collect()
        };
        assert_eq!(rows(&ring(4)), [[1, 3], [0, 2], [1, 3], [0, 2]]);
        assert_eq!(rows(&ring(2)), [[1], [0]]);
        assert_eq!(rows(&star(3)), [vec![1, 2], vec![0], vec![0]]);
        assert_eq!([ring(1).edges(), star(1).edges()], [0, 0]);
    }
}
