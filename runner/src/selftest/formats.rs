//! O17: the ledger's tree, against published roots.

use phalanx_ledger::merkle::{Frontier, Hash, inclusion_proof, leaf_hash, tree_root, verify_inclusion};

use super::{Check, Estimate};
use crate::record::hex;

const RFC: &str = "RFC 6962 reference leaves";

/// The eight leaves that RFC 6962's reference code publishes roots for.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots after 0, 1, 2, 3, 5 and 8 leaves, as far as the oracle prints them.
const ROOTS: [(usize, &str); 6] = [
    (0, "e3b0c442"),
    (1, "6e340b9c"),
    (2, "fac54203"),
    (3, "aeb6bcfe"),
    (5, "4e3bbb1f"),
    (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
];

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("O17", "Merkle roots of 0 to 8 leaves that agree, of 6", RFC, 6.0, |_| {
            let agrees = |(size, root): &&(usize, &str)| {
                let mut frontier = Frontier::new();
                LEAVES[..*size].iter().for_each(|leaf| frontier.push(leaf_hash(leaf)));
                hex(&frontier.root()).starts_with(root)
            };
            Estimate::computed(ROOTS.iter().filter(agrees).count() as f64)
        }),
        Check::new(
            "O17",
            "edits of one bit that leave the root as it was",
            "collision resistance",
            0.0,
            |_| Estimate::computed(edits_unseen() as f64),
        ),
        Check::new(
            "O17",
            "inclusion proofs that fail or exceed log2 n hashes",
            "RFC 6962 §2.1.1",
            0.0,
            |_| {
                let leaves: Vec<Hash> = (0..130u32).map(|i| leaf_hash(&i.to_le_bytes())).collect();
                let bad = (1..=130usize).map(|size| {
                    let leaves = &leaves[..size];
                    let root = tree_root(leaves);
                    let longest = usize::BITS - (size - 1).leading_zeros();
                    let fails = |index: &u64| {
                        let proof = inclusion_proof(leaves, *index).unwrap_or_default();
                        let leaf = &leaves[*index as usize];
                        proof.len() > longest as usize
                            || !verify_inclusion(leaf, *index, size as u64, &proof, &root)
                    };
                    (0..size as u64).filter(fails).count()
                });
                Estimate::computed(bad.sum::<usize>() as f64)
            },
        ),
    ]
}

fn edits_unseen() -> usize {
    let root = |leaves: &[Vec<u8>]| tree_root(&leaves.iter().map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>());
    let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| leaf.to_vec()).collect();
    let whole = root(&leaves);
    let mut unseen = 0;
    for leaf in 0..leaves.len() {
        for bit in 0..leaves[leaf].len() * 8 {
            let mut edited = leaves.clone();
            edited[leaf][bit / 8] ^= 1 << (bit % 8);
            unseen += usize::from(root(&edited) == whole);
        }
    }
    unseen
}
