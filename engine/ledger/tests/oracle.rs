//! Our tree against ct-merkle, an independent implementation of RFC 6962: the same roots and proofs, byte for
//! byte.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use phalanx_ledger::merkle::{Frontier, Hash, consistency_proof, inclusion_proof, leaf_hash};
use sha2::Sha256;

const SIZE_MAX: u64 = 130;

#[test]
fn roots_and_proofs_are_those_of_ct_merkle() {
    let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut frontier = Frontier::new();
    let mut leaves: Vec<Hash> = Vec::new();
    for size in 1..=SIZE_MAX {
        let data = format!("entry {size}").into_bytes();
        let leaf = leaf_hash(&data);
        frontier.push(leaf);
        leaves.push(leaf);
        oracle.push(data);
        assert_eq!(frontier.root().as_slice(), oracle.root().as_bytes().as_slice(), "root of {size}");
        for index in 0..size {
            let proof = inclusion_proof(&leaves, index).unwrap().concat();
            assert_eq!(proof, oracle.prove_inclusion(index as usize).as_bytes(), "leaf {index} of {size}");
        }
        for old_size in 1..=size {
            let proof = consistency_proof(&leaves, old_size).unwrap().concat();
            let added = (size - old_size) as usize;
            assert_eq!(proof, oracle.prove_consistency(added).as_bytes(), "{old_size} in {size}");
        }
    }
}
