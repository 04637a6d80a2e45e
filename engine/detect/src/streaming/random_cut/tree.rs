//! A random cut tree: rows go in and out, and it stays a tree grown from what it holds.

use phalanx_core::{AgentMix, Stream};
use serde::{Deserialize, Serialize};

use crate::lent::lend;

/// No node.
const NONE: u32 = u32::MAX;

/// An inner node with its cut, or a leaf with equal rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    parent: u32,
    /// Rows whose feature is greater than `at` go to the second. A leaf has none.
    children: [u32; 2],
    /// Rows in the subtree.
    mass: u32,
    feature: u32,
    at: f64,
}

/// One tree over the window. A row is known by its place in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    width: usize,
    root: u32,
    nodes: Vec<Node>,
    /// Lowest, then highest values of each node's rows: `2 · width` a node.
    boxes: Vec<f32>,
    /// Nodes without use.
    free: Vec<u32>,
    /// Leaf of the row in each place of the window.
    leaves: Vec<u32>,
}

impl Tree {
    pub(super) fn new(width: usize) -> Self {
        Self { width, root: NONE, nodes: Vec::new(), boxes: Vec::new(), free: Vec::new(), leaves: Vec::new() }
    }

    fn bounds(&self, node: u32) -> (&[f32], &[f32]) {
        let start = node as usize * 2 * self.width;
        self.boxes[start..start + 2 * self.width].split_at(self.width)
    }

    fn bounds_mut(&mut self, node: u32) -> (&mut [f32], &mut [f32]) {
        let start = node as usize * 2 * self.width;
        self.boxes[start..start + 2 * self.width].split_at_mut(self.width)
    }

    /// By how much the row widens the node's box, and the sum of the sides of the widened box. `None` if it lies inside,
    /// as most rows do near the root: comparing takes a fraction of the time of adding up.
    fn widening(&self, node: u32, row: &[f32]) -> Option<(f64, f64)> {
        let (low, high) = self.bounds(node);
        let sides = low.iter().zip(high).zip(row);
        if sides.fold(true, |inside, ((low, high), value)| inside & (low <= value) & (value <= high)) {
            return None;
        }
        let (mut extra, mut sides) = (0.0, 0.0);
        for ((low, high), value) in low.iter().zip(high).zip(row) {
            let (low, high, value) = (f64::from(*low), f64::from(*high), f64::from(*value));
            let gap = (low - value).max(value - high).max(0.0);
            extra += gap;
            sides += (high - low) + gap;
        }
        Some((extra, sides))
    }

    /// The cut that lies `offset` into the gaps between the node's box and the row.
    fn cut(&self, node: u32, row: &[f32], mut offset: f64) -> (u32, f64) {
        let (low, high) = self.bounds(node);
        let mut found = None;
        for (feature, ((low, high), value)) in low.iter().zip(high).zip(row).enumerate() {
            let (low, high, value) = (f64::from(*low), f64::from(*high), f64::from(*value));
            let (from, to) = if value < low { (value, low) } else { (high, value) };
            if from >= to {
                continue;
            }
            // Rounding may put the sum at the far end, which belongs to the other side.
            let at = from + offset;
            found = Some((feature as u32, if at < to { at } else { from }));
            if offset < to - from {
                break;
            }
            offset -= to - from;
        }
        found.expect("a row outside of a box has a gap")
    }

    fn side(&self, node: u32, row: &[f32]) -> usize {
        let node = self.nodes[node as usize];
        usize::from(f64::from(row[node.feature as usize]) > node.at)
    }

    fn is_leaf(&self, node: u32) -> bool {
        self.nodes[node as usize].children[0] == NONE
    }

    fn allocate(&mut self, node: Node) -> u32 {
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            return id;
        }
        self.nodes.push(node);
        self.boxes.resize(self.nodes.len() * 2 * self.width, 0.0);
        self.nodes.len() as u32 - 1
    }

    /// Algorithm 2 of the paper: the first cut that parts the row from the rows of a region makes its leaf.
    pub(super) fn insert(&mut self, place: usize, row: &[f32], rng: &mut Stream) {
        if self.leaves.len() <= place {
            self.leaves.resize(place + 1, NONE);
        }
        let mut node = self.root;
        while node != NONE {
            if let Some((extra, sides)) = self.widening(node, row) {
                let offset = rng.uniform() * sides;
                if offset < extra {
                    let (feature, at) = self.cut(node, row, offset);
                    return self.part(place, node, row, feature, at);
                }
            }
            // A leaf is all gap to any row but an equal one, so it was parted from that.
            if self.is_leaf(node) {
                self.leaves[place] = node;
                return self.grow(node, row);
            }
            node = self.nodes[node as usize].children[self.side(node, row)];
        }
        self.root = self.leaf(row, NONE);
        self.leaves[place] = self.root;
    }

    fn leaf(&mut self, row: &[f32], parent: u32) -> u32 {
        let leaf = self.allocate(Node { parent, children: [NONE; 2], mass: 1, feature: 0, at: 0.0 });
        let (low, high) = self.bounds_mut(leaf);
        low.copy_from_slice(row);
        high.copy_from_slice(row);
        leaf
    }

    /// Puts a cut between the node and a new leaf.
    fn part(&mut self, place: usize, node: u32, row: &[f32], feature: u32, at: f64) {
        let Node { parent, mass, .. } = self.nodes[node as usize];
        let leaf = self.leaf(row, NONE);
        let right = f64::from(row[feature as usize]) > at;
        let children = if right { [node, leaf] } else { [leaf, node] };
        let cut = self.allocate(Node { parent, children, mass, feature, at });
        let size = 2 * self.width;
        self.boxes.copy_within(node as usize * size..(node as usize + 1) * size, cut as usize * size);
        self.replace(parent, node, cut);
        self.nodes[node as usize].parent = cut;
        self.nodes[leaf as usize].parent = cut;
        self.leaves[place] = leaf;
        self.grow(cut, row);
    }

    /// Hangs `new` where `old` was.
    fn replace(&mut self, parent: u32, old: u32, new: u32) {
        if parent == NONE {
            self.root = new;
        } else {
            let children = &mut self.nodes[parent as usize].children;
            children[usize::from(children[1] == old)] = new;
        }
    }

    /// Adds the row to the node and everything above it.
    fn grow(&mut self, mut node: u32, row: &[f32]) {
        // Boxes lie inside each other: above one that holds the row, all do.
        let mut widen = true;
        while node != NONE {
            self.nodes[node as usize].mass += 1;
            widen = widen && self.widen(node, row);
            node = self.nodes[node as usize].parent;
        }
    }

    /// Makes the node's box hold the row. Whether it did not.
    fn widen(&mut self, node: u32, row: &[f32]) -> bool {
        let (low, high) = self.bounds_mut(node);
        let mut changed = false;
        for ((low, high), value) in low.iter_mut().zip(high).zip(row) {
            changed |= (*value < *low) | (*value > *high);
            *low = lesser(*low, *value);
            *high = greater(*high, *value);
        }
        changed
    }

    /// Algorithm 1 of the paper: the sibling takes the parent's place.
    pub(super) fn delete(&mut self, place: usize) {
        let leaf = std::mem::replace(&mut self.leaves[place], NONE);
        let Node { parent, mass, .. } = self.nodes[leaf as usize];
        if mass > 1 {
            return self.shrink(leaf, false);
        }
        self.free.push(leaf);
        if parent == NONE {
            self.root = NONE;
            return;
        }
        let Node { parent: above, children, .. } = self.nodes[parent as usize];
        let sibling = children[usize::from(children[0] == leaf)];
        self.free.push(parent);
        self.replace(above, parent, sibling);
        self.nodes[sibling as usize].parent = above;
        self.shrink(above, true);
    }

    /// Takes a row off the node and everything above it; `tighten` while its box may have touched theirs.
    fn shrink(&mut self, mut node: u32, mut tighten: bool) {
        while node != NONE {
            self.nodes[node as usize].mass -= 1;
            tighten = tighten && self.tighten(node);
            node = self.nodes[node as usize].parent;
        }
    }

    /// Sets the node's box to that of its children. Whether it changed.
    fn tighten(&mut self, node: u32) -> bool {
        let [left, right] = self.nodes[node as usize].children;
        let size = 2 * self.width;
        let range = |node: u32| node as usize * size..(node as usize + 1) * size;
        let boxes = self.boxes.get_disjoint_mut([range(node), range(left), range(right)]);
        let [own, left, right] = boxes.expect("every node has a box of its own");
        let (low, high) = own.split_at_mut(self.width);
        let ((left_low, left_high), (right_low, right_high)) =
            (left.split_at(self.width), right.split_at(self.width));
        let mut changed = false;
        for ((own, left), right) in low.iter_mut().zip(left_low).zip(right_low) {
            let low = lesser(*left, *right);
            changed |= *own != low;
            *own = low;
        }
        for ((own, left), right) in high.iter_mut().zip(left_high).zip(right_high) {
            let high = greater(*left, *right);
            changed |= *own != high;
            *own = high;
        }
        changed
    }

    /// Expected collusive displacement of the row, were it inserted.
    pub(super) fn displacement(&self, row: &[f32]) -> f64 {
        if self.root == NONE {
            return 0.0;
        }
        // `stay`: chance that no cut above parted the row; `most`: largest |S'| / |S| above.
        let (mut expected, mut stay, mut most, mut node) = (0.0, 1.0, 0.0f64, self.root);
        loop {
            let mass = f64::from(self.nodes[node as usize].mass);
            if let Some((extra, sides)) = self.widening(node, row) {
                let part = extra / sides;
                expected += stay * part * most.max(mass);
                stay *= 1.0 - part;
            }
            if self.is_leaf(node) {
                // Parted for certain from any leaf but that of equal rows, where `stay` is what it was.
                return expected + stay * most;
            }
            let next = self.nodes[node as usize].children[self.side(node, row)];
            let own = f64::from(self.nodes[next as usize].mass);
            most = most.max((mass - own) / (own + 1.0));
            node = next;
        }
    }

    /// Whether this is a tree of `held` rows in which every link, mass and box agrees with what lies below it.
    pub(super) fn is_sound(&self, width: usize, held: usize) -> bool {
        let count = self.nodes.len();
        if self.width != width
            || self.leaves.len() != held
            || Some(self.boxes.len()) != count.checked_mul(2 * width)
        {
            return false;
        }
        let mut rows = vec![0u32; count];
        for leaf in &self.leaves {
            match rows.get_mut(*leaf as usize) {
                Some(rows) => *rows += 1,
                None => return false,
            }
        }
        // Every node is reached once, from its parent, or is free.
        let mut used = vec![false; count];
        for node in &self.free {
            if used.get_mut(*node as usize).is_none_or(|used| std::mem::replace(used, true)) {
                return false;
            }
        }
        let mut stack = Vec::new();
        if held > 0 {
            stack.push((self.root, NONE));
        } else if self.root != NONE {
            return false;
        }
        while let Some((node, above)) = stack.pop() {
            let fresh = used.get_mut(node as usize).is_some_and(|used| !std::mem::replace(used, true));
            if !fresh
                || self.nodes[node as usize].parent != above
                || !self.is_node_sound(node, rows[node as usize])
            {
                return false;
            }
            if !self.is_leaf(node) {
                stack.extend(self.nodes[node as usize].children.map(|child| (child, node)));
            }
        }
        used.into_iter().all(|used| used)
    }

    /// Whether mass and box of the node, which is the leaf of `rows` rows, are those of its children or rows.
    fn is_node_sound(&self, node: u32, rows: u32) -> bool {
        let Node { children: [left, right], mass, feature, at, .. } = self.nodes[node as usize];
        let (low, high) = self.bounds(node);
        if left == NONE {
            let finite = low.iter().all(|x| x.is_finite());
            return right == NONE && mass == rows && rows > 0 && finite && low == high;
        }
        let count = self.nodes.len();
        if rows > 0 || left as usize >= count || right as usize >= count || feature as usize >= self.width {
            return false;
        }
        let (left_low, left_high) = self.bounds(left);
        let (right_low, right_high) = self.bounds(right);
        let masses = [left, right].map(|child| u64::from(self.nodes[child as usize].mass));
        let feature = feature as usize;
        u64::from(mass) == masses[0] + masses[1]
            && f64::from(left_high[feature]) <= at
            && f64::from(right_low[feature]) > at
            && low.iter().zip(left_low.iter().zip(right_low)).all(|(own, (a, b))| *own == lesser(*a, *b))
            && high.iter().zip(left_high.iter().zip(right_high)).all(|(own, (a, b))| *own == greater(*a, *b))
    }

    /// Feeds cuts, masses and leaves to a digest.
    pub(super) fn absorb(&self, mix: &mut AgentMix) {
        if self.root == NONE {
            return mix.word(0);
        }
        // Trees of random cuts are shallow on average but may be as deep as their window, so no recursion.
        let mut stack = lend(self.root, 1);
        while let Some(node) = stack.pop() {
            let Node { children, mass, feature, at, .. } = self.nodes[node as usize];
            mix.word(u64::from(mass) << 32 | u64::from(feature));
            if children[0] == NONE {
                self.bounds(node).0.iter().for_each(|value| mix.float(f64::from(*value)));
            } else {
                mix.float(at);
                stack.extend([children[1], children[0]]);
            }
        }
    }
}

/// `f32::min` may return either of two zeros; this is one instruction, too.
fn lesser(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

fn greater(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::super::{RandomCutConfig, RobustRandomCutForest};
    use super::*;
    use crate::{Detector, StreamingDetector};
    use phalanx_core::{Purpose, Streams, Tick};

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    /// Asserts masses, boxes and links of every node against its rows.
    fn check(tree: &Tree, rows: &[&[f32]]) {
        let mut seen = 0;
        let mut stack: Vec<(u32, Vec<&[f32]>)> = vec![(tree.root, rows.to_vec())];
        while let Some((node, rows)) = stack.pop() {
            seen += 1;
            let it = tree.nodes[node as usize];
            assert_eq!(it.mass as usize, rows.len());
            for feature in 0..tree.width {
                let values = || rows.iter().map(|row| row[feature]);
                assert_eq!(tree.bounds(node).0[feature], values().fold(f32::INFINITY, f32::min));
                assert_eq!(tree.bounds(node).1[feature], values().fold(f32::NEG_INFINITY, f32::max));
            }
            if tree.is_leaf(node) {
                assert!(rows.iter().all(|row| *row == rows[0]));
                continue;
            }
            let (left, right) =
                rows.into_iter().partition(|row| f64::from(row[it.feature as usize]) <= it.at);
            for (child, rows) in it.children.into_iter().zip([left, right]) {
                assert_eq!(tree.nodes[child as usize].parent, node);
                stack.push((child, rows));
            }
        }
        assert_eq!(seen + tree.free.len(), tree.nodes.len());
    }

    #[test]
    fn trees_hold_exactly_the_window() {
        let mut rng = stream(3);
        // Few distinct values, so that leaves are shared and emptied.
        let rows: Vec<f32> = (0..600).map(|_| (rng.below(5) * rng.below(5)) as f32).collect();
        let config = RandomCutConfig { trees: 3, window: 20 };
        let mut forest = RobustRandomCutForest::new(2, &config, &mut rng).unwrap();
        for end in 1..=300 {
            forest.update(&rows[2 * end - 2..2 * end]).unwrap();
            let window: Vec<&[f32]> = rows[..2 * end].chunks(2).skip(end.saturating_sub(20)).collect();
            forest.trees.iter().for_each(|tree| check(tree, &window));
        }
    }

    #[test]
    fn two_points_worked_out() {
        // A tree of 0 and 1. A row at 3 is parted at the root with chance 2/3 (displacement 2/1), else it goes right
        // (sibling 1 against 1 + 1 rows) and is parted from the leaf 1 there: 1/1. Expected: 2 · 2/3 + 1 · 1/3 = 5/3.
        let config = RandomCutConfig { trees: 1, window: 2 };
        let forest = RobustRandomCutForest::fit(&[0.0, 1.0], 1, &config, &mut stream(1)).unwrap();
        assert!((forest.trees[0].displacement(&[3.0]) - 5.0 / 3.0).abs() < 1e-12);
        // An equal row joins the leaf: 1 row against 2.
        assert_eq!(forest.trees[0].displacement(&[1.0]), 0.5);
        // c = 5/3 is a score of 5/8.
        let mut scores = Vec::new();
        forest.score(&[3.0], &mut scores).unwrap();
        assert!((scores[0] - 0.625).abs() < 1e-12);
    }

    /// Largest |S'| / |S| on the way up from the leaf of the row in this place.
    fn drawn_displacement(tree: &Tree, place: usize) -> f64 {
        let (mut node, mut most) = (tree.leaves[place], 0.0f64);
        while tree.nodes[node as usize].parent != NONE {
            let parent = tree.nodes[node as usize].parent;
            let own = f64::from(tree.nodes[node as usize].mass);
            most = most.max((f64::from(tree.nodes[parent as usize].mass) - own) / own);
            node = parent;
        }
        most
    }

    #[test]
    fn scoring_is_the_mean_over_insertions() {
        let mut rng = stream(9);
        let rows: Vec<f32> = (0..120).map(|_| rng.normal() as f32).collect();
        let config = RandomCutConfig { trees: 1, window: 40 };
        let forest = RobustRandomCutForest::fit(&rows, 3, &config, &mut rng).unwrap();
        for probe in [[0.0f32, 0.1, -0.2], [2.0, -1.0, 2.5], [9.0, 9.0, 9.0], [rows[3], rows[4], rows[5]]] {
            let expected = forest.trees[0].displacement(&probe);
            let drawn: Vec<f64> = (0..4000)
                .map(|_| {
                    let mut tree = forest.trees[0].clone();
                    tree.insert(40, &probe, &mut rng);
                    drawn_displacement(&tree, 40)
                })
                .collect();
            let mean = phalanx_core::maths::mean(&drawn).unwrap();
            let spread: Vec<f64> = drawn.iter().map(|d| (d - mean) * (d - mean)).collect();
            let error = (phalanx_core::maths::sum(&spread) / 4000.0 / 4000.0).sqrt();
            assert!(
                (mean - expected).abs() <= 4.0 * error + 1e-9,
                "{probe:?}: {mean} against {expected} ± {error}"
            );
        }
    }

    #[test]
    fn insertion_and_deletion_leave_the_distribution_of_trees() {
        // Of 0, 1 and 4, the first cut parts 0 with chance 1/4 in a tree grown from them. The same must hold after
        // rows that are gone again: 100 was in the tree first, then deleted.
        let config = RandomCutConfig { trees: 20_000, window: 3 };
        let forest = RobustRandomCutForest::fit(&[100.0, 4.0, 0.0, 1.0], 1, &config, &mut stream(5)).unwrap();
        let low = forest.trees.iter().filter(|tree| tree.nodes[tree.root as usize].at < 1.0).count();
        let sd = (0.25f64 * 0.75 / 20_000.0).sqrt();
        assert!((low as f64 / 20_000.0 - 0.25).abs() < 4.0 * sd, "{low} of 20,000");
    }
}
