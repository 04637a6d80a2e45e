//! Trees as they are kept: what was cut and where paths end, and nothing else.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::path_length::credit;

/// A node: a cut, or a leaf. Children are named by their places in the tree.
///
/// A leaf looks like a cut that leads to itself, by a feature that no row has: in that column every row has the key 0, which
/// is greater than no path. So a walk needs not ask which of the two it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Of a cut the threshold as an ordered integer, see [`key`]; of a leaf the length of its path in fixed point.
    pub(super) key: u32,
    /// Of a cut the feature that is compared; of a leaf the number of features.
    pub(super) feature: u32,
    /// Where rows go that are not greater than the threshold; of a leaf its own place.
    pub(super) left: u32,
    /// Of a cut where the other rows go; of a leaf how many rows of the sample it holds.
    pub(super) right: u32,
}

impl Node {
    /// A leaf at a place of a tree over `width` features.
    #[inline(always)]
    pub(super) fn leaf(place: usize, width: usize, path: u32, count: u32) -> Self {
        Self { key: path, feature: width as u32, left: place as u32, right: count }
    }
}

/// An integer that sorts as the finite float does, with both zeros equal. Comparing integers takes one cycle where
/// comparing floats takes several, and descent is a chain of comparisons.
#[inline(always)]
pub(super) fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    // Negative floats sort backwards as integers: flip all their bits. Of the others flip the sign.
    bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 1 << 31)
}

/// The cuts of a tree, and its leaves, of which there is one more.
pub(super) fn halves(tree: &[Node]) -> (&[Node], &[Node]) {
    tree.split_at(tree.len() / 2)
}

/// Steps down trees of up to 256 rows, the default of the paper. There are faster ways through them than through deeper ones.
pub(super) const HEIGHT: u32 = 8;

/// More nodes than such a tree has, and a power of two.
pub(super) const NODES: usize = 2 << HEIGHT;

/// What kind of node it is by where it stands in a tree: cuts, leaves of three rows and more, of two and of one.
pub(super) const KINDS: usize = 4;

/// The kind of a leaf.
#[inline(always)]
pub(super) fn kind_of_leaf(count: u32) -> usize {
    KINDS - count.min(3) as usize
}

/// The trees of a forest, one after the other. Those of 256 rows have some fifty cuts, and take 1.7 KB.
///
/// A tree is its cuts from the top down and level by level, and behind them its leaves, those of three rows and more before those
/// of two and of one, and each of these from the top down: there is one way to write it down, however it was grown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trees {
    nodes: Vec<Node>,
    /// Where each tree ends.
    ends: Vec<usize>,
    /// One a tree, taken while it grew.
    digests: Vec<u64>,
}

impl Trees {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn start(&self, tree: usize) -> usize {
        if tree == 0 { 0 } else { self.ends[tree - 1] }
    }

    /// Some of the trees.
    pub(super) fn get(&self, trees: Range<usize>) -> TreeSlice<'_> {
        TreeSlice { nodes: &self.nodes, start: self.start(trees.start), ends: &self.ends[trees] }
    }

    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.digests.clear();
    }

    pub(super) fn digests(&self) -> &[u64] {
        &self.digests
    }

    /// Makes room for so many trees from `sample` rows each, as they usually are.
    pub(super) fn reserve(&mut self, trees: usize, sample: usize) {
        const USUAL: usize = 128;
        self.nodes.reserve(trees * (2 * sample - 1).min(USUAL));
        self.ends.reserve(trees);
        self.digests.reserve(trees);
    }

    /// Adds a tree that `write` appends to the nodes that it is given, counting places from their length, and whose digest it
    /// returns.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<Node>) -> u64) {
        self.digests.push(write(&mut self.nodes));
        self.ends.push(self.nodes.len());
    }

    /// Puts trees in the place of as many others, from `first` on and, behind the last, from the front. Returns the place behind
    /// them.
    pub(super) fn replace(&mut self, first: usize, trees: &Self) -> usize {
        let at_front = (first + trees.len()).saturating_sub(self.len());
        let (at_end, at_front) = trees.get(0..trees.len()).split_at(trees.len() - at_front);
        self.replace_run(first, at_end);
        self.replace_run(0, at_front);
        for (i, digest) in trees.digests.iter().enumerate() {
            let place = (first + i) % self.len();
            self.digests[place] = *digest;
        }
        (first + trees.len()) % self.len()
    }

    /// Puts trees in the place of as many others that follow each other.
    fn replace_run(&mut self, first: usize, trees: TreeSlice<'_>) {
        let after = first + trees.len();
        let (start, end) = (self.start(first), self.start(after));
        self.nodes.splice(start..end, trees.nodes().iter().copied());
        for (end, new) in self.ends[first..after].iter_mut().zip(trees.ends) {
            *end = start + new - trees.start;
        }
        let moved = (start + trees.nodes().len()).wrapping_sub(end);
        self.ends[after..].iter_mut().for_each(|end| *end = end.wrapping_add(moved));
    }

    /// Whether all trees are such as grow from `sample` rows of `width` features, to `height` steps at most.
    pub(super) fn are_sound(&self, width: usize, sample: usize, height: u32) -> bool {
        let ends = [0].iter().chain(&self.ends).is_sorted() && self.ends.last() == Some(&self.nodes.len());
        ends && self.digests.len() == self.len()
            && self.get(0..self.len()).iter().all(|tree| is_sound(tree, width, sample, height))
    }
}

/// Some trees of a forest.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreeSlice<'a> {
    nodes: &'a [Node],
    start: usize,
    ends: &'a [usize],
}

impl<'a> TreeSlice<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn split_at(&self, count: usize) -> (Self, Self) {
        let (before, after) = self.ends.split_at(count);
        let start = before.last().copied().unwrap_or(self.start);
        (Self { ends: before, ..*self }, Self { start, ends: after, ..*self })
    }

    /// All their nodes.
    pub(super) fn nodes(&self) -> &'a [Node] {
        &self.nodes[self.start..self.ends.last().copied().unwrap_or(self.start)]
    }

    /// As [`Self::iter`], and behind each tree what follows it in memory.
    pub(super) fn with_rest(&self) -> impl Iterator<Item = &'a [Node]> {
        let nodes = self.nodes;
        std::iter::once(self.start)
            .chain(self.ends.iter().copied())
            .take(self.len())
            .map(move |start| &nodes[start..])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [Node]> + Clone {
        let (nodes, ends) = (self.nodes, self.ends);
        let starts = std::iter::once(self.start).chain(ends.iter().copied());
        starts.zip(ends).map(move |(start, end)| &nodes[start..*end])
    }
}

/// Whether a tree is written down as it should be, and could have grown from `sample` rows.
fn is_sound(tree: &[Node], width: usize, sample: usize, height: u32) -> bool {
    let (cuts, leaves) = halves(tree);
    if leaves.len() != cuts.len() + 1 {
        return false;
    }
    let mut depths = vec![0; tree.len()];
    if leaves.iter().any(|leaf| leaf.right == 0) {
        return false;
    }
    let kinds = starts(cuts.len(), leaves.iter());
    let mut next = kinds;
    next[0] = cuts.len().min(1);
    for (place, node) in cuts.iter().enumerate() {
        if node.feature as usize >= width || place >= next[0] {
            return false;
        }
        for child in [node.left as usize, node.right as usize] {
            let Some(found) = tree.get(child) else { return false };
            let kind = if child < cuts.len() { 0 } else { kind_of_leaf(found.right) };
            if child != next[kind] {
                return false;
            }
            depths[child] = depths[place] + 1;
            next[kind] += 1;
        }
    }
    let all_there = cuts.is_empty() || next == [cuts.len(), kinds[2], kinds[3], tree.len()];
    let mut held = 0u64;
    let ends = leaves.iter().zip(&depths[cuts.len()..]).zip(cuts.len()..).all(|((node, depth), place)| {
        held += u64::from(node.right);
        *depth <= height
            && node.right as usize <= sample
            && *node == Node::leaf(place, width, (depth << 24) + credit(node.right as usize), node.right)
    });
    ends && all_there && held == sample as u64
}

/// Where in a tree of so many cuts each kind of node begins.
fn starts<'a>(cuts: usize, leaves: impl Iterator<Item = &'a Node>) -> [usize; KINDS] {
    let mut starts = [0, cuts, cuts, cuts];
    for leaf in leaves {
        starts.iter_mut().skip(kind_of_leaf(leaf.right) + 1).for_each(|start| *start += 1);
    }
    starts
}

/// Appends a tree to `nodes` that was written down in some other order, from the root on. `order` is working memory.
pub(super) fn arrange(drafts: &[Node], width: usize, order: &mut Vec<u32>, nodes: &mut Vec<Node>) {
    let (start, cuts) = (nodes.len(), drafts.len() / 2);
    nodes.extend_from_slice(drafts);
    let nodes = &mut nodes[start..];
    let is_leaf = |draft: &Node| draft.feature as usize == width;
    let mut next = starts(cuts, drafts.iter().filter(|draft| is_leaf(draft)));
    order.clear();
    order.push(0);
    for place in 0..cuts {
        let cut = drafts[order[place] as usize];
        let [left, right] = [cut.left, cut.right].map(|child| {
            let draft = &drafts[child as usize];
            if is_leaf(draft) {
                let place = &mut next[kind_of_leaf(draft.right)];
                nodes[*place] = Node::leaf(*place, width, draft.key, draft.right);
                *place += 1;
                *place as u32 - 1
            } else {
                order.push(child);
                order.len() as u32 - 1
            }
        });
        nodes[place] = Node { left, right, ..cut };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 2;

    fn cut(left: u32, right: u32) -> Node {
        Node { key: 7, feature: 1, left, right }
    }

    fn leaf(place: usize, depth: u32, count: u32) -> Node {
        Node::leaf(place, WIDTH, (depth << 24) + credit(count as usize), count)
    }

    /// A tree of five rows: three on the left of the root, of which one is cut off.
    fn tree() -> Vec<Node> {
        vec![cut(1, 2), cut(4, 3), leaf(2, 1, 2), leaf(3, 2, 2), leaf(4, 2, 1)]
    }

    fn trees(all: &[&[Node]]) -> Trees {
        let mut trees = Trees::default();
        for tree in all {
            trees.push(|nodes| {
                nodes.extend_from_slice(tree);
                tree.len() as u64
            });
        }
        trees
    }

    #[test]
    fn one_way_to_write_a_tree_down() {
        // Depth first, right before left.
        let drafts = [cut(2, 1), leaf(0, 1, 2), cut(4, 3), leaf(0, 2, 2), leaf(0, 2, 1)];
        let mut nodes = vec![leaf(0, 0, 5)];
        arrange(&drafts, WIDTH, &mut Vec::new(), &mut nodes);
        assert_eq!(nodes[1..], tree());
        arrange(&[leaf(0, 0, 5)], WIDTH, &mut Vec::new(), &mut nodes);
        assert_eq!(nodes[6..], [leaf(0, 0, 5)]);
    }

    #[test]
    fn trees_are_replaced_by_longer_and_shorter_ones() {
        let (long, short) = (tree(), [leaf(0, 0, 5)]);
        let mut all = trees(&[&long, &short, &long]);
        assert_eq!(all.replace(0, &trees(&[&short, &long])), 2);
        assert_eq!(all, trees(&[&short, &long, &long]));
        assert_eq!(all.replace(1, &trees(&[&short])), 2);
        assert_eq!(all, trees(&[&short, &short, &long]));
        assert_eq!(all.replace(2, &trees(&[&short])), 0);
        assert_eq!(all, trees(&[&short, &short, &short]));
        assert_eq!(all.replace(2, &trees(&[&long, &short])), 1, "the second comes to the front");
        assert_eq!(all, trees(&[&short, &short, &long]));
        assert_eq!(all.replace(1, &trees(&[&short, &short, &long])), 1, "all of them");
        assert_eq!(all, trees(&[&long, &short, &short]));
        assert_eq!(all.replace(1, &trees(&[])), 1);
        assert!(all.get(1..3).iter().eq([&short, &short]));
        assert_eq!(all.get(1..1).nodes(), []);
    }

    #[test]
    fn what_did_not_grow_is_told() {
        let sound = |trees: &Trees| trees.are_sound(WIDTH, 5, 3);
        assert!(sound(&trees(&[&tree(), &[leaf(0, 0, 5)]])));
        assert!(!trees(&[&tree()]).are_sound(WIDTH, 6, 3), "a row is missing");
        assert!(!trees(&[&tree()]).are_sound(WIDTH, 5, 1), "too deep");
        assert!(!trees(&[&tree()]).are_sound(1, 5, 3), "a feature that there is not");
        let mut torn = trees(&[&tree()]);
        torn.ends[0] = 4;
        assert!(!sound(&torn));
        torn.ends = vec![6];
        assert!(!sound(&torn));
        torn.ends = vec![5, 3, 5];
        assert!(!sound(&torn));
        assert!(!sound(&trees(&[&[]])));
        let broken: [fn(&mut [Node]); 10] = [
            |tree| tree[0].left = 0,
            |tree| tree[1].left = 1,
            |tree| tree[1].right = 5,
            |tree| tree[0].right = 3,
            |tree| tree[1].feature = 2,
            |tree| tree[2].key += 1,
            |tree| tree[3].left = 0,
            |tree| tree[4].right = 3,
            |tree| tree[4].right = 0,
            |tree| tree[4].feature = 1,
        ];
        for (i, change) in broken.iter().enumerate() {
            let mut nodes = tree();
            change(&mut nodes);
            assert!(!sound(&trees(&[&nodes])), "change {i}");
        }
        // A cut that none leads to, and two that lead to each other.
        let lost = [cut(2, 3), cut(1, 4), leaf(2, 1, 2), leaf(3, 1, 2), leaf(4, 1, 1)];
        assert!(!sound(&trees(&[&lost])));
    }
}
