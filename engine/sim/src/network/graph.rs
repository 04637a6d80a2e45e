//! An undirected simple graph in compressed rows: who may speak to whom.

/// Neighbours of every node, ascending. The full graph is implicit and takes no memory.
///
/// ```
/// use phalanx_sim::network::Graph;
/// let square = Graph::from_edges(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
/// assert_eq!(square.neighbours(0).collect::<Vec<_>>(), [1, 3]);
/// assert_eq!((square.degree(2), square.edges(), square.adjacent(0, 2)), (2, 4, false));
/// assert_eq!(Graph::full(4).neighbours(2).collect::<Vec<_>>(), [0, 1, 3]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    nodes: u32,
    rows: Option<Rows>,
}

/// Node v's neighbours are `neighbours[first[v]..first[v + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rows {
    first: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Graph {
    /// Everyone is next to everyone.
    #[must_use]
    pub fn full(nodes: u32) -> Self {
        Self { nodes, rows: None }
    }

    /// The graph of these edges. An edge may be given twice, in either direction.
    ///
    /// # Panics
    /// If an edge leaves `0..nodes` or joins a node to itself, or if there are 2^31 of them.
    #[must_use]
    pub fn from_edges(nodes: u32, edges: &[(u32, u32)]) -> Self {
        assert!(edges.len() < 1 << 31, "ends of edges are counted in 32 bits");
        let mut first = vec![0u32; nodes as usize + 1];
        for (a, b) in edges {
            assert!(a != b && *a < nodes && *b < nodes, "no edge from {a} to {b} among {nodes} nodes");
            first[*a as usize + 1] += 1;
            first[*b as usize + 1] += 1;
        }
        for v in 0..nodes as usize {
            first[v + 1] += first[v];
        }
        // `first` serves as the place of each row's next entry, and ends up one row ahead.
        let mut neighbours = vec![0u32; edges.len() * 2];
        for (a, b) in edges {
            for (from, to) in [(*a, *b), (*b, *a)] {
                let place = &mut first[from as usize];
                neighbours[*place as usize] = to;
                *place += 1;
            }
        }
        first.rotate_right(1);
        first[0] = 0;
        Self { nodes, rows: Some(Rows::sorted(first, neighbours)) }
    }

    /// A graph whose rows all have `degree` entries; they are sorted here.
    pub(super) fn from_regular_rows(nodes: u32, degree: u32, neighbours: Vec<u32>) -> Self {
        let first = (0..=nodes).map(|v| v * degree).collect();
        Self { nodes, rows: Some(Rows::sorted(first, neighbours)) }
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// Whether it is the full graph, of which nothing is stored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows.is_none()
    }

    /// Number of edges.
    #[must_use]
    pub fn edges(&self) -> u64 {
        match &self.rows {
            None => u64::from(self.nodes) * u64::from(self.nodes.saturating_sub(1)) / 2,
            Some(rows) => rows.neighbours.len() as u64 / 2,
        }
    }

    /// Number of neighbours of a node.
    #[must_use]
    pub fn degree(&self, node: u32) -> u32 {
        self.rows.as_ref().map_or(self.nodes - 1, |rows| rows.of(node).len() as u32)
    }

    /// The neighbour of that rank, counted from the lowest.
    ///
    /// # Panics
    /// If the node has fewer.
    #[must_use]
    pub fn neighbour(&self, node: u32, rank: u32) -> u32 {
        match &self.rows {
            None => {
                assert!(rank + 1 < self.nodes, "node {node} has no neighbour {rank}");
                rank + u32::from(rank >= node)
            }
            Some(rows) => rows.of(node)[rank as usize],
        }
    }

    /// A node's neighbours, ascending.
    pub fn neighbours(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        (0..self.degree(node)).map(move |rank| self.neighbour(node, rank))
    }

    /// Whether two nodes are neighbours.
    #[must_use]
    pub fn adjacent(&self, a: u32, b: u32) -> bool {
        match &self.rows {
            None => a != b && a.max(b) < self.nodes,
            Some(rows) => rows.of(a).binary_search(&b).is_ok(),
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rows.as_ref().map_or(0, |rows| 4 * (rows.first.len() + rows.neighbours.len()) as u64)
    }
}

impl Rows {
    /// Sorts every row and drops what is in it twice.
    fn sorted(mut first: Vec<u32>, mut neighbours: Vec<u32>) -> Self {
        let mut kept = 0;
        for v in 0..first.len() - 1 {
            let (start, end) = (first[v] as usize, first[v + 1] as usize);
            neighbours[start..end].sort_unstable();
            first[v] = kept as u32;
            let row = kept;
            for i in start..end {
                if kept == row || neighbours[kept - 1] != neighbours[i] {
                    neighbours[kept] = neighbours[i];
                    kept += 1;
                }
            }
        }
        *first.last_mut().expect("there is an end even without nodes") = kept as u32;
        neighbours.truncate(kept);
        Self { first, neighbours }
    }

    fn of(&self, node: u32) -> &[u32] {
        let v = node as usize;
        &self.neighbours[self.first[v] as usize..self.first[v + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_given_twice_count_once() {
        let graph = Graph::from_edges(5, &[(4, 0), (0, 4), (1, 0), (3, 4), (4, 3), (0, 4)]);
        let rows: Vec<Vec<u32>> = (0..5).map(|v| graph.neighbours(v).collect()).collect();
        assert_eq!(rows, [vec![1, 4], vec![0], vec![], vec![4], vec![0, 3]]);
        assert_eq!(graph.edges(), 3);
        assert!(graph.adjacent(4, 3) && graph.adjacent(3, 4) && !graph.adjacent(1, 4));
    }

    #[test]
    fn small_graphs_have_no_edges() {
        for nodes in [1, 2] {
            assert_eq!(Graph::full(nodes).edges(), u64::from(nodes - 1));
            assert_eq!(Graph::from_edges(nodes, &[]).neighbours(0).count(), 0);
        }
    }

    #[test]
    #[should_panic(expected = "no edge from 2 to 2")]
    fn loops_are_refused() {
        let _ = Graph::from_edges(3, &[(2, 2)]);
    }
}
