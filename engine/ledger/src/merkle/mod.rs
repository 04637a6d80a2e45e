//! The tree: RFC 6962 / RFC 9162 hashing over SHA-256, its frontier, and proofs.
//!
//! A leaf is `SHA-256(0x00 ‖ data)`, an inner node `SHA-256(0x01 ‖ left ‖ right)`; the prefixes keep a leaf
//! from passing for a node (second preimage). A tree of `n` leaves splits at the largest power of two below
//! `n`, so that a full left subtree never changes again and appending costs O(log n). Roots and proofs are
//! those of Certificate Transparency, byte for byte, so that any public tool can check them.

mod frontier;
mod proof;
mod sha256;
mod tile;

pub use frontier::Frontier;
pub use proof::{consistency_proof, inclusion_proof, tree_root, verify_consistency, verify_inclusion};
pub(crate) use proof::{consistency_ranges, inclusion_ranges};

pub(crate) use tile::{OpenTiles, TILE_HEIGHT, TILE_WIDTH, Tile};

use sha2::{Digest, Sha256};
use sha256::{node, prefixed};

/// A SHA-256 value: of a leaf, of an inner node or of a whole tree.
pub type Hash = [u8; 32];

/// Hash of one entry's bytes: `SHA-256(0x00 ‖ data)` (RFC 6962 §2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    prefixed(0x00, data)
}

/// Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    node(0x01, left, right)
}

/// Root of the tree without leaves: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eight leaves that RFC 6962's reference code publishes roots for.
    pub(super) const STANDARD_LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// Their roots after 0, 1, … 8 leaves (Certificate Transparency's `merkle_tree_test`).
    const STANDARD_ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: Hash) -> String {
        hash.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn roots_are_those_of_rfc_6962() {
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        for (size, expected) in STANDARD_ROOTS.iter().enumerate() {
            assert_eq!(hex(frontier.root()), *expected, "frontier of {size} leaves");
            assert_eq!(hex(tree_root(&leaves)), *expected, "recursive root of {size} leaves");
            if let Some(data) = STANDARD_LEAVES.get(size) {
                frontier.push(leaf_hash(data));
                leaves.push(leaf_hash(data));
            }
        }
    }

    #[test]
    fn any_edited_bit_changes_the_root() {
        let root = |leaves: &[Vec<u8>]| tree_root(&leaves.iter().map(|l| leaf_hash(l)).collect::<Vec<_>>());
        let leaves: Vec<Vec<u8>> = STANDARD_LEAVES.iter().map(|l| l.to_vec()).collect();
        let expected = root(&leaves);
        for leaf in 0..leaves.len() {
            for bit in 0..leaves[leaf].len() * 8 {
                let mut edited = leaves.clone();
                edited[leaf][bit / 8] ^= 1 << (bit % 8);
                assert_ne!(root(&edited), expected, "leaf {leaf} bit {bit}");
            }
        }
    }
}
