//! Proofs: that an entry is in a tree, and that a tree grew out of an older one.
//!
//! Makers and verifiers are written from different texts, so that one checks the other: the makers follow the
//! recursive definitions of RFC 6962 §2.1.1 and §2.1.2, the verifiers the loops of RFC 9162 §2.1.3.2 and
//! §2.1.4.2. A verifier sees no leaves, only sizes, roots and the proof.

use super::{Hash, empty_root, node_hash};

/// Root of the tree over these leaf hashes, by the recursive definition.
#[must_use]
pub fn tree_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
            node_hash(&tree_root(left), &tree_root(right))
        }
    }
}

/// Hashes that lead from leaf `index` to the root, deepest first; `None` if there is no such leaf.
///
/// At most `⌈log2 n⌉` hashes. Making one costs O(n) hashing: the leaves are all there is to start from.
/// [`crate::Prover`] makes them out of a stored ledger.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Option<Vec<Hash>> {
    Some(roots(leaves, inclusion_ranges(index, leaves.len() as u64)?))
}

/// Hashes that show the tree of the first `old_size` leaves to be a prefix of the tree of all leaves; `None`
/// if there are fewer leaves than that. Empty for an empty old tree and for an equal one.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], old_size: u64) -> Option<Vec<Hash>> {
    Some(roots(leaves, consistency_ranges(old_size, leaves.len() as u64)?))
}

fn roots(leaves: &[Hash], ranges: Vec<(u64, u64)>) -> Vec<Hash> {
    ranges.into_iter().map(|(start, end)| tree_root(&leaves[start as usize..end as usize])).collect()
}

/// The subtrees, as ranges of leaves, whose roots make an inclusion proof (RFC 6962 §2.1.1).
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::with_capacity(64);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// The subtrees whose roots make a consistency proof (RFC 6962 §2.1.2).
pub(crate) fn consistency_ranges(old_size: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if old_size > size {
        return None;
    }
    let mut ranges = Vec::with_capacity(64);
    if old_size == 0 || old_size == size {
        return Some(ranges);
    }
    let (mut start, mut end) = (0, size);
    // Whether the subtree in hand is the whole old tree, whose root the verifier has already.
    let mut whole = true;
    while old_size != end {
        let middle = start + split(end - start);
        if old_size <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push((start, end));
    }
    ranges.reverse();
    Some(ranges)
}

/// Whether `proof` shows that the leaf with this hash is number `index` of the tree of `size` leaves with
/// this root (RFC 9162 §2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let mut path = Path { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        if path.last == 0 {
            return false;
        }
        if path.sibling_is_left() {
            hash = node_hash(sibling, &hash);
            path.skip_missing_siblings();
        } else {
            hash = node_hash(&hash, sibling);
        }
        path.up();
    }
    path.last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `old_size` leaves with `old_root` is a prefix of the tree of
/// `new_size` leaves with `new_root` (RFC 9162 §2.1.4.2).
///
/// The empty tree is a prefix of every tree, by an empty proof; so is every tree of itself.
#[must_use]
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    if old_size == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size > new_size {
        return false;
    }
    // The root of a full old tree is a node of the new one, so the proof need not repeat it.
    let (start, rest) = match (old_size.is_power_of_two(), proof) {
        (_, []) => return false,
        (true, _) => (old_root, proof),
        (false, [first, rest @ ..]) => (first, rest),
    };
    let mut path = Path { node: old_size - 1, last: new_size - 1 };
    while path.node & 1 == 1 {
        path.up();
    }
    let (mut old, mut new) = (*start, *start);
    for sibling in rest {
        if path.last == 0 {
            return false;
        }
        if path.sibling_is_left() {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            path.skip_missing_siblings();
        } else {
            new = node_hash(&new, sibling);
        }
        path.up();
    }
    path.last == 0 && old == *old_root && new == *new_root
}

/// Where a walk to the root stands: a node's number on its level, and that of the level's last node.
struct Path {
    node: u64,
    last: u64,
}

impl Path {
    fn sibling_is_left(&self) -> bool {
        self.node & 1 == 1 || self.node == self.last
    }

    /// A last node without a right sibling rises unchanged until it is a right child.
    fn skip_missing_siblings(&mut self) {
        while self.node & 1 == 0 && self.node != 0 {
            self.up();
        }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}

/// The largest power of two below `len`, for `len > 1`.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::super::leaf_hash;
    use super::*;

    const SIZE_MAX: u64 = 64;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// All ways to spoil a proof by one step: a flipped bit in each hash, one hash less, one more.
    fn spoiled(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut all = Vec::new();
        for i in 0..proof.len() {
            let mut flipped = proof.to_vec();
            flipped[i][i % 32] ^= 1 << (i % 8);
            all.push(flipped);
            let mut without = proof.to_vec();
            without.remove(i);
            all.push(without);
        }
        all.push([proof, &[[0; 32]]].concat());
        all
    }

    #[test]
    fn inclusion_holds_for_every_leaf_of_every_size() {
        for size in 1..=SIZE_MAX {
            let leaves = leaves(size);
            let root = tree_root(&leaves);
            for index in 0..size {
                let leaf = leaves[index as usize];
                let proof = inclusion_proof(&leaves, index).unwrap();
                assert!(
                    proof.len() as u32 <= size.next_power_of_two().ilog2(),
                    "⌈log2 {size}⌉ hashes at most"
                );
                assert!(verify_inclusion(&leaf, index, size, &proof, &root), "leaf {index} of {size}");
                for bad in spoiled(&proof) {
                    assert!(!verify_inclusion(&leaf, index, size, &bad, &root), "leaf {index} of {size}");
                }
                for other in (0..size).filter(|i| *i != index) {
                    assert!(!verify_inclusion(&leaf, other, size, &proof, &root), "{index} shown as {other}");
                }
                assert!(!verify_inclusion(&leaf, index, size, &proof, &leaf_hash(b"other root")));
                assert!(!verify_inclusion(&leaf_hash(b"other leaf"), index, size, &proof, &root));
            }
            assert_eq!(inclusion_proof(&leaves, size), None);
        }
    }

    #[test]
    fn consistency_holds_for_every_pair_of_sizes() {
        let all = leaves(SIZE_MAX);
        for new_size in 0..=SIZE_MAX {
            let new = &all[..new_size as usize];
            let new_root = tree_root(new);
            for old_size in 0..=new_size {
                let old_root = tree_root(&all[..old_size as usize]);
                let proof = consistency_proof(new, old_size).unwrap();
                let holds = |old_size, old_root: &Hash, new_size, new_root: &Hash, proof: &[Hash]| {
                    verify_consistency(old_size, old_root, new_size, new_root, proof)
                };
                let pair = format!("{old_size} in {new_size}");
                assert!(holds(old_size, &old_root, new_size, &new_root, &proof), "{pair}");
                for bad in spoiled(&proof) {
                    assert!(!holds(old_size, &old_root, new_size, &new_root, &bad), "{pair}");
                }
                let other = leaf_hash(b"other");
                assert!(!holds(old_size, &other, new_size, &new_root, &proof), "{pair}");
                // An empty tree is a prefix of anything; all other pairs bind the new root.
                assert!(old_size == 0 || !holds(old_size, &old_root, new_size, &other, &proof), "{pair}");
            }
            assert_eq!(consistency_proof(new, new_size + 1), None);
        }
    }
}
