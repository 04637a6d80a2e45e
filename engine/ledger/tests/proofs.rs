//! Proofs made out of stored tiles against those made out of all leaves.

mod common;

use common::{grown, leaves};
use phalanx_ledger::merkle::{consistency_proof, inclusion_proof, tree_root, verify_inclusion};
use phalanx_ledger::{LedgerError, LedgerReader, Prover};

/// Sizes around the edges of tiles of the first two levels, and some in between.
fn sizes(size: u64) -> Vec<u64> {
    let edges = [1, 2, 3, 127, 128, 129, 255, 256, 300, 1000, 16_383, 16_384, 16_385, size - 1, size];
    edges.into_iter().filter(|edge| (1..=size).contains(edge)).collect()
}

#[test]
fn tiles_give_the_proofs_that_leaves_give() {
    let ledger = grown(420, 30);
    let size = ledger.len();
    assert!(size > 16_512, "a tile of the second level is full: {size}");
    let leaves = leaves(ledger.store());
    let mut prover = Prover::new(ledger.store(), size);
    for new in sizes(size) {
        let tree = &leaves[..new as usize];
        let root = tree_root(tree);
        assert_eq!(prover.root(new).unwrap(), root);
        assert_eq!(prover.frontier(new).unwrap().root(), root);
        for old in sizes(new) {
            assert_eq!(prover.consistency(old, new).unwrap(), consistency_proof(tree, old).unwrap());
            let index = old - 1;
            let proof = prover.inclusion(index, new).unwrap();
            assert_eq!(proof, inclusion_proof(tree, index).unwrap(), "{index} of {new}");
            assert!(proof.len() as u32 <= new.next_power_of_two().ilog2());
            assert!(verify_inclusion(&leaves[index as usize], index, new, &proof, &root));
        }
    }
}

#[test]
fn what_is_not_there_cannot_be_proven() {
    let ledger = grown(3, 5);
    let size = ledger.len();
    let mut prover = Prover::new(ledger.store(), size);
    assert!(matches!(prover.inclusion(size, size), Err(LedgerError::OutOfRange { .. })));
    assert!(matches!(prover.inclusion(0, size + 1), Err(LedgerError::NoSuchSize { .. })));
    assert!(matches!(prover.consistency(3, 2), Err(LedgerError::NoSuchSize { .. })));
    assert!(matches!(prover.consistency(3, size + 1), Err(LedgerError::NoSuchSize { .. })));
    assert_eq!(prover.consistency(size, size).unwrap(), Vec::<[u8; 32]>::new());
    assert_eq!(prover.root(size).unwrap(), ledger.store().head().unwrap().unwrap().head.root);
}
