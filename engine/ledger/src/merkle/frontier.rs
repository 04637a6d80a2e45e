//! The frontier: all that is needed of a tree to append to it and to know its root.

use super::{Hash, empty_root, node_hash};

/// Roots of the full subtrees that a tree of `size` leaves consists of, largest first: one for every bit set
/// in `size`, so never more than 64 hashes.
///
/// ```
/// use phalanx_ledger::merkle::{Frontier, leaf_hash, node_hash};
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// let mut frontier = Frontier::new();
/// frontier.push(a);
/// frontier.push(b);
/// assert_eq!((frontier.size(), frontier.root()), (2, node_hash(&a, &b)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier from its stored parts; `None` unless there is one peak for every bit set in `size`.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf's hash: amortised one node hash, at most 64.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| {});
    }

    /// As [`Frontier::push`], and shows every subtree that the leaf completes, itself first: its height and
    /// its root.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u32, &Hash)) {
        let mut hash = leaf;
        completed(0, &hash);
        // Every trailing one bit of the size is a full subtree as large as the one that just became complete.
        for height in 1..=self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for every bit set in the size");
            hash = node_hash(&left, &hash);
            completed(height, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Root of the tree: the peaks folded from the smallest to the largest.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.peaks.iter().rev();
        match smallest_first.next() {
            None => empty_root(),
            Some(smallest) => smallest_first.fold(*smallest, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{leaf_hash, tree_root};
    use super::*;

    #[test]
    fn agrees_with_the_recursive_definition_at_every_size() {
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        for i in 0..300u32 {
            assert_eq!(frontier.root(), tree_root(&leaves), "{i} leaves");
            assert_eq!(frontier.peaks().len(), frontier.size().count_ones() as usize);
            let leaf = leaf_hash(&i.to_be_bytes());
            frontier.push(leaf);
            leaves.push(leaf);
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(Frontier::from_parts(5, vec![[0; 32]; 2]).is_some());
        assert!(Frontier::from_parts(5, vec![[0; 32]; 3]).is_none());
        assert!(Frontier::from_parts(0, vec![[0; 32]; 1]).is_none());
    }
}
