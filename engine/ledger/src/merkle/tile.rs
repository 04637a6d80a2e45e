//! Tiles: the tree's hashes in blocks of 128, each written once, when it is full.
//!
//! Tile `(level, index)` holds the roots of 128 neighbouring subtrees of height `7 · level`. Everything that
//! lies between is hashed again when it is needed, so that 32 bytes an entry suffice to make any proof from
//! O(log n) tiles.

use super::{Hash, node_hash};

/// Height of a tile: it spans this many levels of the tree.
pub(crate) const TILE_HEIGHT: u32 = 7;
/// Hashes of a full tile.
pub(crate) const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// The tile that is not full yet, on each level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenTiles(Vec<Vec<Hash>>);

impl OpenTiles {
    /// Takes in a subtree that was completed; a tile that it fills is handed out with its level.
    pub(crate) fn completed(&mut self, height: u32, root: &Hash) -> Option<(u8, Vec<Hash>)> {
        if !height.is_multiple_of(TILE_HEIGHT) {
            return None;
        }
        let level = (height / TILE_HEIGHT) as usize;
        if self.0.len() <= level {
            self.0.resize(level + 1, Vec::new());
        }
        let tile = &mut self.0[level];
        tile.push(*root);
        (tile.len() as u64 == TILE_WIDTH).then(|| (level as u8, std::mem::take(tile)))
    }

    /// Sets the hashes of one level, when a ledger is opened.
    pub(crate) fn set(&mut self, level: u8, hashes: Vec<Hash>) {
        let level = usize::from(level);
        if self.0.len() <= level {
            self.0.resize(level + 1, Vec::new());
        }
        self.0[level] = hashes;
    }
}

/// A tile with all nodes above its hashes that are complete.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    /// Row `r` begins at `256 − (256 >> r)` and has `128 >> r` nodes; row 7 is the root.
    nodes: Box<[Hash]>,
    len: u64,
}

impl Tile {
    /// Hashes what lies above these 1 to 128 hashes.
    pub(crate) fn above(hashes: &[Hash]) -> Self {
        debug_assert!(hashes.len() as u64 <= TILE_WIDTH);
        let mut nodes = vec![[0; 32]; 255].into_boxed_slice();
        nodes[..hashes.len()].copy_from_slice(hashes);
        let mut count = hashes.len();
        for row in 0..TILE_HEIGHT {
            count /= 2;
            for i in 0..count {
                let left = row_start(row) + 2 * i;
                nodes[row_start(row + 1) + i] = node_hash(&nodes[left], &nodes[left + 1]);
            }
        }
        Self { nodes, len: hashes.len() as u64 }
    }

    /// Node `i` of a row, if it is complete.
    pub(crate) fn node(&self, row: u32, i: u64) -> Option<Hash> {
        ((i + 1) << row <= self.len).then(|| self.nodes[row_start(row) + i as usize])
    }

    /// The root of a full tile.
    ///
    /// # Panics
    /// If it is not full.
    pub(crate) fn root(&self) -> Hash {
        self.node(TILE_HEIGHT, 0).expect("a full tile has a root")
    }
}

fn row_start(row: u32) -> usize {
    256 - (256 >> row)
}
