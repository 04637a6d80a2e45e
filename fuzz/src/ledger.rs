//! Bytes against the ledger's decoder, and spoiled proofs against its verifiers.

use phalanx_ledger::Entry;
use phalanx_ledger::merkle::{
    Frontier, Hash, consistency_proof, inclusion_proof, leaf_hash, tree_root, verify_consistency,
    verify_inclusion,
};

use crate::cursor::Cursor;

/// Bytes against [`Entry::decode`].
///
/// Oracle: what decodes encodes to the same bytes, so that no two byte strings are one entry; what does not is
/// refused alike each time.
pub fn ledger_entry(data: &[u8]) {
    match Entry::decode(data) {
        Ok(entry) => {
            let mut encoded = Vec::new();
            entry.encode(&mut encoded);
            assert_eq!(encoded, data, "{entry:?} has two encodings");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(Entry::decode(data), Err(error));
        }
    }
}

/// Leaves of the largest tree.
const SIZE_MAX: usize = 40;

/// Two bytes choose a tree and a leaf or an older tree in it, the rest spoil what the verifier is shown.
///
/// Oracle: a verifier accepts a true statement with its true proof and refuses every other one. Two things are never
/// spoiled, because the signed head that a verifier starts from vouches for them: the size (trees of different sizes
/// can share a path) and the root, but for single bits (a subtree's root has its own, shorter proofs).
pub fn ledger_proof(data: &[u8]) {
    let mut choices = Cursor::new(data);
    let size = 1 + choices.below(SIZE_MAX);
    let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    assert_eq!(frontier.root(), tree_root(&leaves), "frontier and definition disagree at {size} leaves");
    let place = choices.below(size + 1);
    if choices.byte() & 1 == 0 {
        check_inclusion(&leaves, place % size, &mut choices);
    } else {
        check_consistency(&leaves, place, &mut choices);
    }
}

/// What [`verify_inclusion`] is shown.
#[derive(Clone, Debug, PartialEq)]
struct Inclusion {
    leaf: Hash,
    index: u64,
    proof: Vec<Hash>,
    root: Hash,
}

fn check_inclusion(leaves: &[Hash], index: usize, choices: &mut Cursor<'_>) {
    let size = leaves.len() as u64;
    let holds =
        |shown: &Inclusion| verify_inclusion(&shown.leaf, shown.index, size, &shown.proof, &shown.root);
    let root = tree_root(leaves);
    let statement = |index: u64| {
        let leaf = *leaves.get(usize::try_from(index).ok()?)?;
        Some(Inclusion { leaf, index, proof: inclusion_proof(leaves, index)?, root })
    };
    let mut shown = statement(index as u64).expect("the leaf is in the tree");
    assert!(holds(&shown), "the true proof of leaf {index} of {size} is refused");
    while !choices.is_empty() {
        match choices.below(8) {
            0 => spoil_hash(&mut shown.leaf, leaves, choices),
            // The root of one leaf is that leaf: spoiled alike they would be another truth.
            1 if size > 1 => flip_bit(&mut shown.root, choices),
            2 => shown.index = choices.below(leaves.len() + 2) as u64,
            3 => shown.index ^= 1 << choices.below(64),
            _ => spoil_proof(&mut shown.proof, leaves, choices),
        }
        // Another leaf, its index and its proof would be another truth.
        let truth = statement(shown.index);
        assert_eq!(holds(&shown), truth.as_ref() == Some(&shown), "leaf {index} of {size}: {shown:02x?}");
    }
}

/// What [`verify_consistency`] is shown.
#[derive(Clone, Debug, PartialEq)]
struct Consistency {
    old_root: Hash,
    new_root: Hash,
    proof: Vec<Hash>,
}

fn check_consistency(leaves: &[Hash], old_size: usize, choices: &mut Cursor<'_>) {
    let (old, new) = (old_size as u64, leaves.len() as u64);
    let holds =
        |shown: &Consistency| verify_consistency(old, &shown.old_root, new, &shown.new_root, &shown.proof);
    let truth = Consistency {
        old_root: tree_root(&leaves[..old_size]),
        new_root: tree_root(leaves),
        proof: consistency_proof(leaves, old).expect("the old tree is no larger"),
    };
    assert!(holds(&truth), "the true proof of {old} in {new} is refused");
    let mut shown = truth.clone();
    while !choices.is_empty() {
        match choices.below(8) {
            0 => spoil_hash(&mut shown.old_root, leaves, choices),
            1 => flip_bit(&mut shown.new_root, choices),
            _ => spoil_proof(&mut shown.proof, leaves, choices),
        }
        // The empty tree is a prefix of every tree, and a tree of itself, so these prove nothing of the new root.
        let same_roots = match (old, new) {
            (0, _) => shown.old_root == truth.old_root,
            (old, new) if old == new => shown.old_root == shown.new_root,
            _ => (shown.old_root, shown.new_root) == (truth.old_root, truth.new_root),
        };
        assert_eq!(holds(&shown), same_roots && shown.proof == truth.proof, "{old} in {new}: {shown:02x?}");
    }
}

/// One step away from a proof: an edited hash, one less, one more, two exchanged.
fn spoil_proof(proof: &mut Vec<Hash>, leaves: &[Hash], choices: &mut Cursor<'_>) {
    let step = choices.below(6);
    let at = choices.below(proof.len() + 1);
    let other = choices.below(proof.len() + 1);
    let (inside, other_inside) = (at < proof.len(), other < proof.len());
    match step {
        0 | 1 if inside => spoil_hash(&mut proof[at], leaves, choices),
        2 if inside => drop(proof.remove(at)),
        3 if inside && other_inside => proof.swap(at, other),
        4 => proof.truncate(at),
        _ => {
            let mut hash = [0; 32];
            spoil_hash(&mut hash, leaves, choices);
            proof.insert(at, hash);
        }
    }
}

/// Another hash: one bit away, or that of some subtree of the same leaves, which is what a forger has at hand.
fn spoil_hash(hash: &mut Hash, leaves: &[Hash], choices: &mut Cursor<'_>) {
    if choices.byte() & 1 == 0 {
        flip_bit(hash, choices);
    } else {
        let start = choices.below(leaves.len());
        let end = start + 1 + choices.below(leaves.len() - start);
        *hash = tree_root(&leaves[start..end]);
    }
}

fn flip_bit(hash: &mut Hash, choices: &mut Cursor<'_>) {
    let bit = choices.byte();
    hash[usize::from(bit / 8)] ^= 1 << (bit % 8);
}
